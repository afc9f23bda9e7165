//! The same random sequences for Apache ZooKeeper and for our server (`tests/interop/differential`).

use super::fleet::build;
use super::process::{Run, target};
use super::report::Outcome;
use super::server::{self, REFERENCE_CLASSPATH};
use super::tally;
use super::tools;

/// Where a newer Apache ZooKeeper lies than Debian's.
const CLASSPATH: &str = "ZOOKEEPER_CLASSPATH";

/// `arguments` go to the program.
pub(crate) fn differential(arguments: &[String]) -> Outcome {
    let named = std::env::var(CLASSPATH).ok();
    let needed: &[tools::Tool] = match named {
        Some(_) => &[tools::JAVA],
        None => &[tools::JAVA, tools::ZOOKEEPER],
    };
    if let Some(missing) = tools::missing(needed) {
        return missing;
    }
    let classpath = named.unwrap_or_else(|| REFERENCE_CLASSPATH.to_owned());
    server::build()
        .and_then(|| build("differential"))
        .and_then(|| {
            Run::new(target().join("debug/examples/differential"))
                .args(&[server::binary()])
                .args(&[classpath.as_str()])
                .args(arguments)
                .run_tests(tally::of_plain)
        })
}

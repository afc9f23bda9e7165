//! Apache ZooKeeper's data moved into our server and back.

use super::process::{Run, cargo, target};
use super::report::Outcome;
use super::server;
use super::{tally, tools};

/// What ZooKeeper compresses snapshots with when it is told `snappy`.
const SNAPPY: &str = ":/usr/share/java/snappy-java.jar";

/// `tests/interop/data`, with the binary that foreign clients meet.
pub(crate) fn moved() -> Outcome {
    if let Some(missing) = tools::missing(&[tools::JAVA, tools::ZOOKEEPER, tools::SNAPPY_JAVA]) {
        return missing;
    }
    let folder = target().join("interop/data").display().to_string();
    let classpath = server::reference_classpath(SNAPPY);
    let binary = server::binary().display().to_string();
    server::build()
        .and_then(|| cargo(&["build", "--workspace", "--example", "zookeeper_data"]).run_check())
        .and_then(|| {
            Run::new(target().join("debug/examples/zookeeper_data"))
                .args(&[&folder, &classpath, &binary])
                .run_tests(tally::of_plain)
        })
}

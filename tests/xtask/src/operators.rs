//! What operators ask, asked of Apache ZooKeeper and of our server.

use super::process::{Run, cargo, target};
use super::report::Outcome;
use super::server;
use super::{tally, tools};

/// What Apache ZooKeeper's HTTP endpoint is made of.
const HTTP: [&str; 11] = [
    "jackson-annotations",
    "jackson-core",
    "jackson-databind",
    "jetty9-http",
    "jetty9-io",
    "jetty9-security",
    "jetty9-server",
    "jetty9-servlet",
    "jetty9-util",
    "jetty9-util-ajax",
    "servlet-api",
];

/// `tests/interop/operators`, with the binary that foreign clients meet.
pub(crate) fn compared() -> Outcome {
    if let Some(missing) = tools::missing(&[tools::JAVA, tools::ZOOKEEPER, tools::JETTY]) {
        return missing;
    }
    let folder = target().join("interop/operators").display().to_string();
    let http = HTTP
        .map(|jar| format!(":/usr/share/java/{jar}.jar"))
        .concat();
    let classpath = server::reference_classpath(&http);
    let binary = server::binary().display().to_string();
    server::build()
        .and_then(|| cargo(&["build", "--workspace", "--example", "operators"]).run_check())
        .and_then(|| {
            Run::new(target().join("debug/examples/operators"))
                .args(&[&folder, &classpath, &binary])
                .run_tests(tally::of_plain)
        })
}

//! Our client among others: recipes beside those of others (`tests/interop/fleet`), and TLS with
//! Apache ZooKeeper (`tests/interop/tls`).

use super::Subject;
use super::process::{Run, cargo, root, target};
use super::report::Outcome;
use super::server::{reference_classpath, with_server};
use super::tally;
use super::tools;

const FOLDER: &str = "tests/interop/fleet";

/// Members in Python beside ours.
pub(crate) fn kazoo(subject: Subject) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::KAZOO]) {
        return missing;
    }
    let python = target().join("interop/venv/bin/python");
    let member = root().join(FOLDER).join("member.py");
    let command = [python, member].map(|path| path.display().to_string());
    build("fleet")
        .and_then(|| with_server(subject, |server| run(&server.address, "kazoo", &command)))
}

/// Members in Java beside ours.
pub(crate) fn curator(subject: Subject) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::JAVA, tools::JAVAC, tools::CURATOR]) {
        return missing;
    }
    let folder = target().join("interop/curator");
    let classes = folder.join("fleet");
    let classpath = format!("{}:{}/lib/*", classes.display(), folder.display());
    let compiled = Run::new("javac")
        .args(&["-Werror", "-cp", &classpath, "-d"])
        .args(&[&classes])
        .args(&[format!("{FOLDER}/Member.java")])
        .run_check();
    let command = ["java", "-cp", &classpath, "Member"].map(str::to_owned);
    compiled
        .and_then(|| build("fleet"))
        .and_then(|| with_server(subject, |server| run(&server.address, "curator", &command)))
}

/// The client's TLS against Apache ZooKeeper's, then Apache's client and kazoo against ours.
pub(crate) fn tls() -> Outcome {
    let needed = [tools::JAVA, tools::ZOOKEEPER, tools::KAZOO];
    if let Some(missing) = tools::missing(&needed) {
        return missing;
    }
    let folder = |name: &str| target().join("interop").join(name).display().to_string();
    let (ours, python) = (folder("tls"), folder("venv/bin/python"));
    let theirs = folder("foreign-tls");
    let classpath = reference_classpath("");
    build("secure").and_then(|| {
        Run::new(target().join("debug/examples/secure"))
            .args(&[ours.as_str(), classpath.as_str()])
            .run_tests(tally::of_plain)
            .and_then(|| build("foreign"))
            .and_then(|| {
                Run::new(target().join("debug/examples/foreign"))
                    .args(&[&*theirs, &*python, &*classpath])
                    .run_tests(tally::of_plain)
            })
    })
}

/// Builds an example of the tests.
pub(crate) fn build(example: &str) -> Outcome {
    // The whole workspace's features, as the server is built.
    cargo(&["build", "--workspace", "--example", example]).run_check()
}

fn run(address: &str, kind: &str, command: &[String]) -> Outcome {
    Run::new(target().join("debug/examples/fleet"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(&[address, kind])
        .args(command)
        .run_tests(tally::of_plain)
}

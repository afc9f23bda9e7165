//! Our recipes beside those of others: `tests/interop/fleet`.

use super::Subject;
use super::process::{Run, cargo, root, target};
use super::report::Outcome;
use super::server::with_server;
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
    build().and_then(|| with_server(subject, |server| run(&server.address, "kazoo", &command)))
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
        .and_then(build)
        .and_then(|| with_server(subject, |server| run(&server.address, "curator", &command)))
}

fn build() -> Outcome {
    // The whole workspace's features, as the server is built.
    cargo(&["build", "--workspace", "--example", "fleet"]).run_check()
}

fn run(address: &str, kind: &str, command: &[String]) -> Outcome {
    Run::new(target().join("debug/examples/fleet"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(&[address, kind])
        .args(command)
        .run_tests(tally::of_plain)
}

//! How the binary answers an operator: help, warnings, errors and exit codes.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary in `dir` with a clean environment.
fn zoowarden(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zoowarden"))
        .args(arguments)
        .current_dir(dir)
        .env_remove("SERVER_JVMFLAGS")
        .env_remove("JVMFLAGS")
        .env_remove("ZOOWARDEN_LOG")
        .envs(environment.iter().copied())
        .output()
        .expect("the binary was built for this test")
}

fn run(arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("tests may write to the temporary directory");
    zoowarden(dir.path(), arguments, &[])
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the binary prints UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("the binary prints UTF-8")
}

#[test]
fn help_mentions_every_option_and_teaches_by_example() {
    for arguments in [&["--help"][..], &["server", "--help"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0));
        let help = stdout(&output);
        for part in [
            "--config",
            "--data-dir",
            "--client-port",
            "--client-address",
            "-D <KEY=VALUE>",
            "--log-level",
            "Examples:",
            "zoowarden server --config",
            "-Djute.maxbuffer=4194304",
            "SERVER_JVMFLAGS",
            "ZOOWARDEN_LOG",
            "Exit codes:",
        ] {
            assert!(help.contains(part), "{arguments:?} without {part}:\n{help}");
        }
    }
    assert!(stdout(&run(&["server", "--help"])).contains("PORT DATADIR [TICKTIME] [MAXCNXNS]"));
}

#[test]
fn version_is_one_line() {
    let output = run(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output),
        format!("zoowarden {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_wrong_invocation_ends_with_2() {
    for arguments in [
        &["--no-such-option"][..],
        &["no-such-command"],
        &["--client-port", "70000"],
        &["server", "--config", "zoo.cfg", "2181", "/data"],
        &["server", "1", "2", "3", "4", "5"],
        &["--log-level", "zoowarden=loud"],
    ] {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
        assert!(!stderr(&output).is_empty());
    }
}

#[test]
fn a_wrong_configuration_is_one_line_and_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("zoo.cfg"),
        "dataDir=data\nclientPort=2181\ntickTime=abc\n",
    )
    .unwrap();
    let want = "zoowarden: zoo.cfg:3: tickTime=abc: expected a whole number of milliseconds, 1 or \
                more\n";
    for arguments in [
        &["server", "--config", "zoo.cfg"][..],
        &["--config", "zoo.cfg"],
        &["server", "zoo.cfg"],
    ] {
        let output = zoowarden(dir.path(), arguments, &[]);
        assert_eq!(
            (output.status.code(), stderr(&output).as_str()),
            (Some(2), want)
        );
    }
    let output = run(&["server", "2181x", "/data"]);
    let want = "zoowarden: command line: PORT=2181x: expected a port, 1 to 65535\n";
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(2), want)
    );
    let output = run(&["--config", "gone.cfg"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("zoowarden: gone.cfg: cannot be read: "));
}

#[test]
fn definitions_are_read_before_and_after_the_command_and_from_the_environment() {
    let wrong = "zookeeper.snapCount=few";
    let definition = format!("-D{wrong}");
    let expected = "a whole number of changes, 0 or more";
    for arguments in [
        &[definition.as_str(), "server"][..],
        &["server", &definition],
        &[&definition],
    ] {
        let output = run(arguments);
        let want = format!("zoowarden: command line: -D{wrong}: expected {expected}\n");
        assert_eq!((output.status.code(), stderr(&output)), (Some(2), want));
    }
    for variable in ["SERVER_JVMFLAGS", "JVMFLAGS"] {
        let dir = tempfile::tempdir().unwrap();
        let flags = format!("-Xmx1g '-D{wrong}'");
        let output = zoowarden(dir.path(), &[], &[(variable, &flags)]);
        let want = format!("zoowarden: {variable}: -D{wrong}: expected {expected}\n");
        assert_eq!((output.status.code(), stderr(&output)), (Some(2), want));
    }
}

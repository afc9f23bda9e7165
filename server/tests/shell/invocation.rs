//! Options, exit codes, standard input as a file of commands.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::support::{Place, SOON, binary, read_until, run, run_binary, server};

#[test]
fn exit_codes_are_0_done_1_refused_2_misused() {
    let place = Place::new();
    place.run(&["ls", "/"]).ok();
    let refused = place.run(&["get", "/nowhere"]).failed(1);
    assert_eq!(refused, "Node does not exist: /nowhere\n");
    let unknown = place.run(&["crate", "/a"]).failed(2);
    assert_eq!(unknown, "Command not found: crate; did you mean create?\n");
    let misused = place.run(&["get"]).failed(2);
    assert!(misused.contains("usage: get [-s] [-w]"), "{misused}");
    let relative = place.run(&["ls", "app"]).failed(2);
    assert!(relative.contains("did you mean /app?"), "{relative}");
}

#[test]
fn a_server_that_is_not_there_is_named_and_ends_with_1() {
    let options = ["shell", "-s", "127.0.0.1:1", "--timeout", "300", "ls", "/"];
    let said = run_binary(&options, b"").failed(1);
    assert!(
        said.starts_with("cannot connect: ") && said.contains("127.0.0.1:1"),
        "{said}"
    );
    let wrong = run_binary(&["shell", "-s", "h:port", "ls", "/"], b"").failed(2);
    assert!(wrong.contains("h:port"), "{wrong}");
}

#[test]
fn what_tls_needs_is_checked_before_anything_is_sent() {
    let options = ["shell", "--tls-ca", "/no/such/ca.pem", "ls", "/"];
    let said = run_binary(&options, b"").failed(2);
    assert!(said.contains("cannot read /no/such/ca.pem"), "{said}");
    let half = run_binary(&["shell", "--tls-cert", "x", "ls", "/"], b"").failed(2);
    assert!(half.contains("--tls-key"), "{half}");
}

#[test]
fn zkclis_own_options_are_understood() {
    let options = [
        "shell",
        "-server",
        server(),
        "-timeout",
        "9000",
        "-r",
        "-waitforconnection",
    ];
    let words = [&options[..], &["ls", "/zookeeper"]].concat();
    let listed = run_binary(&words, b"").ok();
    assert!(listed.contains("quota"), "{listed}");
}

#[test]
fn commands_are_read_from_standard_input_and_a_failure_does_not_stop_them() {
    let place = Place::new();
    let script = "# a comment\n\ncreate /a 'x y'\nget /nowhere\nget /a\nquit\nget /a\n";
    let run = place.script(script);
    assert_eq!((run.code, run.stdout.as_str()), (1, "x y\n"));
    assert_eq!(run.stderr, "Created /a\nNode does not exist: /nowhere\n");
    let strict = run_binary(
        &["shell", "-s", &place.hosts, "--fail-fast"],
        b"get /nowhere\ncreate /b\n",
    );
    assert_eq!(strict.failed(1), "Node does not exist: /nowhere\n");
    assert_eq!(place.ok(&["ls", "/"]), "[a]");
}

#[test]
fn a_line_that_makes_no_sense_is_told_with_its_column() {
    let place = Place::new();
    let said = place.script("create /a \"x\n").failed(2);
    assert!(
        said.contains("the quote \" in column 11 is never closed"),
        "{said}"
    );
}

#[test]
fn history_numbers_lines_and_redo_repeats_them() {
    let place = Place::new();
    let run = place.script("create -s /a-\nredo 0\nhistory\nredo 99\nredo 1\n");
    assert_eq!(
        run.stdout,
        "0 - create -s /a-\n1 - create -s /a-\n2 - history\n"
    );
    assert!(
        run.stderr.contains("Command index out of range"),
        "{}",
        run.stderr
    );
    assert_eq!(
        run.stderr.matches("Created /a-").count(),
        3,
        "{}",
        run.stderr
    );
}

#[test]
fn close_ends_the_session_and_connect_begins_another() {
    let place = Place::new();
    let script = "create -e /mine x\nclose\nls /\nconnect\nls /\n";
    let run = place.script(script);
    assert_eq!(run.stdout, "[]\n");
    assert!(run.stderr.contains("Not connected"), "{}", run.stderr);
}

#[test]
fn help_lists_every_command_and_teaches_each() {
    let all = run_binary(&["shell", "--help"], b"").ok();
    for part in [
        "ls ",
        "deleteall",
        "import",
        "Examples:",
        "Exit codes:",
        "--json",
        "--timeout",
    ] {
        assert!(all.contains(part), "no {part} in:\n{all}");
    }
    let one = run_binary(&["shell", "help", "mv"], b"").ok();
    assert!(
        one.contains("mv [-p]") && one.contains("one multi if it fits"),
        "{one}"
    );
    let misused = run_binary(&["shell", "help", "nothing"], b"").failed(2);
    assert!(misused.contains("there is no command nothing"), "{misused}");
}

#[test]
fn credentials_are_taken_on_the_command_line() {
    let place = Place::new();
    place.ok(&["create", "/open", "x"]);
    let words = [
        "--auth",
        "digest:joe:secret",
        "create",
        "/mine",
        "x",
        "auth::cdrwa",
    ];
    run(&place.hosts, &words, b"").ok();
    let said = place.run(&["get", "/mine"]).failed(1);
    assert_eq!(said, "Insufficient permission : /mine\n");
    let words = ["--auth", "digest:joe:secret", "get", "/mine"];
    assert_eq!(run(&place.hosts, &words, b"").ok(), "x\n");
}

#[test]
fn ctrl_c_is_heard_while_the_next_command_is_waited_for() {
    let place = Place::new();
    let mut shell = Command::new(binary())
        .args(["shell", "-s", &place.hosts])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept open: an end of the input would be a good end.
    let mut input = shell.stdin.take().unwrap();
    input.write_all(b"create /a\n").unwrap();
    let stderr = shell.stderr.take().unwrap();
    read_until(stderr, |said| said.contains("Created"));
    let pid = rustix::process::Pid::from_child(&shell);
    let begun = Instant::now();
    // Again and again, because the first may find it between a command and the next line.
    while shell.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < SOON, "Ctrl-C was not heard");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        std::thread::yield_now();
    }
    assert_eq!(shell.wait().unwrap().code(), Some(130));
}

/// CVE-2016-5017: a long command overflowed a buffer of ZooKeeper's C shell.
#[test]
fn cve_2016_5017_a_line_of_any_length_is_an_error_at_worst() {
    let place = Place::new();
    for line in ["x".repeat(1 << 20), format!("cmd:{}", "y".repeat(1 << 20))] {
        let run = place.script(&format!("{line}\n"));
        assert!(run.code > 0 && !run.stderr.is_empty(), "{}", run.code);
        let run = place.run(&[&line[..100_000]]);
        assert!(run.code > 0 && !run.stderr.is_empty(), "{}", run.code);
    }
    let long = format!("/{}", "p".repeat(100_000));
    let run = place.script(&format!("get {long}\n"));
    assert!(run.code > 0, "{}", run.code);
}

//! Data: from words, files and standard input, and back without a byte lost.

use super::support::{Place, binary, run_binary};

const BINARY: &[u8] = &[0, 255, 27, b'[', b'2', b'J', b'\n', 0x9b];

#[test]
fn null_and_empty_data_differ() {
    let place = Place::new();
    place.script("create /null\ncreate /empty \"\"\n").ok();
    assert_eq!(place.run(&["get", "/null"]).ok(), "null\n");
    assert_eq!(place.run(&["get", "/empty"]).ok(), "\n");
    assert_eq!(
        place.run(&["get", "--json", "/null"]).json()["data"],
        serde_json::Value::Null
    );
    assert_eq!(place.run(&["get", "--json", "/empty"]).json()["data"], "");
}

#[test]
fn files_and_standard_input_go_in_and_come_out_as_they_are() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    std::fs::write(&file, BINARY).unwrap();
    place.ok(&["create", "/file", &format!("@{}", file.display())]);
    place.run_with(&["create", "/input", "-"], BINARY).ok();
    place.ok(&["create", "-b", "/base64", "AP8bWzJKCps="]);
    for path in ["/file", "/input", "/base64"] {
        assert_eq!(place.ok(&["get", "-b", path]), "AP8bWzJKCps=", "{path}");
        let got = place.run(&["get", "--json", path]).json();
        assert_eq!(got["data_base64"], "AP8bWzJKCps=", "{path}");
    }
    place.ok(&["create", "/text", "@@name"]);
    assert_eq!(place.ok(&["get", "-r", "/text"]), "@name");
    let gone = place.run(&["set", "/text", "@/no/such/file"]).failed(1);
    assert!(gone.contains("/no/such/file: cannot be read"), "{gone}");
    place.run(&["set", "-b", "/text", "?"]).failed(2);
    let script = place.script("set /text -\nset /text '-'\nget /text\n");
    assert_eq!(script.stdout, "-\n");
    assert!(
        script.stderr.contains("the commands come from there"),
        "{}",
        script.stderr
    );
}

#[test]
fn bytes_are_dumped_in_rows() {
    let place = Place::new();
    place.ok(&["create", "-b", "/blob", "AP8bWzJKCps="]);
    let dump = place.ok(&["get", "-x", "/blob"]);
    let row = "|00000000| 00 ff 1b 5b 32 4a 0a 9b                         |...[2J..        |";
    assert!(dump.contains(row), "{dump}");
}

/// `script` of util-linux runs a command on a terminal of its own; without it there is nothing to show.
#[test]
fn a_terminal_never_gets_control_bytes() {
    let place = Place::new();
    place.ok(&["create", "-b", "/blob", "AP8bWzJKCps="]);
    place.ok(&["create", "-b", "/sneaky", "G10wO3B3bmVkBw=="]);
    let there = std::process::Command::new("script")
        .arg("--version")
        .output();
    if there.is_err() {
        println!("left out: script (util-linux) is not here");
        return;
    }
    let binary = binary();
    for path in ["/blob", "/sneaky"] {
        let command = format!("{binary} shell -s {} get {path}", place.hosts);
        let output = std::process::Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let shown = String::from_utf8(output.stdout).expect("nothing but text");
        let harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        assert!(!shown.contains(harmful), "{shown:?}");
        assert!(shown.contains("|00000000|"), "{shown}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let place = Place::new();
    let script: String = (0..300)
        .map(|n| format!("create /n{n} {}\n", "x".repeat(300)))
        .collect();
    place.script(&script).ok();
    let binary = binary();
    let line = format!(
        "{binary} shell -s {} grep x / 2>&1 | head -c 10",
        place.hosts
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &line])
        .output()
        .unwrap();
    assert_eq!(output.stdout.len(), 10, "{output:?}");
    assert_eq!(run_binary(&["shell", "version"], b"").code, 0);
}

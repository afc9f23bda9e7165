//! What is packaged around the binary says only what the binary understands: the container's file,
//! the unit of systemd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_zoowarden");

fn packaged(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("packaging")
        .join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The instructions of a Dockerfile, with their continued lines.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let whole = text.lines().filter(|line| !line.trim().is_empty());
    let split = whole.map(|line| line.split_once(' ').expect("an instruction says something"));
    split
        .map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()))
        .collect()
}

fn words(json: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(json).expect("it is a list in JSON");
    let words = value.as_array().expect("it is a list").iter();
    words
        .map(|word| word.as_str().expect("of words").to_owned())
        .collect()
}

/// Whether the binary understands a command line: behind an argument that it does not know, it
/// would not come to tell about itself.
fn is_understood(arguments: &[&str]) {
    let output = Command::new(BINARY).args(arguments).arg("--help").output();
    let output = output.expect("it was built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[test]
fn the_container_is_made_of_what_there_is() {
    let all = instructions(&packaged("Dockerfile"));
    let known = [
        "ARG",
        "FROM",
        "ENV",
        "RUN",
        "COPY",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ];
    for (name, _) in &all {
        assert!(
            known.contains(&name.as_str()),
            "{name} is no instruction used here"
        );
    }
    let of = |name: &str| {
        let found = all.iter().filter(|(known, _)| known == name);
        found.map(|(_, rest)| rest.as_str()).collect::<Vec<_>>()
    };
    // The context is the folder that cargo puts binaries into.
    let built = Path::new(BINARY);
    let mut installed = BTreeMap::new();
    for copy in of("COPY") {
        let (from, to) = copy.split_once(' ').expect("from and to");
        let source = built.with_file_name(from);
        assert!(
            source.is_file(),
            "COPY {from}: there is no {}",
            source.display()
        );
        installed.insert(to.to_owned(), source);
    }
    let entry = of("ENTRYPOINT").concat();
    let entry = words(&entry);
    assert_eq!(installed.get(&entry[0]).map(PathBuf::as_path), Some(built));
    let command = words(&of("CMD").concat());
    let arguments = entry[1..].iter().chain(&command);
    is_understood(&arguments.map(String::as_str).collect::<Vec<_>>());
    let check = of("HEALTHCHECK").concat();
    let (_, check) = check.split_once("CMD ").expect("a command");
    let check = words(check);
    assert_eq!(check[0], entry[0]);
    is_understood(&check[1..].iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_container_has_the_folders_that_its_server_writes_to() {
    let all = instructions(&packaged("Dockerfile"));
    let of = |name: &str| {
        let found = all.iter().filter(|(known, _)| known == name);
        found
            .map(|(_, rest)| rest.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (variables, made, volumes) = (of("ENV"), of("RUN"), words(&of("VOLUME")));
    let variables = variables.split_whitespace();
    let variables = variables.map(|pair| pair.split_once('=').expect("a name and a value"));
    for (name, folder) in variables {
        assert!(name.starts_with("ZOO_") && name.ends_with("_DIR"), "{name}");
        assert!(
            made.split_whitespace().any(|word| word == folder),
            "{folder}"
        );
        let is_volume = volumes.iter().any(|volume| volume == folder);
        assert_eq!(
            is_volume,
            name != "ZOO_CONF_DIR",
            "{name}: what must outlive it"
        );
    }
    let help = Command::new(BINARY).args(["server", "--help"]).output();
    let help = help.expect("it was built").stdout;
    let help = String::from_utf8_lossy(&help);
    assert!(
        help.contains("ZOO_DATA_DIR"),
        "the variables are explained: {help}"
    );
}

#[test]
fn the_unit_of_systemd_starts_a_server_that_says_when_it_is_ready() {
    let unit = packaged("zoowarden.service");
    let lines = unit.lines().filter(|line| !line.starts_with('#'));
    let settings = lines.filter_map(|line| line.split_once('='));
    let settings = settings.collect::<BTreeMap<_, _>>();
    for (key, value) in [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("RestartPreventExitStatus", "2"),
    ] {
        assert_eq!(settings.get(key), Some(&value), "{key}");
    }
    let start = settings["ExecStart"].split_whitespace().collect::<Vec<_>>();
    assert_eq!(start[0], "/usr/bin/zoowarden");
    is_understood(&start[1..]);
    for section in ["[Unit]", "[Service]", "[Install]"] {
        assert_eq!(unit.matches(section).count(), 1, "{section}");
    }
}

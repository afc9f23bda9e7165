//! Instructions of each stage of a request (`core/benches/stages.rs`), counted by callgrind.
//!
//! A stage runs so many times, and then three times as often; the difference is what the stage
//! costs, without what making it ready does.

use std::path::Path;

use super::process::{Run, cargo, root, target};
use super::report::Outcome;
use super::tally::Tally;
use super::tools;

const STAGES: [(&str, u64); 10] = [
    ("decode-get", 20_000),
    ("decode-set", 20_000),
    ("decode-create", 20_000),
    ("encode-data", 20_000),
    ("encode-stat", 20_000),
    ("pipeline-read", 20_000),
    ("pipeline-write", 20_000),
    ("tree-get", 20_000),
    ("tree-set", 20_000),
    ("log-append", 500),
];

/// Builds the bench and counts.
pub(crate) fn counts() -> Outcome {
    if let Some(missing) = tools::missing(&[tools::VALGRIND]) {
        return missing;
    }
    let build = [
        "build",
        "--release",
        "--package",
        "zoowarden",
        "--features",
        "server",
    ];
    let built = cargo(&build).args(&["--bench", "stages", "--message-format", "json"]);
    let program = match built.capture_status() {
        Ok((status, messages)) if status.success() => executable(&messages),
        Ok((status, _)) => return Outcome::failed(&format!("the bench was not built: {status}")),
        Err(error) => return Outcome::failed(&format!("the bench was not built: {error}")),
    };
    let Some(program) = program else {
        return Outcome::failed("cargo did not say where it put the bench");
    };
    println!("{:<16}{:>14}", "stage", "instructions");
    for (stage, times) in STAGES {
        let counted = |times| instructions(&program, stage, times);
        match counted(times).and_then(|few| Ok((few, counted(times * 3)?))) {
            Ok((few, many)) => println!("{stage:<16}{:>14}", (many - few) / (times * 2)),
            Err(what) => return Outcome::failed(&format!("{stage}: {what}")),
        }
    }
    Outcome::Ran(Tally::default())
}

/// The path in the message of the bench itself.
fn executable(messages: &str) -> Option<String> {
    let ours = messages
        .lines()
        .rev()
        .find(|line| line.contains("\"name\":\"stages\""))?;
    let message: serde_json::Value = serde_json::from_str(ours).ok()?;
    message["executable"].as_str().map(str::to_owned)
}

fn instructions(program: &str, stage: &str, times: u64) -> Result<u64, String> {
    let out = target().join("callgrind.out");
    let ran = Run::new("valgrind")
        .folder(Path::new(&root()))
        .args(&[
            "--tool=callgrind",
            &format!("--callgrind-out-file={}", out.display()),
        ])
        .args(&[program, stage, &times.to_string()])
        .capture();
    let (_, told) = ran.map_err(|error| error.to_string())?;
    // Nothing reads it.
    let _ = std::fs::remove_file(out);
    collected(&told).ok_or(told)
}

/// `==1234== Collected : 5678`
fn collected(told: &str) -> Option<u64> {
    let line = told.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callgrind_says_is_understood() {
        let told = "==1== \n==1== Events    : Ir\n==1== Collected : 123456\n";
        assert_eq!(collected(told), Some(123_456));
        assert_eq!(collected("killed"), None);
    }

    #[test]
    fn the_bench_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"zoowarden"}}
{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"stages"},"executable":"/t/stages-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some("/t/stages-1".to_owned()));
    }
}

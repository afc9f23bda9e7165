//! A scripted session of zkCli.sh, compared with what Apache ZooKeeper answered.
//!
//! `tests/interop/zkcli/session.txt` is what is typed, `expected.txt` what came back, recorded by
//! `cargo xtask zkcli --reference --record`. What differs from run to run is made equal first:
//! times, session ids, and zxids, which are numbered in the order in which they appear. Events are
//! written by another thread than answers, so they are compared apart.
//!
//! `zoowarden shell` is held to the same transcript: what zkCli prints and scripts parse, it prints.

use std::fs::File;

use super::Subject;
use super::process::{Run, cargo, root};
use super::report::Outcome;
use super::server::{self, Server, with_server};
use super::tally::{self, Tally};
use super::tools;

/// Where Debian puts it.
pub(crate) const ZKCLI: &str = "/usr/share/zookeeper/bin/zkCli.sh";

const FOLDER: &str = "tests/interop/zkcli";
const MARKERS: [&str; 3] = ["--- answers", "--- messages", "--- events"];

/// Runs the session; with `record`, what comes back becomes what is expected.
pub(crate) fn session(subject: Subject, record: bool) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::JAVA, tools::ZKCLI]) {
        return missing;
    }
    with_server(subject, |server| match (converse(server), record) {
        (Err(error), _) => Outcome::failed(&error),
        (Ok(_), true) if subject == Subject::Zoowarden => {
            Outcome::failed("--record needs --reference: what we expect is what ZooKeeper answers")
        }
        (Ok(said), true) => write_expected(&said),
        (Ok(said), false) => compare(&said),
    })
}

/// The same session, typed into our own shell. On Apache ZooKeeper the shell's own suite follows;
/// on our server that one is a Rust suite like others.
pub(crate) fn shell(subject: Subject) -> Outcome {
    server::build().and_then(|| {
        with_server(subject, |server| {
            let conversation = match converse_in_shell(server) {
                Ok(said) => compare(&said),
                Err(error) => Outcome::failed(&error),
            };
            conversation.and_then(|| match subject {
                Subject::Zoowarden => Outcome::Ran(Tally::default()),
                Subject::Reference => suite(server),
            })
        })
    })
}

fn suite(server: &Server) -> Outcome {
    cargo(&["test", "--workspace", "--test", "shell"])
        .env("ZOOWARDEN_SHELL_SERVER", &server.address)
        .run_tests(tally::of_cargo)
}

fn converse_in_shell(server: &Server) -> Result<String, String> {
    let binary = server::binary();
    let run = Run::new(&binary)
        .args(&["shell", "-s", &server.address])
        .stdin(typed()?);
    let (stdout, stderr) = run
        .capture()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    // Where zkCli says nothing, the shell says how much it did; zkCli tells of its own beginning
    // and end.
    let told = |line: &&str| !(line.starts_with("Deleted ") && line.ends_with(" znodes"));
    let stderr: Vec<&str> = stderr.lines().filter(told).collect();
    let began = "WatchedEvent state:SyncConnected type:None path:null";
    let ended = "WatchedEvent state:Closed type:None path:null";
    let stdout = format!("{began}\n{stdout}\n{ended}\n");
    Ok(transcript(&stdout, &stderr.join("\n")))
}

fn typed() -> Result<File, String> {
    let typed = root().join(FOLDER).join("session.txt");
    File::open(&typed).map_err(|error| format!("{}: {error}", typed.display()))
}

fn converse(server: &Server) -> Result<String, String> {
    let run = Run::new(ZKCLI)
        .args(&["-server", &server.address])
        .stdin(typed()?);
    // Pieces of the answers are in the language of the user.
    let run = run
        .env("LC_ALL", "C")
        .env("CLIENT_JVMFLAGS", "-Duser.language=en");
    let (stdout, stderr) = run.capture().map_err(|error| format!("{ZKCLI}: {error}"))?;
    Ok(transcript(&stdout, &stderr))
}

fn write_expected(said: &str) -> Outcome {
    let path = root().join(FOLDER).join("expected.txt");
    match std::fs::write(&path, said) {
        Ok(()) => Outcome::Ran(Tally::default()),
        Err(error) => Outcome::failed(&format!("{}: {error}", path.display())),
    }
}

/// Each of the three parts is one test.
fn compare(said: &str) -> Outcome {
    let path = root().join(FOLDER).join("expected.txt");
    let expected = match std::fs::read_to_string(&path) {
        Ok(expected) => expected,
        Err(error) => return Outcome::failed(&format!("{}: {error}", path.display())),
    };
    let mut tally = Tally::default();
    for marker in MARKERS {
        match first_difference(part(&expected, marker), part(said, marker)) {
            None => tally.passed += 1,
            Some(difference) => {
                println!("FAILED: {marker}: {difference}");
                tally.failed += 1;
            }
        }
    }
    println!("{tally}");
    Outcome::Ran(tally)
}

fn part<'a>(transcript: &'a str, marker: &str) -> &'a str {
    let after = transcript.split_once(marker).map_or("", |(_, after)| after);
    after
        .split_once("\n---")
        .map_or(after, |(part, _)| part)
        .trim()
}

/// The first line that differs, with a few before it.
pub(crate) fn first_difference(expected: &str, said: &str) -> Option<String> {
    const LINES_BEFORE: usize = 12;
    let (expected, said): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), said.lines().collect());
    let at = (0..expected.len().max(said.len())).find(|at| expected.get(*at) != said.get(*at))?;
    let before = expected[at.saturating_sub(LINES_BEFORE)..at.min(expected.len())].join("\n");
    let line = |lines: &[&str]| lines.get(at).map_or("(nothing)", |line| *line).to_owned();
    Some(format!(
        "\n{before}\nexpected: {}\nsaid:     {}",
        line(&expected),
        line(&said)
    ))
}

/// What both streams said, sorted into answers, messages and events, with nothing that changes.
fn transcript(stdout: &str, stderr: &str) -> String {
    let mut zxids = Vec::new();
    let mut answers = Vec::new();
    let mut events = Vec::new();
    for line in stdout.lines() {
        match line {
            "" | "WATCHER::" | "Welcome to ZooKeeper!" | "JLine support is disabled" => {}
            _ if line.starts_with("Connecting to ") => {}
            _ if line.starts_with("WatchedEvent ") => events.push(line.to_owned()),
            _ => answers.push(normalised(line, &mut zxids)),
        }
    }
    let messages: Vec<&str> = stderr.lines().filter(|line| !is_chatter(line)).collect();
    let parts = [answers.join("\n"), messages.join("\n"), events.join("\n")];
    let pairs = MARKERS.iter().zip(parts);
    pairs
        .map(|(marker, part)| format!("{marker}\n{part}\n"))
        .collect()
}

/// What the JVM and its logging say for themselves.
fn is_chatter(line: &str) -> bool {
    ["SLF4J:", "log4j:", "Picked up ", "/usr/bin/java"]
        .iter()
        .any(|start| line.starts_with(start))
}

fn normalised(line: &str, zxids: &mut Vec<String>) -> String {
    match line.split_once(" = ") {
        Some((key @ ("ctime" | "mtime"), _)) => format!("{key} = TIME"),
        Some((key @ ("cZxid" | "mZxid" | "pZxid"), zxid)) => {
            format!("{key} = {}", number(zxid, zxids))
        }
        Some((key @ "ephemeralOwner", owner)) if owner != "0x0" => format!("{key} = SESSION"),
        _ => line.to_owned(),
    }
}

fn number(zxid: &str, zxids: &mut Vec<String>) -> String {
    if zxid == "0x0" {
        return zxid.to_owned();
    }
    let at = zxids
        .iter()
        .position(|known| known == zxid)
        .unwrap_or_else(|| {
            zxids.push(zxid.to_owned());
            zxids.len() - 1
        });
    format!("ZXID{at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_run_to_run_is_made_equal() {
        let stdout = "Connecting to a:1\n\nWATCHER::\n\nWatchedEvent x\ncZxid = 0x7\nctime = Sun\n\
                      mZxid = 0x9\npZxid = 0x7\nephemeralOwner = 0x10\nephemeralOwner = 0x0\n[a]\n";
        let want = "--- answers\ncZxid = ZXID0\nctime = TIME\nmZxid = ZXID1\npZxid = ZXID0\n\
                    ephemeralOwner = SESSION\nephemeralOwner = 0x0\n[a]\n\
                    --- messages\nCreated /a\n--- events\nWatchedEvent x\n";
        assert_eq!(transcript(stdout, "SLF4J: no\nCreated /a\n"), want);
    }

    #[test]
    fn a_difference_is_found_and_equality_is_not() {
        let said = "--- answers\na\nb\n--- messages\nc\n--- events\n";
        assert_eq!(part(said, MARKERS[0]), "a\nb");
        assert_eq!(part(said, MARKERS[2]), "");
        assert_eq!(first_difference("a\nb", "a\nb"), None);
        assert!(first_difference("a\nb", "a").is_some_and(|told| told.contains("expected: b")));
        assert!(first_difference("a", "a\nb").is_some_and(|told| told.contains("said:     b")));
    }
}

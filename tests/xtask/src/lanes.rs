//! Steps side by side: most of a foreign suite is waiting, for a server, a timeout or an expiry.
//!
//! What lives here: lanes of steps, each step a process of this program, its output held back until
//! it has ended. What does not: which steps go together (`LANES`).
//!
//! Invariant: two steps that write into one folder of `target/` stand in one lane.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::process::target;
use super::report::{Outcome, Report};
use super::tally::{Tally, of_plain};

/// A step that has ended.
struct Ended {
    task: &'static str,
    outcome: Outcome,
    said: String,
    elapsed: Duration,
}

/// Runs the steps of each lane one after the other, and the lanes at once; each gets the flags. Each
/// step is told whole, when it has ended.
pub(crate) fn side_by_side(lanes: &[&'static [&'static str]], flags: &[&str], report: &mut Report) {
    let (sender, ended) = channel();
    std::thread::scope(|scope| {
        for lane in lanes {
            let sender = sender.clone();
            scope.spawn(move || run_lane(lane, flags, &sender));
        }
        drop(sender);
        tell(&ended, report);
    });
}

fn run_lane(lane: &[&'static str], flags: &[&str], ended: &Sender<Ended>) {
    for task in lane {
        let start = Instant::now();
        let (outcome, said) = run_step(task, flags).unwrap_or_else(|error| {
            let message = format!("{task} cannot be run: {error}");
            (Outcome::Ran(Tally::FAILURE), message)
        });
        let step = Ended {
            task,
            outcome,
            said,
            elapsed: start.elapsed(),
        };
        // The report listens until every lane has ended.
        let _ = ended.send(step);
    }
}

fn tell(ended: &Receiver<Ended>, report: &mut Report) {
    for step in ended {
        println!("{}", step.said.trim_end());
        report.add(step.task, step.outcome, step.elapsed);
    }
}

/// One step in a process of its own: what it came to, and everything it said.
fn run_step(task: &str, flags: &[&str]) -> std::io::Result<(Outcome, String)> {
    let folder = target().join("steps");
    std::fs::create_dir_all(&folder)?;
    let log = folder.join(format!("{task}.log"));
    let said = File::create(&log)?;
    // Not by its name: a step that builds everything puts another file there.
    let status = Command::new("/proc/self/exe")
        .arg(task)
        .args(flags)
        .stdout(said.try_clone()?)
        .stderr(said)
        .status()?;
    let said = read(&log)?;
    Ok((outcome(status.success(), &said), said))
}

fn read(log: &Path) -> std::io::Result<String> {
    Ok(String::from_utf8_lossy(&std::fs::read(log)?).into_owned())
}

/// By the sums on the last line; a step that ended badly without a failure there has failed.
fn outcome(success: bool, said: &str) -> Outcome {
    let sums = said.lines().next_back().and_then(of_plain);
    match sums {
        Some(tally) if success || tally.failed > 0 => Outcome::Ran(tally),
        _ => Outcome::Ran(Tally::FAILURE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(success: bool, said: &str) -> Tally {
        match outcome(success, said) {
            Outcome::Ran(tally) => tally,
            Outcome::LeftOut(why) => panic!("left out: {why}"),
        }
    }

    #[test]
    fn step_counts_what_its_last_line_says() {
        let said = "1 passed, 0 failed\n\n7 passed, 0 failed, 2 skipped\n";
        let want = Tally {
            passed: 7,
            failed: 0,
            skipped: 2,
        };
        assert_eq!(tally(true, said), want);
    }

    #[test]
    fn step_that_dies_has_failed() {
        assert_eq!(
            tally(false, "7 passed, 0 failed, 0 skipped\n"),
            Tally::FAILURE
        );
        assert_eq!(tally(true, "it ended in the middle"), Tally::FAILURE);
        assert_eq!(tally(false, ""), Tally::FAILURE);
    }
}

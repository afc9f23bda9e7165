//! What the steps came to, and how it is told.

use std::time::{Duration, Instant};

use super::tally::Tally;

/// How a step ended.
pub(crate) enum Outcome {
    /// It ran; what failed is in the tally.
    Ran(Tally),
    /// It could not run here: what is missing, and the commands that bring it.
    LeftOut(String),
}

impl Outcome {
    /// One failure, explained.
    pub(crate) fn failed(message: &str) -> Self {
        println!("FAILED: {message}");
        Self::Ran(Tally::FAILURE)
    }

    /// Both of two parts that ran side by side.
    pub(crate) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Ran(one), Self::Ran(other)) => Self::Ran(one + other),
            (Self::Ran(_), left_out) | (left_out, _) => left_out,
        }
    }

    /// The next part of the same step, unless this one failed or was left out.
    pub(crate) fn and_then(self, next: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Ran(tally) if tally.failed == 0 => match next() {
                Self::Ran(more) => Self::Ran(tally + more),
                left_out => left_out,
            },
            other => other,
        }
    }
}

struct Step {
    name: &'static str,
    outcome: Outcome,
    elapsed: Duration,
}

/// All steps so far.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

impl Report {
    /// Runs a step under its heading.
    pub(crate) fn step(&mut self, name: &'static str, run: impl FnOnce() -> Outcome) {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = run();
        self.add(name, outcome, start.elapsed());
    }

    /// Takes a step that has run.
    pub(crate) fn add(&mut self, name: &'static str, outcome: Outcome, elapsed: Duration) {
        println!("=== {name}: {:.1} s", elapsed.as_secs_f64());
        self.steps.push(Step {
            name,
            outcome,
            elapsed,
        });
    }

    /// The table of steps, what was left out, and the sums on the last line.
    pub(crate) fn print(&self) {
        println!();
        for step in &self.steps {
            let told = match &step.outcome {
                Outcome::Ran(tally) if *tally == Tally::default() => "ok".to_owned(),
                Outcome::Ran(tally) => tally.to_string(),
                Outcome::LeftOut(_) => "left out".to_owned(),
            };
            println!(
                "{:<46} {told:<36} {:>7.1} s",
                step.name,
                step.elapsed.as_secs_f64()
            );
        }
        for step in &self.steps {
            if let Outcome::LeftOut(how) = &step.outcome {
                println!("\nleft out: {}\n{how}", step.name);
            }
        }
        println!("\n{}", self.sums());
    }

    pub(crate) fn is_green(&self) -> bool {
        self.sums().failed == 0
    }

    fn sums(&self) -> Tally {
        let tallies = self.steps.iter().map(|step| match &step.outcome {
            Outcome::Ran(tally) => *tally,
            Outcome::LeftOut(_) if nothing_may_be_missing() => Tally::FAILURE,
            Outcome::LeftOut(_) => Tally {
                skipped: 1,
                ..Tally::default()
            },
        });
        tallies.fold(Tally::default(), |sum, tally| sum + tally)
    }
}

fn nothing_may_be_missing() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

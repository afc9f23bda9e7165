//! The tree against a model of it: random sequences of drafts and reads, every answer compared.
//!
//! The model (`znodes`, `changes`, `acl`, `quota`) is written from the reference alone, in the
//! slowest and plainest way; the generator makes the sequences; `compare` feeds both. Where the
//! two differ, one of them misreads the reference.
//!
//! A run prints its seed. `MODEL_SEED=… MODEL_OPERATIONS=…` replays one sequence.

#![forbid(unsafe_code)]

mod acl;
mod changes;
mod compare;
mod digest;
mod generator;
mod pieces;
mod quota;
mod znodes;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use compare::{Difference, Pair};
use fastrand::Rng;
use generator::Shape;

const OPERATIONS: usize = 200_000;
const SEQUENCES: usize = 40;
/// Steps between two comparisons of everything.
const CHECKPOINT: usize = 1_000;
/// Most steps taken to make a failing sequence shorter.
const SHRINKING: usize = 300_000;
/// A sequence as short as this is compared as a whole after every step.
const SHORT: usize = 40;

/// Every so many-th sequence is a wide one.
const WIDE_EVERY: u64 = 8;

/// Where and how a sequence failed.
#[derive(Debug)]
struct Failure {
    index: usize,
    difference: Difference,
}

/// How often each kind of answer came up.
type Tally = BTreeMap<String, usize>;

#[test]
fn tree_does_what_the_reference_says() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let operations = number("MODEL_OPERATIONS").map(|count| count as usize);
    let seeds = match number("MODEL_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = fastrand::u64(..1 << 32);
            (first..).take(SEQUENCES).collect()
        }
    };
    let operations = operations.unwrap_or(OPERATIONS / SEQUENCES);
    println!(
        "seeds {}.. x {}, {operations} operations each",
        seeds[0],
        seeds.len()
    );
    let mut tally = Tally::new();
    for seed in &seeds {
        let mut rng = Rng::with_seed(*seed);
        let steps = (0..operations).map(|_| rng.u64(..)).collect::<Vec<_>>();
        let shape = if seed % WIDE_EVERY == 0 {
            Shape::Wide
        } else {
            Shape::Bushy
        };
        if let Err(failure) = run(&steps, shape, CHECKPOINT, &mut tally) {
            panic!("{}", report(*seed, shape, &steps, failure));
        }
    }
    if seeds.len() == SEQUENCES && operations >= OPERATIONS / SEQUENCES {
        assert_everything_came_up(&tally);
    }
}

/// Takes the steps one by one, from nothing.
fn run(steps: &[u64], shape: Shape, checkpoint: usize, tally: &mut Tally) -> Result<(), Failure> {
    let mut pair = Pair::new();
    for (index, seed) in steps.iter().enumerate() {
        let step = generator::step(*seed, shape, &pair.model);
        let failed = |difference| Failure { index, difference };
        *tally.entry(pair.step(&step).map_err(failed)?).or_default() += 1;
        if (index + 1) % checkpoint == 0 || index + 1 == steps.len() {
            pair.checkpoint().map_err(failed)?;
        }
    }
    Ok(())
}

/// Leaves out steps while the rest still fails.
fn shrink(steps: &[u64], shape: Shape, mut failure: Failure) -> (Vec<u64>, Failure) {
    let mut best = steps[..=failure.index].to_vec();
    let mut left = SHRINKING;
    let mut chunk = best.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < best.len() {
            let mut shorter = best.clone();
            shorter.drain(at..(at + chunk).min(best.len()));
            let Some(rest) = left.checked_sub(shorter.len()) else {
                return (best, failure);
            };
            left = rest;
            let checkpoint = if shorter.len() <= SHORT {
                1
            } else {
                CHECKPOINT
            };
            match run(&shorter, shape, checkpoint, &mut Tally::new()) {
                Ok(()) => at += chunk,
                Err(still) => {
                    shorter.truncate(still.index + 1);
                    (best, failure) = (shorter, still);
                }
            }
        }
        chunk /= 2;
    }
    (best, failure)
}

fn report(seed: u64, shape: Shape, steps: &[u64], failure: Failure) -> String {
    let operations = steps.len();
    let first = format!(
        "step {} of {operations}: {}",
        failure.index, failure.difference
    );
    // Shrinking fails many times over; only the last failure is worth words.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (short, last) = shrink(steps, shape, failure);
    let mut text = format!("the tree and the model differ\n{first}\n\nshortened to:\n");
    let mut pair = Pair::new();
    for seed in &short {
        let step = generator::step(*seed, shape, &pair.model);
        let _ = writeln!(text, "  {}", step.describe());
        let _ = pair.step(&step);
    }
    std::panic::set_hook(hook);
    let _ = write!(
        text,
        "{}\n\nreplay: MODEL_SEED={seed} MODEL_OPERATIONS={operations} \
         cargo test -p zoowarden-tests --test model",
        last.difference
    );
    text
}

/// Answers that come up hundreds of times in a whole run. A generator that stops reaching one of
/// them would let the test pass for nothing.
const EXPECTED: [(&str, &str); 16] = [
    ("Open", "ok NodeExists"),
    ("Attach", "ok AuthFailed"),
    ("CloseSession", "ok"),
    ("Expire", "ok refused"),
    ("Reap", "ok refused"),
    ("Refused", "MarshallingError"),
    ("Out of turn", "Repeat Gap"),
    (
        "Create",
        "ok BadArguments InvalidAcl NoAuth NoChildrenForEphemerals NoNode NodeExists \
         SessionExpired SessionMoved MarshallingError",
    ),
    ("CreateContainer", "ok NodeExists"),
    ("CreateTtl", "ok Unimplemented BadArguments"),
    (
        "Delete",
        "ok BadArguments BadVersion NoAuth NoNode NotEmpty",
    ),
    (
        "SetData",
        "ok BadArguments BadVersion NoAuth NoNode QuotaExceeded",
    ),
    ("SetAcl", "ok BadVersion InvalidAcl NoAuth NoNode"),
    (
        "Multi",
        "ok MarshallingError [BadArguments] [BadVersion] [InvalidAcl] [NoAuth] [NoNode] \
         [NodeExists] [NotEmpty] [QuotaExceeded] [Unimplemented] [NoChildrenForEphemerals]",
    ),
    ("GetAcl", "ok NoAuth NoNode"),
    ("MultiRead", "ok"),
];

fn assert_everything_came_up(tally: &Tally) {
    for (what, answers) in EXPECTED {
        for answer in answers.split_whitespace() {
            let key = format!("{what} {answer}");
            assert!(tally.contains_key(&key), "never came up: {key}");
        }
    }
}

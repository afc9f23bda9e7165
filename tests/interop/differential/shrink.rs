//! Makes a sequence that fails shorter, as long as it fails in the same way.

use std::time::{Duration, Instant};

use super::steps::{Sequence, Step};

/// What shrinking may cost.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Leaves out what is not needed. `fails` tries a sequence.
pub fn shrink(sequence: &Sequence, mut fails: impl FnMut(&Sequence) -> bool) -> Sequence {
    let start = Instant::now();
    let mut best = sequence.clone();
    let mut try_it = |steps: Vec<Step>, best: &mut Sequence| {
        let tried = Sequence {
            steps,
            ..best.clone()
        };
        let better = start.elapsed() < TIME_MAX && fails(&tried);
        if better {
            *best = tried;
        }
        better
    };
    loop {
        let before = best.operations();
        let mut piece = best.steps.len() / 2;
        while piece > 0 {
            let mut at = 0;
            while at < best.steps.len() {
                let mut steps = best.steps.clone();
                steps.drain(at..(at + piece).min(steps.len()));
                if !try_it(steps, &mut best) {
                    at += piece;
                }
            }
            piece /= 2;
        }
        for at in 0..best.steps.len() {
            thin_out(at, &mut best, &mut try_it);
        }
        if best.operations() == before {
            return best;
        }
    }
}

/// Leaves out requests of one step.
fn thin_out(
    at: usize,
    best: &mut Sequence,
    try_it: &mut impl FnMut(Vec<Step>, &mut Sequence) -> bool,
) {
    let count = |best: &Sequence| match &best.steps[at] {
        Step::Send { requests, .. } => requests.len(),
        _ => 0,
    };
    let mut piece = count(best) / 2;
    while piece > 0 {
        let mut from = 0;
        while from < count(best) && count(best) > 1 {
            let mut steps = best.steps.clone();
            if let Step::Send { requests, .. } = &mut steps[at] {
                requests.drain(from..(from + piece).min(requests.len()));
            }
            if !try_it(steps, best) {
                from += piece;
            }
        }
        piece /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::shrink;
    use crate::generator::sequence;
    use crate::steps::{Sequence, Step};

    /// Whether a request of this number is among the steps.
    fn has(sequence: &Sequence, operation: i32) -> bool {
        sequence.steps.iter().any(|step| match step {
            Step::Send { requests, .. } => requests.iter().any(|r| r.operation == operation),
            _ => false,
        })
    }

    #[test]
    fn only_what_fails_is_left() {
        let whole = sequence(7, 100, false);
        let last = whole.steps.iter().rev().find_map(|step| match step {
            Step::Send { requests, .. } => requests.last().map(|request| request.operation),
            _ => None,
        });
        let wanted = last.unwrap();
        let short = shrink(&whole, |tried| has(tried, wanted));
        assert_eq!((short.steps.len(), short.operations()), (1, 1), "{short}");
    }

    #[test]
    fn a_seed_draws_the_same_sequence_again() {
        for seed in 0..50 {
            let (one, other) = (sequence(seed, 100, false), sequence(seed, 100, false));
            assert_eq!(one.steps, other.steps);
        }
    }
}

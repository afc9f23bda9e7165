//! What was seen: latencies, errors, and how many were answered in each millisecond.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use zoowarden::proto::Code;

use super::plan::Kind;

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// The longest latency that is told apart from longer ones: an hour, in nanoseconds.
const NANOS_MAX: u64 = 3_600_000_000_000;

/// Milliseconds whose answers are counted one by one: a day.
const SLOTS_MAX: usize = 24 * 60 * 60 * 1000;

/// An empty histogram of nanoseconds. Its range is fixed: saturating records do not widen it.
pub(super) fn no_latencies() -> Histogram<u64> {
    Histogram::new_with_max(NANOS_MAX, DIGITS).expect("an hour with three digits is allowed")
}

/// When it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// How long before `begin` the load begins.
    pub(super) warmup: Duration,
    /// Requests that were due earlier warm up.
    pub(super) begin: Instant,
    /// No request is made from here on; `None` when the work is what ends it.
    pub(super) end: Option<Instant>,
}

/// What one thread saw, and what all of them saw together.
pub(super) struct Tally {
    /// Nanoseconds, per kind.
    latencies: Vec<Histogram<u64>>,
    /// How often a server answered with this number.
    errors: BTreeMap<i32, u64>,
    /// Connections that ended while they should not.
    pub(super) lost: u64,
    /// Requests whose fate these took along.
    pub(super) unanswered: u64,
    /// Requests answered in each millisecond since the beginning.
    slots: Vec<u32>,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            latencies: Kind::ALL.iter().map(|_| no_latencies()).collect(),
            errors: BTreeMap::new(),
            lost: 0,
            unanswered: 0,
            slots: Vec::new(),
        }
    }

    /// An answer to what was due at `due` came at `now`.
    pub(super) fn answered(&mut self, kind: Kind, due: Instant, now: Instant, window: Window) {
        if due < window.begin {
            return;
        }
        let nanos = u64::try_from((now - due).as_nanos()).unwrap_or(u64::MAX);
        self.latencies[kind as usize].saturating_record(nanos);
        if kind == Kind::Ping {
            return;
        }
        let slot = (now - window.begin).as_millis() as usize;
        if slot < SLOTS_MAX {
            if slot >= self.slots.len() {
                self.slots.resize(slot + 1, 0);
            }
            self.slots[slot] += 1;
        }
    }

    /// A server said no.
    pub(super) fn refused(&mut self, error: i32) {
        *self.errors.entry(error).or_default() += 1;
    }

    /// Adds what another thread saw.
    pub(super) fn add(&mut self, other: &Tally) {
        for (sum, part) in self.latencies.iter_mut().zip(&other.latencies) {
            sum.add(part).expect("all have the same range");
        }
        for (error, count) in &other.errors {
            *self.errors.entry(*error).or_default() += count;
        }
        self.lost += other.lost;
        self.unanswered += other.unanswered;
        if self.slots.len() < other.slots.len() {
            self.slots.resize(other.slots.len(), 0);
        }
        for (sum, part) in self.slots.iter_mut().zip(&other.slots) {
            *sum += part;
        }
    }

    /// Kinds that occurred, and their latencies in nanoseconds.
    pub(super) fn latencies(&self) -> impl Iterator<Item = (Kind, &Histogram<u64>)> {
        let seen = Kind::ALL.into_iter().zip(&self.latencies);
        seen.filter(|(_, latencies)| !latencies.is_empty())
    }

    /// Requests answered, pings not counted.
    pub(super) fn operations(&self) -> u64 {
        self.latencies()
            .filter(|(kind, _)| *kind != Kind::Ping)
            .map(|(_, latencies)| latencies.len())
            .sum()
    }

    /// How often servers said no, by the error's name.
    pub(super) fn errors(&self) -> impl Iterator<Item = (String, u64)> {
        self.errors.iter().map(|(number, count)| {
            let name = Code::from_number(*number)
                .map_or_else(|| format!("error {number}"), |code| code.name().to_owned());
            (name, *count)
        })
    }

    /// The longest time, milliseconds, in which nothing was answered between the first answer and
    /// the last.
    pub(super) fn longest_pause_ms(&self) -> u64 {
        let (mut longest, mut since) = (0, None);
        for (at, count) in self.slots.iter().enumerate() {
            if *count > 0 {
                if let Some(since) = since {
                    longest = longest.max(at - since - 1);
                }
                since = Some(at);
            }
        }
        longest as u64
    }

    /// Requests answered in each second.
    pub(super) fn per_second(&self) -> Vec<u64> {
        let seconds = self.slots.chunks(1000);
        seconds
            .map(|slots| slots.iter().map(|count| u64::from(*count)).sum())
            .collect()
    }

    /// From the beginning to the last answer.
    pub(super) fn took(&self) -> Duration {
        Duration::from_millis(self.slots.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(at_ms: &[u64]) -> Tally {
        let begin = Instant::now();
        let window = Window {
            warmup: Duration::ZERO,
            begin,
            end: None,
        };
        let mut tally = Tally::new();
        for at in at_ms {
            let now = begin + Duration::from_millis(*at);
            tally.answered(Kind::Set, begin, now, window);
        }
        tally
    }

    #[test]
    fn the_longest_pause_lies_between_two_answers() {
        assert_eq!(tally(&[5, 6, 10, 11]).longest_pause_ms(), 3);
        assert_eq!(tally(&[500]).longest_pause_ms(), 0);
        assert_eq!(tally(&[]).longest_pause_ms(), 0);
    }

    #[test]
    fn latencies_are_told_as_they_were() {
        let mut sum = tally(&[5, 5, 5]);
        sum.add(&tally(&[7_000]));
        let (kind, latencies) = sum.latencies().next().unwrap();
        assert_eq!((kind, latencies.len()), (Kind::Set, 4));
        for (told, want) in [
            (latencies.value_at_quantile(0.5), 5_000_000),
            (latencies.max(), 7_000_000_000),
        ] {
            assert!(told.abs_diff(want) <= want / 1000, "{told}, not {want}");
        }
        let mut endless = no_latencies();
        endless.saturating_record(u64::MAX);
        assert!(endless.max() >= NANOS_MAX);
    }

    #[test]
    fn threads_add_up() {
        let mut sum = tally(&[1, 1500]);
        sum.add(&tally(&[1, 2, 2500]));
        assert_eq!(sum.operations(), 5);
        assert_eq!(sum.per_second(), [3, 1, 1]);
    }

    #[test]
    fn what_was_due_before_the_beginning_does_not_count() {
        let begin = Instant::now() + Duration::from_secs(1);
        let window = Window {
            warmup: Duration::ZERO,
            begin,
            end: None,
        };
        let mut tally = Tally::new();
        tally.answered(Kind::Get, begin - Duration::from_millis(1), begin, window);
        assert_eq!(tally.operations(), 0);
    }

    #[test]
    fn a_refusal_is_named() {
        let mut tally = Tally::new();
        tally.refused(Code::NoNode.number());
        tally.refused(-9999);
        let named: Vec<_> = tally.errors().collect();
        assert_eq!(
            named,
            [("error -9999".to_owned(), 1), ("NoNode".to_owned(), 1)]
        );
    }
}

//! How much the history takes in a second, and when it stops taking.
//!
//! ```text
//!            more than the limit within a second
//!   open  ───────────────────────────────────────▶ closed
//!     ▲                                               │
//!     └───────────────────────────────────────────────┘
//!            a second that stayed within the limit
//! ```
//!
//! Closed, changes are counted and nothing else: a server under full load keeps no history and
//! pays nothing for it, instead of keeping a random part of one.

const WINDOW_US: u64 = 1_000_000;

/// Counts what happens within a second.
#[derive(Debug)]
pub(super) struct Meter {
    changes_max: u64,
    bytes_max: u64,
    began_us: u64,
    changes: u64,
    bytes: u64,
    is_open: bool,
}

impl Meter {
    /// A meter with limits for each second.
    pub(super) fn new(changes_max: u64, bytes_max: u64) -> Meter {
        Meter {
            changes_max,
            bytes_max,
            began_us: 0,
            changes: 0,
            bytes: 0,
            is_open: true,
        }
    }

    /// How many changes may be taken now.
    pub(super) fn allowance(&mut self, now_us: u64) -> usize {
        let since_us = now_us.saturating_sub(self.began_us);
        if since_us >= WINDOW_US {
            // A whole second without a change stayed within any limit.
            self.is_open = self.is_within() || since_us >= 2 * WINDOW_US;
            self.began_us = now_us;
            (self.changes, self.bytes) = (0, 0);
        }
        match self.is_open {
            true => usize::try_from(self.changes_max - self.changes).unwrap_or(usize::MAX),
            false => 0,
        }
    }

    /// Changes happened, and so much was taken of them.
    pub(super) fn count(&mut self, changes: u64, bytes: u64) {
        self.changes = self.changes.saturating_add(changes);
        self.bytes = self.bytes.saturating_add(bytes);
        self.is_open &= self.is_within();
    }

    fn is_within(&self) -> bool {
        self.changes <= self.changes_max && self.bytes <= self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_beyond_the_limit_closes_until_one_stays_within() {
        let mut meter = Meter::new(10, 1000);
        let second = 1_000_000;
        assert_eq!(meter.allowance(second), 10);
        meter.count(10, 0);
        assert_eq!(meter.allowance(second + 1), 0, "full");
        assert_eq!(meter.allowance(2 * second), 10, "ten a second go on");
        meter.count(11, 0);
        assert_eq!(meter.allowance(2 * second + 1), 0);
        assert_eq!(meter.allowance(3 * second), 0, "the last one was too much");
        meter.count(10, 0);
        assert_eq!(meter.allowance(4 * second), 10);
    }

    #[test]
    fn bytes_close_as_changes_do_and_a_pause_opens() {
        let mut meter = Meter::new(10, 1000);
        meter.count(1, 1001);
        assert_eq!(meter.allowance(1), 0);
        assert_eq!(meter.allowance(1_500_000), 0);
        meter.count(1, 1001);
        assert_eq!(meter.allowance(4_000_000), 10);
    }

    #[test]
    fn a_history_of_nothing_takes_nothing() {
        let mut meter = Meter::new(0, 0);
        assert_eq!(meter.allowance(5), 0);
        meter.count(3, 0);
        assert_eq!(meter.allowance(5_000_000), 0);
    }
}

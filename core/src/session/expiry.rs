//! When a silent session ends. Lives on the leader only; every leadership starts with all
//! sessions fresh.
//!
//! ```text
//! deadline = (last touch + timeout) rounded up to the next whole tick
//! ```
//!
//! A session therefore lives between `timeout` and `timeout + tick` after its last touch, as in
//! ZooKeeper. Call `tick` once per tick with the monotonic time; it notices by itself when the
//! process slept (a paused machine, a starved processor) and gives that time back to everybody.

use std::collections::BTreeMap;

use crate::proto::SessionId;

/// The deadlines of all sessions.
#[derive(Debug)]
pub struct Expiry {
    tick_ms: u64,
    last_tick_ms: u64,
    deadlines_ms: BTreeMap<SessionId, u64>,
}

impl Expiry {
    /// A new leadership: nobody has a deadline until the first tick gives each a full one.
    pub fn new(tick_ms: u64, now_ms: u64) -> Expiry {
        Expiry {
            tick_ms: tick_ms.max(1),
            last_tick_ms: now_ms,
            deadlines_ms: BTreeMap::new(),
        }
    }

    /// The session was heard of.
    pub fn touch(&mut self, session: SessionId, timeout_ms: i32, now_ms: u64) {
        let deadline = self.deadline(timeout_ms, now_ms);
        self.deadlines_ms.insert(session, deadline);
    }

    fn deadline(&self, timeout_ms: i32, now_ms: u64) -> u64 {
        let end = now_ms + u64::try_from(timeout_ms).unwrap_or(0);
        (end / self.tick_ms + 1) * self.tick_ms
    }

    /// Takes the sessions that exist now, in order of id, with their timeouts; tells which are
    /// overdue. An overdue session is told at every tick until it is gone.
    pub fn tick(
        &mut self,
        sessions: impl Iterator<Item = (SessionId, i32)>,
        now_ms: u64,
    ) -> Vec<SessionId> {
        let slept_ms = now_ms
            .saturating_sub(self.last_tick_ms)
            .saturating_sub(2 * self.tick_ms);
        self.last_tick_ms = now_ms;
        let mut deadlines_ms = BTreeMap::new();
        let mut overdue = Vec::new();
        for (session, timeout_ms) in sessions {
            let deadline = match self.deadlines_ms.get(&session) {
                Some(deadline) => deadline + slept_ms,
                None => self.deadline(timeout_ms, now_ms),
            };
            if deadline <= now_ms {
                overdue.push(session);
            }
            deadlines_ms.insert(session, deadline);
        }
        self.deadlines_ms = deadlines_ms;
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);

    #[test]
    fn a_session_lives_between_its_timeout_and_a_tick_more() {
        let mut expiry = Expiry::new(1000, 0);
        let all = || [(ONE, 4000)].into_iter();
        expiry.touch(ONE, 4000, 500);
        for now in [1000, 2000, 3000, 4000] {
            assert_eq!(expiry.tick(all(), now), [], "at {now}");
        }
        assert_eq!(expiry.tick(all(), 5000), [ONE]);
        assert_eq!(expiry.tick(all(), 6000), [ONE], "told until it is gone");
    }

    #[test]
    fn a_touch_renews() {
        let mut expiry = Expiry::new(1000, 0);
        let all = || [(ONE, 2000), (TWO, 2000)].into_iter();
        assert_eq!(expiry.tick(all(), 1000), []);
        expiry.touch(ONE, 2000, 2900);
        assert_eq!(expiry.tick(all(), 3000), []);
        assert_eq!(expiry.tick(all(), 4000), [TWO]);
    }

    #[test]
    fn a_new_leadership_gives_everybody_a_full_timeout() {
        let mut expiry = Expiry::new(1000, 100_000);
        for now in (101_000..106_000).step_by(1000) {
            assert_eq!(expiry.tick([(ONE, 4000)].into_iter(), now), [], "at {now}");
        }
        assert_eq!(expiry.tick([(ONE, 4000)].into_iter(), 106_000), [ONE]);
    }

    #[test]
    fn time_slept_is_given_back() {
        let mut expiry = Expiry::new(1000, 0);
        let all = || [(ONE, 4000)].into_iter();
        assert_eq!(expiry.tick(all(), 1000), []);
        assert_eq!(
            expiry.tick(all(), 61_000),
            [],
            "a minute asleep is nobody's silence"
        );
        assert_eq!(expiry.tick(all(), 62_000), []);
        assert_eq!(expiry.tick(all(), 63_000), []);
        assert_eq!(
            expiry.tick(all(), 64_000),
            [ONE],
            "two ticks of the minute count"
        );
    }

    #[test]
    fn a_session_that_is_gone_is_forgotten() {
        let mut expiry = Expiry::new(1000, 0);
        assert_eq!(expiry.tick([(ONE, 1000)].into_iter(), 1000), []);
        assert_eq!(expiry.tick([].into_iter(), 2000), []);
        assert_eq!(expiry.deadlines_ms.len(), 0);
    }
}

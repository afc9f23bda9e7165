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
use crate::session::{Origin, Session};

/// The deadlines of all sessions.
#[derive(Debug)]
pub struct Expiry {
    tick_ms: u64,
    last_tick_ms: u64,
    deadlines: BTreeMap<SessionId, Deadline>,
}

/// When a session ends unless it is heard of.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    at_ms: u64,
    /// Where it was attached when it got the deadline. To attach anew is a sign of life.
    origin: Option<Origin>,
}

impl Expiry {
    /// A new leadership: nobody has a deadline until the first tick gives each a full one.
    pub fn new(tick_ms: u64, now_ms: u64) -> Expiry {
        Expiry {
            tick_ms: tick_ms.max(1),
            last_tick_ms: now_ms,
            deadlines: BTreeMap::new(),
        }
    }

    /// The session was heard of.
    pub fn touch(&mut self, id: SessionId, session: &Session, now_ms: u64) {
        let deadline = self.deadline(session, now_ms);
        self.deadlines.insert(id, deadline);
    }

    fn deadline(&self, session: &Session, now_ms: u64) -> Deadline {
        let end = now_ms + u64::try_from(session.timeout_ms).unwrap_or(0);
        Deadline {
            at_ms: (end / self.tick_ms + 1) * self.tick_ms,
            origin: session.origin,
        }
    }

    /// The sessions that exist now by the time they end at unless something is heard of them,
    /// milliseconds of the clock. Changes nothing.
    pub fn buckets<'s>(
        &self,
        sessions: impl Iterator<Item = (SessionId, &'s Session)>,
        now_ms: u64,
    ) -> BTreeMap<u64, Vec<SessionId>> {
        let mut buckets = BTreeMap::<_, Vec<_>>::new();
        for (id, session) in sessions {
            let deadline = match self.deadlines.get(&id) {
                Some(known) if known.origin == session.origin => *known,
                _ => self.deadline(session, now_ms),
            };
            buckets.entry(deadline.at_ms).or_default().push(id);
        }
        buckets
    }

    /// Takes the sessions that exist now, in order of id; tells which are overdue, and where they
    /// are attached. An overdue session is told at every tick until it is gone.
    pub fn tick<'s>(
        &mut self,
        sessions: impl Iterator<Item = (SessionId, &'s Session)>,
        now_ms: u64,
    ) -> Vec<(SessionId, Option<Origin>)> {
        let slept_ms = now_ms
            .saturating_sub(self.last_tick_ms)
            .saturating_sub(2 * self.tick_ms);
        self.last_tick_ms = now_ms;
        let mut deadlines = BTreeMap::new();
        let mut overdue = Vec::new();
        for (id, session) in sessions {
            let deadline = match self.deadlines.get(&id) {
                Some(known) if known.origin == session.origin => Deadline {
                    at_ms: known.at_ms + slept_ms,
                    ..*known
                },
                _ => self.deadline(session, now_ms),
            };
            if deadline.at_ms <= now_ms {
                overdue.push((id, session.origin));
            }
            deadlines.insert(id, deadline);
        }
        self.deadlines = deadlines;
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{ConnectionId, PASSWORD_BYTES, ServerId};

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);

    fn at(connection: u64) -> Option<Origin> {
        Some(Origin {
            server: ServerId(1),
            connection: ConnectionId(connection),
        })
    }

    fn session(timeout_ms: i32, connection: u64) -> Session {
        Session::new(timeout_ms, [0; PASSWORD_BYTES], at(connection))
    }

    /// Ticks with these sessions, all on the same connection; who is overdue.
    fn tick(expiry: &mut Expiry, sessions: &[(SessionId, i32)], now_ms: u64) -> Vec<SessionId> {
        let sessions = sessions.iter().map(|(id, ms)| (*id, session(*ms, 1)));
        let sessions = sessions.collect::<Vec<_>>();
        let sessions = sessions.iter().map(|(id, session)| (*id, session));
        let overdue = expiry.tick(sessions, now_ms);
        overdue.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn a_session_lives_between_its_timeout_and_a_tick_more() {
        let mut expiry = Expiry::new(1000, 0);
        let all = [(ONE, 4000)];
        expiry.touch(ONE, &session(4000, 1), 500);
        for now in [1000, 2000, 3000, 4000] {
            assert_eq!(tick(&mut expiry, &all, now), [], "at {now}");
        }
        assert_eq!(tick(&mut expiry, &all, 5000), [ONE]);
        assert_eq!(
            tick(&mut expiry, &all, 6000),
            [ONE],
            "told until it is gone"
        );
    }

    #[test]
    fn sessions_are_listed_by_their_end_from_the_first_moment() {
        let mut expiry = Expiry::new(1000, 0);
        let (one, two) = (session(4000, 1), session(9000, 1));
        expiry.touch(ONE, &one, 500);
        let all = [(ONE, &one), (TWO, &two)];
        let buckets = expiry.buckets(all.into_iter(), 600);
        assert_eq!(buckets, [(5000, vec![ONE]), (10_000, vec![TWO])].into());
        assert_eq!(expiry.buckets([].into_iter(), 600), BTreeMap::new());
    }

    #[test]
    fn a_touch_renews() {
        let mut expiry = Expiry::new(1000, 0);
        let all = [(ONE, 2000), (TWO, 2000)];
        assert_eq!(tick(&mut expiry, &all, 1000), []);
        expiry.touch(ONE, &session(2000, 1), 2900);
        assert_eq!(tick(&mut expiry, &all, 3000), []);
        assert_eq!(tick(&mut expiry, &all, 4000), [TWO]);
    }

    #[test]
    fn a_session_that_attached_lives_on_before_any_touch_is_heard() {
        let mut expiry = Expiry::new(1000, 0);
        let (before, after) = (session(4000, 1), session(4000, 2));
        expiry.touch(ONE, &before, 500);
        for now in (1000..=9000).step_by(1000) {
            let session = if now < 5000 { &before } else { &after };
            assert_eq!(
                expiry.tick([(ONE, session)].into_iter(), now),
                [],
                "at {now}"
            );
        }
        assert_eq!(
            expiry.tick([(ONE, &after)].into_iter(), 10_000),
            [(ONE, at(2))]
        );
    }

    #[test]
    fn a_new_leadership_gives_everybody_a_full_timeout() {
        let mut expiry = Expiry::new(1000, 100_000);
        let all = [(ONE, 4000)];
        for now in (101_000..106_000).step_by(1000) {
            assert_eq!(tick(&mut expiry, &all, now), [], "at {now}");
        }
        assert_eq!(tick(&mut expiry, &all, 106_000), [ONE]);
    }

    #[test]
    fn time_slept_is_given_back() {
        let mut expiry = Expiry::new(1000, 0);
        let all = [(ONE, 4000)];
        assert_eq!(tick(&mut expiry, &all, 1000), []);
        assert_eq!(
            tick(&mut expiry, &all, 61_000),
            [],
            "a minute asleep is nobody's silence"
        );
        assert_eq!(tick(&mut expiry, &all, 62_000), []);
        assert_eq!(tick(&mut expiry, &all, 63_000), []);
        assert_eq!(
            tick(&mut expiry, &all, 64_000),
            [ONE],
            "two ticks of the minute count"
        );
    }

    #[test]
    fn a_session_that_is_gone_is_forgotten() {
        let mut expiry = Expiry::new(1000, 0);
        assert_eq!(tick(&mut expiry, &[(ONE, 1000)], 1000), []);
        assert_eq!(tick(&mut expiry, &[], 2000), []);
        assert_eq!(expiry.deadlines.len(), 0);
    }
}

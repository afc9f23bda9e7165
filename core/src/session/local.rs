//! Sessions that only this server knows: opened, attached, silenced and closed without the log.
//!
//! ```text
//!   open ─▶ Local ────── closed, or silent for too long ─────▶ gone
//!             └───────── wants an ephemeral ─▶ Upgrading ────▶ gone from here: all servers know it
//!   open ─▶ ReadOnly ─── closed, silent, or a quorum is back ▶ gone
//! ```
//!
//! A local session owns no znode, so its end changes nothing that is replicated. Its writes go
//! through the lane like all others, and say that this server vouches for them.
//!
//! Invariants: a session is attached to one connection at a time, and to a new one only when the
//! earlier one has handed over all it ever proposes; so the order of the lane is the session's.
//! An id is never in this table and attached through the log at once, but for `Upgrading`, whose
//! connections attach through the log. There are at most `LOCAL_SESSIONS_MAX`.

use std::collections::BTreeMap;

use crate::proto::{ConnectionId, PASSWORD_BYTES, SessionId};
use crate::session::{Expiry, Origin, Session};

/// Local sessions of one server. A flood of clients that open and vanish is turned away here.
pub const LOCAL_SESSIONS_MAX: usize = 1_000_000;

/// How a session is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody else knows it, and it may write.
    Local,
    /// Opened while this server had no quorum; it ends when there is one.
    ReadOnly,
    /// On its way into the log, to become known everywhere.
    Upgrading,
}

/// What became of a client that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalAttach {
    /// Such a session is not in this table: ask the log.
    NotHere,
    /// The log is to know it: ask there.
    Upgrading,
    /// The password is wrong; or the session was of the other mode of service, with a quorum or
    /// without, and has ended with that.
    Refused,
    /// Another connection has it still: end that one, and ask again when it is gone.
    Held(ConnectionId),
    /// It is attached.
    Attached,
}

/// The sessions of one server that the others do not know.
#[derive(Debug, Default)]
pub struct LocalSessions {
    known: BTreeMap<SessionId, (Kind, Session)>,
    expiry: Option<Expiry>,
}

impl LocalSessions {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Adds a session; `false`, and no change, when the id is taken or there are too many.
    pub fn open(&mut self, id: SessionId, kind: Kind, session: Session) -> bool {
        if self.known.len() >= LOCAL_SESSIONS_MAX || self.known.contains_key(&id) {
            return false;
        }
        self.known.insert(id, (kind, session));
        true
    }

    /// Attaches a session to `origin`. `is_connected` tells whether a connection can still propose
    /// anything; `kind` is what is served at the moment.
    pub fn attach(
        &mut self,
        id: SessionId,
        kind: Kind,
        shown: &[u8],
        (origin, timeout_ms): (Origin, i32),
        is_connected: impl FnOnce(ConnectionId) -> bool,
    ) -> LocalAttach {
        let Some((known, session)) = self.known.get_mut(&id) else {
            return LocalAttach::NotHere;
        };
        if *known == Kind::Upgrading {
            return LocalAttach::Upgrading;
        }
        if !session.accepts(shown) {
            return LocalAttach::Refused;
        }
        if let Some(held) = session.origin.filter(|held| is_connected(held.connection)) {
            return LocalAttach::Held(held.connection);
        }
        if *known != kind {
            self.known.remove(&id);
            return LocalAttach::Refused;
        }
        session.origin = Some(origin);
        session.timeout_ms = timeout_ms;
        LocalAttach::Attached
    }

    /// Notes that a session's draft to become known everywhere is on its way; gives what the draft
    /// needs, or `None` if the session has ended or the draft went before.
    pub fn upgrade(&mut self, id: SessionId) -> Option<([u8; PASSWORD_BYTES], i32)> {
        let (kind, session) = self.known.get_mut(&id)?;
        if *kind != Kind::Local {
            return None;
        }
        *kind = Kind::Upgrading;
        Some((session.password, session.timeout_ms))
    }

    /// Forgets a session; `false` when there is none.
    pub fn close(&mut self, id: SessionId) -> bool {
        self.known.remove(&id).is_some()
    }

    /// Forgets those that were opened without a quorum.
    pub fn close_read_only(&mut self) {
        self.known.retain(|_, (kind, _)| *kind != Kind::ReadOnly);
    }

    /// A session was heard of; `false` when its deadline is not kept here.
    pub fn touch(&mut self, id: SessionId, tick_ms: u64, now_ms: u64) -> bool {
        let expiry = self
            .expiry
            .get_or_insert_with(|| Expiry::new(tick_ms, now_ms));
        match self.known.get(&id) {
            Some((Kind::Local | Kind::ReadOnly, session)) => {
                expiry.touch(id, session, now_ms);
                true
            }
            Some((Kind::Upgrading, _)) | None => false,
        }
    }

    /// The sessions whose deadlines are kept here, by these, milliseconds of the clock. Changes nothing.
    pub fn buckets(&self, tick_ms: u64, now_ms: u64) -> BTreeMap<u64, Vec<SessionId>> {
        let kept_here = self
            .known
            .iter()
            .filter(|(_, (kind, _))| *kind != Kind::Upgrading)
            .map(|(id, (_, session))| (*id, session));
        match &self.expiry {
            Some(expiry) => expiry.buckets(kept_here, now_ms),
            None => Expiry::new(tick_ms, now_ms).buckets(kept_here, now_ms),
        }
    }

    /// Forgets the sessions that were silent for too long; tells which, and where each was
    /// attached. Call it about once a tick.
    pub fn tick(&mut self, tick_ms: u64, now_ms: u64) -> Vec<(SessionId, Option<Origin>)> {
        let expiry = self
            .expiry
            .get_or_insert_with(|| Expiry::new(tick_ms, now_ms));
        let kept_here = self
            .known
            .iter()
            .filter(|(_, (kind, _))| *kind != Kind::Upgrading)
            .map(|(id, (_, session))| (*id, session));
        let overdue = expiry.tick(kept_here, now_ms);
        for (id, _) in &overdue {
            self.known.remove(id);
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ServerId;

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);
    const PASSWORD: [u8; PASSWORD_BYTES] = [7; PASSWORD_BYTES];
    const TICK_MS: u64 = 1000;

    fn at(connection: u64) -> Origin {
        Origin {
            server: ServerId(1),
            connection: ConnectionId(connection),
        }
    }

    fn table() -> LocalSessions {
        let mut table = LocalSessions::default();
        assert!(table.open(ONE, Kind::Local, Session::new(4000, PASSWORD, Some(at(1)))));
        table
    }

    fn attach(table: &mut LocalSessions, shown: &[u8], alive: bool) -> LocalAttach {
        table.attach(ONE, Kind::Local, shown, (at(2), 5000), |_| alive)
    }

    #[test]
    fn a_session_is_attached_anew_when_its_earlier_connection_is_gone() {
        let mut table = table();
        assert_eq!(attach(&mut table, &[8; 16], false), LocalAttach::Refused);
        let held = LocalAttach::Held(ConnectionId(1));
        assert_eq!(attach(&mut table, &PASSWORD, true), held);
        assert_eq!(attach(&mut table, &PASSWORD, false), LocalAttach::Attached);
        assert_eq!(table.known[&ONE].1.origin, Some(at(2)));
        assert_eq!(table.known[&ONE].1.timeout_ms, 5000);
        let other = table.attach(ONE, Kind::ReadOnly, &PASSWORD, (at(3), 1), |_| false);
        assert_eq!(other, LocalAttach::Refused);
        assert!(table.is_empty(), "it has ended with its mode");
        let unknown = table.attach(TWO, Kind::Local, &PASSWORD, (at(3), 1), |_| false);
        assert_eq!(unknown, LocalAttach::NotHere);
    }

    #[test]
    fn an_upgrade_goes_out_once_and_takes_the_session_away() {
        let mut table = table();
        assert_eq!(table.upgrade(ONE), Some((PASSWORD, 4000)));
        assert_eq!(table.upgrade(ONE), None);
        let upgrading = LocalAttach::Upgrading;
        assert_eq!(attach(&mut table, &PASSWORD, false), upgrading);
        assert!(!table.touch(ONE, TICK_MS, 0), "the leader has its deadline");
        assert_eq!(table.tick(TICK_MS, 1), []);
        assert_eq!(table.tick(TICK_MS, 1_000_000), []);
        assert!(table.close(ONE));
        assert_eq!(table.upgrade(ONE), None);
    }

    #[test]
    fn silence_ends_a_session_and_a_touch_renews_it() {
        let mut table = table();
        table.open(TWO, Kind::ReadOnly, Session::new(4000, PASSWORD, None));
        assert_eq!(table.tick(TICK_MS, 1000), []);
        for now_ms in [2000, 3000, 4000, 5000] {
            assert!(table.touch(ONE, TICK_MS, now_ms));
            assert_eq!(table.tick(TICK_MS, now_ms), [], "at {now_ms}");
        }
        assert_eq!(table.tick(TICK_MS, 6000), [(TWO, None)]);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn sessions_without_a_quorum_end_together() {
        let mut table = table();
        table.open(TWO, Kind::ReadOnly, Session::new(4000, PASSWORD, None));
        table.close_read_only();
        assert_eq!(table.len(), 1);
        assert!(table.close(ONE));
    }
}

//! The replicated session table: who exists, where each session is attached, which ephemerals it
//! owns.
//!
//! Persistent: a clone is O(1) and keeps showing the state of its moment.
//!
//! Invariant: the table's count of ephemerals is the sum over its sessions.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use subtle::ConstantTimeEq;

use crate::proto::{PASSWORD_BYTES, SessionId};
use crate::session::Origin;

/// What every server knows about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Silence that ends it, milliseconds.
    pub timeout_ms: i32,
    /// What a client must show to attach to it.
    pub password: [u8; PASSWORD_BYTES],
    /// Where it is attached; `None` when it came from an import and nobody has attached yet.
    pub origin: Option<Origin>,
    ephemerals: OrdSet<Arc<str>>,
}

impl Session {
    /// A session without ephemerals.
    pub fn new(timeout_ms: i32, password: [u8; PASSWORD_BYTES], origin: Option<Origin>) -> Session {
        Session {
            timeout_ms,
            password,
            origin,
            ephemerals: OrdSet::new(),
        }
    }

    /// Whether `shown` is the session's password; takes the same time whatever differs.
    pub fn accepts(&self, shown: &[u8]) -> bool {
        self.password.as_slice().ct_eq(shown).into()
    }

    /// Paths of the znodes it owns, in path order.
    pub fn ephemerals(&self) -> impl Iterator<Item = &str> {
        self.ephemerals.iter().map(|path| &**path)
    }

    /// How many znodes it owns.
    pub fn ephemerals_count(&self) -> usize {
        self.ephemerals.len()
    }
}

/// All sessions, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    sessions: OrdMap<SessionId, Session>,
    ephemerals: usize,
}

impl Table {
    /// No sessions.
    pub fn new() -> Table {
        Table::default()
    }

    /// The session of an id.
    pub fn get(&self, id: &SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// All sessions in id order.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions.iter().map(|(id, session)| (*id, session))
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// How many ephemerals all sessions own together.
    pub fn ephemerals_count(&self) -> usize {
        self.ephemerals
    }

    /// Ephemerals of a session in path order; none when the session is unknown.
    pub fn ephemerals(&self, id: SessionId) -> impl Iterator<Item = &str> {
        self.sessions
            .get(&id)
            .into_iter()
            .flat_map(Session::ephemerals)
    }

    /// Adds a session; `false`, and no change, when the id is taken.
    pub fn insert(&mut self, id: SessionId, session: Session) -> bool {
        if self.sessions.contains_key(&id) {
            return false;
        }
        self.ephemerals += session.ephemerals.len();
        self.sessions.insert(id, session);
        true
    }

    /// Takes a session out.
    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        self.ephemerals -= session.ephemerals.len();
        Some(session)
    }

    /// Moves a session to `origin` with a new timeout. Gives back where it was, or `None` when it
    /// is unknown.
    pub fn attach(
        &mut self,
        id: SessionId,
        origin: Origin,
        timeout_ms: i32,
    ) -> Option<Option<Origin>> {
        let session = self.sessions.get_mut(&id)?;
        session.timeout_ms = timeout_ms;
        Some(session.origin.replace(origin))
    }

    /// Takes the place of `earlier`: nobody is attached any more, and a session that was there before
    /// keeps the password that its client knows.
    pub fn succeed(&mut self, earlier: &Table) {
        let ids = self.sessions.keys().copied().collect::<Vec<_>>();
        for id in ids {
            if let Some(session) = self.sessions.get_mut(&id) {
                session.origin = None;
                if let Some(known) = earlier.get(&id) {
                    session.password = known.password;
                }
            }
        }
    }

    /// Notes that a session owns the znode of `path`; `false` when the session is unknown or owns
    /// it already.
    pub fn add_ephemeral(&mut self, id: SessionId, path: &str) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else {
            return false;
        };
        let added = session.ephemerals.insert(path.into()).is_none();
        self.ephemerals += usize::from(added);
        added
    }

    /// Notes that a session no longer owns the znode of `path`; `false` when it did not.
    pub fn remove_ephemeral(&mut self, id: SessionId, path: &str) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else {
            return false;
        };
        let removed = session.ephemerals.remove(path).is_some();
        self.ephemerals -= usize::from(removed);
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ConnectionId;
    use crate::proto::ServerId;

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);

    fn session() -> Session {
        Session::new(4000, [7; PASSWORD_BYTES], None)
    }

    #[test]
    fn a_taken_id_stays_with_its_session() {
        let mut table = Table::new();
        assert!(table.insert(ONE, session()));
        assert!(!table.insert(ONE, Session::new(1, [0; PASSWORD_BYTES], None)));
        assert_eq!(table.get(&ONE), Some(&session()));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn ephemerals_are_counted_and_sorted() {
        let mut table = Table::new();
        table.insert(TWO, session());
        table.insert(ONE, session());
        assert!(table.add_ephemeral(ONE, "/b"));
        assert!(table.add_ephemeral(ONE, "/a"));
        assert!(!table.add_ephemeral(ONE, "/a"));
        assert!(table.add_ephemeral(TWO, "/c"));
        assert!(!table.add_ephemeral(SessionId(3), "/d"));
        assert_eq!(table.ephemerals(ONE).collect::<Vec<_>>(), ["/a", "/b"]);
        assert_eq!(table.ephemerals_count(), 3);
        assert!(table.remove_ephemeral(ONE, "/b"));
        assert!(!table.remove_ephemeral(ONE, "/b"));
        assert_eq!(table.ephemerals_count(), 2);
        table.remove(ONE);
        assert_eq!(table.ephemerals_count(), 1);
        let ids = table.iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids, [TWO]);
    }

    #[test]
    fn attach_moves_the_session_and_tells_from_where() {
        let origin = |connection| Origin {
            server: ServerId(1),
            connection: ConnectionId(connection),
        };
        let mut table = Table::new();
        table.insert(ONE, session());
        assert_eq!(table.attach(ONE, origin(1), 5000), Some(None));
        assert_eq!(table.attach(ONE, origin(2), 6000), Some(Some(origin(1))));
        assert_eq!(table.attach(TWO, origin(2), 6000), None);
        assert_eq!(table.get(&ONE).map(|s| s.timeout_ms), Some(6000));
    }

    #[test]
    fn a_clone_keeps_showing_its_moment() {
        let mut table = Table::new();
        table.insert(ONE, session());
        let before = table.clone();
        table.add_ephemeral(ONE, "/a");
        assert_eq!(before.ephemerals(ONE).count(), 0);
        assert_eq!(table.ephemerals(ONE).count(), 1);
    }

    #[test]
    fn only_the_whole_password_is_accepted() {
        let session = session();
        assert!(session.accepts(&[7; PASSWORD_BYTES]));
        for wrong in [&[7; 15][..], &[7; 17], &[8; 16], &[]] {
            assert!(!session.accepts(wrong), "{wrong:?}");
        }
    }
}

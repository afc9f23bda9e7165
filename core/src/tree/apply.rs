//! Executes proposals: who may, at which zxid, with what outcome.
//!
//! ```text
//! Open      taken id: NodeExists                                   takes a zxid
//! Attach    unknown: SessionExpired, wrong password: AuthFailed    takes none
//! Request   unknown session: SessionExpired, moved: SessionMoved   takes none then, else one
//!           reconfig that does not decode: MarshallingError        takes none
//! Refused   as Request, then its code
//! Upgrade   as Open
//! Expire    not there, or attached elsewhere since: no effect      takes none then, else one
//! Reap      not empty, not a container or TTL: no effect           takes none then, else one
//! State     no news, or of an earlier leader: no effect            takes none then, else one
//! Settle    not pending, or of an earlier leader: no effect        takes none then, else one
//! Piece, Replace                                                   see `replace`
//! ```

use std::sync::Arc;

use crate::proto::{
    Acl, Code, ConnectionId, EventKind, Id, MultiOp, OpCode, PASSWORD_BYTES, Reply, Request,
    ServerId, SessionId, Text, Zxid,
};
use crate::session::{Origin, Scope, Session};
use crate::tree::write::Place;
use crate::tree::znode::{Kind, Owner};
use crate::tree::{Asker, Draft, Lane, Rules, Traces, Tracing, Tree, reconfig};

/// What one proposal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The zxid of this change; of the last one where this took none.
    pub zxid: Zxid,
    /// The answer.
    pub result: Result<Reply<'static>, Code>,
    /// What watchers may want to hear of, in ZooKeeper's order.
    pub events: Vec<Event>,
    /// What became of the session.
    pub session: SessionChange,
    /// What happened to each znode, as far as it was asked for.
    pub traces: Traces,
    /// Whom `result` is for.
    pub answering: Answering,
}

/// Whom a result is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// Whoever proposed this.
    #[default]
    Asker,
    /// Nobody yet: a reconfig was accepted, and its result comes with another proposal.
    Nobody,
    /// Who asked for the reconfig that this decides.
    Earlier(Box<Asker>),
}

/// What a proposal did to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// Nothing.
    None,
    /// It exists from now on.
    Opened,
    /// It has a new connection.
    Attached {
        /// The one it had before.
        previous: Option<Origin>,
    },
    /// It exists no longer.
    Closed {
        /// Which one.
        session: SessionId,
        /// The connection it had.
        origin: Option<Origin>,
    },
    /// All sessions are other ones now: the whole tree was replaced.
    Replaced,
}

/// Something happened to a znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To which znode.
    pub path: Arc<str>,
    /// Whose READ is checked before a watcher hears of it: the znode's list, or for
    /// `ChildrenChanged` the parent's, which `path` names.
    pub acl: Arc<[Acl]>,
    /// Bytes of data that the znode got by this change.
    pub data_bytes: usize,
    /// Whether it is a znode with a time to live.
    pub ttl: bool,
}

/// One change while it is made: its place in the order, who wants it, what happened so far.
pub(super) struct Change<'a> {
    pub(super) zxid: Zxid,
    pub(super) stamp_ms: i64,
    pub(super) session: SessionId,
    pub(super) scope: Scope,
    pub(super) rules: Rules,
    pub(super) identities: &'a [Id],
    pub(super) events: Vec<Event>,
    pub(super) traces: Traces,
    /// The tree before the multi that runs; what quotas are checked against.
    pub(super) before_multi: Option<Tree>,
}

impl Tree {
    /// Executes one proposal whose admission was [`Next`](crate::tree::Admission::Next), and
    /// advances its lane.
    pub fn apply(
        &mut self,
        term: u64,
        stamp_ms: i64,
        lane: Lane,
        number: u64,
        draft: &Draft<'_>,
    ) -> Applied {
        self.apply_traced(term, stamp_ms, lane, number, draft, Tracing::OFF)
    }

    /// As [`Tree::apply`], and tells what happened to each znode.
    pub fn apply_traced(
        &mut self,
        term: u64,
        stamp_ms: i64,
        lane: Lane,
        number: u64,
        draft: &Draft<'_>,
        wanted: Tracing,
    ) -> Applied {
        self.lanes.insert(lane.server, (lane.boot, number));
        self.forget_silent_restore(stamp_ms);
        self.execute(term, stamp_ms, lane.server, draft, wanted)
    }

    fn execute(
        &mut self,
        term: u64,
        stamp_ms: i64,
        server: ServerId,
        draft: &Draft<'_>,
        wanted: Tracing,
    ) -> Applied {
        let at = |connection: &ConnectionId| Origin {
            server,
            connection: *connection,
        };
        match draft {
            Draft::Open {
                session,
                password,
                timeout_ms,
                connection,
            }
            | Draft::Upgrade {
                session,
                password,
                timeout_ms,
                connection,
            } => self.open(term, *session, *password, *timeout_ms, at(connection)),
            Draft::Attach {
                session,
                password,
                timeout_ms,
                connection,
            } => self.attach(*session, password, *timeout_ms, at(connection)),
            Draft::Request {
                session,
                connection,
                scope,
                rules,
                identities,
                op,
                body,
            } => match self.authorize(*session, *scope, at(connection)) {
                Err(code) => self.nothing(Err(code)),
                Ok(()) if is_malformed_reconfig(*op, body) => {
                    self.nothing(Err(Code::MarshallingError))
                }
                Ok(()) => {
                    let mut change = self.begin(term, stamp_ms, wanted);
                    change.session = *session;
                    change.scope = *scope;
                    change.rules = *rules;
                    change.identities = identities;
                    self.request(change, at(connection), *op, body)
                }
            },
            Draft::Refused {
                session,
                connection,
                scope,
                code,
            } => match self.authorize(*session, *scope, at(connection)) {
                Err(code) => self.nothing(Err(code)),
                Ok(()) => self.begin(term, stamp_ms, wanted).end(Err(*code)),
            },
            Draft::Expire { .. }
            | Draft::Reap { .. }
            | Draft::State { .. }
            | Draft::Settle { .. }
            | Draft::Piece { .. }
            | Draft::Replace { .. } => self.apply_leaders(term, stamp_ms, wanted, draft),
        }
    }

    /// What no client asks for.
    fn apply_leaders(
        &mut self,
        term: u64,
        stamp_ms: i64,
        wanted: Tracing,
        draft: &Draft<'_>,
    ) -> Applied {
        match draft {
            Draft::Expire { session, origin } => {
                self.expire(term, stamp_ms, wanted, *session, *origin)
            }
            Draft::Reap { path } => self.reap(term, stamp_ms, wanted, path),
            Draft::State {
                term: stated_in,
                members,
            } if *stated_in == term => self.state_members(term, stamp_ms, wanted, members),
            Draft::Settle {
                term: settled_in,
                reconfig,
                outcome,
            } if *settled_in == term => {
                self.settle_reconfig(term, stamp_ms, wanted, *reconfig, *outcome)
            }
            Draft::Piece {
                restore,
                offset,
                bytes,
            } => self.take_piece(stamp_ms, *restore, *offset, bytes),
            Draft::Replace { restore, bytes } => self.replace(term, *restore, *bytes),
            // Of an earlier leader; this one may know better.
            Draft::State { .. } | Draft::Settle { .. } => self.nothing(Ok(Reply::Empty)),
            Draft::Open { .. }
            | Draft::Upgrade { .. }
            | Draft::Attach { .. }
            | Draft::Request { .. }
            | Draft::Refused { .. } => self.nothing(Err(Code::Unimplemented)),
        }
    }

    fn expire(
        &mut self,
        term: u64,
        stamp_ms: i64,
        wanted: Tracing,
        session: SessionId,
        origin: Option<Origin>,
    ) -> Applied {
        match self.sessions.get(&session) {
            Some(found) if found.origin == origin => {
                let change = self.begin(term, stamp_ms, wanted);
                self.close(change, session)
            }
            _ => self.nothing(Ok(Reply::Empty)),
        }
    }

    fn reap(&mut self, term: u64, stamp_ms: i64, wanted: Tracing, path: &str) -> Applied {
        if !self.is_reapable(path) {
            return self.nothing(Ok(Reply::Empty));
        }
        let mut change = self.begin(term, stamp_ms, wanted);
        self.remove(&mut change, path);
        change.end(Ok(Reply::Empty))
    }

    /// Takes the next zxid.
    pub(super) fn begin<'a>(&mut self, term: u64, stamp_ms: i64, wanted: Tracing) -> Change<'a> {
        self.last_zxid = self.last_zxid.next(term);
        Change {
            zxid: self.last_zxid,
            stamp_ms,
            session: SessionId(0),
            scope: Scope::Global,
            rules: Rules::default(),
            identities: &[],
            events: Vec::new(),
            traces: Traces::new(wanted),
            before_multi: None,
        }
    }

    /// The outcome of a draft that takes no zxid.
    pub(super) fn nothing(&self, result: Result<Reply<'static>, Code>) -> Applied {
        Applied {
            zxid: self.last_zxid,
            result,
            events: Vec::new(),
            session: SessionChange::None,
            traces: Traces::default(),
            answering: Answering::Asker,
        }
    }

    fn open(
        &mut self,
        term: u64,
        id: SessionId,
        password: [u8; PASSWORD_BYTES],
        timeout_ms: i32,
        origin: Origin,
    ) -> Applied {
        let change = self.begin(term, 0, Tracing::OFF);
        // An id that reads as another kind of owner would make its ephemerals something else.
        let usable = Owner(id.0).kind() == Kind::Ephemeral(id);
        let session = Session::new(timeout_ms, password, Some(origin));
        if !usable || !self.sessions.insert(id, session) {
            return change.end(Err(Code::NodeExists));
        }
        Applied {
            session: SessionChange::Opened,
            ..change.end(Ok(Reply::Empty))
        }
    }

    fn attach(&mut self, id: SessionId, shown: &[u8], timeout_ms: i32, at: Origin) -> Applied {
        let accepted = self.sessions.get(&id).map(|session| session.accepts(shown));
        match accepted {
            None => self.nothing(Err(Code::SessionExpired)),
            Some(false) => self.nothing(Err(Code::AuthFailed)),
            Some(true) => {
                let previous = self.sessions.attach(id, at, timeout_ms).flatten();
                Applied {
                    session: SessionChange::Attached { previous },
                    ..self.nothing(Ok(Reply::Empty))
                }
            }
        }
    }

    /// Whether a write of a session may come from a connection. Of a local session only its server
    /// can tell, and did: it was attached there when the write took its number in the lane.
    fn authorize(&self, session: SessionId, scope: Scope, from: Origin) -> Result<(), Code> {
        if scope == Scope::Local {
            return Ok(());
        }
        let session = self.sessions.get(&session).ok_or(Code::SessionExpired)?;
        if session.origin == Some(from) {
            Ok(())
        } else {
            Err(Code::SessionMoved)
        }
    }

    fn request(
        &mut self,
        mut change: Change<'_>,
        origin: Origin,
        op: OpCode,
        body: &[u8],
    ) -> Applied {
        let Ok(request) = Request::decode(op, body) else {
            return change.end(Err(Code::MarshallingError));
        };
        if let Some(wish) = reconfig::wish(&request) {
            return match self.accept_reconfig(&change, origin, wish) {
                Err(code) => change.end(Err(code)),
                Ok(()) => Applied {
                    answering: Answering::Nobody,
                    ..change.end(Ok(Reply::Empty))
                },
            };
        }
        if let Request::CloseSession = request {
            let session = change.session;
            return self.close(change, session);
        }
        let result = self.write(&mut change, &request);
        if result.is_err() {
            change.forget();
        }
        change.end(result)
    }

    fn write(
        &mut self,
        change: &mut Change<'_>,
        request: &Request<'_>,
    ) -> Result<Reply<'static>, Code> {
        match request {
            Request::Create(create) => {
                let (path, stat) = self.create(change, create, Place::Alone)?;
                Ok(match create.op {
                    OpCode::Create => Reply::Created(Text::Owned(path)),
                    _ => Reply::CreatedWithStat(Text::Owned(path), stat),
                })
            }
            Request::Delete { path, version } => {
                self.delete(change, path, *version)?;
                Ok(Reply::Empty)
            }
            Request::SetData {
                path,
                data,
                version,
            } => self
                .set_data(change, path, *data, *version)
                .map(Reply::Stat),
            Request::SetAcl { path, acl, version } => self
                .set_acl(change, path, acl.as_deref(), *version)
                .map(Reply::Stat),
            Request::Multi(ops) => self.multi(change, ops).map(Reply::Multi),
            Request::Check { path, version } => {
                let (path, version) = (path.clone(), *version);
                let alone = [MultiOp::Check { path, version }];
                self.multi(change, &alone).map(Reply::Multi)
            }
            // Reads never come here, and neither closing nor reconfig is a write of a znode.
            Request::Exists { .. }
            | Request::GetData { .. }
            | Request::GetAcl { .. }
            | Request::GetChildren { .. }
            | Request::GetChildren2 { .. }
            | Request::Sync { .. }
            | Request::Ping
            | Request::MultiRead(_)
            | Request::Reconfig { .. }
            | Request::CheckWatches { .. }
            | Request::RemoveWatches { .. }
            | Request::Auth { .. }
            | Request::SetWatches(_)
            | Request::Sasl { .. }
            | Request::GetEphemerals { .. }
            | Request::GetAllChildrenNumber { .. }
            | Request::AddWatch { .. }
            | Request::WhoAmI
            | Request::CloseSession => Err(Code::Unimplemented),
        }
    }

    /// Ends a session and deletes what it owns.
    fn close(&mut self, mut change: Change<'_>, id: SessionId) -> Applied {
        let paths = self
            .sessions
            .ephemerals(id)
            .map(Box::from)
            .collect::<Vec<Box<str>>>();
        for path in paths {
            self.remove(&mut change, &path);
        }
        let origin = self.sessions.remove(id).and_then(|session| session.origin);
        Applied {
            session: SessionChange::Closed {
                session: id,
                origin,
            },
            ..change.end(Ok(Reply::Empty))
        }
    }
}

/// Whether it is a reconfig that is not even a change that failed, as in ZooKeeper.
fn is_malformed_reconfig(op: OpCode, body: &[u8]) -> bool {
    op == OpCode::Reconfig && Request::decode(op, body).is_err()
}

impl Change<'_> {
    pub(super) fn end(self, result: Result<Reply<'static>, Code>) -> Applied {
        Applied {
            zxid: self.zxid,
            result,
            events: self.events,
            session: SessionChange::None,
            traces: self.traces,
            answering: Answering::Asker,
        }
    }

    /// Nothing happened after all.
    pub(super) fn forget(&mut self) {
        self.events.clear();
        self.traces.clear();
    }

    /// Notes that something happened.
    pub(super) fn note(&mut self, kind: EventKind, path: &str, acl: &Arc<[Acl]>) {
        self.note_data(kind, path, acl, 0, Kind::Persistent);
    }

    /// Notes that something happened to a znode of some kind, which got some data by it.
    pub(super) fn note_data(
        &mut self,
        kind: EventKind,
        path: &str,
        acl: &Arc<[Acl]>,
        data_bytes: usize,
        of: Kind,
    ) {
        self.events.push(Event {
            kind,
            path: path.into(),
            acl: acl.clone(),
            data_bytes,
            ttl: matches!(of, Kind::Ttl(_)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
    use crate::proto::ServerId;
    use crate::tree::Admission;
    use crate::tree::stage::{
        CONNECTION, LANE, S1, S2, Stage, acl, close, create, create_with, delete, events, set,
        set_acl,
    };

    const OTHER: ConnectionId = ConnectionId(2);

    fn attach(session: SessionId, password: &[u8], connection: ConnectionId) -> Draft<'_> {
        Draft::Attach {
            session,
            password,
            timeout_ms: 9_000,
            connection,
        }
    }

    #[test]
    fn a_lane_runs_every_number_once_and_in_order() {
        let mut tree = Tree::new();
        let lane = |boot| Lane {
            server: ServerId(7),
            boot,
        };
        let reap = Draft::Reap { path: "/none" };
        assert_eq!(tree.admit(lane(5), 1), Admission::Next);
        assert_eq!(tree.admit(lane(5), 2), Admission::Gap);
        assert_eq!(tree.admit(lane(5), 0), Admission::Repeat);
        tree.apply(1, 1, lane(5), 1, &reap);
        tree.apply(1, 1, lane(5), 2, &reap);
        assert_eq!(tree.lane(ServerId(7)), Some((5, 2)));
        for (boot, number, admission) in [
            (5, 1, Admission::Repeat),
            (5, 2, Admission::Repeat),
            (5, 3, Admission::Next),
            (5, 4, Admission::Gap),
            (4, 1, Admission::Repeat),
            (4, 3, Admission::Repeat),
            (6, 1, Admission::Next),
            (6, 2, Admission::Gap),
            (6, 3, Admission::Gap),
        ] {
            assert_eq!(tree.admit(lane(boot), number), admission, "{boot} {number}");
        }
        tree.apply(1, 1, lane(6), 1, &reap);
        assert_eq!(tree.lane(ServerId(7)), Some((6, 1)));
        assert_eq!(tree.admit(LANE, 1), Admission::Next, "lanes are apart");
    }

    #[test]
    fn a_zxid_is_the_next_one_or_the_first_of_its_term() {
        let mut stage = Stage::new();
        assert_eq!(stage.tree.last_zxid(), Zxid(2), "two sessions were opened");
        assert_eq!(stage.ok(&create("/a", 0)).zxid, Zxid(3));
        stage.term = 2;
        assert_eq!(stage.ok(&create("/b", 0)).zxid, Zxid(2 << 32));
        assert_eq!(stage.ok(&create("/c", 0)).zxid, Zxid((2 << 32) + 1));
        stage.term = 1;
        assert_eq!(stage.ok(&create("/d", 0)).zxid, Zxid((2 << 32) + 2));
    }

    #[test]
    fn an_unknown_session_changes_nothing_and_takes_no_zxid() {
        let mut stage = Stage::new();
        let applied = stage.play_as(SessionId(99), &create("/a", 0));
        assert_eq!(applied.zxid, Zxid(2));
        assert_eq!(applied.result, Err(Code::SessionExpired));
        assert!(!stage.has("/a"));
    }

    #[test]
    fn a_write_of_an_earlier_connection_is_refused() {
        let mut stage = Stage::new();
        let applied = stage.draft(&attach(S1, &[1; PASSWORD_BYTES], OTHER));
        assert_eq!(applied.result, Ok(Reply::Empty));
        assert_eq!(applied.zxid, Zxid(2), "attach takes none");
        let previous = Some(Stage::origin());
        assert_eq!(applied.session, SessionChange::Attached { previous });
        let moved = stage.play_as(S1, &create("/a", 0));
        assert_eq!(
            (moved.zxid, moved.result),
            (Zxid(2), Err(Code::SessionMoved))
        );
        let refused = stage.draft(&Draft::Refused {
            session: S1,
            connection: CONNECTION,
            scope: Scope::Global,
            code: Code::Unimplemented,
        });
        assert_eq!(refused.result, Err(Code::SessionMoved));
        let session = stage.tree.sessions().get(&S1).unwrap();
        assert_eq!(session.timeout_ms, 9_000);
    }

    #[test]
    fn attach_needs_a_session_and_its_password() {
        let mut stage = Stage::new();
        for (session, password, code) in [
            (
                SessionId(99),
                &[1; PASSWORD_BYTES][..],
                Code::SessionExpired,
            ),
            (S1, &[2; PASSWORD_BYTES], Code::AuthFailed),
            (S1, &[1; 15], Code::AuthFailed),
            (S1, &[], Code::AuthFailed),
        ] {
            let applied = stage.draft(&attach(session, password, OTHER));
            assert_eq!(applied.result, Err(code));
            assert_eq!(
                (applied.zxid, applied.session),
                (Zxid(2), SessionChange::None)
            );
        }
        let session = stage.tree.sessions().get(&S1).unwrap();
        assert_eq!(session.origin, Some(Stage::origin()));
    }

    #[test]
    fn open_refuses_ids_that_are_taken_or_mean_something_else() {
        let mut stage = Stage::new();
        for id in [S1.0, 0, i64::MIN, 0xff00_0000_0000_0005_u64 as i64] {
            let before = stage.tree.sessions().clone();
            let zxid = stage.tree.last_zxid();
            let applied = stage.draft(&Draft::Open {
                session: SessionId(id),
                password: [9; PASSWORD_BYTES],
                timeout_ms: 1,
                connection: OTHER,
            });
            assert_eq!(applied.result, Err(Code::NodeExists));
            assert_eq!(applied.session, SessionChange::None);
            assert_eq!(applied.zxid, zxid.next(0));
            assert_eq!(*stage.tree.sessions(), before);
        }
    }

    #[test]
    fn a_refused_write_takes_its_zxid() {
        let mut stage = Stage::new();
        let applied = stage.draft(&Draft::Refused {
            session: S1,
            connection: CONNECTION,
            scope: Scope::Global,
            code: Code::Unimplemented,
        });
        assert_eq!(applied.zxid, Zxid(3));
        assert_eq!(applied.result, Err(Code::Unimplemented));
        let garbled = stage.play(&(OpCode::Create, vec![1, 2]));
        assert_eq!(garbled.result, Err(Code::MarshallingError));
        let read = stage.play(&(OpCode::WhoAmI, vec![]));
        assert_eq!(read.result, Err(Code::Unimplemented));
    }

    #[test]
    fn writes_tell_what_happened_in_zookeepers_order() {
        let mut stage = Stage::new();
        let created = stage.ok(&create("/a", 0));
        assert_eq!(events(&created), [(Created, "/a"), (ChildrenChanged, "/")]);
        let created = stage.ok(&create("/a/b", 0));
        assert_eq!(
            events(&created),
            [(Created, "/a/b"), (ChildrenChanged, "/a")]
        );
        let set = stage.ok(&set("/a/b", None, -1));
        assert_eq!(events(&set), [(DataChanged, "/a/b")]);
        let list = stage.ok(&set_acl("/a/b", &[acl(31, "world", "anyone")], -1));
        assert_eq!(events(&list), []);
        let deleted = stage.ok(&delete("/a/b", -1));
        assert_eq!(
            events(&deleted),
            [(Deleted, "/a/b"), (ChildrenChanged, "/a")]
        );
    }

    #[test]
    fn an_event_carries_the_acl_of_its_own_znode() {
        let mut stage = Stage::new();
        let (mine, its) = ([acl(31, "ip", "127.0.0.1")], [acl(1, "world", "anyone")]);
        stage.ok(&create_with("/a", b"", &mine));
        for act in [create_with("/a/b", b"", &its), delete("/a/b", -1)] {
            let applied = stage.ok(&act);
            assert_eq!(*applied.events[0].acl, its);
            assert_eq!(*applied.events[1].acl, mine);
        }
    }

    #[test]
    fn closing_a_session_deletes_its_ephemerals_in_path_order_at_one_zxid() {
        let mut stage = Stage::new();
        for path in ["/d", "/d/y", "/d/x", "/e"] {
            stage.ok(&create(path, i32::from(path != "/d")));
        }
        stage.play_as(S2, &create("/d/z", 1));
        let before = stage.tree.last_zxid();
        let closed = stage.ok(&close());
        assert_eq!(closed.zxid, Zxid(before.0 + 1));
        assert_eq!(
            events(&closed),
            [
                (Deleted, "/d/x"),
                (ChildrenChanged, "/d"),
                (Deleted, "/d/y"),
                (ChildrenChanged, "/d"),
                (Deleted, "/e"),
                (ChildrenChanged, "/"),
            ]
        );
        let origin = Some(Stage::origin());
        let session = S1;
        assert_eq!(closed.session, SessionChange::Closed { session, origin });
        assert_eq!(stage.stat("/d").pzxid, closed.zxid.0);
        assert!(stage.has("/d/z"));
        assert_eq!(stage.tree.ephemerals_count(), 1);
        let late = stage.play_as(S1, &create("/late", 0));
        assert_eq!(late.result, Err(Code::SessionExpired));
    }

    #[test]
    fn a_session_expires_only_where_the_leader_saw_it() {
        let mut stage = Stage::new();
        stage.ok(&create("/e", 1));
        let seen = Some(Stage::origin());
        stage.draft(&attach(S1, &[1; PASSWORD_BYTES], OTHER));
        for (session, origin) in [(S1, seen), (S1, None), (SessionId(99), seen)] {
            let before = stage.tree.last_zxid();
            let spared = stage.draft(&Draft::Expire { session, origin });
            assert_eq!((spared.zxid, spared.session), (before, SessionChange::None));
            assert!(stage.has("/e"));
        }
        let origin = Some(Origin {
            connection: OTHER,
            ..Stage::origin()
        });
        let session = S1;
        let expired = stage.draft(&Draft::Expire { session, origin });
        assert_eq!(expired.session, SessionChange::Closed { session, origin });
        assert_eq!(events(&expired), [(Deleted, "/e"), (ChildrenChanged, "/")]);
        assert!(stage.tree.sessions().get(&S1).is_none());
    }

    #[test]
    fn equal_proposals_make_equal_digests() {
        let play = || {
            let mut stage = Stage::new();
            stage.ok(&create_with("/a", b"x", &[acl(31, "ip", "127.0.0.1")]));
            stage.ok(&create("/a/e-", 3));
            stage.err(&delete("/a", -1));
            stage
        };
        let (mut one, two) = (play(), play());
        assert_eq!(one.tree.digest(), two.tree.digest());
        one.play(&delete("/none", -1));
        assert_ne!(one.tree.digest(), two.tree.digest(), "a zxid was taken");
    }

    #[test]
    fn a_local_session_writes_and_owns_nothing_until_it_is_upgraded() {
        let mut stage = Stage::new();
        let local = SessionId(77);
        let play = |stage: &mut Stage, scope, (op, body): &crate::tree::stage::Act| {
            let identities = stage.identities.clone();
            let (session, connection, rules) = (local, CONNECTION, stage.rules);
            let (op, body) = (*op, &body[..]);
            let applied = stage.draft(&Draft::Request {
                session,
                connection,
                scope,
                rules,
                identities,
                op,
                body,
            });
            (applied.zxid, applied.result.map(drop))
        };
        let (plain, owned) = (create("/a", 0), create("/e", 1));
        assert_eq!(play(&mut stage, Scope::Local, &plain), (Zxid(3), Ok(())));
        let refused = Err(Code::EphemeralOnLocalSession);
        assert_eq!(play(&mut stage, Scope::Local, &owned), (Zxid(4), refused));
        let unknown = Err(Code::SessionExpired);
        assert_eq!(play(&mut stage, Scope::Global, &owned), (Zxid(4), unknown));
        let upgraded = stage.draft(&Draft::Upgrade {
            session: local,
            password: [7; PASSWORD_BYTES],
            timeout_ms: 4_000,
            connection: CONNECTION,
        });
        assert_eq!(
            (upgraded.zxid, upgraded.session),
            (Zxid(5), SessionChange::Opened)
        );
        assert_eq!(play(&mut stage, Scope::Global, &owned), (Zxid(6), Ok(())));
        assert_eq!(
            stage.tree.sessions().ephemerals(local).collect::<Vec<_>>(),
            ["/e"]
        );
    }
}

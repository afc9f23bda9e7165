//! Where the tests of this room play: a tree, one server, and requests written as a client would.

use bytes::BytesMut;

use crate::proto::ConnectionId;
use crate::proto::{
    Acl, Code, EventKind, Id, MultiOutcome, OpCode, PASSWORD_BYTES, Reply, ServerId, SessionId,
    Stat, Writer,
};
use crate::session::{Origin, Scope};
use crate::tree::{Admission, Applied, Draft, Lane, Rules, Tracing, Tree};

/// The session that plays when no other is named.
pub(super) const S1: SessionId = SessionId(0x10_0000_0001);
/// Another session.
pub(super) const S2: SessionId = SessionId(0x10_0000_0002);
/// The connection of every session.
pub(super) const CONNECTION: ConnectionId = ConnectionId(1);
/// The only server.
pub(super) const LANE: Lane = Lane {
    server: ServerId(1),
    boot: 1,
};

/// An operation and the record a client sends for it.
pub(super) type Act = (OpCode, Vec<u8>);

fn record(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut Writer::new(&mut out));
    out.into()
}

/// A create of any of the four kinds; the ttl is written for createTTL only.
pub(super) fn create_full(
    op: OpCode,
    path: &str,
    data: Option<&[u8]>,
    acl: &[Acl],
    flags: i32,
    ttl: i64,
) -> Act {
    let body = record(|w| {
        w.text(path);
        w.buffer(data);
        Acl::encode_list(acl, w);
        w.i32(flags);
        if op == OpCode::CreateTtl {
            w.i64(ttl);
        }
    });
    (op, body)
}

pub(super) fn create_as(op: OpCode, path: &str, flags: i32) -> Act {
    create_full(op, path, Some(b""), &[Acl::open()], flags, -1)
}

pub(super) fn create(path: &str, flags: i32) -> Act {
    create_as(OpCode::Create, path, flags)
}

pub(super) fn create_ttl(path: &str, flags: i32, ttl: i64) -> Act {
    create_full(
        OpCode::CreateTtl,
        path,
        Some(b""),
        &[Acl::open()],
        flags,
        ttl,
    )
}

pub(super) fn create_with(path: &str, data: &[u8], acl: &[Acl]) -> Act {
    create_full(OpCode::Create, path, Some(data), acl, 0, -1)
}

pub(super) fn delete(path: &str, version: i32) -> Act {
    let body = record(|w| {
        w.text(path);
        w.i32(version);
    });
    (OpCode::Delete, body)
}

pub(super) fn check(path: &str, version: i32) -> Act {
    (OpCode::Check, delete(path, version).1)
}

pub(super) fn set(path: &str, data: Option<&[u8]>, version: i32) -> Act {
    let body = record(|w| {
        w.text(path);
        w.buffer(data);
        w.i32(version);
    });
    (OpCode::SetData, body)
}

pub(super) fn set_acl(path: &str, acl: &[Acl], version: i32) -> Act {
    let body = record(|w| {
        w.text(path);
        Acl::encode_list(acl, w);
        w.i32(version);
    });
    (OpCode::SetAcl, body)
}

pub(super) fn close() -> Act {
    (OpCode::CloseSession, Vec::new())
}

pub(super) fn multi(acts: &[Act]) -> Act {
    let body = record(|w| {
        let header = |w: &mut Writer<'_>, number: i32, done: bool| {
            w.i32(number);
            w.bool(done);
            w.i32(-1);
        };
        for (op, body) in acts {
            header(w, op.number(), false);
            w.raw(body);
        }
        header(w, -1, true);
    });
    (OpCode::Multi, body)
}

/// One entry of a list.
pub(super) fn acl(perms: i32, scheme: &str, id: &str) -> Acl {
    Acl {
        perms,
        id: Id::new(scheme, id),
    }
}

/// A tree with two sessions, and who plays under which rules.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) tree: Tree,
    pub(super) now_ms: i64,
    pub(super) term: u64,
    pub(super) rules: Rules,
    pub(super) identities: Vec<Id>,
    pub(super) tracing: Tracing,
    number: u64,
}

impl Stage {
    pub(super) fn new() -> Stage {
        let mut stage = Stage {
            tree: Tree::new(),
            now_ms: 1_000,
            term: 0,
            rules: Rules::default(),
            identities: vec![Id::new("ip", "127.0.0.1")],
            tracing: Tracing::OFF,
            number: 0,
        };
        for session in [S1, S2] {
            let opened = stage.draft(&Draft::Open {
                session,
                password: [session.0 as u8; PASSWORD_BYTES],
                timeout_ms: 4_000,
                connection: CONNECTION,
            });
            assert_eq!(opened.result, Ok(Reply::Empty));
        }
        stage
    }

    /// Where every session is attached.
    pub(super) fn origin() -> Origin {
        Origin {
            server: LANE.server,
            connection: CONNECTION,
        }
    }

    pub(super) fn draft(&mut self, draft: &Draft<'_>) -> Applied {
        self.number += 1;
        assert_eq!(self.tree.admit(LANE, self.number), Admission::Next);
        let (term, now_ms) = (self.term, self.now_ms);
        let tree = &mut self.tree;
        let applied = tree.apply_traced(term, now_ms, LANE, self.number, draft, self.tracing);
        assert_eq!(applied.zxid, self.tree.last_zxid());
        applied
    }

    pub(super) fn play_as(&mut self, session: SessionId, (op, body): &Act) -> Applied {
        let identities = self.identities.clone();
        self.draft(&Draft::Request {
            session,
            connection: CONNECTION,
            scope: Scope::Global,
            rules: self.rules,
            identities,
            op: *op,
            body,
        })
    }

    /// Plays as the first session, which must consume exactly one zxid.
    pub(super) fn play(&mut self, act: &Act) -> Applied {
        let before = self.tree.last_zxid();
        let applied = self.play_as(S1, act);
        assert_eq!(applied.zxid, before.next(self.term));
        applied
    }

    /// Plays what must succeed.
    pub(super) fn ok(&mut self, act: &Act) -> Applied {
        let applied = self.play(act);
        assert!(applied.result.is_ok(), "{act:?}: {applied:?}");
        if let Ok(Reply::Multi(outcomes)) = &applied.result {
            let failed = |outcome: &MultiOutcome| matches!(outcome, MultiOutcome::Failed(_));
            assert!(!outcomes.iter().any(failed), "{outcomes:?}");
        }
        applied
    }

    /// Plays what must fail, and checks that nothing but the zxid changed.
    pub(super) fn err(&mut self, act: &Act) -> Code {
        let mut before = self.tree.clone();
        let applied = self.play(act);
        assert_eq!(applied.events, []);
        before.lanes.clone_from(&self.tree.lanes);
        before.last_zxid = self.tree.last_zxid;
        assert_eq!(before.digest(), self.tree.digest(), "{act:?}");
        match applied.result {
            Err(code) => code,
            Ok(Reply::Multi(outcomes)) => outcomes
                .iter()
                .find_map(|outcome| match outcome {
                    MultiOutcome::Failed(code) => code.as_ref(),
                    _ => None,
                })
                .copied()
                .expect("an outcome that failed"),
            Ok(reply) => panic!("{act:?}: {reply:?}"),
        }
    }

    pub(super) fn stat(&self, path: &str) -> Stat {
        self.tree.stat(path).unwrap_or_else(|| panic!("no {path}"))
    }

    pub(super) fn data(&self, path: &str) -> Option<Vec<u8>> {
        let znode = self.tree.root.find(path).expect("znode exists");
        znode.data().map(<[u8]>::to_vec)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.tree.stat(path).is_some()
    }
}

/// The path a create answered.
pub(super) fn created(applied: &Applied) -> String {
    match &applied.result {
        Ok(Reply::Created(path) | Reply::CreatedWithStat(path, _)) => path.to_string(),
        other => panic!("{other:?}"),
    }
}

/// What happened, without ACLs.
pub(super) fn events(applied: &Applied) -> Vec<(EventKind, &str)> {
    let events = applied.events.iter();
    events.map(|event| (event.kind, &*event.path)).collect()
}

//! A tree that a bench plays requests on.

use bytes::BytesMut;
use zoowarden::proto::{Acl, ConnectionId, OpCode, ServerId, SessionId, Writer};
use zoowarden::session::Scope;
use zoowarden::tree::{Draft, Lane, Rules, Tree};

pub(crate) const SESSION: SessionId = SessionId(1);
const LANE: Lane = Lane {
    server: ServerId(1),
    boot: 1,
};
pub(crate) const DATA: [u8; 100] = [7; 100];

/// A tree with one session, and the next number of its lane.
pub(crate) struct Player {
    pub(crate) tree: Tree,
    number: u64,
}

impl Player {
    pub(crate) fn new() -> Player {
        let mut player = Player {
            tree: Tree::new(),
            number: 0,
        };
        player.apply(&Draft::Open {
            session: SESSION,
            password: [0; 16],
            timeout_ms: 30_000,
            connection: ConnectionId(1),
        });
        player
    }

    pub(crate) fn apply(&mut self, draft: &Draft<'_>) {
        self.number += 1;
        let applied = self
            .tree
            .apply(1, 1_700_000_000_000, LANE, self.number, draft);
        assert!(applied.result.is_ok(), "{applied:?}");
    }

    pub(crate) fn play(&mut self, op: OpCode, body: &[u8]) {
        self.apply(&Draft::Request {
            session: SESSION,
            connection: ConnectionId(1),
            scope: Scope::Global,
            rules: Rules::default(),
            identities: Vec::new(),
            op,
            body,
        });
    }
}

/// The record of a create of 100 bytes.
pub(crate) fn create(path: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut w = Writer::new(&mut out);
    w.text(path);
    w.buffer(Some(&DATA));
    Acl::encode_list(&[Acl::open()], &mut w);
    w.i32(0);
    out.into()
}

/// The record of a setData of 100 bytes.
pub(crate) fn set(path: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut w = Writer::new(&mut out);
    w.text(path);
    w.buffer(Some(&DATA));
    w.i32(-1);
    out.into()
}

//! The digest tells states apart that differ in one thing only.

use std::collections::BTreeMap;

use bytes::BytesMut;
use zoowarden::proto::{Acl, ConnectionId, OpCode, ServerId, SessionId, Writer};

use zoowarden::session::Scope;
use zoowarden::tree::{Draft, Lane, Rules, Tree};

const SESSION: SessionId = SessionId(7);

fn lane(server: u8, boot: u64) -> Lane {
    Lane {
        server: ServerId(server),
        boot,
    }
}

fn open(password: u8, timeout_ms: i32, connection: u64) -> Draft<'static> {
    Draft::Open {
        session: SESSION,
        password: [password; 16],
        timeout_ms,
        connection: ConnectionId(connection),
    }
}

/// Applies drafts in one lane, all under one term and stamp.
fn tree(stamp_ms: i64, lane: Lane, drafts: &[Draft<'_>]) -> Tree {
    let mut tree = Tree::new();
    for (number, draft) in (1..).zip(drafts) {
        let applied = tree.apply(1, stamp_ms, lane, number, draft);
        assert!(applied.result.is_ok(), "{draft:?}: {applied:?}");
    }
    tree
}

/// A tree with one znode made by `create`, which differs from the others in one field.
fn tree_with(path: &str, data: Option<&[u8]>, perms: i32, flags: i32, ttl: i64) -> Tree {
    let mut body = BytesMut::new();
    let mut w = Writer::new(&mut body);
    w.text(path);
    w.buffer(data);
    let acl = Acl {
        perms,
        ..Acl::open()
    };
    Acl::encode_list(&[acl], &mut w);
    w.i32(flags);
    let op = match flags {
        5 => OpCode::CreateTtl,
        4 => OpCode::CreateContainer,
        _ => OpCode::Create,
    };
    if op == OpCode::CreateTtl {
        w.i64(ttl);
    }
    let create = Draft::Request {
        session: SESSION,
        connection: ConnectionId(1),
        scope: Scope::Global,
        rules: Rules {
            extended_types: true,
            ..Rules::default()
        },
        identities: Vec::new(),
        op,
        body: &body,
    };
    tree(1000, lane(1, 1), &[open(1, 1, 1), create])
}

#[test]
fn digest_differs_when_one_thing_differs() {
    let data = Some(&b"data"[..]);
    let opened = &[open(1, 1, 1)];
    let trees = [
        ("nothing", Tree::new()),
        ("a session", tree(1000, lane(1, 1), opened)),
        ("its password", tree(1000, lane(1, 1), &[open(2, 1, 1)])),
        ("its timeout", tree(1000, lane(1, 1), &[open(1, 2, 1)])),
        ("its connection", tree(1000, lane(1, 1), &[open(1, 1, 2)])),
        ("its server", tree(1000, lane(2, 1), opened)),
        ("the boot", tree(1000, lane(1, 2), opened)),
        ("a znode", tree_with("/a", data, 31, 0, 0)),
        ("its path", tree_with("/b", data, 31, 0, 0)),
        ("its data", tree_with("/a", Some(b"dada"), 31, 0, 0)),
        ("empty data", tree_with("/a", Some(b""), 31, 0, 0)),
        ("null data", tree_with("/a", None, 31, 0, 0)),
        ("its acl", tree_with("/a", data, 30, 0, 0)),
        ("ephemeral", tree_with("/a", data, 31, 1, 0)),
        ("container", tree_with("/a", data, 31, 4, 0)),
        ("ttl", tree_with("/a", data, 31, 5, 10)),
        ("another ttl", tree_with("/a", data, 31, 5, 11)),
    ];
    let mut seen = BTreeMap::new();
    for (what, tree) in &trees {
        if let Some(other) = seen.insert(tree.digest(), what) {
            panic!("{what} and {other} have one digest");
        }
    }
}

#[test]
fn digest_covers_times_and_zxids() {
    let digest = |term, stamp_ms| {
        let mut tree = Tree::new();
        tree.apply(1, 0, lane(1, 1), 1, &open(1, 1, 1));
        let mut body = BytesMut::new();
        let mut w = Writer::new(&mut body);
        w.text("/");
        w.buffer(None);
        w.i32(-1);
        let set = Draft::Request {
            session: SESSION,
            connection: ConnectionId(1),
            scope: Scope::Global,
            rules: Rules::default(),
            identities: Vec::new(),
            op: OpCode::SetData,
            body: &body,
        };
        assert!(
            tree.apply(term, stamp_ms, lane(1, 1), 2, &set)
                .result
                .is_ok()
        );
        tree.digest()
    };
    assert_ne!(digest(1, 5), digest(1, 6));
    assert_ne!(digest(1, 5), digest(2, 5));
}

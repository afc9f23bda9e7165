//! Every operation, with every permission, as everybody: against ZooKeeper's table, written down a
//! second time.
//!
//! Invariant: the match of [`asked`] has no wildcard either, so that a new operation does not
//! compile before somebody has said how it is asked for here.

use bytes::BytesMut;

use crate::proto::perms::{ADMIN, ALL, CREATE, DELETE, READ, WRITE};
use crate::proto::{Acl, Code, Id, MultiOutcome, OpCode, ReadOutcome, Reply, Request, Writer};
use crate::tree::stage::{
    Act, S1, Stage, acl, check, create_as, create_ttl, create_with, delete, multi, set, set_acl,
};

const PARENT: &str = "/p";
const ZNODE: &str = "/p/c";
const NEW: &str = "/p/new";

/// How an operation is asked for, and what ZooKeeper wants for it: bits of the znode's list, of which
/// one is enough, and bits of its parent's.
enum Asked {
    /// Of the tree, by apply.
    Write(Act, Wants),
    /// Of the tree, by a read.
    Read(Vec<u8>, Wants),
    /// Never of the tree.
    Elsewhere,
}

#[derive(Clone, Copy)]
enum Wants {
    Znode(i32),
    Parent(i32),
    Nothing,
}

fn record(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut Writer::new(&mut out));
    out.into()
}

fn named(with_watch: bool) -> Vec<u8> {
    record(|w| {
        w.text(ZNODE);
        if with_watch {
            w.bool(false);
        }
    })
}

/// As ZooKeeper's guide has them, section "ACL Permissions", and its source where that is silent.
fn asked(op: OpCode) -> Asked {
    use Wants::{Nothing, Parent, Znode};
    let open = [Acl::open()];
    match op {
        OpCode::Create | OpCode::Create2 => Asked::Write(create_as(op, NEW, 0), Parent(CREATE)),
        OpCode::CreateContainer => Asked::Write(create_as(op, NEW, 4), Parent(CREATE)),
        OpCode::CreateTtl => Asked::Write(create_ttl(NEW, 5, 1000), Parent(CREATE)),
        OpCode::Delete => Asked::Write(delete(ZNODE, -1), Parent(DELETE)),
        OpCode::SetData => Asked::Write(set(ZNODE, Some(b"x"), -1), Znode(WRITE)),
        OpCode::SetAcl => Asked::Write(set_acl(ZNODE, &open, -1), Znode(ADMIN)),
        OpCode::Check => Asked::Write(check(ZNODE, -1), Znode(READ)),
        OpCode::Multi => {
            let part = set(ZNODE, Some(b"x"), -1);
            Asked::Write(multi(&[part]), Znode(WRITE))
        }
        OpCode::MultiRead => {
            let (_, body) = multi(&[(OpCode::GetData, named(true))]);
            Asked::Read(body, Znode(READ))
        }
        OpCode::Exists | OpCode::GetData | OpCode::GetChildren | OpCode::GetChildren2 => {
            Asked::Read(named(true), Znode(READ))
        }
        OpCode::GetAllChildrenNumber => Asked::Read(named(false), Znode(READ)),
        OpCode::GetAcl => Asked::Read(named(false), Znode(READ | ADMIN)),
        // The session's own: there are none here.
        OpCode::GetEphemerals => Asked::Read(named(false), Nothing),
        // Wants a configuration: see `reconfig`.
        OpCode::Reconfig => Asked::Elsewhere,
        OpCode::Sync
        | OpCode::Ping
        | OpCode::CheckWatches
        | OpCode::RemoveWatches
        | OpCode::Auth
        | OpCode::SetWatches
        | OpCode::SetWatches2
        | OpCode::Sasl
        | OpCode::AddWatch
        | OpCode::WhoAmI
        | OpCode::CloseSession => Asked::Elsewhere,
    }
}

/// Whom the lists name.
fn alice() -> Id {
    Id::new("digest", "alice:h")
}

/// Who asks, and whether an entry for Alice is one for them.
fn askers() -> Vec<(&'static str, Vec<Id>, bool)> {
    let ip = || Id::new("ip", "127.0.0.1");
    vec![
        ("nobody", vec![], false),
        ("an address", vec![ip()], false),
        ("alice", vec![ip(), alice()], true),
        ("alice elsewhere", vec![Id::new("sasl", "alice:h")], false),
        ("bob", vec![ip(), Id::new("digest", "bob:h")], false),
        (
            "somebody like alice",
            vec![Id::new("digest", "alice:")],
            false,
        ),
    ]
}

/// `/p` and `/p/c`, each with one entry for Alice.
fn stage(parent: i32, znode: i32) -> Stage {
    let mut stage = Stage::new();
    stage.rules.extended_types = true;
    stage.identities = vec![Id::new("super", "")];
    let list = |bits| [acl(bits, "digest", "alice:h")];
    stage.ok(&create_with(PARENT, b"", &list(parent)));
    stage.ok(&create_with(ZNODE, b"", &list(znode)));
    stage
}

/// What the tree says to an operation; `None` is success.
fn refusal(stage: &mut Stage, op: OpCode, asked: &Asked) -> Option<Code> {
    match asked {
        Asked::Write(act, _) => match stage.play(act).result {
            Err(code) => Some(code),
            Ok(Reply::Multi(outcomes)) => outcomes.iter().find_map(|outcome| match outcome {
                MultiOutcome::Failed(code) => *code,
                _ => None,
            }),
            Ok(_) => None,
        },
        Asked::Read(body, _) => {
            let request = Request::decode(op, body).expect("the test's own record");
            let skip_acl = stage.rules.skip_acl;
            match stage.tree.read(S1, &request, &stage.identities, skip_acl) {
                Err(code) => Some(code),
                Ok(Reply::MultiRead(outcomes)) => {
                    outcomes.iter().find_map(|outcome| match outcome {
                        ReadOutcome::Failed(code) => Some(*code),
                        _ => None,
                    })
                }
                Ok(_) => None,
            }
        }
        Asked::Elsewhere => None,
    }
}

/// etcd's CVE-2026-33413, and the class of ZooKeeper's CVE-2019-0201: an operation that nobody checks.
#[test]
fn cve_2026_33413_every_operation_wants_what_zookeeper_wants_of_everybody() {
    let mut judged = 0;
    for op in OpCode::ALL {
        let asked = asked(op);
        let wants = match &asked {
            Asked::Write(_, wants) | Asked::Read(_, wants) => *wants,
            Asked::Elsewhere => continue,
        };
        for bit in [READ, WRITE, CREATE, DELETE, ADMIN] {
            for (parent, znode) in [(bit, 0), (0, bit), (ALL - bit, ALL), (ALL, ALL - bit)] {
                let granted = match wants {
                    Wants::Znode(bits) => znode & bits != 0,
                    Wants::Parent(bits) => parent & bits != 0,
                    Wants::Nothing => true,
                };
                for (who, identities, is_alice) in askers() {
                    let mut stage = stage(parent, znode);
                    stage.identities = identities;
                    let expected = granted && (is_alice || matches!(wants, Wants::Nothing));
                    let got = refusal(&mut stage, op, &asked);
                    let want = (!expected).then_some(Code::NoAuth);
                    assert_eq!(got, want, "{op:?} by {who}: {parent} {znode}");
                    judged += 1;
                }
            }
        }
        for skip_acl in [false, true] {
            let mut stage = stage(0, 0);
            stage.rules.skip_acl = skip_acl;
            stage.identities = match skip_acl {
                true => vec![],
                false => vec![Id::new("super", "")],
            };
            assert_eq!(refusal(&mut stage, op, &asked), None, "{op:?}");
        }
    }
    assert_eq!(judged, 17 * 5 * 4 * 6);
}

#[test]
fn reconfig_wants_write_on_the_configuration() {
    let body = record(|w| {
        for _ in 0..2 {
            w.text_or_null(None);
        }
        w.text("server.1=a:1:2;3,server.2=b:1:2;3");
        w.i64(-1);
    });
    let act = (OpCode::Reconfig, body);
    for (bits, allowed) in [(READ, false), (ALL - WRITE, false), (WRITE, true)] {
        let mut stage = Stage::new();
        let config = crate::tree::CONFIG_PATH;
        stage.identities = vec![Id::new("super", "")];
        stage.ok(&set_acl(config, &[acl(bits, "digest", "alice:h")], -1));
        stage.identities = vec![Id::new("digest", "bob:h")];
        assert_eq!(stage.play(&act).result, Err(Code::NoAuth), "{bits}");
        stage.identities = vec![alice()];
        let refused = stage.play(&act).result == Err(Code::NoAuth);
        assert_eq!(refused, !allowed, "{bits}");
    }
}

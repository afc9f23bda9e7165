//! Every operation that names a znode, with every combination of permissions, as several clients.
//!
//! Nothing is changed by asking: who may, asks for a version that there is not, or for a znode that
//! is there already.

use std::net::SocketAddr;

use zoowarden::client::Acl;
use zoowarden::proto::{OpCode, Reader, Writer};
use zoowarden_tests::client::{Answer, Client, Pending};

use super::{Table, connect, created, entry, shown};

const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";

/// No znode has it.
const NO_VERSION: i32 = 99;

/// Who asks: a name, and what is proven.
const ASKERS: [(&str, &[&str]); 5] = [
    ("nobody", &[]),
    ("alice", &["alice:secret"]),
    ("bob", &["bob:x"]),
    ("bob and alice", &["bob:x", "alice:secret"]),
    ("super", &["super:test"]),
];

/// Lists with one entry that gives some permissions.
const KINDS: [(&str, &str, &str); 7] = [
    ("world", "world", "anyone"),
    ("alice", "digest", ALICE),
    ("bob-unhashed", "digest", "bob:x"),
    ("address", "ip", "127.0.0.1"),
    ("loopback", "ip", "127.0.0.0/8"),
    ("elsewhere", "ip", "10.0.0.0/8"),
    ("user", "sasl", "alice"),
];

/// What an operation is called, and how it is asked for.
type Ask = (&'static str, OpCode, fn(&mut Writer<'_>, &str));

fn create(w: &mut Writer<'_>, path: &str, flags: i32) {
    w.text(&format!("{path}/c"));
    w.buffer(None);
    Acl::encode_list(&[Acl::open()], w);
    w.i32(flags);
}

fn versioned(w: &mut Writer<'_>, path: &str) {
    w.text(path);
    w.i32(NO_VERSION);
}

fn set_data(w: &mut Writer<'_>, path: &str) {
    w.text(path);
    w.buffer(None);
    w.i32(NO_VERSION);
}

fn watched(w: &mut Writer<'_>, path: &str) {
    w.text(path);
    w.bool(false);
}

/// A multi, or a multiRead, of one part.
fn part(w: &mut Writer<'_>, op: OpCode, fill: impl FnOnce(&mut Writer<'_>)) {
    let header = |w: &mut Writer<'_>, number: i32, done: bool| {
        w.i32(number);
        w.bool(done);
        w.i32(-1);
    };
    header(w, op.number(), false);
    fill(w);
    header(w, -1, true);
}

const ASKS: [Ask; 21] = [
    ("create", OpCode::Create, |w, p| create(w, p, 0)),
    ("create2", OpCode::Create2, |w, p| create(w, p, 0)),
    ("createContainer", OpCode::CreateContainer, |w, p| {
        create(w, p, 4);
    }),
    ("createTTL", OpCode::CreateTtl, |w, p| {
        create(w, p, 5);
        w.i64(1_000_000);
    }),
    ("delete", OpCode::Delete, |w, p| {
        versioned(w, &format!("{p}/c"));
    }),
    ("setData", OpCode::SetData, set_data),
    ("setACL", OpCode::SetAcl, |w, p| {
        w.text(p);
        Acl::encode_list(&[Acl::open()], w);
        w.i32(NO_VERSION);
    }),
    ("exists", OpCode::Exists, watched),
    ("getData", OpCode::GetData, watched),
    ("getChildren", OpCode::GetChildren, watched),
    ("getChildren2", OpCode::GetChildren2, watched),
    (
        "getAllChildrenNumber",
        OpCode::GetAllChildrenNumber,
        |w, p| w.text(p),
    ),
    ("getACL", OpCode::GetAcl, |w, p| w.text(p)),
    ("getEphemerals", OpCode::GetEphemerals, |w, p| w.text(p)),
    ("sync", OpCode::Sync, |w, p| w.text(p)),
    ("multi of create", OpCode::Multi, |w, p| {
        part(w, OpCode::Create, |w| create(w, p, 0));
    }),
    ("multi of delete", OpCode::Multi, |w, p| {
        part(w, OpCode::Delete, |w| versioned(w, &format!("{p}/c")));
    }),
    ("multi of setData", OpCode::Multi, |w, p| {
        part(w, OpCode::SetData, |w| set_data(w, p));
    }),
    ("multi of check", OpCode::Multi, |w, p| {
        part(w, OpCode::Check, |w| versioned(w, p));
    }),
    ("multiRead of getData", OpCode::MultiRead, |w, p| {
        part(w, OpCode::GetData, |w| watched(w, p));
    }),
    ("multiRead of getChildren", OpCode::MultiRead, |w, p| {
        part(w, OpCode::GetChildren, |w| watched(w, p));
    }),
];

/// Znodes with every combination, each with a child that is open.
async fn prepare(root: &Client) -> Vec<String> {
    created(root, "/operations", &[Acl::open()]).await;
    let mut paths = Vec::new();
    for (name, scheme, id) in KINDS {
        for perms in 0..32 {
            let path = format!("/operations/{name}-{perms}");
            created(root, &path, &[entry(perms, scheme, id)]).await;
            created(root, &format!("{path}/c"), &[Acl::open()]).await;
            paths.push(path);
        }
    }
    paths
}

fn ask(client: &Client, (_, op, fill): Ask, path: &str) -> Pending {
    client.send(op, |w| fill(w, path))
}

/// Its error, or that of its only part.
fn told(op: OpCode, answer: &Answer) -> String {
    match (op, answer.err) {
        (OpCode::GetAcl, _) => shown(answer),
        (OpCode::Multi | OpCode::MultiRead, 0) => {
            let mut r = Reader::new(&answer.body);
            let (number, _, err) = (r.i32().unwrap(), r.bool().unwrap(), r.i32().unwrap());
            format!("part {number} {err}")
        }
        (_, err) => err.to_string(),
    }
}

pub async fn asked(address: SocketAddr) -> Table {
    let root = connect(address, &["super:test"]).await;
    let paths = prepare(&root).await;
    let mut table = Table::new();
    for (who, proofs) in ASKERS {
        let client = connect(address, proofs).await;
        for path in &paths {
            let asked = ASKS.map(|one| (one, ask(&client, one, path)));
            for ((what, op, _), pending) in asked {
                let answer = pending.answer().await.unwrap();
                table.insert(format!("{who} {path} {what}"), told(op, &answer));
            }
        }
    }
    table
}

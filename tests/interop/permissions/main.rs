//! Who may do what, and which lists a client may set: whole tables of it, asked of Apache ZooKeeper
//! and of our server; what they answer has to be the same.
//!
//! usage: `permissions REAL OURS all|lists`, two addresses. Both servers know the superuser `super`
//! with the password `test`.
//!
//! Invariant: nothing is compared loosely; what may differ is named in [`ALLOWED`] with its reason.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![allow(missing_docs, reason = "a program of the tests, with no users")]

mod lists;
mod operations;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use zoowarden::client::{Acl, Id};
use zoowarden::proto::OpCode;
use zoowarden_tests::client::{Answer, Client, Pending};

const TIMEOUT: Duration = Duration::from_secs(30);

/// What was asked, and what came of it.
pub type Table = BTreeMap<String, String>;

/// What may differ: the ends of questions, the answers of Apache's and ours, and the reason.
const ALLOWED: [(&str, &str, &str, &str); 1] = [(
    " exists",
    "0",
    "-102",
    "exists wants READ since 3.8.4 and 3.9.2 (ZOOKEEPER-2590)",
)];

pub async fn connect(address: SocketAddr, proofs: &[&str]) -> Client {
    let client = Client::open(address, TIMEOUT).await.unwrap();
    for proof in proofs {
        let answer = client.send(OpCode::Auth, |w| {
            w.i32(0);
            w.text("digest");
            w.buffer(Some(proof.as_bytes()));
        });
        assert_eq!(answer.answer().await.unwrap().err, 0, "{proof}");
    }
    client
}

pub fn entry(perms: i32, scheme: &str, id: &str) -> Acl {
    Acl {
        perms,
        id: Id::new(scheme, id),
    }
}

/// A create of a znode without data.
pub fn create(client: &Client, path: &str, list: &[Acl]) -> Pending {
    client.send(OpCode::Create, |w| {
        w.text(path);
        w.buffer(None);
        Acl::encode_list(list, w);
        w.i32(0);
    })
}

pub async fn created(client: &Client, path: &str, list: &[Acl]) {
    let answer = create(client, path, list).answer().await.unwrap();
    assert_eq!(answer.err, 0, "{path}");
}

/// The list in the answer to a getACL, or the error.
pub fn shown(answer: &Answer) -> String {
    if answer.err != 0 {
        return answer.err.to_string();
    }
    let mut r = zoowarden::proto::Reader::new(&answer.body);
    let list = Acl::decode_list(&mut r).unwrap().unwrap();
    let one = |acl: &Acl| format!("{}:{}:{}", acl.perms, acl.id.scheme, acl.id.id);
    list.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// How many answers are alike; tells the others.
fn compare(real: &Table, ours: &Table) -> (usize, usize) {
    let (mut alike, mut different) = (0, 0);
    assert!(real.keys().eq(ours.keys()), "the same was asked of both");
    for ((what, real), ours) in real.iter().zip(ours.values()) {
        let allowed = ALLOWED
            .iter()
            .any(|(end, theirs, own, _)| what.ends_with(end) && real == theirs && ours == own);
        if real == ours || allowed {
            alike += 1;
        } else {
            different += 1;
            println!("FAILED {what}: Apache ZooKeeper says {real}, ours {ours}");
        }
    }
    (alike, different)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [real, ours, which] = &arguments[..] else {
        eprintln!("usage: permissions REAL OURS all|lists");
        return ExitCode::from(2);
    };
    let mut tables = Vec::new();
    for address in [real, ours] {
        let address = address.parse().unwrap();
        let mut table = lists::asked(address).await;
        if which == "all" {
            table.extend(operations::asked(address).await);
        }
        tables.push(table);
    }
    let (alike, different) = compare(&tables[0], &tables[1]);
    println!("{alike} passed, {different} failed");
    ExitCode::from(u8::from(different > 0))
}

//! Which lists may be set, what becomes of them, and whom the odd ones let in.

use std::net::SocketAddr;

use zoowarden::client::Acl;
use zoowarden::proto::OpCode;

use super::{Table, connect, create, created, entry, shown};

const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";

/// Ids that some scheme may or may not take.
const IDS: [(&str, &[&str]); 8] = [
    (
        "ip",
        &[
            "127.0.0.1",
            "127.0.0.1/0",
            "127.0.0.1/1",
            "127.0.0.1/31",
            "127.0.0.1/32",
            "127.0.0.1/33",
            "127.0.0.1/-1",
            "127.0.0.1/-0",
            "127.0.0.1/+8",
            "127.0.0.1/08",
            "127.0.0.1/",
            "127.0.0.1/ 8",
            "127.0.0.1/8 ",
            "127.0.0.1/8/8",
            "127.0.0.1/4294967304",
            "127.0.0.1/x",
            "/8",
            "/",
            "",
            "0.0.0.0/0",
            "255.255.255.255/0",
            "128.0.0.0/1",
            "126.0.0.0/7",
            "0127.0.0.1",
            "127.0.0.01",
            "127.0.0.+1",
            "127.0.0.-0",
            "127.0.0.",
            ".0.0.1",
            "127.0.0.1.",
            "127.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "127.0.0.256",
            "383.0.0.1",
            " 127.0.0.1",
            "127.0.0.1 ",
            "localhost",
            "localhost/8",
        ],
    ),
    (
        "digest",
        &[
            "a:b",
            "a",
            "",
            ":",
            "::",
            ":b",
            "a:",
            "a:b:",
            "a:b::",
            "a:b:c",
            "a::b",
            "a b:c d",
            "\u{fc}:\u{e4}",
            ALICE,
        ],
    ),
    (
        "sasl",
        &[
            "bob", "", "a b", "a/b", "a@R", "a/b@R", "@", "a@", "/@x", "a/b/c", "a/b/c@R", "a@b@c",
            "x@y/z", "/", "//@", "super",
        ],
    ),
    (
        "x509",
        &[
            "CN=bob",
            "cn=bob",
            "CN=bob,O=x",
            "CN=bob, O=x",
            "CN=a+OU=b",
            "CN=a;OU=b",
            "CN=\"a,b\"",
            "CN=a\\,b",
            "CN=",
            "CN",
            "=x",
            "",
            "bob",
            "CN=bob,",
            ",CN=bob",
            "CN=a,,O=b",
            "CN=\"a",
            "CN=a\"b",
            "CN=a\\",
            "FOO=x",
            "1.2.3.4=x",
            "OID.1.2.3.4=x",
            "1.2.=x",
            "CN=#0c0161",
            "CN=#0c01",
            "CN=#xy",
            "emailAddress=x@y",
            "C=DE",
            "C=\u{fc}",
            " CN = a ",
            "CN=a=b",
            "CN=<a>",
            "CN=\"<a>\"",
            "CN=\\<a\\>",
            "CN=#",
            "CN=#0c8101",
            "3.1=x",
            "1.40=x",
            "1=x",
            "OID.2.999=y",
            "DNQ=x",
            "CNN=x",
            "UID=x,DC=y,SERIALNUMBER=1,GIVENNAME=a,SURNAME=b,STREET=c,T=d,S=e,ST=f,L=g",
        ],
    ),
    ("world", &["anyone", "", "Anyone", "anyone ", "nobody"]),
    ("auth", &["", "x", ALICE]),
    ("super", &["", "super", "x"]),
    ("key", &["x"]),
];

/// Schemes that there are not, with an id that others take.
const NO_SCHEMES: [&str; 9] = [
    "", "none", "World", "Digest", "IP", "ensemble", "host", "sasl-any", "digest ",
];

/// Passwords of all kinds, text or not.
const PROOFS: [&[u8]; 12] = [
    b"",
    b":",
    b"user",
    b"user:",
    b":only",
    b"a:b:c",
    "\u{fc}ser:p\u{e4}ss".as_bytes(),
    b"latin:p\xe4ss",
    b"l\xe4tin:pass",
    b"cut:\xe2\x82",
    b"two:\xff\xfe",
    b"nul:\0\0",
];

/// Whom a password makes: the entry that `auth` stands for.
async fn proven(address: SocketAddr, table: &mut Table) {
    for (number, proof) in PROOFS.iter().enumerate() {
        let client = connect(address, &[]).await;
        let answer = client.send(OpCode::Auth, |w| {
            w.i32(0);
            w.text("digest");
            w.buffer(Some(proof));
        });
        let err = answer.answer().await.unwrap().err;
        let path = format!("/lists/proof-{number}");
        let set = create(&client, &path, &[entry(31, "auth", "")])
            .answer()
            .await
            .unwrap();
        let kept = client
            .send(OpCode::GetAcl, |w| w.text(&path))
            .answer()
            .await
            .unwrap();
        let told = format!("{err} {} {}", set.err, shown(&kept));
        table.insert(
            format!("whoever says {:?} is", proof.escape_ascii().to_string()),
            told,
        );
    }
}

pub async fn asked(address: SocketAddr) -> Table {
    let nobody = connect(address, &[]).await;
    let alice = connect(address, &["alice:secret"]).await;
    created(&alice, "/lists", &[Acl::open()]).await;
    let mut table = Table::new();
    proven(address, &mut table).await;
    let known = IDS
        .iter()
        .flat_map(|(scheme, ids)| ids.iter().map(|id| (*scheme, *id)));
    let unknown = NO_SCHEMES.iter().map(|scheme| (*scheme, "anyone"));
    for (number, (scheme, id)) in known.chain(unknown).enumerate() {
        let what = format!("{scheme:?} {id:?}");
        for (who, client) in [("nobody", &nobody), ("alice", &alice)] {
            let path = format!("/lists/{who}-{number}");
            let list = [entry(31, scheme, id), entry(16, "digest", ALICE)];
            let set = create(client, &path, &list).answer().await.unwrap();
            table.insert(format!("{who} sets {what}"), set.err.to_string());
            let kept = alice.send(OpCode::GetAcl, |w| w.text(&path)).answer();
            table.insert(format!("{who}'s {what} is"), shown(&kept.await.unwrap()));
            let read = nobody.send(OpCode::GetData, |w| {
                w.text(&path);
                w.bool(false);
            });
            let read = read.answer().await.unwrap().err;
            table.insert(format!("{who}'s {what} lets in"), read.to_string());
        }
    }
    table
}

//! What requests are made of: paths, data, ACLs, identities, modes.

use fastrand::Rng;
use zoowarden::proto::{Acl, Id, OpCode, Writer, perms};

/// `a-` sorts between `a` and `a/…`, where an order by components would not put it.
const NAMES: [&str; 5] = ["a", "a-", "b", "c", "d"];

const ODD_PATHS: [&str; 26] = [
    "",
    "/",
    "//",
    "a",
    "a/b",
    "/a/",
    "/b/",
    "//a",
    "/a//b",
    "/a/./b",
    "/..",
    "/a/..",
    "/a/.",
    "/...",
    "/a\0b",
    "/\u{1}",
    "/\u{e000}",
    "/\u{1f600}",
    "/a/b/",
    "/zookeeper",
    "/zookeeper/quota",
    "/zookeeper/config",
    "/zookeeper/a",
    "/zookeeper/quota/b",
    "/missing/parent",
    "/a b",
];

pub(crate) fn odd_path(rng: &mut Rng) -> &'static str {
    ODD_PATHS[rng.usize(..ODD_PATHS.len())]
}

pub(crate) fn usual_path(rng: &mut Rng) -> String {
    let depth = [1, 1, 1, 2, 2, 2, 2, 3, 3, 4][rng.usize(..10)];
    (0..depth)
        .map(|_| format!("/{}", NAMES[rng.usize(..NAMES.len())]))
        .collect()
}

/// A child of one of two parents.
pub(crate) fn wide_path(rng: &mut Rng) -> String {
    format!("/{}/{:x}", NAMES[rng.usize(..2)], rng.u32(..2_000))
}

pub(crate) fn data(rng: &mut Rng) -> Option<Vec<u8>> {
    match rng.u32(..10) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(vec![7; rng.usize(20..60)]),
        _ => Some((0..rng.usize(1..9)).map(|_| rng.u8(..)).collect()),
    }
}

pub(crate) fn limits(rng: &mut Rng) -> Vec<u8> {
    let (count, bytes) = (rng.i32(-1..12), rng.i32(-1..80));
    let text = match rng.u32(..6) {
        0 => format!("count={count},bytes={bytes}"),
        1 => format!("count=-1,bytes=-1=;countHardLimit={count}"),
        2 => format!("count=-1,bytes=-1=;byteHardLimit={bytes}"),
        3 => format!("count=2,bytes=5=;byteHardLimit={bytes};countHardLimit={count}"),
        4 => format!("countHardLimit={count};;byteHardLimit={bytes},count=3,bytes=9"),
        _ => String::new(),
    };
    text.into_bytes()
}

/// The identities of a connection: always its address, and what it has proved.
pub(crate) fn identities(rng: &mut Rng) -> Vec<Id> {
    let addresses = ["10.1.2.3", "192.168.0.9", "fe80::7"];
    let mut identities = vec![Id::new("ip", addresses[rng.usize(..addresses.len())])];
    if rng.u32(..2) == 0 {
        identities.push(Id::new("digest", "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E="));
    }
    if rng.u32(..4) == 0 {
        identities.push(Id::new("digest", "bob:x"));
    }
    if rng.u32(..4) == 0 {
        identities.push(Id::new("super", ""));
    }
    identities
}

const GOOD_IDS: [(&str, &str); 11] = [
    ("world", "anyone"),
    ("world", "anyone"),
    ("auth", ""),
    ("auth", "ignored"),
    ("digest", "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E="),
    ("digest", "bob:x"),
    ("digest", "bob:x:"),
    ("ip", "10.1.2.3"),
    ("ip", "10.0.0.0/8"),
    ("ip", "fe80::/10"),
    ("ip", "0.0.0.0/0"),
];

const BAD_IDS: [(&str, &str); 17] = [
    ("world", "bob"),
    ("world", ""),
    ("digest", ""),
    ("digest", ":"),
    ("digest", "alice"),
    ("digest", "alice:"),
    ("digest", "a::b"),
    ("digest", "a:b:c"),
    ("ip", ""),
    ("ip", "10.0.0"),
    ("ip", "10.0.0.256"),
    ("ip", "10.0.0.0/33"),
    ("ip", "10.0.0.0/-1"),
    ("ip", "fe80::/129"),
    ("ip", "::ffff:10.1.2.3"),
    ("super", ""),
    ("nobody", "knows"),
];

pub(crate) fn open_acl(w: &mut Writer<'_>) {
    Acl::encode_list(&[Acl::open()], w);
}

/// Mostly open, sometimes picky, sometimes wrong.
pub(crate) fn acl(rng: &mut Rng, w: &mut Writer<'_>) {
    match rng.u32(..100) {
        0..60 => open_acl(w),
        60..62 => w.length(0),
        62 => w.buffer(None),
        63 => {
            w.length(1);
            w.i32(perms::ALL);
            let schemes = [None, Some(&b"world"[..]), Some(b"auth")];
            w.buffer(schemes[rng.usize(..schemes.len())]);
            w.buffer(None);
        }
        roll => {
            let count = rng.usize(1..4);
            w.length(count);
            let bad_at = if roll < 72 { rng.usize(..count) } else { count };
            for i in 0..count {
                let ids = if i == bad_at {
                    &BAD_IDS[..]
                } else {
                    &GOOD_IDS[..]
                };
                let (scheme, id) = ids[rng.usize(..ids.len())];
                let perms = [
                    perms::ALL,
                    perms::ALL,
                    perms::READ,
                    rng.i32(0..32),
                    -1,
                    0x100,
                ];
                w.i32(perms[rng.usize(..perms.len())]);
                w.text(scheme);
                w.text(id);
            }
        }
    }
}

pub(crate) fn create_op(rng: &mut Rng) -> OpCode {
    match rng.u32(..10) {
        0..4 => OpCode::Create,
        4..7 => OpCode::Create2,
        7 => OpCode::CreateContainer,
        _ => OpCode::CreateTtl,
    }
}

/// Flags that suit the operation nearly always, and a ttl that suits them mostly.
pub(crate) fn flags_and_ttl(rng: &mut Rng, op: OpCode, in_multi: bool, w: &mut Writer<'_>) {
    let wild = rng.u32(..100) < if in_multi { 3 } else { 10 };
    let flags = match op {
        _ if wild => [-1, 7, i32::MAX, rng.i32(0..7)][rng.usize(..4)],
        OpCode::CreateContainer => 4,
        OpCode::CreateTtl => rng.i32(5..7),
        _ => [0, 0, 0, 0, 1, 1, 2, 3, 4][rng.usize(..9)],
    };
    w.i32(flags);
    if op == OpCode::CreateTtl {
        let out_of_range = [0, -1, i64::MIN, 1 << 40, i64::MAX];
        w.i64(match rng.u32(..10) {
            0 => out_of_range[rng.usize(..out_of_range.len())],
            1 if !matches!(flags, 5 | 6) => -1,
            2 => (1 << 40) - 1,
            _ => rng.i64(1..60_000),
        });
    }
}

pub(crate) fn multi_header(number: i32, w: &mut Writer<'_>) {
    w.i32(number);
    w.bool(false);
    w.i32(-1);
}

pub(crate) fn multi_end(w: &mut Writer<'_>) {
    w.i32(-1);
    w.bool(true);
    w.i32(-1);
}

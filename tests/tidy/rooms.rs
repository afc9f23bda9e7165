//! Who may know whom: the levels of `core`, the silent rooms, and the one room of openraft.

use super::source::{File, Hit, Tree, is_ident};
use super::{Violation, allows, catches, holds};

/// Every room of `core/src` and its level; imports point strictly down. A new room gets a line here
/// and in ARCHITECTURE.md.
const LEVELS: &[(&str, u8)] = &[
    ("proto", 0),
    ("sasl", 0),
    ("environment", 1),
    ("bridge", 1),
    ("certificate_v1", 1),
    ("error", 1),
    ("metrics", 1),
    ("session", 1),
    ("watch", 1),
    ("tree", 2),
    ("tls", 2),
    ("replica", 3),
    ("storage", 3),
    ("zookeeper_files", 3),
    ("raft", 4),
    ("history", 4),
    ("server", 5),
    ("client", 5),
    ("recipes", 6),
    ("node", 6),
    ("testing", 7),
];

const SILENT_ROOMS: [&str; 5] = ["proto", "sasl", "session", "watch", "tree"];

/// An address or a duration is a value and may be named.
const NOISE: [(&str, &[&str]); 7] = [
    (
        "a task",
        &[
            "tokio",
            "async",
            ".await",
            "futures_util",
            "std::thread",
            "mpsc",
        ],
    ),
    (
        "a lock",
        &[
            "Mutex",
            "RwLock",
            "Condvar",
            "OnceLock",
            "LazyLock",
            "parking_lot",
        ],
    ),
    ("a clock", &["SystemTime", "Instant"]),
    (
        "randomness",
        &["rand", "fastrand", "getrandom", "RandomState"],
    ),
    ("unordered iteration", &["HashMap", "HashSet"]),
    (
        "a socket",
        &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ToSocketAddrs",
            "socket2",
        ],
    ),
    (
        "the surroundings",
        &[
            "crate::environment",
            "std::env",
            "std::fs",
            "std::io",
            "File",
            "OpenOptions",
            "rustix",
            "thread_local",
            "tracing",
            "println",
            "eprintln",
        ],
    ),
];

fn noisy_words() -> impl Iterator<Item = (&'static str, &'static str)> {
    NOISE
        .into_iter()
        .flat_map(|(kind, words)| words.iter().map(move |word| (kind, *word)))
}

fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("core/src/")?;
    let room = inside.split('/').next()?.trim_end_matches(".rs");
    (room != "lib").then_some(room)
}

fn level(room: &str) -> Option<u8> {
    LEVELS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, level)| *level)
}

fn noise_in_silent_rooms(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree
        .rust()
        .filter(|f| room(&f.path).is_some_and(|room| SILENT_ROOMS.contains(&room)))
    {
        for (kind, word) in noisy_words() {
            for hit in file.hits(word).filter(|hit| !hit.in_test) {
                let message = format!(
                    "`{word}` is {kind}, in a silent room: take it as an argument or return an effect"
                );
                violations.push(Violation::at(&file.path, hit.line, &message));
            }
        }
    }
    violations
}

#[test]
fn silent_rooms_name_nothing_noisy() {
    for (_, word) in noisy_words() {
        catches(
            noise_in_silent_rooms,
            &[("core/src/watch/a.rs", &format!("fn a() {{ x {word} y }}"))],
        );
    }
    let innocent = "// Mutex\nfn a(x: std::net::IpAddr, operand: core::time::Duration) {}";
    let test = "#[cfg(test)]\nmod tests { use std::collections::HashMap; }";
    allows(
        noise_in_silent_rooms,
        &[
            ("core/src/tree/a.rs", innocent),
            ("core/src/tree/a.rs", test),
        ],
    );
    allows(
        noise_in_silent_rooms,
        &[("core/src/server/a.rs", "use tokio::net::TcpListener;")],
    );
    holds(noise_in_silent_rooms);
}

fn openraft_elsewhere(tree: &Tree) -> Vec<Violation> {
    let message = "openraft is named in core/src/raft/ only";
    let mut violations = Vec::new();
    for file in tree.rust().filter(|file| room(&file.path) != Some("raft")) {
        violations.extend(
            file.hits("openraft")
                .map(|hit| Violation::at(&file.path, hit.line, message)),
        );
    }
    for file in tree
        .files
        .iter()
        .filter(|f| f.path.ends_with("Cargo.toml") && f.path != "core/Cargo.toml")
    {
        if let Some(offset) = file.text.find("openraft") {
            violations.push(Violation::at(&file.path, file.line_of(offset), message));
        }
    }
    violations
}

#[test]
fn openraft_is_named_in_one_room() {
    let planted = "use openraft::Raft;";
    catches(
        openraft_elsewhere,
        &[
            ("core/src/server/a.rs", planted),
            ("tests/src/a.rs", planted),
        ],
    );
    catches(
        openraft_elsewhere,
        &[("tests/Cargo.toml", "openraft = \"1\"")],
    );
    allows(
        openraft_elsewhere,
        &[
            ("core/src/raft/a.rs", planted),
            ("core/src/lib.rs", "// openraft"),
        ],
    );
    holds(openraft_elsewhere);
}

fn upward_imports(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.rust() {
        let Some(from) = room(&file.path) else {
            continue;
        };
        for (hit, to) in imports(file) {
            if let Some(why) = forbidden(from, &to) {
                violations.push(Violation::at(&file.path, hit.line, &why));
            }
        }
    }
    violations
}

fn forbidden(from: &str, to: &str) -> Option<String> {
    let (Some(above), Some(below)) = (level(from), level(to)) else {
        return None;
    };
    (from != to && above <= below).then(|| {
        format!("{from} (level {above}) names {to} (level {below}): imports point strictly down")
    })
}

/// The rooms that the program part of a file names, by `crate::room` or by enough `super::`.
fn imports(file: &File) -> Vec<(Hit, String)> {
    let inside = file
        .path
        .trim_start_matches("core/src/")
        .trim_end_matches(".rs")
        .trim_end_matches("/mod");
    let climb = "super::".repeat(inside.split('/').count());
    let mut found = Vec::new();
    for prefix in ["crate::", climb.as_str()] {
        for hit in file
            .hits(prefix)
            .filter(|hit| !hit.in_test && !climbs_on(file, hit))
        {
            let rest = &file.code[hit.offset + prefix.len()..];
            found.extend(
                first_segments(rest)
                    .into_iter()
                    .map(|to| (Hit { ..hit }, to)),
            );
        }
    }
    found
}

/// This hit is the tail of a longer `super::` chain, which begins one word earlier.
fn climbs_on(file: &File, hit: &Hit) -> bool {
    file.code[..hit.offset].ends_with("super::")
}

/// The first names of what follows `crate::`: one, or each in a braced list.
fn first_segments(rest: &str) -> Vec<String> {
    let Some(list) = rest.strip_prefix('{') else {
        return vec![rest.chars().take_while(|c| is_ident(*c)).collect()];
    };
    let mut depth = 0;
    let mut segments = vec![String::new()];
    let mut open = true;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                segments.push(String::new());
                open = true;
            }
            _ if depth == 0 && open && is_ident(c) => {
                segments.last_mut().expect("starts with one").push(c);
            }
            ':' => open = false,
            _ => {}
        }
    }
    segments
}

#[test]
fn imports_point_strictly_down() {
    let planted = [
        ("core/src/tree/a.rs", "use crate::raft::X;"),
        ("core/src/session/a.rs", "use crate::watch::X;"),
        ("core/src/proto/mod.rs", "use super::tree::X;"),
        (
            "core/src/tree/acl/list.rs",
            "use super::super::super::server::X;",
        ),
        (
            "core/src/storage/a.rs",
            "use crate::{\n    proto::{A, B},\n    replica::C,\n};",
        ),
        ("core/src/server/a.rs", "fn a(x: crate::client::Client) {}"),
        ("core/src/replica.rs", "use crate::raft;"),
    ];
    catches(upward_imports, &planted);
    let innocent = [
        (
            "core/src/tree/a.rs",
            "use crate::session::X;\nuse crate::{proto::{raft, Y}, tree::Z};\nuse super::raft;",
        ),
        (
            "core/src/tree/a.rs",
            "#[cfg(test)]\nmod tests { use crate::server::X; }",
        ),
        ("core/src/server/a.rs", "use crate::{proto, raft};"),
        ("core/src/lib.rs", "pub use crate::client::X;"),
    ];
    allows(upward_imports, &innocent);
    holds(upward_imports);
}

fn unknown_rooms(tree: &Tree) -> Vec<Violation> {
    let unknown = |file: &&File| room(&file.path).is_some_and(|room| level(room).is_none());
    let message =
        "a room without a level: give it one in tests/tidy/rooms.rs and in ARCHITECTURE.md";
    tree.rust()
        .filter(unknown)
        .map(|file| Violation::at(&file.path, 1, message))
        .collect()
}

#[test]
fn every_room_has_a_level() {
    catches(
        unknown_rooms,
        &[("core/src/cellar/a.rs", ""), ("core/src/attic.rs", "")],
    );
    allows(
        unknown_rooms,
        &[
            ("core/src/replica.rs", ""),
            ("core/src/lib.rs", ""),
            ("server/src/shell.rs", ""),
        ],
    );
    holds(unknown_rooms);
}

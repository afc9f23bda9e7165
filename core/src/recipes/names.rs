//! Names of contenders: how ours are spelled, and which of others we recognise.
//!
//! What lives here: text in, text out. A contender's name is what it is, its kind's mark, and the
//! ten digits that the server puts behind it; contenders stand in the order of these digits.
//! What does not: znodes.

use std::fmt::Write;

/// The digits that a server appends to a sequential znode's name.
const SEQUENCE_DIGITS: usize = 10;

/// Marks of names that exclude everybody: kazoo's locks and write locks, Curator's mutexes and
/// write locks, Curator's latches.
const EXCLUSIVE_MARKS: [&str; 4] = ["__lock__", "lock-", "__WRIT__", "latch-"];

/// Marks of names that exclude only those that exclude everybody: kazoo's and Curator's readers.
const SHARED_MARKS: [&str; 2] = ["__rlock__", "__READ__"];

/// Whose names ours look like. Ours recognise all of them, whichever is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// kazoo's: `<id>__lock__` and `<id>__rlock__`.
    #[default]
    Kazoo,
    /// Curator's: `_c_<id>-lock-`, and `__WRIT__` and `__READ__` for read-write locks.
    Curator,
    /// As `Curator`, with the `_c_<id>-latch-` of its `LeaderLatch` for what excludes everybody.
    CuratorLatch,
}

/// Whom a contender excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A lock: everybody.
    Lock,
    /// The write half of a read-write lock: everybody.
    Write,
    /// The read half: locks and writers.
    Read,
}

impl Kind {
    fn waits_for(self, excludes_all: bool) -> bool {
        excludes_all || self != Kind::Read
    }
}

/// A contender's place, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place<'a> {
    /// The digits. No two children of one znode have the same.
    pub(crate) sequence: u32,
    /// The whole name.
    pub(crate) name: &'a str,
    excludes_all: bool,
}

/// The path of a child.
pub(crate) fn join(parent: &str, name: &str) -> String {
    format!("{}/{name}", parent.trim_end_matches('/'))
}

/// An id that nobody else has, from 128 random bits: 32 hexadecimal digits.
pub(crate) fn unique(random: [u8; 16]) -> String {
    let mut id = String::with_capacity(32);
    for byte in random {
        write!(id, "{byte:02x}").expect("a String takes everything");
    }
    id
}

/// An id as Curator spells it: `_c_`, and a UUID of version 4 behind it.
fn protected(random: [u8; 16]) -> String {
    let mut bits = random;
    bits[6] = bits[6] & 0x0f | 0x40;
    bits[8] = bits[8] & 0x3f | 0x80;
    let hex = unique(bits);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    format!("_c_{}-", parts.join("-"))
}

impl Layout {
    /// The beginning of a contender's name, up to where the server puts the digits.
    pub(crate) fn contender(self, kind: Kind, random: [u8; 16]) -> String {
        let mark = match (self, kind) {
            (Layout::Kazoo, Kind::Lock | Kind::Write) => "__lock__",
            (Layout::Kazoo, Kind::Read) => "__rlock__",
            (Layout::Curator, Kind::Lock) => "lock-",
            (Layout::CuratorLatch, Kind::Lock) => "latch-",
            (Layout::Curator | Layout::CuratorLatch, Kind::Write) => "__WRIT__",
            (Layout::Curator | Layout::CuratorLatch, Kind::Read) => "__READ__",
        };
        match self {
            Layout::Kazoo => unique(random) + mark,
            _ => protected(random) + mark,
        }
    }

    /// Where a semaphore at `path` keeps the line of those who want a lease, and the leases.
    pub(crate) fn semaphore(self, path: &str) -> (String, String) {
        match self {
            Layout::Kazoo => (format!("{path}-__lock__"), path.to_owned()),
            _ => (join(path, "locks"), join(path, "leases")),
        }
    }

    /// The name of a lease, and whether the server puts digits behind it.
    pub(crate) fn lease(self, random: [u8; 16]) -> (String, bool) {
        match self {
            Layout::Kazoo => (unique(random), false),
            _ => (protected(random) + "lease-", true),
        }
    }
}

/// What a child's name says of its place; `None` for a child that is no contender.
pub(crate) fn place(name: &str) -> Option<Place<'_>> {
    let split = name.len().checked_sub(SEQUENCE_DIGITS)?;
    let (stem, digits) = (name.get(..split)?, name.get(split..)?);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ends = |marks: &[&str]| marks.iter().any(|mark| stem.ends_with(mark));
    let excludes_all = ends(&EXCLUSIVE_MARKS);
    if !excludes_all && !ends(&SHARED_MARKS) {
        return None;
    }
    Some(Place {
        sequence: digits.parse().ok()?,
        name,
        excludes_all,
    })
}

/// All contenders, in their order.
pub(crate) fn in_order(children: &[String]) -> Vec<Place<'_>> {
    let mut places: Vec<Place<'_>> = children.iter().filter_map(|name| place(name)).collect();
    places.sort_unstable();
    places
}

/// What stands before a contender of this name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Before<'a> {
    /// Nobody it waits for: it holds.
    Nobody,
    /// The last of those it waits for.
    Somebody(&'a str),
    /// The contender itself is not there.
    NotThere,
}

/// Whom the contender `own` waits for: the last before it that excludes it, so that each one's end
/// wakes one other (or the readers behind it).
pub(crate) fn before<'a>(children: &'a [String], own: &str, kind: Kind) -> Before<'a> {
    let places = in_order(children);
    let Some(at) = places.iter().position(|place| place.name == own) else {
        return Before::NotThere;
    };
    let ahead = places[..at]
        .iter()
        .rev()
        .find(|place| kind.waits_for(place.excludes_all));
    ahead.map_or(Before::Nobody, |place| Before::Somebody(place.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_of_kazoo_and_of_curator_are_contenders() {
        for (name, excludes_all) in [
            ("0f__lock__0000000003", true),
            ("0f__rlock__0000000003", false),
            ("_c_5e-lock-0000000003", true),
            ("lock-0000000003", true),
            ("_c_5e-__WRIT__0000000003", true),
            ("_c_5e-__READ__0000000003", false),
            ("_c_5e-latch-0000000003", true),
        ] {
            let found = place(name).unwrap();
            assert_eq!((found.sequence, found.excludes_all), (3, excludes_all));
        }
        for name in [
            "",
            "0000000003",
            "lock-",
            "lock-3",
            "lock-000000000x",
            "entry-100-0000000003",
            "ключ0000000003",
            "ключключ",
        ] {
            assert_eq!(place(name), None, "{name}");
        }
    }

    #[test]
    fn every_layout_makes_names_that_are_recognised() {
        for layout in [Layout::Kazoo, Layout::Curator, Layout::CuratorLatch] {
            for kind in [Kind::Lock, Kind::Write, Kind::Read] {
                let name = layout.contender(kind, [0xab; 16]) + "0000000042";
                let found = place(&name).unwrap();
                assert_eq!(found.sequence, 42);
                assert_eq!(found.excludes_all, kind != Kind::Read, "{name}");
            }
        }
        let curators = Layout::Curator.contender(Kind::Lock, [0xff; 16]);
        assert_eq!(curators, "_c_ffffffff-ffff-4fff-bfff-ffffffffffff-lock-");
    }

    #[test]
    fn order_is_that_of_the_digits_whatever_stands_before_them() {
        let names = children(&[
            "b__lock__0000000002",
            "other",
            "a__rlock__0000000010",
            "c-lock-0000000001",
        ]);
        let order: Vec<u32> = in_order(&names).iter().map(|p| p.sequence).collect();
        assert_eq!(order, [1, 2, 10]);
    }

    #[test]
    fn a_writer_waits_for_the_last_and_a_reader_for_the_last_writer() {
        let names = children(&[
            "a__rlock__0000000001",
            "b__lock__0000000002",
            "c__rlock__0000000003",
            "d__rlock__0000000004",
            "e__lock__0000000005",
        ]);
        let ask = |own: &str, kind| before(&names, own, kind);
        assert_eq!(ask("a__rlock__0000000001", Kind::Read), Before::Nobody);
        assert_eq!(
            ask("b__lock__0000000002", Kind::Write),
            Before::Somebody("a__rlock__0000000001")
        );
        for reader in ["c__rlock__0000000003", "d__rlock__0000000004"] {
            assert_eq!(
                ask(reader, Kind::Read),
                Before::Somebody("b__lock__0000000002")
            );
        }
        assert_eq!(
            ask("e__lock__0000000005", Kind::Lock),
            Before::Somebody("d__rlock__0000000004")
        );
        assert_eq!(ask("f__lock__0000000006", Kind::Lock), Before::NotThere);
    }
}

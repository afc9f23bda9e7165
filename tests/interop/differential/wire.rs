//! The protocol's bytes, as this test reads and writes them.
//!
//! What lives here: numbers of operations, items of requests, a reader of replies. It shares no line
//! with the core's codec, so that one mistake cannot hide on both sides.

use std::fmt;

/// Numbers of operations.
pub mod op {
    pub const CREATE: i32 = 1;
    pub const DELETE: i32 = 2;
    pub const EXISTS: i32 = 3;
    pub const GET_DATA: i32 = 4;
    pub const SET_DATA: i32 = 5;
    pub const GET_ACL: i32 = 6;
    pub const SET_ACL: i32 = 7;
    pub const GET_CHILDREN: i32 = 8;
    pub const SYNC: i32 = 9;
    pub const PING: i32 = 11;
    pub const GET_CHILDREN2: i32 = 12;
    pub const CHECK: i32 = 13;
    pub const MULTI: i32 = 14;
    pub const CREATE2: i32 = 15;
    pub const RECONFIG: i32 = 16;
    pub const CHECK_WATCHES: i32 = 17;
    pub const REMOVE_WATCHES: i32 = 18;
    pub const CREATE_CONTAINER: i32 = 19;
    pub const DELETE_CONTAINER: i32 = 20;
    pub const CREATE_TTL: i32 = 21;
    pub const MULTI_READ: i32 = 22;
    pub const AUTH: i32 = 100;
    pub const SET_WATCHES: i32 = 101;
    pub const SASL: i32 = 102;
    pub const GET_EPHEMERALS: i32 = 103;
    pub const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub const SET_WATCHES2: i32 = 105;
    pub const ADD_WATCH: i32 = 106;
    pub const WHO_AM_I: i32 = 107;
    pub const CREATE_SESSION: i32 = -10;
    pub const CLOSE_SESSION: i32 = -11;
}

const NAMES: [(i32, &str); 31] = [
    (op::CREATE, "create"),
    (op::DELETE, "delete"),
    (op::EXISTS, "exists"),
    (op::GET_DATA, "getData"),
    (op::SET_DATA, "setData"),
    (op::GET_ACL, "getACL"),
    (op::SET_ACL, "setACL"),
    (op::GET_CHILDREN, "getChildren"),
    (op::SYNC, "sync"),
    (op::PING, "ping"),
    (op::GET_CHILDREN2, "getChildren2"),
    (op::CHECK, "check"),
    (op::MULTI, "multi"),
    (op::CREATE2, "create2"),
    (op::RECONFIG, "reconfig"),
    (op::CHECK_WATCHES, "checkWatches"),
    (op::REMOVE_WATCHES, "removeWatches"),
    (op::CREATE_CONTAINER, "createContainer"),
    (op::DELETE_CONTAINER, "deleteContainer"),
    (op::CREATE_TTL, "createTTL"),
    (op::MULTI_READ, "multiRead"),
    (op::AUTH, "auth"),
    (op::SET_WATCHES, "setWatches"),
    (op::SASL, "sasl"),
    (op::GET_EPHEMERALS, "getEphemerals"),
    (op::GET_ALL_CHILDREN_NUMBER, "getAllChildrenNumber"),
    (op::SET_WATCHES2, "setWatches2"),
    (op::ADD_WATCH, "addWatch"),
    (op::WHO_AM_I, "whoAmI"),
    (op::CREATE_SESSION, "createSession"),
    (op::CLOSE_SESSION, "closeSession"),
];

/// What an operation is called.
pub fn name(operation: i32) -> String {
    let known = NAMES.iter().find(|(number, _)| *number == operation);
    known.map_or_else(|| format!("op{operation}"), |(_, name)| (*name).to_owned())
}

/// One item of a record. What depends on the run is filled in when it is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Byte(u8),
    Int(i32),
    Long(i64),
    /// A string; `~` stands for the sequence's own root.
    Text(String),
    /// A buffer.
    Data(Vec<u8>),
    /// A buffer of this many bytes, all the same.
    Fill(u8, usize),
    /// The length -1: no string, no buffer, no vector.
    Null,
    /// A zxid, counted from the one that created the root.
    Zxid(i64),
    /// The greatest zxid that this session has seen, and so much more.
    Seen(i64),
    /// The id of the session of a slot.
    Session(usize),
    /// The password of the session of a slot, as a buffer.
    Password(usize),
    /// Bytes that stand for themselves.
    Raw(Vec<u8>),
}

/// What a run fills in.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub root: String,
    pub base: i64,
    pub seen: i64,
    /// Id and password by slot.
    pub sessions: Vec<(i64, Vec<u8>)>,
    /// Ids of all sessions so far, in the order of their beginnings.
    pub opened: Vec<i64>,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Byte(byte) => write!(f, "{byte}b"),
            Item::Int(int) => write!(f, "{int}"),
            Item::Long(long) => write!(f, "{long}L"),
            Item::Text(text) => write!(f, "{text:?}"),
            Item::Data(data) => write!(f, "'{}'", data.escape_ascii()),
            Item::Fill(byte, length) => write!(f, "'{}'*{length}", [*byte].escape_ascii()),
            Item::Null => f.write_str("null"),
            Item::Zxid(zxid) => write!(f, "zxid{zxid:+}"),
            Item::Seen(more) => write!(f, "seen{more:+}"),
            Item::Session(slot) => write!(f, "session{slot}"),
            Item::Password(slot) => write!(f, "password{slot}"),
            Item::Raw(raw) => write!(f, "x{}", hex(raw)),
        }
    }
}

impl Item {
    fn write(&self, known: &Known, out: &mut Vec<u8>) {
        match self {
            Item::Byte(byte) => out.push(*byte),
            Item::Int(int) => out.extend(int.to_be_bytes()),
            Item::Long(long) => out.extend(long.to_be_bytes()),
            Item::Text(text) => counted(text.replace('~', &known.root).as_bytes(), out),
            Item::Data(data) => counted(data, out),
            Item::Fill(byte, length) => counted(&vec![*byte; *length], out),
            Item::Null => out.extend((-1_i32).to_be_bytes()),
            Item::Zxid(zxid) => out.extend((known.base + zxid).to_be_bytes()),
            Item::Seen(more) => out.extend((known.seen + more).to_be_bytes()),
            Item::Session(slot) => {
                let id = known.sessions.get(*slot).map_or(0, |session| session.0);
                out.extend(id.to_be_bytes());
            }
            Item::Password(slot) => match known.sessions.get(*slot) {
                Some((_, password)) => counted(password, out),
                None => counted(&[0; 16], out),
            },
            Item::Raw(raw) => out.extend(raw),
        }
    }
}

fn counted(bytes: &[u8], out: &mut Vec<u8>) {
    let length = i32::try_from(bytes.len()).expect("test data is small");
    out.extend(length.to_be_bytes());
    out.extend(bytes);
}

/// Items one after the other.
pub fn encode(items: &[Item], known: &Known) -> Vec<u8> {
    let mut out = Vec::new();
    items.iter().for_each(|item| item.write(known, &mut out));
    out
}

/// Items one after the other, behind their length.
pub fn frame(items: &[Item], known: &Known) -> Vec<u8> {
    let mut out = Vec::new();
    counted(&encode(items, known), &mut out);
    out
}

/// Bytes for people.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a reply; every way in which it may be too short gives `None`.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    /// A buffer, `Some(None)` for null.
    pub fn buffer(&mut self) -> Option<Option<&'a [u8]>> {
        match self.int()? {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }
}

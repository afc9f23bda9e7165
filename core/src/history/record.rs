//! What the history keeps of one change to one znode, and its bytes.
//!
//! ```text
//! key     path · 0 · zxid u64 · place u32            big-endian, so that keys sort by path and time
//! record  format u8 · operation u8 · cause u8 · flags u8 · time_ms · [session u64]
//!         count { scheme id }* · [shape before] [shape after]
//! shape   kind u8 · [session or ttl_ms] · czxid · mzxid · ctime_ms · mtime_ms · version · aversion
//!         [count { perms scheme id }*] [bytes · kept]
//! flags   1 session · 2 before · 4 after · 8 the list is that of before · 16 the value is, too
//! kept    0 for null, else 1 + how many · the bytes
//! ```
//!
//! Numbers without a width are LEB128; those that may be negative are zigzagged first. A record of
//! another format is none of ours: the whole store is moved aside then.

use std::sync::Arc;

use crate::proto::{Acl, Id, Malformed, SessionId, Zxid};
use crate::tree::{Kind, Shape, Value};

/// The layout described above.
pub(super) const FORMAT: u8 = 1;

/// More than a path, a list or a value ever has: a length beyond is damage.
const LENGTH_MAX: u64 = 1 << 30;

/// What was done to a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It was created.
    Create,
    /// It was deleted.
    Delete,
    /// Its data was set.
    SetData,
    /// Its access control list was set.
    SetAcl,
}

impl Operation {
    const ALL: [Operation; 4] = [
        Operation::Create,
        Operation::Delete,
        Operation::SetData,
        Operation::SetAcl,
    ];

    /// As ZooKeeper spells it.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Delete => "delete",
            Operation::SetData => "setData",
            Operation::SetAcl => "setACL",
        }
    }
}

/// Why it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A client asked for it.
    Request,
    /// A client asked for it, as part of a multi.
    Multi,
    /// A client closed the session that owned the znode.
    SessionClosed,
    /// The session that owned the znode expired.
    SessionExpired,
    /// It was an empty container, or its TTL had passed.
    Reaped,
}

impl Cause {
    const ALL: [Cause; 5] = [
        Cause::Request,
        Cause::Multi,
        Cause::SessionClosed,
        Cause::SessionExpired,
        Cause::Reaped,
    ];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Request => "request",
            Cause::Multi => "multi",
            Cause::SessionClosed => "sessionClosed",
            Cause::SessionExpired => "sessionExpired",
            Cause::Reaped => "reaped",
        }
    }
}

/// One change of one znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which znode.
    pub path: Arc<str>,
    /// The place in the order of all changes.
    pub zxid: Zxid,
    /// The place among the znodes that this zxid changed, from 0.
    pub place: u32,
    /// The leader's time, milliseconds since 1970.
    pub time_ms: i64,
    /// Whose request it was, or whose end; `None` for what the ensemble does by itself.
    pub session: Option<SessionId>,
    /// Who the client was, without secrets: of `digest` only the user.
    pub identities: Vec<Id>,
    /// What was done.
    pub operation: Operation,
    /// Why.
    pub cause: Cause,
    /// The znode before; `None`: there was none.
    pub before: Option<Shape>,
    /// The znode after; `None`: it was gone.
    pub after: Option<Shape>,
}

impl Change {
    /// The client's address: everybody has the identity of one. `None` for what no client asked.
    pub fn address(&self) -> Option<&str> {
        let ip = self.identities.iter().find(|id| &*id.scheme == "ip");
        ip.map(|id| &*id.id)
    }

    /// Bytes it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        let of = |shape: &Option<Shape>| {
            shape.as_ref().map_or(0, |shape| {
                96 + shape.value.kept_bytes() + shape.acl.len() * 64
            })
        };
        128 + self.path.len() + self.identities.len() * 64 + of(&self.before) + of(&self.after)
    }
}

const HAS_SESSION: u8 = 1;
const HAS_BEFORE: u8 = 2;
const HAS_AFTER: u8 = 4;
const SAME_ACL: u8 = 8;
const SAME_VALUE: u8 = 16;

/// The key of a change.
pub(super) fn key(path: &str, zxid: Zxid, place: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(path.len() + 13);
    key.extend_from_slice(path.as_bytes());
    key.push(0);
    key.extend_from_slice(&zxid.0.to_be_bytes());
    key.extend_from_slice(&place.to_be_bytes());
    key
}

/// Path, zxid and place of a key.
pub(super) fn split_key(key: &[u8]) -> Result<(&str, Zxid, u32), Malformed> {
    const WRONG: Malformed = Malformed("not a key of the history");
    let (rest, place) = key.split_last_chunk::<4>().ok_or(WRONG)?;
    let (rest, zxid) = rest.split_last_chunk::<8>().ok_or(WRONG)?;
    let path = rest.strip_suffix(&[0]).ok_or(WRONG)?;
    let path = std::str::from_utf8(path).map_err(|_| WRONG)?;
    let zxid = Zxid(i64::from_be_bytes(*zxid));
    Ok((path, zxid, u32::from_be_bytes(*place)))
}

/// The bytes of a change, without what its key says.
pub(super) fn encode(change: &Change) -> Vec<u8> {
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    let both = before.zip(after);
    let mut flags = 0;
    for (flag, is_set) in [
        (HAS_SESSION, change.session.is_some()),
        (HAS_BEFORE, before.is_some()),
        (HAS_AFTER, after.is_some()),
        (SAME_ACL, both.is_some_and(|(a, b)| a.acl == b.acl)),
        (SAME_VALUE, both.is_some_and(|(a, b)| a.value == b.value)),
    ] {
        flags |= if is_set { flag } else { 0 };
    }
    let mut out = vec![FORMAT, change.operation as u8, change.cause as u8, flags];
    put_signed(&mut out, change.time_ms);
    if let Some(session) = change.session {
        out.extend_from_slice(&session.0.to_be_bytes());
    }
    put(&mut out, change.identities.len() as u64);
    for id in &change.identities {
        put_id(&mut out, id);
    }
    if let Some(shape) = before {
        put_shape(&mut out, shape, 0);
    }
    if let Some(shape) = after {
        put_shape(&mut out, shape, flags);
    }
    out
}

/// Reads the bytes of a change.
pub(super) fn decode(key: &[u8], record: &[u8]) -> Result<Change, Malformed> {
    let (path, zxid, place) = split_key(key)?;
    let mut r = Bytes(record);
    if r.u8()? != FORMAT {
        return Err(Malformed("a record of another format"));
    }
    let operation = *at(&Operation::ALL, r.u8()?)?;
    let cause = *at(&Cause::ALL, r.u8()?)?;
    let flags = r.u8()?;
    let time_ms = r.signed()?;
    let session = match flags & HAS_SESSION {
        0 => None,
        _ => Some(SessionId(i64::from_be_bytes(*r.chunk()?))),
    };
    let identities = r.list(Bytes::id)?;
    let before = match flags & HAS_BEFORE {
        0 => None,
        _ => Some(r.shape(0, None)?),
    };
    let after = match flags & HAS_AFTER {
        0 => None,
        _ => Some(r.shape(flags, before.as_ref())?),
    };
    Ok(Change {
        path: path.into(),
        zxid,
        place,
        time_ms,
        session,
        identities,
        operation,
        cause,
        before,
        after,
    })
}

/// The time of a record, without reading the rest of it.
pub(super) fn time_ms(record: &[u8]) -> Result<i64, Malformed> {
    Bytes(record.get(4..).unwrap_or_default()).signed()
}

fn at<T>(all: &[T], index: u8) -> Result<&T, Malformed> {
    all.get(usize::from(index))
        .ok_or(Malformed("an unknown kind of change"))
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_id(out: &mut Vec<u8>, id: &Id) {
    put_bytes(out, id.scheme.as_bytes());
    put_bytes(out, id.id.as_bytes());
}

fn put_shape(out: &mut Vec<u8>, shape: &Shape, flags: u8) {
    match shape.kind {
        Kind::Persistent => out.push(0),
        Kind::Ephemeral(session) => {
            out.push(1);
            put(out, session.0 as u64);
        }
        Kind::Container => out.push(2),
        Kind::Ttl(ms) => {
            out.push(3);
            put(out, ms as u64);
        }
    }
    for number in [
        shape.czxid.0,
        shape.mzxid.0,
        shape.ctime_ms,
        shape.mtime_ms,
        i64::from(shape.version),
        i64::from(shape.aversion),
    ] {
        put_signed(out, number);
    }
    if flags & SAME_ACL == 0 {
        put(out, shape.acl.len() as u64);
        for acl in &*shape.acl {
            put_signed(out, i64::from(acl.perms));
            put_id(out, &acl.id);
        }
    }
    if flags & SAME_VALUE == 0 {
        put(out, shape.value.bytes as u64);
        match &shape.value.kept {
            None => put(out, 0),
            Some(kept) => {
                put(out, 1 + kept.len() as u64);
                out.extend_from_slice(kept);
            }
        }
    }
}

/// A record while it is read.
struct Bytes<'a>(&'a [u8]);

const SHORT: Malformed = Malformed("a record of the history is too short");

impl<'a> Bytes<'a> {
    fn u8(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(chunk)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a number of the history is too long"))
    }

    fn signed(&mut self) -> Result<i64, Malformed> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        match self.number()? {
            length @ ..=LENGTH_MAX => usize::try_from(length).map_err(|_| SHORT),
            _ => Err(Malformed("a length of the history is too great")),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.length()?;
        let text = std::str::from_utf8(self.take(length)?);
        text.map_err(|_| Malformed("a text of the history is not UTF-8"))
    }

    fn id(&mut self) -> Result<Id, Malformed> {
        Ok(Id::new(self.text()?, self.text()?))
    }

    /// Every entry has a byte at least, so a count beyond the bytes is refused by the first that
    /// is missing, before much is made of it.
    fn list<T>(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.length()?;
        (0..count).map(|_| entry(self)).collect()
    }

    fn shape(&mut self, flags: u8, like: Option<&Shape>) -> Result<Shape, Malformed> {
        let kind = match self.u8()? {
            0 => Kind::Persistent,
            1 => Kind::Ephemeral(SessionId(self.number()? as i64)),
            2 => Kind::Container,
            3 => Kind::Ttl(self.number()? as i64),
            _ => return Err(Malformed("an unknown kind of znode")),
        };
        let (czxid, mzxid) = (Zxid(self.signed()?), Zxid(self.signed()?));
        let (ctime_ms, mtime_ms) = (self.signed()?, self.signed()?);
        let (version, aversion) = (self.small()?, self.small()?);
        let acl = match like.filter(|_| flags & SAME_ACL != 0) {
            Some(like) => Arc::clone(&like.acl),
            None => self.list(Bytes::acl)?.into(),
        };
        let value = match like.filter(|_| flags & SAME_VALUE != 0) {
            Some(like) => like.value.clone(),
            None => self.value()?,
        };
        Ok(Shape {
            kind,
            value,
            acl,
            czxid,
            mzxid,
            ctime_ms,
            mtime_ms,
            version,
            aversion,
        })
    }

    fn small(&mut self) -> Result<i32, Malformed> {
        let number = i32::try_from(self.signed()?);
        number.map_err(|_| Malformed("a version of the history is too great"))
    }

    fn acl(&mut self) -> Result<Acl, Malformed> {
        Ok(Acl {
            perms: self.small()?,
            id: self.id()?,
        })
    }

    fn value(&mut self) -> Result<Value, Malformed> {
        let bytes = self.length()?;
        let kept = match self.length()? {
            0 => None,
            more => Some(self.take(more - 1)?.into()),
        };
        Ok(Value { kept, bytes })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::history) fn shape(data: &[u8], zxid: i64) -> Shape {
        Shape {
            kind: Kind::Persistent,
            value: Value::cut(Some(data), 64),
            acl: [Acl::open()].into(),
            czxid: Zxid(zxid),
            mzxid: Zxid(zxid),
            ctime_ms: 1_700_000_000_000,
            mtime_ms: 1_700_000_000_000,
            version: 0,
            aversion: 0,
        }
    }

    pub(in crate::history) fn change(
        path: &str,
        zxid: i64,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Change {
        Change {
            path: path.into(),
            zxid: Zxid(zxid),
            place: 0,
            time_ms: 1_700_000_000_000_i64.saturating_add(zxid),
            session: Some(SessionId(-5)),
            identities: vec![Id::new("ip", "10.0.0.7"), Id::new("digest", "joe")],
            operation: match (before, after) {
                (None, _) => Operation::Create,
                (_, None) => Operation::Delete,
                _ => Operation::SetData,
            },
            cause: Cause::Request,
            before: before.map(|data| shape(data, zxid - 1)),
            after: after.map(|data| shape(data, zxid)),
        }
    }

    fn samples() -> Vec<Change> {
        let mut all = vec![
            change("/a", 1, None, Some(b"x")),
            change("/a", i64::MAX, Some(b"x"), Some(b"yy")),
            change("/a/b", 7, Some(b""), None),
            change("/same", 8, Some(b"same"), Some(b"same")),
        ];
        let mut odd = change("/ä", 9, Some(b"x"), Some(b"x"));
        odd.operation = Operation::SetAcl;
        odd.cause = Cause::Reaped;
        odd.session = None;
        odd.identities = Vec::new();
        odd.time_ms = -1;
        odd.place = u32::MAX;
        if let (Some(before), Some(after)) = (&mut odd.before, &mut odd.after) {
            before.kind = Kind::Ephemeral(SessionId(i64::MIN + 1));
            before.version = i32::MIN;
            before.acl = [].into();
            before.value = Value::cut(None, 9);
            after.kind = Kind::Ttl(1 << 39);
            after.value = Value::cut(Some(b"longer than what is kept"), 3);
        }
        all.push(odd);
        all
    }

    #[test]
    fn a_record_gives_back_the_change() {
        for change in samples() {
            let key = key(&change.path, change.zxid, change.place);
            let bytes = encode(&change);
            assert_eq!(time_ms(&bytes), Ok(change.time_ms));
            assert_eq!(decode(&key, &bytes), Ok(change));
        }
    }

    /// The first byte says the format; a change of this test is a change of the format.
    #[test]
    fn the_format_is_written_down() {
        let mut change = change("/a", 3, Some(b"x"), Some(b"y"));
        change.identities.truncate(1);
        change.time_ms = 1;
        for shape in change.before.iter_mut().chain(&mut change.after) {
            (shape.ctime_ms, shape.mtime_ms) = (1, 2);
        }
        let mut want = vec![1, 2, 0, 0b1111, 2];
        want.extend((-5_i64).to_be_bytes());
        want.extend([1, 2, b'i', b'p', 8]);
        want.extend(b"10.0.0.7");
        want.extend([0, 4, 4, 2, 4, 0, 0, 1, 62, 5]);
        want.extend(b"world\x06anyone");
        want.extend([1, 2, b'x']);
        want.extend([0, 6, 6, 2, 4, 0, 0, 1, 2, b'y']);
        assert_eq!(encode(&change), want);
        assert_eq!(key("/a", Zxid(3), 2), b"/a\0\0\0\0\0\0\0\0\x03\0\0\0\x02");
    }

    #[test]
    fn bytes_that_are_no_record_are_an_error() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for change in samples() {
            let (key, bytes) = (key(&change.path, change.zxid, 0), encode(&change));
            for cut in 0..bytes.len() {
                assert!(decode(&key, &bytes[..cut]).is_err(), "cut at {cut}");
            }
            for _ in 0..2_000 {
                let mut bytes = bytes.clone();
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
                // An error or another change, and no panic.
                let _ = decode(&key, &bytes);
            }
        }
        for key in [&b""[..], b"/a", b"\0\0\0\0\0\0\0\0\0\0\0\0", &[0xff; 20]] {
            assert!(split_key(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn keys_sort_by_path_and_then_by_time() {
        let mut keys = [
            key("/a/b", Zxid(1), 0),
            key("/a", Zxid(0x1_0000_0000), 0),
            key("/a", Zxid(2), 1),
            key("/a", Zxid(2), 0),
        ];
        keys.sort();
        let back = keys.iter().map(|key| split_key(key).unwrap());
        assert_eq!(
            back.collect::<Vec<_>>(),
            [
                ("/a", Zxid(2), 0),
                ("/a", Zxid(2), 1),
                ("/a", Zxid(0x1_0000_0000), 0),
                ("/a/b", Zxid(1), 0)
            ]
        );
    }
}

//! What the history does not know, and since when it knows anything.

use crate::proto::{Malformed, Reader, Writer, Zxid};
use bytes::BytesMut;

/// Why changes were not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There were more, or larger ones, than the history takes in a second.
    Rate,
    /// The history's thread did not keep up.
    Behind,
    /// The store could not be written.
    StoreFailed,
    /// A snapshot from another server replaced the tree, and the changes up to it were not seen.
    Snapshot,
    /// They were kept in memory only when the server ended.
    Lost,
}

impl Reason {
    const ALL: [Reason; 5] = [
        Reason::Rate,
        Reason::Behind,
        Reason::StoreFailed,
        Reason::Snapshot,
        Reason::Lost,
    ];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Rate => "rate",
            Reason::Behind => "behind",
            Reason::StoreFailed => "storeFailed",
            Reason::Snapshot => "snapshot",
            Reason::Lost => "lost",
        }
    }
}

/// Consecutive changes that were not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first change that is missing.
    pub first: Zxid,
    /// The last one.
    pub last: Zxid,
    /// Znodes that changed; `None` where nobody counted.
    pub changes: Option<u64>,
    /// When it began, milliseconds since 1970 by the leader's clock; 0 where nobody knows.
    pub from_ms: i64,
    /// When it ended, likewise.
    pub to_ms: i64,
    /// Why.
    pub reason: Reason,
}

impl Gap {
    /// This gap and the one before it as one. A hole of a few changes between them is not told.
    pub(super) fn joined(self, before: Option<Gap>) -> Gap {
        let Some(before) = before else {
            return self;
        };
        let (first, last) = match before.first <= self.first {
            true => (before, self),
            false => (self, before),
        };
        Gap {
            first: first.first,
            last: last.last.max(first.last),
            changes: first.changes.zip(last.changes).map(|(a, b)| a + b),
            from_ms: first.from_ms,
            to_ms: last.to_ms.max(first.to_ms),
            reason: first.reason,
        }
    }

    /// The bytes of a gap. Its key is the zxid of its first change.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = BytesMut::new();
        let mut w = Writer::new(&mut out);
        w.u8(super::record::FORMAT);
        w.u8(self.reason as u8);
        w.i64(self.last.0);
        w.i64(self.from_ms);
        w.i64(self.to_ms);
        w.bool(self.changes.is_some());
        w.u64(self.changes.unwrap_or(0));
        out.into()
    }

    /// Reads the bytes of a gap.
    pub(super) fn decode(key: &[u8], bytes: &[u8]) -> Result<Gap, Malformed> {
        let first = Zxid(Reader::new(key).i64()?);
        let r = &mut Reader::new(bytes);
        if r.u8()? != super::record::FORMAT {
            return Err(Malformed("a gap of another format"));
        }
        let reason = Reason::ALL.get(usize::from(r.u8()?));
        Ok(Gap {
            first,
            reason: *reason.ok_or(Malformed("an unknown reason for a gap"))?,
            last: Zxid(r.i64()?),
            from_ms: r.i64()?,
            to_ms: r.i64()?,
            changes: r.bool()?.then_some(r.u64()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_gives_back_itself() {
        for (reason, changes) in Reason::ALL.into_iter().zip([None, Some(0), Some(u64::MAX)]) {
            let gap = Gap {
                first: Zxid(1 << 40),
                last: Zxid(i64::MAX),
                changes,
                from_ms: -1,
                to_ms: 2,
                reason,
            };
            let (key, bytes) = (gap.first.0.to_be_bytes(), gap.encode());
            assert_eq!(Gap::decode(&key, &bytes), Ok(gap));
            for cut in 0..bytes.len() {
                assert!(Gap::decode(&key, &bytes[..cut]).is_err());
            }
        }
    }
}

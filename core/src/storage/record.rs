//! Records, the one shape in which everything is written to the log's stream.
//!
//! What lives here: the bytes of a record and of the [`LogState`] it may carry. What does not:
//! files, positions, order; those are in `segment.rs`, `writer.rs` and `recovery.rs`.
//!
//! ```text
//!   0        3    4            8              12            16
//!   | "ZWL"  |kind| header crc | payload bytes| payload crc |
//!   16                         24                           32
//!   | sequence                 | synced                     |
//!   32                         40                           48
//!   | term                     | index                      |
//!   48            52           56
//!   | previous    | 0          | payload, then zeros up to a multiple of 8 ...
//! ```
//!
//! All numbers are little-endian. Both checksums start from the segment's salt, so bytes left over
//! from an earlier life of a recycled file never check out. The header checksum covers every other
//! byte of the header, the payload checksum included.
//!
//! * `sequence` counts the records of the stream, from 1, without a gap.
//! * `synced` is the durability watermark: every record up to this sequence was known to be on the
//!   disk when this one was written.
//! * `previous` is the header checksum of the record before: a chain. A record that survived from a
//!   tail cut off earlier does not fit it.
//!
//! Invariant: the padding is zero and the first bytes of a record are not, so eight zero bytes end
//! the stream.

use bytes::Bytes;
use crc32fast::Hasher;

use super::log::{EntryId, LogState};

pub(super) const HEADER_BYTES: usize = 56;
pub(super) const ALIGNMENT: usize = 8;
/// Zeros after the last record, so that a clean end is not mistaken for a torn one.
pub(super) const TERMINATOR: [u8; ALIGNMENT] = [0; ALIGNMENT];
const MAGIC: [u8; 3] = *b"ZWL";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An entry: `term`, `index`, payload.
    Entry = 1,
    /// The vote: opaque payload.
    Vote = 2,
    /// Entries after `term`, `index` are gone.
    Truncate = 3,
    /// All entries after the purged ones are gone.
    TruncateAll = 4,
    /// Entries up to and including `term`, `index` are gone.
    Purge = 5,
    /// Everything up to `term`, `index` is committed.
    Committed = 6,
    /// Nothing but its `synced`.
    Mark = 7,
    /// The whole state: payload is an encoded [`LogState`] and the number of the opening.
    State = 8,
    /// The last record of a segment: the stream goes on in the next one.
    Roll = 9,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Entry,
            2 => Kind::Vote,
            3 => Kind::Truncate,
            4 => Kind::TruncateAll,
            5 => Kind::Purge,
            6 => Kind::Committed,
            7 => Kind::Mark,
            8 => Kind::State,
            9 => Kind::Roll,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Of the header; the `previous` of the record that follows.
    pub(super) crc: u32,
    pub(super) payload_bytes: u32,
    pub(super) payload_crc: u32,
    pub(super) sequence: u64,
    pub(super) synced: u64,
    /// Term and index; zero in the kinds that have none.
    pub(super) id: EntryId,
    pub(super) previous: u32,
}

impl Header {
    /// Reads a header if it is whole.
    pub(super) fn decode(bytes: &[u8], salt: u32) -> Option<Header> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        if bytes[..3] != MAGIC {
            return None;
        }
        let kind = Kind::from_byte(bytes[3])?;
        let crc = u32_at(bytes, 4);
        if crc != header_crc(bytes, salt) {
            return None;
        }
        Some(Header {
            kind,
            crc,
            payload_bytes: u32_at(bytes, 8),
            payload_crc: u32_at(bytes, 12),
            sequence: u64_at(bytes, 16),
            synced: u64_at(bytes, 24),
            id: EntryId {
                term: u64_at(bytes, 32),
                index: u64_at(bytes, 40),
            },
            previous: u32_at(bytes, 48),
        })
    }

    pub(super) fn payload_is_whole(&self, payload: &[u8], salt: u32) -> bool {
        payload.len() == self.payload_bytes as usize && crc(payload, salt) == self.payload_crc
    }

    /// Length of the whole record, padding included.
    pub(super) fn record_bytes(&self) -> u64 {
        record_bytes(self.payload_bytes as usize) as u64
    }
}

/// Length of a record with such a payload, padding included.
pub(super) fn record_bytes(payload_bytes: usize) -> usize {
    HEADER_BYTES + payload_bytes.next_multiple_of(ALIGNMENT)
}

/// Where the chain stands: what the next record needs to know of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Chain {
    /// Sequence of the last record; zero before the first.
    pub(super) sequence: u64,
    /// Its header checksum.
    pub(super) crc: u32,
    /// The last sequence known to be durable.
    pub(super) synced: u64,
}

impl Chain {
    /// Appends one record to `buffer`.
    pub(super) fn push(
        &mut self,
        buffer: &mut Vec<u8>,
        salt: u32,
        kind: Kind,
        id: EntryId,
        payload: &[u8],
    ) {
        let start = buffer.len();
        self.sequence += 1;
        buffer.extend_from_slice(&MAGIC);
        buffer.push(kind as u8);
        buffer.extend_from_slice(&[0; 4]);
        // A payload is bounded far below 4 GiB by `log::PAYLOAD_BYTES_MAX`.
        buffer.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        buffer.extend_from_slice(&crc(payload, salt).to_le_bytes());
        buffer.extend_from_slice(&self.sequence.to_le_bytes());
        buffer.extend_from_slice(&self.synced.to_le_bytes());
        buffer.extend_from_slice(&id.term.to_le_bytes());
        buffer.extend_from_slice(&id.index.to_le_bytes());
        buffer.extend_from_slice(&self.crc.to_le_bytes());
        buffer.extend_from_slice(&[0; 4]);
        self.crc = header_crc(&buffer[start..], salt);
        buffer[start + 4..start + 8].copy_from_slice(&self.crc.to_le_bytes());
        buffer.extend_from_slice(payload);
        buffer.resize(start + record_bytes(payload.len()), 0);
    }
}

fn header_crc(header: &[u8], salt: u32) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(&header[..4]);
    hasher.update(&header[8..HEADER_BYTES]);
    hasher.finalize()
}

fn crc(bytes: &[u8], salt: u32) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(
        bytes[offset..offset + 4]
            .try_into()
            .expect("four bytes were sliced"),
    )
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(
        bytes[offset..offset + 8]
            .try_into()
            .expect("eight bytes were sliced"),
    )
}

/// The payload of a [`Kind::State`] record.
///
/// ```text
///   | opening (8) | present (1) | purged 16 | last 16 | committed 16 | vote ...
/// ```
///
/// `opening` differs between two openings of the log, which breaks the chain to records that an
/// earlier opening wrote behind this position.
pub(super) fn encode_state(state: &LogState, opening: u64) -> Vec<u8> {
    let ids = [state.purged, state.last, state.committed];
    let mut present = u8::from(state.vote.is_some()) << 3;
    let mut bytes = opening.to_le_bytes().to_vec();
    bytes.push(0);
    for (bit, id) in ids.iter().enumerate() {
        present |= u8::from(id.is_some()) << bit;
        let id = id.unwrap_or_default();
        bytes.extend_from_slice(&id.term.to_le_bytes());
        bytes.extend_from_slice(&id.index.to_le_bytes());
    }
    bytes[8] = present;
    bytes.extend_from_slice(state.vote.as_deref().unwrap_or_default());
    bytes
}

pub(super) fn decode_state(payload: &[u8]) -> Option<LogState> {
    const FIXED_BYTES: usize = 8 + 1 + 3 * 16;
    let fixed = payload.get(..FIXED_BYTES)?;
    let present = fixed[8];
    let id = |bit: usize| {
        let offset = 9 + bit * 16;
        let id = EntryId {
            term: u64_at(fixed, offset),
            index: u64_at(fixed, offset + 8),
        };
        (present & (1 << bit) != 0).then_some(id)
    };
    let vote = Bytes::copy_from_slice(&payload[FIXED_BYTES..]);
    let vote = (present & (1 << 3) != 0).then_some(vote);
    Some(LogState {
        purged: id(0),
        last: id(1),
        committed: id(2),
        vote,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(term: u64, index: u64) -> EntryId {
        EntryId { term, index }
    }

    #[test]
    fn record_reads_back_and_every_flipped_bit_is_found() {
        let mut chain = Chain {
            sequence: 6,
            crc: 99,
            synced: 4,
        };
        let mut buffer = Vec::new();
        chain.push(&mut buffer, 77, Kind::Entry, id(3, 12), b"hello");
        assert_eq!(buffer.len(), 64);
        let header = Header::decode(&buffer, 77).unwrap();
        assert_eq!(
            (header.kind, header.id, header.previous),
            (Kind::Entry, id(3, 12), 99)
        );
        assert_eq!(
            (header.sequence, header.synced, header.crc),
            (7, 4, chain.crc)
        );
        assert!(header.payload_is_whole(b"hello", 77));
        assert_eq!(Header::decode(&buffer, 78), None, "another segment's salt");
        for bit in 0..(HEADER_BYTES + 5) * 8 {
            let mut rotten = buffer.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            let whole = Header::decode(&rotten, 77).is_some_and(|header| {
                header.payload_is_whole(&rotten[HEADER_BYTES..HEADER_BYTES + 5], 77)
            });
            assert!(!whole, "bit {bit}");
        }
    }

    #[test]
    fn state_reads_back() {
        let empty = LogState::default();
        let full = LogState {
            purged: Some(id(1, 0)),
            last: Some(id(2, 9)),
            committed: Some(id(2, 8)),
            vote: Some(Bytes::from_static(b"me")),
        };
        for state in [empty, full] {
            let bytes = encode_state(&state, 5);
            assert_eq!(decode_state(&bytes), Some(state));
        }
        assert_eq!(decode_state(b"short"), None);
        let state = LogState::default();
        assert_ne!(
            encode_state(&state, 1),
            encode_state(&state, 2),
            "each opening has its own"
        );
    }
}

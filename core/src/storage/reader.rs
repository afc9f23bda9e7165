//! Reading entries back: the youngest from memory, older ones from their segments.
//!
//! What lives here: what a reader takes under the lock, and reading and checking records without
//! it. What does not: the cache and the slots themselves (`index.rs`).

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::index::Slot;
use super::log::Entry;
use super::queue::Shared;
use super::record::{HEADER_BYTES, Header, Kind};
use super::segment::Segment;

/// What one read takes from the disk at a time, unless a single entry is longer.
const READ_BYTES_MAX: u64 = 4 << 20;

impl Shared {
    /// See [`Log::read`](super::log::Log::read).
    pub(super) fn read(
        &self,
        from: u64,
        to_exclusive: u64,
        bytes_max: usize,
    ) -> io::Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = 0;
        loop {
            let next = from + entries.len() as u64;
            let room = Room {
                bytes_left: bytes_max.saturating_sub(bytes),
                force: next == from,
            };
            let found = match self.plan(next, to_exclusive, room)? {
                Plan::Nothing => return Ok(entries),
                Plan::Cached(found) => found,
                Plan::Stored(segment, slots) => read_stored(&segment, next, &slots)
                    .map_err(|error| self.explain(next, error))?,
            };
            bytes += found.iter().map(|entry| entry.payload.len()).sum::<usize>();
            entries.extend(found);
        }
    }

    /// What to take next, where it is.
    fn plan(&self, next: u64, to_exclusive: u64, mut room: Room) -> io::Result<Plan> {
        let inner = self.lock();
        if let Some(error) = inner.failure() {
            return Err(error);
        }
        let to = to_exclusive.min(inner.state.next_index());
        if next >= to {
            return Ok(Plan::Nothing);
        }
        if inner.is_purged(next) {
            return Err(not_found(next, "is purged"));
        }
        let cached = inner.cache.first().max(next);
        if cached == next {
            let range = (next..to).map_while(|index| inner.cache.get(index));
            let found: Vec<Entry> = range
                .take_while(|entry| room.take(entry.payload.len()))
                .cloned()
                .collect();
            return Ok(if found.is_empty() {
                Plan::Nothing
            } else {
                Plan::Cached(found)
            });
        }
        let slots = (next..to.min(cached)).map_while(|index| inner.index.get(index));
        let mut run: Vec<Slot> = Vec::new();
        for slot in slots {
            let first = *run.first().unwrap_or(&slot);
            let here = slot.segment == first.segment
                && (run.is_empty() || slot.end() - first.offset() <= READ_BYTES_MAX);
            if !here || !room.take(slot.payload_bytes as usize) {
                break;
            }
            run.push(slot);
        }
        match run
            .first()
            .and_then(|slot| inner.segments.get(&slot.segment))
        {
            Some(segment) => Ok(Plan::Stored(segment.clone(), run)),
            // Below the first entry of a log that did not begin at zero.
            None if room.force => Err(not_found(next, "was never in the log")),
            None => Ok(Plan::Nothing),
        }
    }

    /// A record that fails because its segment was purged and recycled meanwhile is no damage.
    fn explain(&self, index: u64, error: io::Error) -> io::Error {
        if self.lock().is_purged(index) {
            not_found(index, "is purged")
        } else {
            error
        }
    }
}

/// How much a reader still takes.
#[derive(Clone, Copy)]
struct Room {
    bytes_left: usize,
    /// The next entry is taken whatever its size.
    force: bool,
}

impl Room {
    fn take(&mut self, payload_bytes: usize) -> bool {
        let fits = self.force || payload_bytes <= self.bytes_left;
        self.force = false;
        self.bytes_left = self.bytes_left.saturating_sub(payload_bytes);
        fits
    }
}

enum Plan {
    Nothing,
    Cached(Vec<Entry>),
    Stored(Arc<Segment>, Vec<Slot>),
}

/// Reads neighbouring records with one call and checks each.
fn read_stored(segment: &Segment, from: u64, slots: &[Slot]) -> io::Result<Vec<Entry>> {
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
        return Ok(Vec::new());
    };
    let start = first.offset();
    let mut buffer = vec![0; (last.end() - start) as usize];
    let read = segment.file.read_at(&mut buffer, start)?;
    buffer.truncate(read);
    let buffer = Bytes::from(buffer);
    let mut entries = Vec::with_capacity(slots.len());
    for (index, slot) in (from..).zip(slots) {
        let at = (slot.offset() - start) as usize;
        let payload = at + HEADER_BYTES..at + HEADER_BYTES + slot.payload_bytes as usize;
        let header = Header::decode(buffer.get(at..).unwrap_or_default(), segment.salt);
        let whole = header.filter(|header| {
            let bytes = buffer.get(payload.clone()).unwrap_or_default();
            header.kind == Kind::Entry
                && header.id.index == index
                && header.payload_is_whole(bytes, segment.salt)
        });
        let Some(header) = whole else {
            let (file, offset) = (segment.path.display(), slot.offset());
            let what = format!("entry {index} is damaged: {file}, byte {offset}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        entries.push(Entry {
            id: header.id,
            payload: buffer.slice(payload),
        });
    }
    Ok(entries)
}

fn not_found(index: u64, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("entry {index} {why}"))
}

//! Where the log's entries are: on the disk, by slot, and the youngest of them in memory.
//!
//! What lives here: two containers without locks or files. The log keeps both behind its one lock.
//!
//! Invariant: slots and cached entries each cover a contiguous range of indexes; the cache ends at
//! the log's last entry and reaches down at least to the first entry that has no slot yet.

use std::collections::VecDeque;

use super::log::Entry;
use super::record::{ALIGNMENT, record_bytes};

/// Where one entry's record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// Ordinal of the segment.
    pub(super) segment: u64,
    /// Position in units of the alignment: four bytes reach 32 GiB.
    offset_aligned: u32,
    pub(super) payload_bytes: u32,
}

impl Slot {
    pub(super) fn new(segment: u64, offset: u64, payload_bytes: u32) -> Slot {
        Slot {
            segment,
            offset_aligned: (offset / ALIGNMENT as u64) as u32,
            payload_bytes,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        u64::from(self.offset_aligned) * ALIGNMENT as u64
    }

    pub(super) fn end(&self) -> u64 {
        self.offset() + self.record_bytes()
    }

    fn record_bytes(&self) -> u64 {
        record_bytes(self.payload_bytes as usize) as u64
    }
}

/// The slots of all written entries that are neither purged nor truncated. Positions grow with
/// the index: an index that is written again comes later in the stream.
#[derive(Default)]
pub(super) struct Index {
    first: u64,
    slots: VecDeque<Slot>,
    bytes: u64,
}

impl Index {
    pub(super) fn push(&mut self, index: u64, slot: Slot) {
        if self.slots.is_empty() {
            self.first = index;
        }
        debug_assert_eq!(index, self.first + self.slots.len() as u64);
        self.bytes += slot.record_bytes();
        self.slots.push_back(slot);
    }

    /// Keeps the slots below `next`.
    pub(super) fn truncate(&mut self, next: u64) {
        while self.first + (self.slots.len() as u64) > next {
            let Some(slot) = self.slots.pop_back() else {
                break;
            };
            self.bytes -= slot.record_bytes();
        }
    }

    /// Keeps the slots from `next` on.
    pub(super) fn purge(&mut self, next: u64) {
        while self.first < next
            && let Some(slot) = self.slots.pop_front()
        {
            self.bytes -= slot.record_bytes();
            self.first += 1;
        }
    }

    /// The last index up to `upto` that can go while `bytes_kept` of records stay behind it.
    pub(super) fn purgeable(&self, upto: u64, bytes_kept: u64) -> Option<u64> {
        let mut bytes = self.bytes;
        let mut last = None;
        for (index, slot) in (self.first..=upto).zip(&self.slots) {
            bytes -= slot.record_bytes();
            if bytes < bytes_kept {
                break;
            }
            last = Some(index);
        }
        last
    }

    pub(super) fn get(&self, index: u64) -> Option<Slot> {
        let position = index.checked_sub(self.first)?;
        self.slots.get(usize::try_from(position).ok()?).copied()
    }

    /// The first index that has a slot.
    pub(super) fn first(&self) -> Option<u64> {
        (!self.slots.is_empty()).then_some(self.first)
    }

    /// The first segment that still holds an entry.
    pub(super) fn segment_oldest(&self) -> Option<u64> {
        self.slots.front().map(|slot| slot.segment)
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of all records with a slot.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The youngest entries. Bounded by `bytes_max`, except for those the disk does not have yet.
pub(super) struct Cache {
    /// The index after the last.
    next: u64,
    /// With the ticket of the operation that brought each.
    entries: VecDeque<(u64, Entry)>,
    bytes: usize,
    bytes_max: usize,
}

impl Cache {
    pub(super) fn new(next: u64, bytes_max: usize) -> Cache {
        Cache {
            next,
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// The first cached index; the index after the last entry if nothing is cached.
    pub(super) fn first(&self) -> u64 {
        self.next - self.entries.len() as u64
    }

    pub(super) fn push(&mut self, ticket: u64, entry: Entry) {
        self.next = entry.id.index + 1;
        self.bytes += entry.payload.len();
        self.entries.push_back((ticket, entry));
    }

    /// Keeps the entries below `next`, which becomes the index after the last.
    pub(super) fn truncate(&mut self, next: u64) {
        while self.next > next
            && let Some((_, entry)) = self.entries.pop_back()
        {
            self.bytes -= entry.payload.len();
            self.next -= 1;
        }
        self.next = next;
    }

    /// Keeps the entries from `from` on. If that is none, the log goes on at `next`.
    pub(super) fn purge(&mut self, from: u64, next: u64) {
        while self.first() < from
            && let Some((_, entry)) = self.entries.pop_front()
        {
            self.bytes -= entry.payload.len();
        }
        self.next = next;
    }

    /// Drops the oldest entries beyond the bound, if they came with `settled` or before.
    pub(super) fn evict(&mut self, settled: u64) {
        while self.bytes > self.bytes_max
            && self
                .entries
                .front()
                .is_some_and(|(ticket, _)| *ticket <= settled)
            && let Some((_, entry)) = self.entries.pop_front()
        {
            self.bytes -= entry.payload.len();
        }
    }

    pub(super) fn get(&self, index: u64) -> Option<&Entry> {
        let position = index.checked_sub(self.first())?;
        self.entries
            .get(usize::try_from(position).ok()?)
            .map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::log::EntryId;
    use super::*;

    #[test]
    fn what_may_be_purged_leaves_enough_behind() {
        let mut index = Index::default();
        for number in 5..10 {
            index.push(number, Slot::new(0, number * 64, 8));
        }
        let cases = [
            (9, 0, Some(9)),
            (6, 0, Some(6)),
            (9, 128, Some(7)),
            (9, 320, None),
            (4, 0, None),
        ];
        for (upto, bytes_kept, expected) in cases {
            assert_eq!(
                index.purgeable(upto, bytes_kept),
                expected,
                "{upto} {bytes_kept}"
            );
        }
    }

    #[test]
    fn index_gives_positions_and_counts_bytes() {
        let mut index = Index::default();
        for number in 5..10 {
            index.push(number, Slot::new(number / 7, 4096 + number * 64, 8));
        }
        assert_eq!(index.bytes(), 5 * 64);
        assert_eq!(index.get(4), None);
        assert_eq!(index.get(6).unwrap().offset(), 4096 + 6 * 64);
        index.truncate(9);
        index.purge(7);
        assert_eq!((index.get(6), index.get(9)), (None, None));
        assert_eq!((index.segment_oldest(), index.bytes()), (Some(1), 2 * 64));
        index.purge(100);
        index.push(100, Slot::new(3, 8192, 8));
        assert_eq!(index.get(100).unwrap().segment, 3);
    }

    #[test]
    fn cache_keeps_unsettled_entries_beyond_its_bound() {
        let mut cache = Cache::new(1, 10);
        for index in 1..=4 {
            let payload = Bytes::from_static(b"12345678");
            cache.push(
                index,
                Entry {
                    id: EntryId { term: 1, index },
                    payload,
                },
            );
        }
        cache.evict(2);
        assert_eq!(cache.first(), 3, "1 and 2 are settled, 3 and 4 are not");
        cache.evict(4);
        assert_eq!(cache.first(), 4);
        cache.truncate(2);
        assert_eq!((cache.first(), cache.get(4).is_some()), (2, false));
        cache.purge(9, 9);
        assert_eq!(cache.first(), 9);
    }
}

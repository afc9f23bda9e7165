//! Opening the log: finding the end of the stream, and telling a torn tail from damage.
//!
//! What lives here: reading the segments once, in order, and deciding. What does not: appending.
//!
//! ```text
//!   log.1: State r r r Roll   log.2: State r r r r X . . .        log.3 (spare)
//!                                                  ^ the first record that does not check out
//! ```
//!
//! A record checks out if header and payload pass their checksums, and sequence and chain continue
//! the record before. At the first one that does not, let `s` be the sequence it should have had:
//!
//! * Any record further on that was written when `s` was known to be durable (`synced >= s`) proves
//!   that `s` was there once: **damage**. Only headers are looked for, at every aligned position.
//! * Otherwise `s` was never acknowledged, or it was the very last group and the log had no time to
//!   note that: a **torn tail**, cut. Records of the same group that follow it go with it.
//!
//! What is kept but not covered by a watermark is written once more: after a failed sync the bytes
//! may be in the system's cache only, looking clean.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::disk::{Disk, DiskFile};
use super::index::{Index, Slot};
use super::log::{Cut, EntryId, LogOptions, LogState, OpenError, Recovered};
use super::record::{ALIGNMENT, Chain, HEADER_BYTES, Header, Kind, TERMINATOR, decode_state};
use super::segment::{
    HeaderError, RECORDS_OFFSET, Segment, list_segments, segment_path, segment_salt,
};
use super::writer::Tail;

/// How much is read at a time.
const WINDOW_BYTES: usize = 256 << 10;
const EIO: i32 = 5;

/// What opening hands to the log.
pub(super) struct Recovery {
    pub(super) state: LogState,
    pub(super) index: Index,
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
    pub(super) chain: Chain,
    pub(super) tail: Tail,
    pub(super) recovered: Recovered,
}

pub(super) fn recover(
    disk: &dyn Disk,
    dir: &Path,
    options: &LogOptions,
) -> Result<Recovery, OpenError> {
    let io = |error| OpenError::Io {
        dir: dir.to_owned(),
        error,
    };
    disk.create_dir_all(dir).map_err(io)?;
    let mut ordinals = list_segments(disk, dir).map_err(io)?;
    if ordinals.is_empty() {
        let bytes = RECORDS_OFFSET + options.segment_bytes;
        let salt = segment_salt(options.salt, 1);
        Segment::prepare(disk, dir, 1, salt, bytes, None).map_err(io)?;
        ordinals.push(1);
    }
    // A purged segment may outlive a younger one when the power goes between the two removals.
    let gap = ordinals.windows(2).rposition(|pair| pair[0] + 1 != pair[1]);
    let run = ordinals.split_off(gap.map_or(0, |gap| gap + 1));
    let leftover = ordinals;

    let mut segments = VecDeque::new();
    for ordinal in run {
        segments.push_back(open_segment(disk, dir, ordinal)?);
    }
    let mut scan = Scan::default();
    let (active, offset, cut) = scan.stream(dir, &mut segments)?;
    scan.check_complete(&segment_path(dir, active.ordinal))?;

    let spare = segments.pop_front();
    for superfluous in segments {
        disk.remove(&superfluous.path).map_err(io)?;
    }
    for ordinal in leftover {
        disk.remove(&segment_path(dir, ordinal)).map_err(io)?;
    }
    disk.sync_dir(dir).map_err(io)?;
    scan.segments.insert(active.ordinal, active.clone());
    scan.write_suspects_again().map_err(io)?;
    scan.chain.synced = scan.chain.sequence;
    Ok(Recovery {
        recovered: Recovered {
            cut,
            entries: scan.index.len() as u64,
        },
        state: scan.state,
        index: scan.index,
        segments: scan.segments,
        chain: scan.chain,
        tail: Tail {
            active,
            offset,
            spare,
        },
    })
}

fn open_segment(disk: &dyn Disk, dir: &Path, ordinal: u64) -> Result<Segment, OpenError> {
    let path = segment_path(dir, ordinal);
    Segment::open(disk, dir, ordinal).map_err(|error| match error {
        HeaderError::Io(error) => unreadable(&path, 0, error),
        HeaderError::Damaged(what) => damaged(&path, 0, what),
    })
}

/// A block the disk cannot read any more is damage like any other.
fn unreadable(path: &Path, offset: u64, error: io::Error) -> OpenError {
    if error.raw_os_error() == Some(EIO) {
        return damaged(path, offset, format!("cannot be read: {error}"));
    }
    OpenError::Io {
        dir: path.to_owned(),
        error,
    }
}

fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> OpenError {
    OpenError::Damaged {
        file: path.to_owned(),
        offset,
        what: what.into(),
    }
}

#[derive(Default)]
struct Scan {
    state: LogState,
    index: Index,
    segments: BTreeMap<u64, Arc<Segment>>,
    chain: Chain,
    /// The first State record was read: sequence and chain are known.
    started: bool,
    /// Entries up to this index are in segments that are gone; all of them must be purged.
    missing_to: Option<u64>,
    /// Records above the watermark.
    suspects: VecDeque<Suspect>,
}

struct Suspect {
    sequence: u64,
    segment: Arc<Segment>,
    offset: u64,
    bytes: u64,
}

/// Where reading a segment stopped.
enum End {
    /// At its Roll record.
    Rolled,
    /// At the first position without a good record.
    Stopped { offset: u64 },
}

impl Scan {
    /// Reads the stream; leaves in `segments` what comes after the active one.
    fn stream(
        &mut self,
        dir: &Path,
        segments: &mut VecDeque<Segment>,
    ) -> Result<(Arc<Segment>, u64, Option<Cut>), OpenError> {
        let first = segments.front().map_or(1, |segment| segment.ordinal);
        let mut next = first;
        while let Some(segment) = segments.pop_front() {
            let segment = Arc::new(segment);
            next += 1;
            match self.segment(&segment)? {
                End::Rolled => {
                    self.segments.insert(segment.ordinal, segment);
                }
                End::Stopped { offset } => {
                    if !self.started && first != 1 {
                        return Err(damaged(
                            &segment.path,
                            offset,
                            "the state record is missing",
                        ));
                    }
                    let cut = self.cut(&segment, offset, segments)?;
                    return Ok((segment, offset, cut));
                }
            }
        }
        Err(damaged(
            &segment_path(dir, next),
            0,
            "the segment is missing",
        ))
    }

    fn segment(&mut self, segment: &Arc<Segment>) -> Result<End, OpenError> {
        let path = &segment.path;
        let mut window = Window::new(segment.file.as_ref());
        let mut offset = RECORDS_OFFSET;
        loop {
            let stopped = Ok(End::Stopped { offset });
            let bytes = window
                .get(offset, HEADER_BYTES)
                .map_err(|error| unreadable(path, offset, error))?;
            let Some(header) = Header::decode(bytes, segment.salt) else {
                return stopped;
            };
            if !self.continues(&header) {
                return stopped;
            }
            let payload = window
                .get(offset + HEADER_BYTES as u64, header.payload_bytes as usize)
                .map_err(|error| unreadable(path, offset, error))?;
            if !header.payload_is_whole(payload, segment.salt) {
                return stopped;
            }
            self.replay(segment, offset, &header, payload)
                .map_err(|what| damaged(path, offset, what))?;
            self.advance(segment, offset, &header);
            if header.kind == Kind::Roll {
                return Ok(End::Rolled);
            }
            offset += header.record_bytes();
        }
    }

    fn continues(&self, header: &Header) -> bool {
        if !self.started {
            return header.kind == Kind::State;
        }
        header.sequence == self.chain.sequence + 1 && header.previous == self.chain.crc
    }

    fn advance(&mut self, segment: &Arc<Segment>, offset: u64, header: &Header) {
        self.started = true;
        self.chain = Chain {
            sequence: header.sequence,
            crc: header.crc,
            synced: self.chain.synced.max(header.synced),
        };
        self.suspects.push_back(Suspect {
            sequence: header.sequence,
            segment: segment.clone(),
            offset,
            bytes: header.record_bytes(),
        });
        while self
            .suspects
            .front()
            .is_some_and(|record| record.sequence <= self.chain.synced)
        {
            self.suspects.pop_front();
        }
    }

    /// Repeats what a record says. A record that is whole but makes no sense is damage.
    fn replay(
        &mut self,
        segment: &Segment,
        offset: u64,
        header: &Header,
        payload: &[u8],
    ) -> Result<(), String> {
        let id = header.id;
        match header.kind {
            Kind::Entry => {
                if self
                    .state
                    .last
                    .is_some_and(|last| last.index + 1 != id.index)
                {
                    return Err(format!("entry {} does not follow the one before", id.index));
                }
                let slot = Slot::new(segment.ordinal, offset, header.payload_bytes);
                self.index.push(id.index, slot);
                self.state.last = Some(id);
            }
            Kind::Vote => self.state.vote = Some(Bytes::copy_from_slice(payload)),
            Kind::Truncate => self.truncate(Some(id)),
            Kind::TruncateAll => self.truncate(None),
            Kind::Purge => {
                self.state.purge(id);
                self.index.purge(id.index.saturating_add(1));
            }
            Kind::Committed => self.state.commit(Some(id)),
            Kind::Mark | Kind::Roll => {}
            Kind::State => return self.replay_state(payload),
        }
        Ok(())
    }

    fn truncate(&mut self, last: Option<EntryId>) {
        self.state.truncate(last);
        self.index.truncate(last.map_or(0, |last| last.index + 1));
        self.missing_to = match (self.missing_to, last) {
            (Some(to), Some(last)) if self.state.last != self.state.purged => {
                Some(to.min(last.index))
            }
            _ => None,
        };
    }

    fn replay_state(&mut self, payload: &[u8]) -> Result<(), String> {
        let found = decode_state(payload).ok_or("the state record is malformed")?;
        if !self.started {
            if found.last != found.purged {
                self.missing_to = found.last.map(|last| last.index);
            }
            self.state = found;
            return Ok(());
        }
        let known = &self.state;
        if (found.purged, found.last, &found.vote) != (known.purged, known.last, &known.vote) {
            return Err("the state record contradicts the records before it".into());
        }
        Ok(())
    }

    fn check_complete(&self, active: &Path) -> Result<(), OpenError> {
        let Some(to) = self.missing_to else {
            return Ok(());
        };
        match self.state.purged {
            Some(purged) if purged.index >= to => Ok(()),
            _ => {
                let what = format!("entries up to {to} are missing: an earlier segment is gone");
                Err(damaged(active, 0, what))
            }
        }
    }

    /// Decides what the bytes from `offset` on are.
    fn cut(
        &self,
        segment: &Segment,
        offset: u64,
        later: &VecDeque<Segment>,
    ) -> Result<Option<Cut>, OpenError> {
        let expected = self.chain.sequence + 1;
        let mut end = offset;
        for (position, candidate) in std::iter::once(segment).chain(later).enumerate() {
            let from = if position == 0 {
                offset
            } else {
                RECORDS_OFFSET
            };
            let found = search(candidate, from, expected, self.chain.synced)
                .map_err(|error| unreadable(&candidate.path, from, error))?;
            if let Some(proof) = found.proof {
                let file = candidate.path.display();
                let what = format!("record {expected} is bad, but was durable: {file}, {proof}");
                return Err(damaged(&segment.path, offset, what));
            }
            if position == 0 {
                end = end.max(found.end);
            }
        }
        let mut next = TERMINATOR;
        segment
            .file
            .read_at(&mut next, offset)
            .map_err(|error| unreadable(&segment.path, offset, error))?;
        if next != TERMINATOR {
            end = end.max(offset + TERMINATOR.len() as u64);
        }
        let cut = Cut {
            file: segment.path.clone(),
            offset,
            bytes: end - offset,
        };
        Ok((cut.bytes > 0).then_some(cut))
    }

    fn write_suspects_again(&self) -> io::Result<()> {
        let mut unsynced: Option<Arc<Segment>> = None;
        for Suspect {
            segment,
            offset,
            bytes,
            ..
        } in &self.suspects
        {
            let mut record = vec![0; *bytes as usize];
            let read = segment.file.read_at(&mut record, *offset)?;
            segment.file.write_at(&record[..read], *offset)?;
            let before = unsynced.replace(segment.clone());
            if let Some(before) = before.filter(|before| before.ordinal != segment.ordinal) {
                before.file.sync_data()?;
            }
        }
        unsynced.map_or(Ok(()), |segment| segment.file.sync_data())
    }
}

struct Found {
    /// Position of a record that was written when the expected one was durable.
    proof: Option<u64>,
    /// End of the last record recognized.
    end: u64,
}

/// Looks at every aligned position for the header of a record.
/// Those older than `current` were cut off earlier and prove nothing.
fn search(segment: &Segment, from: u64, expected: u64, current: u64) -> io::Result<Found> {
    let mut window = Window::new(segment.file.as_ref());
    let mut found = Found {
        proof: None,
        end: from,
    };
    let mut offset = from;
    while offset < segment.data_end {
        let bytes = window.get(offset, WINDOW_BYTES)?;
        if bytes.len() < HEADER_BYTES {
            break;
        }
        let last = bytes.len() - HEADER_BYTES;
        for position in (0..=last).step_by(ALIGNMENT) {
            let Some(header) = Header::decode(&bytes[position..], segment.salt) else {
                continue;
            };
            let at = offset + position as u64;
            if header.synced >= current {
                found.end = found.end.max(at + header.record_bytes());
            }
            if header.synced >= expected {
                found.proof = Some(at);
                return Ok(found);
            }
        }
        // The next window starts where this one could not see a whole header any more.
        offset += (last - last % ALIGNMENT + ALIGNMENT) as u64;
    }
    Ok(found)
}

/// Reads a file in long pieces and gives out short ones.
struct Window<'a> {
    file: &'a dyn DiskFile,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile) -> Window<'a> {
        Window {
            file,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// The bytes at `offset`; fewer than asked only at the end of the file.
    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + length as u64 > end {
            // Not longer than the file, whatever a header claims.
            let rest = usize::try_from(self.file.bytes()?.saturating_sub(offset));
            let want = length.max(WINDOW_BYTES).min(rest.unwrap_or(usize::MAX));
            self.bytes.resize(want, 0);
            let read = self.file.read_at(&mut self.bytes, offset)?;
            self.bytes.truncate(read);
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        let to = (from + length).min(self.bytes.len());
        Ok(&self.bytes[from..to])
    }
}

//! The one I/O thread of the log: the only place that writes to segments.
//!
//! What lives here: groups of operations become one write and one sync; segments are rolled,
//! reserved ahead, and recycled. What does not: the queue and its lock (`log.rs`).
//!
//! Invariants:
//! * One group is in flight at a time. So everything before a group is durable when the group is
//!   written, and its records say so (`synced`).
//! * A segment ends with a durable Roll record before anything is written into the next one.
//! * A segment is taken away only after the record that makes it unneeded is durable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::disk::{Disk, is_out_of_space};
use super::index::Slot;
use super::log::{EntryId, LogOptions, LogState, Space};
use super::queue::{Group, Op, Shared, Wake, Work, micros};
use super::record::{Chain, HEADER_BYTES, Kind, TERMINATOR, encode_state, record_bytes};
use super::segment::{RECORDS_OFFSET, Segment, segment_salt};

/// Idle for so long, the log writes down that its last group was durable.
const MARK_AFTER: Duration = Duration::from_millis(20);
/// How often a full disk is asked again.
const SPACE_RETRY: Duration = Duration::from_secs(1);
/// Purged files kept for re-use; the spare segment comes on top.
const FREE_FILES_MAX: usize = 2;
/// The write buffer is given back when a group made it longer than this.
const BUFFER_BYTES_MAX: usize = 8 << 20;
/// What a group leaves free in its segment: room for one mark, the Roll record and a terminator.
const END_BYTES: u64 = (2 * HEADER_BYTES + TERMINATOR.len()) as u64;

/// Where the stream ends.
pub(super) struct Tail {
    pub(super) active: Arc<Segment>,
    pub(super) offset: u64,
    /// The segment after the active one, empty.
    pub(super) spare: Option<Segment>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: LogOptions,
    /// The state as written, which a State record must show.
    state: LogState,
    chain: Chain,
    tail: Tail,
    /// Length of the active segment's file.
    capacity: u64,
    free: Vec<PathBuf>,
    buffer: Vec<u8>,
    /// The last group's durability is not written down yet.
    mark_due: bool,
    space_retry_at: Option<Instant>,
    /// A write or sync failed: nothing is written any more.
    failed: bool,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: LogOptions,
        state: LogState,
        chain: Chain,
        tail: Tail,
    ) -> Writer {
        Writer {
            shared,
            disk,
            dir: dir.to_owned(),
            options,
            state,
            chain,
            tail,
            capacity: 0,
            free: Vec::new(),
            buffer: Vec::new(),
            mark_due: false,
            space_retry_at: None,
            failed: false,
        }
    }

    /// Writes a State record behind what recovery kept, which makes that durable for certain and
    /// sets this opening apart from earlier ones.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.capacity = self.tail.active.file.bytes()?;
        let group = Group {
            ops: Vec::new(),
            bytes: self.state_bytes(),
            committed: None,
        };
        if self.fits(group.bytes) {
            self.push_state();
        }
        self.write_group(&group)?;
        Ok(())
    }

    /// The thread: writes groups until the log is closed or fails.
    pub(super) fn serve(mut self) {
        let _obituary = Obituary(self.shared.clone());
        loop {
            self.provide(Instant::now());
            if self.failed {
                return;
            }
            let deadline = match (self.mark_due, self.space_retry_at) {
                (true, _) => Some(Instant::now() + MARK_AFTER),
                (false, retry) => retry,
            };
            match self.shared.wait(deadline) {
                Wake::Work => {}
                Wake::Deadline => self.mark(),
                Wake::Close => return self.finish(),
            }
            self.turn();
        }
    }

    /// Writes one group if there is work.
    pub(super) fn turn(&mut self) {
        let Some(group) = self.shared.take_group() else {
            return;
        };
        match self.write_group(&group) {
            Ok(slots) => {
                self.publish(group, &slots);
                let retired = self.retire();
                self.check(retired);
            }
            Err(error) => self.fail(&error, group.ops),
        }
    }

    /// Reserves the next segment if there is none; asks a full disk once per retry interval.
    pub(super) fn provide(&mut self, now: Instant) {
        if self.failed
            || self.tail.spare.is_some()
            || self.space_retry_at.is_some_and(|at| now < at)
        {
            return;
        }
        let provided = match self.prepare_spare() {
            Err(error) if is_out_of_space(&error) => {
                self.set_space(Space::Low);
                self.space_retry_at = Some(now + SPACE_RETRY);
                Ok(())
            }
            result => result,
        };
        self.check(provided);
    }

    /// Writes down, without a sync, that everything so far is durable, so that rot in the last
    /// group is not taken for a torn tail.
    pub(super) fn mark(&mut self) {
        // Uses the room a group left for it, so it needs a segment's end no more.
        let fits = self.tail.offset + END_BYTES <= self.capacity;
        if self.failed || !fits {
            return;
        }
        let committed = self.shared.take_committed();
        if !std::mem::take(&mut self.mark_due) && committed.is_none() {
            return;
        }
        self.buffer.clear();
        self.push_mark(committed);
        let written = self.write_buffer();
        self.check(written);
    }

    /// Leaves a log that can be told from one that crashed.
    pub(super) fn finish(&mut self) {
        self.mark();
        if !self.failed {
            let synced = self.sync();
            self.check(synced);
        }
    }

    fn check(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.fail(&error, Vec::new());
        }
    }

    fn fail(&mut self, error: &io::Error, ops: Vec<Op>) {
        tracing::error!(dir = %self.dir.display(), %error, "the log failed and takes no more");
        self.failed = true;
        self.shared.poison(error, ops);
    }

    /// Makes a group durable; returns where its entries are, in order.
    fn write_group(&mut self, group: &Group) -> io::Result<Vec<Slot>> {
        let mut bytes = group.bytes;
        if group.committed.is_some() {
            bytes += HEADER_BYTES;
        }
        if !self.fits(bytes) {
            self.roll()?;
            self.enlarge(bytes)?;
        }
        let slots = self.encode(group);
        if !self.buffer.is_empty() {
            self.write_buffer()?;
            self.sync()?;
            self.mark_due = true;
        }
        Ok(slots)
    }

    fn fits(&self, bytes: usize) -> bool {
        self.tail.offset + bytes as u64 + END_BYTES <= self.capacity
    }

    /// Lengthens a fresh segment for a group that is longer than a whole one.
    fn enlarge(&mut self, group_bytes: usize) -> io::Result<()> {
        let needed = self.tail.offset + (self.state_bytes() + group_bytes) as u64 + END_BYTES;
        if needed > self.capacity {
            self.tail.active.file.allocate(needed)?;
            self.capacity = needed;
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        record_bytes(encode_state(&self.state, self.options.salt).len())
    }

    fn encode(&mut self, group: &Group) -> Vec<Slot> {
        let mut slots = Vec::new();
        for op in &group.ops {
            match &op.work {
                Work::Append(entries) => {
                    for entry in entries {
                        let offset = self.tail.offset + self.buffer.len() as u64;
                        let bytes = entry.payload.len() as u32;
                        slots.push(Slot::new(self.tail.active.ordinal, offset, bytes));
                        self.push(Kind::Entry, entry.id, &entry.payload);
                        self.state.last = Some(entry.id);
                    }
                }
                Work::Vote(vote) => {
                    self.push(Kind::Vote, EntryId::default(), vote);
                    self.state.vote = Some(vote.clone());
                }
                Work::Truncate(last) => {
                    let kind = if last.is_some() {
                        Kind::Truncate
                    } else {
                        Kind::TruncateAll
                    };
                    self.push(kind, last.unwrap_or_default(), &[]);
                    self.state.truncate(*last);
                }
                Work::Purge(upto) => {
                    self.push(Kind::Purge, *upto, &[]);
                    self.state.purge(*upto);
                }
                Work::Refuse(_) => {}
            }
        }
        if group.committed.is_some() {
            self.push_mark(group.committed);
        }
        slots
    }

    fn push(&mut self, kind: Kind, id: EntryId, payload: &[u8]) {
        self.chain
            .push(&mut self.buffer, self.tail.active.salt, kind, id, payload);
    }

    fn push_mark(&mut self, committed: Option<EntryId>) {
        let kind = if committed.is_some() {
            Kind::Committed
        } else {
            Kind::Mark
        };
        self.push(kind, committed.unwrap_or_default(), &[]);
        self.state.commit(committed.or(self.state.committed));
    }

    fn push_state(&mut self) {
        let payload = encode_state(&self.state, self.options.salt);
        self.push(Kind::State, EntryId::default(), &payload);
    }

    /// Writes the buffer and a terminator at the end of the stream.
    fn write_buffer(&mut self) -> io::Result<()> {
        let bytes = self.buffer.len() as u64;
        self.buffer.extend_from_slice(&TERMINATOR);
        self.tail
            .active
            .file
            .write_at(&self.buffer, self.tail.offset)?;
        self.tail.offset += bytes;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_MAX);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let started = Instant::now();
        self.tail.active.file.sync_data()?;
        self.chain.synced = self.chain.sequence;
        let took = micros(started.elapsed());
        self.options.fsync_time.observe(took);
        let stats = &mut self.shared.lock().stats;
        stats.fsync_count += 1;
        stats.fsync_slow += u64::from(took > self.options.fsync_slow_us);
        stats.fsync_micros_last = took;
        stats.fsync_micros_max = stats.fsync_micros_max.max(took);
        stats.fsync_micros_total += took;
        Ok(())
    }

    /// Shows the group to readers, then tells its callers.
    fn publish(&mut self, group: Group, slots: &[Slot]) {
        let mut slots = slots.iter();
        let mut inner = self.shared.lock();
        for op in &group.ops {
            match &op.work {
                Work::Append(entries) => {
                    for (entry, slot) in entries.iter().zip(&mut slots) {
                        inner.index.push(entry.id.index, *slot);
                    }
                }
                Work::Truncate(Some(last)) => inner.index.truncate(last.index + 1),
                Work::Truncate(None) => inner.index.truncate(0),
                Work::Purge(upto) => inner.index.purge(upto.index.saturating_add(1)),
                Work::Vote(_) | Work::Refuse(_) => {}
            }
        }
        if let Some(op) = group.ops.last() {
            inner.cache.evict(op.ticket);
        }
        inner.busy_since = None;
        inner.stats.queued -= group.ops.len() as u64;
        inner.stats.queued_bytes -= group.bytes as u64;
        drop(inner);
        for op in group.ops {
            let result = match op.work {
                Work::Refuse(error) => Err(error),
                _ => Ok(()),
            };
            (op.done)(result);
        }
    }

    /// Ends the active segment and goes on in the spare one.
    fn roll(&mut self) -> io::Result<()> {
        if self.tail.spare.is_none() {
            self.prepare_spare()?;
        }
        let Some(spare) = self.tail.spare.take() else {
            return Err(io::Error::other("no segment was prepared"));
        };
        self.buffer.clear();
        self.push(Kind::Roll, EntryId::default(), &[]);
        self.write_buffer()?;
        self.sync()?;
        let spare = Arc::new(spare);
        self.shared
            .lock()
            .segments
            .insert(spare.ordinal, spare.clone());
        self.capacity = spare.file.bytes()?;
        self.tail = Tail {
            active: spare,
            offset: RECORDS_OFFSET,
            spare: None,
        };
        self.space_retry_at = None;
        self.push_state();
        Ok(())
    }

    fn prepare_spare(&mut self) -> io::Result<()> {
        let ordinal = self.tail.active.ordinal + 1;
        let spare = Segment::prepare(
            self.disk.as_ref(),
            &self.dir,
            ordinal,
            segment_salt(self.options.salt, ordinal),
            RECORDS_OFFSET + self.options.segment_bytes,
            self.free.pop(),
        )?;
        self.tail.spare = Some(spare);
        self.space_retry_at = None;
        self.set_space(Space::Enough);
        Ok(())
    }

    fn set_space(&self, space: Space) {
        let low = space == Space::Low;
        if self.shared.space_is_low.swap(low, Ordering::AcqRel) != low {
            tracing::warn!(dir = %self.dir.display(), ?space, "disk space for the log changed");
        }
    }

    /// Frees the segments that hold nothing any more, oldest first.
    fn retire(&mut self) -> io::Result<()> {
        loop {
            let segment = {
                let mut inner = self.shared.lock();
                let active = self.tail.active.ordinal;
                let needed = inner.index.segment_oldest().unwrap_or(active).min(active);
                match inner.segments.first_key_value() {
                    Some((ordinal, _)) if *ordinal < needed => inner.segments.pop_first(),
                    _ => None,
                }
            };
            let Some((_, segment)) = segment else {
                return Ok(());
            };
            let free = segment.free(self.disk.as_ref(), &self.dir)?;
            let usual = RECORDS_OFFSET + self.options.segment_bytes;
            if self.free.len() < FREE_FILES_MAX && segment.file.bytes()? == usual {
                self.free.push(free);
            } else {
                self.disk.remove(&free)?;
            }
        }
    }
}

/// Tells the waiting callers if a `done` panics and takes the thread with it.
struct Obituary(Arc<Shared>);

impl Drop for Obituary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .poison(&io::Error::other("the log's thread panicked"), Vec::new());
        }
    }
}

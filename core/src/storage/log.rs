//! The durable Raft log, with the vote in the same stream.
//!
//! What lives here: the public face of the log, the queue between its callers and its one I/O
//! thread, and reading. What does not: how records reach the disk (`writer.rs`), how they are found
//! again (`recovery.rs`).
//!
//! ```text
//!   append, save_vote, truncate_after, purge          read
//!        | one lock: state, cache, queue                ^ cache, or pread by slot
//!        v                                              |
//!   queue --take all--> [zoowarden-log]: one write_at, one sync_data --> slots, cache --> done()s
//! ```
//!
//! Invariants:
//! * Every operation takes effect in the order of the calls, in memory at once, on the disk in the
//!   same order; the `done`s run in that order on the I/O thread, each after its sync.
//! * After the first failed write or sync the log is poisoned: that operation and every later call
//!   fails with the same error. A sync is never tried again.
//!
//! Lock order: `Shared::inner` is the only lock; no file operation and no `done` runs under it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::disk::Disk;
use super::index::{Cache, Index, Slot};
use super::record::{HEADER_BYTES, Header, Kind, record_bytes};
use super::recovery;
use super::segment::Segment;
use super::writer::Writer;

/// The longest payload of an entry.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// The longest encoded vote.
pub const VOTE_BYTES_MAX: usize = 1024;
/// What one read takes from the disk at a time, unless a single entry is longer.
const READ_BYTES_MAX: u64 = 4 << 20;
/// What one group takes from the queue, unless a single operation is longer.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// Term and index of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntryId {
    /// The term of the leader that made the entry.
    pub term: u64,
    /// Its position in the log.
    pub index: u64,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its term and index.
    pub id: EntryId,
    /// Its bytes, opaque to the log.
    pub payload: Bytes,
}

/// What the log holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogState {
    /// The last entry that was purged.
    pub purged: Option<EntryId>,
    /// The last entry; `purged` if there is none after it.
    pub last: Option<EntryId>,
    /// The vote saved last.
    pub vote: Option<Bytes>,
    /// What was saved as committed last. After a restart it may be older than what was saved, and
    /// it is never beyond `last`.
    pub committed: Option<EntryId>,
}

impl LogState {
    pub(super) fn truncate(&mut self, last: Option<EntryId>) {
        self.last = last.or(self.purged);
        self.commit(self.committed);
    }

    pub(super) fn purge(&mut self, upto: EntryId) {
        self.purged = later(self.purged, Some(upto));
        self.last = later(self.last, self.purged);
        self.commit(self.committed);
    }

    pub(super) fn commit(&mut self, committed: Option<EntryId>) {
        // What is purged was committed, and nothing is that the log does not hold.
        self.committed = later(committed, self.purged);
        if self.committed.map(|id| id.index) > self.last.map(|id| id.index) {
            self.committed = self.last;
        }
    }

    /// The index after the last entry; zero if the log never had one.
    pub(super) fn next_index(&self) -> u64 {
        self.last.map_or(0, |id| id.index + 1)
    }
}

fn later(a: Option<EntryId>, b: Option<EntryId>) -> Option<EntryId> {
    if b.map(|id| id.index) > a.map(|id| id.index) {
        b
    } else {
        a
    }
}

/// Called once, on the log's I/O thread, when an operation is durable or has failed. If the log is
/// poisoned or closed already, called at once by the thread that asked.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Bytes of records in one segment.
    pub segment_bytes: u64,
    /// Payload bytes of the youngest entries kept in memory. Entries that are not durable yet are
    /// kept beyond that.
    pub cache_bytes: usize,
    /// A random number, different at every opening of the same directory. It makes left-over bytes
    /// in re-used files recognizable, and keeps a client from forging records inside a payload.
    pub salt: u64,
}

impl LogOptions {
    /// Segments of 64 MiB, a cache of 8 MiB.
    pub fn new(salt: u64) -> LogOptions {
        LogOptions {
            segment_bytes: 64 << 20,
            cache_bytes: 8 << 20,
            salt,
        }
    }
}

/// Whether the log has disk space in reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// The next segment is reserved.
    Enough,
    /// The disk is full: the log lives on what it has reserved, and tries again every second.
    Low,
}

/// What opening the log found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The torn tail that was cut off; nothing in it was ever acknowledged.
    pub cut: Option<Cut>,
    /// Entries found after the purged ones.
    pub entries: u64,
}

/// A torn tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub file: PathBuf,
    /// Where the stream ends now.
    pub offset: u64,
    /// How many bytes behind that were recognizably written; there may have been more.
    pub bytes: u64,
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk failed, or is full.
    #[error("cannot open the log in {dir}: {error}")]
    Io {
        /// The log's directory.
        dir: PathBuf,
        /// What the disk said.
        error: io::Error,
    },
    /// Bytes are damaged or missing that may have been acknowledged. Nothing was changed. The
    /// server must not vote with this log; move the directory aside and rejoin by snapshot.
    #[error("the log is damaged: {file}, byte {offset}: {what}")]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Position of the first bad record.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
}

/// Counters of the I/O thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Group commits done.
    pub fsync_count: u64,
    /// Duration of the last sync.
    pub fsync_micros_last: u64,
    /// Duration of the longest sync.
    pub fsync_micros_max: u64,
    /// Duration of all syncs together.
    pub fsync_micros_total: u64,
    /// Operations not yet durable, those being written included.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// How long the group now being written has been on its way; a watchdog looks at it.
    pub running_micros: Option<u64>,
}

pub(super) enum Work {
    Append(Vec<Entry>),
    Vote(Bytes),
    Truncate(Option<EntryId>),
    Purge(EntryId),
    /// Nothing to write; the caller broke the contract and learns so in its turn.
    Refuse(io::Error),
}

impl Work {
    /// Bytes of its records.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Work::Append(entries) => entries
                .iter()
                .map(|entry| record_bytes(entry.payload.len()))
                .sum(),
            Work::Vote(vote) => record_bytes(vote.len()),
            Work::Truncate(_) | Work::Purge(_) => HEADER_BYTES,
            Work::Refuse(_) => 0,
        }
    }
}

pub(super) struct Op {
    pub(super) ticket: u64,
    pub(super) work: Work,
    pub(super) done: Done,
}

/// What the I/O thread writes with one call.
pub(super) struct Group {
    pub(super) ops: Vec<Op>,
    pub(super) bytes: usize,
    /// Saved since the last group.
    pub(super) committed: Option<EntryId>,
}

pub(super) struct Inner {
    pub(super) state: LogState,
    pub(super) cache: Cache,
    pub(super) index: Index,
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
    pub(super) space: Space,
    pub(super) stats: LogStats,
    pub(super) busy_since: Option<Instant>,
    queue: VecDeque<Op>,
    ticket_last: u64,
    committed_unwritten: bool,
    failure: Option<Failure>,
    closing: bool,
    /// The I/O thread waits and needs waking.
    waiting: bool,
}

pub(super) struct Shared {
    inner: Mutex<Inner>,
    wake: Condvar,
}

/// The durable log. All calls may come from any thread; their order is the order of the log.
pub struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    recovered: Recovered,
}

impl Log {
    /// Opens the log in `dir`, creating it if there is none, and starts its I/O thread.
    ///
    /// A torn tail that cannot have been acknowledged is cut and reported by [`Log::recovered`].
    /// Damage below that is an error and changes nothing.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: LogOptions) -> Result<Log, OpenError> {
        let (log, writer) = Log::open_parts(disk, dir, options)?;
        let spawned = std::thread::Builder::new()
            .name("zoowarden-log".into())
            .spawn(move || writer.serve())
            .map_err(|error| OpenError::Io {
                dir: dir.to_owned(),
                error,
            })?;
        *log.thread.lock() = Some(spawned);
        Ok(log)
    }

    /// The log and what its thread runs, apart, so that tests may turn the crank themselves.
    pub(super) fn open_parts(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: LogOptions,
    ) -> Result<(Log, Writer), OpenError> {
        let recovery = recovery::recover(disk.as_ref(), dir, &options)?;
        let recovered = recovery.recovered.clone();
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner {
                cache: Cache::new(recovery.state.next_index(), options.cache_bytes),
                state: recovery.state.clone(),
                index: recovery.index,
                segments: recovery.segments,
                space: Space::Enough,
                stats: LogStats::default(),
                busy_since: None,
                queue: VecDeque::new(),
                ticket_last: 0,
                committed_unwritten: false,
                failure: None,
                closing: false,
                waiting: false,
            }),
            wake: Condvar::new(),
        });
        let mut writer = Writer::new(
            shared.clone(),
            disk,
            dir,
            options,
            recovery.state,
            recovery.chain,
            recovery.tail,
        );
        writer.begin().map_err(|error| OpenError::Io {
            dir: dir.to_owned(),
            error,
        })?;
        Ok((
            Log {
                shared,
                thread: Mutex::new(None),
                recovered,
            },
            writer,
        ))
    }

    /// What opening found.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// The state with everything queued so far, durable or not.
    pub fn state(&self) -> LogState {
        self.shared.lock().state.clone()
    }

    /// Appends entries, which must follow the last one without a gap (an empty log that never had
    /// an entry starts anywhere). They can be read when this returns.
    pub fn append(&self, entries: Vec<Entry>, done: Done) {
        self.shared.enqueue(Work::Append(entries), done);
    }

    /// Saves the vote.
    pub fn save_vote(&self, vote: Bytes, done: Done) {
        self.shared.enqueue(Work::Vote(vote), done);
    }

    /// Notes what is committed. It reaches the disk with the next write or when the log is idle;
    /// a crash may lose it.
    pub fn save_committed(&self, id: EntryId) {
        let mut inner = self.shared.lock();
        inner.state.commit(Some(id));
        inner.committed_unwritten = true;
    }

    /// Removes all entries after `last`, which must be in the log or the purged one; with `None`
    /// all that are not purged.
    pub fn truncate_after(&self, last: Option<EntryId>, done: Done) {
        self.shared.enqueue(Work::Truncate(last), done);
    }

    /// Removes all entries up to and including `upto`. If that is beyond the last entry, the log is
    /// empty afterwards and goes on behind `upto`. Space is given back some time after.
    pub fn purge(&self, upto: EntryId, done: Done) {
        self.shared.enqueue(Work::Purge(upto), done);
    }

    /// Bytes of the entries after `purged`, as far as they are written.
    pub fn bytes(&self) -> u64 {
        self.shared.lock().index.bytes()
    }

    /// Whether there is disk space in reserve.
    pub fn space(&self) -> Space {
        self.shared.lock().space
    }

    /// Counters.
    pub fn stats(&self) -> LogStats {
        let inner = self.shared.lock();
        let running = inner.busy_since.map(|since| micros(since.elapsed()));
        LogStats {
            running_micros: running,
            ..inner.stats
        }
    }

    /// The error that poisoned the log, if one did.
    pub fn failure(&self) -> Option<io::Error> {
        self.shared.lock().failure.as_ref().map(Failure::error)
    }

    /// Writes what is queued, ends the I/O thread and waits for it. Later writes are refused. Must
    /// not be called from a [`Done`].
    pub fn close(&self) {
        self.shared.close();
        if let Some(thread) = self.thread.lock().take() {
            // The thread has nothing to say that the poisoned log does not say already.
            drop(thread.join());
        }
    }

    /// The entries from `from` up to and not including `to_exclusive`, as many as there are and as
    /// fit into `bytes_max` bytes of payload, but at least one if there is one.
    ///
    /// # Errors
    /// `NotFound` if `from` is purged or below the first entry ever, `InvalidData` if a record on the disk fails its checksum,
    /// and whatever the disk says.
    pub fn read(&self, from: u64, to_exclusive: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = 0;
        loop {
            let next = from + entries.len() as u64;
            let room = Room {
                bytes_left: bytes_max.saturating_sub(bytes),
                force: next == from,
            };
            let found = match self.shared.plan(next, to_exclusive, room)? {
                Plan::Nothing => return Ok(entries),
                Plan::Cached(found) => found,
                Plan::Stored(segment, slots) => read_stored(&segment, next, &slots)
                    .map_err(|error| self.shared.explain(next, error))?,
            };
            bytes += found.iter().map(|entry| entry.payload.len()).sum::<usize>();
            entries.extend(found);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
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

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    fn enqueue(&self, work: Work, done: Done) {
        let mut inner = self.lock();
        if let Some(error) = inner.refusal() {
            drop(inner);
            return done(Err(error));
        }
        let work = match inner.check(&work) {
            Ok(()) => work,
            Err(what) => Work::Refuse(io::Error::new(io::ErrorKind::InvalidInput, what)),
        };
        inner.ticket_last += 1;
        inner.apply(&work);
        inner.stats.queued += 1;
        inner.stats.queued_bytes += work.bytes() as u64;
        let ticket = inner.ticket_last;
        inner.queue.push_back(Op { ticket, work, done });
        // Woken once per batch: a busy thread looks at the queue again by itself.
        if std::mem::take(&mut inner.waiting) {
            self.wake.notify_one();
        }
    }

    /// Everything queued, up to a bound; `None` if nothing is.
    pub(super) fn take_group(&self) -> Option<Group> {
        let mut inner = self.lock();
        let mut group = Group {
            ops: Vec::new(),
            bytes: 0,
            committed: None,
        };
        while let Some(op) = inner.queue.front() {
            let bytes = op.work.bytes();
            if !group.ops.is_empty() && group.bytes + bytes > GROUP_BYTES_MAX {
                break;
            }
            group.bytes += bytes;
            group.ops.extend(inner.queue.pop_front());
        }
        if group.ops.is_empty() {
            return None;
        }
        group.committed = inner.take_committed();
        inner.busy_since = Some(Instant::now());
        Some(group)
    }

    /// What was saved as committed and is not on the disk.
    pub(super) fn take_committed(&self) -> Option<EntryId> {
        self.lock().take_committed()
    }

    /// Waits for work, the end of the log, or the deadline.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Wake {
        let mut inner = self.lock();
        loop {
            if !inner.queue.is_empty() {
                return Wake::Work;
            }
            if inner.closing {
                return Wake::Close;
            }
            inner.waiting = true;
            let Some(deadline) = deadline else {
                self.wake.wait(&mut inner);
                continue;
            };
            if self.wake.wait_until(&mut inner, deadline).timed_out() && inner.queue.is_empty() {
                inner.waiting = false;
                return Wake::Deadline;
            }
        }
    }

    fn close(&self) {
        let mut inner = self.lock();
        inner.closing = true;
        self.wake.notify_one();
    }

    /// Poisons the log and fails everything queued, `group` first.
    pub(super) fn poison(&self, error: &io::Error, group: Vec<Op>) {
        let failure = Failure::new(error);
        let mut inner = self.lock();
        inner.failure = Some(failure.clone());
        inner.busy_since = None;
        inner.stats.queued = 0;
        inner.stats.queued_bytes = 0;
        let queued = std::mem::take(&mut inner.queue);
        drop(inner);
        for op in group.into_iter().chain(queued) {
            (op.done)(Err(failure.error()));
        }
    }

    fn plan(&self, next: u64, to_exclusive: u64, mut room: Room) -> io::Result<Plan> {
        let inner = self.lock();
        if let Some(failure) = &inner.failure {
            return Err(failure.error());
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

/// Why the I/O thread goes on.
pub(super) enum Wake {
    Work,
    Deadline,
    Close,
}

impl Inner {
    fn take_committed(&mut self) -> Option<EntryId> {
        if std::mem::take(&mut self.committed_unwritten) {
            self.state.committed
        } else {
            None
        }
    }

    fn is_purged(&self, index: u64) -> bool {
        self.state
            .purged
            .is_some_and(|purged| index <= purged.index)
    }

    fn refusal(&self) -> Option<io::Error> {
        if let Some(failure) = &self.failure {
            return Some(failure.error());
        }
        self.closing.then(|| io::Error::other("the log is closed"))
    }

    /// The contract of each operation; what breaks it must not reach the disk.
    fn check(&self, work: &Work) -> Result<(), String> {
        match work {
            Work::Append(entries) => self.check_append(entries),
            Work::Vote(vote) if vote.len() > VOTE_BYTES_MAX => Err(format!(
                "a vote of {} bytes is longer than {VOTE_BYTES_MAX}",
                vote.len()
            )),
            Work::Truncate(Some(last)) => {
                let too_late = last.index >= self.state.next_index();
                let purged = self
                    .state
                    .purged
                    .is_some_and(|purged| last.index < purged.index);
                if too_late || purged {
                    return Err(format!("entry {} is not in the log", last.index));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_append(&self, entries: &[Entry]) -> Result<(), String> {
        let mut expected = self.state.last.map(|last| last.index + 1);
        for Entry { id, payload } in entries {
            if expected.is_some_and(|expected| expected != id.index) {
                return Err(format!("entry {} does not follow the last one", id.index));
            }
            if payload.len() > PAYLOAD_BYTES_MAX {
                return Err(format!(
                    "entry {} is longer than {PAYLOAD_BYTES_MAX}",
                    id.index
                ));
            }
            expected = Some(id.index + 1);
        }
        Ok(())
    }

    /// Makes an operation visible.
    fn apply(&mut self, work: &Work) {
        match work {
            Work::Append(entries) => {
                for entry in entries {
                    self.cache.push(self.ticket_last, entry.clone());
                    self.state.last = Some(entry.id);
                }
            }
            Work::Vote(vote) => self.state.vote = Some(vote.clone()),
            Work::Truncate(last) => {
                self.state.truncate(*last);
                self.cache.truncate(self.state.next_index());
            }
            Work::Purge(upto) => {
                self.state.purge(*upto);
                let next = self.state.next_index();
                self.cache.purge(upto.index.saturating_add(1), next);
            }
            Work::Refuse(_) => {}
        }
    }
}

fn not_found(index: u64, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("entry {index} {why}"))
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// An I/O error that can be given to many.
#[derive(Clone)]
struct Failure {
    kind: io::ErrorKind,
    what: String,
}

impl Failure {
    fn new(error: &io::Error) -> Failure {
        Failure {
            kind: error.kind(),
            what: error.to_string(),
        }
    }

    fn error(&self) -> io::Error {
        io::Error::new(self.kind, format!("the log failed: {}", self.what))
    }
}

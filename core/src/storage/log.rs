//! The durable Raft log, with the vote in the same stream.
//!
//! What lives here: the public face of the log. What does not: the queue between its callers and
//! its one I/O thread (`queue.rs`), how records reach the disk (`writer.rs`), how they are found
//! again (`recovery.rs`) and read (`reader.rs`).
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

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::Mutex;

use super::disk::Disk;
use super::queue::{Shared, Work};
use super::recovery;
use super::writer::Writer;
use crate::metrics::Histogram;

/// The longest payload of an entry.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// The longest encoded vote.
pub const VOTE_BYTES_MAX: usize = 1024;

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
        self.last.map_or(0, |id| id.index.saturating_add(1))
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
    /// Measures how long flushes take, in microseconds.
    pub fsync_time: Arc<Histogram>,
    /// A flush that takes longer counts as slow, microseconds.
    pub fsync_slow_us: u64,
}

impl LogOptions {
    /// Segments of 64 MiB, a cache of 8 MiB.
    pub fn new(salt: u64) -> LogOptions {
        LogOptions {
            segment_bytes: 64 << 20,
            cache_bytes: 8 << 20,
            salt,
            fsync_time: Arc::default(),
            fsync_slow_us: 1_000_000,
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
    /// Syncs that took longer than [`LogOptions::fsync_slow_us`].
    pub fsync_slow: u64,
    /// Operations not yet durable, those being written included.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// How long the group now being written has been on its way; a watchdog looks at it.
    pub running_micros: Option<u64>,
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
        let shared = Arc::new(Shared::new(&recovery.state, options.cache_bytes));
        let mut inner = shared.lock();
        inner.index = recovery.index;
        inner.segments = recovery.segments;
        drop(inner);
        let recovered = recovery.recovered;
        let mut writer = Writer::new(
            shared.clone(),
            disk,
            dir,
            options,
            recovery.state,
            recovery.chain,
            recovery.tail,
        );
        let io = |error| OpenError::Io {
            dir: dir.to_owned(),
            error,
        };
        writer.begin().map_err(io)?;
        let thread = Mutex::new(None);
        Ok((
            Log {
                shared,
                thread,
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
        self.shared.save_committed(id);
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

    /// The last index up to `upto` that can be purged while `bytes_kept` of entries stay behind
    /// it; `None` if there is none.
    pub fn purgeable(&self, upto: u64, bytes_kept: u64) -> Option<u64> {
        self.shared.lock().index.purgeable(upto, bytes_kept)
    }

    /// The index of the first entry; that after the last when there is none.
    pub fn first(&self) -> u64 {
        let inner = self.shared.lock();
        let cached = inner.cache.first();
        let first = inner
            .index
            .first()
            .map_or(cached, |stored| stored.min(cached));
        let purged = inner.state.purged;
        purged.map_or(first, |purged| first.max(purged.index + 1))
    }

    /// Whether reading from `index` on needs no disk.
    pub fn is_cached(&self, index: u64) -> bool {
        self.shared.lock().cache.first() <= index
    }

    /// Whether there is disk space in reserve.
    pub fn space(&self) -> Space {
        match self.shared.space_is_low.load(Ordering::Acquire) {
            true => Space::Low,
            false => Space::Enough,
        }
    }

    /// `true` while the disk is full, from the moment the log learns of it: what is left of the
    /// reserve may be gone before anybody who asks now and then has asked again.
    pub fn space_is_low(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.space_is_low)
    }

    /// Counters.
    pub fn stats(&self) -> LogStats {
        self.shared.stats()
    }

    /// The error that poisoned the log, if one did.
    pub fn failure(&self) -> Option<io::Error> {
        self.shared.failure()
    }

    /// Writes what is queued, ends the I/O thread and waits for it. Later writes are refused.
    pub fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().take();
        // A done that drops the last handle of the log runs on the thread itself.
        let joinable =
            |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = thread.filter(joinable) {
            // The thread has nothing to say that the poisoned log does not say already.
            drop(thread.join());
        }
    }

    /// The entries from `from` up to and not including `to_exclusive`, as many as there are and as
    /// fit into `bytes_max` bytes of payload, but at least one if there is one.
    ///
    /// # Errors
    /// `NotFound` if `from` is purged or below the first entry ever, `InvalidData` if a record on
    /// the disk fails its checksum, and whatever the disk says.
    pub fn read(&self, from: u64, to_exclusive: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        self.shared.read(from, to_exclusive, bytes_max)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

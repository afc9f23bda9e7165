//! The queue between the log's callers and its one I/O thread, and the lock around both.
//!
//! What lives here: what an operation changes in memory when it is called, what the thread takes,
//! and what everybody is told after a failure. What does not: files.
//!
//! Lock order: `Shared::inner` is the only lock of the log; no file operation and no `done` runs
//! under it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::index::{Cache, Index};
use super::log::{Done, Entry, EntryId, LogState, LogStats, PAYLOAD_BYTES_MAX, VOTE_BYTES_MAX};
use super::record::{HEADER_BYTES, record_bytes};
use super::segment::Segment;

/// What one group takes from the queue, unless a single operation is longer.
const GROUP_BYTES_MAX: usize = 4 << 20;

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
    /// The disk is full; read by whoever takes writes, without a lock.
    pub(super) space_is_low: Arc<AtomicBool>,
}

impl Shared {
    pub(super) fn new(state: &LogState, cache_bytes: usize) -> Shared {
        let inner = Inner {
            cache: Cache::new(state.next_index(), cache_bytes),
            state: state.clone(),
            index: Index::default(),
            segments: BTreeMap::new(),
            stats: LogStats::default(),
            busy_since: None,
            queue: VecDeque::new(),
            ticket_last: 0,
            committed_unwritten: false,
            failure: None,
            closing: false,
            waiting: false,
        };
        Shared {
            inner: Mutex::new(inner),
            wake: Condvar::new(),
            space_is_low: Arc::default(),
        }
    }

    pub(super) fn save_committed(&self, id: EntryId) {
        let mut inner = self.lock();
        inner.state.commit(Some(id));
        inner.committed_unwritten = true;
    }

    pub(super) fn stats(&self) -> LogStats {
        let inner = self.lock();
        let running_micros = inner.busy_since.map(|since| micros(since.elapsed()));
        LogStats {
            running_micros,
            ..inner.stats
        }
    }

    pub(super) fn failure(&self) -> Option<io::Error> {
        self.lock().failure()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    pub(super) fn enqueue(&self, work: Work, done: Done) {
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

    pub(super) fn close(&self) {
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

    /// The error that poisoned the log.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.failure.as_ref().map(Failure::error)
    }

    pub(super) fn is_purged(&self, index: u64) -> bool {
        self.state
            .purged
            .is_some_and(|purged| index <= purged.index)
    }

    fn refusal(&self) -> Option<io::Error> {
        self.failure()
            .or_else(|| self.closing.then(|| io::Error::other("the log is closed")))
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

//! What is on its way from apply to the history's thread.
//!
//! Pushing never waits: a full queue refuses, and the feed counts a gap. The thread is rung only
//! when the queue was empty, so a busy server pays for few wake-ups.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Entries on their way at most: four seconds' worth at the default limit.
pub(super) const ENTRIES_MAX: usize = 8_192;

/// Bytes on their way at most.
pub(super) const BYTES_MAX: usize = 16 << 20;

/// A bounded queue with one reader.
#[derive(Debug)]
pub(super) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    /// Rung for the reader.
    filled: Condvar,
    /// Rung for those who wait until the reader got somewhere.
    moved: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    entries: Vec<T>,
    bytes: usize,
    /// Entries ever pushed.
    pushed: u64,
    /// Entries the reader is done with.
    done: u64,
    closing: bool,
    ended: bool,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub(super) fn new() -> Queue<T> {
        Queue {
            inner: Mutex::new(Inner {
                entries: Vec::new(),
                bytes: 0,
                pushed: 0,
                done: 0,
                closing: false,
                ended: false,
            }),
            filled: Condvar::new(),
            moved: Condvar::new(),
        }
    }

    /// Puts an entry behind the others, or gives it back: the queue is full, or nobody reads it.
    pub(super) fn push(&self, entry: T, bytes: usize) -> Result<(), T> {
        let mut inner = self.inner.lock();
        let is_full = inner.entries.len() >= ENTRIES_MAX || inner.bytes + bytes > BYTES_MAX;
        if is_full || inner.closing {
            return Err(entry);
        }
        inner.entries.push(entry);
        inner.bytes += bytes;
        inner.pushed += 1;
        if inner.entries.len() == 1 {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes everything, after waiting up to `limit` for something. The second value tells that
    /// the queue closes, and that this is all there will be.
    pub(super) fn take(&self, limit: Duration) -> (Vec<T>, bool) {
        let mut inner = self.inner.lock();
        if inner.entries.is_empty() && !inner.closing {
            self.filled.wait_for(&mut inner, limit);
        }
        inner.bytes = 0;
        (std::mem::take(&mut inner.entries), inner.closing)
    }

    /// The reader is done with so many more.
    pub(super) fn done(&self, count: usize) {
        self.inner.lock().done += count as u64;
        self.moved.notify_all();
    }

    /// Waits until everything pushed so far is done, for `limit` at most. Blocks.
    pub(super) fn wait_until_done(&self, limit: Duration) -> bool {
        let mut inner = self.inner.lock();
        let upto = inner.pushed;
        let waiting = |inner: &mut Inner<T>| inner.done < upto && !inner.ended;
        self.moved.wait_while_for(&mut inner, waiting, limit);
        inner.done >= upto
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        self.inner.lock().closing = true;
        self.filled.notify_one();
    }

    /// The reader is gone.
    pub(super) fn end(&self) {
        let mut inner = self.inner.lock();
        inner.closing = true;
        inner.ended = true;
        self.moved.notify_all();
    }

    /// Whether the reader is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.inner.lock().ended
    }

    /// Waits until the reader is gone, for `limit` at most. Blocks.
    pub(super) fn wait_until_ended(&self, limit: Duration) -> bool {
        let mut inner = self.inner.lock();
        let waiting = |inner: &mut Inner<T>| !inner.ended;
        self.moved.wait_while_for(&mut inner, waiting, limit);
        inner.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_AT_ALL: Duration = Duration::ZERO;

    #[test]
    fn a_full_queue_refuses_and_does_not_wait() {
        let queue = Queue::new();
        for i in 0..ENTRIES_MAX {
            assert_eq!(queue.push(i, 1), Ok(()));
        }
        assert_eq!(queue.push(7, 1), Err(7));
        let (entries, closing) = queue.take(NOT_AT_ALL);
        assert_eq!((entries.len(), closing), (ENTRIES_MAX, false));
        assert_eq!(queue.push(1, BYTES_MAX), Ok(()));
        assert_eq!(queue.push(2, 1), Err(2), "bytes count, too");
    }

    #[test]
    fn whoever_waits_hears_how_far_the_reader_is() {
        let queue = Queue::new();
        assert!(queue.wait_until_done(NOT_AT_ALL));
        queue.push('a', 1).unwrap();
        assert!(!queue.wait_until_done(NOT_AT_ALL));
        queue.take(NOT_AT_ALL);
        queue.done(1);
        assert!(queue.wait_until_done(NOT_AT_ALL));
        assert!(!queue.wait_until_ended(NOT_AT_ALL));
        queue.close();
        assert_eq!(queue.push('b', 1), Err('b'));
        assert_eq!(queue.take(NOT_AT_ALL), (vec![], true));
        queue.end();
        assert!(queue.wait_until_ended(NOT_AT_ALL));
    }
}

//! What is kept for whoever operates the server, and nobody else: the deadlines of a leadership,
//! the trace mask.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use crate::session::Expiry;

/// The trace mask of a server that nobody has set: client requests, server packets, sessions,
/// warnings.
const TRACE_MASK: i64 = 2 + 16 + 32 + 256;

/// See the module.
#[derive(Debug)]
pub(crate) struct Console {
    /// While this server leads. Lock order: behind the tree's.
    expiry: Mutex<Option<Expiry>>,
    /// When the leadership began, milliseconds of the clock.
    leads_since_ms: AtomicU64,
    trace_mask: AtomicI64,
    /// Held by whoever makes an answer as long as the state: one at a time, lest a few questions
    /// take all processors.
    long_answer: Mutex<()>,
}

impl Default for Console {
    fn default() -> Console {
        Console {
            expiry: Mutex::default(),
            leads_since_ms: AtomicU64::new(0),
            trace_mask: AtomicI64::new(TRACE_MASK),
            long_answer: Mutex::default(),
        }
    }
}

impl Console {
    /// A leadership begins; its deadlines can be seen until what this returns is dropped.
    pub(crate) fn lead(&self, expiry: Expiry, now_ms: u64) -> Leading<'_> {
        self.leads_since_ms.store(now_ms, Ordering::Relaxed);
        *self.expiry.lock() = Some(expiry);
        Leading { console: self }
    }

    /// How long this server has been leading; only for one that does.
    pub(crate) fn leader_uptime_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.leads_since_ms.load(Ordering::Relaxed))
    }

    /// The deadlines, while this server leads.
    pub(crate) fn expiry(&self) -> MutexGuard<'_, Option<Expiry>> {
        self.expiry.lock()
    }

    /// The mask that `stmk` set last. It is kept and shown; what is logged does not depend on it.
    pub(crate) fn trace_mask(&self) -> i64 {
        self.trace_mask.load(Ordering::Relaxed)
    }

    /// Keeps another mask.
    pub(crate) fn set_trace_mask(&self, mask: i64) {
        self.trace_mask.store(mask, Ordering::Relaxed);
    }

    /// The right to make a long answer.
    pub(crate) fn long_answer(&self) -> MutexGuard<'_, ()> {
        self.long_answer.lock()
    }
}

/// One leadership's deadlines.
pub(crate) struct Leading<'c> {
    console: &'c Console,
}

impl Leading<'_> {
    /// The deadlines, to change them.
    pub(crate) fn expiry(&self) -> MappedMutexGuard<'_, Expiry> {
        MutexGuard::map(self.console.expiry.lock(), |expiry| {
            expiry.as_mut().expect("it is there as long as this lives")
        })
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        *self.console.expiry.lock() = None;
    }
}

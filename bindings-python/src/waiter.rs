//! One thread that waits for one answer, with the interpreter released.
//!
//! Invariant: a signal ends the wait at once, so that Ctrl-C is noticed; no other waiting primitive
//! at hand comes back on a signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::reply::{Completion, Value};

const WAITING: u32 = 0;
const DONE: u32 = 1;

/// Where waits do not come back on a signal, they look for one this often.
#[cfg(not(target_os = "linux"))]
const SLICE: Duration = Duration::from_millis(5);

/// The place of one answer.
#[derive(Default)]
pub(crate) struct Waiter {
    state: AtomicU32,
    answer: Mutex<Option<Completion>>,
    #[cfg(not(target_os = "linux"))]
    bell: parking_lot::Condvar,
}

impl Waiter {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Brings the answer. Any thread; never blocks.
    pub(crate) fn settle(&self, answer: Completion) {
        *self.answer.lock() = Some(answer);
        self.state.store(DONE, Ordering::Release);
        self.wake();
    }

    /// Waits for it. `OperationTimeoutError` after the limit, `KeyboardInterrupt` and the like as
    /// their handlers raise them; the answer is dropped when it comes late.
    pub(crate) fn wait(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<Value> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            py.detach(|| self.wait_once(deadline));
            if self.is_done() {
                let answer = self.answer.lock().take();
                let answer = answer.expect("stored before the state says so, and taken once");
                return answer.map_err(PyErr::from);
            }
            py.check_signals()?;
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(late().into());
            }
        }
    }

    fn is_done(&self) -> bool {
        self.state.load(Ordering::Acquire) == DONE
    }

    #[cfg(target_os = "linux")]
    fn wake(&self) {
        use rustix::thread::futex;
        // It fails only for an address that is none.
        let _ = futex::wake(&self.state, futex::Flags::PRIVATE, 1);
    }

    /// Until the answer is there, the deadline has passed or a signal came.
    #[cfg(target_os = "linux")]
    fn wait_once(&self, deadline: Option<Instant>) {
        use rustix::thread::futex;
        while !self.is_done() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let limit = left.map(|left| futex::Timespec {
                tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            });
            let flags = futex::Flags::PRIVATE;
            // An error is a signal, the deadline, or an answer that came first.
            if futex::wait(&self.state, flags, WAITING, limit.as_ref()).is_err() {
                return;
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn wake(&self) {
        // Whoever waits holds the lock up to the moment it sleeps.
        drop(self.answer.lock());
        self.bell.notify_all();
    }

    #[cfg(not(target_os = "linux"))]
    fn wait_once(&self, deadline: Option<Instant>) {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let mut answer = self.answer.lock();
        if !self.is_done() {
            self.bell
                .wait_for(&mut answer, left.unwrap_or(SLICE).min(SLICE));
        }
    }
}

fn late() -> Failure {
    Failure::Late("no answer in time; the request may still be carried out".to_owned())
}

//! Requests that were made and not answered, and who waits for them.
//!
//! Invariants: a call ends once, by its answer or by the closing of the handle, whichever comes
//! first; at most [`IN_FLIGHT_MAX`] calls are open, and who makes one more waits, unless it is the
//! callback thread, which would wait for itself.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use zoowarden::client::Answer;

use crate::codes::ZCLOSING;

/// Calls that may be open at once, below what the client itself takes
/// (`zoowarden::client::WAITING_MAX`), so that none is refused.
pub(crate) const IN_FLIGHT_MAX: usize = 60_000;

/// How a call ended: what the server answered, or a code.
pub(crate) type Outcome = Result<Answer, c_int>;

/// Runs on the callback thread.
pub(crate) type Tell = Box<dyn FnOnce(Outcome) + Send>;

/// Who is told how a call ended.
pub(crate) enum Ending {
    /// A thread that waits.
    Wait(Arc<Waiter>),
    /// A completion.
    Tell(Tell),
}

/// A place where one thread waits for one outcome.
#[derive(Default)]
pub(crate) struct Waiter {
    outcome: Mutex<Option<Outcome>>,
    is_there: Condvar,
}

impl Waiter {
    pub(crate) fn end(&self, outcome: Outcome) {
        *self.outcome.lock() = Some(outcome);
        self.is_there.notify_one();
    }

    pub(crate) fn wait(&self) -> Outcome {
        let mut outcome = self.outcome.lock();
        loop {
            if let Some(outcome) = outcome.take() {
                return outcome;
            }
            self.is_there.wait(&mut outcome);
        }
    }
}

#[derive(Default)]
struct Open {
    calls: BTreeMap<u64, Ending>,
    next: u64,
    is_closed: bool,
}

/// The calls of a handle.
#[derive(Default)]
pub(crate) struct Calls {
    open: Mutex<Open>,
    room: Condvar,
}

impl Calls {
    /// Opens a call and gives it a number. With `may_wait`, after there is room for it.
    pub(crate) fn add(&self, ending: Ending, may_wait: bool) -> Result<u64, c_int> {
        let mut open = self.open.lock();
        while may_wait && open.calls.len() >= IN_FLIGHT_MAX && !open.is_closed {
            self.room.wait(&mut open);
        }
        if open.is_closed {
            return Err(ZCLOSING);
        }
        open.next += 1;
        let number = open.next;
        open.calls.insert(number, ending);
        Ok(number)
    }

    /// Who is to be told, unless the closing was faster.
    pub(crate) fn take(&self, number: u64) -> Option<Ending> {
        let mut open = self.open.lock();
        let ending = open.calls.remove(&number);
        if open.calls.len() < IN_FLIGHT_MAX {
            self.room.notify_one();
        }
        ending
    }

    /// Refuses further calls, and gives up those that are open, oldest first.
    pub(crate) fn close(&self) -> Vec<Ending> {
        let mut open = self.open.lock();
        open.is_closed = true;
        self.room.notify_all();
        std::mem::take(&mut open.calls).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> Ending {
        Ending::Tell(Box::new(drop))
    }

    #[test]
    fn a_call_ends_once_and_none_begins_after_the_closing() {
        let calls = Calls::default();
        let first = calls.add(silent(), true).expect("it is open");
        let second = calls.add(silent(), true).expect("it is open");
        assert!(calls.take(first).is_some());
        assert!(calls.take(first).is_none());
        assert_eq!(calls.close().len(), 1);
        assert!(calls.take(second).is_none());
        assert_eq!(calls.add(silent(), true), Err(ZCLOSING));
    }

    #[test]
    fn who_makes_one_call_too_many_waits_for_room_but_not_the_callback_thread() {
        let calls = Arc::new(Calls::default());
        for _ in 0..IN_FLIGHT_MAX {
            calls.add(silent(), true).expect("it is open");
        }
        let over = calls
            .add(silent(), false)
            .expect("a callback does not wait");
        let other = Arc::clone(&calls);
        let waits = std::thread::spawn(move || other.add(silent(), true));
        assert!(calls.take(over).is_some());
        assert!(calls.take(1).is_some());
        assert_eq!(waits.join().expect("it ends"), Ok(over + 1));
    }
}

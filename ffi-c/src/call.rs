//! The two forms of every operation: one that waits for the answer and one that calls back.
//!
//! Invariants: an answer that nobody waits for any more is dropped, its watch with it; a completion
//! runs exactly once for each call that was accepted, and never for one that was not.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::c_void;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use zoowarden::bridge::runtime;
use zoowarden::client::{Answer, Code, Error, Request, Root};

use crate::answer::{Owned, Reply, zoowarden_answer};
use crate::callbacks::{Callbacks, Completion, Delivery, User};
use crate::client::{CLIENTS, Open, zoowarden_client};
use crate::code::zoowarden_code;
use crate::failure::Failure;
use crate::input::{Patience, Place};
use crate::watch::{Watch, handle_of, zoowarden_watch};

/// Called once when an asynchronous call is done. `code` is what the blocking form would have
/// answered, and zoowarden_error_text() tells of it. `answer` is never NULL, and gone when the
/// function returns; its fields are zero if there is nothing to tell.
pub type zoowarden_completion = Option<
    unsafe extern "C" fn(code: zoowarden_code, answer: *const zoowarden_answer, user: *mut c_void),
>;

/// One thread waits for one value.
struct Waiter<T> {
    slot: Mutex<Slot<T>>,
    changed: Condvar,
}

enum Slot<T> {
    Waiting,
    Done(T),
    /// The waiting thread has given up.
    Left,
}

impl<T> Waiter<T> {
    fn new() -> Arc<Waiter<T>> {
        Arc::new(Waiter {
            slot: Mutex::new(Slot::Waiting),
            changed: Condvar::new(),
        })
    }

    /// Gives the value back if nobody waits any more.
    fn finish(&self, value: T) -> Result<(), T> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Slot::Left = *slot {
            return Err(value);
        }
        *slot = Slot::Done(value);
        self.changed.notify_one();
        Ok(())
    }

    /// `None` if it took too long; then nothing comes any more.
    fn wait(&self, patience: Patience) -> Option<T> {
        let start = Instant::now();
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Slot::Done(value) = std::mem::replace(&mut *slot, Slot::Waiting) {
                return Some(value);
            }
            let rest = match patience.limit() {
                None => None,
                Some(limit) => match limit.checked_sub(start.elapsed()) {
                    Some(rest) if !rest.is_zero() => Some(rest),
                    _ => {
                        *slot = Slot::Left;
                        return None;
                    }
                },
            };
            slot = match rest {
                None => self
                    .changed
                    .wait(slot)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(rest) => {
                    let woken = self.changed.wait_timeout(slot, rest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// The open client of a handle.
pub(crate) fn client(handle: zoowarden_client) -> Result<Arc<Open>, Failure> {
    let open = CLIENTS.get(handle.id)?;
    if open.is_closing() {
        return Err(Failure::refused(
            Code::Closing,
            "the client is being closed",
        ));
    }
    Ok(open)
}

/// What an answered request means for its watch and for the caller.
fn settle(result: Result<Answer, Error>, watch: Option<&Arc<Watch>>, is_exists: bool) -> Reply {
    match result {
        Ok(answer) => {
            if let Some(watch) = watch {
                watch.activate();
            }
            Reply::answered(answer, handle_of(watch))
        }
        // exists sets its watch on a znode that is not there, too.
        Err(error) if is_exists && error.code() == Code::NoNode => {
            if let Some(watch) = watch {
                watch.activate();
            }
            Reply {
                watch: handle_of(watch),
                ..Reply::failed(error.into())
            }
        }
        Err(error) => {
            if let Some(watch) = watch {
                watch.discard(false);
            }
            Reply::failed(error.into())
        }
    }
}

/// Hands a reply to the caller of a blocking function.
pub(crate) fn give(reply: Reply, answer: &Place<*mut zoowarden_answer>) -> Result<(), Failure> {
    if answer.is_wanted() && reply.tells() {
        answer.put(Owned::new(reply.answer, reply.watch).into_raw());
    }
    reply.failure.map_or(Ok(()), Err)
}

impl Open {
    /// Sends a request and waits. `*answer` is NULL unless there is something to tell.
    ///
    /// # Safety
    /// `answer` is null or writable.
    pub(crate) unsafe fn wait(
        &self,
        request: Request<'_>,
        watch: Option<Arc<Watch>>,
        timeout_ms: u32,
        answer: *mut *mut zoowarden_answer,
    ) -> Result<(), Failure> {
        // SAFETY: as promised by the caller.
        unsafe { self.wait_from(Root::Chroot, request, watch, timeout_ms, answer) }
    }

    /// As [`Open::wait`], for a path that begins at `root`.
    ///
    /// # Safety
    /// As for [`Open::wait`].
    pub(crate) unsafe fn wait_from(
        &self,
        root: Root,
        request: Request<'_>,
        watch: Option<Arc<Watch>>,
        timeout_ms: u32,
        answer: *mut *mut zoowarden_answer,
    ) -> Result<(), Failure> {
        // SAFETY: as promised by the caller.
        let answer = unsafe { Place::optional(answer) };
        answer.put(std::ptr::null_mut());
        let patience = Patience::new(timeout_ms, self.timeout_ms);
        let waiter = Waiter::new();
        let told = Arc::clone(&waiter);
        self.submit(root, request, watch, move |reply, watch| {
            if told.finish(reply).is_err()
                && let Some(watch) = watch
            {
                watch.discard(true);
            }
        });
        match waiter.wait(patience) {
            Some(reply) => give(reply, &answer),
            None => Err(patience.late()),
        }
    }

    /// Sends a request and returns; `function` is called with what came of it.
    pub(crate) fn start(
        &self,
        request: Request<'_>,
        watch: Option<Arc<Watch>>,
        function: zoowarden_completion,
        user: *mut c_void,
    ) -> Result<(), Failure> {
        self.start_from(Root::Chroot, request, watch, function, user)
    }

    /// As [`Open::start`], for a path that begins at `root`.
    pub(crate) fn start_from(
        &self,
        root: Root,
        request: Request<'_>,
        watch: Option<Arc<Watch>>,
        function: zoowarden_completion,
        user: *mut c_void,
    ) -> Result<(), Failure> {
        let done = match self.completion(function, user) {
            Ok(done) => done,
            Err(failure) => {
                if let Some(watch) = watch {
                    watch.discard(false);
                }
                return Err(failure);
            }
        };
        self.submit(root, request, watch, move |reply, _| done.tell(reply));
        Ok(())
    }

    fn submit(
        &self,
        root: Root,
        request: Request<'_>,
        watch: Option<Arc<Watch>>,
        done: impl FnOnce(Reply, Option<&Arc<Watch>>) + Send + 'static,
    ) {
        let is_exists = matches!(request, Request::Exists { .. });
        let sink = watch.as_ref().map(Watch::sink);
        let kept = watch.clone();
        let id = self.client.submit_from(root, request, sink, move |result| {
            let reply = settle(result, kept.as_ref(), is_exists);
            done(reply, kept.as_ref());
        });
        if let Some(watch) = watch {
            watch.submitted(id);
        }
    }

    /// Waits for what several requests, or none, make up.
    pub(crate) fn wait_for<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
        timeout_ms: u32,
    ) -> Result<T, Failure> {
        wait_for(work, Patience::new(timeout_ms, self.timeout_ms))
    }

    /// As [`Open::wait_for`], for what ends in an answer.
    ///
    /// # Safety
    /// `answer` is null or writable.
    pub(crate) unsafe fn wait_answer(
        &self,
        work: impl Future<Output = Result<Answer, Error>>,
        timeout_ms: u32,
        answer: *mut *mut zoowarden_answer,
    ) -> Result<(), Failure> {
        // SAFETY: as promised by the caller.
        let answer = unsafe { Place::optional(answer) };
        answer.put(std::ptr::null_mut());
        let given = self.wait_for(work, timeout_ms)?;
        give(Reply::answered(given, zoowarden_watch::NONE), &answer)
    }

    /// Starts what several requests make up; `function` is called with what came of it.
    pub(crate) fn start_work(
        &self,
        work: impl Future<Output = Result<Answer, Error>> + Send + 'static,
        function: zoowarden_completion,
        user: *mut c_void,
    ) -> Result<(), Failure> {
        let done = self.completion(function, user)?;
        runtime().spawn(async move {
            done.tell(match finished(work).await {
                Ok(answer) => Reply::answered(answer, zoowarden_watch::NONE),
                Err(failure) => Reply::failed(failure),
            });
        });
        Ok(())
    }

    fn completion(
        &self,
        function: zoowarden_completion,
        user: *mut c_void,
    ) -> Result<Done, Failure> {
        self.callbacks.admit()?;
        Ok(Done {
            callbacks: Arc::clone(&self.callbacks),
            completion: Completion {
                function,
                user: User(user),
            },
        })
    }
}

/// A place in the queue of callbacks that is held for one call.
struct Done {
    callbacks: Arc<Callbacks>,
    completion: Completion,
}

impl Done {
    fn tell(self, reply: Reply) {
        self.callbacks.push(Delivery::Done {
            completion: self.completion,
            reply,
        });
    }
}

/// The end of `work`, a panic too: it runs as a task of its own, so that whoever was promised a
/// callback gets it.
pub(crate) async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Failure> {
    match runtime().spawn(work).await {
        Ok(outcome) => outcome.map_err(Failure::from),
        Err(ended) => Err(match ended.try_into_panic() {
            Ok(panic) => Failure::of_panic(panic.as_ref()),
            Err(ended) => Failure::refused(Code::Closing, ended.to_string()),
        }),
    }
}

/// Runs `work` on this thread, with the runtime's timers and sockets.
pub(crate) fn wait_for<T, E: Into<Failure>>(
    work: impl Future<Output = Result<T, E>>,
    patience: Patience,
) -> Result<T, Failure> {
    let outcome = runtime().block_on(async {
        match patience.limit() {
            None => Some(work.await),
            Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        }
    });
    match outcome {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(error.into()),
        None => Err(patience.late()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Patience, Waiter, finished, runtime};

    #[test]
    fn work_that_panics_ends_as_a_failure() {
        let work = async { panic!("on the way") };
        let failure = runtime().block_on(finished::<()>(work)).unwrap_err();
        assert_eq!(failure.code, Code::RuntimeInconsistency);
    }

    #[test]
    fn a_value_that_comes_too_late_goes_back() {
        let waiter = Waiter::new();
        assert_eq!(waiter.wait(Patience { timeout_ms: 1 }), None);
        assert_eq!(waiter.finish(5), Err(5));
    }

    #[test]
    fn a_value_that_was_there_first_is_taken() {
        let waiter = Waiter::new();
        assert_eq!(waiter.finish(5), Ok(()));
        assert_eq!(waiter.wait(Patience::new(0, 1)), Some(5));
    }
}

//! How calls fail: the guard around every entry, and the last failure of each thread.
//!
//! Invariants: no panic leaves an entry; nothing but this thread's own failure is touched in a
//! process that was forked after the library had been used.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use zoowarden::client::{Code, Error};

use crate::code::zoowarden_code;
use crate::input::c_text;

/// Why a call failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    text: String,
    path: Option<String>,
    nothing_changed: bool,
}

impl Failure {
    /// A call that was refused before anything was sent.
    pub(crate) fn refused(code: Code, text: impl Into<String>) -> Failure {
        Failure {
            code,
            text: text.into(),
            path: None,
            nothing_changed: true,
        }
    }

    pub(crate) fn bad_arguments(text: impl Into<String>) -> Failure {
        Failure::refused(Code::BadArguments, text)
    }

    /// No answer in time; what was asked for may still happen.
    pub(crate) fn late(timeout_ms: u32) -> Failure {
        Failure {
            code: Code::OperationTimeout,
            text: format!(
                "no answer within {timeout_ms} ms; the request is still on its way and may yet be \
                 carried out: read what became of it before trying again"
            ),
            path: None,
            nothing_changed: false,
        }
    }

    /// A panic inside this library.
    pub(crate) fn of_panic(panic: &(dyn std::any::Any + Send)) -> Failure {
        let said = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Failure {
            code: Code::RuntimeInconsistency,
            text: format!("a fault inside the library, please report it: {said}"),
            path: None,
            nothing_changed: false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure {
            code: error.code(),
            text: error.to_string(),
            path: error.path().map(str::to_owned),
            nothing_changed: error.nothing_changed(),
        }
    }
}

struct Last {
    text: CString,
    path: Option<CString>,
    nothing_changed: bool,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Makes `failure` the one that this thread's accessors tell of, and gives its code.
pub(crate) fn tell(failure: &Failure) -> zoowarden_code {
    let last = Last {
        text: c_text(&failure.text),
        path: failure.path.as_deref().map(c_text),
        nothing_changed: failure.nothing_changed,
    };
    // A thread that is being torn down has nobody who could ask.
    let _ = LAST.try_with(|slot| slot.replace(Some(last)));
    failure.code.into()
}

static FORKED: AtomicBool = AtomicBool::new(false);

extern "C" fn in_child() {
    FORKED.store(true, Ordering::Relaxed);
}

/// From the first object on a fork leaves its child without the library's threads, and with locks
/// in any state. The child is told so.
pub(crate) fn notice_forks() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the handler only stores to an atomic, which is allowed between fork and exec.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        assert!(failed == 0, "pthread_atfork has no memory");
    });
}

fn refuse_after_fork() -> Result<(), Failure> {
    if FORKED.load(Ordering::Relaxed) {
        return Err(Failure::refused(
            Code::InvalidState,
            "this process was forked from one that had used the library, whose threads are not \
             here; exec, or fork before the first use",
        ));
    }
    Ok(())
}

/// Runs the body of an entry: what it refuses and what it panics with become codes.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> zoowarden_code {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        refuse_after_fork().and_then(|()| body())
    }));
    match outcome {
        Ok(Ok(())) => zoowarden_code::ZOOWARDEN_OK,
        Ok(Err(failure)) => tell(&failure),
        Err(panic) => tell(&Failure::of_panic(panic.as_ref())),
    }
}

/// What happened, to what, and what to do: of the call that failed last on this thread, or, inside
/// a callback with a code other than ZOOWARDEN_OK, of that code. Empty if nothing failed yet. It
/// belongs to the library and is good until the next call on this thread fails.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_error_text() -> *const c_char {
    let text = |last: &RefCell<Option<Last>>| last.borrow().as_ref().map(|last| last.text.as_ptr());
    LAST.try_with(text).ok().flatten().unwrap_or(c"".as_ptr())
}

/// The path that the failure of zoowarden_error_text() is about, without the chroot; NULL if it is
/// about none. It belongs to the library and is good until the next call on this thread fails.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_error_path() -> *const c_char {
    let path = |last: &RefCell<Option<Last>>| {
        let last = last.borrow();
        last.as_ref()?.path.as_ref().map(|path| path.as_ptr())
    };
    LAST.try_with(path)
        .ok()
        .flatten()
        .unwrap_or(std::ptr::null())
}

/// Whether the failure of zoowarden_error_text() is known to have changed nothing on the servers.
/// False where the outcome is unknown: ZOOWARDEN_CONNECTION_LOSS and ZOOWARDEN_OPERATION_TIMEOUT
/// of a request that had been sent.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_error_nothing_changed() -> bool {
    let told = |last: &RefCell<Option<Last>>| {
        last.borrow()
            .as_ref()
            .is_none_or(|last| last.nothing_changed)
    };
    LAST.try_with(told).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::{Failure, guard, zoowarden_error_nothing_changed, zoowarden_error_text};
    use crate::code::zoowarden_code;

    fn told() -> &'static str {
        // SAFETY: a string of this thread's, which does not fail again in these tests.
        unsafe { CStr::from_ptr(zoowarden_error_text()) }
            .to_str()
            .unwrap()
    }

    #[test]
    fn a_panic_becomes_a_code_and_its_words_are_kept() {
        let code = guard(|| panic!("one of {}", 7));
        assert_eq!(code, zoowarden_code::ZOOWARDEN_RUNTIME_INCONSISTENCY);
        assert!(told().ends_with("one of 7"), "{}", told());
        assert!(!zoowarden_error_nothing_changed());
    }

    #[test]
    fn the_last_failure_is_each_threads_own() {
        let code = guard(|| Err(Failure::bad_arguments("mine")));
        assert_eq!(code, zoowarden_code::ZOOWARDEN_BAD_ARGUMENTS);
        std::thread::spawn(|| assert_eq!(told(), ""))
            .join()
            .unwrap();
        assert_eq!(guard(|| Ok(())), zoowarden_code::ZOOWARDEN_OK);
        assert_eq!(told(), "mine");
        assert!(zoowarden_error_nothing_changed());
    }
}

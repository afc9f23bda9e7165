//! Taking watches off a path: `zoo_remove_watches` in its forms.
//!
//! The server is asked to forget the watch, or only whether it knows it, if others here still want
//! to hear of the path. ZooKeeper's header passes the completion through a pointer too many; what
//! programs pass there is the function itself. Safety, for all: texts are NULL or end in NUL, and a completion may be called
//! on another thread.

#![allow(clippy::missing_safety_doc, reason = "the module says it once for all")]

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use zoowarden::client::Answer;
use zoowarden::proto::{Request, Text, WatcherType};

use crate::calls::Outcome;
use crate::codes::{ZBADARGUMENTS, ZCLOSING, ZNOWATCHER};
use crate::deliver::{VoidCompletion, to_void_completion};
use crate::handle::{Handle, forget_tickets, guarded, zhandle_t};
use crate::watches::{Kind, Watcher, WatcherFn};
use crate::znodes::accepted;

/// What is to be removed.
struct Removal {
    path: String,
    kind: Kind,
    /// `None` for all.
    watcher: Option<Watcher>,
    /// Whether it goes even if the server cannot be asked.
    local: bool,
}

impl Removal {
    fn request(&self, handle: &Handle) -> Request<'static> {
        let path = Text::Owned(self.path.clone());
        let kind = match self.kind {
            Kind::Child => WatcherType::Children,
            Kind::Data => WatcherType::Data,
            Kind::Any => WatcherType::Any,
        };
        if handle
            .watches
            .lock()
            .holds_others(self.kind, &self.path, self.watcher)
        {
            Request::CheckWatches { path, kind }
        } else {
            Request::RemoveWatches { path, kind }
        }
    }

    /// What the answer means here.
    fn end(&self, handle: &Handle, outcome: Outcome) -> Outcome {
        match outcome {
            Err(code) if !self.local || code == ZCLOSING => Err(code),
            _ => {
                let tickets = handle
                    .watches
                    .lock()
                    .remove(self.kind, &self.path, self.watcher);
                forget_tickets(handle.client(), tickets);
                Ok(Answer::Done)
            }
        }
    }
}

unsafe fn removal(
    zh: *mut zhandle_t,
    path: *const c_char,
    kind: c_int,
    watcher: Option<Watcher>,
    local: c_int,
) -> Result<(Arc<Handle>, Removal), c_int> {
    // SAFETY: the module's.
    let (handle, path) = unsafe { accepted(zh, path, false) }?;
    let kind = match kind {
        1 => Kind::Child,
        2 => Kind::Data,
        3 => Kind::Any,
        _ => return Err(ZBADARGUMENTS),
    };
    if !handle.watches.lock().holds(kind, &path, watcher) {
        return Err(ZNOWATCHER);
    }
    Ok((
        handle,
        Removal {
            path,
            kind,
            watcher,
            local: local != 0,
        },
    ))
}

fn remove(found: Result<(Arc<Handle>, Removal), c_int>) -> Result<(), c_int> {
    let (handle, removal) = found?;
    let outcome = handle.wait(removal.request(&handle));
    removal.end(&handle, outcome).map(drop)
}

fn remove_and_tell(
    found: Result<(Arc<Handle>, Removal), c_int>,
    completion: VoidCompletion,
    data: *const c_void,
) -> Result<(), c_int> {
    let (handle, removal) = found?;
    let tell = to_void_completion(completion, data);
    let request = removal.request(&handle);
    let holder = Arc::clone(&handle);
    handle.ask(
        request,
        Box::new(move |outcome| tell(removal.end(&holder, outcome))),
    )
}

/// A watcher by its function and context; one without a function is there never.
fn one(function: WatcherFn, context: *mut c_void) -> Option<Watcher> {
    Some(Watcher { function, context })
}

/// Takes one watcher off a path; the completion tells what the server said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aremove_watches(
    zh: *mut zhandle_t,
    path: *const c_char,
    kind: c_int,
    watcher: WatcherFn,
    context: *mut c_void,
    local: c_int,
    completion: VoidCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let found = unsafe { removal(zh, path, kind, one(watcher, context), local) };
        remove_and_tell(found, completion, data)
    })
}

/// Takes one watcher off a path; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_remove_watches(
    zh: *mut zhandle_t,
    path: *const c_char,
    kind: c_int,
    watcher: WatcherFn,
    context: *mut c_void,
    local: c_int,
) -> c_int {
    // SAFETY: the module's.
    guarded(|| remove(unsafe { removal(zh, path, kind, one(watcher, context), local) }))
}

/// Takes all watchers of a kind off a path; the completion tells what the server said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aremove_all_watches(
    zh: *mut zhandle_t,
    path: *const c_char,
    kind: c_int,
    local: c_int,
    completion: VoidCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let found = unsafe { removal(zh, path, kind, None, local) };
        remove_and_tell(found, completion, data)
    })
}

/// Takes all watchers of a kind off a path; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_remove_all_watches(
    zh: *mut zhandle_t,
    path: *const c_char,
    kind: c_int,
    local: c_int,
) -> c_int {
    // SAFETY: the module's.
    guarded(|| remove(unsafe { removal(zh, path, kind, None, local) }))
}

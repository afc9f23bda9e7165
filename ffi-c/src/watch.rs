//! Watches: one C callback each, from the reply that sets it to the call that says it is over.
//!
//! ```text
//! Pending --reply--> Active --fired, removed, session over--> Ending --callback told--> Over
//!    '--failed, or nobody waits any more: the callback is never called-----------------> Over
//! ```
//!
//! Invariants: the callback of a watch that became active is called last with ENDED, once; no more
//! than [`EVENTS_WAITING_MAX`] of its events wait to be run, and what did not fit is told.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use zoowarden::client::{Code, EventKind, WatchEvent, WatchSink, WatcherId};

use crate::callbacks::{Callbacks, Delivery, User};
use crate::client::{Open, zoowarden_state};
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard};
use crate::handle::Table;
use crate::input::{c_text, elements};

/// Most events of one watch that wait for its callback; what comes beyond is counted and dropped.
pub(crate) const EVENTS_WAITING_MAX: usize = 4096;

pub(crate) static WATCHES: Table<Watch> = Table::new(3, "watch");

/// A watch. It needs no closing: its handle is closed by the library once the watch has ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct zoowarden_watch {
    /// Of no meaning to a program; zero names no watch.
    pub id: u64,
}

impl zoowarden_watch {
    pub(crate) const NONE: zoowarden_watch = zoowarden_watch { id: 0 };
}

/// What a watch tells.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum zoowarden_event_kind {
    /// The znode was created.
    ZOOWARDEN_EVENT_CREATED = 1,
    /// The znode was deleted.
    ZOOWARDEN_EVENT_DELETED = 2,
    /// The znode's data was set.
    ZOOWARDEN_EVENT_DATA_CHANGED = 3,
    /// A child of the znode was created or deleted.
    ZOOWARDEN_EVENT_CHILDREN_CHANGED = 4,
    /// The client's state changed, to `state`. The watch stays, unless ENDED follows.
    ZOOWARDEN_EVENT_STATE = 5,
    /// The callback was too slow: `dropped` events are lost. Read again what you watch.
    ZOOWARDEN_EVENT_OVERFLOW = 6,
    /// The last call for this watch: it has fired, was removed, or its session or client is over.
    /// `user` is not touched again.
    ZOOWARDEN_EVENT_ENDED = 7,
}

/// An event as a watch's callback gets it; gone when the callback returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_event {
    /// One of zoowarden_event_kind.
    pub kind: i32,
    /// The new state, one of zoowarden_state; 0 unless `kind` is STATE.
    pub state: i32,
    /// CREATED to CHILDREN_CHANGED: the znode's path, without the chroot. Else NULL.
    pub path: *const c_char,
    /// The change behind the event; -1 where the server does not tell, 0 where there is none.
    pub zxid: i64,
    /// Events lost; 0 unless `kind` is OVERFLOW.
    pub dropped: u64,
    /// The watch.
    pub watch: zoowarden_watch,
}

/// Called for each event of a watch.
pub type zoowarden_watch_fn =
    Option<unsafe extern "C" fn(event: *const zoowarden_event, user: *mut c_void)>;

/// Whom to tell. Given to a read to set a one-shot watch with it, or to zoowarden_add_watch(). If
/// that call fails, `function` is never called; one exception is ZOOWARDEN_NO_NODE from exists, which
/// sets the watch. Else it is called last with ZOOWARDEN_EVENT_ENDED.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_watcher {
    /// Must not be NULL.
    pub function: zoowarden_watch_fn,
    /// Handed to `function`; may be NULL.
    pub user: *mut c_void,
}

/// How far a watch of zoowarden_add_watch() looks.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum zoowarden_watch_mode {
    /// Data and children of one path.
    ZOOWARDEN_WATCH_PERSISTENT = 0,
    /// A path and everything below it; children are not told of, their creation and deletion is.
    ZOOWARDEN_WATCH_PERSISTENT_RECURSIVE = 1,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Pending,
    Active,
    /// What tells of the end waits for the callback.
    Ending,
    Over,
}

struct Standing {
    phase: Phase,
    /// Known once `submit` has returned, which may be after the reply.
    id: Option<WatcherId>,
    /// The client still has a watcher for us that it must drop.
    to_forget: bool,
}

pub(crate) struct Watch {
    function: unsafe extern "C" fn(*const zoowarden_event, *mut c_void),
    user: User,
    one_shot: bool,
    client: Weak<Open>,
    callbacks: Arc<Callbacks>,
    handle: Mutex<u64>,
    standing: Mutex<Standing>,
    waiting: AtomicUsize,
    dropped: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is done under these locks that could panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// A watch for the watcher that C gave, or `None` if it gave none.
    ///
    /// # Safety
    /// `watcher` is null or points to one.
    pub(crate) unsafe fn new(
        watcher: *const zoowarden_watcher,
        one_shot: bool,
        client: &Arc<Open>,
    ) -> Result<Option<Arc<Watch>>, Failure> {
        // SAFETY: as promised by the caller.
        let watcher = unsafe { elements(watcher, usize::from(!watcher.is_null()), "watcher") }?;
        let Some(watcher) = watcher.first() else {
            return Ok(None);
        };
        let function = watcher
            .function
            .ok_or_else(|| Failure::bad_arguments("the function of the watcher is NULL"))?;
        let watch = Arc::new(Watch {
            function,
            user: User(watcher.user),
            one_shot,
            client: Arc::downgrade(client),
            callbacks: Arc::clone(&client.callbacks),
            handle: Mutex::new(0),
            standing: Mutex::new(Standing {
                phase: Phase::Pending,
                id: None,
                to_forget: false,
            }),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        });
        let handle = WATCHES.insert(Arc::clone(&watch))?;
        *lock(&watch.handle) = handle;
        Ok(Some(watch))
    }

    pub(crate) fn handle(&self) -> zoowarden_watch {
        zoowarden_watch {
            id: *lock(&self.handle),
        }
    }

    /// What the client calls on its I/O task for each event.
    pub(crate) fn sink(self: &Arc<Watch>) -> WatchSink {
        let watch = Arc::clone(self);
        Arc::new(move |event| watch.arrive(event))
    }

    /// The request is on its way, and this is what the client calls its watcher.
    pub(crate) fn submitted(&self, id: Option<WatcherId>) {
        let mut standing = lock(&self.standing);
        standing.id = id;
        self.forget(standing);
    }

    fn forget(&self, mut standing: MutexGuard<'_, Standing>) {
        if standing.to_forget
            && let Some(id) = standing.id.take()
        {
            drop(standing);
            if let Some(client) = self.client.upgrade() {
                client.client.forget(id);
            }
        }
    }

    /// The reply says that the watch is set.
    pub(crate) fn activate(self: &Arc<Watch>) {
        self.callbacks.add_watch(self);
        lock(&self.standing).phase = Phase::Active;
    }

    /// The request failed, or nobody waits for it any more: the callback is never called.
    pub(crate) fn discard(&self, to_forget: bool) {
        let mut standing = lock(&self.standing);
        standing.phase = Phase::Over;
        standing.to_forget = to_forget;
        self.forget(standing);
        self.release();
    }

    /// Closes the handle.
    fn release(&self) {
        let handle = self.handle();
        self.callbacks.drop_watch(handle);
        // Somebody else may have been first.
        let _ = WATCHES.remove(handle.id);
    }

    fn arrive(self: &Arc<Watch>, event: WatchEvent) {
        let last = match &event {
            WatchEvent::Changed { .. } => self.one_shot,
            WatchEvent::State(state) => state.is_over(),
            WatchEvent::Overflow { .. } => false,
        };
        let mut standing = lock(&self.standing);
        if standing.phase != Phase::Active {
            return;
        }
        if last {
            standing.phase = Phase::Ending;
        }
        drop(standing);
        if self.waiting.load(Ordering::Relaxed) < EVENTS_WAITING_MAX {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            self.callbacks.push(Delivery::Event {
                watch: Arc::clone(self),
                event,
            });
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if last {
            self.callbacks.push(Delivery::Ended(Arc::clone(self)));
        }
    }

    /// Ends the watch by wish; false if it had ended already.
    fn remove(self: &Arc<Watch>) -> bool {
        let mut standing = lock(&self.standing);
        if standing.phase != Phase::Active {
            return false;
        }
        standing.phase = Phase::Ending;
        standing.to_forget = true;
        self.forget(standing);
        self.callbacks.push(Delivery::Ended(Arc::clone(self)));
        true
    }

    /// Runs the callback for an event that had waited.
    pub(crate) fn deliver(&self, event: &WatchEvent) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        match event {
            WatchEvent::Changed { kind, path, zxid } => {
                let path = c_text(path);
                self.call(zoowarden_event {
                    path: path.as_ptr(),
                    zxid: zxid.0,
                    ..self.event(kind_of(*kind))
                });
            }
            WatchEvent::State(state) => self.call(zoowarden_event {
                state: zoowarden_state::from(*state) as i32,
                ..self.event(zoowarden_event_kind::ZOOWARDEN_EVENT_STATE)
            }),
            WatchEvent::Overflow { dropped } => {
                self.dropped.fetch_add(*dropped, Ordering::Relaxed);
            }
        }
        self.tell_dropped();
    }

    fn tell_dropped(&self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.call(zoowarden_event {
                dropped,
                ..self.event(zoowarden_event_kind::ZOOWARDEN_EVENT_OVERFLOW)
            });
        }
    }

    /// Runs the callback for the last time; when the client is closed this may come twice, or before
    /// the watch was ever set.
    pub(crate) fn deliver_end(&self) {
        let mut standing = lock(&self.standing);
        let phase = std::mem::replace(&mut standing.phase, Phase::Over);
        drop(standing);
        if phase == Phase::Active || phase == Phase::Ending {
            self.tell_dropped();
            self.call(self.event(zoowarden_event_kind::ZOOWARDEN_EVENT_ENDED));
        }
        self.release();
    }

    fn event(&self, kind: zoowarden_event_kind) -> zoowarden_event {
        zoowarden_event {
            kind: kind as i32,
            state: 0,
            path: std::ptr::null(),
            zxid: 0,
            dropped: 0,
            watch: self.handle(),
        }
    }

    fn call(&self, event: zoowarden_event) {
        // SAFETY: the function and what `user` points to are good until ENDED has been told; that
        // is what the header asks of the caller.
        unsafe { (self.function)(&raw const event, self.user.0) };
    }
}

fn kind_of(kind: EventKind) -> zoowarden_event_kind {
    match kind {
        EventKind::Created => zoowarden_event_kind::ZOOWARDEN_EVENT_CREATED,
        EventKind::Deleted => zoowarden_event_kind::ZOOWARDEN_EVENT_DELETED,
        EventKind::DataChanged => zoowarden_event_kind::ZOOWARDEN_EVENT_DATA_CHANGED,
        EventKind::ChildrenChanged => zoowarden_event_kind::ZOOWARDEN_EVENT_CHILDREN_CHANGED,
    }
}

/// Removes a watch, on the server too when it was the last of its kind there. Returns at once; the
/// watch's callback is called once more, with ZOOWARDEN_EVENT_ENDED, and not any more after that.
/// ZOOWARDEN_NO_WATCHER if it was ending already.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_watch_remove(watch: zoowarden_watch) -> zoowarden_code {
    guard(|| {
        let ended = || Failure::refused(Code::NoWatcher, "the watch has ended");
        let watch = WATCHES
            .get(watch.id)
            .map_err(|failure| match failure.code {
                Code::Closing => ended(),
                _ => failure,
            })?;
        if watch.remove() { Ok(()) } else { Err(ended()) }
    })
}

/// What a function that sets a watch gives of it.
pub(crate) fn handle_of(watch: Option<&Arc<Watch>>) -> zoowarden_watch {
    watch.map_or(zoowarden_watch::NONE, |watch| watch.handle())
}

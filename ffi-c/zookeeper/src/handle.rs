//! A handle: one client, its watches, its open calls, and its two threads.
//!
//! | thread | owns | who ends it |
//! |---|---|---|
//! | `zk-io` | the tokio runtime that drives the client | `Handle::close` |
//! | `zk-callbacks` | runs completions and watchers, in one order | `Handle::close`, when its queue is empty |
//!
//! Invariants: a `zhandle_t *` is a number that is never given twice and never followed, so a call
//! with a handle that is closed fails instead of reaching freed memory; whoever is inside a call
//! holds the handle, and the last one out frees it; answers, events and states are put into the
//! queue on the I/O thread, so callbacks run in the order of the protocol, while waiting calls are
//! ended there directly and need no callback thread.
//!
//! Lock order: every lock is held for one statement, none while another is taken.

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle, ThreadId};

use parking_lot::{Mutex, RwLock};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use zoowarden::client::{Client, Root, State, WatchEvent, WatchSink, WatcherId};
use zoowarden::proto::{EventKind, Request};

use crate::calls::{Calls, Ending, Outcome, Tell, Waiter};
use crate::codes::{ZBADARGUMENTS, ZCLOSING, ZINVALIDSTATE, ZNONODE, ZOK};
use crate::constants::{
    ZOO_AUTH_FAILED_STATE, ZOO_CONNECTED_STATE, ZOO_CONNECTING_STATE, ZOO_EXPIRED_SESSION_STATE,
    ZOO_READONLY_STATE, ZOO_SESSION_EVENT,
};
use crate::logging::{Level, LogCallback, say};
use crate::queue::Queue;
use crate::servers::Servers;
use crate::watches::{List, Ticket, Watcher, Watches};

/// What C programs hold; nothing is behind it.
#[repr(C)]
pub struct zhandle_t {
    _nothing: [u8; 0],
}

/// `clientid_t`: what lets somebody else go on with a session.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct clientid_t {
    /// The session's id, 0 for none.
    pub client_id: i64,
    /// Its password.
    pub passwd: [u8; 16],
}

/// Everything behind a `zhandle_t *`.
pub(crate) struct Handle {
    token: usize,
    /// The process that opened it: a child has none of its threads.
    process: u32,
    client: OnceLock<Client>,
    pub(crate) servers: Mutex<Servers>,
    /// The handle's own watcher; its function may be `None`.
    own: Mutex<Watcher>,
    pub(crate) watches: Mutex<Watches>,
    calls: Calls,
    queue: Arc<Queue>,
    state: AtomicI32,
    timeout_ms: AtomicI32,
    log: Mutex<LogCallback>,
    id: Exposed<clientid_t>,
    server_text: Exposed<[c_char; SERVER_TEXT_BYTES]>,
    is_closing: AtomicBool,
    threads: Mutex<Option<Threads>>,
    callback_thread: OnceLock<ThreadId>,
}

/// What a thread of a C program usually has: callbacks are the program's code.
const CALLBACK_STACK_BYTES: usize = 8 << 20;

/// Room for a server's name and port, as `zoo_get_current_server` tells it.
const SERVER_TEXT_BYTES: usize = 272;

/// Something that C reads by a pointer into the handle while we may write it, as ZooKeeper's own
/// client does it.
struct Exposed<T> {
    value: UnsafeCell<T>,
    /// Held by who writes.
    writing: Mutex<()>,
}

// SAFETY: written under `writing`; C programs know that what they see may change.
unsafe impl<T: Send> Sync for Exposed<T> {}

impl<T: Copy> Exposed<T> {
    fn new(value: T) -> Exposed<T> {
        Exposed {
            value: UnsafeCell::new(value),
            writing: Mutex::new(()),
        }
    }

    fn set(&self, value: T) {
        let _writing = self.writing.lock();
        // SAFETY: no reference to the inside exists, only pointers that C holds; nobody else writes.
        unsafe { self.value.get().write_volatile(value) }
    }

    fn pointer(&self) -> *mut T {
        self.value.get()
    }
}

struct Threads {
    stop: oneshot::Sender<()>,
    io: JoinHandle<()>,
    callbacks: JoinHandle<()>,
}

/// What a handle starts from.
pub(crate) struct Opening {
    pub(crate) own: Watcher,
    pub(crate) id: clientid_t,
    pub(crate) timeout_ms: c_int,
    pub(crate) servers: Servers,
    pub(crate) log: LogCallback,
}

// --- from a pointer to a handle ------------------------------------------------------------------

static OPEN: RwLock<BTreeMap<usize, Arc<Handle>>> = RwLock::new(BTreeMap::new());

/// Numbers are apart and aligned like the pointers they stand for.
const TOKEN_STEP: usize = 16;
static NEXT_TOKEN: AtomicUsize = AtomicUsize::new(TOKEN_STEP);

/// The handle behind a pointer. NULL is ZBADARGUMENTS; one that is closed, or was opened by the
/// process that this one was forked from, is ZINVALIDSTATE.
pub(crate) fn find(zh: *const zhandle_t) -> Result<Arc<Handle>, c_int> {
    if zh.is_null() {
        return Err(ZBADARGUMENTS);
    }
    match OPEN.read().get(&zh.addr()) {
        Some(handle) if handle.process == std::process::id() => Ok(Arc::clone(handle)),
        _ => Err(ZINVALIDSTATE),
    }
}

impl Handle {
    pub(crate) fn new(opening: Opening) -> Arc<Handle> {
        Arc::new(Handle {
            token: NEXT_TOKEN.fetch_add(TOKEN_STEP, Ordering::Relaxed),
            process: std::process::id(),
            client: OnceLock::new(),
            servers: Mutex::new(opening.servers),
            own: Mutex::new(opening.own),
            watches: Mutex::default(),
            calls: Calls::default(),
            queue: Arc::default(),
            state: AtomicI32::new(ZOO_CONNECTING_STATE),
            timeout_ms: AtomicI32::new(opening.timeout_ms),
            log: Mutex::new(opening.log),
            id: Exposed::new(opening.id),
            server_text: Exposed::new([0; SERVER_TEXT_BYTES]),
            is_closing: AtomicBool::new(false),
            threads: Mutex::new(None),
            callback_thread: OnceLock::new(),
        })
    }

    /// Takes the client, starts both threads, and lets C find the handle.
    pub(crate) fn start(self: &Arc<Self>, runtime: Runtime, client: Client) -> std::io::Result<()> {
        let (stop, stopped) = oneshot::channel();
        // Nobody else has the handle yet, so it has no client yet.
        let _ = self.client.set(client.clone());
        OPEN.write().insert(self.token, Arc::clone(self));
        let queue = Arc::clone(&self.queue);
        let callbacks = thread::Builder::new()
            .name("zk-callbacks".to_owned())
            .stack_size(CALLBACK_STACK_BYTES)
            .spawn(move || queue.run());
        let callbacks = callbacks.inspect_err(|_| self.forget())?;
        let _ = self.callback_thread.set(callbacks.thread().id());
        let io = thread::Builder::new()
            .name("zk-io".to_owned())
            .spawn(move || drive(&runtime, client, stopped));
        let io = io.inspect_err(|_| {
            self.queue.finish();
            self.forget();
        })?;
        *self.threads.lock() = Some(Threads {
            stop,
            io,
            callbacks,
        });
        Ok(())
    }

    fn forget(&self) {
        let forgotten = OPEN.write().remove(&self.token);
        drop(forgotten);
    }

    /// What C programs hold of this handle.
    pub(crate) fn pointer(&self) -> *mut zhandle_t {
        std::ptr::without_provenance_mut(self.token)
    }

    pub(crate) fn client(&self) -> &Client {
        self.client
            .get()
            .expect("set before anybody can find the handle")
    }

    pub(crate) fn state(&self) -> c_int {
        self.state.load(Ordering::Acquire)
    }

    /// Whether the session is over for good.
    pub(crate) fn is_unrecoverable(&self) -> bool {
        self.state() < 0
    }

    pub(crate) fn timeout_ms(&self) -> c_int {
        self.timeout_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn id(&self) -> *const clientid_t {
        self.id.pointer()
    }

    pub(crate) fn own(&self) -> Watcher {
        *self.own.lock()
    }

    pub(crate) fn change_own<T>(&self, change: impl FnOnce(&mut Watcher) -> T) -> T {
        change(&mut self.own.lock())
    }

    pub(crate) fn log_callback(&self) -> LogCallback {
        *self.log.lock()
    }

    pub(crate) fn set_log_callback(&self, callback: LogCallback) {
        *self.log.lock() = callback;
    }

    /// Says something in the name of a C function.
    pub(crate) fn say(&self, level: Level, line: u32, function: &str, text: &str) {
        say(self.log_callback(), level, line, function, text);
    }

    /// The text of the server in use or next; overwritten by the next call.
    pub(crate) fn server_text(&self, server: &str) -> *const c_char {
        let mut text = [0; SERVER_TEXT_BYTES];
        for (to, byte) in text
            .iter_mut()
            .zip(server.bytes().take(SERVER_TEXT_BYTES - 1))
        {
            *to = c_char::from_ne_bytes([byte]);
        }
        self.server_text.set(text);
        self.server_text.pointer().cast()
    }

    // --- calls -----------------------------------------------------------------------------------

    /// Makes a request; `tell` runs on the callback thread when it has ended.
    pub(crate) fn ask<'a>(
        self: &Arc<Self>,
        asking: impl Into<Asking<'a>>,
        tell: Tell,
    ) -> Result<(), c_int> {
        self.make(asking.into(), Ending::Tell(tell))
    }

    /// Makes a request and waits for its end.
    pub(crate) fn wait<'a>(self: &Arc<Self>, asking: impl Into<Asking<'a>>) -> Outcome {
        let waiter = Arc::<Waiter>::default();
        self.make(asking.into(), Ending::Wait(Arc::clone(&waiter)))?;
        waiter.wait()
    }

    fn make(self: &Arc<Self>, asking: Asking<'_>, ending: Ending) -> Result<(), c_int> {
        let may_wait = !self.is_callback_thread();
        let number = self.calls.add(ending, may_wait)?;
        let Asking {
            root,
            request,
            watch,
        } = asking;
        let sink = watch.is_some().then(|| self.sink());
        let ticket = Ticket::default();
        let (handle, own_ticket) = (Arc::clone(self), Arc::clone(&ticket));
        let id = self
            .client()
            .submit_from(root, request, sink, move |result| {
                let outcome = result.map_err(|error| error.code().number());
                if let Some(watch) = watch {
                    handle.leave(watch, own_ticket, &outcome);
                }
                if let Some(ending) = handle.calls.take(number) {
                    handle.end(ending, outcome);
                }
            });
        if let Some(id) = id {
            // Set once, here.
            let _ = ticket.set(id);
        }
        Ok(())
    }

    fn end(&self, ending: Ending, outcome: Outcome) {
        match ending {
            Ending::Wait(waiter) => waiter.end(outcome),
            Ending::Tell(tell) => self.queue.push(Box::new(move || tell(outcome))),
        }
    }

    fn is_callback_thread(&self) -> bool {
        self.callback_thread.get() == Some(&thread::current().id())
    }

    // --- watches and states, on the I/O thread ---------------------------------------------------

    /// A watch that stands: of a request that succeeded, and of an exists that found nothing.
    fn leave(&self, watch: Watch, ticket: Ticket, outcome: &Outcome) {
        let list = match (watch.list, outcome) {
            (list, Ok(_)) => list,
            (List::Exist, Err(ZNONODE)) => List::Exist,
            _ => return,
        };
        let list = if list == List::Exist && outcome.is_ok() {
            List::Data
        } else {
            list
        };
        self.watches
            .lock()
            .add(list, &watch.path, watch.watcher, ticket);
    }

    /// What the client calls when a watch fires. Several may hear of one event: the first takes
    /// everyone out whom it concerns.
    fn sink(self: &Arc<Self>) -> WatchSink {
        let handle = Arc::downgrade(self);
        Arc::new(move |event| {
            if let (Some(handle), WatchEvent::Changed { kind, path, .. }) =
                (Weak::upgrade(&handle), event)
            {
                handle.fire(kind, &path);
            }
        })
    }

    fn fire(&self, kind: EventKind, path: &str) {
        let watchers = self.watches.lock().take(kind, path);
        self.notify(watchers, kind as c_int, path);
    }

    /// What the client calls when its state changes.
    pub(crate) fn enter(&self, state: State) {
        let number = match state {
            State::Connecting | State::Suspended => ZOO_CONNECTING_STATE,
            State::Connected => ZOO_CONNECTED_STATE,
            State::ConnectedReadOnly => ZOO_READONLY_STATE,
            State::Expired => ZOO_EXPIRED_SESSION_STATE,
            State::AuthFailed => ZOO_AUTH_FAILED_STATE,
            State::Closed => return,
        };
        if state.is_connected() {
            self.note_session();
        }
        self.state.store(number, Ordering::Release);
        if self.is_closing.load(Ordering::Acquire) {
            return;
        }
        let level = match state {
            State::Expired | State::AuthFailed => Level::Error,
            State::Suspended => Level::Warn,
            _ => Level::Info,
        };
        let text = format!("the session is {state}");
        self.say(level, line!(), "zookeeper_process", &text);
        let own = self.own();
        let watchers = self.watches.lock().everyone(own.function.map(|_| own));
        self.notify(watchers, ZOO_SESSION_EVENT, "");
    }

    fn note_session(&self) {
        let client = self.client();
        let timeout_ms = c_int::try_from(client.session_timeout_ms()).unwrap_or(c_int::MAX);
        self.timeout_ms.store(timeout_ms, Ordering::Relaxed);
        self.id.set(clientid_t {
            client_id: client.session_id().0,
            passwd: client.session_password(),
        });
        if let Some(server) = client.server() {
            self.servers.lock().connected_to(server);
        }
    }

    fn notify(&self, watchers: Vec<Watcher>, kind: c_int, path: &str) {
        if watchers.is_empty() {
            return;
        }
        let state = self.state();
        let token = self.token;
        let path = CString::new(path).unwrap_or_default();
        self.queue.push(Box::new(move || {
            let zh = std::ptr::without_provenance_mut(token);
            for watcher in watchers {
                watcher.call(zh, kind, state, &path);
            }
        }));
    }

    // --- the end ---------------------------------------------------------------------------------

    /// Ends the session, the calls and both threads. On the callback thread it does not wait for
    /// itself: that thread ends when it has run what is queued.
    pub(crate) fn close(&self) -> Result<(), c_int> {
        if self.is_closing.swap(true, Ordering::AcqRel) {
            return Err(ZINVALIDSTATE);
        }
        self.forget();
        for ending in self.calls.close() {
            self.end(ending, Err(ZCLOSING));
        }
        let threads = self.threads.lock().take();
        let Some(threads) = threads else {
            return Ok(());
        };
        // The I/O thread may have ended only by a panic; then there is nobody to tell.
        let _ = threads.stop.send(());
        if threads.io.thread().id() != thread::current().id() {
            let _ = threads.io.join();
        }
        self.queue.finish();
        if !self.is_callback_thread() {
            let _ = threads.callbacks.join();
        }
        Ok(())
    }
}

/// What a request leaves behind when it succeeds. [`List::Exist`] stands for exists, which decides
/// by its answer.
pub(crate) struct Watch {
    pub(crate) list: List,
    pub(crate) path: String,
    pub(crate) watcher: Watcher,
}

/// A request on its way to the client.
pub(crate) struct Asking<'a> {
    root: Root,
    request: Request<'a>,
    watch: Option<Watch>,
}

impl<'a> From<Request<'a>> for Asking<'a> {
    fn from(request: Request<'a>) -> Asking<'a> {
        Asking::watching(request, None)
    }
}

impl<'a> Asking<'a> {
    /// A request that may leave a watch.
    pub(crate) fn watching(request: Request<'a>, watch: Option<Watch>) -> Asking<'a> {
        Asking {
            root: Root::Chroot,
            request,
            watch,
        }
    }

    /// The same, the handle's chroot left out.
    pub(crate) fn of_the_whole_tree(self) -> Asking<'a> {
        Asking {
            root: Root::Tree,
            ..self
        }
    }
}

impl Watcher {
    fn call(&self, zh: *mut zhandle_t, kind: c_int, state: c_int, path: &CString) {
        if let Some(function) = self.function {
            // SAFETY: the function and its context are the program's own.
            unsafe { function(zh, kind, state, path.as_ptr(), self.context) }
        }
    }
}

/// The body of the I/O thread.
fn drive(runtime: &Runtime, client: Client, stopped: oneshot::Receiver<()>) {
    take_no_signals();
    runtime.block_on(async {
        // An error means that the handle is gone, which ends the client as well.
        let _ = stopped.await;
        client.close().await;
    });
}

/// Signals are the program's, and a connection that broke must not end it by SIGPIPE.
fn take_no_signals() {
    // SAFETY: the set is filled in before it is used; only this thread's mask changes.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

/// Runs the body of an exported function. A panic ends with it and is told as a code.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), c_int>) -> c_int {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    match caught {
        Ok(Ok(())) => ZOK,
        Ok(Err(code)) => code,
        Err(_) => crate::codes::ZRUNTIMEINCONSISTENCY,
    }
}

/// The context of a watcher that is nobody.
pub(crate) fn no_watcher() -> Watcher {
    Watcher {
        function: None,
        context: std::ptr::null_mut::<c_void>(),
    }
}

/// Ends a client's own watchers behind watches that were removed.
pub(crate) fn forget_tickets(client: &Client, tickets: Vec<Ticket>) {
    for id in tickets.iter().filter_map(|ticket| ticket.get()) {
        client.forget(WatcherId::clone(id));
    }
}

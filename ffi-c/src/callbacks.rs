//! A client's callbacks: queued by the I/O task, run one at a time in their order.
//!
//! Two ways to run them, chosen when the client is opened: a thread of the client's own, or the
//! program's loop, which watches a descriptor and calls `zoowarden_client_dispatch`.
//!
//! Invariants: only the holder of `running` runs callbacks, so they never overlap; every call that was
//! admitted has had its callback before the client counts as closed, and nothing runs after that; no
//! lock but `running` is held while a callback runs; a thread that is
//! inside any callback never waits for callbacks, so callbacks that close each other's clients do
//! not wait in a circle.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use zoowarden::bridge::Bridge;
use zoowarden::client::{Code, State, WatchEvent};

use crate::answer::{Owned, Reply};
use crate::call::zoowarden_completion;
use crate::client::{CLIENTS, zoowarden_client, zoowarden_state, zoowarden_state_fn};
use crate::failure::{Failure, tell};
use crate::watch::{Watch, zoowarden_watch};

/// Most asynchronous calls of one client whose callback has not been run.
pub(crate) const CALLS_WAITING_MAX: usize = 1 << 16;

/// Callbacks taken from the queue at a time.
const BATCH: usize = 256;

/// How long a thread that waits for a descriptor looks away: another one may have read it.
const GLANCE_MS: i32 = 10;

/// A pointer of C's that is only handed back.
#[derive(Clone, Copy)]
pub(crate) struct User(pub(crate) *mut c_void);

// SAFETY: never dereferenced here; the header tells C on which thread it comes back.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

/// Whom to tell that a call is done.
pub(crate) struct Completion {
    pub(crate) function: zoowarden_completion,
    pub(crate) user: User,
}

impl Completion {
    fn call(&self, reply: Reply) {
        let Some(function) = self.function else {
            return;
        };
        let code = reply.code();
        if let Some(failure) = &reply.failure {
            tell(failure);
        }
        let owned = Owned::new(reply.answer, reply.watch);
        // SAFETY: the function and what `user` points to are good until this call; that is what the
        // header asks of the caller.
        unsafe { function(code, owned.view(), self.user.0) };
    }
}

/// Something to run.
pub(crate) enum Delivery {
    /// An asynchronous call is done.
    Done {
        completion: Completion,
        reply: Reply,
    },
    /// As [`Delivery::Done`], of a call with a callback of another form.
    Run(Box<dyn FnOnce() + Send>),
    /// Something that was asked for, and that nothing waits for.
    Tell(Box<dyn FnOnce() + Send>),
    /// The client's state has changed.
    State(State),
    /// A watch has fired.
    Event {
        watch: Arc<Watch>,
        event: WatchEvent,
    },
    /// A watch has ended.
    Ended(Arc<Watch>),
    /// The session is closed: everything ends here.
    Closed {
        completion: Option<Completion>,
        reply: Reply,
    },
}

/// How whoever runs callbacks is woken.
enum Bell {
    Thread { rung: Mutex<bool>, changed: Condvar },
    Descriptor(File),
}

impl Bell {
    fn descriptor() -> Result<Bell, Failure> {
        // SAFETY: takes numbers only.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            let text = format!("eventfd: {}", std::io::Error::last_os_error());
            return Err(Failure::refused(Code::SystemError, text));
        }
        // SAFETY: open, and nobody else's.
        Ok(Bell::Descriptor(unsafe { File::from_raw_fd(fd) }))
    }

    fn ring(&self) {
        match self {
            Bell::Thread { rung, changed } => {
                *lock(rung) = true;
                changed.notify_one();
            }
            // Fails only when the counter is full, and then it is readable anyway.
            Bell::Descriptor(file) => {
                let _ = { file }.write(&1u64.to_ne_bytes());
            }
        }
    }

    /// Waits until it rings; may come back without.
    fn wait(&self) {
        match self {
            Bell::Thread { rung, changed } => {
                let mut rung = lock(rung);
                while !*rung {
                    rung = changed.wait(rung).unwrap_or_else(PoisonError::into_inner);
                }
                *rung = false;
            }
            Bell::Descriptor(file) => {
                let mut polled = libc::pollfd {
                    fd: file.as_raw_fd(),
                    events: libc::POLLIN,
                    revents: 0,
                };
                // SAFETY: one element, on this stack. Whatever it answers, the caller looks again.
                unsafe { libc::poll(&raw mut polled, 1, GLANCE_MS) };
            }
        }
    }

    /// Takes the ring back before the queue is looked at.
    fn silence(&self) {
        if let Bell::Descriptor(file) = self {
            // Fails when it was not rung.
            let _ = { file }.read(&mut [0; 8]);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is done under these locks that could panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is inside a callback of any client.
pub(crate) fn is_inside_callback() -> bool {
    INSIDE.with(Cell::get) > 0
}

/// Whether callbacks were run.
pub(crate) enum Ran {
    /// So many. If more wait, the bell has been rung again.
    Some(usize),
    /// None: somebody runs them now.
    Busy,
}

/// The asynchronous calls of a client.
struct Calls {
    /// Admitted, and their callback not yet run.
    waiting: usize,
    end: End,
}

/// How far the end of a client is.
enum End {
    Open,
    /// It is told once no call waits.
    Due(Option<Completion>, Reply),
    Told,
}

pub(crate) struct Callbacks {
    client: zoowarden_client,
    queue: Bridge<Delivery>,
    bell: Arc<Bell>,
    /// Held by whoever runs callbacks; what it has taken from the queue.
    running: Mutex<Vec<Delivery>>,
    observer: Option<(zoowarden_state_fn, User)>,
    /// The state that the observer was told last.
    told: Mutex<Option<State>>,
    calls: Mutex<Calls>,
    watches: Mutex<HashMap<u64, Arc<Watch>>>,
    closing: AtomicBool,
    closed: AtomicBool,
}

impl Callbacks {
    /// `on_thread`: a thread of the client's own runs them, else the program's loop.
    pub(crate) fn new(
        client: zoowarden_client,
        on_thread: bool,
        observer: Option<(zoowarden_state_fn, User)>,
    ) -> Result<Arc<Callbacks>, Failure> {
        let bell = Arc::new(if on_thread {
            Bell::Thread {
                rung: Mutex::new(false),
                changed: Condvar::new(),
            }
        } else {
            Bell::descriptor()?
        });
        let ring = Arc::clone(&bell);
        Ok(Arc::new(Callbacks {
            client,
            queue: Bridge::new(move || ring.ring()),
            bell,
            running: Mutex::new(Vec::new()),
            observer,
            told: Mutex::new(None),
            calls: Mutex::new(Calls {
                waiting: 0,
                end: End::Open,
            }),
            watches: Mutex::new(HashMap::new()),
            closing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }))
    }

    /// The descriptor that is readable while callbacks wait; `None` with a thread of its own.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        match &*self.bell {
            Bell::Thread { .. } => None,
            Bell::Descriptor(file) => Some(file.as_raw_fd()),
        }
    }

    /// Room for one more asynchronous call, or ThrottledOp.
    pub(crate) fn admit(&self) -> Result<(), Failure> {
        let mut calls = lock(&self.calls);
        if !matches!(calls.end, End::Open) {
            return Err(Failure::refused(Code::Closing, "the client was closed"));
        }
        if calls.waiting >= CALLS_WAITING_MAX {
            let text = format!("{CALLS_WAITING_MAX} calls wait for their callbacks; let some run");
            return Err(Failure::refused(Code::ThrottledOp, text));
        }
        calls.waiting += 1;
        Ok(())
    }

    pub(crate) fn push(&self, delivery: Delivery) {
        self.queue.push(delivery);
    }

    /// The last delivery: nothing behind it is run.
    pub(crate) fn push_closed(&self, completion: Option<Completion>, reply: Reply) {
        self.push(Delivery::Closed { completion, reply });
        self.closing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn add_watch(&self, watch: &Arc<Watch>) {
        lock(&self.watches).insert(watch.handle().id, Arc::clone(watch));
    }

    pub(crate) fn drop_watch(&self, watch: zoowarden_watch) {
        lock(&self.watches).remove(&watch.id);
    }

    /// The thread's life: run what comes until the client is closed.
    pub(crate) fn run_until_closed(&self) {
        while !self.closed.load(Ordering::SeqCst) {
            self.bell.wait();
            self.run(BATCH);
        }
    }

    /// What `zoowarden_client_dispatch` does: at most `max`, on this thread.
    pub(crate) fn dispatch(&self, max: usize) -> Ran {
        self.run(max)
    }

    /// After [`Callbacks::push_closed`]: sees to it that everything is run. Inside a callback it may
    /// be left to whoever is running callbacks now.
    pub(crate) fn finish(&self) {
        if is_inside_callback() {
            self.run(BATCH);
            return;
        }
        let mut running = lock(&self.running);
        while !self.closed.load(Ordering::SeqCst) {
            self.run_held(&mut running, BATCH);
            if !self.closed.load(Ordering::SeqCst) {
                self.bell.wait();
            }
        }
    }

    /// Runs at most `max`, unless somebody does already. Once the client is closing, a runner looks
    /// again after it has let go: `finish` may have found it busy and left the rest to it.
    fn run(&self, max: usize) -> Ran {
        let mut count = 0;
        loop {
            let mut held = match self.running.try_lock() {
                Ok(held) => held,
                Err(TryLockError::Poisoned(held)) => held.into_inner(),
                Err(TryLockError::WouldBlock) if count == 0 => return Ran::Busy,
                Err(TryLockError::WouldBlock) => return Ran::Some(count),
            };
            count += self.run_held(&mut held, max);
            drop(held);
            let must_end = self.closing.load(Ordering::SeqCst);
            if !must_end || self.closed.load(Ordering::SeqCst) {
                return Ran::Some(count);
            }
            self.bell.wait();
        }
    }

    fn run_held(&self, taken: &mut Vec<Delivery>, max: usize) -> usize {
        self.bell.silence();
        self.queue.drain(max, taken);
        let count = taken.len();
        INSIDE.with(|inside| inside.set(inside.get() + 1));
        for delivery in taken.drain(..) {
            if !self.closed.load(Ordering::SeqCst) {
                self.deliver(delivery);
            }
        }
        INSIDE.with(|inside| inside.set(inside.get() - 1));
        count
    }

    fn deliver(&self, delivery: Delivery) {
        match delivery {
            Delivery::Done { completion, reply } => {
                completion.call(reply);
                self.call_done();
            }
            Delivery::Run(run) => {
                run();
                self.call_done();
            }
            Delivery::Tell(run) => run(),
            Delivery::State(state) => self.tell_state(state),
            Delivery::Event { watch, event } => watch.deliver(&event),
            Delivery::Ended(watch) => watch.deliver_end(),
            Delivery::Closed { completion, reply } => {
                let mut calls = lock(&self.calls);
                calls.end = End::Due(completion, reply);
                self.close_if_due(calls);
            }
        }
    }

    fn call_done(&self) {
        let mut calls = lock(&self.calls);
        calls.waiting -= 1;
        self.close_if_due(calls);
    }

    fn close_if_due(&self, mut calls: MutexGuard<'_, Calls>) {
        if calls.waiting > 0 || !matches!(calls.end, End::Due(..)) {
            return;
        }
        if let End::Due(completion, reply) = std::mem::replace(&mut calls.end, End::Told) {
            drop(calls);
            self.close(completion, reply);
        }
    }

    fn tell_state(&self, state: State) {
        let before = lock(&self.told).replace(state);
        if before == Some(state) {
            return;
        }
        if let Some((Some(function), user)) = self.observer {
            let state = zoowarden_state::from(state) as i32;
            // SAFETY: the function and what `user` points to are good until the client is closed;
            // that is what the header asks of the caller.
            unsafe { function(self.client, state, user.0) };
        }
    }

    fn close(&self, completion: Option<Completion>, reply: Reply) {
        let watches: Vec<_> = lock(&self.watches)
            .drain()
            .map(|(_, watch)| watch)
            .collect();
        for watch in watches {
            watch.deliver_end();
        }
        // The client's own word may come behind this, and is not heard then.
        self.tell_state(State::Closed);
        if let Some(completion) = completion {
            completion.call(reply);
        }
        self.closed.store(true, Ordering::SeqCst);
        // It is there: only this removes it.
        let _ = CLIENTS.remove(self.client.id);
    }
}

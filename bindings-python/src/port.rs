//! Where completions, watch events and changes of state come ashore: one port for each event loop,
//! and one for the callbacks of each synchronous client.
//!
//! ```text
//!   I/O threads ── post ──▶ bridge ── rings once ──▶ signal ──▶ loop or thread: drain
//!                                                                 └─ slot: future or callable
//! ```
//!
//! Invariant: an I/O thread never needs the interpreter. What it holds is a slot's number; the
//! Python objects behind the numbers are touched by whoever drains.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit, intern};
use slab::Slab;
use zoowarden::bridge::Bridge;

use crate::failure::misuse;
use crate::reply::{Completion, Value};
use crate::signal::Signal;

/// Deliveries of one drain: a flood must not keep a loop from its other work.
const DRAIN_MAX: usize = 2048;

/// Something for a slot.
pub(crate) enum Delivery {
    /// The one answer of a request.
    Reply(usize, Completion),
    /// An inbox has something, or has ended.
    Notice(usize),
    /// An inbox has gone: the last delivery of its slot.
    Gone(usize),
}

/// The half of a port that I/O threads know.
pub(crate) struct Shared {
    bridge: Bridge<Delivery>,
    signal: Arc<Signal>,
}

impl Shared {
    pub(crate) fn post(&self, delivery: Delivery) {
        self.bridge.push(delivery);
    }
}

enum Slot {
    /// An `asyncio.Future`.
    Future(Py<PyAny>),
    /// Called once with `(value, None)` or `(None, exception)`.
    Callback(Py<PyAny>),
    /// Called without arguments, as often as its inbox has something.
    Listener(Py<PyAny>),
}

/// A place where results arrive.
#[pyclass(frozen, weakref, module = "zoowarden._zoowarden")]
pub(crate) struct Port {
    shared: Arc<Shared>,
    slots: Mutex<Slab<Slot>>,
    create_future: Option<Py<PyAny>>,
    /// Null data is `None` for callbacks of the kazoo facade.
    keep_null: bool,
}

#[pymethods]
impl Port {
    /// With an event loop's `create_future`, or None for callbacks alone.
    #[new]
    #[pyo3(signature = (create_future=None, keep_null=false))]
    fn new(create_future: Option<Py<PyAny>>, keep_null: bool) -> PyResult<Self> {
        let signal = Arc::new(Signal::new()?);
        let bell = Arc::clone(&signal);
        let bridge = Bridge::new(move || bell.ring());
        let shared = Arc::new(Shared { bridge, signal });
        Ok(Self {
            shared,
            slots: Mutex::default(),
            create_future,
            keep_null,
        })
    }

    /// The descriptor that is readable when there is something to drain.
    fn fileno(&self) -> i32 {
        self.shared.signal.descriptor()
    }

    /// Hands out what has arrived, up to a limit; the rest rings again.
    fn drain(&self, py: Python<'_>) {
        self.shared.signal.clear();
        let mut arrived = Vec::new();
        self.shared.bridge.drain(DRAIN_MAX, &mut arrived);
        for delivery in arrived {
            if let Err(error) = self.deliver(py, delivery) {
                error.write_unraisable(py, None);
            }
        }
    }

    /// Blocks until there is something to drain, at most `limit_ms`, with the interpreter released.
    fn wait(&self, py: Python<'_>, limit_ms: u32) -> PyResult<bool> {
        let heard = py.detach(|| self.shared.signal.wait(limit_ms))?;
        py.check_signals()?;
        Ok(heard)
    }

    /// Ends a `wait` of another thread.
    fn ring(&self) {
        self.shared.signal.ring();
    }

    /// Futures that have no answer yet.
    fn waiting(&self) -> usize {
        let slots = self.slots.lock();
        let is_future = |(_, slot): &(usize, &Slot)| matches!(slot, Slot::Future(_));
        slots.iter().filter(is_future).count()
    }

    /// Waiting futures, callbacks and listeners.
    fn pending(&self) -> usize {
        self.slots.lock().len()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(create_future) = &self.create_future {
            visit.call(create_future)?;
        }
        if let Some(slots) = self.slots.try_lock() {
            for (_, slot) in slots.iter() {
                match slot {
                    Slot::Future(object) | Slot::Callback(object) | Slot::Listener(object) => {
                        visit.call(object)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let slots = std::mem::take(&mut *self.slots.lock());
        drop(slots);
    }
}

impl Port {
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// A future of the loop, and the slot that will settle it.
    pub(crate) fn future(&self, py: Python<'_>) -> PyResult<(Py<PyAny>, usize)> {
        let Some(create_future) = &self.create_future else {
            return Err(misuse("this port belongs to no event loop"));
        };
        let future = create_future.call0(py)?;
        let slot = Slot::Future(future.clone_ref(py));
        Ok((future, self.slots.lock().insert(slot)))
    }

    /// A slot that calls back once.
    pub(crate) fn callback(&self, callable: Py<PyAny>) -> usize {
        self.slots.lock().insert(Slot::Callback(callable))
    }

    /// A slot that calls without arguments whenever its inbox has something.
    pub(crate) fn listener(&self, callable: Py<PyAny>) -> usize {
        self.slots.lock().insert(Slot::Listener(callable))
    }

    fn deliver(&self, py: Python<'_>, delivery: Delivery) -> PyResult<()> {
        let (at, completion) = match delivery {
            Delivery::Reply(at, completion) => (at, completion),
            Delivery::Notice(at) => return self.call_listener(py, at),
            Delivery::Gone(at) => {
                let called = self.call_listener(py, at);
                let gone = self.slots.lock().try_remove(at);
                drop(gone);
                return called;
            }
        };
        // Taken out first: what is called may use the port.
        let slot = self.slots.lock().try_remove(at);
        match slot {
            Some(Slot::Future(future)) => self.settle(future.bind(py), completion),
            Some(Slot::Callback(callable)) => self.call_back(callable.bind(py), completion),
            Some(Slot::Listener(_)) | None => Ok(()),
        }
    }

    fn settle(&self, future: &Bound<'_, PyAny>, completion: Completion) -> PyResult<()> {
        let py = future.py();
        if matches!(completion, Ok(Value::Build(_))) && is_unwanted(future) {
            // What was got for nobody is given back when it is dropped: a lock, or a queue's entry.
            return Ok(());
        }
        let made = completion.map(|value| value.into_object(py, self.keep_null));
        let set = match made {
            Ok(Ok(value)) => future.call_method1(intern!(py, "set_result"), (value,)),
            Ok(Err(error)) => {
                future.call_method1(intern!(py, "set_exception"), (error.into_value(py),))
            }
            Err(failure) => {
                let exception = failure.into_exception(py);
                future.call_method1(intern!(py, "set_exception"), (exception,))
            }
        };
        match set {
            // Cancelled meanwhile, or its loop is closed: nobody waits any more.
            Err(_) if is_unwanted(future) => Ok(()),
            set => set.map(drop),
        }
    }

    fn call_back(&self, callable: &Bound<'_, PyAny>, completion: Completion) -> PyResult<()> {
        let py = callable.py();
        match completion.map(|value| value.into_object(py, self.keep_null)) {
            Ok(Ok(value)) => callable.call1((value, py.None()))?,
            Ok(Err(error)) => callable.call1((py.None(), error.into_value(py)))?,
            Err(failure) => callable.call1((py.None(), failure.into_exception(py)))?,
        };
        Ok(())
    }

    fn call_listener(&self, py: Python<'_>, at: usize) -> PyResult<()> {
        let listener = match self.slots.lock().get(at) {
            Some(Slot::Listener(callable)) => callable.clone_ref(py),
            _ => return Ok(()),
        };
        listener.call0(py).map(drop)
    }
}

fn is_unwanted(future: &Bound<'_, PyAny>) -> bool {
    let py = future.py();
    let is = |object: PyResult<Bound<'_, PyAny>>| object.and_then(|it| it.is_truthy());
    let done = is(future.call_method0(intern!(py, "done")));
    let closed = future
        .call_method0(intern!(py, "get_loop"))
        .and_then(|event_loop| event_loop.call_method0(intern!(py, "is_closed")));
    matches!(done, Ok(true)) || matches!(is(closed), Ok(true))
}

/// A bounded queue from an I/O thread to a listener's slot; rings once however much comes in.
pub(crate) struct Inbox<T> {
    queue: Mutex<Queue<T>>,
    items_max: usize,
    shared: Arc<Shared>,
    slot: usize,
}

struct Queue<T> {
    items: VecDeque<T>,
    dropped: u64,
    announced: bool,
    ended: bool,
}

/// What was taken out of an inbox.
pub(crate) struct Taken<T> {
    pub(crate) items: Vec<T>,
    /// How many came after `items` and found no room.
    pub(crate) dropped: u64,
    /// Nothing more will come.
    pub(crate) ended: bool,
}

impl<T> Inbox<T> {
    pub(crate) fn new(shared: Arc<Shared>, slot: usize, items_max: usize) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::new(Queue {
                items: VecDeque::new(),
                dropped: 0,
                announced: false,
                ended: false,
            }),
            items_max,
            shared,
            slot,
        })
    }

    /// Any thread; never blocks for long, never grows past its limit.
    pub(crate) fn put(&self, item: T) {
        let mut queue = self.queue.lock();
        if queue.items.len() < self.items_max && queue.dropped == 0 {
            queue.items.push_back(item);
        } else {
            queue.dropped += 1;
        }
        self.announce(queue);
    }

    /// As many as somebody before us dropped.
    pub(crate) fn put_dropped(&self, dropped: u64) {
        let mut queue = self.queue.lock();
        queue.dropped += dropped;
        self.announce(queue);
    }

    fn announce(&self, mut queue: parking_lot::MutexGuard<'_, Queue<T>>) {
        let first = !std::mem::replace(&mut queue.announced, true);
        drop(queue);
        if first {
            self.shared.post(Delivery::Notice(self.slot));
        }
    }

    pub(crate) fn take(&self) -> Taken<T> {
        let mut queue = self.queue.lock();
        queue.announced = false;
        Taken {
            items: queue.items.drain(..).collect(),
            dropped: std::mem::take(&mut queue.dropped),
            ended: queue.ended,
        }
    }

    /// Nothing more comes; the listener is called a last time and its slot freed.
    pub(crate) fn end(&self) {
        let mut queue = self.queue.lock();
        if !std::mem::replace(&mut queue.ended, true) {
            drop(queue);
            self.shared.post(Delivery::Gone(self.slot));
        }
    }
}

//! Where answers leave for JavaScript.
//!
//! What lives here: one queue per thread of Node, its wake-up, and the tasks that work for requests.
//! What does not: what is in the records, see `batch.rs`.
//!
//! ```text
//! I/O task ── push ──▶ queue ── first one wakes ──▶ event loop: drain() ──▶ one buffer of records
//! ```
//!
//! Invariant: the wake-up carries nothing and does not hold the process; the queue is the truth.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use napi::Status;
use napi::bindgen_prelude::{Buffer, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use tokio::task::AbortHandle;
use zoowarden::bridge::{self, Bridge};

use crate::batch::{self, Answered, Failure, Item, Value};

/// Most records handed over at once; other work of the event loop gets its turn in between.
const DRAIN_MAX: usize = 2048;

/// Bytes of records after which a batch ends, even if more are there: large values come in many
/// batches.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Calls a function of JavaScript without arguments; weak, so it does not hold the process.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// The queue of one thread of Node, shared with the I/O tasks.
pub(crate) struct Queue {
    bridge: Bridge<Item>,
    /// Tasks that work for a request and can be given up. Lock order: taken alone.
    tasks: Mutex<HashMap<u32, AbortHandle>>,
}

impl Queue {
    /// Hands an item over, from any thread.
    pub(crate) fn push(&self, item: Item) {
        self.bridge.push(item);
    }

    /// Answers request `id`.
    pub(crate) fn answer(&self, id: u32, answered: Answered) {
        self.push(Item::Answer(id, answered));
    }

    /// Answers request `id` with what `work` comes to, unless it is cancelled before.
    pub(crate) fn spawn<W, T, E>(self: &Arc<Self>, id: u32, work: W)
    where
        W: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Value> + Send + 'static,
        E: Into<Failure>,
    {
        self.spawn_or(id, work, T::into, drop);
    }

    /// The same; what `work` comes to when it has been cancelled just before is not lost: `undo`
    /// gets it.
    pub(crate) fn spawn_or<W, T, E>(
        self: &Arc<Self>,
        id: u32,
        work: W,
        value: impl FnOnce(T) -> Value + Send + 'static,
        undo: impl FnOnce(T) + Send + 'static,
    ) where
        W: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Into<Failure>,
    {
        let queue = Arc::clone(self);
        // Held while the task is entered, so that a quick one does not leave before.
        let mut tasks = self.tasks();
        let task = bridge::runtime().spawn(async move {
            let outcome = work.await;
            let is_wanted = queue.tasks().remove(&id).is_some();
            match outcome {
                Ok(outcome) if !is_wanted => undo(outcome),
                Err(_) if !is_wanted => {}
                outcome => queue.answer(id, outcome.map(value).map_err(Into::into)),
            }
        });
        tasks.insert(id, task.abort_handle());
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<u32, AbortHandle>> {
        self.tasks.lock().expect("nothing panics under this lock")
    }
}

/// The queue as JavaScript holds it. One per thread.
#[napi]
pub struct NativePort {
    pub(crate) queue: Arc<Queue>,
    wake: Arc<Wake>,
    /// Taken out of the queue and not yet handed over: there was too much for one batch.
    left: Mutex<VecDeque<Item>>,
}

#[napi]
impl NativePort {
    /// `wake` is called on this thread when there is something to drain.
    #[napi(constructor)]
    pub fn new(wake: Function<'_, (), ()>) -> napi::Result<NativePort> {
        let wake: Wake = wake
            .build_threadsafe_function()
            .weak::<true>()
            .callee_handled::<false>()
            .build()?;
        let wake = Arc::new(wake);
        let waker = Arc::clone(&wake);
        let bridge = Bridge::new(move || call(&waker));
        Ok(NativePort {
            queue: Arc::new(Queue {
                bridge,
                tasks: Mutex::default(),
            }),
            wake,
            left: Mutex::default(),
        })
    }

    /// The next records, or null if there are none. If more are left it has woken this thread
    /// again.
    #[napi]
    pub fn drain(&self) -> Option<Buffer> {
        let mut left = self.left.lock().expect("nothing panics under this lock");
        if left.is_empty() {
            let mut items = Vec::new();
            self.queue.bridge.drain(DRAIN_MAX, &mut items);
            *left = items.into();
        }
        if left.is_empty() {
            return None;
        }
        let batch = batch::encode(&mut left, BATCH_BYTES_MAX);
        if !left.is_empty() {
            call(&self.wake);
        }
        Some(batch.into())
    }

    /// Gives up the task of a request that is no longer waited for. False if it has none, or if
    /// its answer is on the way already.
    #[napi]
    pub fn cancel(&self, id: u32) -> bool {
        let task = self.queue.tasks().remove(&id);
        task.inspect(AbortHandle::abort).is_some()
    }
}

fn call(wake: &Wake) {
    // It fails only when the thread is ending, and then nobody waits any more.
    let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
}

/// The thread of Node ends: nobody waits for its tasks any more, and what they hold must go.
impl Drop for NativePort {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut *self.queue.tasks());
        tasks.values().for_each(AbortHandle::abort);
    }
}

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

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use napi::Status;
use napi::bindgen_prelude::{Buffer, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use tokio::task::AbortHandle;
use zoowarden::bridge::{self, Bridge};

use crate::batch::{self, Answered, Failure, Item};

/// Most records handed over at once; other work of the event loop gets its turn in between.
const DRAIN_MAX: usize = 2048;

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
        T: Into<batch::Value>,
        E: Into<Failure>,
    {
        let queue = Arc::clone(self);
        // Held while the task is entered, so that a quick one does not leave before.
        let mut tasks = self.tasks();
        let task = bridge::runtime().spawn(async move {
            let answered = work.await.map(Into::into).map_err(Into::into);
            queue.tasks().remove(&id);
            queue.answer(id, answered);
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
        let bridge = Bridge::new(move || {
            // It fails only when the thread is ending, and then nobody waits any more.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        Ok(NativePort {
            queue: Arc::new(Queue {
                bridge,
                tasks: Mutex::default(),
            }),
        })
    }

    /// The next records, or null if there are none. If more are left it has woken this thread
    /// again.
    #[napi]
    pub fn drain(&self) -> Option<Buffer> {
        let mut items = Vec::new();
        self.queue.bridge.drain(DRAIN_MAX, &mut items);
        (!items.is_empty()).then(|| batch::encode(items).into())
    }

    /// Gives up the task of a request that is no longer waited for, if it has one.
    #[napi]
    pub fn cancel(&self, id: u32) {
        if let Some(task) = self.queue.tasks().remove(&id) {
            task.abort();
        }
    }
}

//! What watches hear, on its way to JavaScript.
//!
//! Invariant: of each watch at most `limit` events are in the queue; what comes beyond is counted,
//! and the count is told where the gap is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use zoowarden::client::{WatchEvent, WatchSink};

use crate::batch::Item;
use crate::port::Queue;

/// The account of one watch.
pub(crate) struct Ear {
    /// JavaScript's number for the watch.
    pub(crate) id: u32,
    limit: u32,
    /// Events in the queue.
    waiting: AtomicU32,
    /// Events dropped and not yet told.
    dropped: AtomicU64,
}

impl Ear {
    /// An event has left the queue.
    pub(crate) fn delivered(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many were dropped since the last time.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

/// Tells the end of a watch when the client lets go of its sink.
struct End {
    queue: Arc<Queue>,
    id: u32,
}

impl Drop for End {
    fn drop(&mut self) {
        self.queue.push(Item::Ended(self.id));
    }
}

/// A sink whose events reach JavaScript under the number `id`. The client calls it from one task.
pub(crate) fn sink(queue: &Arc<Queue>, id: u32, limit: u32) -> WatchSink {
    let end = End {
        queue: Arc::clone(queue),
        id,
    };
    let ear = Arc::new(Ear {
        id,
        limit,
        waiting: AtomicU32::new(0),
        dropped: AtomicU64::new(0),
    });
    Arc::new(move |event: WatchEvent| hear(&end.queue, &ear, event))
}

fn hear(queue: &Queue, ear: &Arc<Ear>, event: WatchEvent) {
    if ear.waiting.load(Ordering::Relaxed) < ear.limit {
        ear.waiting.fetch_add(1, Ordering::Relaxed);
        queue.push(Item::Event(Arc::clone(ear), event));
    } else if ear.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
        queue.push(Item::Overflow(Arc::clone(ear)));
    }
}

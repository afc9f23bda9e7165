//! What a client inside another language's process needs: I/O threads of its own, and a way to
//! hand over many results with one wake-up.
//!
//! What lives here: [`runtime`] and [`Bridge`]. What does not: any language.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that do the I/O of all clients and nodes in a process.
const IO_THREADS: usize = 2;

/// The I/O runtime of this process, made at the first call and never ended: the process's end is
/// its end. Its threads take no signals, so the host's handlers run where the host expects.
///
/// A forked child inherits the handle but not the threads. Callers must notice the fork themselves
/// and refuse.
pub fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(IO_THREADS)
                .thread_name("zoowarden-io")
                .on_thread_start(take_no_signals)
                .enable_all()
                .build()
                .expect("a process that cannot start a thread cannot go on")
        })
        .handle()
}

fn take_no_signals() {
    // Without it the process still works; a signal may then land on an I/O thread.
    #[cfg(unix)]
    if let Err(error) = nix::sys::signal::SigSet::all().thread_block() {
        tracing::warn!(%error, "the I/O threads take signals");
    }
}

/// A queue from the I/O threads to one reader with one wake-up per batch: the first item behind a
/// [`drain`](Bridge::drain) wakes the reader, those that follow do not.
pub struct Bridge<T> {
    items: Mutex<Vec<T>>,
    /// Whether the reader has been woken and has not drained since.
    woken: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl<T> Bridge<T> {
    /// `wake` runs on an I/O thread and must not block: write an eventfd, say.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Bridge<T> {
        Bridge {
            items: Mutex::new(Vec::new()),
            woken: AtomicBool::new(false),
            wake: Box::new(wake),
        }
    }

    /// Appends an item.
    pub fn push(&self, item: T) {
        self.items.lock().push(item);
        if !self.woken.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    /// Moves up to `count_max` items to the end of `taken`, oldest first. If more are left, the
    /// reader is woken again at once, so that a burst does not starve its other work.
    pub fn drain(&self, count_max: usize, taken: &mut Vec<T>) {
        // Before the items are taken: whoever pushes behind this line wakes again.
        self.woken.store(false, Ordering::Release);
        let mut items = self.items.lock();
        if items.len() <= count_max {
            if taken.is_empty() {
                std::mem::swap(&mut *items, taken);
            } else {
                taken.append(&mut items);
            }
            return;
        }
        taken.extend(items.drain(..count_max));
        drop(items);
        if !self.woken.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    /// Items that wait.
    pub fn len(&self) -> usize {
        self.items.lock().len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> std::fmt::Debug for Bridge<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bridge({} waiting)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Bridge;

    #[test]
    fn reader_is_woken_once_per_batch_and_again_for_a_rest() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let bridge = Bridge::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        (0..10).for_each(|n| bridge.push(n));
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        let mut taken = Vec::new();
        bridge.drain(4, &mut taken);
        assert_eq!(taken, [0, 1, 2, 3]);
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
        bridge.drain(100, &mut taken);
        assert_eq!(taken, (0..10).collect::<Vec<_>>());
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
        bridge.push(10);
        assert_eq!(wakes.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn nothing_is_lost_between_a_pushing_and_a_draining_thread() {
        const ITEMS: usize = 100_000;
        let (wake, woken) = std::sync::mpsc::channel();
        let bridge = Arc::new(Bridge::new(move || {
            let _ = wake.send(());
        }));
        let pushing = Arc::clone(&bridge);
        let writer = std::thread::spawn(move || (0..ITEMS).for_each(|n| pushing.push(n)));
        let mut taken = Vec::new();
        while taken.len() < ITEMS {
            woken.recv().expect("the bridge holds the sender");
            bridge.drain(1_000, &mut taken);
        }
        writer.join().expect("it does not panic");
        assert!(taken.into_iter().eq(0..ITEMS));
    }
}

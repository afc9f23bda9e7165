//! What a fork does to clients, and on which runtime they live.
//!
//! A child inherits memory and descriptors, but no thread: a client of the parent would wait there
//! for ever. So everything that depends on the I/O threads carries the number of forks behind the
//! process that made it; in another process it raises `ForkedClientError`, and is forgotten instead
//! of dropped, because dropping it would talk to threads that do not exist, or to the server.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::failure::Failure;

/// Forks between the process that loaded this module and this one.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Threads that serve the clients of a forked child.
const CHILD_THREADS: usize = 1;

/// Told by `os.register_at_fork`, in the child.
#[pyfunction]
pub(crate) fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The runtime of this process. Its threads never end.
///
/// The lock is taken by threads that are attached to the interpreter only, and a fork happens on
/// such a thread: nobody holds it in the moment of a fork.
pub(crate) fn runtime() -> PyResult<Handle> {
    static OF_CHILD: Mutex<Option<(u64, Handle)>> = Mutex::new(None);
    let forks = FORKS.load(Ordering::Relaxed);
    if forks == 0 {
        return Ok(zoowarden::bridge::runtime().clone());
    }
    let mut of_child = OF_CHILD.lock();
    if let Some((of, handle)) = &*of_child
        && *of == forks
    {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(CHILD_THREADS)
        .thread_name("zoowarden-io")
        .on_thread_start(take_no_signals)
        .enable_all()
        .build()?;
    let handle = keep(runtime);
    // A handle of the parent is forgotten with the threads it belongs to.
    std::mem::forget(of_child.replace((forks, handle.clone())));
    Ok(handle)
}

fn take_no_signals() {
    // Without it a signal may land on an I/O thread, and the program hears of it later.
    let _ = nix::sys::signal::SigSet::all().thread_block();
}

fn keep(runtime: Runtime) -> Handle {
    let handle = runtime.handle().clone();
    std::mem::forget(runtime);
    handle
}

/// Something that only the process which made it can use.
pub(crate) struct OfProcess<T> {
    value: Option<T>,
    forks: u64,
}

impl<T> OfProcess<T> {
    /// To this process.
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Some(value),
            forks: FORKS.load(Ordering::Relaxed),
        }
    }

    /// The thing, in the process that made it.
    pub(crate) fn get(&self) -> PyResult<&T> {
        match &self.value {
            Some(value) if self.is_ours() => Ok(value),
            _ => Err(Failure::Named("ForkedClientError", INHERITED.to_owned()).into()),
        }
    }

    /// Whether this process made it.
    pub(crate) fn is_ours(&self) -> bool {
        self.forks == FORKS.load(Ordering::Relaxed)
    }
}

const INHERITED: &str = "it belongs to the process before the fork, whose threads this process \
    does not have; create a new one in the child";

impl<T> Drop for OfProcess<T> {
    fn drop(&mut self) {
        if !self.is_ours() {
            std::mem::forget(self.value.take());
        }
    }
}

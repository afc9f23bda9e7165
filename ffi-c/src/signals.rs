//! Threads that no signal of the program's is delivered to.

use std::thread::{Builder, JoinHandle};

use zoowarden::client::Code;

use crate::failure::Failure;

/// A thread called `name` (15 bytes at most) with all signals blocked, so that the program's handlers
/// run on the program's threads.
pub(crate) fn spawn_without_signals(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Failure> {
    // A thread begins with its parent's mask; blocking first leaves no moment in between.
    // SAFETY: both sets are on this stack, and zeros are a valid set to be overwritten.
    let before = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    };
    let spawned = Builder::new().name(name.to_owned()).spawn(run);
    // SAFETY: `before` was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    spawned.map_err(|error| {
        Failure::refused(
            Code::SystemError,
            format!("a thread for callbacks: {error}"),
        )
    })
}

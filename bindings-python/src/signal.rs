//! A bell: rung by any thread without the interpreter, heard by an event loop or by one thread.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Readable from the first ring until it is cleared.
pub(crate) struct Signal {
    heard: OwnedFd,
    /// The writing end; none where one descriptor is both.
    #[cfg(not(target_os = "linux"))]
    rung: OwnedFd,
}

impl Signal {
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        let heard = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { heard })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
        let (heard, rung) = rustix::pipe::pipe()?;
        for end in [&heard, &rung] {
            fcntl_setfd(end, FdFlags::CLOEXEC)?;
            ioctl_fionbio(end, true)?;
        }
        Ok(Self { heard, rung })
    }

    /// Makes it readable. Never blocks: a bell that is full has been rung.
    pub(crate) fn ring(&self) {
        #[cfg(target_os = "linux")]
        let end = &self.heard;
        #[cfg(not(target_os = "linux"))]
        let end = &self.rung;
        let _ = rustix::io::write(end, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable until the next ring.
    pub(crate) fn clear(&self) {
        // A pipe may hold several rings; an eventfd gives all of them in one read.
        let mut bytes = [0; 64];
        while rustix::io::read(&self.heard, &mut bytes) == Ok(bytes.len()) {}
    }

    /// For an event loop to watch.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.heard.as_raw_fd()
    }

    /// Blocks until it rings, at most `limit_ms`; false when it did not, or a signal came.
    pub(crate) fn wait(&self, limit_ms: u32) -> io::Result<bool> {
        let limit = Timespec {
            tv_sec: i64::from(limit_ms / 1000),
            tv_nsec: i64::from(limit_ms % 1000) * 1_000_000,
        };
        let heard = self.heard.as_fd();
        match poll(
            &mut [PollFd::from_borrowed_fd(heard, PollFlags::IN)],
            Some(&limit),
        ) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

//! Traps between servers: what one sends to another is looked at frame by frame, and held back for
//! good where a test says so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tokio::sync::watch;

use crate::environment::Stream;
use crate::proto::ServerId;
use crate::raft::memberships_in;

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// The last byte of the first frame of a connection for Raft's requests.
const RAFT: u8 = 0;

/// Whether a frame to a server that carries these memberships may pass.
type Passes = dyn Fn(ServerId, &[usize]) -> bool + Send + Sync;

/// The trap of a test; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Traps {
    set: Arc<Mutex<Option<Arc<Trap>>>>,
}

struct Trap {
    from: ServerId,
    passes: Box<Passes>,
    sprung: watch::Sender<bool>,
}

impl Traps {
    /// Holds back whatever does not pass of what a server sends. Tells when there was something.
    pub(super) fn set(
        &self,
        from: ServerId,
        passes: impl Fn(ServerId, &[usize]) -> bool + Send + Sync + 'static,
    ) -> watch::Receiver<bool> {
        let (sprung, springs) = watch::channel(false);
        let passes = Box::new(passes);
        *self.set.lock() = Some(Arc::new(Trap {
            from,
            passes,
            sprung,
        }));
        springs
    }

    /// Lets everything pass that is sent from now on.
    pub(super) fn lift(&self) {
        *self.set.lock() = None;
    }

    fn catches(&self, from: ServerId, to: ServerId, body: &[u8]) -> bool {
        let trap = self.set.lock().clone();
        let Some(trap) = trap.filter(|trap| trap.from == from) else {
            return false;
        };
        let caught = !(trap.passes)(to, &memberships_in(body));
        if caught {
            trap.sprung.send_replace(true);
        }
        caught
    }

    /// The near end of a connection, as the one who opened it writes to it.
    pub(super) fn tap(&self, from: ServerId, to: ServerId, near: Stream) -> Stream {
        Stream {
            writer: Box::new(Tap {
                traps: self.clone(),
                ends: (from, to),
                inner: near.writer,
                is_raft: None,
                unsent: 0,
                caught: false,
            }),
            ..near
        }
    }
}

/// Invariant: frames are written whole, as servers do.
struct Tap {
    traps: Traps,
    ends: (ServerId, ServerId),
    inner: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    /// What the connection is for; known by its first frame.
    is_raft: Option<bool>,
    /// Bytes of the present frame that have not gone.
    unsent: usize,
    caught: bool,
}

impl Tap {
    fn look_at(&mut self, frame: &[u8]) {
        let Some((length, rest)) = frame.split_first_chunk::<LENGTH_BYTES>() else {
            return;
        };
        let length = u32::from_be_bytes(*length) as usize;
        self.unsent = LENGTH_BYTES + length;
        let body = &rest[..length.min(rest.len())];
        match self.is_raft {
            None => self.is_raft = Some(body.last() == Some(&RAFT)),
            Some(true) => self.caught = self.traps.catches(self.ends.0, self.ends.1, body),
            Some(false) => {}
        }
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unsent == 0 {
            self.look_at(bytes);
        }
        if self.caught {
            // Whoever waits gives up after a while, and comes again on another connection.
            return Poll::Pending;
        }
        let part = &bytes[..bytes.len().min(self.unsent)];
        let written = Pin::new(&mut self.inner).poll_write(context, part);
        if let Poll::Ready(Ok(written)) = written {
            self.unsent -= written;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

//! A line that can be cut: what a connection is wrapped in so that a test can fail it.
//!
//! ```text
//!            hold                        sever
//!   Open ◀────────▶ Held      Open ◀────────────▶ Severed
//!            open     nothing arrives;   open      connections that were on it are reset,
//!                     nothing is lost              new ones are refused
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::environment::{BoxFuture, Listener, Stream};

/// What the connections on it share; clones are the same line.
#[derive(Clone, Default)]
pub(super) struct Line {
    switch: Arc<Mutex<Switch>>,
}

#[derive(Default)]
struct Switch {
    state: State,
    /// How often it was severed: a connection from before is dead for ever.
    severed: u64,
    next: u64,
    /// Whoever waits, on a connection or for one; one waker each.
    waiting: BTreeMap<u64, Waker>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Held,
    Severed,
}

impl Line {
    /// Everything passes, what was held back first.
    pub(super) fn open(&self) {
        self.set(State::Open);
    }

    /// From now on nothing arrives, as if a switch had failed: nobody hears of it.
    pub(super) fn hold(&self) {
        self.set(State::Held);
    }

    /// Ends all connections and refuses new ones.
    pub(super) fn sever(&self) {
        self.switch.lock().severed += 1;
        self.set(State::Severed);
    }

    pub(super) fn is_severed(&self) -> bool {
        self.switch.lock().state == State::Severed
    }

    fn set(&self, state: State) {
        let mut switch = self.switch.lock();
        switch.state = state;
        let waiting = std::mem::take(&mut switch.waiting);
        drop(switch);
        for waker in waiting.into_values() {
            waker.wake();
        }
    }

    /// One who is on the line.
    fn enter(&self) -> Place {
        let mut switch = self.switch.lock();
        switch.next += 1;
        Place {
            line: self.clone(),
            number: switch.next,
            severed: switch.severed,
        }
    }

    /// Waits while nothing passes.
    pub(super) async fn passes(&self) {
        let place = self.enter();
        std::future::poll_fn(|context| match place.poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(()),
        })
        .await;
    }

    /// A connection on this line: what comes to its reader comes over it.
    pub(super) fn carry(&self, stream: Stream) -> Stream {
        Stream {
            reader: Box::new(LineReader {
                inner: stream.reader,
                place: self.enter(),
            }),
            writer: Box::new(LineWriter {
                inner: stream.writer,
                place: self.enter(),
            }),
            peer: stream.peer,
            certificate: stream.certificate,
        }
    }
}

struct Place {
    line: Line,
    number: u64,
    severed: u64,
}

impl Place {
    /// Whether bytes pass now. Wakes the task when that may have changed.
    fn poll(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let mut switch = self.line.switch.lock();
        if switch.severed != self.severed {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        switch.waiting.insert(self.number, context.waker().clone());
        match switch.state {
            State::Held => Poll::Pending,
            State::Open | State::Severed => Poll::Ready(Ok(())),
        }
    }

    /// As [`Place::poll`], for one who does not wait for the line to pass.
    fn check(&self) -> io::Result<()> {
        match self.line.switch.lock().severed == self.severed {
            true => Ok(()),
            false => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.switch.lock().waiting.remove(&self.number);
    }
}

struct LineReader {
    inner: Box<dyn AsyncRead + Send + Sync + Unpin>,
    place: Place,
}

impl AsyncRead for LineReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.place.poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => Pin::new(&mut self.inner).poll_read(context, buffer),
        }
    }
}

/// Takes bytes while the line is held: they are on their way.
struct LineWriter {
    inner: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    place: Place,
}

impl AsyncWrite for LineWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.place.check() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// A listener whose connections are all on one line.
pub(super) struct LineListener {
    pub(super) inner: Box<dyn Listener>,
    pub(super) line: Line,
}

impl Listener for LineListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            loop {
                let stream = self.inner.accept().await?;
                // A port cannot refuse and stay bound: whoever comes is closed at once.
                if !self.line.is_severed() {
                    return Ok(self.line.carry(stream));
                }
            }
        })
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.inner.address()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::in_process::connection;
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_held_line_keeps_bytes_and_the_close_back_and_loses_nothing() {
        let line = Line::default();
        let (near, far) = connection();
        let (mut near, mut far) = (line.carry(near), line.carry(far));
        line.hold();
        near.writer.write_all(b"late").await.unwrap();
        drop(near);
        assert!(far.reader.read_u8().now_or_never().is_none());
        let reading = tokio::spawn(async move {
            let mut found = Vec::new();
            far.reader.read_to_end(&mut found).await.unwrap();
            found
        });
        tokio::task::yield_now().await;
        line.open();
        assert_eq!(reading.await.unwrap(), b"late");
    }

    #[tokio::test]
    async fn a_severed_line_resets_what_was_on_it_for_ever() {
        let line = Line::default();
        let (near, far) = connection();
        let mut far = line.carry(far);
        let reading = tokio::spawn(async move {
            let read = far.reader.read_u8().await;
            (read, far)
        });
        tokio::task::yield_now().await;
        line.sever();
        let (read, mut far) = reading.await.unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        line.open();
        assert!(far.writer.write_all(b"x").await.is_err());
        drop(near);
        let (mut near, far) = connection();
        let mut far = line.carry(far);
        near.writer.write_all(b"y").await.unwrap();
        assert_eq!(far.reader.read_u8().await.unwrap(), b'y');
    }

    #[tokio::test]
    async fn nobody_is_remembered_who_has_gone() {
        let line = Line::default();
        let (near, _far) = connection();
        let mut near = line.carry(near);
        assert!(near.reader.read_u8().now_or_never().is_none());
        assert_eq!(line.switch.lock().waiting.len(), 1);
        drop(near);
        assert_eq!(line.switch.lock().waiting.len(), 0);
    }
}

//! Connections that never leave the process.
//!
//! ```text
//!   Dialer::connect ──Stream──┐                ┌──Stream── Inbox::accept
//!                             ├── pipe ──────▶ │
//!                             └── ◀────── pipe ┘
//! ```
//!
//! A pipe is a bounded buffer with the manners of a socket: a writer that is ahead waits, bytes
//! written before a close still arrive, and whoever is left hears of the close.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::coop;

use super::net::{BoxFuture, Listener, Net, Stream};

/// Bytes that one direction of a connection holds before its writer waits.
pub const PIPE_BYTES_MAX: usize = 256 << 10;

/// Connections that wait to be accepted before the next one waits to be opened.
pub const UNACCEPTED_MAX: usize = 1024;

/// What both ends of a connection inside the process are told of the other.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Both ends of a new connection.
pub fn connection() -> (Stream, Stream) {
    let (here, there) = (Pipe::new(), Pipe::new());
    let end = |from: &Arc<Pipe>, to: &Arc<Pipe>| Stream {
        reader: Box::new(PipeReader(Arc::clone(from))),
        writer: Box::new(PipeWriter(Arc::clone(to))),
        peer: PEER,
        certificate: None,
    };
    (end(&here, &there), end(&there, &here))
}

/// A way in, and where what comes that way is accepted.
pub fn entrance() -> (Dialer, Inbox) {
    let (sender, receiver) = mpsc::channel(UNACCEPTED_MAX);
    let inbox = Inbox {
        streams: tokio::sync::Mutex::new(receiver),
    };
    (Dialer { streams: sender }, inbox)
}

/// Opens connections to one [`Inbox`], whatever address is asked for; refuses when it is gone.
#[derive(Clone, Debug)]
pub struct Dialer {
    streams: mpsc::Sender<Stream>,
}

impl Dialer {
    /// Hands over the far end of a connection.
    pub async fn deliver(&self, stream: Stream) -> io::Result<()> {
        let delivered = self.streams.send(stream).await;
        delivered.map_err(|_| io::ErrorKind::ConnectionRefused.into())
    }
}

impl Net for Dialer {
    fn connect<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let (near, far) = connection();
            self.deliver(far).await?;
            Ok(near)
        })
    }

    fn listen(&self, _address: SocketAddr, _backlog: i32) -> io::Result<Box<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Accepts what its [`Dialer`]s open.
#[derive(Debug)]
pub struct Inbox {
    streams: tokio::sync::Mutex<mpsc::Receiver<Stream>>,
}

impl Listener for Inbox {
    fn accept(&self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            match self.streams.lock().await.recv().await {
                Some(stream) => Ok(stream),
                // Every dialer is gone, so nobody can come any more.
                None => std::future::pending().await,
            }
        })
    }

    /// No port: nobody from outside gets in.
    fn address(&self) -> io::Result<SocketAddr> {
        Ok(PEER)
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({})", self.peer)
    }
}

/// One direction.
struct Pipe {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: BytesMut,
    /// Nothing more will be written.
    ended: bool,
    /// Nothing more will be read.
    deserted: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new() -> Arc<Pipe> {
        Arc::new(Pipe {
            state: Mutex::default(),
        })
    }

    fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        wake(&mut state.reader);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

struct PipeReader(Arc<Pipe>);

impl AsyncRead for PipeReader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A fast writer must not keep its reader from ever giving way to another task.
        let turn = ready!(coop::poll_proceed(context));
        let mut state = self.0.state.lock();
        if state.bytes.is_empty() && !state.ended {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        turn.made_progress();
        let count = buffer.remaining().min(state.bytes.len());
        buffer.put_slice(&state.bytes[..count]);
        state.bytes.advance(count);
        wake(&mut state.writer);
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.deserted = true;
        state.bytes = BytesMut::new();
        wake(&mut state.writer);
    }
}

struct PipeWriter(Arc<Pipe>);

impl AsyncWrite for PipeWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let turn = ready!(coop::poll_proceed(context));
        let mut state = self.0.state.lock();
        if state.deserted || state.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = PIPE_BYTES_MAX - state.bytes.len();
        if room == 0 {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        turn.made_progress();
        let count = room.min(bytes.len());
        state.bytes.extend_from_slice(&bytes[..count]);
        wake(&mut state.reader);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn bytes_arrive_in_order_through_a_full_pipe() {
        let (mut near, mut far) = connection();
        let sent: Vec<u8> = (0..3 * PIPE_BYTES_MAX).map(|i| (i % 251) as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            near.writer.write_all(&sent).await.unwrap();
            near
        });
        let mut found = vec![0; expected.len()];
        far.reader.read_exact(&mut found).await.unwrap();
        assert_eq!(found, expected);
        drop(writing.await.unwrap());
        assert_eq!(far.reader.read(&mut found).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_writer_ahead_of_its_reader_waits() {
        let (mut near, _far) = connection();
        let all = near.writer.write_all(&[0; PIPE_BYTES_MAX]);
        all.now_or_never().unwrap().unwrap();
        assert!(near.writer.write_all(&[0]).now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_close_is_seen_by_both_sides_behind_what_was_written() {
        let (mut near, mut far) = connection();
        near.writer.write_all(b"last words").await.unwrap();
        drop(near);
        let mut found = Vec::new();
        far.reader.read_to_end(&mut found).await.unwrap();
        assert_eq!(found, b"last words");
        let error = far.writer.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);

        let (mut near, mut far) = connection();
        near.writer.shutdown().await.unwrap();
        assert_eq!(far.reader.read(&mut [0]).await.unwrap(), 0);
        far.writer.write_all(b"still open").await.unwrap();
        let mut found = [0; 10];
        near.reader.read_exact(&mut found).await.unwrap();
        assert_eq!(&found, b"still open");
    }

    #[tokio::test]
    async fn who_waits_hears_of_the_close() {
        let (mut near, far) = connection();
        let reading = tokio::spawn(async move {
            let read = near.reader.read(&mut [0]).await;
            (read, near)
        });
        tokio::task::yield_now().await;
        drop(far);
        assert_eq!(reading.await.unwrap().0.unwrap(), 0);
        let (mut near, far) = connection();
        let writing =
            tokio::spawn(async move { near.writer.write_all(&[0; 2 * PIPE_BYTES_MAX]).await });
        tokio::task::yield_now().await;
        drop(far);
        assert!(writing.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_connection_is_refused_when_nobody_accepts_any_more() {
        let (dialer, inbox) = entrance();
        for _ in 0..UNACCEPTED_MAX {
            dialer.connect("anywhere:1").await.unwrap();
        }
        assert!(dialer.connect("anywhere:1").now_or_never().is_none());
        inbox.accept().await.unwrap();
        dialer.connect("anywhere:1").await.unwrap();
        drop(inbox);
        let refused = dialer.connect("anywhere:1").await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}

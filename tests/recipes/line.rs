//! A client's line to its servers that fails when a test wants it to: after so many answers, so
//! many requests, or from now on. Counts notifications on the way.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use zoowarden::environment::{BoxFuture, Listener, Net, Stream};

/// Not counting down.
const NEVER: i64 = -1;

pub(crate) struct Line {
    net: Arc<dyn Net>,
    shared: Arc<Shared>,
}

struct Shared {
    /// Reads that still bring what the server said.
    answers: AtomicI64,
    /// Writes that still reach the server.
    requests: AtomicI64,
    open: AtomicBool,
    /// Counts cuts; a connection ends at the first after it began.
    cuts: watch::Sender<u64>,
    notifications: AtomicUsize,
}

impl Line {
    pub(crate) fn over(net: Arc<dyn Net>) -> Arc<Line> {
        Arc::new(Line {
            net,
            shared: Arc::new(Shared {
                answers: AtomicI64::new(NEVER),
                requests: AtomicI64::new(NEVER),
                open: AtomicBool::new(true),
                cuts: watch::Sender::new(0),
                notifications: AtomicUsize::new(0),
            }),
        })
    }

    /// After so many reads the connection is lost once, with the answer on its way.
    pub(crate) fn lose_answer_after(&self, answers: i64) {
        self.shared.answers.store(answers, Ordering::SeqCst);
    }

    /// After so many writes the connection is lost once, before the request is on its way.
    pub(crate) fn lose_request_after(&self, requests: i64) {
        self.shared.requests.store(requests, Ordering::SeqCst);
    }

    /// Whether the loss asked for is still to come; it does not come any more.
    pub(crate) fn disarm(&self) -> bool {
        let answers = self.shared.answers.swap(NEVER, Ordering::SeqCst);
        let requests = self.shared.requests.swap(NEVER, Ordering::SeqCst);
        answers != NEVER || requests != NEVER
    }

    /// Ends the connection, and lets none be made.
    pub(crate) fn cut(&self) {
        self.shared.open.store(false, Ordering::SeqCst);
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Lets connections be made again.
    pub(crate) fn heal(&self) {
        self.shared.open.store(true, Ordering::SeqCst);
    }

    /// Notifications that servers sent over it.
    pub(crate) fn notifications(&self) -> usize {
        self.shared.notifications.load(Ordering::SeqCst)
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the test cut the line")
}

/// Whether this was the last one before the loss.
fn counts_down(counter: &AtomicI64) -> bool {
    let step = |left: i64| (left > NEVER).then(|| left - 1);
    let before = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
    before == Ok(0)
}

impl Net for Line {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            if !self.shared.open.load(Ordering::SeqCst) {
                return Err(lost());
            }
            let inner = self.net.connect(address).await?;
            let mut cuts = self.shared.cuts.subscribe();
            cuts.borrow_and_update();
            let cut = Box::pin(async move {
                // An error means that the line itself is gone.
                let _ = cuts.changed().await;
            });
            Ok(Stream {
                reader: Box::new(LineReader {
                    inner: inner.reader,
                    shared: Arc::clone(&self.shared),
                    cut,
                    frames: Frames::default(),
                    is_lost: false,
                }),
                writer: Box::new(LineWriter {
                    inner: inner.writer,
                    shared: Arc::clone(&self.shared),
                }),
                peer: inner.peer,
                certificate: inner.certificate,
            })
        })
    }

    fn listen(&self, address: SocketAddr, backlog: i32) -> io::Result<Box<dyn Listener>> {
        self.net.listen(address, backlog)
    }
}

/// Finds the notifications among the frames.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    greeted: bool,
}

impl Frames {
    fn notifications(&mut self, read: &[u8]) -> usize {
        self.bytes.extend_from_slice(read);
        let mut found = 0;
        while let Some(length) = self.bytes.first_chunk::<4>() {
            let end = 4 + u32::from_be_bytes(*length) as usize;
            let Some(frame) = self.bytes.get(4..end) else {
                break;
            };
            // The first is the answer to the handshake.
            let is_notification = self.greeted && frame.starts_with(&(-1_i32).to_be_bytes());
            found += usize::from(is_notification);
            self.greeted = true;
            self.bytes.drain(..end);
        }
        found
    }
}

struct LineReader {
    inner: Box<dyn AsyncRead + Send + Sync + Unpin>,
    shared: Arc<Shared>,
    cut: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    frames: Frames,
    is_lost: bool,
}

impl AsyncRead for LineReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_lost || this.cut.as_mut().poll(cx).is_ready() {
            this.is_lost = true;
            return Poll::Ready(Err(lost()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = read {
            if counts_down(&this.shared.answers) {
                buffer.set_filled(before);
                this.is_lost = true;
                return Poll::Ready(Err(lost()));
            }
            let found = this.frames.notifications(&buffer.filled()[before..]);
            this.shared.notifications.fetch_add(found, Ordering::SeqCst);
        }
        read
    }
}

struct LineWriter {
    inner: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    shared: Arc<Shared>,
}

impl AsyncWrite for LineWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if counts_down(&self.shared.requests) {
            return Poll::Ready(Err(lost()));
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

//! The whole state, out and in: the commands `snapshot` and `restore`.
//!
//! Each runs once at a time and once in `admin.rateLimiterIntervalInMS`; what streams is never held
//! whole, but for the tree that a restore builds.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use zoowarden::metrics::Count;
use zoowarden::server::Observer;
use zoowarden::server::config::AdminSettings;
use zoowarden::server::restore::{Replacement, RestoreError};

use super::commands::{self, Failure};
use super::json::{Fields, field};
use super::routes::{Answer, answered};
use super::streamed;

/// Bytes of a snapshot in one piece, and pieces that wait for a slow side.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_MAX: usize = 4;

/// When each was last done, and whether one goes on.
#[derive(Default)]
pub(crate) struct Transfers {
    last_snapshot: Mutex<Option<Instant>>,
    last_restore: Mutex<Option<Instant>>,
    restoring: tokio::sync::Mutex<()>,
}

/// Whether the last one is long enough ago; if so, this is the last one.
fn is_due(last: &Mutex<Option<Instant>>, interval: Duration) -> bool {
    let mut last = last.lock();
    let due = last.is_none_or(|last| last.elapsed() >= interval);
    if due {
        *last = Some(Instant::now());
    }
    due
}

fn interval(settings: &AdminSettings) -> Duration {
    Duration::from_millis(u64::from(settings.rate_limiter_interval_ms))
}

fn too_soon(what: &str, settings: &AdminSettings) -> Failure {
    let interval = interval(settings);
    Failure::too_many(format!(
        "one {what} in {interval:?}: admin.rateLimiterIntervalInMS"
    ))
}

impl Transfers {
    /// A snapshot of the state of now, in ZooKeeper's format.
    pub(crate) async fn snapshot(
        &self,
        observer: &Observer,
        settings: &AdminSettings,
        query: &str,
    ) -> Answer {
        match self.begin_snapshot(observer, settings, query).await {
            Ok(answer) => answer,
            Err(failure) => answered(commands::SNAPSHOT, Err(failure)),
        }
    }

    async fn begin_snapshot(
        &self,
        observer: &Observer,
        settings: &AdminSettings,
        query: &str,
    ) -> Result<Answer, Failure> {
        if !settings.snapshot_enabled {
            let what = "snapshots are off: admin.snapshot.enabled";
            return Err(Failure::unavailable(what));
        }
        if !is_due(&self.last_snapshot, interval(settings)) {
            observer.count(Count::SnapshotsRateLimited);
            return Err(too_soon("snapshot", settings));
        }
        let export = observer.export();
        let last_zxid = format!("0x{:x}", export.last_zxid().0);
        let measured = export.clone();
        let measuring = tokio::task::spawn_blocking(move || measured.measure());
        let measured = measuring.await.map_err(io::Error::other);
        let size = measured.and_then(|size| size).map_err(|error| {
            observer.count(Count::SnapshotErrors);
            Failure::broken(error.to_string())
        })?;
        if commands::parameter(query, "streaming").as_deref() == Some("false") {
            let mut answer = answered(commands::SNAPSHOT, Ok(Fields::new()));
            let headers = answer.headers_mut();
            let zxid = last_zxid.parse().expect("it is digits");
            headers.insert("last_zxid", zxid);
            headers.insert("snapshot_size", size.into());
            return Ok(answer);
        }
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let counting = observer.clone();
        tokio::task::spawn_blocking(move || {
            let piece = BytesMut::new();
            let mut pieces = Pieces { sender, piece };
            if let Err(error) = export.write(&mut pieces) {
                counting.count(Count::SnapshotErrors);
                tracing::info!(%error, "a snapshot was not taken to its end");
                // Whoever reads must not take it for a whole one.
                let _ = pieces.sender.blocking_send(Err(error));
            }
        });
        let response = Response::builder()
            .header(CONTENT_TYPE, "application/octet-stream")
            .header("last_zxid", last_zxid)
            .header("snapshot_size", size)
            .body(BodyStream { pieces });
        Ok(streamed(response.expect("these headers are valid")))
    }

    /// Puts the snapshot of a request's body into the place of everything.
    pub(crate) async fn restore(
        &self,
        observer: &Observer,
        settings: &AdminSettings,
        body: Incoming,
    ) -> Result<Fields, Failure> {
        if !settings.restore_enabled {
            let what = "restores are off: admin.restore.enabled";
            return Err(Failure::unavailable(what));
        }
        if body.is_end_stream() {
            let what = "expected a snapshot in the body, as the command snapshot gives it";
            return Err(Failure::bad_request(what));
        }
        let Ok(_turn) = self.restoring.try_lock() else {
            return Err(Failure::unavailable("another restore is under way"));
        };
        if !is_due(&self.last_restore, interval(settings)) {
            observer.count(Count::RestoresRateLimited);
            return Err(too_soon("restore", settings));
        }
        let replacement = match receive(body).await {
            Ok(replacement) => replacement,
            Err(error) => {
                observer.count(Count::RestoreErrors);
                return Err(error);
            }
        };
        let of = replacement.last_zxid();
        let restored = observer.restore(replacement).await;
        let zxid = restored.map_err(|error| Failure::broken(error.to_string()))?;
        tracing::warn!(snapshot = %of, %zxid, "a snapshot was restored by the admin endpoint");
        Ok(vec![field("last_zxid", zxid.0)])
    }
}

/// Reads a body on a thread, piece by piece as it comes.
async fn receive(mut body: Incoming) -> Result<Replacement, Failure> {
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    let reading = tokio::task::spawn_blocking(move || {
        Replacement::read(Arriving {
            pieces,
            piece: Bytes::new(),
        })
    });
    while let Some(frame) = body.frame().await {
        let piece = match frame.map(Frame::into_data) {
            Ok(Ok(piece)) => Ok(piece),
            // Trailers.
            Ok(Err(_)) => continue,
            Err(error) => Err(io::Error::other(error)),
        };
        // Whoever reads has found an error.
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    drop(sender);
    let read = reading.await;
    let read = read.map_err(|error| Failure::broken(error.to_string()))?;
    read.map_err(|error: RestoreError| Failure::broken(error.to_string()))
}

/// What a thread reads of a body.
struct Arriving {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Arriving {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let bytes = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..bytes]);
        Ok(bytes)
    }
}

/// A body that is written by a thread and sent by a task.
pub(crate) struct BodyStream {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
}

impl Body for BodyStream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.pieces.poll_recv(context);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Where the thread writes.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        let sent = self.sender.blocking_send(Ok(piece));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

//! Which path means what: commands, health, metrics.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use zoowarden::metrics::{Count, prometheus};
use zoowarden::proto::{Acl, Id};
use zoowarden::server::Observer;
use zoowarden::server::config::AdminSettings;
use zoowarden::server::observer::{Check, Denied};

use crate::history::json as history_json;

use super::commands::{self, Asked, Command, Failure, Verb};
use super::json::{Fields, Json, field};
use super::{BODY_BYTES_MAX, streamed, whole};

/// Bytes of a snapshot in one piece, and pieces that wait for a slow client.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_MAX: usize = 4;

/// What is sent back.
pub(crate) type Answer = Response<Either<Full<Bytes>, BodyStream>>;

const JSON: &str = "application/json";
const HTML: &str = "text/html;charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The endpoint of commands.
pub(crate) struct Admin {
    observer: Observer,
    settings: AdminSettings,
    /// When the last snapshot was taken by this endpoint.
    last_snapshot: Mutex<Option<Instant>>,
}

fn text(status: StatusCode, content_type: &str, body: String) -> Answer {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .body(body);
    whole(response.expect("these headers are valid"))
}

/// Only metrics, on a port of their own.
pub(crate) async fn metrics_only(observer: Observer, request: Request<Incoming>) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => metrics(observer).await,
        (&Method::GET | &Method::HEAD, _) => not_found(),
        _ => not_allowed("GET"),
    }
}

async fn metrics(observer: Observer) -> Answer {
    let making =
        tokio::task::spawn_blocking(move || prometheus::exposition(&observer.monitor().samples));
    match making.await {
        Ok(body) => text(StatusCode::OK, prometheus::CONTENT_TYPE, body),
        Err(error) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("{error}\n"),
        ),
    }
}

fn not_found() -> Answer {
    let what = "there is nothing here; try /commands, /metrics, /livez or /readyz\n";
    text(StatusCode::NOT_FOUND, TEXT, what.to_owned())
}

fn not_allowed(allowed: &'static str) -> Answer {
    let what = format!("this is asked with {allowed}\n");
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, what);
    let allowed = hyper::header::HeaderValue::from_static(allowed);
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}

/// 200 if nothing is wrong, else 503, and a line for each check.
fn health(checks: &[Check]) -> Answer {
    let lines = checks.iter().map(|check| match &check.trouble {
        None => format!("[+]{} ok\n", check.name),
        Some(trouble) => format!("[-]{} failed: {trouble}\n", check.name),
    });
    let body = lines.collect();
    match checks.iter().all(|check| check.trouble.is_none()) {
        true => text(StatusCode::OK, TEXT, body),
        false => text(StatusCode::SERVICE_UNAVAILABLE, TEXT, body),
    }
}

impl Admin {
    pub(crate) fn new(observer: Observer, settings: AdminSettings) -> Admin {
        Admin {
            observer,
            settings,
            last_snapshot: Mutex::default(),
        }
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let method = request.method().clone();
        if method == Method::TRACE {
            return text(StatusCode::FORBIDDEN, TEXT, String::new());
        }
        let path = request.uri().path().to_owned();
        let asks = matches!(method, Method::GET | Method::HEAD);
        match path.as_str() {
            "/metrics" if asks => return metrics(self.observer.clone()).await,
            "/livez" if asks => return health(&self.observer.live().await),
            "/readyz" if asks => return health(&self.observer.ready()),
            "/metrics" | "/livez" | "/readyz" => return not_allowed("GET"),
            _ => {}
        }
        match path.strip_prefix(&self.settings.command_url) {
            Some("" | "/") if asks => self.index(),
            Some("" | "/") => not_allowed("GET"),
            Some(name) => match name.strip_prefix('/') {
                Some(name) => self.command(name, method, request, peer).await,
                None => not_found(),
            },
            None => not_found(),
        }
    }

    /// The list of links that ZooKeeper shows.
    fn index(&self) -> Answer {
        let url = &self.settings.command_url;
        let links = commands::names();
        let links = links.map(|name| format!("<a href=\"{url}/{name}\">{name}</a>\n<br/>\n"));
        text(StatusCode::OK, HTML, links.collect())
    }

    async fn command(
        &self,
        name: &str,
        method: Method,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Answer {
        let Some(command) = commands::find(name) else {
            return answered(name, Err(Failure::unknown(name)));
        };
        let verb = match method {
            Method::GET | Method::HEAD => Some(Verb::Get),
            Method::POST => Some(Verb::Post),
            _ => None,
        };
        if verb != Some(command.verb) {
            return not_allowed(command.verb.name());
        }
        let identities = match self.admit(command, &request, peer) {
            Ok(identities) => identities,
            Err(failure) => return answered(command.name, Err(failure)),
        };
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = match Limited::new(request.into_body(), BODY_BYTES_MAX)
            .collect()
            .await
        {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                let what = format!("the body cannot be read: {error}");
                return answered(command.name, Err(Failure::bad_request(what)));
            }
        };
        if command.name == commands::SNAPSHOT {
            return self.snapshot(&query).await;
        }
        if command.name == commands::HISTORY {
            return answered(command.name, self.history(&query, &identities).await);
        }
        let observer = self.observer.clone();
        let running = tokio::task::spawn_blocking(move || {
            let asked = Asked {
                query: &query,
                body: &body,
            };
            (command.run)(&observer, &asked)
        });
        match running.await {
            Ok(outcome) => answered(command.name, outcome),
            Err(error) => answered(command.name, Err(Failure::broken(error.to_string()))),
        }
    }

    /// Whether a command may run now, for whoever asks; who that is, if it matters.
    fn admit(
        &self,
        command: &Command,
        request: &Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Vec<Id>, Failure> {
        if command.needs_server && !self.observer.is_serving() {
            return Err(Failure::not_serving());
        }
        if !command.needs_auth {
            return Ok(Vec::new());
        }
        let header = request.headers().get(AUTHORIZATION);
        let header =
            header.ok_or_else(|| Failure::unauthorized("the header Authorization is missing"))?;
        let header = String::from_utf8_lossy(header.as_bytes());
        let (scheme, auth) = header.split_once(' ').unwrap_or((&header, ""));
        let authorized = self.observer.authorize(scheme, auth.as_bytes(), peer.ip());
        authorized.map_err(|denied| match denied {
            Denied::NotProven => Failure::unauthorized(&denied.to_string()),
            Denied::NotAllowed => Failure::forbidden(&denied.to_string()),
        })
    }

    /// Who changed a znode when, and what it was before: values and lists only for those who may READ
    /// the znode, since the root alone says little of what is below it.
    async fn history(&self, query: &str, identities: &[Id]) -> Result<Fields, Failure> {
        let asked = commands::history_query(query)?;
        let history = self.observer.history();
        let history = history
            .ok_or_else(|| Failure::unavailable("no history is kept: zoowarden.history.enabled"))?;
        let page = history.changes(asked).await;
        let page = page.map_err(|error| Failure::unavailable(&error.to_string()))?;
        let observer = &self.observer;
        let may_read = |path: &str, list: &[Acl]| observer.may_read(identities, path, list);
        match Json::from(history_json::page_for(&page, &may_read)) {
            Json::Object(fields) => Ok(fields),
            other => Ok(vec![field("changes", other)]),
        }
    }

    /// A snapshot of the state of now, in ZooKeeper's format.
    async fn snapshot(&self, query: &str) -> Answer {
        match self.begin_snapshot(query).await {
            Ok(answer) => answer,
            Err(failure) => answered(commands::SNAPSHOT, Err(failure)),
        }
    }

    /// Whether the last snapshot is long enough ago; if so, this is the last one.
    fn is_due(&self, interval: Duration) -> bool {
        let mut last = self.last_snapshot.lock();
        let due = last.is_none_or(|last| last.elapsed() >= interval);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    async fn begin_snapshot(&self, query: &str) -> Result<Answer, Failure> {
        if !self.settings.snapshot_enabled {
            return Err(Failure::unavailable(
                "snapshots are off: admin.snapshot.enabled",
            ));
        }
        let interval = Duration::from_millis(u64::from(self.settings.rate_limiter_interval_ms));
        if !self.is_due(interval) {
            self.observer.count(Count::SnapshotsRateLimited);
            return Err(Failure::too_many(format!(
                "one snapshot in {interval:?}: admin.rateLimiterIntervalInMS"
            )));
        }
        let export = self.observer.export();
        let last_zxid = export.last_zxid();
        let measured = export.clone();
        let measuring = tokio::task::spawn_blocking(move || measured.measure());
        let measured = measuring
            .await
            .map_err(io::Error::other)
            .and_then(|measured| measured);
        let size = measured.map_err(|error| {
            self.observer.count(Count::SnapshotErrors);
            Failure::broken(error.to_string())
        })?;
        if commands::parameter(query, "streaming").as_deref() == Some("false") {
            return Ok(answered(commands::SNAPSHOT, Ok(Fields::new())));
        }
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let counting = self.observer.clone();
        tokio::task::spawn_blocking(move || {
            let mut pieces = Pieces {
                sender,
                piece: BytesMut::new(),
            };
            if let Err(error) = export.write(&mut pieces) {
                counting.count(Count::SnapshotErrors);
                tracing::info!(%error, "a snapshot was not taken to its end");
                // Whoever reads must not take it for a whole one.
                let _ = pieces.sender.blocking_send(Err(error));
            }
        });
        let response = Response::builder()
            .header(CONTENT_TYPE, "application/octet-stream")
            .header("last_zxid", format!("0x{:x}", last_zxid.0))
            .header("snapshot_size", size)
            .body(BodyStream { pieces });
        Ok(streamed(response.expect("these headers are valid")))
    }
}

/// What a command came to, as JSON.
fn answered(name: &str, outcome: Result<Fields, Failure>) -> Answer {
    let (status, mut fields, error) = match outcome {
        Ok(fields) => (StatusCode::OK, fields, Json::Null),
        Err(failure) => (failure.status, Fields::new(), failure.what.into()),
    };
    fields.push(field("command", name));
    fields.push(("error".to_owned(), error));
    text(status, JSON, Json::Object(fields).write())
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

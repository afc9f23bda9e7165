//! The HTTP endpoints: commands, health and metrics for whoever operates the server.
//!
//! What lives here: sockets and their limits (this file), which path means what ([`routes`]), the
//! commands ([`commands`]) and their JSON ([`shapes`], [`json`]). What does not: any number; all of
//! them come from `zoowarden::server::Observer`.
//!
//! Invariants: a client here can make the server spend at most [`CONNECTIONS_MAX`] connections,
//! [`HEAD_BYTES_MAX`] of head and [`BODY_BYTES_MAX`] of body each; a silent one is closed; nobody is
//! believed about where it comes from but its socket.

mod commands;
mod json;
mod routes;
mod shapes;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use zoowarden::metrics::Count;
use zoowarden::server::Observer;
use zoowarden::server::config::{AdminSettings, HostPort, MetricsSettings};

use routes::{Admin, Answer, BodyStream};

/// Connections one endpoint serves at once; more wait in the socket's queue.
const CONNECTIONS_MAX: usize = 64;

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// Bytes of a request's body.
pub(crate) const BODY_BYTES_MAX: usize = 4 << 10;

/// Pause after an accept that failed, so that a full table of descriptors is not a busy loop.
const RETRY: Duration = Duration::from_millis(100);

/// Silence after which a connection to the metrics is closed; collectors come every minute at most.
const METRICS_IDLE: Duration = Duration::from_secs(120);

/// Sockets that listen, before there is a server to ask.
pub(crate) struct Endpoints {
    admin: Option<(TcpListener, AdminSettings)>,
    metrics: Option<TcpListener>,
}

impl Endpoints {
    /// Opens what the configuration asks for. First of all, so that a port that is taken is known
    /// before anything on disk is touched.
    pub(crate) async fn open(
        admin: &AdminSettings,
        metrics: &MetricsSettings,
    ) -> Result<Endpoints, String> {
        let admin = match admin.enabled {
            true => {
                let socket = listen(&admin.address, "the admin port", "admin.serverPort").await?;
                Some((socket, admin.clone()))
            }
            false => None,
        };
        let metrics = match metrics.prometheus {
            true => {
                let setting = "metricsProvider.httpPort";
                Some(listen(&metrics.address, "the metrics port", setting).await?)
            }
            false => None,
        };
        Ok(Endpoints { admin, metrics })
    }

    /// Serves until it is dropped, which ends every connection.
    pub(crate) fn serve(self, observer: &Observer) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if let Some((socket, settings)) = self.admin {
            let idle = Duration::from_millis(u64::from(settings.idle_timeout_ms));
            let admin = Arc::new(Admin::new(observer.clone(), settings));
            let counting = observer.clone();
            tasks.spawn(accept(
                socket,
                (!idle.is_zero()).then_some(idle),
                move || counting.count(Count::InsecureAdmin),
                move |request, peer| {
                    let admin = Arc::clone(&admin);
                    async move { admin.answer(request, peer).await }
                },
            ));
        }
        if let Some(socket) = self.metrics {
            let observer = observer.clone();
            tasks.spawn(accept(
                socket,
                Some(METRICS_IDLE),
                || {},
                move |request, _| routes::metrics_only(observer.clone(), request),
            ));
        }
        tasks
    }
}

async fn listen(address: &HostPort, what: &str, setting: &str) -> Result<TcpListener, String> {
    let host = match address.host.as_str() {
        "*" => "0.0.0.0",
        host => host,
    };
    let bound = TcpListener::bind((host, address.port)).await;
    bound.map_err(|error| {
        format!("cannot listen on {what}, {address}: {error}; choose another one with {setting}")
    })
}

/// Accepts and serves until it is aborted, which ends the connections too.
async fn accept<A, F>(socket: TcpListener, idle: Option<Duration>, opened: impl Fn(), answer: A)
where
    A: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    opened();
                    connections.spawn(converse(stream, peer, idle, place, answer.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP client");
                    tokio::time::sleep(RETRY).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    idle: Option<Duration>,
    _place: OwnedSemaphorePermit,
    answer: A,
) where
    A: Fn(Request<Incoming>, SocketAddr) -> F,
    F: Future<Output = Answer>,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_read_timeout(idle);
    stream.set_write_timeout(idle);
    let service = service_fn(|request| {
        let answering = answer(request, peer);
        async { io::Result::Ok(answering.await) }
    });
    let served = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .await;
    if let Err(error) = served {
        // Clients go away, fall silent and talk nonsense: everyday life.
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
}

/// An answer whose body is there as a whole.
fn whole(response: Response<String>) -> Answer {
    response.map(|text| Either::Left(text.into()))
}

/// An answer whose body is made while it is sent.
fn streamed(response: Response<BodyStream>) -> Answer {
    response.map(Either::Right)
}

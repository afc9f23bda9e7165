//! The HTTP endpoints: commands, health and metrics for whoever operates the server.
//!
//! What lives here: sockets, TLS and their limits (this file), which path means what ([`routes`]), the
//! commands ([`commands`]), the two that move all data ([`transfer`]), and JSON ([`shapes`],
//! [`json`]). What does not: any number; all of
//! them come from `zoowarden::server::Observer`.
//!
//! Invariants: a client here can make the server spend at most [`CONNECTIONS_MAX`] connections,
//! [`HEAD_BYTES_MAX`] of head and [`BODY_BYTES_MAX`] of body each (a restore, which needs
//! permission, more); a silent one is closed; nobody is believed about where it comes from but its
//! socket, or about who it is but its certificate.

mod commands;
mod json;
mod routes;
mod shapes;
#[cfg(test)]
mod tests;
mod transfer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use zoowarden::metrics::Count;
use zoowarden::proto::Id;
use zoowarden::server::Observer;
use zoowarden::server::config::{AdminSettings, Config, EndpointTls, HostPort};
use zoowarden::server::endpoint::{Accepted, SecureEndpoint};

use routes::{Admin, Answer};
use transfer::BodyStream;

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

/// Who asks.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The other end of the socket.
    peer: SocketAddr,
    /// Who it is by its certificate.
    shown: Arc<[Id]>,
}

/// A socket that listens, and how it speaks TLS.
struct Port {
    socket: TcpListener,
    tls: Option<Arc<SecureEndpoint>>,
    /// Silence after which a connection is closed.
    idle: Option<Duration>,
}

/// Sockets that listen, before there is a server to ask.
pub(crate) struct Endpoints {
    admin: Option<(Port, AdminSettings)>,
    metrics: Vec<Port>,
}

impl Endpoints {
    /// Opens what the configuration asks for. First of all, so that a port that is taken or a key
    /// that cannot be read is known before anything on disk is touched.
    pub(crate) async fn open(config: &Config) -> Result<Endpoints, String> {
        let (admin, metrics) = (&config.admin, &config.metrics);
        let super_user = config.x509_super_user.as_deref();
        let mut endpoints = Endpoints {
            admin: None,
            metrics: Vec::new(),
        };
        if admin.enabled {
            let idle = Duration::from_millis(u64::from(admin.idle_timeout_ms));
            let port = Port {
                socket: listen(&admin.address, "the admin port", "admin.serverPort").await?,
                tls: secure(admin.tls.as_ref(), super_user).await?,
                idle: (!idle.is_zero()).then_some(idle),
            };
            endpoints.admin = Some((port, admin.clone()));
        }
        if metrics.prometheus && metrics.plain {
            let setting = "metricsProvider.httpPort";
            endpoints.metrics.push(Port {
                socket: listen(&metrics.address, "the metrics port", setting).await?,
                tls: None,
                idle: Some(METRICS_IDLE),
            });
        }
        if let Some((address, tls)) = metrics.secure.as_ref().filter(|_| metrics.prometheus) {
            let setting = "metricsProvider.httpsPort";
            endpoints.metrics.push(Port {
                socket: listen(address, "the secure metrics port", setting).await?,
                tls: secure(Some(tls), None).await?,
                idle: Some(METRICS_IDLE),
            });
        }
        Ok(endpoints)
    }

    /// Serves until it is dropped, which ends every connection.
    pub(crate) fn serve(self, observer: &Observer) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if let Some((port, settings)) = self.admin {
            if let Some(tls) = port.tls.clone() {
                tasks.spawn(async move { tls.renew("the admin endpoint").await });
            }
            let admin = Arc::new(Admin::new(observer.clone(), settings));
            let counting = observer.clone();
            tasks.spawn(accept(
                port,
                move || counting.count(Count::InsecureAdmin),
                move |request, caller| {
                    let admin = Arc::clone(&admin);
                    async move { admin.answer(request, caller).await }
                },
            ));
        }
        for port in self.metrics {
            let observer = observer.clone();
            tasks.spawn(accept(
                port,
                || {},
                move |request, _| routes::metrics_only(observer.clone(), request),
            ));
        }
        tasks
    }
}

/// Reads key and trust of an endpoint, aside.
async fn secure(
    tls: Option<&EndpointTls>,
    super_user: Option<&str>,
) -> Result<Option<Arc<SecureEndpoint>>, String> {
    let Some(tls) = tls.cloned() else {
        return Ok(None);
    };
    let super_user = super_user.map(str::to_owned);
    let loading =
        tokio::task::spawn_blocking(move || SecureEndpoint::load(&tls, super_user.as_deref()));
    let loaded = loading.await.map_err(|error| error.to_string())?;
    let loaded = loaded.map_err(|error| error.to_string())?;
    Ok(Some(Arc::new(loaded)))
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

/// Accepts and serves until it is aborted, which ends the connections too. `insecure` is called for
/// each that does not speak TLS.
async fn accept<A, F, I>(port: Port, insecure: I, answer: A)
where
    A: Fn(Request<Incoming>, Caller) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
    I: Fn() + Clone + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        tokio::select! {
            accepted = port.socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    let (tls, idle) = (port.tls.clone(), port.idle);
                    let (insecure, answer) = (insecure.clone(), answer.clone());
                    connections.spawn(async move {
                        let ended = open(stream, peer, tls, idle, insecure, answer).await;
                        if let Err(error) = ended {
                            // Clients go away, fall silent and talk nonsense: everyday life.
                            tracing::debug!(%peer, %error, "HTTP connection ended");
                        }
                        drop(place);
                    });
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

/// Shakes hands if there is a need to, and serves one connection to its end.
async fn open<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<SecureEndpoint>>,
    idle: Option<Duration>,
    insecure: impl Fn(),
    answer: A,
) -> io::Result<()>
where
    A: Fn(Request<Incoming>, Caller) -> F,
    F: Future<Output = Answer>,
{
    let Some(tls) = tls else {
        insecure();
        let shown = Arc::new([]);
        return converse(stream, idle, Caller { peer, shown }, answer).await;
    };
    let Accepted {
        stream,
        is_tls,
        identities,
    } = tls.accept(stream, peer).await?;
    if !is_tls {
        insecure();
    }
    let shown = identities.into();
    let stream = tokio::io::join(stream.reader, stream.writer);
    converse(stream, idle, Caller { peer, shown }, answer).await
}

async fn converse<A, F>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    idle: Option<Duration>,
    caller: Caller,
    answer: A,
) -> io::Result<()>
where
    A: Fn(Request<Incoming>, Caller) -> F,
    F: Future<Output = Answer>,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_read_timeout(idle);
    stream.set_write_timeout(idle);
    let service = service_fn(|request| {
        let answering = answer(request, caller.clone());
        async { io::Result::Ok(answering.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // Byte by byte, a head would never end.
        .header_read_timeout(idle)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    served.await.map_err(io::Error::other)
}

/// An answer whose body is there as a whole.
fn whole(response: Response<String>) -> Answer {
    response.map(|text| Either::Left(text.into()))
}

/// An answer whose body is made while it is sent.
fn streamed(response: Response<BodyStream>) -> Answer {
    response.map(Either::Right)
}

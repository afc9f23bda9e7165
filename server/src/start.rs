//! The border to the library: starting a server and stopping it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use tokio::task::JoinSet;
use zoowarden::server::Server;
use zoowarden::server::config::Config;

use crate::history::Desk;
use crate::http::Endpoints;

/// A server that serves.
pub(crate) struct Running {
    server: Server,
    /// Ended with it.
    _http: JoinSet<()>,
}

impl Running {
    /// Where clients connect, with the port that was really opened.
    pub(crate) fn client_address(&self) -> SocketAddr {
        self.server.client_address()
    }

    /// Where the data lies, absolute.
    pub(crate) fn data_dir(&self) -> &Path {
        self.server.data_dir()
    }

    /// Lets the commands about the history ask this server. Without a socket it serves all the same.
    pub(crate) fn open_desk(&self) -> Option<Desk> {
        let history = self.server.history()?;
        let address = reachable(self.client_address()).to_string();
        let opened = Desk::open(self.data_dir(), history, address);
        opened
            .inspect_err(|error| {
                let dir = self.data_dir().display();
                tracing::warn!(%error, %dir,
                    "no socket for the history: zoowarden history will not find this server");
            })
            .ok()
    }

    /// Waits until clients are served.
    pub(crate) async fn ready(&self) -> Result<(), StartError> {
        self.server
            .ready()
            .await
            .map_err(|error| StartError::new(error.to_string()))
    }

    /// Waits until the server cannot go on.
    pub(crate) async fn failed(&self) -> StartError {
        StartError::new(self.server.failed().await.to_string())
    }

    /// Stops serving and waits until everything is on disk.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

/// Starts the server that `config` describes.
pub(crate) async fn start(config: Config) -> Result<Running, StartError> {
    let endpoints = Endpoints::open(&config).await;
    let endpoints = endpoints.map_err(StartError::new)?;
    match Server::start(config).await {
        Ok(server) => Ok(Running {
            _http: endpoints.serve(&server.observer()),
            server,
        }),
        Err(error) => Err(StartError::new(error.to_string())),
    }
}

/// Why a server could not start or had to stop: one line for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartError(String);

impl StartError {
    pub(crate) fn new(what: String) -> Self {
        Self(what)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// Where a client of the same machine connects: every address is none that one can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

//! The border to the library: starting a server and stopping it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use zoowarden::server::config::Config;

/// A server that serves.
pub(crate) struct Running {
    /// Where clients connect, with the port that was really opened.
    pub(crate) client_address: SocketAddr,
    /// Where the data lies, absolute.
    pub(crate) data_dir: PathBuf,
}

impl Running {
    /// Stops serving and waits until everything is on disk.
    pub(crate) async fn stop(self) -> Result<(), StartError> {
        Ok(())
    }
}

/// Starts the server that `config` describes.
pub(crate) async fn start(config: Config) -> Result<Running, StartError> {
    let data_dir = config.data_dir.display();
    Err(StartError::new(format!(
        "cannot serve {data_dir}: the server is not built yet"
    )))
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

//! Why a server does not start, or had to stop.

use std::io;
use std::path::PathBuf;

use crate::proto::SessionId;
use crate::server::config::TlsError;
use crate::storage::{IdentityError, LockError, OpenError};

/// One line for the operator: what happened, to what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings contradict each other.
    #[error("the configuration is wrong: {0}")]
    Configuration(String),
    /// A key or trust store cannot be used.
    #[error("no TLS: {0}")]
    Tls(#[from] TlsError),
    /// The address cannot be listened on.
    #[error("cannot listen on the {what} {address}: {error}{}", advice(error))]
    Listen {
        /// Which of the ports.
        what: &'static str,
        /// The address.
        address: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// The data directory is in use, or cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A directory is missing, and the configuration forbids to make it.
    #[error(
        "{dir} does not exist, and datadir.autocreate=false forbids to make it: create it, or \
         correct dataDir and dataLogDir"
    )]
    DirectoryMissing {
        /// The directory.
        dir: PathBuf,
    },
    /// The identity file cannot be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The directory was written by a server of another id.
    #[error(
        "{dir} holds the data of server {theirs}, but this is server {ours}: \
         correct myid or dataDir"
    )]
    OtherServersData {
        /// The directory.
        dir: PathBuf,
        /// Its identity.
        theirs: u8,
        /// This server's.
        ours: u8,
    },
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The server has been a member, but its log is gone.
    #[error(
        "{dir} holds no log, but this server has been a member of its ensemble: it may have \
         acknowledged writes that are lost now. Put the log back; or, if it is lost for good, \
         delete the file `identity` in dataDir: in an ensemble the server then fetches everything \
         from the others, alone it starts empty"
    )]
    LogLost {
        /// The log's directory.
        dir: PathBuf,
    },
    /// No sound snapshot that the log goes on from.
    #[error("no sound snapshot to start from: {0}; restore one from a backup")]
    SnapshotDamaged(io::Error),
    /// The log begins behind an entry that no snapshot covers.
    #[error(
        "the log begins behind entry {index}, and no snapshot reaches that far: \
         restore the snapshot files"
    )]
    SnapshotMissing {
        /// The last entry that is gone from the log.
        index: u64,
    },
    /// An import into the directory was cut short.
    #[error(
        "an import into {dir} did not finish, so what is there may not be whole: \
         empty the directory and import again"
    )]
    HalfImported {
        /// The directory.
        dir: PathBuf,
    },
    /// The server cannot become a member of its ensemble, or keep that it is one.
    #[error("cannot join the ensemble: {0}")]
    NotJoined(String),
    /// The disk failed while the server ran.
    #[error("the log cannot be written, so the server stopped: {0}")]
    LogFailed(io::Error),
    /// The server stopped.
    #[error("the server stopped")]
    Stopped,
    /// Something else the operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Why a session was not expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpireError {
    /// It does not exist: it was closed or has expired before, or never was. Nothing was changed.
    #[error("there is no session {session} to expire")]
    NoSuchSession {
        /// The session.
        session: SessionId,
    },
    /// The server has no leader, or its leader no quorum. The session may still expire.
    #[error("session {session} did not expire in time: the ensemble has no leader with a quorum")]
    NotAgreed {
        /// The session.
        session: SessionId,
    },
    /// The server stopped meanwhile. The session may still expire.
    #[error("session {session} did not expire: the server stopped")]
    Stopped {
        /// The session.
        session: SessionId,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another server runs there: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => "; choose a port above 1023",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    }
}

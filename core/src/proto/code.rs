//! ZooKeeper's error codes.

/// The answer of a request that failed, as its number on the wire.
///
/// Source: `KeeperException.Code`. Only codes a server may send stand here; a client library that
/// meets any other number fails hard, so none is ever invented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[repr(i32)]
#[non_exhaustive]
pub enum Code {
    /// The server cannot carry this out now (its disk is full).
    #[error("system error")]
    SystemError = -1,
    /// An operation of a multi that was not evaluated because an earlier one failed.
    #[error("not evaluated: an earlier operation of the multi failed")]
    RuntimeInconsistency = -2,
    /// The request's bytes do not decode.
    #[error("malformed request")]
    MarshallingError = -5,
    /// The operation is unknown or switched off.
    #[error("operation not implemented or switched off")]
    Unimplemented = -6,
    /// A path, flag or ttl is not allowed.
    #[error("bad arguments")]
    BadArguments = -8,
    /// The session is not known.
    #[error("unknown session")]
    UnknownSession = -12,
    /// The znode or its parent does not exist.
    #[error("no such znode")]
    NoNode = -101,
    /// The ACL denies it.
    #[error("not authorised")]
    NoAuth = -102,
    /// The expected version is not the current one.
    #[error("version does not match")]
    BadVersion = -103,
    /// The parent is ephemeral.
    #[error("an ephemeral znode cannot have children")]
    NoChildrenForEphemerals = -108,
    /// The znode exists.
    #[error("znode exists")]
    NodeExists = -110,
    /// The znode has children.
    #[error("znode has children")]
    NotEmpty = -111,
    /// The session has expired or is being closed.
    #[error("session expired")]
    SessionExpired = -112,
    /// The ACL list is empty, malformed or of an unknown scheme.
    #[error("invalid ACL")]
    InvalidAcl = -114,
    /// Authentication failed.
    #[error("authentication failed")]
    AuthFailed = -115,
    /// The session now belongs to another connection.
    #[error("session moved to another connection")]
    SessionMoved = -118,
    /// A write to a server that only reads.
    #[error("this server is read-only")]
    NotReadOnly = -119,
    /// checkWatches or removeWatches found no watch.
    #[error("no such watch")]
    NoWatcher = -121,
    /// Reconfiguration is switched off.
    #[error("reconfiguration is disabled")]
    ReconfigDisabled = -123,
    /// A hard quota would be exceeded.
    #[error("quota exceeded")]
    QuotaExceeded = -125,
    /// The request waited too long.
    #[error("throttled")]
    ThrottledOp = -127,
}

impl Code {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        self as i32
    }
}

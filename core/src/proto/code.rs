//! ZooKeeper's error codes.

/// Why a request failed, as its number on the wire or in a client.
///
/// Source: `KeeperException.Code`, whole. The enum is exhaustive on purpose: whoever maps codes to
/// something else matches all of them, and a new one does not compile without a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[repr(i32)]
pub enum Code {
    /// The server cannot carry this out now (its disk is full, say).
    #[error("system error")]
    SystemError = -1,
    /// An operation of a multi that was not evaluated because an earlier one failed.
    #[error("not evaluated: an earlier operation of the multi failed")]
    RuntimeInconsistency = -2,
    /// Two things that must agree do not. Known to clients; no server sends it.
    #[error("data inconsistency")]
    DataInconsistency = -3,
    /// The connection ended before the answer came: whether the request was carried out is not
    /// known. Only clients say it.
    #[error("connection lost before the answer came")]
    ConnectionLoss = -4,
    /// Bytes do not decode.
    #[error("malformed request or reply")]
    MarshallingError = -5,
    /// The operation is unknown or switched off.
    #[error("operation not implemented or switched off")]
    Unimplemented = -6,
    /// The answer did not come in the time the caller gave. Only clients say it.
    #[error("no answer in time")]
    OperationTimeout = -7,
    /// A path, flag or ttl is not allowed.
    #[error("bad arguments")]
    BadArguments = -8,
    /// The handle cannot do this in the state it is in. Only clients say it.
    #[error("invalid state")]
    InvalidState = -9,
    /// The session is not known.
    #[error("unknown session")]
    UnknownSession = -12,
    /// A new configuration would have no quorum in contact with the leader.
    #[error("no quorum of the new configuration is connected")]
    NewConfigNoQuorum = -13,
    /// Another change of the ensemble is under way.
    #[error("another reconfiguration is in progress")]
    ReconfigInProgress = -14,
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
    /// No callback where there must be one. Only clients say it.
    #[error("invalid callback")]
    InvalidCallback = -113,
    /// The ACL list is empty, malformed or of an unknown scheme.
    #[error("invalid ACL")]
    InvalidAcl = -114,
    /// Authentication failed.
    #[error("authentication failed")]
    AuthFailed = -115,
    /// The client is closing or closed. Only clients say it.
    #[error("the client is closed")]
    Closing = -116,
    /// The session now belongs to another connection.
    #[error("session moved to another connection")]
    SessionMoved = -118,
    /// A write to a server that only reads.
    #[error("this server is read-only")]
    NotReadOnly = -119,
    /// An ephemeral znode in a session that only one server knows.
    #[error("ephemeral znode on a local session")]
    EphemeralOnLocalSession = -120,
    /// checkWatches or removeWatches found no watch.
    #[error("no such watch")]
    NoWatcher = -121,
    /// A request waited longer than the client's limit. Only clients say it.
    #[error("request timed out")]
    RequestTimeout = -122,
    /// Reconfiguration is switched off.
    #[error("reconfiguration is disabled")]
    ReconfigDisabled = -123,
    /// The server serves authenticated clients only.
    #[error("session closed: authentication is required")]
    SessionClosedRequireSaslAuth = -124,
    /// A hard quota would be exceeded.
    #[error("quota exceeded")]
    QuotaExceeded = -125,
    /// The request waited too long, or too many wait.
    #[error("throttled")]
    ThrottledOp = -127,
}

impl Code {
    /// Every code, from the greatest number down.
    pub const ALL: [Code; 32] = [
        Code::SystemError,
        Code::RuntimeInconsistency,
        Code::DataInconsistency,
        Code::ConnectionLoss,
        Code::MarshallingError,
        Code::Unimplemented,
        Code::OperationTimeout,
        Code::BadArguments,
        Code::InvalidState,
        Code::UnknownSession,
        Code::NewConfigNoQuorum,
        Code::ReconfigInProgress,
        Code::NoNode,
        Code::NoAuth,
        Code::BadVersion,
        Code::NoChildrenForEphemerals,
        Code::NodeExists,
        Code::NotEmpty,
        Code::SessionExpired,
        Code::InvalidCallback,
        Code::InvalidAcl,
        Code::AuthFailed,
        Code::Closing,
        Code::SessionMoved,
        Code::NotReadOnly,
        Code::EphemeralOnLocalSession,
        Code::NoWatcher,
        Code::RequestTimeout,
        Code::ReconfigDisabled,
        Code::SessionClosedRequireSaslAuth,
        Code::QuotaExceeded,
        Code::ThrottledOp,
    ];

    /// The number on the wire.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The name, as ZooKeeper's documentation writes it without underscores: `NoNode`.
    pub fn name(self) -> &'static str {
        match self {
            Code::SystemError => "SystemError",
            Code::RuntimeInconsistency => "RuntimeInconsistency",
            Code::DataInconsistency => "DataInconsistency",
            Code::ConnectionLoss => "ConnectionLoss",
            Code::MarshallingError => "MarshallingError",
            Code::Unimplemented => "Unimplemented",
            Code::OperationTimeout => "OperationTimeout",
            Code::BadArguments => "BadArguments",
            Code::InvalidState => "InvalidState",
            Code::UnknownSession => "UnknownSession",
            Code::NewConfigNoQuorum => "NewConfigNoQuorum",
            Code::ReconfigInProgress => "ReconfigInProgress",
            Code::NoNode => "NoNode",
            Code::NoAuth => "NoAuth",
            Code::BadVersion => "BadVersion",
            Code::NoChildrenForEphemerals => "NoChildrenForEphemerals",
            Code::NodeExists => "NodeExists",
            Code::NotEmpty => "NotEmpty",
            Code::SessionExpired => "SessionExpired",
            Code::InvalidCallback => "InvalidCallback",
            Code::InvalidAcl => "InvalidAcl",
            Code::AuthFailed => "AuthFailed",
            Code::Closing => "Closing",
            Code::SessionMoved => "SessionMoved",
            Code::NotReadOnly => "NotReadOnly",
            Code::EphemeralOnLocalSession => "EphemeralOnLocalSession",
            Code::NoWatcher => "NoWatcher",
            Code::RequestTimeout => "RequestTimeout",
            Code::ReconfigDisabled => "ReconfigDisabled",
            Code::SessionClosedRequireSaslAuth => "SessionClosedRequireSaslAuth",
            Code::QuotaExceeded => "QuotaExceeded",
            Code::ThrottledOp => "ThrottledOp",
        }
    }

    /// The code of a number, `None` for 0 and for numbers ZooKeeper does not have.
    pub fn from_number(number: i32) -> Option<Code> {
        let at = Code::ALL.binary_search_by(|code| number.cmp(&code.number()));
        at.ok().map(|at| Code::ALL[at])
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_code_is_found_by_its_number_and_no_other() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
        }
        for number in [0, 1, -10, -100, -117, -126, -128, i32::MIN, i32::MAX] {
            assert_eq!(Code::from_number(number), None, "{number}");
        }
    }
}

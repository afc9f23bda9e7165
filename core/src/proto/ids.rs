//! Numbers that must not be mixed up.

use std::fmt;

/// Names a session; unique in an ensemble for ever. Written `0x…` as ZooKeeper's tools do.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The place of a change in the order of all changes. The upper half looks like ZooKeeper's epoch.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub i64);

impl Zxid {
    /// The zxid of the next change under a leader of `term`: one more, but not below the term's
    /// first. Never goes back, whatever the terms do; the counter may carry into the epoch half.
    pub fn next(self, term: u64) -> Zxid {
        let first = i64::try_from(term << 32).unwrap_or(i64::MAX);
        Zxid((self.0 + 1).max(first))
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A client's number for one of its requests; the server only echoes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Xid(pub i32);

impl Xid {
    /// Marks a frame as a watch notification.
    pub const NOTIFICATION: Xid = Xid(-1);
    /// Every ping and its reply.
    pub const PING: Xid = Xid(-2);
    /// Authentication packets and their replies.
    pub const AUTH: Xid = Xid(-4);
}

/// A server of the ensemble: the number in its `myid` file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u8);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A server's number for one of its client connections, unique across its restarts. No protocol
/// message carries it; it stands here because every room speaks of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

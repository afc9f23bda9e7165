//! Sessions: who exists (`table`, replicated), in what order one connection's requests run
//! (`pipeline`), and when a silent session ends (`expiry`, on the leader only).
//!
//! Silent: time is an argument, effects are return values.

mod expiry;
mod pipeline;
mod table;

use std::fmt;

use crate::proto::ServerId;

pub use expiry::Expiry;
pub use pipeline::{Held, Pipeline, Step, Written};
pub use table::{Session, Table};

/// The connection a session is attached to. A session that attaches elsewhere gets a new origin;
/// writes that still carry the old one are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The server that holds the connection.
    pub server: ServerId,
    /// The server's number for it; never used twice, not even after a restart.
    pub connection: ConnectionId,
}

/// A server's number for one of its client connections, unique across its restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

//! Sessions: who exists (`table`, replicated), whom only this server knows (`local`), in what order
//! one connection's requests run (`pipeline`), and when a silent session ends (`expiry`, for the
//! table on the leader only).
//!
//! Silent: time is an argument, effects are return values.

mod expiry;
pub mod local;
mod pipeline;
mod table;

use crate::proto::{ConnectionId, ServerId};

pub use expiry::Expiry;
pub use pipeline::{Course, Held, Pipeline, Step, Written};
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

/// Who knows a session, and so who may say that a write of it is to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All servers: each looks it up when the write is applied.
    Global,
    /// Only the server that took the write. It owns no znode.
    Local,
}

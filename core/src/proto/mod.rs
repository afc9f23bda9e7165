//! ZooKeeper's client protocol as values: bytes in, values out, and back.
//!
//! What lives here: framing, the primitive encodings (jute), every record a client and a server
//! exchange, the error codes, and the rules a path must obey. What does not: meaning. Nothing here
//! knows a tree, a session or a socket, and nothing here keeps state.
//!
//! Invariants: bytes from outside never panic; a length is compared with the bytes that are left
//! before anything is allocated; decoding borrows from the frame and copies only text that was
//! not UTF-8.

mod code;
mod codec;
mod connect;
mod data;
mod event;
mod frame;
mod ids;
mod member;
mod multi;
pub mod path;
mod reply;
mod request;

pub use code::Code;
pub use codec::{Malformed, Reader, Text, Writer};
pub use connect::{ConnectRequest, ConnectResponse, PASSWORD_BYTES};
pub use data::{Acl, Id, Stat, perms};
pub use event::{EventKind, Notification};
pub(crate) use frame::close as close_frame;
pub use frame::{FrameError, Frames, failed_token_frame, reply_frame};
pub use ids::{ConnectionId, ServerId, SessionId, Xid, Zxid};
pub use member::{HostPort, Member, Role, ServerLine, config_text, member_lines, server_line};
pub use multi::{MultiOp, MultiOutcome, ReadOp, ReadOutcome};
pub use reply::{ClientInfo, Reply};
pub use request::{AddWatchMode, Create, OpCode, Request, SetWatches, WatcherType};

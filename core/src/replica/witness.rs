//! Who is told of what was applied here, besides the clients: the change history, the audit log.
//!
//! A witness is called with the tree's lock held, once for each proposal, in order. It must take
//! what it wants and come back at once: it waits for nothing and does no I/O.

use std::fmt;

use crate::proto::{ServerId, Zxid};
use crate::replica::Connection;
use crate::tree::{Applied, Draft, Lane, Tracing};

/// One proposal that has been carried out.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The leader's time, milliseconds since 1970.
    pub stamp_ms: i64,
    /// This server.
    pub server: ServerId,
    /// Whose proposal it was.
    pub lane: Lane,
    /// The client that waits for it, if it is connected to this server.
    pub client: Option<&'a Connection>,
    /// What was proposed.
    pub draft: &'a Draft<'a>,
    /// What came of it. A witness may take the traces out.
    pub applied: &'a mut Applied,
}

/// Sees everything that is applied.
pub trait Witness: Send + Sync + fmt::Debug {
    /// What it wants to know of the change behind `last`. `now_us` is this server's clock,
    /// microseconds.
    fn tracing(&self, now_us: u64, last: Zxid) -> Tracing;

    /// A proposal has been carried out.
    fn saw(&self, seen: &mut Seen<'_>);

    /// A snapshot took the place of the tree: the changes between were not seen.
    fn skipped(&self, from: Zxid, to: Zxid);
}

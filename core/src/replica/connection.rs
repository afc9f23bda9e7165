//! One client connection as the replica sees it: who it is, what it waits for, what it is owed.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, Ordering};

use bytes::BytesMut;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::metrics::Recent;
use crate::proto::ConnectionId;
use crate::proto::{
    Code, ConnectResponse, EventKind, Id, Notification, OpCode, PASSWORD_BYTES, Reply, SessionId,
    Xid, Zxid, failed_token_frame, reply_frame,
};
use crate::sasl::Exchange;
use crate::session::{Pipeline, Scope};

/// Why a connection ends. The client sees the socket close, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// The client closed its session.
    #[error("the client closed its session")]
    SessionClosed,
    /// The session expired or is unknown.
    #[error("the session has expired")]
    SessionExpired,
    /// The session attached to another server or connection.
    #[error("the session moved to another connection")]
    SessionMoved,
    /// The same client came back while this connection still looked alive.
    #[error("the client reconnected")]
    Reconnected,
    /// The handshake was refused: password wrong or session unknown.
    #[error("the session could not be attached")]
    AttachRefused,
    /// Authentication failed.
    #[error("authentication failed")]
    AuthFailed,
    /// It asked for something before it was anybody that counts (`enforce.auth.schemes`).
    #[error("it has not authenticated as this server requires (enforce.auth.schemes)")]
    NotAuthenticated,
    /// It claimed more identities than a connection may have.
    #[error("it has added too many identities")]
    TooManyIdentities,
    /// An operation this server does not know.
    #[error("unknown operation")]
    UnknownOperation,
    /// Bytes that are not a request.
    #[error("malformed request")]
    Malformed,
    /// It left more unread than allowed.
    #[error("the client does not read: more than the allowed outbox is waiting")]
    OutboxFull,
    /// Nothing came for a whole session timeout.
    #[error("nothing was heard for the session timeout")]
    Silent,
    /// This server has had no leader for longer than the session allows.
    #[error("no contact with a leader for longer than the session allows")]
    NoLeader,
    /// This server has had no quorum for so long that it serves read-only clients instead.
    #[error("there is no quorum, only read-only clients are served")]
    QuorumLost,
    /// There is a quorum again, and sessions without one end.
    #[error("there is a quorum again, read-only service ends")]
    QuorumFound,
    /// This server leads, and leaders do not serve clients (`leaderServes=no`).
    #[error("this server has become the leader, and leaderServes=no")]
    Leads,
    /// A request waited longer than the session allows (`request_stale_latency_check`).
    #[error("a request waited for longer than the session timeout")]
    Stale,
    /// A large request found no room (`largeRequestMaxBytes`).
    #[error("large requests in work have more than largeRequestMaxBytes")]
    LargeRequest,
    /// A snapshot replaced the tree.
    #[error("a snapshot was installed, events were skipped")]
    SnapshotInstalled,
    /// The operator restored a snapshot.
    #[error("a snapshot was restored, everything may be different")]
    Restored,
    /// The operator wants fewer connections here.
    #[error("the operator asked for fewer connections")]
    Shed,
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
}

/// What the answer to a handshake must carry back.
#[derive(Clone, Copy, Debug)]
pub struct Handshake {
    /// Whether the client sent the optional byte.
    pub read_only: Option<bool>,
    /// What it will be allowed.
    pub access: Access,
}

/// What a server lets a connection do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    ReadWrite,
    /// Reads: it was accepted by a server without a quorum.
    ReadOnly,
}

/// A request that has been answered.
#[derive(Clone, Copy, Debug)]
pub struct LastAnswer {
    /// Its operation.
    pub op: OpCode,
    /// The client's number.
    pub xid: Xid,
    /// The zxid in the header of the answer.
    pub zxid: Zxid,
    /// When it was answered, microseconds of the server's clock.
    pub at_us: u64,
    /// How long it took, microseconds.
    pub took_us: u64,
}

/// Counters of one connection.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Frames from clients.
    pub received: AtomicU64,
    /// Frames to clients.
    pub sent: AtomicU64,
    /// Latencies of answered requests, microseconds.
    pub latency: Latency,
}

/// Smallest, greatest and mean of a series of durations in microseconds.
#[derive(Debug)]
pub struct Latency {
    count: AtomicU64,
    total_us: AtomicU64,
    min_us: AtomicU64,
    max_us: AtomicU64,
}

impl Default for Latency {
    fn default() -> Self {
        Latency {
            count: AtomicU64::new(0),
            total_us: AtomicU64::new(0),
            min_us: AtomicU64::new(u64::MAX),
            max_us: AtomicU64::new(0),
        }
    }
}

impl Latency {
    /// Takes in one duration.
    pub fn add(&self, us: u64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.total_us.fetch_add(us, Ordering::Relaxed);
        if us < self.min_us.load(Ordering::Relaxed) {
            self.min_us.fetch_min(us, Ordering::Relaxed);
        }
        if us > self.max_us.load(Ordering::Relaxed) {
            self.max_us.fetch_max(us, Ordering::Relaxed);
        }
    }

    /// Begins anew.
    fn reset(&self) {
        self.count.store(0, Ordering::Relaxed);
        self.total_us.store(0, Ordering::Relaxed);
        self.min_us.store(u64::MAX, Ordering::Relaxed);
        self.max_us.store(0, Ordering::Relaxed);
    }

    /// How many, their sum, the smallest and the greatest, in microseconds; zeros before the
    /// first.
    pub fn count_sum_min_max_us(&self) -> (u64, u64, u64, u64) {
        match self.count.load(Ordering::Relaxed) {
            0 => (0, 0, 0, 0),
            count => (
                count,
                self.total_us.load(Ordering::Relaxed),
                self.min_us.load(Ordering::Relaxed),
                self.max_us.load(Ordering::Relaxed),
            ),
        }
    }
}

/// Shared by the task that owns the socket and by whoever applies.
pub struct Connection {
    id: ConnectionId,
    peer: SocketAddr,
    /// Rung when the outbox has something, requests can move on, or the connection must end.
    pub wake: Notify,
    /// Something was heard since the touched sessions were last collected.
    touched: AtomicBool,
    /// The session, 0 before the handshake; readable without the lock.
    session: AtomicI64,
    timeout_ms: AtomicI32,
    /// When something was last heard, milliseconds of the server's clock.
    pub heard_ms: AtomicU64,
    /// When the session was attached, milliseconds of the server's clock: it had a full timeout
    /// then, whatever this server's contact with a leader was.
    pub attached_ms: AtomicU64,
    /// When it was accepted, milliseconds since 1970.
    pub established_ms: i64,
    /// Whether it came to a port of TLS alone.
    pub is_secure: bool,
    /// Frames received, frames sent, and latencies of this connection.
    pub traffic: Traffic,
    was_reset: AtomicBool,
    state: Mutex<State>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Connection({} {} {})",
            self.id,
            self.peer,
            self.session()
        )
    }
}

/// What is behind the connection's lock.
#[derive(Debug)]
pub struct State {
    pub(super) identities: Arc<[Id]>,
    pub(super) exchange: Exchange,
    pub(super) pipeline: Pipeline,
    pub(super) scope: Scope,
    pub(super) access: Access,
    pub(super) handshake: Option<Handshake>,
    outbox: BytesMut,
    ending: Option<Ending>,
    pub(super) last: Option<LastAnswer>,
    /// The namespace read last.
    pub(super) recent: Recent,
    sent: Sent,
}

/// What was put into an outbox since it was last taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) frames: u64,
    /// Bytes of notifications.
    pub(super) event_bytes: u64,
    /// Bytes of the last, the smallest and the largest frame behind the handshake.
    pub(super) size_last: u64,
    pub(super) size_min: u64,
    pub(super) size_max: u64,
}

impl Sent {
    const NOTHING: Sent = Sent {
        frames: 0,
        event_bytes: 0,
        size_last: 0,
        size_min: u64::MAX,
        size_max: 0,
    };

    /// Counts a frame of so many bytes, its length included.
    fn frame(&mut self, bytes: usize) {
        let size = (bytes as u64).saturating_sub(4);
        self.frames += 1;
        self.size_last = size;
        self.size_min = self.size_min.min(size);
        self.size_max = self.size_max.max(size);
    }
}

impl State {
    /// Owes the client a reply.
    pub(super) fn push_reply(&mut self, xid: Xid, zxid: Zxid, result: &Result<Reply<'_>, Code>) {
        if self.ending.is_none() {
            let before = self.outbox.len();
            reply_frame(xid, zxid, result, &mut self.outbox);
            self.sent.frame(self.outbox.len() - before);
        }
    }

    /// Owes the client a failure whose record is there all the same, with a null token in it.
    pub(super) fn push_failure_with_token(&mut self, xid: Xid, zxid: Zxid, code: Code) {
        if self.ending.is_none() {
            let before = self.outbox.len();
            failed_token_frame(xid, zxid, code, &mut self.outbox);
            self.sent.frame(self.outbox.len() - before);
        }
    }

    /// Owes the client a notification.
    pub(super) fn push_event(&mut self, zxid: Zxid, kind: EventKind, path: &str) {
        if self.ending.is_none() {
            let before = self.outbox.len();
            Notification::encode(zxid, kind, path, &mut self.outbox);
            let bytes = self.outbox.len() - before;
            self.sent.frame(bytes);
            self.sent.event_bytes += bytes as u64;
        }
    }

    /// Bytes owed and not yet taken.
    pub(super) fn owed(&self) -> usize {
        self.outbox.len()
    }

    /// Whether the connection takes no more requests.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some() || self.pipeline.ends()
    }

    /// The connection ends once what is owed has been sent. The first reason counts.
    pub(super) fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// Nothing waits any more; tells how many requests stay unanswered, and the bytes of the large
    /// ones.
    pub(super) fn clear(&mut self) -> (usize, usize) {
        let unanswered = (self.pipeline.len(), self.pipeline.large_bytes());
        self.pipeline.clear();
        self.ending.get_or_insert(Ending::SessionClosed);
        unanswered
    }
}

impl Connection {
    /// A connection that has not shaken hands. Everybody starts with the identity of an address.
    pub fn new(id: ConnectionId, peer: SocketAddr, established_ms: i64) -> Connection {
        let address = Id::new("ip", &peer.ip().to_canonical().to_string());
        Connection {
            id,
            peer,
            wake: Notify::new(),
            touched: AtomicBool::new(false),
            session: AtomicI64::new(0),
            timeout_ms: AtomicI32::new(0),
            heard_ms: AtomicU64::new(0),
            attached_ms: AtomicU64::new(0),
            established_ms,
            is_secure: false,
            traffic: Traffic::default(),
            was_reset: AtomicBool::new(false),
            state: Mutex::new(State {
                identities: Arc::new([address]),
                exchange: Exchange::default(),
                pipeline: Pipeline::default(),
                scope: Scope::Global,
                access: Access::ReadWrite,
                handshake: None,
                outbox: BytesMut::new(),
                ending: None,
                last: None,
                recent: Recent::default(),
                sent: Sent::NOTHING,
            }),
        }
    }

    /// This server's number for it.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The attached session; 0 before the handshake is through.
    pub fn session(&self) -> SessionId {
        SessionId(self.session.load(Ordering::Acquire))
    }

    /// The negotiated timeout, milliseconds; 0 before the handshake is through.
    pub fn timeout_ms(&self) -> i32 {
        self.timeout_ms.load(Ordering::Relaxed)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Who the client has proved to be, its address among it.
    pub fn identities(&self) -> Arc<[Id]> {
        Arc::clone(&self.lock().identities)
    }

    /// Adds what the client has proved to be before its handshake.
    pub fn add_identities(&self, proven: Vec<Id>) {
        let mut state = self.lock();
        if !proven.is_empty() {
            state.identities = state.identities.iter().cloned().chain(proven).collect();
        }
    }

    /// Remembers what the answer to the handshake must look like.
    pub fn begin_handshake(&self, handshake: Handshake) {
        let mut state = self.lock();
        state.access = handshake.access;
        state.handshake = Some(handshake);
    }

    /// The session is attached: answers the handshake.
    pub(super) fn attached(
        &self,
        session: SessionId,
        password: [u8; PASSWORD_BYTES],
        timeout_ms: i32,
        now_ms: u64,
    ) {
        self.attached_ms.store(now_ms, Ordering::Relaxed);
        self.session.store(session.0, Ordering::Release);
        self.timeout_ms.store(timeout_ms, Ordering::Relaxed);
        self.touched.store(true, Ordering::Relaxed);
        let mut state = self.lock();
        let read_only = state
            .handshake
            .take()
            .and_then(|handshake| handshake.read_only);
        let read_only = read_only.map(|_| state.access == Access::ReadOnly);
        let response = ConnectResponse {
            timeout_ms,
            session,
            password,
            read_only,
        };
        response.encode(&mut state.outbox);
        state.sent.frames += 1;
        drop(state);
        self.wake.notify_one();
    }

    /// The session cannot be attached: says so and ends.
    pub(super) fn refused(&self) {
        let mut state = self.lock();
        let read_only = state
            .handshake
            .take()
            .and_then(|handshake| handshake.read_only);
        let refusal = ConnectResponse {
            read_only: read_only.map(|_| state.access == Access::ReadOnly),
            ..ConnectResponse::refused(read_only)
        };
        refusal.encode(&mut state.outbox);
        state.sent.frames += 1;
        state.end(Ending::AttachRefused);
        drop(state);
        self.wake.notify_one();
    }

    /// Ends the connection once what it is owed has been sent.
    pub fn end(&self, ending: Ending) {
        self.lock().end(ending);
        self.wake.notify_one();
    }

    /// Something came from the client.
    pub fn touch(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
        if !self.touched.load(Ordering::Relaxed) {
            self.touched.store(true, Ordering::Relaxed);
        }
    }

    /// Whether something came since this was last asked.
    pub fn take_touched(&self) -> bool {
        self.touched.swap(false, Ordering::Relaxed)
    }

    /// Takes what is owed, and the reason to end after it has been sent.
    #[cfg(test)]
    pub(super) fn take_outbox(&self) -> (BytesMut, Option<Ending>) {
        let (owed, ending, _) = self.take_counted();
        (owed, ending)
    }

    /// Takes what is owed, the reason to end after it has been sent, and what it is.
    pub(super) fn take_counted(&self) -> (BytesMut, Option<Ending>, Sent) {
        let mut state = self.lock();
        let sent = std::mem::replace(&mut state.sent, Sent::NOTHING);
        if sent.frames > 0 {
            self.traffic.sent.fetch_add(sent.frames, Ordering::Relaxed);
        }
        (state.outbox.split(), state.ending, sent)
    }

    /// What is counted of it begins anew, as after `crst`.
    pub fn reset_counters(&self) {
        self.traffic.received.store(0, Ordering::Relaxed);
        self.traffic.sent.store(0, Ordering::Relaxed);
        self.traffic.latency.reset();
        self.lock().last = None;
        self.was_reset.store(true, Ordering::Relaxed);
    }

    /// Whether what is counted of it has begun anew once.
    pub fn was_reset(&self) -> bool {
        self.was_reset.load(Ordering::Relaxed)
    }

    /// Whether it ends once what is owed has been sent.
    pub fn is_ending(&self) -> bool {
        self.lock().ending.is_some()
    }

    /// What it may do.
    pub fn access(&self) -> Access {
        self.lock().access
    }

    /// Requests that are not answered yet.
    pub fn outstanding(&self) -> usize {
        self.lock().pipeline.len()
    }

    /// Syncs that are not answered yet.
    pub fn pending_syncs(&self) -> usize {
        self.lock().pipeline.pending_syncs()
    }

    /// The last request answered.
    pub fn last_answer(&self) -> Option<LastAnswer> {
        self.lock().last
    }
}

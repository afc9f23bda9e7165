//! The hinge between what is replicated and who is connected: the tree, the watches and the
//! outboxes of this server's connections, behind one lock.
//!
//! It keeps the ordering promise: a notification stands in an outbox before any reply that shows
//! its change, and a read's reply before the notifications of the watch it set. Both hold because
//! whoever reads or applies holds the tree's lock until the outbox has what came of it.
//!
//! What does not live here: sockets, the log, who leads. Frames come in and bytes go out as
//! arguments and buffers; what must be proposed is handed back as [`Effects`].
//!
//! Lock order: tree, then one connection, then watches. The tables of connections and of local
//! sessions are leaves: no other lock is taken under them. No lock is held across an await; there is none here.

mod apply;
mod authentication;
mod connection;
mod counting;
mod local;
mod requests;
#[cfg(test)]
mod tests;
mod watching;
mod witness;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use std::time::Duration;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::sync::watch;

use crate::metrics::{Count, Metrics, Recent};
use crate::proto::ConnectionId;
use crate::proto::{SessionId, Zxid};
use crate::session::local::LocalSessions;
use crate::tree::{Lane, Rules, Tree};
use crate::watch::Watches;

pub use apply::Progress;
pub use authentication::{DigestAlgorithm, DigestSettings, NotProven, SaslSettings};
pub use connection::{Access, Connection, Ending, Handshake};
pub use counting::LastSnapshot;
pub use local::SessionSettings;
pub(crate) use local::Shown;
pub use requests::{Arrival, Effects, RequestSettings};
pub use witness::{Seen, Witness};

/// Proposals applied under one hold of the lock; readers get their turn in between.
const APPLY_CHUNK: usize = 128;

/// Bytes of replies and drafts after which a connection lets go of the lock and sends them. One
/// reply or one draft more may come on top, so this also bounds what is proposed in one piece.
const HOLD_BYTES_MAX: usize = 256 << 10;

/// What a replica is told once, at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Settings that travel with every write taken here.
    pub rules: Rules,
    /// How the scheme `digest` is set up.
    pub digest: DigestSettings,
    /// How SASL is set up.
    pub sasl: SaslSettings,
    /// A connection needs an identity of one of these schemes before anything is done for it;
    /// empty: none.
    pub required_schemes: Vec<String>,
    /// Sessions that only this server knows.
    pub sessions: SessionSettings,
    /// What is asked of requests before they are carried out.
    pub requests: RequestSettings,
    /// Bytes one connection may leave unread before it is closed.
    pub outbox_bytes_max: usize,
    /// Set by the log while its disk is full: writes that need room are refused.
    pub space_is_low: Arc<AtomicBool>,
    /// What becomes of a reconfig here.
    pub reconfig: Reconfig,
}

/// What becomes of a reconfig that comes to this server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reconfig {
    /// It is refused as switched off.
    #[default]
    Disabled,
    /// It is refused: a server that is alone has no ensemble to change.
    Alone,
    /// It is proposed.
    Enabled,
}

/// The state of this server and everybody connected to it.
#[derive(Debug)]
pub struct Replica {
    settings: Settings,
    tree: RwLock<Tree>,
    watches: Mutex<Watches>,
    connections: Mutex<HashMap<ConnectionId, Arc<Connection>>>,
    /// The lane this server proposes on; changes only if another life of it was found.
    lane: Mutex<Lane>,
    witnesses: Vec<Arc<dyn Witness>>,
    /// Requests that are not answered yet, of all connections.
    outstanding: AtomicUsize,
    /// Bytes of the large ones among them.
    large_bytes: AtomicUsize,
    /// Sessions that the other servers do not know.
    local: Mutex<LocalSessions>,
    /// When an exceeded quota was told of last, microseconds; 0 for never.
    quota_told_us: AtomicU64,
    /// Goes up whenever the members of the ensemble, or what is pending, may have changed.
    reconfigured: watch::Sender<u64>,
    metrics: Arc<Metrics>,
    /// The last snapshot of this server.
    pub last_snapshot: Arc<LastSnapshot>,
    /// Where the last write went; a leaf, and only who applies takes it.
    recent_write: Mutex<Recent>,
    /// ZooKeeper's digests of recent states; a leaf.
    digests: Mutex<VecDeque<(Zxid, u64)>>,
}

impl Replica {
    /// A replica of `tree` that proposes on `lane`.
    #[cfg(test)]
    pub fn new(settings: Settings, tree: Tree, lane: Lane) -> Replica {
        Replica::counting(settings, tree, lane, Arc::default())
    }

    /// A replica of `tree` that proposes on `lane` and counts in `metrics`.
    pub fn counting(settings: Settings, tree: Tree, lane: Lane, metrics: Arc<Metrics>) -> Replica {
        Replica {
            settings,
            tree: RwLock::new(tree),
            watches: Mutex::new(Watches::default()),
            connections: Mutex::new(HashMap::new()),
            lane: Mutex::new(lane),
            witnesses: Vec::new(),
            outstanding: AtomicUsize::new(0),
            large_bytes: AtomicUsize::new(0),
            local: Mutex::default(),
            quota_told_us: AtomicU64::new(0),
            reconfigured: watch::Sender::new(0),
            metrics,
            last_snapshot: Arc::default(),
            recent_write: Mutex::default(),
            digests: Mutex::default(),
        }
    }

    /// Tells `witness` of everything that is applied from now on.
    pub fn seen_by(mut self, witness: Arc<dyn Witness>) -> Replica {
        self.witnesses.push(witness);
        self
    }

    /// The tree as it is now. Writers wait as long as the guard lives.
    pub fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read()
    }

    /// Whether the tree can be read within `limit`. Blocks.
    pub fn is_readable(&self, limit: Duration) -> bool {
        self.tree.try_read_for(limit).is_some()
    }

    /// A consistent view that does not hold anybody up: one pointer copy.
    pub fn view(&self) -> Tree {
        self.tree.read().clone()
    }

    /// The zxid of the last change applied here.
    pub fn last_zxid(&self) -> Zxid {
        self.tree.read().last_zxid()
    }

    /// Replaces everything by the tree of a snapshot and gives back what was there, which takes a
    /// while to drop. Events were skipped, so every connection ends: its client comes back with
    /// its last zxid and sets its watches again.
    pub fn install(&self, tree: Tree) -> Tree {
        let mut present = self.tree.write();
        // Ended before anybody can read the new tree, or a reply would show what no event told.
        for connection in self.connections() {
            connection.end(Ending::SnapshotInstalled);
        }
        for witness in &self.witnesses {
            witness.skipped(present.last_zxid(), tree.last_zxid());
        }
        self.forget_digests();
        let old = std::mem::replace(&mut *present, tree);
        self.reconfigured.send_modify(|changes| *changes += 1);
        old
    }

    /// Tells when the members of the ensemble, or what is pending, may have changed.
    pub fn watch_configuration(&self) -> watch::Receiver<u64> {
        self.reconfigured.subscribe()
    }

    /// Takes in a connection whose handshake has been received.
    pub fn connect(&self, connection: Arc<Connection>) {
        self.metrics.count(Count::PacketsReceived);
        connection.traffic.received.fetch_add(1, Ordering::Relaxed);
        self.connections.lock().insert(connection.id(), connection);
    }

    /// The connection is over: its watches and waiting requests are forgotten.
    pub fn disconnect(&self, connection: &Connection) {
        let (unanswered, large_bytes) = connection.lock().clear();
        self.outstanding.fetch_sub(unanswered, Ordering::Relaxed);
        self.large_bytes.fetch_sub(large_bytes, Ordering::Relaxed);
        self.watches.lock().forget(connection.id());
        self.connections.lock().remove(&connection.id());
    }

    /// One of this server's connections, if it is still there.
    pub fn connection(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        self.connections.lock().get(&id).cloned()
    }

    /// Everybody connected now, oldest first.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        let mut all = self
            .connections
            .lock()
            .values()
            .cloned()
            .collect::<Vec<_>>();
        all.sort_by_key(|connection| connection.id());
        all
    }

    /// A client says it owns `session`: any other connection of this server that is attached to
    /// it ends, before its password is even looked at, as in ZooKeeper.
    pub fn drop_attached(&self, session: SessionId) {
        let tree = self.tree.read();
        let origin = tree
            .sessions()
            .get(&session)
            .and_then(|session| session.origin);
        drop(tree);
        let here = origin.filter(|origin| origin.server == self.lane().server);
        if let Some(connection) = here.and_then(|origin| self.connection(origin.connection)) {
            connection.end(Ending::Reconnected);
        }
    }

    /// Watches in both tables.
    pub fn watch_count(&self) -> usize {
        self.watches.lock().count()
    }

    /// A page of the data table of watches, in the order of their paths: at most `max` paths after
    /// `after`, each with who watches it. In pieces, so that nobody waits for the whole.
    pub fn watched_after(
        &self,
        after: Option<&str>,
        max: usize,
    ) -> Vec<(Box<str>, Vec<ConnectionId>)> {
        self.watches.lock().data_after(after, max)
    }

    /// Requests that are not answered yet, of all connections.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// A request has been answered.
    fn answered(&self, large_bytes: usize) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        if large_bytes > 0 {
            self.large_bytes.fetch_sub(large_bytes, Ordering::Relaxed);
        }
    }

    /// The lane this server proposes on.
    pub fn lane(&self) -> Lane {
        *self.lane.lock()
    }

    /// Proposes on another lane from now on: an earlier life of this server used a later number.
    pub fn set_lane(&self, lane: Lane) {
        *self.lane.lock() = lane;
    }

    /// Whether writes that need room are refused now.
    pub fn space_is_low(&self) -> bool {
        self.settings.space_is_low.load(Ordering::Acquire)
    }
}

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
//! Lock order: tree, then one connection, then watches. The table of connections is a leaf: no
//! other lock is taken under it. No lock is held across an await; there is none here.

mod apply;
mod authentication;
mod connection;
mod requests;
#[cfg(test)]
mod tests;
mod watching;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::sync::watch;

use crate::proto::ConnectionId;
use crate::proto::{SessionId, Zxid};
use crate::tree::{Lane, Rules, Tree};
use crate::watch::Watches;

pub use apply::Progress;
pub use authentication::DigestSettings;
pub use connection::{Connection, Ending, Handshake, Traffic};
pub use requests::Effects;

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
    /// Requests that are not answered yet, of all connections.
    outstanding: AtomicUsize,
    /// Goes up whenever the members of the ensemble, or what is pending, may have changed.
    reconfigured: watch::Sender<u64>,
    /// What the operator's counters show.
    pub traffic: Traffic,
}

impl Replica {
    /// A replica of `tree` that proposes on `lane`.
    pub fn new(settings: Settings, tree: Tree, lane: Lane) -> Replica {
        Replica {
            settings,
            tree: RwLock::new(tree),
            watches: Mutex::new(Watches::default()),
            connections: Mutex::new(HashMap::new()),
            lane: Mutex::new(lane),
            outstanding: AtomicUsize::new(0),
            reconfigured: watch::Sender::new(0),
            traffic: Traffic::default(),
        }
    }

    /// The tree as it is now. Writers wait as long as the guard lives.
    pub fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.tree.read()
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
        self.traffic.received.fetch_add(1, Ordering::Relaxed);
        connection.traffic.received.fetch_add(1, Ordering::Relaxed);
        self.connections.lock().insert(connection.id(), connection);
    }

    /// The connection is over: its watches and waiting requests are forgotten.
    pub fn disconnect(&self, connection: &Connection) {
        let unanswered = connection.lock().clear();
        self.outstanding.fetch_sub(unanswered, Ordering::Relaxed);
        self.watches.lock().forget(connection.id());
        self.connections.lock().remove(&connection.id());
        let sent = connection.traffic.sent.load(Ordering::Relaxed);
        self.traffic.sent.fetch_add(sent, Ordering::Relaxed);
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

    /// Requests that are not answered yet, of all connections.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
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

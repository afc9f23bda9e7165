//! The replicated state and what every server does with it alike: znodes, ACLs, sessions, quotas,
//! lanes, the members of the ensemble and the last zxid.
//!
//! What lives here: the log's drafts and batches (`proposal`), their execution (`apply`, `write`,
//! `multi`, `reconfig`), reads, ACLs and what each operation needs of them (`authorization`), quotas,
//! the reaper's candidates, the image of a whole tree as bytes, its rebuilding from what ZooKeeper
//! stored (`stored`), and how another tree takes its place (`replace`).
//! What does not: who watches (`apply` says what happened, never who listens), where bytes are
//! kept, when a proposal is committed.
//!
//! Invariants: silent and deterministic: the same proposals in the same order make equal digests
//! everywhere; `apply` is total; a clone is O(1) and keeps showing the state of its moment; no
//! path is deeper than `proto::path::DEPTH_MAX`.

pub mod acl;
mod apply;
mod authorization;
mod children;
mod digest;
pub mod image;
mod multi;
mod proposal;
mod quota;
mod read;
mod reaper;
mod reconfig;
mod replace;
pub mod stored;
mod trace;
mod write;
mod znode;

#[cfg(test)]
mod stage;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::proto::{Acl, Id, ServerId, Stat, Zxid, perms};
use crate::session::Table;
use crate::tree::acl::{AclId, AclTable};
use crate::tree::znode::Znode;

pub use apply::{Answering, Applied, Event, SessionChange};
pub use proposal::{Batch, Draft, Lane, Proposals, Rules, Run};
pub use quota::{Exceeded, Quota};
pub use reconfig::{Asker, CONFIG_PATH, Configuration, Pending, Refusal, Wish, voters};
pub use replace::{IMAGE_BYTES_MAX, Replaced, ZXID_MAX};
pub use trace::{Shape, Trace, Traces, Tracing, Value};
pub use znode::Kind;

/// Whether a lane's number is the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is: execute it.
    Next,
    /// It was executed before, or comes from an earlier life of its server: drop it.
    Repeat,
    /// Numbers before it are missing: refuse it.
    Gap,
}

/// The whole replicated state.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Arc<Znode>,
    acls: AclTable,
    sessions: Table,
    /// Each server's present life and the last number executed of it.
    lanes: OrdMap<ServerId, (u64, u64)>,
    /// Paths with an active quota: those with limits under `/zookeeper/quota`.
    quotas: OrdSet<Arc<str>>,
    /// Paths of containers and TTL znodes.
    reapables: OrdSet<Arc<str>>,
    configuration: Arc<Configuration>,
    /// Another tree on its way here.
    arriving: Option<Arc<replace::Arriving>>,
    replaced: Replaced,
    znodes: usize,
    bytes: u64,
    /// ZooKeeper's digest of the znodes.
    sum: u64,
    last_zxid: Zxid,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

impl Tree {
    /// A fresh tree: the root and the three znodes of `/zookeeper`.
    pub fn new() -> Tree {
        let mut tree = Tree::with_root(Znode::system("", AclId::OPEN));
        let readable = tree.acls.acquire(&[Acl {
            perms: perms::READ,
            id: Id::new("world", "anyone"),
        }]);
        let mut config = Znode::system("config", readable);
        config.aversion = -1;
        let root = Arc::make_mut(&mut tree.root);
        let mut zookeeper = Znode::system("zookeeper", AclId::OPEN);
        zookeeper.adopt(Znode::system("quota", AclId::OPEN));
        zookeeper.adopt(config);
        root.adopt(zookeeper);
        for path in ["/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            tree.count_in(path, 0);
        }
        tree.measure_digest();
        tree
    }

    /// Computes ZooKeeper's digest from scratch: of a tree that was not made by changes.
    fn measure_digest(&mut self) {
        self.sum = digest::of_all(&self.root);
    }

    fn with_root(root: Znode) -> Tree {
        Tree {
            root: Arc::new(root),
            acls: AclTable::new(),
            sessions: Table::new(),
            lanes: OrdMap::new(),
            quotas: OrdSet::new(),
            reapables: OrdSet::new(),
            configuration: Arc::default(),
            arriving: None,
            replaced: Replaced::default(),
            znodes: 1,
            bytes: 1,
            sum: 0,
            last_zxid: Zxid(0),
        }
    }

    /// Whether a lane's number is the next to execute. Changes nothing.
    pub fn admit(&self, lane: Lane, number: u64) -> Admission {
        let (boot, last) = match self.lane(lane.server) {
            Some((boot, last)) if boot >= lane.boot => (boot, last),
            _ => (lane.boot, 0),
        };
        if lane.boot < boot || number <= last {
            Admission::Repeat
        } else if number - last == 1 {
            Admission::Next
        } else {
            Admission::Gap
        }
    }

    /// A server's present life and the last number executed of it.
    pub fn lane(&self, server: ServerId) -> Option<(u64, u64)> {
        self.lanes.get(&server).copied()
    }

    /// The zxid of the last change.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// A znode's metadata. The empty path is the root, as for a real server's reads.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        self.root.find(path).map(Znode::stat)
    }

    /// A znode's access control list.
    pub fn acl(&self, path: &str) -> Option<Arc<[Acl]>> {
        let znode = self.root.find(path)?;
        Some(self.acls.get(znode.acl).clone())
    }

    /// The distinct access control lists in use, without the open one.
    pub fn acl_lists(&self) -> impl Iterator<Item = &Arc<[Acl]>> {
        self.acls.lists().map(|(_, list)| list)
    }

    /// All sessions.
    pub fn sessions(&self) -> &Table {
        &self.sessions
    }

    /// Znodes, the root twice: ZooKeeper keeps it under two names.
    pub fn node_count(&self) -> usize {
        self.znodes + 1
    }

    /// Lengths of all paths and data together.
    pub fn approximate_data_size(&self) -> u64 {
        self.bytes
    }

    /// Ephemerals of all sessions together.
    pub fn ephemerals_count(&self) -> usize {
        self.sessions.ephemerals_count()
    }

    /// A number over everything replicated: two states are equal iff their digests are (but for
    /// one chance in 2^64). Walks the whole tree.
    pub fn digest(&self) -> u64 {
        image::digest(self.clone())
    }

    /// ZooKeeper's digest of the znodes, which `hash` shows. Costs nothing: every change keeps it.
    pub fn zookeeper_digest(&self) -> u64 {
        self.sum
    }

    /// Counts a znode that came.
    fn count_in(&mut self, path: &str, data_bytes: usize) {
        self.znodes += 1;
        self.bytes += path_units(path) + data_bytes as u64;
    }

    /// Counts a znode that went.
    fn count_out(&mut self, path: &str, data_bytes: usize) {
        self.znodes -= 1;
        self.bytes -= path_units(path) + data_bytes as u64;
    }

    /// Counts data that took the place of other data.
    fn count_data(&mut self, bytes_before: usize, bytes_after: usize) {
        self.bytes = self.bytes - bytes_before as u64 + bytes_after as u64;
    }

    /// Puts a znode into the index of its kind.
    fn index(&mut self, path: &str, kind: Kind) {
        match kind {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => {
                self.sessions.add_ephemeral(session, path);
            }
            Kind::Container | Kind::Ttl(_) => {
                self.reapables.insert(path.into());
            }
        }
    }

    /// Takes a znode out of the index of its kind.
    fn unindex(&mut self, path: &str, kind: Kind) {
        match kind {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => {
                self.sessions.remove_ephemeral(session, path);
            }
            Kind::Container | Kind::Ttl(_) => {
                self.reapables.remove(path);
            }
        }
    }
}

/// ZooKeeper counts a path's UTF-16 units; no valid path has a character of two.
fn path_units(path: &str) -> u64 {
    path.chars().count() as u64
}

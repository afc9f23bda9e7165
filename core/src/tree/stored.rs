//! A tree as another program's files hold it: znodes with every stored field, in and out, and the
//! changes of a log replayed on top of them.
//!
//! What lives here: [`Rebuild`], which makes a tree of stored znodes and of recorded changes, and
//! [`Tree::stored`], the way back. What does not: how files spell any of it; see
//! `zookeeper_files`.
//!
//! A recorded change says what came of a request, so nothing is checked or refused here. A snapshot
//! may already show changes that the log repeats; the rules below make the repetition harmless.
//! Source: `DataTree.processTxn`, `FileTxnSnapLog`, reference/file-formats.md §3.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::proto::path::{self, DEPTH_MAX};
use crate::proto::{Acl, PASSWORD_BYTES, SessionId, Zxid};
use crate::session::{Scope, Session};
use crate::tree::acl::AclId;
use crate::tree::apply::Change;
use crate::tree::digest;
use crate::tree::image::Walk;
use crate::tree::znode::{Kind, Owner, Znode};
use crate::tree::{Rules, Traces, Tree};

/// The fields of a znode that Apache ZooKeeper stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredStat {
    /// zxid of its creation.
    pub czxid: i64,
    /// zxid of the last change of its data.
    pub mzxid: i64,
    /// Creation time, milliseconds since 1970.
    pub ctime_ms: i64,
    /// Time of the last change of its data, milliseconds since 1970.
    pub mtime_ms: i64,
    /// Changes of its data.
    pub version: i32,
    /// Children ever created: not what a client is shown as cversion.
    pub created: i32,
    /// Changes of its ACL.
    pub aversion: i32,
    /// 0, the session of an ephemeral, or the mark of a container or TTL znode.
    pub owner: i64,
    /// zxid of the last creation or deletion of a child.
    pub pzxid: i64,
}

/// Why stored znodes are not a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// A znode cannot stand where it wants to.
    #[error("{path}: {what}")]
    Znode {
        /// Its path.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A session cannot be.
    #[error("session {0} is there twice, or has an id that no session has")]
    Session(SessionId),
}

/// A recorded creation of a znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// Its full path.
    pub path: String,
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// Its access control list.
    pub acl: Vec<Acl>,
    /// As [`StoredStat::owner`].
    pub owner: i64,
    /// The parent's count of creations behind it; `None` when the record is too old to say.
    pub parent_created: Option<i32>,
    /// Whether the parent's history is raised when the znode is there already.
    pub raises_parent: bool,
}

/// A recorded change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// A session began.
    OpenSession {
        /// Silence that ends it, milliseconds.
        timeout_ms: i32,
    },
    /// A session ended.
    CloseSession {
        /// What it owned, as far as the record says.
        paths: Vec<String>,
    },
    /// A znode came.
    Create(Creation),
    /// A znode went.
    Delete {
        /// Its path.
        path: String,
    },
    /// Data was replaced.
    SetData {
        /// Whose.
        path: String,
        /// The new data.
        data: Option<Vec<u8>>,
        /// The new version.
        version: i32,
    },
    /// An access control list was replaced.
    SetAcl {
        /// Whose.
        path: String,
        /// The new list.
        acl: Vec<Acl>,
        /// The new version of it.
        aversion: i32,
    },
}

/// When a change was made, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Its zxid.
    pub zxid: i64,
    /// Its time, milliseconds since 1970.
    pub time_ms: i64,
    /// The session that wanted it.
    pub session: i64,
}

/// What [`Rebuild::finish`] had to put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Ephemerals of sessions that do not exist, which were deleted.
    pub orphans: usize,
}

/// Makes a tree of stored znodes, then of recorded changes.
///
/// Order of calls: [`Rebuild::session`] and [`Rebuild::znode`] as the snapshot has them, parents
/// before children; [`Rebuild::replay`] in the log's order; [`Rebuild::finish`].
#[derive(Debug)]
pub struct Rebuild {
    tree: Tree,
    has_root: bool,
    sessions: BTreeMap<i64, i32>,
    owned: BTreeMap<i64, BTreeSet<String>>,
    /// Znodes whose access control list only a recorded change can tell.
    awaiting_acl: BTreeSet<String>,
    znodes: u64,
    digest: u64,
}

impl Default for Rebuild {
    fn default() -> Rebuild {
        Rebuild::new()
    }
}

impl Rebuild {
    /// Expects the sessions and the root.
    pub fn new() -> Rebuild {
        Rebuild {
            tree: Tree::with_root(Znode::system("", AclId::OPEN)),
            has_root: false,
            sessions: BTreeMap::new(),
            owned: BTreeMap::new(),
            awaiting_acl: BTreeSet::new(),
            znodes: 0,
            digest: 0,
        }
    }

    /// A state without a snapshot: what an Apache ZooKeeper of today begins with.
    pub fn fresh() -> Rebuild {
        let mut rebuild = Rebuild::new();
        rebuild.tree = Tree::new();
        rebuild.has_root = true;
        rebuild.znodes = 4;
        for path in ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            rebuild.digest = rebuild.digest.wrapping_add(rebuild.digest_of(path));
        }
        rebuild
    }

    /// Adds a session.
    pub fn session(&mut self, id: i64, timeout_ms: i32) {
        self.sessions.insert(id, timeout_ms);
    }

    /// Znodes so far.
    pub fn znodes(&self) -> u64 {
        self.znodes
    }

    /// Sessions so far.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// ZooKeeper's number over all znodes, ACLs left out.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Adds a znode with everything that was stored of it. The root is the empty path and comes
    /// first.
    pub fn znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        stat: &StoredStat,
    ) -> Result<(), StoredError> {
        let fail = |what| StoredError::Znode {
            path: path.to_owned(),
            what,
        };
        let is_root = path.is_empty();
        if is_root == self.has_root {
            return Err(fail("the root must stand first, and once"));
        }
        let (parent_path, name) = match is_root {
            true => ("", ""),
            false => split_stored(path).map_err(fail)?,
        };
        let acl = self.tree.acls.acquire(acl);
        let znode = make(name, data, acl, stat);
        let part = digest::of(path, &znode);
        if is_root {
            self.tree.root = Arc::new(znode);
            self.has_root = true;
        } else {
            let parent = Arc::make_mut(&mut self.tree.root).find_mut(parent_path);
            let parent = parent.ok_or_else(|| fail("a znode without its parent"))?;
            if !parent.adopt(znode) {
                return Err(fail("a znode twice"));
            }
        }
        self.own(path, stat.owner);
        self.znodes += 1;
        self.digest = self.digest.wrapping_add(part);
        Ok(())
    }

    /// Adds a znode whose access control list the snapshot does not have: it was created, or its list
    /// set, while the snapshot was written. The change that did so must be replayed.
    pub fn znode_awaiting_acl(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        stat: &StoredStat,
    ) -> Result<(), StoredError> {
        self.znode(path, data, &[Acl::open()], stat)?;
        self.awaiting_acl.insert(path.to_owned());
        Ok(())
    }

    /// Carries out one recorded change.
    pub fn replay(&mut self, at: &At, change: &Recorded) -> Result<(), StoredError> {
        match change {
            Recorded::OpenSession { timeout_ms } => {
                self.sessions.insert(at.session, *timeout_ms);
            }
            Recorded::CloseSession { paths } => self.close(at, paths),
            Recorded::Create(creation) => self.create(at, creation)?,
            Recorded::Delete { path } => self.delete(path, at.zxid),
            Recorded::SetData {
                path,
                data,
                version,
            } => self.alter(path, |znode| {
                znode.set_data(data.as_deref());
                znode.version = *version;
                znode.mzxid = Zxid(at.zxid);
                znode.mtime_ms = at.time_ms;
            }),
            Recorded::SetAcl {
                path,
                acl,
                aversion,
            } => {
                self.set_acl(path, acl);
                self.alter(path, |znode| znode.aversion = *aversion);
            }
        }
        Ok(())
    }

    fn create(&mut self, at: &At, creation: &Creation) -> Result<(), StoredError> {
        let path = &*creation.path;
        let fail = |what| StoredError::Znode {
            path: path.to_owned(),
            what,
        };
        let (parent_path, name) = split_stored(path).map_err(fail)?;
        let Some(parent) = self.tree.root.find(parent_path) else {
            return Ok(());
        };
        let is_there = parent.child(name).is_some();
        if !is_there || creation.raises_parent {
            self.alter(parent_path, |parent| {
                let created = creation
                    .parent_created
                    .unwrap_or_else(|| parent.created().saturating_add(1));
                if created > parent.created() {
                    parent.remember(created, Zxid(at.zxid));
                }
            });
        }
        if is_there {
            self.set_acl(path, &creation.acl);
            return Ok(());
        }
        let stat = StoredStat {
            czxid: at.zxid,
            mzxid: at.zxid,
            pzxid: at.zxid,
            ctime_ms: at.time_ms,
            mtime_ms: at.time_ms,
            owner: creation.owner,
            ..StoredStat::default()
        };
        self.znode(path, creation.data.as_deref(), &creation.acl, &stat)
    }

    /// Takes out a znode and whatever is below it: a snapshot may show children that were created
    /// after a deletion which the log is about to repeat; the log creates them again.
    fn delete(&mut self, path: &str, zxid: i64) {
        let Some((parent_path, name)) = path::split(path) else {
            return;
        };
        let mut gone = Vec::new();
        if let Some(znode) = self.tree.root.find(path).filter(|_| !name.is_empty()) {
            collect(path, znode, &mut gone);
        }
        for (path, owner, acl) in gone {
            self.digest = self.digest.wrapping_sub(self.digest_of(&path));
            self.disown(&path, owner);
            self.awaiting_acl.remove(&path);
            self.tree.acls.release(acl);
            self.znodes -= 1;
        }
        self.alter(parent_path, |parent| {
            parent.bury(name, Zxid(zxid));
            let pzxid = parent.pzxid().max(Zxid(zxid));
            parent.remember(parent.created(), pzxid);
        });
    }

    fn close(&mut self, at: &At, paths: &[String]) {
        for path in paths {
            self.delete(path, at.zxid);
        }
        for path in self.owned.remove(&at.session).unwrap_or_default() {
            self.delete(&path, at.zxid);
        }
        self.sessions.remove(&at.session);
    }

    fn set_acl(&mut self, path: &str, acl: &[Acl]) {
        let Some(before) = self.tree.root.find(path).map(|znode| znode.acl) else {
            return;
        };
        let acl = self.tree.acls.acquire(acl);
        self.alter(path, |znode| znode.acl = acl);
        self.tree.acls.release(before);
        self.awaiting_acl.remove(path);
    }

    /// Changes a znode if it is there, and the digest with it.
    fn alter(&mut self, path: &str, change: impl FnOnce(&mut Znode)) {
        let before = self.digest_of(path);
        let Some(znode) = Arc::make_mut(&mut self.tree.root).find_mut(path) else {
            return;
        };
        change(znode);
        let after = self.digest_of(path);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
    }

    fn digest_of(&self, path: &str) -> u64 {
        let znode = self.tree.root.find(path);
        znode.map_or(0, |znode| digest::of(path, znode))
    }

    fn own(&mut self, path: &str, owner: i64) {
        if let Kind::Ephemeral(session) = Owner(owner).kind() {
            let owned = self.owned.entry(session.0).or_default();
            owned.insert(path.to_owned());
        }
    }

    fn disown(&mut self, path: &str, owner: i64) {
        if let Some(owned) = self.owned.get_mut(&owner) {
            owned.remove(path);
        }
    }

    /// The tree as of `last_zxid`. Ephemerals of sessions that do not exist are deleted at that
    /// zxid, as ZooKeeper does after loading; usage below quotas is measured anew; the znodes of
    /// `/zookeeper` that are missing are added. `password` is what a client of a session shows.
    pub fn finish(
        mut self,
        last_zxid: i64,
        password: impl Fn(i64) -> [u8; PASSWORD_BYTES],
    ) -> Result<(Tree, Mended), StoredError> {
        let mut mended = Mended::default();
        let sessions = &self.sessions;
        let orphans = self.owned.iter();
        let orphans = orphans.filter(|(owner, _)| !sessions.contains_key(owner));
        let orphans = orphans.flat_map(|(_, paths)| paths.iter().cloned());
        for path in orphans.collect::<Vec<_>>() {
            self.delete(&path, last_zxid);
            mended.orphans += 1;
        }
        self.check()?;
        self.add_system_znodes()?;
        let mut tree = self.tree;
        for (id, timeout_ms) in self.sessions {
            let session = SessionId(id);
            let usable = Owner(id).kind() == Kind::Ephemeral(session);
            let value = Session::new(timeout_ms, password(id), None);
            if !usable || !tree.sessions.insert(session, value) {
                return Err(StoredError::Session(session));
            }
        }
        tree.last_zxid = Zxid(last_zxid);
        tree.count_and_index();
        tree.measure_digest();
        Ok((tree, mended))
    }

    /// What only the end of the replay can tell: a snapshot that was written while changes went on
    /// may show an ephemeral where the log still creates children of what it replaced.
    fn check(&self) -> Result<(), StoredError> {
        let wrong = |path: &str, what| {
            let path = path.to_owned();
            Err(StoredError::Znode { path, what })
        };
        if let Some(path) = self.awaiting_acl.first() {
            return wrong(
                path,
                "its ACL is not in the snapshot, and no transaction behind it has one",
            );
        }
        let is_parent = |path: &&String| {
            let znode = self.tree.root.find(path);
            znode.is_some_and(|znode| znode.children_count() > 0)
        };
        match self.owned.values().flatten().find(is_parent) {
            Some(path) => wrong(path, "an ephemeral with children"),
            None => Ok(()),
        }
    }

    fn add_system_znodes(&mut self) -> Result<(), StoredError> {
        let fresh = Tree::new();
        for path in ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            if let (None, Some(znode)) = (self.found(path), fresh.root.find(path)) {
                let acl = fresh.acls.get(znode.acl);
                self.znode(path, znode.data(), acl, &stat_of(znode))?;
            }
        }
        Ok(())
    }

    fn found(&self, path: &str) -> Option<&Znode> {
        self.tree.root.find(path).filter(|_| self.has_root)
    }
}

impl Tree {
    /// The same without sessions and what they own, gone as of the last zxid.
    pub fn without_sessions(mut self) -> Tree {
        let sessions = self.sessions.iter().map(|(id, _)| id);
        for session in sessions.collect::<Vec<_>>() {
            let paths = self.sessions.ephemerals(session).map(str::to_owned);
            for path in paths.collect::<Vec<_>>() {
                let mut change = self.change_again();
                self.remove(&mut change, &path);
            }
            self.sessions.remove(session);
        }
        self
    }

    /// A change as of the last zxid, which it takes a second time.
    fn change_again(&self) -> Change<'static> {
        Change {
            zxid: self.last_zxid,
            stamp_ms: 0,
            session: SessionId(0),
            scope: Scope::Global,
            rules: Rules::default(),
            identities: &[],
            events: Vec::new(),
            before_multi: None,
            traces: Traces::default(),
        }
    }

    /// Sets everything that follows from the znodes. Counters and indexes must be those of an
    /// empty tree.
    fn count_and_index(&mut self) {
        (self.znodes, self.bytes) = (1, 1);
        for stored in self.clone().stored() {
            let bytes = stored.znode.data_bytes();
            if stored.path.is_empty() {
                self.count_data(0, bytes);
                continue;
            }
            self.count_in(&stored.path, bytes);
            self.index(&stored.path, stored.znode.kind());
            self.activate_quota(&stored.path);
        }
        self.measure_quotas();
    }

    /// Every znode with all that is stored of it, parents before children. Owns what it walks.
    pub fn stored(self) -> impl Iterator<Item = Stored> + Send {
        let mut path = String::new();
        let mut ends = Vec::new();
        Walk::new(self.root.clone()).map(move |(depth, znode)| {
            ends.truncate(depth);
            path.truncate(ends.last().copied().unwrap_or(0));
            if depth > 0 {
                path.push('/');
                path.push_str(znode.name());
            }
            ends.push(path.len());
            Stored {
                acl: self.acls.get(znode.acl).clone(),
                path: path.clone(),
                znode,
            }
        })
    }
}

/// One znode with all that is stored of it.
#[derive(Debug)]
pub struct Stored {
    /// Its path; empty for the root.
    pub path: String,
    /// Its access control list; one allocation for all znodes that have the same.
    pub acl: Arc<[Acl]>,
    znode: Arc<Znode>,
}

impl Stored {
    /// Its data.
    pub fn data(&self) -> Option<&[u8]> {
        self.znode.data()
    }

    /// Its metadata.
    pub fn stat(&self) -> StoredStat {
        stat_of(&self.znode)
    }

    /// Its part in ZooKeeper's digest of a tree.
    pub fn digest(&self) -> u64 {
        digest::of(&self.path, &self.znode)
    }
}

/// Whether a stored owner is that of a container or a TTL znode.
pub fn is_extended(owner: i64) -> bool {
    matches!(Owner(owner).kind(), Kind::Container | Kind::Ttl(_))
}

fn make(name: &str, data: Option<&[u8]>, acl: AclId, stat: &StoredStat) -> Znode {
    let owner = Owner(stat.owner);
    let czxid = Zxid(stat.czxid);
    let mut znode = Znode::new(name, czxid, stat.ctime_ms, owner.kind(), data, acl);
    znode.owner = owner;
    znode.mzxid = Zxid(stat.mzxid);
    znode.mtime_ms = stat.mtime_ms;
    znode.version = stat.version;
    znode.aversion = stat.aversion;
    znode.remember(stat.created, Zxid(stat.pzxid));
    znode
}

fn stat_of(znode: &Znode) -> StoredStat {
    StoredStat {
        czxid: znode.czxid.0,
        mzxid: znode.mzxid.0,
        ctime_ms: znode.ctime_ms,
        mtime_ms: znode.mtime_ms,
        version: znode.version,
        created: znode.created(),
        aversion: znode.aversion,
        owner: znode.owner.0,
        pzxid: znode.pzxid().0,
    }
}

/// Parent and name of a path that a znode of ours can have.
fn split_stored(path: &str) -> Result<(&str, &str), &'static str> {
    let (parent, name) = path::split(path).ok_or("a path without a slash")?;
    if matches!(name, "" | "." | "..") || name.contains('\0') || !path.starts_with('/') {
        return Err("a name that no znode has");
    }
    if path.matches('/').count() > DEPTH_MAX {
        return Err("more components than a path may have here (400)");
    }
    Ok((parent, name))
}

fn collect(path: &str, znode: &Znode, out: &mut Vec<(String, i64, AclId)>) {
    let mut ahead = vec![(path.to_owned(), znode)];
    while let Some((path, znode)) = ahead.pop() {
        let below = znode.children();
        ahead.extend(below.map(|child| (format!("{path}/{}", child.name()), &**child)));
        out.push((path, znode.owner.0, znode.acl));
    }
}

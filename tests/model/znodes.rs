//! The model: ZooKeeper's data tree as one map from path to znode, and what reads of it answer.
//!
//! Everything is recomputed from the map whenever it is wanted. The only aim is to be obviously
//! what the reference says.

use std::collections::BTreeMap;

use zoowarden::proto::{
    Acl, Code, Id, PASSWORD_BYTES, ReadOp, ReadOutcome, Reply, Request, ServerId, SessionId, Stat,
    perms,
};
use zoowarden::session::Origin;

use crate::acl;

pub(crate) const QUOTA: &str = "/zookeeper/quota";
pub(crate) const SYSTEM: [&str; 4] = ["/", "/zookeeper", QUOTA, "/zookeeper/config"];

/// What becomes of a znode by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Persistent,
    Ephemeral(SessionId),
    Container,
    Ttl(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct ModelZnode {
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) acl: Vec<Acl>,
    pub(crate) kind: Kind,
    pub(crate) czxid: i64,
    pub(crate) mzxid: i64,
    pub(crate) pzxid: i64,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
    pub(crate) aversion: i32,
    /// Children ever created; what sequence numbers are made of.
    pub(crate) created: i32,
}

impl ModelZnode {
    pub(crate) fn new(data: Option<&[u8]>, acl: Vec<Acl>, kind: Kind, zxid: i64, ms: i64) -> Self {
        ModelZnode {
            data: data.map(<[u8]>::to_vec),
            acl,
            kind,
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: ms,
            mtime: ms,
            version: 0,
            aversion: 0,
            created: 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.data.as_ref().map_or(0, Vec::len)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelSession {
    pub(crate) timeout_ms: i32,
    pub(crate) password: [u8; PASSWORD_BYTES],
    pub(crate) origin: Option<Origin>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) znodes: BTreeMap<String, ModelZnode>,
    pub(crate) sessions: BTreeMap<SessionId, ModelSession>,
    /// Boot and last number of each server's lane.
    pub(crate) lanes: BTreeMap<ServerId, (u64, u64)>,
    pub(crate) last_zxid: i64,
}

impl Model {
    pub(crate) fn new() -> Model {
        let mut znodes = BTreeMap::new();
        for path in SYSTEM {
            let znode = ModelZnode::new(Some(b""), vec![Acl::open()], Kind::Persistent, 0, 0);
            znodes.insert(path.to_owned(), znode);
        }
        let config = znodes
            .get_mut("/zookeeper/config")
            .expect("is a system znode");
        config.acl[0].perms = perms::READ;
        config.aversion = -1;
        Model {
            znodes,
            sessions: BTreeMap::new(),
            lanes: BTreeMap::new(),
            last_zxid: 0,
        }
    }

    /// The znode of exactly this path; the empty path is another name of the root.
    pub(crate) fn znode(&self, path: &str) -> Result<&ModelZnode, Code> {
        let path = if path.is_empty() { "/" } else { path };
        self.znodes.get(path).ok_or(Code::NoNode)
    }

    pub(crate) fn descendants(&self, path: &str) -> Vec<&str> {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let below = |key: &&String| key.len() > prefix.len() && key.starts_with(&prefix);
        self.znodes
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(key, _)| key)
            .filter(below)
            .map(String::as_str)
            .collect()
    }

    /// Names of the direct children.
    pub(crate) fn children(&self, path: &str) -> Vec<&str> {
        let start = path.trim_end_matches('/').len() + 1;
        let names = self.descendants(path).into_iter().map(|key| &key[start..]);
        names.filter(|name| !name.contains('/')).collect()
    }

    pub(crate) fn stat(&self, path: &str) -> Result<Stat, Code> {
        let znode = self.znode(path)?;
        let num_children = self.children(path).len() as i32;
        Ok(Stat {
            czxid: znode.czxid,
            mzxid: znode.mzxid,
            ctime: znode.ctime,
            mtime: znode.mtime,
            version: znode.version,
            cversion: znode.created.wrapping_mul(2).wrapping_sub(num_children),
            aversion: znode.aversion,
            ephemeral_owner: match znode.kind {
                Kind::Ephemeral(session) => session.0,
                Kind::Persistent | Kind::Container | Kind::Ttl(_) => 0,
            },
            data_length: znode.bytes() as i32,
            num_children,
            pzxid: znode.pzxid,
        })
    }

    /// Paths of the ephemerals of a session, in order.
    pub(crate) fn ephemerals(&self, session: SessionId) -> Vec<&str> {
        let owned = self.znodes.iter();
        let owned = owned.filter(|(_, znode)| znode.kind == Kind::Ephemeral(session));
        owned.map(|(path, _)| path.as_str()).collect()
    }

    pub(crate) fn ephemerals_count(&self) -> usize {
        let is_ephemeral = |znode: &&ModelZnode| matches!(znode.kind, Kind::Ephemeral(_));
        self.znodes.values().filter(is_ephemeral).count()
    }

    /// ZooKeeper counts the root twice.
    pub(crate) fn node_count(&self) -> usize {
        self.znodes.len() + 1
    }

    pub(crate) fn data_size(&self) -> u64 {
        let sizes = self.znodes.iter();
        let sizes = sizes.map(|(path, znode)| path.len() + znode.bytes());
        sizes.sum::<usize>() as u64
    }

    /// Containers and TTL znodes that are due, in path order.
    pub(crate) fn reapable(&self, now_ms: i64, never_used_ms: i64) -> Vec<String> {
        let is_due = |path: &String| {
            let znode = &self.znodes[path];
            let age_ms = now_ms - znode.mtime;
            self.children(path).is_empty()
                && match znode.kind {
                    Kind::Container if znode.created > 0 => true,
                    Kind::Container => never_used_ms > 0 && age_ms > never_used_ms,
                    Kind::Ttl(ttl_ms) => age_ms > ttl_ms,
                    Kind::Persistent | Kind::Ephemeral(_) => false,
                }
        };
        let paths = self.znodes.keys().filter(|path| is_due(path));
        paths.cloned().collect()
    }
}

/// Who reads.
#[derive(Clone, Debug)]
pub(crate) struct ReaderOf {
    pub(crate) session: SessionId,
    pub(crate) identities: Vec<Id>,
    pub(crate) skip_acl: bool,
}

impl Model {
    /// The answer to a read; lists are in order.
    pub(crate) fn read(&self, who: &ReaderOf, request: &Request<'_>) -> Result<Reply<'_>, Code> {
        let allowed = |path: &str, perm| {
            let znode = self.znode(path)?;
            acl::check(&znode.acl, &who.identities, perm, who.skip_acl).map(|()| znode)
        };
        Ok(match request {
            Request::Exists { path, .. } => {
                if path.contains('\0') {
                    return Err(Code::BadArguments);
                }
                allowed(path, perms::READ)?;
                Reply::Stat(self.stat(path)?)
            }
            Request::GetData { path, .. } => Reply::Data(
                allowed(path, perms::READ)?.data.as_deref(),
                self.stat(path)?,
            ),
            Request::GetAcl { path } => {
                let list = &allowed(path, perms::READ | perms::ADMIN)?.acl;
                let list = match allowed(path, perms::ADMIN) {
                    Ok(_) => list.clone(),
                    Err(_) => acl::redacted(list),
                };
                Reply::Acl(list, self.stat(path)?)
            }
            Request::GetChildren { path, .. } => {
                allowed(path, perms::READ)?;
                Reply::Children(self.children(path))
            }
            Request::GetChildren2 { path, .. } => {
                allowed(path, perms::READ)?;
                Reply::ChildrenWithStat(self.children(path), self.stat(path)?)
            }
            Request::GetAllChildrenNumber { path } => {
                allowed(path, perms::READ)?;
                Reply::Count(self.descendants(path).len() as i32)
            }
            Request::GetEphemerals { prefix } => {
                let prefix = prefix
                    .as_deref()
                    .filter(|p| !matches!(p.trim_matches(|c| c <= ' '), "" | "/"));
                let mut paths = self.ephemerals(who.session);
                paths.retain(|path| path.starts_with(prefix.unwrap_or("")));
                Reply::Ephemerals(paths)
            }
            Request::MultiRead(ops) => {
                Reply::MultiRead(ops.iter().map(|op| self.read_one(who, op)).collect())
            }
            _ => return Err(Code::Unimplemented),
        })
    }

    fn read_one(&self, who: &ReaderOf, op: &ReadOp<'_>) -> ReadOutcome<'_> {
        let request = match op {
            ReadOp::GetChildren { path } => Request::GetChildren {
                path: path.clone(),
                watch: false,
            },
            ReadOp::GetData { path } => Request::GetData {
                path: path.clone(),
                watch: false,
            },
        };
        match self.read(who, &request) {
            Ok(Reply::Children(names)) => {
                ReadOutcome::Children(names.into_iter().map(Into::into).collect())
            }
            Ok(Reply::Data(data, stat)) => ReadOutcome::Data(data, stat),
            Ok(reply) => unreachable!("neither children nor data: {reply:?}"),
            Err(code) => ReadOutcome::Failed(code),
        }
    }
}

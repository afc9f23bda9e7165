//! Reads: everything that leaves the state as it is.
//!
//! Source: `FinalRequestProcessor`. Nothing here checks a path's syntax: what is not the path of a
//! znode has none.

use crate::proto::{Code, Id, ReadOp, ReadOutcome, Reply, Request, SessionId, Stat, perms};
use crate::tree::Tree;
use crate::tree::acl::{allows, shown};
use crate::tree::znode::Znode;

/// Who reads.
#[derive(Clone, Copy)]
struct Reading<'t, 'i> {
    tree: &'t Tree,
    identities: &'i [Id],
    skip_acl: bool,
}

impl Tree {
    /// Answers exists, getData, getACL, getChildren, getChildren2, getEphemerals,
    /// getAllChildrenNumber and multiRead; anything else is Unimplemented here.
    pub fn read<'t>(
        &'t self,
        session: SessionId,
        request: &Request<'_>,
        identities: &[Id],
        skip_acl: bool,
    ) -> Result<Reply<'t>, Code> {
        let reading = Reading {
            tree: self,
            identities,
            skip_acl,
        };
        Ok(match request {
            Request::Exists { path, .. } => Reply::Stat(reading.exists(path)?),
            Request::GetData { path, .. } => {
                let znode = reading.find(path, perms::READ)?;
                Reply::Data(znode.data.as_deref(), znode.stat())
            }
            Request::GetAcl { path } => {
                let znode = reading.find(path, perms::READ | perms::ADMIN)?;
                let list = self.acls.get(znode.acl);
                Reply::Acl(shown(list, identities, skip_acl), znode.stat())
            }
            Request::GetChildren { path, .. } => {
                Reply::Children(names(reading.find(path, perms::READ)?))
            }
            Request::GetChildren2 { path, .. } => {
                let znode = reading.find(path, perms::READ)?;
                Reply::ChildrenWithStat(names(znode), znode.stat())
            }
            Request::GetEphemerals { prefix } => {
                Reply::Ephemerals(self.ephemerals_below(session, prefix.as_deref()))
            }
            Request::GetAllChildrenNumber { path } => Reply::Count(reading.descendants(path)?),
            Request::MultiRead(ops) => {
                Reply::MultiRead(ops.iter().map(|op| reading.outcome(op)).collect())
            }
            _ => return Err(Code::Unimplemented),
        })
    }

    /// A session's ephemerals whose paths start with a prefix, which need not end at a name.
    fn ephemerals_below(&self, session: SessionId, prefix: Option<&str>) -> Vec<&str> {
        let prefix = match prefix {
            None | Some("/") => "",
            Some(blank) if blank.trim().is_empty() => "",
            Some(prefix) => prefix,
        };
        self.sessions
            .ephemerals(session)
            .filter(|path| path.starts_with(prefix))
            .collect()
    }
}

impl<'t> Reading<'t, '_> {
    fn find(self, path: &str, perm: i32) -> Result<&'t Znode, Code> {
        let znode = self.tree.root.find(path).ok_or(Code::NoNode)?;
        let list = self.tree.acls.get(znode.acl);
        if self.skip_acl || allows(list, self.identities, perm) {
            Ok(znode)
        } else {
            Err(Code::NoAuth)
        }
    }

    fn exists(self, path: &str) -> Result<Stat, Code> {
        if path.contains('\0') {
            return Err(Code::BadArguments);
        }
        self.find(path, perms::READ).map(Znode::stat)
    }

    /// Everything below a znode, not only its children.
    fn descendants(self, path: &str) -> Result<i32, Code> {
        let znode = self.find(path, perms::READ)?;
        let mut count = -1;
        if std::ptr::eq(znode, &raw const *self.tree.root) {
            count += self.tree.znodes as i32;
        } else {
            znode.descend(|_| count += 1);
        }
        Ok(count)
    }

    fn outcome(self, op: &ReadOp<'_>) -> ReadOutcome<'t> {
        let outcome = match op {
            ReadOp::GetChildren { path } => self
                .find(path, perms::READ)
                .map(|znode| ReadOutcome::Children(names(znode))),
            ReadOp::GetData { path } => self
                .find(path, perms::READ)
                .map(|znode| ReadOutcome::Data(znode.data.as_deref(), znode.stat())),
        };
        outcome.unwrap_or_else(ReadOutcome::Failed)
    }
}

fn names(znode: &Znode) -> Vec<&str> {
    let mut names = Vec::with_capacity(znode.children_count());
    names.extend(znode.children().map(|(name, _)| name));
    names
}

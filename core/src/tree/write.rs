//! create, delete, setData, setACL and check, with ZooKeeper's checks in ZooKeeper's order.
//!
//! Source: `PrepRequestProcessor`, `DataTree`. Each operation checks everything before it changes
//! anything.

use std::sync::Arc;

use crate::proto::path::{self, validate};
use crate::proto::{Acl, Code, Create, EventKind, OpCode, Stat, Zxid, perms};
use crate::tree::Tree;
use crate::tree::acl::{allows, fixup};
use crate::tree::apply::Change;
use crate::tree::znode::{Kind, TTL_MS_MAX, Znode};

/// Where an operation stands; a few rules of create differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A request of its own.
    Alone,
    /// Inside a multi.
    InMulti,
}

/// What kind of znode a create makes, and whether it appends a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mode {
    kind: Kind,
    sequential: bool,
}

impl Znode {
    /// A znode that was there before the first change.
    pub(super) fn system(acl: crate::tree::acl::AclId) -> Znode {
        Znode::new(Zxid(0), 0, Kind::Persistent, Some(&[]), acl)
    }
}

impl Tree {
    /// Creates a znode; gives its full path and its metadata.
    pub(super) fn create(
        &mut self,
        change: &mut Change<'_>,
        create: &Create<'_>,
        place: Place,
    ) -> Result<(String, Stat), Code> {
        let mode = mode(create, place, change)?;
        let (parent_path, _) = split(&create.path)?;
        let acl = fixup(create.acl.as_deref(), change.identities)?;
        let parent = self.root.find(parent_path).ok_or(Code::NoNode)?;
        self.allow(change, parent, perms::CREATE)?;
        let mut path = create.path.clone().into_owned();
        if mode.sequential {
            path.push_str(&format!("{:010}", parent.created()));
        }
        validate(&path).map_err(|_| Code::BadArguments)?;
        let (_, name) = split(&path)?;
        if path == "/" || parent.child(name).is_some() {
            return Err(Code::NodeExists);
        }
        if let Kind::Ephemeral(_) = parent.kind() {
            return Err(Code::NoChildrenForEphemerals);
        }
        let bytes = create.data.map_or(0, <[u8]>::len);
        if change.rules.enforce_quota {
            self.check_quota(&path, bytes as i64, 1)?;
        }
        let stat = self.bear(change, parent_path, &path, mode.kind, create.data, &acl);
        Ok((path, stat))
    }

    /// Carries out a create that has passed all checks.
    fn bear(
        &mut self,
        change: &mut Change<'_>,
        parent_path: &str,
        path: &str,
        kind: Kind,
        data: Option<&[u8]>,
        acl: &[Acl],
    ) -> Stat {
        let acl = self.acls.acquire(acl);
        let znode = Znode::new(change.zxid, change.stamp_ms, kind, data, acl);
        let (stat, bytes) = (znode.stat(), znode.data_bytes());
        change.note(EventKind::Created, path, self.acls.get(acl));
        if let Some(parent) = Arc::make_mut(&mut self.root).find_mut(parent_path) {
            let (_, name) = path::split(path).unwrap_or_default();
            parent.bear(name, znode, change.zxid);
            let acl = self.acls.get(parent.acl);
            change.note(EventKind::ChildrenChanged, parent_path, acl);
        }
        self.count_in(path, bytes);
        self.index(path, kind);
        self.quota_created(path);
        self.account(path, bytes as i64, 1);
        stat
    }

    /// Deletes a znode.
    pub(super) fn delete(
        &mut self,
        change: &mut Change<'_>,
        path: &str,
        version: i32,
    ) -> Result<(), Code> {
        let (parent_path, name) = split(path)?;
        if let "/" | "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config" = path {
            return Err(Code::BadArguments);
        }
        let parent = self.root.find(parent_path).ok_or(Code::NoNode)?;
        self.allow(change, parent, perms::DELETE)?;
        // Looked up whole: `//a` has the parent `/`, but is not `/a`.
        let znode = match path.starts_with("//") {
            false => parent.child(name).ok_or(Code::NoNode)?,
            true => return Err(Code::NoNode),
        };
        expect(version, znode.version)?;
        if znode.children_count() > 0 {
            return Err(Code::NotEmpty);
        }
        self.remove(change, path);
        Ok(())
    }

    /// Takes a childless znode out of the tree and of everything that knows it.
    pub(super) fn remove(&mut self, change: &mut Change<'_>, path: &str) {
        let Some((parent_path, name)) = path::split(path) else {
            return;
        };
        let Some(parent) = Arc::make_mut(&mut self.root).find_mut(parent_path) else {
            return;
        };
        let parent_acl = parent.acl;
        let Some(znode) = parent.bury(name, change.zxid) else {
            return;
        };
        change.note(EventKind::Deleted, path, self.acls.get(znode.acl));
        let acl = self.acls.get(parent_acl);
        change.note(EventKind::ChildrenChanged, parent_path, acl);
        self.acls.release(znode.acl);
        self.count_out(path, znode.data_bytes());
        self.unindex(path, znode.kind());
        self.quota_deleted(path);
        self.account(path, -(znode.data_bytes() as i64), -1);
    }

    /// Replaces a znode's data, also by equal data.
    pub(super) fn set_data(
        &mut self,
        change: &mut Change<'_>,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
    ) -> Result<Stat, Code> {
        validate(path).map_err(|_| Code::BadArguments)?;
        let znode = self.root.find(path).ok_or(Code::NoNode)?;
        self.allow(change, znode, perms::WRITE)?;
        let (before, after) = (znode.data_bytes(), data.map_or(0, <[u8]>::len));
        let growth = after as i64 - before as i64;
        if change.rules.enforce_quota {
            self.check_quota(path, growth, 0)?;
        }
        expect(version, znode.version)?;
        let znode = Arc::make_mut(&mut self.root)
            .find_mut(path)
            .ok_or(Code::NoNode)?;
        znode.data = data.map(Box::from);
        znode.version = znode.version.wrapping_add(1);
        znode.mzxid = change.zxid;
        znode.mtime_ms = change.stamp_ms;
        let stat = znode.stat();
        let acl = self.acls.get(znode.acl);
        change.note(EventKind::DataChanged, path, acl);
        self.count_data(before, after);
        self.account(path, growth, 0);
        Ok(stat)
    }

    /// Replaces a znode's access control list.
    pub(super) fn set_acl(
        &mut self,
        change: &Change<'_>,
        path: &str,
        acl: Option<&[Acl]>,
        version: i32,
    ) -> Result<Stat, Code> {
        validate(path).map_err(|_| Code::BadArguments)?;
        let acl = fixup(acl, change.identities)?;
        let znode = self.root.find(path).ok_or(Code::NoNode)?;
        self.allow(change, znode, perms::ADMIN)?;
        expect(version, znode.aversion)?;
        let acl = self.acls.acquire(&acl);
        let znode = Arc::make_mut(&mut self.root)
            .find_mut(path)
            .ok_or(Code::NoNode)?;
        let before = std::mem::replace(&mut znode.acl, acl);
        znode.aversion = znode.aversion.wrapping_add(1);
        let stat = znode.stat();
        self.acls.release(before);
        Ok(stat)
    }

    /// Compares a znode's version.
    pub(super) fn check(&self, change: &Change<'_>, path: &str, version: i32) -> Result<(), Code> {
        validate(path).map_err(|_| Code::BadArguments)?;
        let znode = self.root.find(path).ok_or(Code::NoNode)?;
        self.allow(change, znode, perms::READ)?;
        expect(version, znode.version)
    }

    fn allow(&self, change: &Change<'_>, znode: &Znode, perm: i32) -> Result<(), Code> {
        let list = self.acls.get(znode.acl);
        if change.rules.skip_acl || allows(list, change.identities, perm) {
            Ok(())
        } else {
            Err(Code::NoAuth)
        }
    }
}

/// Parent and name of a path that need not be valid otherwise.
fn split(path: &str) -> Result<(&str, &str), Code> {
    if path.contains('\0') {
        return Err(Code::BadArguments);
    }
    path::split(path).ok_or(Code::BadArguments)
}

/// Compares an expected version, of which -1 means any.
fn expect(expected: i32, current: i32) -> Result<(), Code> {
    if expected == -1 || expected == current {
        Ok(())
    } else {
        Err(Code::BadVersion)
    }
}

/// What a create's operation, flags and ttl ask for.
fn mode(create: &Create<'_>, place: Place, change: &Change<'_>) -> Result<Mode, Code> {
    let ttl = create.ttl.unwrap_or(-1);
    let (kind, sequential) = match create.flags {
        0 => (Kind::Persistent, false),
        1 => (Kind::Ephemeral(change.session), false),
        2 => (Kind::Persistent, true),
        3 => (Kind::Ephemeral(change.session), true),
        4 => (Kind::Container, false),
        5 => (Kind::Ttl(ttl), false),
        6 => (Kind::Ttl(ttl), true),
        _ => return Err(Code::BadArguments),
    };
    if let Kind::Ttl(ms) = kind {
        if !change.rules.extended_types {
            return Err(Code::Unimplemented);
        }
        if !(1..=TTL_MS_MAX).contains(&ms) {
            return Err(Code::BadArguments);
        }
        return Ok(Mode { kind, sequential });
    }
    if place == Place::Alone && create.op == OpCode::CreateTtl {
        return Err(Code::BadArguments);
    }
    let kind = match (create.op, kind, place) {
        (OpCode::CreateContainer, _, _) => Kind::Container,
        (_, Kind::Container, Place::Alone) => Kind::Persistent,
        (_, kind, _) => kind,
    };
    Ok(Mode { kind, sequential })
}

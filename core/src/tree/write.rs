//! create, delete, setData, setACL and check, with ZooKeeper's checks in ZooKeeper's order.
//!
//! Source: `PrepRequestProcessor`, `DataTree`. Each operation checks everything before it changes
//! anything.

use std::sync::Arc;

use crate::proto::path::{self, validate};
use crate::proto::{Acl, Code, Create, EventKind, OpCode, Stat, Zxid};
use crate::session::Scope;
use crate::tree::Tree;
use crate::tree::acl::{AclId, fixup};
use crate::tree::apply::Change;
use crate::tree::authorization::permit;
use crate::tree::digest::{self, Contents};
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
    pub(super) fn system(name: &str, acl: AclId) -> Znode {
        Znode::new(name, Zxid(0), 0, Kind::Persistent, Some(&[]), acl)
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
        // Only a session that all servers know can own a znode on all of them. A container is none's,
        // but ZooKeeper looks at the flags before it looks at the operation.
        if change.scope == Scope::Local && matches!(create.flags, 1 | 3) {
            return Err(Code::EphemeralOnLocalSession);
        }
        let (parent_path, _) = split(&create.path)?;
        let acl = fixup(
            create.acl.as_deref(),
            change.identities,
            change.rules.schemes,
        )?;
        let parent = self.root.find(parent_path).ok_or(Code::NoNode)?;
        self.allow(change, parent, create.op)?;
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
        self.check_quota(change, &path, bytes as i64, 1)?;
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
        let (_, name) = path::split(path).unwrap_or_default();
        let znode = Znode::new(name, change.zxid, change.stamp_ms, kind, data, acl);
        let (stat, bytes) = (znode.stat(), znode.data_bytes());
        let after = change.traces.shape(&znode, &self.acls);
        change.traces.add(path, None, after);
        change.note_data(EventKind::Created, path, self.acls.get(acl), bytes, kind);
        let mut sum = self.sum.wrapping_add(digest::of(path, &znode));
        if let Some(parent) = Arc::make_mut(&mut self.root).find_mut(parent_path) {
            let contents = Contents::of(parent_path, parent);
            sum = sum.wrapping_sub(contents.digest(parent));
            parent.bear(znode, change.zxid);
            sum = sum.wrapping_add(contents.digest(parent));
            let acl = self.acls.get(parent.acl);
            change.note(EventKind::ChildrenChanged, parent_path, acl);
        }
        self.sum = sum;
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
        self.allow(change, parent, OpCode::Delete)?;
        // Looked up whole: `//a` has the parent `/`, but is not `/a`.
        let znode = match path.starts_with("//") {
            false => parent.child(name).ok_or(Code::NoNode)?,
            true => return Err(Code::NoNode),
        };
        compare(version, znode.version)?;
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
        let contents = Contents::of(parent_path, parent);
        let before = contents.digest(parent);
        let Some(znode) = parent.bury(name, change.zxid) else {
            return;
        };
        let after = contents.digest(parent);
        let gone = before.wrapping_add(digest::of(path, &znode));
        self.sum = self.sum.wrapping_add(after).wrapping_sub(gone);
        let shape = change.traces.shape(&znode, &self.acls);
        change.traces.add(path, shape, None);
        let acl = self.acls.get(znode.acl);
        change.note_data(EventKind::Deleted, path, acl, 0, znode.kind());
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
        self.allow(change, znode, OpCode::SetData)?;
        let (before, after) = (znode.data_bytes(), data.map_or(0, <[u8]>::len));
        let growth = after as i64 - before as i64;
        self.check_quota(change, path, growth, 0)?;
        compare(version, znode.version)?;
        let shape = change.traces.shape(znode, &self.acls);
        let znode = Arc::make_mut(&mut self.root)
            .find_mut(path)
            .ok_or(Code::NoNode)?;
        let digest_before = digest::of(path, znode);
        znode.set_data(data);
        znode.version = znode.version.wrapping_add(1);
        znode.mzxid = change.zxid;
        znode.mtime_ms = change.stamp_ms;
        let digest_after = digest::of(path, znode);
        let stat = znode.stat();
        let became = change.traces.shape(znode, &self.acls);
        change.traces.add(path, shape, became);
        let acl = self.acls.get(znode.acl);
        change.note_data(EventKind::DataChanged, path, acl, after, znode.kind());
        self.sum = self
            .sum
            .wrapping_add(digest_after)
            .wrapping_sub(digest_before);
        self.count_data(before, after);
        self.account(path, growth, 0);
        Ok(stat)
    }

    /// Replaces a znode's access control list.
    pub(super) fn set_acl(
        &mut self,
        change: &mut Change<'_>,
        path: &str,
        acl: Option<&[Acl]>,
        version: i32,
    ) -> Result<Stat, Code> {
        validate(path).map_err(|_| Code::BadArguments)?;
        let acl = fixup(acl, change.identities, change.rules.schemes)?;
        let znode = self.root.find(path).ok_or(Code::NoNode)?;
        self.allow(change, znode, OpCode::SetAcl)?;
        compare(version, znode.aversion)?;
        let shape = change.traces.shape(znode, &self.acls);
        let acl = self.acls.acquire(&acl);
        let znode = Arc::make_mut(&mut self.root)
            .find_mut(path)
            .ok_or(Code::NoNode)?;
        let contents = Contents::of(path, znode);
        let digest_before = contents.digest(znode);
        let before = std::mem::replace(&mut znode.acl, acl);
        znode.aversion = znode.aversion.wrapping_add(1);
        let digest_after = contents.digest(znode);
        self.sum = self
            .sum
            .wrapping_add(digest_after)
            .wrapping_sub(digest_before);
        let stat = znode.stat();
        let became = change.traces.shape(znode, &self.acls);
        change.traces.add(path, shape, became);
        self.acls.release(before);
        Ok(stat)
    }

    /// Compares a znode's version.
    pub(super) fn check(&self, change: &Change<'_>, path: &str, version: i32) -> Result<(), Code> {
        validate(path).map_err(|_| Code::BadArguments)?;
        let znode = self.root.find(path).ok_or(Code::NoNode)?;
        self.allow(change, znode, OpCode::Check)?;
        compare(version, znode.version)
    }

    /// Whether `op` may go on, by the list of `znode`.
    pub(super) fn allow(&self, change: &Change<'_>, znode: &Znode, op: OpCode) -> Result<(), Code> {
        let list = self.acls.get(znode.acl);
        permit(op, list, change.identities, change.rules.skip_acl)
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
fn compare(expected: i32, current: i32) -> Result<(), Code> {
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
    // Alone, the operation decides what is a container; inside a multi the flags do.
    let kind = match (place, create.op, kind) {
        (Place::Alone, OpCode::CreateContainer, _) => Kind::Container,
        (Place::Alone, _, Kind::Container) => Kind::Persistent,
        (_, _, kind) => kind,
    };
    Ok(Mode { kind, sequential })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::path::DEPTH_MAX;
    use crate::proto::{Id, Reply};
    use crate::tree::stage::{
        S1, S2, Stage, acl, create, create_as, create_full, create_ttl, create_with, created,
        delete, set, set_acl,
    };

    const READ_ONLY: &str = "/read-only";

    /// `/a` with the child `/a/b`, the ephemeral `/e`, and a znode nobody may change.
    fn stage() -> Stage {
        let mut stage = Stage::new();
        stage.ok(&create("/a", 0));
        stage.ok(&create("/a/b", 0));
        stage.ok(&create("/e", 1));
        stage.ok(&create_with(READ_ONLY, b"", &[acl(1, "world", "anyone")]));
        stage
    }

    fn none() -> [Acl; 0] {
        []
    }

    #[test]
    fn create_checks_in_zookeepers_order() {
        let op = OpCode::Create;
        let with = |path: &str, list: &[Acl], flags| create_full(op, path, None, list, flags, -1);
        let open = [Acl::open()];
        let cases = [
            (with("bad", &none(), 9), Code::BadArguments),
            (with("bad", &none(), 5), Code::Unimplemented),
            (with("bad", &none(), 0), Code::BadArguments),
            (with("/a\0/b", &none(), 0), Code::BadArguments),
            (with("/none/b", &none(), 0), Code::InvalidAcl),
            (with("/a/b", &[acl(1, "none", "x")], 0), Code::InvalidAcl),
            (with("/none/.", &open, 0), Code::NoNode),
            (with("/a//b", &open, 0), Code::NoNode),
            (with("/read-only/.", &open, 0), Code::NoAuth),
            (with("/a/..", &open, 0), Code::BadArguments),
            (with("/a/", &open, 0), Code::BadArguments),
            (with("//", &open, 2), Code::BadArguments),
            (with("//a", &open, 0), Code::BadArguments),
            (with("/a/\u{1}", &open, 2), Code::BadArguments),
            (with("", &open, 0), Code::BadArguments),
            (with("/", &open, 0), Code::NodeExists),
            (with("/a/b", &open, 0), Code::NodeExists),
            (with("/e/", &open, 0), Code::BadArguments),
            (with("/e/x", &open, 0), Code::NoChildrenForEphemerals),
            (with("/e/x", &open, 3), Code::NoChildrenForEphemerals),
        ];
        for (act, code) in cases {
            assert_eq!(stage().err(&act), code, "{act:?}");
        }
    }

    #[test]
    fn delete_checks_in_zookeepers_order() {
        let mut stage = stage();
        let closed = [acl(31 - 8, "world", "anyone")];
        stage.ok(&create_with("/closed", b"", &closed));
        stage.ok(&create("/closed/c", 0));
        for (path, version, code) in [
            ("", -1, Code::BadArguments),
            ("a", -1, Code::BadArguments),
            ("/a\0", -1, Code::BadArguments),
            ("/", -1, Code::BadArguments),
            ("/zookeeper", -1, Code::BadArguments),
            ("/zookeeper/quota", -1, Code::BadArguments),
            ("/zookeeper/config", -1, Code::BadArguments),
            ("/none/x", -1, Code::NoNode),
            ("/closed/none", 7, Code::NoAuth),
            ("/closed/c", 7, Code::NoAuth),
            ("/none", 7, Code::NoNode),
            ("/a/", -1, Code::NoNode),
            ("//", -1, Code::NoNode),
            ("//a", -1, Code::NoNode),
            ("/a", 7, Code::BadVersion),
            ("/a", -2, Code::BadVersion),
            ("/a", 0, Code::NotEmpty),
            ("/a", -1, Code::NotEmpty),
        ] {
            assert_eq!(
                stage.err(&delete(path, version)),
                code,
                "{path:?} {version}"
            );
        }
        stage.ok(&delete("/a/b", 0));
    }

    #[test]
    fn set_data_checks_in_zookeepers_order() {
        let mut stage = stage();
        for (path, version, code) in [
            ("", -1, Code::BadArguments),
            ("a", -1, Code::BadArguments),
            ("/none/", -1, Code::BadArguments),
            ("/none", -1, Code::NoNode),
            (READ_ONLY, 7, Code::NoAuth),
            ("/a", 7, Code::BadVersion),
            ("/a", -2, Code::BadVersion),
        ] {
            assert_eq!(
                stage.err(&set(path, None, version)),
                code,
                "{path:?} {version}"
            );
        }
    }

    #[test]
    fn set_acl_checks_in_zookeepers_order() {
        let mut stage = stage();
        let open = [Acl::open()];
        for (path, list, version, code) in [
            ("/none/", &none()[..], -1, Code::BadArguments),
            ("/none", &none(), -1, Code::InvalidAcl),
            ("/none", &open, -1, Code::NoNode),
            (READ_ONLY, &open, 7, Code::NoAuth),
            ("/a", &open, 7, Code::BadVersion),
        ] {
            assert_eq!(stage.err(&set_acl(path, list, version)), code, "{path:?}");
        }
    }

    #[test]
    fn versions_count_what_they_are_about() {
        let mut stage = stage();
        let b = stage.stat("/a/b");
        assert_eq!((b.version, b.cversion, b.aversion), (0, 0, 0));
        assert_eq!((b.ctime, b.mtime), (1_000, 1_000));
        assert_eq!((b.mzxid, b.pzxid), (b.czxid, b.czxid));
        stage.now_ms = 500;
        let at = stage.ok(&set("/a/b", Some(b"xy"), 0)).zxid.0;
        let now = stage.stat("/a/b");
        assert_eq!((now.version, now.mzxid, now.mtime), (1, at, 500));
        assert_eq!((now.czxid, now.ctime, now.pzxid), (b.czxid, 1_000, b.pzxid));
        assert_eq!(now.data_length, 2);
        stage.ok(&set("/a/b", Some(b"xy"), 1));
        assert_eq!(stage.stat("/a/b").version, 2, "equal data is a change too");
        let before = stage.stat("/a/b");
        stage.ok(&set_acl("/a/b", &[acl(31, "ip", "127.0.0.1")], 0));
        let now = stage.stat("/a/b");
        assert_eq!(
            now,
            Stat {
                aversion: 1,
                ..before
            }
        );
    }

    #[test]
    fn a_parents_counters_follow_its_children() {
        let mut stage = stage();
        let start = stage.stat("/a");
        assert_eq!((start.cversion, start.num_children), (1, 1));
        let at = stage.ok(&create("/a/c", 0)).zxid.0;
        let now = stage.stat("/a");
        assert_eq!((now.cversion, now.num_children, now.pzxid), (2, 2, at));
        let at = stage.ok(&delete("/a/c", -1)).zxid.0;
        let now = stage.stat("/a");
        assert_eq!((now.cversion, now.num_children, now.pzxid), (3, 1, at));
        assert_eq!((now.version, now.mzxid), (start.version, start.mzxid));
        stage.ok(&set("/a/b", None, -1));
        assert_eq!(stage.stat("/a"), now, "a child's data is its own affair");
    }

    #[test]
    fn a_version_wraps_through_the_one_that_means_any() {
        let mut stage = stage();
        for (before, after) in [(i32::MAX, i32::MIN), (-2, -1), (-1, 0)] {
            let root = Arc::make_mut(&mut stage.tree.root);
            let znode = root.find_mut("/a").unwrap();
            (znode.version, znode.aversion) = (before, before);
            stage.ok(&set("/a", None, before));
            stage.ok(&set_acl("/a", &[Acl::open()], before));
            let stat = stage.stat("/a");
            assert_eq!((stat.version, stat.aversion), (after, after));
        }
    }

    #[test]
    fn sequential_names_count_every_creation_under_the_parent() {
        let mut stage = Stage::new();
        stage.ok(&create("/a", 0));
        let mut name = |path: &str, flags| created(&stage.ok(&create(path, flags)));
        assert_eq!(name("/a/s-", 2), "/a/s-0000000000");
        assert_eq!(name("/a/plain", 0), "/a/plain");
        assert_eq!(name("/a/e-", 3), "/a/e-0000000002");
        assert_eq!(name("/a/", 2), "/a/0000000003");
        assert_eq!(name("/", 2), "/0000000001");
        stage.ok(&delete("/a/plain", -1));
        assert_eq!(created(&stage.ok(&create("/a/s-", 2))), "/a/s-0000000004");
        assert_eq!(stage.err(&create("/a/0000000003", 0)), Code::NodeExists);
    }

    #[test]
    fn sequential_numbers_reach_the_end_and_stay_there() {
        let mut stage = Stage::new();
        stage.ok(&create("/a", 0));
        let mut name_at = |number| {
            let root = Arc::make_mut(&mut stage.tree.root);
            root.find_mut("/a").unwrap().remember(number, Zxid(1));
            created(&stage.ok(&create("/a/", 2)))
        };
        assert_eq!(name_at(-5), "/a/-000000005");
        assert_eq!(name_at(i32::MIN), "/a/-2147483648");
        assert_eq!(name_at(i32::MAX - 1), "/a/2147483646");
        assert_eq!(created(&stage.ok(&create("/a/", 2))), "/a/2147483647");
        assert_eq!(stage.err(&create("/a/", 2)), Code::NodeExists);
        stage.ok(&delete("/a/2147483647", -1));
        assert_eq!(created(&stage.ok(&create("/a/", 2))), "/a/2147483647");
    }

    /// As Apache ZooKeeper 3.8.0 answers; but a createTTL without a ttl and without a TTL mode,
    /// which ends that server, is refused here.
    #[test]
    fn alone_operation_and_flags_decide_what_a_create_makes() {
        let (c1, c2, cc) = (OpCode::Create, OpCode::Create2, OpCode::CreateContainer);
        let made = |op, flags| {
            let mut stage = Stage::new();
            let path = created(&stage.ok(&create_as(op, "/a", flags)));
            stage.tree.root.find(&path).unwrap().kind()
        };
        for op in [c1, c2] {
            assert_eq!(made(op, 0), Kind::Persistent);
            assert_eq!(made(op, 1), Kind::Ephemeral(S1));
            assert_eq!(made(op, 2), Kind::Persistent);
            assert_eq!(made(op, 3), Kind::Ephemeral(S1));
            assert_eq!(made(op, 4), Kind::Persistent);
        }
        for flags in 0..=4 {
            assert_eq!(made(cc, flags), Kind::Container);
        }
        let on_off = |stage: &mut Stage, act| {
            let off = stage.err(&act);
            stage.rules.extended_types = true;
            let on = stage.err(&act);
            (off, on)
        };
        let (missing, bad) = (Code::Unimplemented, Code::BadArguments);
        for op in [c1, c2, cc] {
            for (flags, codes) in [(5, (missing, bad)), (6, (missing, bad)), (7, (bad, bad))] {
                let act = create_as(op, "/a", flags);
                assert_eq!(on_off(&mut Stage::new(), act), codes, "{op:?} {flags}");
            }
        }
        for (flags, ttl, codes) in [
            (5, 0, (missing, bad)),
            (5, -1, (missing, bad)),
            (6, TTL_MS_MAX + 1, (missing, bad)),
            (0, 0, (bad, bad)),
            (1, 5_000, (bad, bad)),
            (4, 5_000, (bad, bad)),
            (0, -1, (bad, bad)),
            (9, 5_000, (bad, bad)),
        ] {
            let act = create_ttl("/a", flags, ttl);
            assert_eq!(on_off(&mut Stage::new(), act), codes, "{flags} {ttl}");
        }
    }

    #[test]
    fn ttl_znodes_keep_their_lifetime_and_report_no_owner() {
        let mut stage = Stage::new();
        stage.rules.extended_types = true;
        for (flags, ttl) in [(5, 1), (6, TTL_MS_MAX)] {
            let path = created(&stage.ok(&create_ttl("/t", flags, ttl)));
            let znode = stage.tree.root.find(&path).unwrap();
            assert_eq!(znode.kind(), Kind::Ttl(ttl));
            assert_eq!(znode.stat().ephemeral_owner, 0);
        }
        stage.ok(&create("/t/child", 0));
    }

    #[test]
    fn create_answers_in_the_form_of_its_operation() {
        let mut stage = Stage::new();
        stage.rules.extended_types = true;
        let plain = stage.ok(&create("/plain", 0));
        assert_eq!(plain.result, Ok(Reply::Created("/plain".into())));
        for act in [
            create_as(OpCode::Create2, "/two", 1),
            create_as(OpCode::CreateContainer, "/container", 4),
            create_ttl("/ttl", 5, 1),
        ] {
            let applied = stage.ok(&act);
            let path = created(&applied);
            let stat = stage.stat(&path);
            assert_eq!(
                applied.result,
                Ok(Reply::CreatedWithStat(path.into(), stat))
            );
        }
        assert_eq!(stage.stat("/two").ephemeral_owner, S1.0);
    }

    #[test]
    fn null_and_empty_data_differ() {
        let mut stage = Stage::new();
        let with = |path, data| create_full(OpCode::Create, path, data, &[Acl::open()], 0, -1);
        stage.ok(&with("/null", None));
        stage.ok(&with("/empty", Some(b"")));
        assert_eq!(stage.data("/null"), None);
        assert_eq!(stage.data("/empty"), Some(vec![]));
        assert_eq!(stage.stat("/null").data_length, 0);
        stage.ok(&set("/empty", None, -1));
        assert_eq!(stage.data("/empty"), None);
    }

    #[test]
    fn paths_end_at_the_greatest_depth() {
        let mut stage = Stage::new();
        let mut path = String::new();
        for _ in 0..DEPTH_MAX {
            path.push_str("/d");
            stage.ok(&create(&path, 0));
        }
        let below = format!("{path}/d");
        assert_eq!(stage.err(&create(&below, 0)), Code::BadArguments);
        assert_eq!(stage.err(&set(&below, None, -1)), Code::BadArguments);
        stage.ok(&delete(&path, -1));
    }

    #[test]
    fn counters_follow_every_change() {
        let mut stage = Stage::new();
        let tree = Tree::new();
        assert_eq!((tree.node_count(), tree.approximate_data_size()), (5, 44));
        let counters = |stage: &Stage| {
            let tree = &stage.tree;
            let bytes = tree.approximate_data_size();
            (tree.node_count() - 5, bytes - 44, tree.ephemerals_count())
        };
        stage.ok(&create_with("/a", b"12345", &[Acl::open()]));
        assert_eq!(counters(&stage), (1, 7, 0));
        stage.ok(&create("/a/ä", 1));
        assert_eq!(counters(&stage), (2, 11, 1));
        stage.ok(&set("/a", Some(b"1"), -1));
        assert_eq!(counters(&stage), (2, 7, 1));
        stage.ok(&set("/a", None, -1));
        stage.ok(&delete("/a/ä", -1));
        assert_eq!(counters(&stage), (1, 2, 0));
        stage.ok(&set("/", Some(b"root"), -1));
        assert_eq!(counters(&stage), (1, 6, 0));
    }

    #[test]
    fn permissions_are_those_of_who_asks_and_under_which_rules() {
        let mut stage = Stage::new();
        let list = [acl(31, "digest", "alice:h")];
        stage.identities.push(Id::new("digest", "alice:h"));
        stage.ok(&create_with("/mine", b"", &list));
        stage.ok(&create("/mine/a", 0));
        stage.identities.pop();
        assert_eq!(stage.err(&create("/mine/b", 0)), Code::NoAuth);
        assert_eq!(stage.err(&delete("/mine/a", -1)), Code::NoAuth);
        stage.identities.push(Id::new("super", ""));
        stage.ok(&delete("/mine/a", -1));
        stage.identities.clear();
        stage.rules.skip_acl = true;
        stage.ok(&create("/mine/b", 0));
    }

    #[test]
    fn a_stored_list_is_fixed_up_and_lists_in_use_are_counted() {
        let mut stage = Stage::new();
        stage.identities.push(Id::new("digest", "alice:h"));
        let auth = acl(31, "auth", "");
        stage.ok(&create_with("/a", b"", &[auth.clone(), auth.clone()]));
        stage.ok(&create_with("/b", b"", &[auth]));
        let stored = [acl(31, "digest", "alice:h")];
        assert_eq!(stage.tree.acl("/a").as_deref(), Some(&stored[..]));
        let in_use = |stage: &Stage| stage.tree.acls.lists().count();
        assert_eq!(in_use(&stage), 2, "and the one of /zookeeper/config");
        stage.ok(&set_acl("/a", &[Acl::open()], -1));
        assert_eq!(in_use(&stage), 2);
        stage.ok(&delete("/b", -1));
        assert_eq!(in_use(&stage), 1);
    }

    #[test]
    fn an_ephemeral_belongs_to_the_session_that_made_it() {
        let mut stage = Stage::new();
        stage.play_as(S2, &create("/e", 1));
        assert_eq!(stage.stat("/e").ephemeral_owner, S2.0);
        stage.ok(&delete("/e", -1));
        assert_eq!(stage.tree.sessions().ephemerals(S2).count(), 0);
    }
}

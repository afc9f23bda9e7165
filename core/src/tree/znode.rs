//! One znode, and how a path finds it.
//!
//! A znode knows its name and not its path: the way from the root spells it. Every byte counts a
//! million times, so name and data share an allocation, and what a znode without a history of
//! children does not need stands in `Family`.

use std::sync::Arc;

use crate::proto::{SessionId, Stat, Zxid};
use crate::tree::acl::AclId;
use crate::tree::children::Children;

/// What lives as long as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Until it is deleted.
    Persistent,
    /// Until its session closes.
    Ephemeral(SessionId),
    /// Until it is empty after it had a child.
    Container,
    /// Until it is empty and has not been set for so many milliseconds.
    Ttl(i64),
}

/// The kind as ZooKeeper stores it, in the field that holds an ephemeral's session.
///
/// Source: `EphemeralType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner(pub(super) i64);

/// Longest lifetime of a TTL znode: 40 bits.
pub(super) const TTL_MS_MAX: i64 = (1 << 40) - 1;

impl Owner {
    const CONTAINER: i64 = i64::MIN;
    const TTL: i64 = 0xff << 56;

    pub(super) fn kind(self) -> Kind {
        match self.0 {
            0 => Kind::Persistent,
            Self::CONTAINER => Kind::Container,
            owner if owner & !TTL_MS_MAX == Self::TTL => Kind::Ttl(owner & TTL_MS_MAX),
            owner => Kind::Ephemeral(SessionId(owner)),
        }
    }
}

impl From<Kind> for Owner {
    fn from(kind: Kind) -> Owner {
        Owner(match kind {
            Kind::Persistent => 0,
            Kind::Ephemeral(session) => session.0,
            Kind::Container => Self::CONTAINER,
            Kind::Ttl(ms) => Self::TTL | ms,
        })
    }
}

/// A znode.
#[derive(Clone, Debug)]
pub(super) struct Znode {
    pub(super) czxid: Zxid,
    pub(super) mzxid: Zxid,
    pub(super) ctime_ms: i64,
    pub(super) mtime_ms: i64,
    pub(super) version: i32,
    pub(super) aversion: i32,
    pub(super) owner: Owner,
    pub(super) acl: AclId,
    /// Where the name ends and the data starts in `text`.
    name_bytes: u32,
    /// Null and empty data differ.
    has_data: bool,
    text: Box<[u8]>,
    /// `None` until the first child is created.
    family: Option<Box<Family>>,
}

/// What a znode gets with its first child and keeps.
#[derive(Clone, Debug)]
struct Family {
    /// Children ever created; stops at the maximum.
    created: i32,
    /// Last change that created or deleted a child.
    pzxid: Zxid,
    children: Children,
}

impl Znode {
    /// A znode as a create makes it.
    pub(super) fn new(
        name: &str,
        zxid: Zxid,
        stamp_ms: i64,
        kind: Kind,
        data: Option<&[u8]>,
        acl: AclId,
    ) -> Znode {
        Znode {
            czxid: zxid,
            mzxid: zxid,
            ctime_ms: stamp_ms,
            mtime_ms: stamp_ms,
            version: 0,
            aversion: 0,
            owner: kind.into(),
            acl,
            name_bytes: u32::try_from(name.len()).expect("a frame has less than 4 GiB"),
            has_data: data.is_some(),
            text: [name.as_bytes(), data.unwrap_or_default()].concat().into(),
            family: None,
        }
    }

    /// The last component of its path; empty for the root.
    pub(super) fn name(&self) -> &str {
        std::str::from_utf8(self.name_bytes()).expect("a name comes from a str")
    }

    pub(super) fn name_bytes(&self) -> &[u8] {
        &self.text[..self.name_bytes as usize]
    }

    pub(super) fn data(&self) -> Option<&[u8]> {
        self.has_data
            .then(|| &self.text[self.name_bytes as usize..])
    }

    /// Replaces the data, in place when it has the same length.
    pub(super) fn set_data(&mut self, data: Option<&[u8]>) {
        self.has_data = data.is_some();
        let data = data.unwrap_or_default();
        if data.len() == self.data_bytes() {
            self.text[self.name_bytes as usize..].copy_from_slice(data);
        } else {
            self.text = [self.name_bytes(), data].concat().into();
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.owner.kind()
    }

    pub(super) fn data_bytes(&self) -> usize {
        self.text.len() - self.name_bytes as usize
    }

    /// Children ever created: ZooKeeper's stored cversion, and the next sequential number.
    pub(super) fn created(&self) -> i32 {
        self.family.as_ref().map_or(0, |family| family.created)
    }

    pub(super) fn pzxid(&self) -> Zxid {
        self.family
            .as_ref()
            .map_or(self.czxid, |family| family.pzxid)
    }

    pub(super) fn children_count(&self) -> usize {
        self.family
            .as_ref()
            .map_or(0, |family| family.children.len())
    }

    /// The children, in an order that only their names decide.
    pub(super) fn children(&self) -> impl Iterator<Item = &Arc<Znode>> {
        self.family.iter().flat_map(|family| family.children.iter())
    }

    /// The children behind a name in that order.
    pub(super) fn children_after(&self, name: &str) -> impl Iterator<Item = &Arc<Znode>> {
        self.family
            .iter()
            .flat_map(|family| family.children.after(name))
    }

    pub(super) fn child(&self, name: &str) -> Option<&Arc<Znode>> {
        self.family.as_ref()?.children.get(name)
    }

    /// The metadata as a client sees it.
    pub(super) fn stat(&self) -> Stat {
        let num_children = i32::try_from(self.children_count()).unwrap_or(i32::MAX);
        Stat {
            czxid: self.czxid.0,
            mzxid: self.mzxid.0,
            ctime: self.ctime_ms,
            mtime: self.mtime_ms,
            version: self.version,
            cversion: self.created().wrapping_mul(2).wrapping_sub(num_children),
            aversion: self.aversion,
            ephemeral_owner: match self.kind() {
                Kind::Ephemeral(session) => session.0,
                Kind::Persistent | Kind::Container | Kind::Ttl(_) => 0,
            },
            data_length: i32::try_from(self.data_bytes()).unwrap_or(i32::MAX),
            num_children,
            pzxid: self.pzxid().0,
        }
    }

    /// Adds a child that `zxid` created. The count of creations stops at its maximum, and pzxid
    /// with it: both only ever move up.
    pub(super) fn bear(&mut self, child: Znode, zxid: Zxid) {
        let family = self.family_mut();
        if family.created < i32::MAX {
            family.created += 1;
            family.pzxid = zxid;
        }
        family.children.insert(child);
    }

    /// Takes out a child that `zxid` deleted.
    pub(super) fn bury(&mut self, name: &str, zxid: Zxid) -> Option<Arc<Znode>> {
        let family = self.family.as_mut()?;
        let child = family.children.remove(name)?;
        family.pzxid = family.pzxid.max(zxid);
        Some(child)
    }

    /// Puts in a child that an image holds; `false` when there is one of that name.
    pub(super) fn adopt(&mut self, child: Znode) -> bool {
        self.family_mut().children.insert(child)
    }

    /// Sets what an image says of the history of children.
    pub(super) fn remember(&mut self, created: i32, pzxid: Zxid) {
        if created != self.created() || pzxid != self.pzxid() {
            let family = self.family_mut();
            family.created = created;
            family.pzxid = pzxid;
        }
    }

    fn family_mut(&mut self) -> &mut Family {
        let czxid = self.czxid;
        self.family.get_or_insert_with(|| {
            Box::new(Family {
                created: 0,
                pzxid: czxid,
                children: Children::default(),
            })
        })
    }

    /// The znode of a path below this one, which is the root. Exact: a path with an empty
    /// component has no znode. The empty path is the root, as for real servers.
    pub(super) fn find(&self, path: &str) -> Option<&Znode> {
        let mut znode = self;
        for name in names(path)? {
            znode = znode.child(name)?;
        }
        Some(znode)
    }

    /// As [`Znode::find`], for change: copies what a clone of the tree shares, on the way only.
    pub(super) fn find_mut(&mut self, path: &str) -> Option<&mut Znode> {
        let mut znode = self;
        for name in names(path)? {
            znode = znode.family.as_mut()?.children.get_mut(name)?;
        }
        Some(znode)
    }

    /// Calls `visit` with this znode and everything below it.
    pub(super) fn descend(&self, mut visit: impl FnMut(&Znode)) {
        visit(self);
        let mut open = vec![self.children()];
        while let Some(children) = open.last_mut() {
            match children.next() {
                Some(child) => {
                    visit(child);
                    if child.children_count() > 0 {
                        open.push(child.children());
                    }
                }
                None => {
                    open.pop();
                }
            }
        }
    }
}

/// The names on the way from the root, or `None` when the string does not start at the root.
fn names(path: &str) -> Option<impl Iterator<Item = &str>> {
    let below = match path {
        "" | "/" => None,
        _ => Some(path.strip_prefix('/')?),
    };
    Some(below.into_iter().flat_map(|names| names.split('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::path::DEPTH_MAX;

    fn znode(name: &str) -> Znode {
        Znode::new(name, Zxid(1), 1, Kind::Persistent, None, AclId::OPEN)
    }

    #[test]
    fn stored_owners_are_those_of_zookeeper() {
        let cases = [
            (0, Kind::Persistent),
            (i64::MIN, Kind::Container),
            (0xff00_0000_0000_0001_u64 as i64, Kind::Ttl(1)),
            (0xff00_00ff_ffff_ffff_u64 as i64, Kind::Ttl(TTL_MS_MAX)),
            (
                0x1234_0000_0000_0001,
                Kind::Ephemeral(SessionId(0x1234_0000_0000_0001)),
            ),
            (i64::MIN + 1, Kind::Ephemeral(SessionId(i64::MIN + 1))),
        ];
        for (stored, kind) in cases {
            assert_eq!(Owner(stored).kind(), kind, "{stored:x}");
            assert_eq!(Owner::from(kind), Owner(stored), "{kind:?}");
        }
    }

    #[test]
    fn name_and_data_share_an_allocation_and_stay_apart() {
        let mut znode = znode("name");
        for data in [
            None,
            Some(&b""[..]),
            Some(b"abc"),
            Some(b"xyz"),
            Some(b"longer"),
            None,
        ] {
            znode.set_data(data);
            assert_eq!((znode.name(), znode.data()), ("name", data));
            assert_eq!(znode.data_bytes(), data.map_or(0, <[u8]>::len));
        }
    }

    #[test]
    fn lookups_are_exact() {
        let mut root = znode("");
        let mut a = znode("a");
        a.bear(znode("b"), Zxid(3));
        root.bear(a, Zxid(2));
        for (path, found) in [
            ("", true),
            ("/", true),
            ("/a", true),
            ("/a/b", true),
            ("/a/", false),
            ("//a", false),
            ("/a//b", false),
            ("//", false),
            ("a", false),
            ("/b", false),
            ("/a/b/c", false),
        ] {
            assert_eq!(root.find(path).is_some(), found, "{path:?}");
            assert_eq!(root.find_mut(path).is_some(), found, "{path:?}");
        }
    }

    #[test]
    fn the_count_of_creations_stops_at_its_maximum_and_pzxid_with_it() {
        let mut parent = znode("a");
        parent.remember(i32::MAX - 1, Zxid(5));
        parent.bear(znode("a"), Zxid(6));
        assert_eq!((parent.created(), parent.pzxid()), (i32::MAX, Zxid(6)));
        parent.bear(znode("b"), Zxid(7));
        assert_eq!((parent.created(), parent.pzxid()), (i32::MAX, Zxid(6)));
        parent.bury("b", Zxid(8));
        assert_eq!((parent.created(), parent.pzxid()), (i32::MAX, Zxid(8)));
        assert_eq!(parent.stat().cversion, i32::MAX.wrapping_mul(2) - 1);
    }

    #[test]
    fn the_deepest_chain_drops_on_a_small_stack() {
        let run = || {
            let mut chain = znode("a");
            for _ in 0..DEPTH_MAX {
                let mut parent = znode("a");
                parent.bear(chain, Zxid(1));
                chain = parent;
            }
            let mut count = 0;
            chain.descend(|_| count += 1);
            assert_eq!(count, DEPTH_MAX + 1);
        };
        let thread = std::thread::Builder::new().stack_size(1 << 20);
        thread.spawn(run).unwrap().join().unwrap();
    }
}

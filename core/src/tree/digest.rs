//! ZooKeeper's digest of a tree: a sum over its znodes, kept up to date by every change.
//!
//! ```text
//! tree   = sum of all znodes, mod 2^64
//! znode  = CRC-32 of path ("" of the root) · data · czxid · mzxid · pzxid · ctime · mtime (8 each)
//!                   · version · created · aversion (4 each) · owner (8)
//! ```
//!
//! What lies below `/zookeeper/` counts nothing, since usage of quotas changes without a trace; nor
//! do ACLs. Source: `DigestCalculator`, version 2.

use crc32fast::Hasher;

use crate::tree::znode::Znode;

/// Paths that begin so are left out.
const LEFT_OUT: &str = "/zookeeper/";

/// Path and data of a znode, digested: what a change of its metadata leaves alone.
pub(super) struct Contents(Option<Hasher>);

impl Contents {
    pub(super) fn of(path: &str, znode: &Znode) -> Contents {
        if path.starts_with(LEFT_OUT) {
            return Contents(None);
        }
        let mut hasher = Hasher::new();
        hasher.update(if path == "/" { "" } else { path }.as_bytes());
        hasher.update(znode.data().unwrap_or_default());
        Contents(Some(hasher))
    }

    /// What the znode adds to the tree's digest.
    pub(super) fn digest(&self, znode: &Znode) -> u64 {
        let Some(hasher) = &self.0 else {
            return 0;
        };
        let mut fields = [0; 60];
        let longs = [
            znode.czxid.0,
            znode.mzxid.0,
            znode.pzxid().0,
            znode.ctime_ms,
            znode.mtime_ms,
        ];
        for (place, long) in fields.chunks_exact_mut(8).zip(longs) {
            place.copy_from_slice(&long.to_be_bytes());
        }
        let ints = [znode.version, znode.created(), znode.aversion];
        for (place, int) in fields[40..].chunks_exact_mut(4).zip(ints) {
            place.copy_from_slice(&int.to_be_bytes());
        }
        fields[52..].copy_from_slice(&znode.owner.0.to_be_bytes());
        let mut hasher = hasher.clone();
        hasher.update(&fields);
        u64::from(hasher.finalize())
    }
}

/// What one znode adds to the tree's digest.
pub(super) fn of(path: &str, znode: &Znode) -> u64 {
    Contents::of(path, znode).digest(znode)
}

/// The digest of everything at and below a znode that is the root. Walks all of it.
pub(super) fn of_all(root: &Znode) -> u64 {
    let mut sum = of("/", root);
    let mut path = String::new();
    let mut open = vec![(0, root.children())];
    while let Some((parent_bytes, children)) = open.last_mut() {
        path.truncate(*parent_bytes);
        match children.next() {
            Some(child) => {
                path.push('/');
                path.push_str(child.name());
                sum = sum.wrapping_add(of(&path, child));
                if child.children_count() > 0 {
                    open.push((path.len(), child.children()));
                }
            }
            None => {
                open.pop();
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::of_all;
    use crate::proto::Acl;
    use crate::tree::Tree;
    use crate::tree::stage::{Stage, acl, close, create, create_with, delete, multi, set, set_acl};

    fn holds(stage: &Stage) {
        assert_eq!(stage.tree.zookeeper_digest(), of_all(&stage.tree.root));
    }

    #[test]
    fn every_change_keeps_the_sum() {
        let mut stage = Stage::new();
        holds(&stage);
        let mut seen = vec![stage.tree.zookeeper_digest()];
        for act in [
            create_with("/a", b"abc", &[Acl::open()]),
            create("/a/e", 1),
            create("/a/s-", 2),
            set("/a", Some(b"longer"), -1),
            set("/a", None, -1),
            set_acl("/a", &[acl(31, "world", "anyone")], -1),
            delete("/a/e", -1),
            multi(&[create("/m", 0), set("/m", Some(b"x"), 0)]),
            create("/e", 1),
            close(),
        ] {
            stage.ok(&act);
            holds(&stage);
            let digest = stage.tree.zookeeper_digest();
            assert!(!seen.contains(&digest), "{act:?} changed nothing");
            seen.push(digest);
        }
    }

    #[test]
    fn a_failed_multi_leaves_the_digest_alone() {
        let mut stage = Stage::new();
        let before = stage.tree.zookeeper_digest();
        stage.err(&multi(&[create("/m", 0), delete("/none", -1)]));
        assert_eq!(stage.tree.zookeeper_digest(), before);
    }

    #[test]
    fn what_quotas_count_is_left_out() {
        let mut stage = Stage::new();
        stage.ok(&create("/zookeeper/quota/q", 0));
        let with_quota = stage.tree.zookeeper_digest();
        stage.ok(&create("/zookeeper/quota/q/zookeeper_stats", 0));
        stage.ok(&set("/zookeeper/quota/q", Some(b"x"), -1));
        assert_eq!(stage.tree.zookeeper_digest(), with_quota);
        holds(&stage);
    }

    /// As Apache ZooKeeper 3.8.0 computes it: a fresh tree is the root and `/zookeeper`, of zeros.
    #[test]
    fn a_fresh_tree_has_the_digest_of_its_two_znodes() {
        let crc = |path: &str| u64::from(crc32fast::hash(&[path.as_bytes(), &[0; 60]].concat()));
        let tree = Tree::new();
        let created = tree.root.created();
        let root = crc32fast::hash(&{
            let mut fields = [0_u8; 60];
            fields[44..48].copy_from_slice(&created.to_be_bytes());
            fields
        });
        let zookeeper = tree.root.find("/zookeeper").expect("it is always there");
        assert_eq!(zookeeper.created(), 0);
        assert_eq!(tree.zookeeper_digest(), u64::from(root) + crc("/zookeeper"));
    }
}

//! Which containers and TTL znodes are due. The leader looks and drafts a `Reap` for each; `apply`
//! looks again.
//!
//! Source: `ContainerManager`.

use crate::tree::Tree;
use crate::tree::znode::{Kind, Znode};

impl Tree {
    /// Paths due at `now_ms`, in path order: containers that had a child and are empty, or have
    /// been empty from the start for longer than `never_used_ms` (0 spares those); TTL znodes that
    /// are empty and were not set for their lifetime.
    pub fn reapable(&self, now_ms: i64, never_used_ms: i64) -> Vec<String> {
        let due = |znode: &Znode| {
            let age_ms = now_ms.saturating_sub(znode.mtime_ms);
            znode.children_count() == 0
                && match znode.kind() {
                    Kind::Container if znode.created() > 0 => true,
                    Kind::Container => never_used_ms > 0 && age_ms > never_used_ms,
                    Kind::Ttl(ms) => age_ms > ms,
                    Kind::Persistent | Kind::Ephemeral(_) => false,
                }
        };
        self.reapables
            .iter()
            .filter(|path| self.root.find(path).is_some_and(due))
            .map(|path| path.to_string())
            .collect()
    }

    /// Whether the reaper may delete a znode: an empty container or TTL znode.
    pub(super) fn is_reapable(&self, path: &str) -> bool {
        self.root.find(path).is_some_and(|znode| {
            znode.children_count() == 0 && matches!(znode.kind(), Kind::Container | Kind::Ttl(_))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::proto::OpCode;
    use crate::tree::Draft;
    use crate::tree::stage::{Stage, create, create_as, create_ttl, delete, set};

    fn stage() -> Stage {
        let mut stage = Stage::new();
        stage.rules.extended_types = true;
        stage.ok(&create_as(OpCode::CreateContainer, "/c", 4));
        stage.ok(&create_ttl("/t", 5, 100));
        stage.ok(&create("/p", 0));
        stage.ok(&create("/e", 1));
        stage
    }

    #[test]
    fn a_container_is_due_when_it_was_used_and_is_empty() {
        let mut stage = stage();
        let now = stage.now_ms;
        let due = |stage: &Stage, never_used_ms| stage.tree.reapable(now + 51, never_used_ms);
        assert_eq!(due(&stage, 0), [""; 0], "never used, and those are spared");
        assert_eq!(due(&stage, 51), [""; 0]);
        assert_eq!(due(&stage, 50), ["/c"]);
        stage.ok(&create("/c/x", 0));
        assert_eq!(due(&stage, 50), [""; 0]);
        stage.ok(&delete("/c/x", -1));
        assert_eq!(due(&stage, 0), ["/c"]);
    }

    #[test]
    fn a_ttl_znode_is_due_when_it_is_empty_and_was_not_set_for_its_lifetime() {
        let mut stage = stage();
        let now = stage.now_ms;
        assert_eq!(stage.tree.reapable(now + 100, 0), [""; 0]);
        assert_eq!(stage.tree.reapable(now + 101, 0), ["/t"]);
        stage.now_ms = now + 50;
        stage.ok(&set("/t", None, -1));
        assert_eq!(stage.tree.reapable(now + 101, 0), [""; 0]);
        assert_eq!(stage.tree.reapable(now + 151, 0), ["/t"]);
        stage.ok(&create("/t/x", 0));
        assert_eq!(stage.tree.reapable(now + 151, 0), [""; 0]);
    }

    #[test]
    fn reaping_looks_again_and_takes_a_zxid_only_when_it_deletes() {
        let mut stage = stage();
        stage.ok(&create("/c/x", 0));
        for path in ["/c", "/p", "/e", "/none", "/", ""] {
            let before = stage.tree.last_zxid();
            let applied = stage.draft(&Draft::Reap { path });
            assert_eq!((applied.zxid, applied.events.len()), (before, 0), "{path}");
        }
        stage.ok(&delete("/c/x", -1));
        for path in ["/c", "/t"] {
            let before = stage.tree.last_zxid();
            let applied = stage.draft(&Draft::Reap { path });
            assert_eq!(applied.zxid, before.next(0));
            assert_eq!(applied.events.len(), 2);
            assert!(!stage.has(path));
        }
        assert_eq!(stage.tree.reapable(i64::MAX, 1), [""; 0]);
    }
}

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

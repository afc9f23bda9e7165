//! The children of one znode, by name.
//!
//! Persistent: a clone is O(1), and a change to one of two clones copies only what it touches.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

use crate::tree::znode::Znode;

/// Znodes by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    znodes: OrdMap<Box<str>, Arc<Znode>>,
}

impl Children {
    pub(super) fn len(&self) -> usize {
        self.znodes.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Znode>> {
        self.znodes.get(name)
    }

    /// The child for change, copied first when a clone shares it.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Znode> {
        self.znodes.get_mut(name).map(Arc::make_mut)
    }

    /// Adds a child. The caller has made sure that there is none of this name.
    pub(super) fn insert(&mut self, name: &str, znode: Znode) {
        self.znodes.insert(name.into(), Arc::new(znode));
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<Znode>> {
        self.znodes.remove(name)
    }

    /// All children in name order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Znode>)> {
        self.znodes.iter().map(|(name, znode)| (&**name, znode))
    }

    /// Children behind a name, in name order.
    pub(super) fn after(&self, name: &str) -> impl Iterator<Item = (&str, &Arc<Znode>)> {
        let behind = (Bound::Excluded(name), Bound::Unbounded);
        self.znodes
            .range::<_, str>(behind)
            .map(|(name, znode)| (&**name, znode))
    }
}

//! Who wants to hear of what. Local to a server: never persisted, never replicated, gone with the
//! connection.
//!
//! Two tables, as in ZooKeeper: *data* (getData, exists, addWatch) and *child* (getChildren,
//! addWatch persistent). A recursive watch stands in the data table at its path and hears of every
//! path below it. What this room does not know: the tree, ACLs, and how a notification travels.
//!
//! Silent. Invariant: a path is in a table only while somebody watches it, and a connection's list
//! of paths names exactly the entries it has.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::proto::ConnectionId;
use crate::proto::{EventKind, WatcherType, path};

/// The modes in which one connection watches one path in one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Modes {
    standard: bool,
    persistent: bool,
    recursive: bool,
}

impl Modes {
    fn is_empty(self) -> bool {
        self == Modes::default()
    }
}

/// How a path is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// One data event: left by getData and exists.
    Data,
    /// One child event: left by getChildren.
    Child,
    /// Every data and child event of the path.
    Persistent,
    /// Every data event of the path and of all paths below it.
    Recursive,
}

type Table = BTreeMap<Box<str>, BTreeMap<ConnectionId, Modes>>;

/// All watches of a server.
#[derive(Debug, Default)]
pub struct Watches {
    data: Table,
    child: Table,
    paths: BTreeMap<ConnectionId, BTreeSet<Box<str>>>,
    /// Recursive watches in all; while there is none, nobody looks at ancestors.
    recursive: usize,
    /// Entries of both tables.
    count: usize,
}

impl Watches {
    /// Starts a watch; repeating it changes nothing.
    pub fn add(&mut self, connection: ConnectionId, path: &str, watch: Watch) {
        match watch {
            Watch::Data => self.set(connection, path, true, |modes| modes.standard = true),
            Watch::Child => self.set(connection, path, false, |modes| modes.standard = true),
            Watch::Persistent => {
                self.set(connection, path, true, |modes| modes.persistent = true);
                self.set(connection, path, false, |modes| modes.persistent = true);
            }
            Watch::Recursive => {
                self.set(connection, path, true, |modes| modes.recursive = true);
            }
        }
    }

    fn set(
        &mut self,
        connection: ConnectionId,
        path: &str,
        in_data: bool,
        change: impl FnOnce(&mut Modes),
    ) {
        let table = if in_data {
            &mut self.data
        } else {
            &mut self.child
        };
        if !table.contains_key(path) {
            table.insert(path.into(), BTreeMap::new());
        }
        let Some(watchers) = table.get_mut(path) else {
            return;
        };
        let modes = watchers.entry(connection).or_default();
        let before = *modes;
        change(modes);
        self.count += usize::from(before.is_empty());
        self.recursive += usize::from(modes.recursive && !before.recursive);
        let paths = self.paths.entry(connection).or_default();
        if !paths.contains(path) {
            paths.insert(path.into());
        }
    }

    /// Something happened: appends to `hearing` who must hear of it, each connection once, in
    /// order of connection, and ends the one-shot watches it used up. `already` heard of the same
    /// change by an earlier event of the same path.
    fn fire_table(
        &mut self,
        in_data: bool,
        path: &str,
        already: &BTreeSet<ConnectionId>,
        hearing: &mut BTreeSet<ConnectionId>,
    ) {
        let table = if in_data {
            &mut self.data
        } else {
            &mut self.child
        };
        let Some(watchers) = table.get_mut(path) else {
            return;
        };
        let mut used_up = Vec::new();
        for (connection, modes) in watchers.iter_mut() {
            if !already.contains(connection) {
                hearing.insert(*connection);
            }
            if modes.standard {
                modes.standard = false;
                if modes.is_empty() {
                    used_up.push(*connection);
                }
            }
        }
        for connection in used_up {
            self.drop_entry(in_data, path, connection);
        }
    }

    fn fire_recursive(&self, path: &str, hearing: &mut BTreeSet<ConnectionId>) {
        if self.recursive == 0 {
            return;
        }
        for ancestor in path::ancestors(path).skip(1) {
            let watchers = self.data.get(ancestor).into_iter().flatten();
            hearing.extend(
                watchers
                    .filter(|(_, m)| m.recursive)
                    .map(|(connection, _)| connection),
            );
        }
    }

    /// Who must hear of an event, in order of connection. One-shot watches it meets are used up.
    pub fn fire(&mut self, kind: EventKind, path: &str) -> Vec<ConnectionId> {
        let mut hearing = BTreeSet::new();
        if self.count == 0 {
            return Vec::new();
        }
        let nobody = BTreeSet::new();
        match kind {
            EventKind::Created | EventKind::DataChanged => {
                self.fire_table(true, path, &nobody, &mut hearing);
                self.fire_recursive(path, &mut hearing);
            }
            EventKind::Deleted => {
                self.fire_table(true, path, &nobody, &mut hearing);
                self.fire_recursive(path, &mut hearing);
                let already = hearing.clone();
                self.fire_table(false, path, &already, &mut hearing);
            }
            EventKind::ChildrenChanged => self.fire_table(false, path, &nobody, &mut hearing),
        }
        hearing.into_iter().collect()
    }

    fn drop_entry(&mut self, in_data: bool, path: &str, connection: ConnectionId) {
        let (table, other) = if in_data {
            (&mut self.data, &self.child)
        } else {
            (&mut self.child, &self.data)
        };
        if let Some(watchers) = table.get_mut(path) {
            self.count -= usize::from(watchers.remove(&connection).is_some());
            if watchers.is_empty() {
                table.remove(path);
            }
        }
        let elsewhere = other.get(path).is_some_and(|w| w.contains_key(&connection));
        if !elsewhere && let Some(paths) = self.paths.get_mut(&connection) {
            paths.remove(path);
            if paths.is_empty() {
                self.paths.remove(&connection);
            }
        }
    }

    /// Whether the connection has such a watch on the path.
    pub fn contains(&self, connection: ConnectionId, path: &str, kind: WatcherType) -> bool {
        let modes = |table: &Table| {
            table
                .get(path)
                .and_then(|watchers| watchers.get(&connection))
                .copied()
        };
        let data = modes(&self.data).unwrap_or_default();
        let child = modes(&self.child).unwrap_or_default();
        match kind {
            WatcherType::Children => child.standard,
            WatcherType::Data => data.standard,
            WatcherType::Any => !data.is_empty() || !child.is_empty(),
            WatcherType::Persistent => data.persistent || child.persistent,
            WatcherType::PersistentRecursive => data.recursive,
        }
    }

    /// Ends such watches of the connection on the path; tells whether there were any.
    pub fn remove(&mut self, connection: ConnectionId, path: &str, kind: WatcherType) -> bool {
        if !self.contains(connection, path, kind) {
            return false;
        }
        for in_data in [true, false] {
            let table = if in_data {
                &mut self.data
            } else {
                &mut self.child
            };
            let Some(modes) = table.get_mut(path).and_then(|w| w.get_mut(&connection)) else {
                continue;
            };
            let recursive = modes.recursive;
            match kind {
                WatcherType::Children if in_data => {}
                WatcherType::Data if !in_data => {}
                WatcherType::Children | WatcherType::Data => modes.standard = false,
                WatcherType::Any => *modes = Modes::default(),
                WatcherType::Persistent => modes.persistent = false,
                WatcherType::PersistentRecursive => modes.recursive = false,
            }
            let gone = modes.is_empty();
            self.recursive -= usize::from(recursive && !modes.recursive);
            if gone {
                self.drop_entry(in_data, path, connection);
            }
        }
        true
    }

    /// The connection is gone, and its watches with it.
    pub fn forget(&mut self, connection: ConnectionId) {
        let Some(paths) = self.paths.remove(&connection) else {
            return;
        };
        for path in &paths {
            for in_data in [true, false] {
                let table = if in_data {
                    &mut self.data
                } else {
                    &mut self.child
                };
                let Some(watchers) = table.get_mut(path) else {
                    continue;
                };
                if let Some(modes) = watchers.remove(&connection) {
                    self.count -= 1;
                    self.recursive -= usize::from(modes.recursive);
                }
                if watchers.is_empty() {
                    table.remove(path);
                }
            }
        }
    }

    /// A page of the data table, in the order of paths: at most `max` of them after `after`, each
    /// with who watches it.
    pub fn data_after(
        &self,
        after: Option<&str>,
        max: usize,
    ) -> Vec<(Box<str>, Vec<ConnectionId>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.data.range::<str, _>((from, Bound::Unbounded));
        let page = range.take(max);
        page.map(|(path, watchers)| (path.clone(), watchers.keys().copied().collect()))
            .collect()
    }

    /// Entries of both tables: ZooKeeper's `watch_count`.
    pub fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests;

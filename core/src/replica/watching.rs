//! How watches begin: by reads, by addWatch, by setWatches after a reconnect.

use crate::proto::{AddWatchMode, Code, EventKind, Reply, Request, SetWatches, Stat, Zxid};
use crate::replica::connection::State;
use crate::replica::{Connection, Replica};
use crate::tree::Tree;
use crate::watch::Watch;

/// Header zxid of events made up while watches are set again.
const CATCH_UP: Zxid = Zxid(-1);

impl Replica {
    /// Starts the watch a read asked for, as far as its result allows: exists may watch a znode
    /// that is missing, the others only one they could read.
    pub(super) fn watch_by_read(
        &self,
        connection: &Connection,
        request: &Request<'_>,
        result: &Result<Reply<'_>, Code>,
    ) {
        let (path, watch) = match (request, result) {
            (Request::Exists { path, watch: true }, Ok(_) | Err(Code::NoNode))
            | (Request::GetData { path, watch: true }, Ok(_)) => (path, Watch::Data),
            (
                Request::GetChildren { path, watch: true }
                | Request::GetChildren2 { path, watch: true },
                Ok(_),
            ) => (path, Watch::Child),
            _ => return,
        };
        self.watches.lock().add(connection.id(), path, watch);
    }

    pub(super) fn add_watch(&self, connection: &Connection, path: &str, mode: AddWatchMode) {
        let watch = match mode {
            AddWatchMode::Persistent => Watch::Persistent,
            AddWatchMode::PersistentRecursive => Watch::Recursive,
        };
        self.watches.lock().add(connection.id(), path, watch);
    }

    /// Sets the watches of a client that reconnected, and tells it at once what it missed.
    pub(super) fn set_watches(
        &self,
        tree: &Tree,
        connection: &Connection,
        state: &mut State,
        asked: &SetWatches<'_>,
    ) {
        let since = asked.relative_zxid;
        // A znode may be older now than what its watcher saw, and another one all the same.
        let all_anew = tree.replaced().zxid.0 > since;
        let stat = |path: &str| {
            let stat = tree.stat(path)?;
            Some(match all_anew {
                true => Stat {
                    mzxid: i64::MAX,
                    pzxid: i64::MAX,
                    ..stat
                },
                false => stat,
            })
        };
        let mut catch_up = |path: &str, watch: Watch, missed: Option<EventKind>| match missed {
            Some(kind) => state.push_event(CATCH_UP, kind, path),
            None => self.watches.lock().add(connection.id(), path, watch),
        };
        for path in &asked.data {
            catch_up(path, Watch::Data, missed_data(stat(path), since));
        }
        for path in &asked.exist {
            catch_up(
                path,
                Watch::Data,
                tree.stat(path).map(|_| EventKind::Created),
            );
        }
        for path in &asked.child {
            catch_up(path, Watch::Child, missed_children(stat(path), since));
        }
        for path in &asked.persistent {
            catch_up(path, Watch::Persistent, None);
        }
        for path in &asked.persistent_recursive {
            catch_up(path, Watch::Recursive, None);
        }
    }
}

fn missed_data(stat: Option<Stat>, since: i64) -> Option<EventKind> {
    match stat {
        None => Some(EventKind::Deleted),
        Some(stat) if stat.mzxid > since => Some(EventKind::DataChanged),
        Some(_) => None,
    }
}

fn missed_children(stat: Option<Stat>, since: i64) -> Option<EventKind> {
    match stat {
        None => Some(EventKind::Deleted),
        Some(stat) if stat.pzxid > since => Some(EventKind::ChildrenChanged),
        Some(_) => None,
    }
}

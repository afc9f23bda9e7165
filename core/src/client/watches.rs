//! Who in this client waits to hear of which path, and what the server knows of it. Silent.
//!
//! A server keeps one watch for a path and a [`Kind`], however many here wait for it. So a watcher
//! that goes takes the server's watch along only when it was the last of its kind on the path, and
//! none is on its way.
//!
//! ```text
//!   submit ─▶ expected ─ reply: the watch is set ─▶ armed ─ event (one-shot), forget ─▶ gone
//!                 └───── reply: it is not, or the connection is lost ──────────────────────┘
//! ```

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::client::answer::strip;
use crate::client::{State, WatchEvent, WatchSink};
use crate::proto::{EventKind, Notification, SetWatches, Text, WatcherType, path};

/// Names a watcher of a client; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatcherId(u64);

/// Which change ends or reaches a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Left by getData, and by exists: one change of the znode itself.
    Data,
    /// Left by getChildren: one change of the list of children.
    Children,
    /// Every change of the znode and its children.
    Persistent,
    /// Every change of the znode and of everything below.
    Recursive,
}

/// An event and who hears it.
pub(crate) type Heard = (WatchSink, WatchEvent);

struct Entry {
    id: WatcherId,
    sink: WatchSink,
    armed: bool,
    /// Left by exists on a znode that was not there: asked for differently after a reconnect.
    absent: bool,
}

/// The watchers of one kind on one path.
#[derive(Default)]
struct Group {
    entries: Vec<Entry>,
    /// Whether the server of this connection has the watch.
    held: bool,
}

#[derive(Default)]
struct OfPath {
    data: Group,
    children: Group,
    persistent: Group,
    recursive: Group,
}

const KINDS: [Kind; 4] = [
    Kind::Data,
    Kind::Children,
    Kind::Persistent,
    Kind::Recursive,
];

impl OfPath {
    fn group(&self, kind: Kind) -> &Group {
        match kind {
            Kind::Data => &self.data,
            Kind::Children => &self.children,
            Kind::Persistent => &self.persistent,
            Kind::Recursive => &self.recursive,
        }
    }

    fn group_mut(&mut self, kind: Kind) -> &mut Group {
        match kind {
            Kind::Data => &mut self.data,
            Kind::Children => &mut self.children,
            Kind::Persistent => &mut self.persistent,
            Kind::Recursive => &mut self.recursive,
        }
    }

    fn is_unused(&self) -> bool {
        KINDS.iter().all(|kind| {
            let group = self.group(*kind);
            group.entries.is_empty() && !group.held
        })
    }

    /// The watch to take back from the server now that nobody waits for it.
    fn unwanted(&mut self) -> Option<WatcherType> {
        let useless = |group: &Group| group.held && group.entries.is_empty();
        let others = KINDS
            .iter()
            .any(|kind| !self.group(*kind).entries.is_empty());
        if !others {
            let any = KINDS.iter().any(|kind| useless(self.group(*kind)));
            KINDS
                .iter()
                .for_each(|kind| self.group_mut(*kind).held = false);
            return any.then_some(WatcherType::Any);
        }
        // Servers before 3.9 know no type for persistent watches alone: those stay until the last
        // watcher of the path goes, and their events are dropped here.
        if useless(&self.data) {
            self.data.held = false;
            return Some(WatcherType::Data);
        }
        if useless(&self.children) {
            self.children.held = false;
            return Some(WatcherType::Children);
        }
        None
    }
}

/// Every watcher of a client, by the path the server knows.
#[derive(Default)]
pub(crate) struct Watches {
    paths: BTreeMap<Arc<str>, OfPath>,
    places: BTreeMap<WatcherId, (Arc<str>, Kind)>,
    next: u64,
    recursive: usize,
}

impl Watches {
    /// A request that sets a watch is about to be sent.
    pub(crate) fn expect(&mut self, path: &str, kind: Kind, sink: WatchSink) -> WatcherId {
        let id = WatcherId(self.next);
        self.next += 1;
        let path: Arc<str> = path.into();
        let group = self.paths.entry(Arc::clone(&path)).or_default();
        group.group_mut(kind).entries.push(Entry {
            id,
            sink,
            armed: false,
            absent: false,
        });
        self.recursive += usize::from(kind == Kind::Recursive);
        self.places.insert(id, (path, kind));
        id
    }

    /// The server has set it. `absent`: there is no such znode. What to take back if the watcher
    /// went while the request was on its way.
    pub(crate) fn arm(&mut self, asked: &str, kind: Kind, id: WatcherId, absent: bool) -> Removal {
        let of_path = self.paths.entry(asked.into()).or_default();
        let group = of_path.group_mut(kind);
        group.held = true;
        match group.entries.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => {
                entry.armed = true;
                entry.absent = absent;
                None
            }
            None => self.sweep(asked),
        }
    }

    /// A watcher is wanted no longer, or its request failed.
    /// Gives its sink, for the caller to drop where that may have consequences.
    pub(crate) fn forget(&mut self, id: WatcherId) -> (Removal, Option<WatchSink>) {
        let Some((path, kind)) = self.places.remove(&id) else {
            return (None, None);
        };
        let mut sink = None;
        if let Some(of_path) = self.paths.get_mut(&path) {
            let entries = &mut of_path.group_mut(kind).entries;
            if let Some(at) = entries.iter().position(|entry| entry.id == id) {
                sink = Some(entries.remove(at).sink);
            }
            self.recursive -= usize::from(kind == Kind::Recursive);
        }
        (self.sweep(&path), sink)
    }

    fn sweep(&mut self, path: &str) -> Removal {
        let of_path = self.paths.get_mut(path)?;
        let unwanted = of_path.unwanted();
        if of_path.is_unused() {
            self.paths.remove(path);
        }
        unwanted.map(|kind| (path.to_owned(), kind))
    }

    /// Ends the one-shot watchers that a notification meets, and says who hears of it; and which
    /// watch of the server nobody here needs any more.
    pub(crate) fn fire(
        &mut self,
        chroot: &str,
        event: &Notification,
        heard: &mut Vec<Heard>,
    ) -> Removal {
        let (kinds, ends): (&[Kind], &[Kind]) = match event.kind {
            EventKind::Created | EventKind::DataChanged => (
                &[Kind::Data, Kind::Persistent, Kind::Recursive],
                &[Kind::Data],
            ),
            EventKind::Deleted => (&KINDS, &[Kind::Data, Kind::Children]),
            EventKind::ChildrenChanged => (&[Kind::Children, Kind::Persistent], &[Kind::Children]),
        };
        let mut tell = |entry: &Entry| {
            let changed = WatchEvent::Changed {
                kind: event.kind,
                path: strip(chroot, &event.path).to_owned(),
                zxid: event.zxid,
            };
            heard.push((Arc::clone(&entry.sink), changed));
        };
        if let Some(of_path) = self.paths.get_mut(event.path.as_str()) {
            for kind in kinds {
                let group = of_path.group(*kind);
                group
                    .entries
                    .iter()
                    .filter(|entry| entry.armed)
                    .for_each(&mut tell);
            }
            for kind in ends {
                let group = of_path.group_mut(*kind);
                group.held = false;
                for ended in group.entries.extract_if(.., |entry| entry.armed) {
                    self.places.remove(&ended.id);
                }
            }
        }
        if self.recursive > 0 && event.kind != EventKind::ChildrenChanged {
            for above in path::ancestors(&event.path).skip(1) {
                if let Some(of_path) = self.paths.get(above) {
                    let entries = of_path.recursive.entries.iter();
                    entries.filter(|entry| entry.armed).for_each(&mut tell);
                }
            }
        }
        self.sweep(&event.path)
    }

    /// Tells every watcher of a state of the session.
    pub(crate) fn tell_all(&self, state: State, heard: &mut Vec<Heard>) {
        for of_path in self.paths.values() {
            for kind in KINDS {
                let entries = of_path.group(kind).entries.iter();
                heard.extend(
                    entries.map(|entry| (Arc::clone(&entry.sink), WatchEvent::State(state))),
                );
            }
        }
    }

    /// The session is over, and its watches with it.
    pub(crate) fn clear(&mut self) {
        self.paths.clear();
        self.places.clear();
        self.recursive = 0;
    }

    /// The connection is lost, and with it everything the server knew.
    pub(crate) fn disconnected(&mut self) {
        self.paths.retain(|_, of_path| {
            KINDS
                .iter()
                .for_each(|kind| of_path.group_mut(*kind).held = false);
            !of_path.is_unused()
        });
    }

    /// What the server of a new connection must be told: the armed watches of up to `bytes_max`
    /// bytes of paths, from the first path behind `after` on, and the last path looked at.
    pub(crate) fn set_again<'w>(
        &'w mut self,
        after: Option<&str>,
        relative_zxid: i64,
        bytes_max: usize,
    ) -> Option<(SetWatches<'w>, Arc<str>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut set = SetWatches {
            relative_zxid,
            ..SetWatches::default()
        };
        let (mut bytes, mut last) = (0, None);
        for (path, of_path) in self.paths.range_mut::<str, _>((from, Bound::Unbounded)) {
            for kind in KINDS {
                let group = of_path.group_mut(kind);
                if !group.entries.iter().any(|entry| entry.armed) {
                    continue;
                }
                group.held = true;
                let mut name = |list: &mut Vec<Text<'w>>| {
                    list.push(Text::Borrowed(path));
                    bytes += path.len() + 4;
                };
                match kind {
                    Kind::Data => {
                        let armed = || group.entries.iter().filter(|entry| entry.armed);
                        if armed().any(|entry| !entry.absent) {
                            name(&mut set.data);
                        }
                        if armed().any(|entry| entry.absent) {
                            name(&mut set.exist);
                        }
                    }
                    Kind::Children => name(&mut set.child),
                    Kind::Persistent => name(&mut set.persistent),
                    Kind::Recursive => name(&mut set.persistent_recursive),
                }
            }
            last = Some(Arc::clone(path));
            if bytes >= bytes_max {
                break;
            }
        }
        last.map(|last| (set, last))
    }

    /// Watchers, armed or expected.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }
}

/// A removeWatches to send: the server's path, and which.
pub(crate) type Removal = Option<(String, WatcherType)>;

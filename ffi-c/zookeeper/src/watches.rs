//! Which C functions want to hear of what: the client's side of watches, as ZooKeeper's C client
//! keeps them.
//!
//! Invariants: a function with its context stands in a list of a path once, however often it was
//! left there; what an event takes out is gone from all lists, so each hears of it once.

use std::collections::HashMap;
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, OnceLock};

use zoowarden::client::WatcherId;
use zoowarden::proto::EventKind;

use crate::handle::zhandle_t;

/// Told of an event, or of a change of the handle's state. The path lives for the call.
pub type WatcherFn = Option<
    unsafe extern "C" fn(
        zh: *mut zhandle_t,
        kind: c_int,
        state: c_int,
        path: *const c_char,
        context: *mut c_void,
    ),
>;

/// A function and what it is called with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watcher {
    pub(crate) function: WatcherFn,
    pub(crate) context: *mut c_void,
}

/// By address, as C compares functions.
impl PartialEq for Watcher {
    fn eq(&self, other: &Watcher) -> bool {
        let address = |watcher: &Watcher| watcher.function.map(|function| function as usize);
        address(self) == address(other) && self.context == other.context
    }
}

// SAFETY: the context is the program's; it is handed back on the callback thread, as documented.
unsafe impl Send for Watcher {}

impl Watcher {
    /// `None` if there is no function: then nothing is watched.
    pub(crate) fn given(function: WatcherFn, context: *mut c_void) -> Option<Watcher> {
        function.map(|_| Watcher { function, context })
    }
}

/// The client's own name of what was left, once it is known.
pub(crate) type Ticket = Arc<OnceLock<WatcherId>>;

/// What a request that succeeded leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum List {
    /// getData, and exists of a znode that is there.
    Data,
    /// exists of a znode that is not there.
    Exist,
    /// getChildren
    Child,
}

/// Which lists `zoo_remove_watches` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Child,
    Data,
    Any,
}

impl Kind {
    fn lists(self) -> &'static [List] {
        match self {
            Kind::Child => &[List::Child],
            Kind::Data => &[List::Data, List::Exist],
            Kind::Any => &[List::Data, List::Exist, List::Child],
        }
    }
}

/// A watcher that was left, and the client's names of each time.
struct Left {
    watcher: Watcher,
    tickets: Vec<Ticket>,
}

/// All watches of a handle, by list and path.
#[derive(Default)]
pub(crate) struct Watches(HashMap<(List, String), Vec<Left>>);

impl Watches {
    pub(crate) fn add(&mut self, list: List, path: &str, watcher: Watcher, ticket: Ticket) {
        let all = self.0.entry((list, path.to_owned())).or_default();
        match all.iter_mut().find(|left| left.watcher == watcher) {
            Some(left) => left.tickets.push(ticket),
            None => all.push(Left {
                watcher,
                tickets: vec![ticket],
            }),
        }
    }

    /// Takes out whoever an event concerns.
    pub(crate) fn take(&mut self, kind: EventKind, path: &str) -> Vec<Watcher> {
        let lists: &[List] = match kind {
            EventKind::Created | EventKind::DataChanged => &[List::Data, List::Exist],
            EventKind::Deleted => &[List::Data, List::Exist, List::Child],
            EventKind::ChildrenChanged => &[List::Child],
        };
        let mut taken = Vec::new();
        for list in lists {
            let all = self.0.remove(&(*list, path.to_owned()));
            add_missing(&mut taken, all.iter().flatten());
        }
        taken
    }

    /// Everyone, once: for changes of state.
    pub(crate) fn everyone(&self, first: Option<Watcher>) -> Vec<Watcher> {
        let mut all: Vec<Watcher> = first.into_iter().collect();
        for left in self.0.values() {
            add_missing(&mut all, left);
        }
        all
    }

    /// Whether this watcher, or any by `None`, is there.
    pub(crate) fn holds(&self, kind: Kind, path: &str, watcher: Option<Watcher>) -> bool {
        self.matching(kind, path)
            .any(|found| watcher.is_none_or(|watcher| watcher == found))
    }

    /// Whether others than this watcher are there, so that the server must go on telling.
    pub(crate) fn holds_others(&self, kind: Kind, path: &str, watcher: Option<Watcher>) -> bool {
        self.matching(kind, path)
            .any(|found| watcher.is_some_and(|watcher| watcher != found))
    }

    fn matching(&self, kind: Kind, path: &str) -> impl Iterator<Item = Watcher> {
        let of = |list: &List| self.0.get(&(*list, path.to_owned()));
        kind.lists()
            .iter()
            .filter_map(of)
            .flatten()
            .map(|left| left.watcher)
    }

    /// Takes out this watcher, or all by `None`, and says by which names the client knows them.
    pub(crate) fn remove(
        &mut self,
        kind: Kind,
        path: &str,
        watcher: Option<Watcher>,
    ) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        for list in kind.lists() {
            let key = (*list, path.to_owned());
            let Some(all) = self.0.get_mut(&key) else {
                continue;
            };
            let goes = |left: &mut Left| watcher.is_none_or(|watcher| watcher == left.watcher);
            tickets.extend(all.extract_if(.., goes).flat_map(|left| left.tickets));
            if all.is_empty() {
                self.0.remove(&key);
            }
        }
        tickets
    }
}

fn add_missing<'a>(all: &mut Vec<Watcher>, more: impl IntoIterator<Item = &'a Left>) {
    for left in more {
        if !all.contains(&left.watcher) {
            all.push(left.watcher);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn nothing(
        _: *mut zhandle_t,
        _: c_int,
        _: c_int,
        _: *const c_char,
        _: *mut c_void,
    ) {
    }

    fn watcher(context: usize) -> Watcher {
        Watcher {
            function: Some(nothing),
            context: std::ptr::without_provenance_mut(context),
        }
    }

    #[test]
    fn a_watcher_left_twice_hears_once() {
        let mut watches = Watches::default();
        watches.add(List::Data, "/a", watcher(1), Ticket::default());
        watches.add(List::Data, "/a", watcher(1), Ticket::default());
        watches.add(List::Child, "/a", watcher(1), Ticket::default());
        watches.add(List::Child, "/a", watcher(2), Ticket::default());
        assert_eq!(
            watches.take(EventKind::Deleted, "/a"),
            [watcher(1), watcher(2)]
        );
        assert_eq!(watches.take(EventKind::Deleted, "/a"), []);
    }

    #[test]
    fn an_event_concerns_its_own_lists_only() {
        let mut watches = Watches::default();
        watches.add(List::Data, "/a", watcher(1), Ticket::default());
        watches.add(List::Exist, "/a", watcher(2), Ticket::default());
        watches.add(List::Child, "/a", watcher(3), Ticket::default());
        watches.add(List::Data, "/b", watcher(4), Ticket::default());
        assert_eq!(watches.take(EventKind::ChildrenChanged, "/a"), [watcher(3)]);
        assert_eq!(
            watches.take(EventKind::Created, "/a"),
            [watcher(1), watcher(2)]
        );
        assert_eq!(watches.everyone(Some(watcher(4))), [watcher(4)]);
    }

    #[test]
    fn one_watcher_is_removed_and_others_stay() {
        let mut watches = Watches::default();
        watches.add(List::Data, "/a", watcher(1), Ticket::default());
        watches.add(List::Exist, "/a", watcher(2), Ticket::default());
        assert!(watches.holds(Kind::Data, "/a", Some(watcher(1))));
        assert!(watches.holds_others(Kind::Any, "/a", Some(watcher(1))));
        assert!(!watches.holds(Kind::Child, "/a", None));
        assert_eq!(watches.remove(Kind::Any, "/a", Some(watcher(1))).len(), 1);
        assert!(!watches.holds(Kind::Data, "/a", Some(watcher(1))));
        assert!(!watches.holds_others(Kind::Any, "/a", Some(watcher(2))));
        assert_eq!(watches.remove(Kind::Data, "/a", None).len(), 1);
        assert!(!watches.holds(Kind::Any, "/a", None));
    }
}

//! The rules of the reference, section 7, on watches alone.

use super::*;

const A: ConnectionId = ConnectionId(1);
const B: ConnectionId = ConnectionId(2);

fn nothing_is_left(watches: &Watches) {
    assert!(watches.data.is_empty() && watches.child.is_empty() && watches.paths.is_empty());
    assert_eq!((watches.count, watches.recursive), (0, 0));
}

#[test]
fn a_standard_watch_fires_once() {
    let mut watches = Watches::default();
    watches.add(A, "/a", Watch::Data);
    watches.add(A, "/a", Watch::Data);
    assert_eq!(watches.count(), 1);
    assert_eq!(watches.fire(EventKind::DataChanged, "/a"), [A]);
    assert_eq!(watches.fire(EventKind::DataChanged, "/a"), []);
    nothing_is_left(&watches);
}

#[test]
fn a_child_watch_hears_of_children_and_of_the_end() {
    let mut watches = Watches::default();
    watches.add(A, "/a", Watch::Child);
    assert_eq!(watches.fire(EventKind::DataChanged, "/a"), []);
    assert_eq!(watches.fire(EventKind::ChildrenChanged, "/a"), [A]);
    watches.add(A, "/a", Watch::Child);
    assert_eq!(watches.fire(EventKind::Deleted, "/a"), [A]);
    nothing_is_left(&watches);
}

#[test]
fn a_deletion_is_told_once_however_it_is_watched() {
    let mut watches = Watches::default();
    watches.add(A, "/a", Watch::Data);
    watches.add(A, "/a", Watch::Child);
    watches.add(A, "/", Watch::Recursive);
    watches.add(B, "/a", Watch::Child);
    assert_eq!(watches.fire(EventKind::Deleted, "/a"), [A, B]);
    assert_eq!(
        watches.count(),
        1,
        "one-shot watches of both tables are used up"
    );
}

#[test]
fn persistent_watches_stay() {
    let mut watches = Watches::default();
    watches.add(A, "/a", Watch::Persistent);
    for kind in [
        EventKind::Created,
        EventKind::DataChanged,
        EventKind::ChildrenChanged,
        EventKind::Deleted,
        EventKind::Created,
    ] {
        assert_eq!(watches.fire(kind, "/a"), [A], "{kind:?}");
    }
    assert_eq!(watches.fire(EventKind::DataChanged, "/a/b"), []);
}

#[test]
fn a_recursive_watch_hears_of_everything_below_but_no_child_lists() {
    let mut watches = Watches::default();
    watches.add(A, "/a", Watch::Recursive);
    for path in ["/a", "/a/b", "/a/b/c"] {
        for kind in [
            EventKind::Created,
            EventKind::DataChanged,
            EventKind::Deleted,
        ] {
            assert_eq!(watches.fire(kind, path), [A], "{kind:?} {path}");
        }
        assert_eq!(watches.fire(EventKind::ChildrenChanged, path), [], "{path}");
    }
    assert_eq!(
        watches.fire(EventKind::Created, "/ab"),
        [],
        "a prefix is not an ancestor"
    );
    assert_eq!(watches.fire(EventKind::Created, "/"), []);
}

#[test]
fn modes_on_one_path_live_side_by_side() {
    let mut watches = Watches::default();
    watches.add(A, "/a", Watch::Data);
    watches.add(A, "/a", Watch::Persistent);
    watches.add(A, "/a", Watch::Recursive);
    assert_eq!(watches.fire(EventKind::DataChanged, "/a"), [A]);
    assert!(!watches.contains(A, "/a", WatcherType::Data), "used up");
    assert!(watches.contains(A, "/a", WatcherType::Persistent));
    assert!(watches.remove(A, "/a", WatcherType::Persistent));
    assert_eq!(watches.fire(EventKind::ChildrenChanged, "/a"), []);
    assert!(watches.contains(A, "/a", WatcherType::PersistentRecursive));
    assert!(watches.remove(A, "/a", WatcherType::Any));
    nothing_is_left(&watches);
}

#[test]
fn removing_what_is_not_there_says_so() {
    let mut watches = Watches::default();
    watches.add(A, "/a", Watch::Child);
    assert!(!watches.remove(B, "/a", WatcherType::Any));
    assert!(!watches.remove(A, "/b", WatcherType::Any));
    assert!(!watches.remove(A, "/a", WatcherType::Data));
    assert!(watches.remove(A, "/a", WatcherType::Children));
    nothing_is_left(&watches);
}

#[test]
fn a_connection_takes_its_watches_with_it() {
    let mut watches = Watches::default();
    watches.add(A, "/a", Watch::Persistent);
    watches.add(A, "/b", Watch::Recursive);
    watches.add(A, "/c", Watch::Child);
    watches.add(B, "/a", Watch::Data);
    watches.forget(A);
    assert_eq!(watches.fire(EventKind::Deleted, "/a"), [B]);
    nothing_is_left(&watches);
}

#[test]
fn the_data_table_can_be_read_in_pages() {
    let mut watches = Watches::default();
    let (one, two) = (A, B);
    for (connection, path, watch) in [
        (two, "/b", Watch::Data),
        (one, "/a", Watch::Recursive),
        (two, "/a", Watch::Persistent),
        (one, "/only/children", Watch::Child),
        (one, "/c", Watch::Data),
    ] {
        watches.add(connection, path, watch);
    }
    let page = |after: Option<&str>, max| watches.data_after(after, max);
    assert_eq!(
        page(None, 2),
        [("/a".into(), vec![one, two]), ("/b".into(), vec![two])]
    );
    assert_eq!(page(Some("/b"), 9), [("/c".into(), vec![one])]);
    assert_eq!(page(Some("/c"), 9), []);
}

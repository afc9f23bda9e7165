//! Who hears of what: every kind of watch against every kind of change.

use crate::support::kind::{CHILDREN_CHANGED, CREATED, DATA_CHANGED, DELETED};
use crate::support::{Body, Client, Ensemble, code, kind, mode, on_one_and_three, op, request};

on_one_and_three!(
    each_watch_hears_of_its_changes,
    a_standard_watch_fires_once,
    exists_on_a_missing_znode_hears_of_its_creation,
    failed_reads_leave_no_watch,
    get_data_and_exists_share_one_watch,
    a_deletion_is_told_once_to_a_connection,
    a_persistent_watch_stays,
    a_recursive_watch_hears_of_everything_below,
    a_recursive_watch_knows_where_a_name_ends,
    watches_of_several_modes_live_side_by_side,
    add_watch_is_answered_with_four_bytes,
    watches_are_removed_by_kind,
    watches_are_checked_by_kind,
    nobody_watches_where_no_path_is,
    a_path_that_is_none_can_be_watched,
    watches_die_with_their_connection,
    set_acl_fires_nothing,
    a_closing_session_fires_for_its_ephemerals,
    the_writer_hears_before_its_own_reply,
    every_watcher_hears,
    a_failed_write_fires_nothing,
    an_event_carries_the_zxid_of_its_change,
);

type Told = Vec<(i32, String)>;

fn told(events: &[(i32, &str)], room: &str) -> Told {
    let path = |path: &str| format!("{room}{path}");
    events.iter().map(|(kind, p)| (*kind, path(p))).collect()
}

/// One watch on `ROOM/x`, one change, and what the watcher is told.
struct Case {
    watch: (i32, bool),
    change: char,
    events: &'static [(i32, &'static str)],
}

const GET: (i32, bool) = (op::GET_DATA, true);
const EXISTS: (i32, bool) = (op::EXISTS, true);
const LIST: (i32, bool) = (op::GET_CHILDREN, true);
const LIST2: (i32, bool) = (op::GET_CHILDREN2, true);
const PERSISTENT: (i32, bool) = (0, false);
const RECURSIVE: (i32, bool) = (1, false);

const fn case(watch: (i32, bool), change: char, events: &'static [(i32, &'static str)]) -> Case {
    Case {
        watch,
        change,
        events,
    }
}

/// `s` sets the znode's data, `c` creates a child, `d` deletes that child, `t` sets the child's
/// data, `x` deletes the znode.
const CASES: [Case; 25] = [
    case(GET, 's', &[(DATA_CHANGED, "/x")]),
    case(GET, 'c', &[]),
    case(GET, 'x', &[(DELETED, "/x")]),
    case(EXISTS, 's', &[(DATA_CHANGED, "/x")]),
    case(EXISTS, 'c', &[]),
    case(EXISTS, 'x', &[(DELETED, "/x")]),
    case(LIST, 's', &[]),
    case(LIST, 'c', &[(CHILDREN_CHANGED, "/x")]),
    case(LIST, 'd', &[(CHILDREN_CHANGED, "/x")]),
    case(LIST, 't', &[]),
    case(LIST, 'x', &[(DELETED, "/x")]),
    case(LIST2, 'c', &[(CHILDREN_CHANGED, "/x")]),
    case(LIST2, 'd', &[(CHILDREN_CHANGED, "/x")]),
    case(LIST2, 't', &[]),
    case(LIST2, 'x', &[(DELETED, "/x")]),
    case(PERSISTENT, 's', &[(DATA_CHANGED, "/x")]),
    case(PERSISTENT, 'c', &[(CHILDREN_CHANGED, "/x")]),
    case(PERSISTENT, 'd', &[(CHILDREN_CHANGED, "/x")]),
    case(PERSISTENT, 't', &[]),
    case(PERSISTENT, 'x', &[(DELETED, "/x")]),
    case(RECURSIVE, 's', &[(DATA_CHANGED, "/x")]),
    case(RECURSIVE, 'c', &[(CREATED, "/x/y")]),
    case(RECURSIVE, 'd', &[(DELETED, "/x/y")]),
    case(RECURSIVE, 't', &[(DATA_CHANGED, "/x/y")]),
    case(RECURSIVE, 'x', &[(DELETED, "/x")]),
];

fn change(client: &mut Client, path: &str, change: char) {
    let child = format!("{path}/y");
    match change {
        's' => drop(client.set(path, b"")),
        'c' => drop(client.create(&child, b"")),
        'd' => client.delete(&child),
        't' => drop(client.set(&child, b"")),
        _ => client.delete(path),
    }
}

fn each_watch_hears_of_its_changes(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("each_watch_hears_of_its_changes");
    let mut watcher = ensemble.client(1);
    for (i, case) in CASES.iter().enumerate() {
        let room = client.create(&format!("{room}/{i}"), b"");
        let path = client.create(&format!("{room}/x"), b"");
        if "dt".contains(case.change) {
            client.create(&format!("{path}/y"), b"");
        }
        watcher.sync();
        match case.watch {
            (read, true) => drop(watcher.watch(read, &path).ok()),
            (mode, false) => watcher.add_watch(&path, mode),
        }
        change(&mut client, &path, case.change);
        let expected = told(case.events, &room);
        assert_eq!(
            watcher.settled(),
            expected,
            "{:?} {}",
            case.watch,
            case.change
        );
    }
}

fn a_standard_watch_fires_once(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_standard_watch_fires_once");
    let mut watcher = ensemble.client(2);
    watcher.sync();
    for read in [op::GET_DATA, op::EXISTS, op::GET_DATA] {
        watcher.watch(read, &room).ok();
    }
    watcher.watch(op::GET_CHILDREN, &room).ok();
    for i in 0..3 {
        client.set(&room, b"");
        client.create(&format!("{room}/{i}"), b"");
    }
    let expected = told(&[(DATA_CHANGED, ""), (CHILDREN_CHANGED, "")], &room);
    assert_eq!(watcher.settled(), expected);
}

fn exists_on_a_missing_znode_hears_of_its_creation(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("exists_on_a_missing_znode_hears_of_its_creation");
    let mut watcher = ensemble.client(1);
    let path = format!("{room}/a");
    let body = request::read(&path, true);
    assert_eq!(watcher.error(op::EXISTS, &body), code::NO_NODE);
    client.create(&path, b"");
    client.set(&path, b"");
    assert_eq!(watcher.settled(), told(&[(CREATED, "/a")], &room));
}

fn failed_reads_leave_no_watch(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("failed_reads_leave_no_watch");
    let mut watcher = ensemble.client(1);
    let missing = format!("{room}/missing");
    for read in [op::GET_DATA, op::GET_CHILDREN, op::GET_CHILDREN2] {
        assert_eq!(watcher.watch(read, &missing).error(), code::NO_NODE);
    }
    let closed = format!("{room}/closed");
    let body = request::create_with(&closed, None, &[(30, "world", "anyone")], 0);
    client.call(op::CREATE, &body).ok();
    watcher.sync();
    for read in [
        op::GET_DATA,
        op::EXISTS,
        op::GET_CHILDREN,
        op::GET_CHILDREN2,
    ] {
        assert_eq!(watcher.watch(read, &closed).error(), code::NO_AUTH);
    }
    let open = request::set_acl(&closed, crate::support::OPEN_LIST, -1);
    client.call(op::SET_ACL, &open).ok();
    for path in [&missing, &closed] {
        if path == &missing {
            client.create(path, b"");
        }
        client.create(&format!("{path}/x"), b"");
        client.set(path, b"");
        client.delete(&format!("{path}/x"));
        client.delete(path);
    }
    assert_eq!(watcher.settled(), []);
}

fn get_data_and_exists_share_one_watch(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("get_data_and_exists_share_one_watch");
    client.watch(op::GET_DATA, &room).ok();
    client.watch(op::EXISTS, &room).ok();
    client.set(&room, b"");
    assert_eq!(client.settled(), told(&[(DATA_CHANGED, "")], &room));
}

fn a_deletion_is_told_once_to_a_connection(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_deletion_is_told_once_to_a_connection");
    let path = client.create(&format!("{room}/a"), b"");
    let mut watcher = ensemble.client(1);
    watcher.sync();
    watcher.watch(op::GET_DATA, &path).ok();
    watcher.watch(op::GET_CHILDREN, &path).ok();
    watcher.add_watch(&path, 0);
    watcher.add_watch(&path, 1);
    watcher.add_watch(&room, 1);
    client.delete(&path);
    assert_eq!(watcher.settled(), told(&[(DELETED, "/a")], &room));
    // Both standard watches are used up, the others are not.
    client.create(&path, b"");
    assert_eq!(watcher.settled(), told(&[(CREATED, "/a")], &room));
}

fn a_persistent_watch_stays(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_persistent_watch_stays");
    let mut watcher = ensemble.client(2);
    let path = format!("{room}/a");
    watcher.add_watch(&path, 0);
    for _ in 0..3 {
        client.create(&path, b"");
        client.set(&path, b"");
        client.create(&format!("{path}/x"), b"");
        client.set(&format!("{path}/x"), b"");
        client.delete(&format!("{path}/x"));
        client.delete(&path);
    }
    let round = [
        CREATED,
        DATA_CHANGED,
        CHILDREN_CHANGED,
        CHILDREN_CHANGED,
        DELETED,
    ];
    let expected = vec![round.map(|kind| (kind, path.clone())); 3].concat();
    assert_eq!(watcher.settled(), expected);
}

fn a_recursive_watch_hears_of_everything_below(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_recursive_watch_hears_of_everything_below");
    let mut watcher = ensemble.client(1);
    watcher.sync();
    watcher.add_watch(&room, 1);
    client.set(&room, b"");
    for name in ["/a", "/a/b", "/a/b/c"] {
        client.create(&format!("{room}{name}"), b"");
    }
    client.set(&format!("{room}/a/b/c"), b"");
    client.delete(&format!("{room}/a/b/c"));
    let expected = [
        (DATA_CHANGED, ""),
        (CREATED, "/a"),
        (CREATED, "/a/b"),
        (CREATED, "/a/b/c"),
        (DATA_CHANGED, "/a/b/c"),
        (DELETED, "/a/b/c"),
    ];
    assert_eq!(watcher.settled(), told(&expected, &room));
}

fn a_recursive_watch_knows_where_a_name_ends(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_recursive_watch_knows_where_a_name_ends");
    let mut watcher = ensemble.client(1);
    watcher.add_watch(&format!("{room}/a"), 1);
    for name in ["/ab", "/ab/c", "/a-", "/A"] {
        client.create(&format!("{room}{name}"), b"");
    }
    assert_eq!(watcher.settled(), []);
}

fn watches_of_several_modes_live_side_by_side(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("watches_of_several_modes_live_side_by_side");
    let mut watcher = ensemble.client(1);
    watcher.sync();
    watcher.add_watch(&room, 0);
    watcher.watch(op::GET_DATA, &room).ok();
    watcher.add_watch(&room, 1);
    watcher.watch(op::GET_CHILDREN, &room).ok();
    client.set(&room, b"");
    client.set(&room, b"");
    client.create(&format!("{room}/a"), b"");
    // One notification a step, however many watches match.
    let expected = [
        (DATA_CHANGED, ""),
        (DATA_CHANGED, ""),
        (CREATED, "/a"),
        (CHILDREN_CHANGED, ""),
    ];
    assert_eq!(watcher.settled(), told(&expected, &room));
}

fn add_watch_is_answered_with_four_bytes(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("add_watch_is_answered_with_four_bytes");
    for mode in [0, 1, 0, 1] {
        let reply = client.call(op::ADD_WATCH, &request::watch(&room, mode));
        assert_eq!((reply.err, &reply.body[..]), (0, &[0; 4][..]));
    }
    for mode in [-1, 2, 5, i32::MAX] {
        let body = request::watch(&room, mode);
        assert_eq!(client.error(op::ADD_WATCH, &body), code::MARSHALLING);
    }
    // Whatever the path: nobody looks it up.
    for path in ["/none", "", "x", "/closed\u{1}"] {
        client.add_watch(path, 0);
    }
}

/// The kinds of checkWatches and removeWatches.
const KINDS: [(i32, &str); 5] = [
    (1, "children"),
    (2, "data"),
    (3, "any"),
    (4, "persistent"),
    (5, "recursive"),
];

fn leave(client: &mut Client, path: &str, watch: &str) {
    match watch {
        "children" => drop(client.watch(op::GET_CHILDREN, path).ok()),
        "data" => drop(client.watch(op::GET_DATA, path).ok()),
        "persistent" => client.add_watch(path, 0),
        _ => client.add_watch(path, 1),
    }
}

fn watches_are_removed_by_kind(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("watches_are_removed_by_kind");
    for left in ["children", "data", "persistent", "recursive"] {
        for (number, kind) in KINDS {
            leave(&mut client, &room, left);
            let reply = client.call(op::REMOVE_WATCHES, &request::watch(&room, number));
            if kind == left || kind == "any" {
                reply.ok().end();
            } else {
                assert_eq!(reply.error(), code::NO_WATCHER, "{left} {kind}");
                client
                    .call(op::REMOVE_WATCHES, &request::watch(&room, 3))
                    .ok();
            }
            let again = request::watch(&room, 3);
            assert_eq!(client.error(op::REMOVE_WATCHES, &again), code::NO_WATCHER);
        }
    }
    client.set(&room, b"");
    client.create(&format!("{room}/a"), b"");
    assert_eq!(client.settled(), []);
    for number in [0, -1, 6] {
        let body = request::watch(&room, number);
        assert_eq!(client.error(op::REMOVE_WATCHES, &body), code::MARSHALLING);
    }
}

fn watches_are_checked_by_kind(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("watches_are_checked_by_kind");
    let mut other = ensemble.client(0);
    for left in ["children", "data", "persistent", "recursive"] {
        leave(&mut client, &room, left);
        for (number, kind) in KINDS {
            let body = request::watch(&room, number);
            assert_eq!(other.error(op::CHECK_WATCHES, &body), code::NO_WATCHER);
            let reply = client.call(op::CHECK_WATCHES, &body);
            if kind == left || kind == "any" {
                reply.ok().end();
            } else {
                assert_eq!(reply.error(), code::NO_WATCHER, "{left} {kind}");
            }
        }
        client
            .call(op::REMOVE_WATCHES, &request::watch(&room, 3))
            .ok();
    }
}

/// A null path is looked up like any other, after the type of watch was understood.
fn nobody_watches_where_no_path_is(ensemble: &Ensemble) {
    let mut client = ensemble.client(0);
    for operation in [op::CHECK_WATCHES, op::REMOVE_WATCHES] {
        for (number, kind) in KINDS {
            let body = Body::new().buffer(None).int(number);
            assert_eq!(client.error(operation, &body), code::NO_WATCHER, "{kind}");
        }
        for number in [0, -1, 6, i32::MAX] {
            let body = Body::new().buffer(None).int(number);
            assert_eq!(client.error(operation, &body), code::MARSHALLING);
        }
        let torn = Body::new().buffer(None);
        assert_eq!(client.error(operation, &torn), code::MARSHALLING);
    }
}

/// No znode can ever be there, which neither exists nor addWatch looks at; since 3.9.0 such a watch
/// is found and taken back like others (ZOOKEEPER-4471; 3.8.0 fails where it looks for the path's
/// parents).
fn a_path_that_is_none_can_be_watched(ensemble: &Ensemble) {
    let mut client = ensemble.client(0);
    for path in ["a", "a/b", "/a/", "//", "/a/../b"] {
        for kind in [2, 3] {
            let watch = request::watch(path, kind);
            for operation in [op::CHECK_WATCHES, op::REMOVE_WATCHES] {
                assert_eq!(client.error(operation, &watch), code::NO_WATCHER, "{path}");
            }
            let missing = client.watch(op::EXISTS, path);
            assert_eq!(missing.error(), code::NO_NODE, "{path}");
            client.call(op::CHECK_WATCHES, &watch).ok().end();
            client.call(op::REMOVE_WATCHES, &watch).ok().end();
        }
        client.add_watch(path, 0);
        client.add_watch(path, 1);
        for kind in [4, 5] {
            let watch = request::watch(path, kind);
            client.call(op::REMOVE_WATCHES, &watch).ok().end();
        }
        let body = Body::new().long(0).texts(&[]).texts(&[path]).texts(&[]);
        client.call(op::SET_WATCHES, &body).ok().end();
        client
            .call(op::REMOVE_WATCHES, &request::watch(path, 2))
            .ok();
    }
    for mode in [-1, 2, i32::MAX] {
        let body = request::watch("a", mode);
        assert_eq!(client.error(op::ADD_WATCH, &body), code::MARSHALLING);
    }
}

fn watches_die_with_their_connection(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("watches_die_with_their_connection");
    let mut before = ensemble.client(1);
    before.sync();
    for watch in ["children", "data", "persistent", "recursive"] {
        leave(&mut before, &room, watch);
    }
    let mut after = before.reattach(ensemble.address(1));
    client.set(&room, b"");
    client.create(&format!("{room}/a"), b"");
    assert_eq!(after.settled(), []);
    for (number, _) in KINDS {
        let body = request::watch(&room, number);
        assert_eq!(after.error(op::CHECK_WATCHES, &body), code::NO_WATCHER);
    }
}

fn set_acl_fires_nothing(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("set_acl_fires_nothing");
    for watch in ["children", "data", "persistent", "recursive"] {
        leave(&mut client, &room, watch);
    }
    let body = request::set_acl(&room, crate::support::OPEN_LIST, -1);
    client.call(op::SET_ACL, &body).ok();
    assert_eq!(client.settled(), []);
}

fn a_closing_session_fires_for_its_ephemerals(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("a_closing_session_fires_for_its_ephemerals");
    let mut owner = ensemble.client(0);
    for name in ["a", "b"] {
        owner.create_mode(&format!("{room}/{name}"), b"", mode::EPHEMERAL);
    }
    let mut watcher = ensemble.client(1);
    watcher.sync();
    watcher.watch(op::GET_CHILDREN, &room).ok();
    watcher.add_watch(&room, 1);
    owner.close();
    let mut events = watcher.settled();
    events.sort();
    let expected = [(DELETED, "/a"), (DELETED, "/b"), (CHILDREN_CHANGED, "")];
    assert_eq!(events, told(&expected, &room));
}

fn the_writer_hears_before_its_own_reply(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("the_writer_hears_before_its_own_reply");
    for _ in 0..20 {
        client.watch(op::GET_DATA, &room).ok();
        client.send(op::SET_DATA, &request::set_data(&room, None, -1));
        assert_eq!(client.event().kind, kind::DATA_CHANGED);
        client.reply().ok();
    }
}

fn every_watcher_hears(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("every_watcher_hears");
    let mut watchers: Vec<_> = (0..20).map(|i| ensemble.client(i)).collect();
    for watcher in &mut watchers {
        watcher.sync();
        watcher.watch(op::GET_DATA, &room).ok();
    }
    let zxid = client.set(&room, b"").mzxid;
    for watcher in &mut watchers {
        let event = watcher.event();
        assert_eq!((event.kind, event.zxid), (DATA_CHANGED, zxid));
    }
}

fn a_failed_write_fires_nothing(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_failed_write_fires_nothing");
    for watch in ["children", "data", "persistent", "recursive"] {
        leave(&mut client, &room, watch);
    }
    client.error(op::SET_DATA, &request::set_data(&room, None, 9));
    client.error(op::CREATE, &request::create(&room, None, 0));
    client.error(op::DELETE, &request::versioned(&room, 9));
    client.error(op::DELETE, &request::versioned(&format!("{room}/x"), -1));
    assert_eq!(client.settled(), []);
}

fn an_event_carries_the_zxid_of_its_change(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("an_event_carries_the_zxid_of_its_change");
    let mut watcher = ensemble.client(1);
    watcher.sync();
    watcher.add_watch(&room, 1);
    let zxids: Vec<i64> = (0..10).map(|_| client.set(&room, b"").mzxid).collect();
    let heard: Vec<i64> = (0..10).map(|_| watcher.event().zxid).collect();
    assert_eq!(heard, zxids);
}

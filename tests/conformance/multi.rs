//! multi and multiRead: all or nothing, and what the answer says about each operation.

use crate::support::{Body, Client, Ensemble, Fields, Frame, code, mode, on_one_and_three, op};
use crate::support::{kind, request};

on_one_and_three!(
    every_operation_answers_in_its_form,
    one_multi_is_one_change,
    operations_see_those_before_them,
    a_failure_undoes_everything,
    the_failure_stands_in_the_elements_only,
    an_empty_multi_is_answered_empty,
    what_is_not_an_operation_of_a_multi_is_malformed,
    containers_and_ttl_znodes_answer_as_create2,
    flags_of_a_create_are_part_of_its_form,
    ephemerals_may_be_made_in_a_multi,
    events_come_in_the_order_of_operations,
    a_failed_multi_fires_no_event,
    reads_succeed_or_fail_alone,
    reads_ignore_their_watch_flag,
    reads_and_writes_do_not_mix,
);

const END: (i32, bool, i32) = (-1, true, -1);

fn create(path: &str) -> (i32, Body) {
    (op::CREATE, request::create(path, Some(b""), 0))
}

fn delete(path: &str) -> (i32, Body) {
    (op::DELETE, request::versioned(path, -1))
}

fn set(path: &str, version: i32) -> (i32, Body) {
    (op::SET_DATA, request::set_data(path, Some(b"set"), version))
}

fn check(path: &str, version: i32) -> (i32, Body) {
    (op::CHECK, request::versioned(path, version))
}

fn multi(client: &mut Client, ops: &[(i32, Body)]) -> Frame {
    client.call(op::MULTI, &request::multi(ops))
}

/// The codes of a failed multi, each of which must stand in an error element.
fn codes(reply: &Frame) -> Vec<i32> {
    let mut fields = reply.ok();
    let mut codes = Vec::new();
    loop {
        let (op, done, err) = fields.multi_header();
        assert_eq!(op, -1);
        if done {
            assert_eq!(err, -1);
            fields.end();
            return codes;
        }
        assert_eq!(fields.int(), err, "the code stands twice");
        codes.push(err);
    }
}

fn every_operation_answers_in_its_form(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("every_operation_answers_in_its_form");
    let (a, b) = (format!("{room}/a"), format!("{room}/b"));
    let ops = [
        create(&a),
        (op::CREATE2, request::create(&b, None, mode::PERSISTENT)),
        set(&a, 0),
        check(&a, 1),
        delete(&a),
    ];
    let reply = multi(&mut client, &ops);
    let mut fields = reply.ok();
    assert_eq!(fields.multi_header(), (1, false, 0));
    assert_eq!(fields.text(), a);
    assert_eq!(fields.multi_header(), (15, false, 0));
    assert_eq!(fields.text(), b);
    assert_eq!(fields.stat().czxid, reply.zxid);
    assert_eq!(fields.multi_header(), (5, false, 0));
    let stat = fields.stat();
    assert_eq!((stat.version, stat.mzxid), (1, reply.zxid));
    assert_eq!(fields.multi_header(), (13, false, 0));
    assert_eq!(fields.multi_header(), (2, false, 0));
    assert_eq!(fields.multi_header(), END);
    fields.end();
}

fn one_multi_is_one_change(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("one_multi_is_one_change");
    let paths: Vec<_> = (0..5).map(|i| format!("{room}/{i}")).collect();
    let ops: Vec<_> = paths.iter().map(|path| create(path)).collect();
    let zxid = multi(&mut client, &ops).zxid;
    let mut witness = ensemble.client(1);
    witness.sync();
    let stats: Vec<_> = paths.iter().map(|p| witness.stat(p).unwrap()).collect();
    assert!(stats.iter().all(|stat| stat.czxid == zxid));
    assert!(stats.iter().all(|stat| stat.ctime == stats[0].ctime));
    assert_eq!(witness.stat(&room).unwrap().pzxid, zxid);
}

fn operations_see_those_before_them(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("operations_see_those_before_them");
    let parent = format!("{room}/p");
    let child = format!("{parent}/s");
    let sequential = || (op::CREATE, request::create(&child, None, mode::SEQUENTIAL));
    let ops = [
        create(&parent),
        sequential(),
        create(&format!("{parent}/x")),
        sequential(),
        set(&parent, 0),
        set(&parent, 1),
        check(&parent, 2),
        delete(&format!("{parent}/x")),
        (
            op::CHECK,
            request::versioned(&format!("{parent}/s0000000002"), 0),
        ),
    ];
    let reply = multi(&mut client, &ops);
    let mut fields = reply.ok();
    for path in ["", "/s0000000000", "/x", "/s0000000002"] {
        assert_eq!(fields.multi_header(), (1, false, 0));
        assert_eq!(fields.text(), format!("{parent}{path}"));
    }
    for version in [1, 2] {
        assert_eq!(fields.multi_header(), (5, false, 0));
        assert_eq!(fields.stat().version, version);
    }
    let create_of_deleted = [delete(&child.replace("/s", "/s0000000000")), create(&child)];
    multi(&mut client, &create_of_deleted).ok();
    assert_eq!(client.children(&parent), ["s", "s0000000002"]);
}

fn a_failure_undoes_everything(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_failure_undoes_everything");
    let kept = client.create(&format!("{room}/kept"), b"old");
    client.create_mode(&format!("{room}/mine"), b"", mode::EPHEMERAL);
    let before = (client.get(&kept), client.stat(&room));
    let ops = [
        set(&kept, 0),
        create(&format!("{room}/new")),
        (
            op::CREATE,
            request::create(&format!("{room}/s"), None, mode::EPHEMERAL_SEQUENTIAL),
        ),
        delete(&format!("{room}/mine")),
        delete(&kept),
        create("/none/x"),
    ];
    let zxid = client.zxid;
    let reply = multi(&mut client, &ops);
    assert_eq!(codes(&reply), [0, 0, 0, 0, 0, code::NO_NODE]);
    assert!(reply.zxid > zxid, "its zxid is taken all the same");
    assert_eq!((client.get(&kept), client.stat(&room)), before);
    let ephemerals = client.call(op::GET_EPHEMERALS, &request::path(&room));
    assert_eq!(ephemerals.ok().texts(), [format!("{room}/mine")]);
    let next = client.create_mode(&format!("{room}/s"), b"", mode::SEQUENTIAL);
    assert_eq!(next, format!("{room}/s0000000002"));
}

fn the_failure_stands_in_the_elements_only(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("the_failure_stands_in_the_elements_only");
    let rest = code::RUNTIME_INCONSISTENCY;
    let good = || check(&room, -1);
    let cases = [
        (check(&room, 7), code::BAD_VERSION),
        (check("/none", -1), code::NO_NODE),
        (check("none", -1), code::BAD_ARGUMENTS),
        (set(&room, 7), code::BAD_VERSION),
        (delete("/zookeeper"), code::BAD_ARGUMENTS),
        (create(&room), code::NODE_EXISTS),
        (create("/none/x"), code::NO_NODE),
        (create("x"), code::BAD_ARGUMENTS),
        (
            (
                op::CREATE,
                request::create_with(&format!("{room}/x"), None, &[], 0),
            ),
            code::INVALID_ACL,
        ),
    ];
    for (bad, expected) in cases {
        let reply = multi(&mut client, std::slice::from_ref(&bad));
        assert_eq!((reply.err, codes(&reply)), (0, vec![expected]));
        let reply = multi(&mut client, &[bad.clone(), good(), bad.clone()]);
        assert_eq!(codes(&reply), [expected, rest, rest]);
        let reply = multi(&mut client, &[good(), good(), bad, good()]);
        assert_eq!(codes(&reply), [0, 0, expected, rest]);
    }
}

fn an_empty_multi_is_answered_empty(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    for operation in [op::MULTI, op::MULTI_READ] {
        let reply = client.call(operation, &request::multi(&[]));
        let mut fields = reply.ok();
        assert_eq!(fields.multi_header(), END);
        fields.end();
    }
}

fn what_is_not_an_operation_of_a_multi_is_malformed(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("what_is_not_an_operation_of_a_multi_is_malformed");
    let new = format!("{room}/new");
    let bad = [
        (op::GET_DATA, request::read(&room, false)),
        (op::EXISTS, request::read(&room, false)),
        (
            op::SET_ACL,
            request::set_acl(&room, crate::support::OPEN_LIST, -1),
        ),
        (op::DELETE_CONTAINER, request::path(&room)),
        (op::CLOSE_SESSION, Body::new()),
        (op::RECONFIG, Body::new()),
        (op::PING, Body::new()),
        (op::MULTI, request::multi(&[])),
        (0, Body::new()),
        (-7, Body::new()),
        (9999, Body::new()),
        (op::CREATE, Body::new().text("cut short")),
    ];
    for (operation, body) in bad {
        let reply = multi(&mut client, &[create(&new), (operation, body)]);
        assert_eq!(reply.error(), code::MARSHALLING, "{operation}");
    }
    let unfinished = Body::new().int(op::DELETE).bool(false).int(-1).text(&room);
    assert_eq!(client.error(op::MULTI, &unfinished), code::MARSHALLING);
    assert_eq!(client.error(op::MULTI, &Body::new()), code::MARSHALLING);
    assert_eq!(client.stat(&new), None);
}

fn containers_and_ttl_znodes_answer_as_create2(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("containers_and_ttl_znodes_answer_as_create2");
    let path = |name: &str| format!("{room}/{name}");
    let container = request::create(&path("c"), None, mode::CONTAINER);
    let ops = [
        (op::CREATE_CONTAINER, container),
        (
            op::CREATE_TTL,
            request::create_ttl(&path("t"), mode::TTL, 1 << 35),
        ),
    ];
    let reply = multi(&mut client, &ops);
    let mut fields = reply.ok();
    for name in ["c", "t"] {
        assert_eq!(fields.multi_header(), (15, false, 0));
        assert_eq!(fields.text(), path(name));
        assert_eq!(fields.stat().ephemeral_owner, 0);
    }
    assert_eq!(fields.multi_header(), END);
}

fn flags_of_a_create_are_part_of_its_form(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("flags_of_a_create_are_part_of_its_form");
    let path = format!("{room}/a");
    for flags in [-1, mode::TTL, mode::TTL_SEQUENTIAL, 7] {
        for operation in [op::CREATE, op::CREATE2, op::CREATE_CONTAINER] {
            let bad = (operation, request::create(&path, None, flags));
            let reply = multi(&mut client, &[check("/none", -1), bad]);
            assert_eq!(reply.error(), code::MARSHALLING, "{operation} {flags}");
        }
    }
    // Here the flags are looked at when it is its turn.
    let bad = (op::CREATE_TTL, request::create_ttl(&path, 7, 1));
    assert_eq!(codes(&multi(&mut client, &[bad])), [code::BAD_ARGUMENTS]);
}

fn ephemerals_may_be_made_in_a_multi(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("ephemerals_may_be_made_in_a_multi");
    let mut owner = ensemble.client(1);
    let ephemeral = |name: &str| {
        let path = format!("{room}/{name}");
        (op::CREATE2, request::create(&path, None, mode::EPHEMERAL))
    };
    let below = create(&format!("{room}/a/x"));
    let reply = multi(&mut owner, &[ephemeral("a"), below]);
    assert_eq!(codes(&reply), [0, code::NO_CHILDREN_FOR_EPHEMERALS]);
    multi(&mut owner, &[ephemeral("a"), ephemeral("b")]).ok();
    client.sync();
    assert_eq!(client.children(&room), ["a", "b"]);
    owner.close();
    client.sync();
    assert_eq!(client.children(&room), [""; 0]);
}

fn events_come_in_the_order_of_operations(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("events_come_in_the_order_of_operations");
    let mut watcher = ensemble.client(1);
    watcher.sync();
    watcher.add_watch(&room, 0);
    watcher.add_watch(&room, 1);
    let a = format!("{room}/a");
    let zxid = multi(
        &mut client,
        &[create(&a), set(&a, 0), set(&room, 0), delete(&a)],
    )
    .zxid;
    let expected = [
        (kind::CREATED, &a),
        (kind::CHILDREN_CHANGED, &room),
        (kind::DATA_CHANGED, &a),
        (kind::DATA_CHANGED, &room),
        (kind::DELETED, &a),
        (kind::CHILDREN_CHANGED, &room),
    ];
    for (kind, path) in expected {
        let event = watcher.event();
        assert_eq!((event.kind, &event.path), (kind, path));
        assert_eq!(event.zxid, zxid, "one change, one zxid");
    }
    assert_eq!(watcher.settled(), []);
}

fn a_failed_multi_fires_no_event(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_failed_multi_fires_no_event");
    let mut watcher = ensemble.client(1);
    watcher.sync();
    watcher.watch(op::GET_CHILDREN, &room).ok();
    watcher.watch(op::GET_DATA, &room).ok();
    let a = format!("{room}/a");
    let reply = multi(&mut client, &[create(&a), set(&room, 0), check(&room, 0)]);
    assert_eq!(codes(&reply), [0, 0, code::BAD_VERSION]);
    assert_eq!(watcher.settled(), []);
    // The watches are still there.
    client.create(&a, b"");
    client.set(&room, b"");
    let expected = [kind::CHILDREN_CHANGED, kind::DATA_CHANGED];
    assert_eq!(watcher.events(2), expected.map(|kind| (kind, room.clone())));
}

fn reads_succeed_or_fail_alone(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("reads_succeed_or_fail_alone");
    client.create(&format!("{room}/a"), b"data");
    client.create(&format!("{room}/b"), b"");
    let closed = request::create_with(&format!("{room}/c"), None, &[(2, "world", "anyone")], 0);
    client.call(op::CREATE, &closed).ok();
    let read = |operation, path: &str| (operation, request::read(path, false));
    let ops = [
        read(op::GET_DATA, &format!("{room}/a")),
        read(op::GET_DATA, "/none"),
        read(op::GET_CHILDREN, &room),
        read(op::GET_CHILDREN, "/none"),
        read(op::GET_DATA, &format!("{room}/c")),
        read(op::GET_DATA, &format!("{room}/b")),
    ];
    let reply = client.call(op::MULTI_READ, &request::multi(&ops));
    let mut fields = reply.ok();
    let failed = |fields: &mut Fields<'_>, code| {
        assert_eq!(fields.multi_header(), (-1, false, code));
        assert_eq!(fields.int(), code);
    };
    assert_eq!(fields.multi_header(), (4, false, 0));
    assert_eq!(fields.buffer(), Some(b"data".to_vec()));
    assert_eq!(fields.stat().data_length, 4);
    failed(&mut fields, code::NO_NODE);
    assert_eq!(fields.multi_header(), (8, false, 0));
    let mut children = fields.texts();
    children.sort();
    assert_eq!(children, ["a", "b", "c"]);
    failed(&mut fields, code::NO_NODE);
    failed(&mut fields, code::NO_AUTH);
    assert_eq!(fields.multi_header(), (4, false, 0));
    assert_eq!(
        (fields.buffer(), fields.stat().data_length),
        (Some(vec![]), 0)
    );
    assert_eq!(fields.multi_header(), END);
    fields.end();
}

fn reads_ignore_their_watch_flag(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("reads_ignore_their_watch_flag");
    let ops = [
        (op::GET_DATA, request::read(&room, true)),
        (op::GET_CHILDREN, request::read(&room, true)),
    ];
    client.call(op::MULTI_READ, &request::multi(&ops)).ok();
    client.set(&room, b"");
    client.create(&format!("{room}/a"), b"");
    assert_eq!(client.settled(), []);
}

fn reads_and_writes_do_not_mix(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("reads_and_writes_do_not_mix");
    let read = || (op::GET_DATA, request::read(&room, false));
    for write in [
        create(&format!("{room}/a")),
        set(&room, -1),
        check(&room, -1),
    ] {
        let mixed = request::multi(&[read(), write.clone()]);
        assert_eq!(client.error(op::MULTI_READ, &mixed), code::MARSHALLING);
        let mixed = request::multi(&[write, read()]);
        assert_eq!(client.error(op::MULTI, &mixed), code::MARSHALLING);
    }
    assert_eq!(client.children(&room), [""; 0]);
}

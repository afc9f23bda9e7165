//! Access control: which permission each operation asks for, what a list may look like, and who
//! may see it.

use crate::support::kind::{CHILDREN_CHANGED, DATA_CHANGED};
use crate::support::{Body, Client, Ensemble, OPEN_LIST, code, on_one_and_three, op, request};

on_one_and_three!(
    each_operation_asks_for_its_permission,
    a_list_guards_its_own_znode_only,
    the_right_to_delete_is_the_parents,
    entries_add_up,
    duplicates_are_dropped_and_order_is_kept,
    malformed_lists_are_invalid,
    addresses_match_by_prefix,
    auth_stands_for_whoever_has_proven_something,
    digests_are_hidden_from_those_who_only_read,
    super_may_do_everything,
    permissions_are_not_validated,
    a_refusal_leaves_nothing_behind,
    events_reach_only_those_who_may_read,
    a_multi_asks_for_each_permission,
    watches_are_added_without_permission,
);

type List<'a> = &'a [(i32, &'a str, &'a str)];

const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";

fn create(client: &mut Client, path: &str, acl: List<'_>) -> String {
    let reply = client.call(op::CREATE, &request::create_with(path, None, acl, 0));
    reply.ok().text()
}

fn login(client: &mut Client, user_and_password: &str) {
    let body = request::auth("digest", user_and_password.as_bytes());
    client.send_as(-4, op::AUTH, &body);
    client.reply().ok().end();
}

fn acl_of(client: &mut Client, path: &str) -> Vec<(i32, String, String)> {
    client.call(op::GET_ACL, &request::path(path)).ok().acl()
}

fn owned(list: List<'_>) -> Vec<(i32, String, String)> {
    let entry = |(perms, scheme, id): &(i32, &str, &str)| (*perms, (*scheme).into(), (*id).into());
    list.iter().map(entry).collect()
}

const READ: i32 = 1;
const WRITE: i32 = 2;
const CREATE: i32 = 4;
const DELETE: i32 = 8;
const ADMIN: i32 = 16;

fn each_operation_asks_for_its_permission(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("each_operation_asks_for_its_permission");
    for perms in [READ, WRITE, CREATE, DELETE, ADMIN, 0, 31] {
        let path = format!("{room}/{perms}");
        create(&mut client, &path, OPEN_LIST);
        create(&mut client, &format!("{path}/x"), OPEN_LIST);
        let list = [(perms, "world", "anyone")];
        client
            .call(op::SET_ACL, &request::set_acl(&path, &list, -1))
            .ok();
        let read = request::multi(&[(op::GET_DATA, request::read(&path, false))]);
        let cases = [
            (READ, op::EXISTS, request::read(&path, false)),
            (READ, op::GET_DATA, request::read(&path, false)),
            (READ, op::GET_CHILDREN, request::read(&path, false)),
            (READ, op::GET_CHILDREN2, request::read(&path, false)),
            (READ, op::GET_ALL_CHILDREN_NUMBER, request::path(&path)),
            (READ | ADMIN, op::GET_ACL, request::path(&path)),
            (WRITE, op::SET_DATA, request::set_data(&path, None, -1)),
            (
                CREATE,
                op::CREATE,
                request::create(&format!("{path}/y"), None, 0),
            ),
            (
                CREATE,
                op::CREATE2,
                request::create(&format!("{path}/z"), None, 0),
            ),
            (
                DELETE,
                op::DELETE,
                request::versioned(&format!("{path}/x"), -1),
            ),
            (31, op::MULTI_READ, read),
            (31, op::SYNC, request::path(&path)),
            (31, op::ADD_WATCH, request::watch(&path, 0)),
            (31, op::GET_EPHEMERALS, request::path(&path)),
            (ADMIN, op::SET_ACL, request::set_acl(&path, OPEN_LIST, -1)),
        ];
        for (asked, operation, body) in cases {
            let allowed = asked == 31 || perms & asked != 0;
            let expected = if allowed { 0 } else { code::NO_AUTH };
            assert_eq!(
                client.call(operation, &body).err,
                expected,
                "{perms} {operation}"
            );
        }
    }
}

fn a_list_guards_its_own_znode_only(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_list_guards_its_own_znode_only");
    let closed = create(&mut client, &format!("{room}/closed"), OPEN_LIST);
    let child = create(&mut client, &format!("{closed}/x"), OPEN_LIST);
    let list = [(0, "world", "anyone")];
    client
        .call(op::SET_ACL, &request::set_acl(&closed, &list, -1))
        .ok();
    client.set(&child, b"");
    client.create(&format!("{child}/y"), b"");
    assert_eq!(client.children(&child), ["y"]);
    assert_eq!(client.children(&room), ["closed"]);
}

fn the_right_to_delete_is_the_parents(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("the_right_to_delete_is_the_parents");
    let path = create(&mut client, &format!("{room}/x"), &[(0, "world", "anyone")]);
    client.delete(&path);
}

fn entries_add_up(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("entries_add_up");
    let list = [
        (READ, "world", "anyone"),
        (31, "digest", ALICE),
        (WRITE, "ip", "127.0.0.1"),
    ];
    let path = create(&mut client, &format!("{room}/x"), &list);
    client.get(&path);
    client.set(&path, b"");
    let body = request::set_acl(&path, OPEN_LIST, -1);
    assert_eq!(client.error(op::SET_ACL, &body), code::NO_AUTH);
    login(&mut client, "alice:secret");
    client.call(op::SET_ACL, &body).ok();
}

fn duplicates_are_dropped_and_order_is_kept(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("duplicates_are_dropped_and_order_is_kept");
    let list = [
        (READ, "ip", "10.0.0.0/8"),
        (31, "world", "anyone"),
        (READ, "ip", "10.0.0.0/8"),
        (WRITE, "ip", "10.0.0.0/8"),
        (31, "world", "anyone"),
    ];
    let path = create(&mut client, &format!("{room}/x"), &list);
    let kept = [list[0], list[1], list[3]];
    assert_eq!(acl_of(&mut client, &path), owned(&kept));
}

fn malformed_lists_are_invalid(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("malformed_lists_are_invalid");
    let path = format!("{room}/x");
    let bad: [List<'_>; 20] = [
        &[],
        &[(31, "world", "somebody")],
        &[(31, "world", "")],
        &[(31, "", "anyone")],
        &[(31, "none", "x")],
        &[(31, "super", "x")],
        // Schemes whose providers are not there.
        &[(31, "sasl", "bob")],
        &[(31, "x509", "CN=bob")],
        &[(31, "key", "x")],
        &[(31, "auth", "")],
        &[(31, "digest", "alice")],
        &[(31, "digest", "alice:")],
        &[(31, "digest", "a:b:c")],
        &[(31, "digest", "")],
        &[(31, "ip", "")],
        &[(31, "ip", "127.0.0")],
        &[(31, "ip", "127.0.0.256")],
        &[(31, "ip", "127.0.0.1/33")],
        &[(31, "ip", "localhost")],
        // One bad entry spoils the list.
        &[(31, "world", "anyone"), (31, "none", "x")],
    ];
    for list in bad {
        let body = request::create_with(&path, None, list, 0);
        assert_eq!(
            client.error(op::CREATE, &body),
            code::INVALID_ACL,
            "{list:?}"
        );
        let body = request::set_acl(&room, list, -1);
        assert_eq!(
            client.error(op::SET_ACL, &body),
            code::INVALID_ACL,
            "{list:?}"
        );
    }
    let with_list = |list: Body| Body::new().text(&path).buffer(None).raw(&list.0).int(0);
    let null = Body::new().int(-1);
    let null_scheme = Body::new().int(1).int(31).int(-1).text("anyone");
    let null_id = Body::new().int(1).int(31).text("world").int(-1);
    let negative = Body::new().int(-2);
    for list in [null, negative, null_scheme, null_id] {
        let body = with_list(list);
        assert_eq!(client.error(op::CREATE, &body), code::INVALID_ACL);
    }
    for count in [1 << 30, i32::MAX] {
        let body = with_list(Body::new().int(count));
        assert_eq!(
            client.error(op::CREATE, &body),
            code::MARSHALLING,
            "{count}"
        );
    }
}

fn addresses_match_by_prefix(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("addresses_match_by_prefix");
    let cases = [
        ("127.0.0.1", true),
        ("127.0.0.1/32", true),
        ("127.0.0.0/8", true),
        ("127.255.255.255/8", true),
        ("0.0.0.0/0", true),
        ("126.0.0.0/7", true),
        ("127.0.0.2", false),
        ("127.0.0.2/31", false),
        ("128.0.0.0/8", false),
        ("::1", false),
        ("::/0", false),
    ];
    for (i, (address, matches)) in cases.iter().enumerate() {
        let path = create(&mut client, &format!("{room}/{i}"), &[(31, "ip", address)]);
        let reply = client.call(op::GET_DATA, &request::read(&path, false));
        assert_eq!(
            reply.err,
            if *matches { 0 } else { code::NO_AUTH },
            "{address}"
        );
    }
}

fn auth_stands_for_whoever_has_proven_something(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("auth_stands_for_whoever_has_proven_something");
    let list = [
        (READ | ADMIN, "auth", "ignored"),
        (WRITE, "world", "anyone"),
    ];
    let body = request::create_with(&format!("{room}/x"), None, &list, 0);
    // An address is nothing that was proven.
    assert_eq!(client.error(op::CREATE, &body), code::INVALID_ACL);
    login(&mut client, "alice:secret");
    login(&mut client, "bob:b");
    client.call(op::CREATE, &body).ok();
    let kept = acl_of(&mut client, &format!("{room}/x"));
    assert_eq!(kept.len(), 3);
    assert_eq!(kept[0], (READ | ADMIN, "digest".into(), ALICE.into()));
    assert!(kept[1].2.starts_with("bob:"), "{kept:?}");
    assert_eq!(kept[2], (WRITE, "world".into(), "anyone".into()));
    let mut other = ensemble.client(1);
    other.sync();
    let read = request::read(&format!("{room}/x"), false);
    assert_eq!(other.error(op::GET_DATA, &read), code::NO_AUTH);
}

fn digests_are_hidden_from_those_who_only_read(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("digests_are_hidden_from_those_who_only_read");
    let list = [
        (31, "digest", ALICE),
        (READ, "world", "anyone"),
        (2, "ip", "10.0.0.1"),
    ];
    let path = create(&mut client, &format!("{room}/x"), &list);
    let mut hidden = owned(&list);
    hidden[0].2 = "alice:x".into();
    assert_eq!(acl_of(&mut client, &path), hidden);
    login(&mut client, "alice:secret");
    assert_eq!(acl_of(&mut client, &path), owned(&list));
}

fn super_may_do_everything(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("super_may_do_everything");
    let path = create(&mut client, &format!("{room}/x"), &[(0, "world", "anyone")]);
    let read = request::read(&path, false);
    login(&mut client, "super:wrong");
    assert_eq!(client.error(op::GET_DATA, &read), code::NO_AUTH);
    login(&mut client, "super:test");
    client.get(&path);
    client.set(&path, b"");
    client.create(&format!("{path}/y"), b"");
    client.delete(&format!("{path}/y"));
    client
        .call(op::SET_ACL, &request::set_acl(&path, OPEN_LIST, -1))
        .ok();
    let config = client.get("/zookeeper/config").0;
    client.set("/zookeeper/config", &config.unwrap_or_default());
}

fn permissions_are_not_validated(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("permissions_are_not_validated");
    for perms in [-1, 32, i32::MIN, i32::MAX] {
        let list = [(perms, "world", "anyone"), (31, "world", "anyone")];
        let path = create(&mut client, &format!("{room}/{perms}"), &list);
        assert_eq!(acl_of(&mut client, &path), owned(&list));
    }
}

fn a_refusal_leaves_nothing_behind(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_refusal_leaves_nothing_behind");
    let path = create(
        &mut client,
        &format!("{room}/x"),
        &[(READ, "world", "anyone")],
    );
    let before = client.stat(&path);
    for i in 0..50 {
        let child = format!("{path}/s");
        client.send(op::CREATE, &request::create(&child, None, 2));
        client.send(op::SET_DATA, &request::set_data(&path, None, -1));
        client.send(
            op::CREATE,
            &request::create(&format!("{room}/{i}"), None, 0),
        );
    }
    let errors = client.replies(150).into_iter().map(|reply| reply.err);
    let expected = [code::NO_AUTH, code::NO_AUTH, 0];
    assert!(errors.eq(expected.into_iter().cycle().take(150)));
    assert_eq!(client.stat(&path), before);
}

fn events_reach_only_those_who_may_read(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("events_reach_only_those_who_may_read");
    let path = create(&mut client, &format!("{room}/x"), OPEN_LIST);
    login(&mut client, "alice:secret");
    let mut stranger = ensemble.client(1);
    let mut alice = ensemble.client(2);
    login(&mut alice, "alice:secret");
    for watcher in [&mut stranger, &mut alice] {
        watcher.sync();
        watcher.watch(op::GET_DATA, &path).ok();
        watcher.watch(op::GET_CHILDREN, &path).ok();
        watcher.add_watch(&path, 1);
    }
    let closed = request::set_acl(&path, &[(31, "digest", ALICE)], -1);
    client.call(op::SET_ACL, &closed).ok();
    client.set(&path, b"");
    // A child that everybody may read, below a parent that only Alice may.
    create(&mut client, &format!("{path}/y"), OPEN_LIST);
    let created = (crate::support::kind::CREATED, format!("{path}/y"));
    assert_eq!(stranger.settled(), std::slice::from_ref(&created));
    let expected = [
        (DATA_CHANGED, path.clone()),
        created,
        (CHILDREN_CHANGED, path.clone()),
    ];
    assert_eq!(alice.settled(), expected);
    // What was not told has used the watch up all the same.
    client
        .call(op::SET_ACL, &request::set_acl(&path, OPEN_LIST, -1))
        .ok();
    stranger.sync();
    for kind in [1, 2] {
        let body = request::watch(&path, kind);
        assert_eq!(stranger.error(op::CHECK_WATCHES, &body), code::NO_WATCHER);
    }
}

fn a_multi_asks_for_each_permission(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_multi_asks_for_each_permission");
    let path = create(&mut client, &format!("{room}/x"), &[(0, "world", "anyone")]);
    let cases = [
        (op::CHECK, request::versioned(&path, 5)),
        (op::SET_DATA, request::set_data(&path, None, 5)),
        (op::CREATE, request::create(&format!("{path}/y"), None, 0)),
        (op::DELETE, request::versioned(&format!("{path}/y"), -1)),
    ];
    for case in cases {
        let reply = client.call(op::MULTI, &request::multi(&[case]));
        let mut fields = reply.ok();
        assert_eq!(fields.multi_header(), (-1, false, code::NO_AUTH));
        assert_eq!(fields.int(), code::NO_AUTH);
    }
}

fn watches_are_added_without_permission(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("watches_are_added_without_permission");
    let path = create(
        &mut client,
        &format!("{room}/x"),
        &[(ADMIN, "world", "anyone")],
    );
    client.add_watch(&path, 0);
    let body = request::set_watches(client.zxid, &[&path], &[], &[&path]);
    client.call(op::SET_WATCHES, &body).ok();
    client
        .call(op::SET_ACL, &request::set_acl(&path, OPEN_LIST, -1))
        .ok();
    client.set(&path, b"");
    assert_eq!(client.settled(), [(DATA_CHANGED, path)]);
}

#[test]
fn skip_acl_lets_everybody_do_everything() {
    let ensemble = Ensemble::start(1, |config| config.skip_acl = true);
    let mut client = ensemble.client(0);
    let path = create(&mut client, "/x", &[(0, "world", "anyone")]);
    client.add_watch(&path, 0);
    client.get(&path);
    client.set(&path, b"");
    client.create(&format!("{path}/y"), b"");
    let expected = [DATA_CHANGED, CHILDREN_CHANGED].map(|kind| (kind, path.clone()));
    assert_eq!(client.settled(), expected);
    // Lists must be well-formed all the same.
    let body = request::create_with("/z", None, &[], 0);
    assert_eq!(client.error(op::CREATE, &body), code::INVALID_ACL);
}

//! delete, setData and setACL: their checks in order, and what they leave behind.

use crate::support::{Body, Ensemble, OPEN_LIST, code, mode, on_one_and_three, op, request};

on_one_and_three!(
    delete_finds_the_first_reason_against_it,
    system_znodes_are_never_deleted,
    znodes_below_the_system_znodes_are_ordinary,
    set_data_finds_the_first_reason_against_it,
    set_acl_finds_the_first_reason_against_it,
    a_failed_write_changes_nothing,
    delete_with_the_right_version_deletes,
    a_null_path_is_no_path,
    a_lone_check_is_no_operation,
);

const READ_ONLY: &[(i32, &str, &str)] = &[(1, "world", "anyone")];

fn delete_finds_the_first_reason_against_it(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("delete_finds_the_first_reason_against_it");
    client.create(&format!("{room}/full"), b"");
    client.create(&format!("{room}/full/x"), b"");
    client.create(&format!("{room}/closed"), b"");
    client.create(&format!("{room}/closed/x"), b"");
    let closing = request::set_acl(&format!("{room}/closed"), READ_ONLY, -1);
    client.call(op::SET_ACL, &closing).ok();
    let cases = [
        ("", -1, code::BAD_ARGUMENTS),
        ("x", -1, code::BAD_ARGUMENTS),
        ("ROOM/a\0", -1, code::BAD_ARGUMENTS),
        ("/none/x", -1, code::NO_NODE),
        ("ROOM/none", 5, code::NO_NODE),
        ("ROOM/closed/none", -1, code::NO_AUTH),
        ("ROOM/closed/x", 5, code::NO_AUTH),
        ("ROOM/full", 1, code::BAD_VERSION),
        ("ROOM/full", -2, code::BAD_VERSION),
        ("ROOM/full", 0, code::NOT_EMPTY),
        ("ROOM/full", -1, code::NOT_EMPTY),
        ("ROOM/full/", -1, code::NO_NODE),
        ("ROOM//full", -1, code::NO_NODE),
        ("//zookeeper", -1, code::NO_NODE),
    ];
    for (path, version, expected) in cases {
        let path = path.replace("ROOM", &room);
        let body = request::versioned(&path, version);
        assert_eq!(
            client.error(op::DELETE, &body),
            expected,
            "{path} {version}"
        );
    }
}

fn system_znodes_are_never_deleted(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
        for version in [-1, 0, 7] {
            let body = request::versioned(path, version);
            assert_eq!(
                client.error(op::DELETE, &body),
                code::BAD_ARGUMENTS,
                "{path}"
            );
        }
        assert!(client.stat(path).is_some());
    }
}

fn znodes_below_the_system_znodes_are_ordinary(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    let path = client.create_mode("/zookeeper/mine-", b"", mode::SEQUENTIAL);
    client.set(&path, b"x");
    client.delete(&path);
    assert_eq!(client.stat(&path), None);
    // The configuration is everybody's to read and nobody's to change.
    let body = request::set_data("/zookeeper/config", Some(b"x"), -1);
    assert_eq!(client.error(op::SET_DATA, &body), code::NO_AUTH);
    client.get("/zookeeper/config");
}

fn set_data_finds_the_first_reason_against_it(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("set_data_finds_the_first_reason_against_it");
    let closed = request::create_with(&format!("{room}/closed"), None, READ_ONLY, 0);
    client.call(op::CREATE, &closed).ok();
    client.create(&format!("{room}/open"), b"");
    let cases = [
        ("", -1, code::BAD_ARGUMENTS),
        ("x", -1, code::BAD_ARGUMENTS),
        ("ROOM/open/", -1, code::BAD_ARGUMENTS),
        ("ROOM//open", -1, code::BAD_ARGUMENTS),
        ("ROOM/./open", -1, code::BAD_ARGUMENTS),
        ("ROOM/none", 7, code::NO_NODE),
        ("ROOM/closed", 7, code::NO_AUTH),
        ("ROOM/open", 7, code::BAD_VERSION),
        ("ROOM/open", -2, code::BAD_VERSION),
        ("ROOM/open", i32::MIN, code::BAD_VERSION),
    ];
    for (path, version, expected) in cases {
        let path = path.replace("ROOM", &room);
        let body = request::set_data(&path, Some(b"x"), version);
        assert_eq!(
            client.error(op::SET_DATA, &body),
            expected,
            "{path} {version}"
        );
    }
}

fn set_acl_finds_the_first_reason_against_it(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("set_acl_finds_the_first_reason_against_it");
    let closed = request::create_with(&format!("{room}/closed"), None, READ_ONLY, 0);
    client.call(op::CREATE, &closed).ok();
    client.create(&format!("{room}/open"), b"");
    let bad: &[(i32, &str, &str)] = &[(31, "world", "somebody")];
    let cases = [
        ("ROOM/open/", bad, -1, code::BAD_ARGUMENTS),
        ("ROOM/none", bad, -1, code::INVALID_ACL),
        ("ROOM/none", &[], -1, code::INVALID_ACL),
        ("ROOM/none", OPEN_LIST, 7, code::NO_NODE),
        ("ROOM/closed", OPEN_LIST, 7, code::NO_AUTH),
        ("ROOM/open", OPEN_LIST, 7, code::BAD_VERSION),
        ("ROOM/open", OPEN_LIST, -2, code::BAD_VERSION),
    ];
    for (path, acl, version, expected) in cases {
        let path = path.replace("ROOM", &room);
        let body = request::set_acl(&path, acl, version);
        assert_eq!(
            client.error(op::SET_ACL, &body),
            expected,
            "{path} {version}"
        );
    }
}

fn a_failed_write_changes_nothing(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_failed_write_changes_nothing");
    let path = client.create(&format!("{room}/a"), b"x");
    let before = (client.get(&path), client.stat(&room));
    client.error(op::CREATE, &request::create(&path, Some(b"y"), 0));
    client.error(op::SET_DATA, &request::set_data(&path, Some(b"y"), 3));
    client.error(op::DELETE, &request::versioned(&path, 3));
    client.error(op::SET_ACL, &request::set_acl(&path, READ_ONLY, 3));
    assert_eq!((client.get(&path), client.stat(&room)), before);
}

fn delete_with_the_right_version_deletes(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("delete_with_the_right_version_deletes");
    let path = client.create(&format!("{room}/a"), b"");
    client.set(&path, b"1");
    client.set(&path, b"2");
    for version in [0, 1, 3] {
        let body = request::versioned(&path, version);
        assert_eq!(client.error(op::DELETE, &body), code::BAD_VERSION);
    }
    let reply = client.call(op::DELETE, &request::versioned(&path, 2));
    reply.ok().end();
    let mut witness = ensemble.client(2);
    witness.sync();
    assert_eq!(witness.stat(&path), None);
    assert_eq!(
        client.error(op::DELETE, &request::versioned(&path, 2)),
        code::NO_NODE
    );
}

fn a_null_path_is_no_path(ensemble: &Ensemble) {
    let mut client = ensemble.client(0);
    let null = || Body::new().int(-1);
    let set_data = null().buffer(None).int(-1);
    assert_eq!(client.error(op::SET_DATA, &set_data), code::BAD_ARGUMENTS);
    let set_acl = null().acl(OPEN_LIST).int(-1);
    assert_eq!(client.error(op::SET_ACL, &set_acl), code::BAD_ARGUMENTS);
    // Where Apache ZooKeeper looks into the path before it checks it.
    assert_eq!(client.error(op::DELETE, &null().int(-1)), code::MARSHALLING);
}

fn a_lone_check_is_no_operation(ensemble: &Ensemble) {
    let mut client = ensemble.client(0);
    let reply = client.call(op::CHECK, &request::versioned("/", -1));
    assert_eq!((reply.error(), reply.zxid), (code::UNIMPLEMENTED, -1));
    assert!(client.is_closed());
}

//! create, create2, createContainer and createTTL: what they make, what they refuse, and in which
//! order they find out.

use zoowarden::proto::Stat;

use crate::support::{Body, Client, Ensemble, code, mode, on_one_and_three, op, request};

on_one_and_three!(
    every_mode_makes_its_kind,
    answers_carry_the_path_or_path_and_stat,
    a_new_znode_has_the_counters_of_a_new_znode,
    null_and_empty_data_are_two_things,
    paths_are_checked,
    the_first_failing_check_answers,
    flags_must_be_known,
    ttl_modes_want_a_ttl_and_only_they,
    sequence_numbers_count_every_child_ever,
    a_sequential_name_may_be_only_the_number,
    a_refused_sequential_create_takes_no_number,
    an_ephemeral_has_no_children,
    containers_and_ttl_znodes_have_children,
    a_failed_create_takes_a_zxid,
    a_path_may_be_400_components_deep,
);

fn created(client: &mut Client, operation: i32, body: &Body) -> (String, Stat) {
    let reply = client.call(operation, body);
    let mut fields = reply.ok();
    let created = (fields.text(), fields.stat());
    fields.end();
    created
}

fn every_mode_makes_its_kind(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("every_mode_makes_its_kind");
    let mut witness = ensemble.client(1);
    let session = client.session;
    let cases = [
        ("p", mode::PERSISTENT, "p", 0),
        ("e", mode::EPHEMERAL, "e", session),
        ("s", mode::SEQUENTIAL, "s0000000002", 0),
        ("f", mode::EPHEMERAL_SEQUENTIAL, "f0000000003", session),
        // As a lone create this is not a container.
        ("c", mode::CONTAINER, "c", 0),
    ];
    for (name, flags, full, owner) in cases {
        let path = client.create_mode(&format!("{room}/{name}"), b"", flags);
        assert_eq!(path, format!("{room}/{full}"));
        witness.sync();
        assert_eq!(witness.stat(&path).unwrap().ephemeral_owner, owner);
    }
    let ttl = request::create_ttl(&format!("{room}/t"), mode::TTL, 100_000);
    let sequential = request::create_ttl(&format!("{room}/u"), mode::TTL_SEQUENTIAL, 100_000);
    let (path, stat) = created(&mut client, op::CREATE_TTL, &ttl);
    assert_eq!((path, stat.ephemeral_owner), (format!("{room}/t"), 0));
    let (path, stat) = created(&mut client, op::CREATE_TTL, &sequential);
    assert_eq!(
        (path, stat.ephemeral_owner),
        (format!("{room}/u0000000006"), 0)
    );
}

fn answers_carry_the_path_or_path_and_stat(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("answers_carry_the_path_or_path_and_stat");
    let path = |name: &str| format!("{room}/{name}");
    let reply = client.call(op::CREATE, &request::create(&path("a"), None, 0));
    assert_eq!(reply.body.len(), 4 + path("a").len());
    let cases = [
        (op::CREATE2, "b", request::create(&path("b"), None, 0)),
        (
            op::CREATE_CONTAINER,
            "c",
            request::create(&path("c"), None, mode::CONTAINER),
        ),
        (
            op::CREATE_TTL,
            "d",
            request::create_ttl(&path("d"), mode::TTL, 1 << 30),
        ),
    ];
    for (operation, name, body) in cases {
        let reply = client.call(operation, &body);
        assert_eq!(reply.body.len(), 4 + path(name).len() + 68);
        let mut fields = reply.ok();
        assert_eq!(fields.text(), path(name));
        assert_eq!(Some(fields.stat()), client.stat(&path(name)));
    }
}

fn a_new_znode_has_the_counters_of_a_new_znode(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_new_znode_has_the_counters_of_a_new_znode");
    let path = format!("{room}/a");
    let before = client.zxid;
    let body = request::create(&path, Some(b"four"), mode::EPHEMERAL);
    let reply = client.call(op::CREATE2, &body);
    let (zxid, mut fields) = (reply.zxid, reply.ok());
    assert!(zxid > before, "a write has a zxid of its own");
    assert_eq!(fields.text(), path);
    let stat = fields.stat();
    let expected = Stat {
        czxid: zxid,
        mzxid: zxid,
        pzxid: zxid,
        ctime: stat.ctime,
        mtime: stat.ctime,
        ephemeral_owner: client.session,
        data_length: 4,
        ..Stat::default()
    };
    assert_eq!(stat, expected);
    let mut witness = ensemble.client(2);
    witness.sync();
    assert_eq!(witness.get(&path), (Some(b"four".to_vec()), stat));
    assert!(stat.ctime > 1_600_000_000_000, "milliseconds since 1970");
}

fn null_and_empty_data_are_two_things(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("null_and_empty_data_are_two_things");
    let mut witness = ensemble.client(1);
    for (name, data) in [("null", None), ("empty", Some(vec![]))] {
        let path = format!("{room}/{name}");
        client
            .call(op::CREATE, &request::create(&path, data.as_deref(), 0))
            .ok();
        witness.sync();
        let (kept, stat) = witness.get(&path);
        assert_eq!((kept, stat.data_length), (data.clone(), 0));
        client.set(&path, b"x");
        let set = request::set_data(&path, data.as_deref(), -1);
        client.call(op::SET_DATA, &set).ok();
        witness.sync();
        assert_eq!(witness.get(&path).0, data);
    }
}

fn paths_are_checked(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("paths_are_checked");
    let below = |name: &str| format!("{room}{name}");
    let bad = [
        String::new(),
        "a".into(),
        "zookeeper".into(),
        below("/"),
        below("/a\0"),
        below("/."),
        below("/.."),
        below("/\u{1}"),
        below("/\u{1f}"),
        below("/\u{7f}"),
        below("/\u{9f}"),
        below("/\u{e000}"),
        below("/\u{f8ff}"),
        below("/\u{fff0}"),
        below("/\u{ffff}"),
        below("/\u{1f600}"),
    ];
    for path in bad {
        let body = request::create(&path, Some(b""), 0);
        assert_eq!(
            client.error(op::CREATE, &body),
            code::BAD_ARGUMENTS,
            "{path:?}"
        );
        assert_eq!(
            client.error(op::CREATE2, &body),
            code::BAD_ARGUMENTS,
            "{path:?}"
        );
    }
    // The parent is looked up first.
    for path in [
        "//",
        "/./x",
        "/none/",
        "/none/..",
        "/none/\u{1}",
        "none/x",
        "//x",
    ] {
        let expected = match path {
            "//" | "//x" => code::BAD_ARGUMENTS,
            _ => code::NO_NODE,
        };
        let body = request::create(path, Some(b""), 0);
        assert_eq!(client.error(op::CREATE, &body), expected, "{path:?}");
    }
    for name in [
        "/...",
        "/.a",
        "/a.",
        "/a b",
        "/ä",
        "/\u{ffef}",
        "/\u{a0}",
        "/\u{2028}",
    ] {
        assert_eq!(client.create(&below(name), b""), below(name));
    }
    let body = request::create("/", Some(b""), 0);
    assert_eq!(client.error(op::CREATE, &body), code::NODE_EXISTS);
}

fn the_first_failing_check_answers(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("the_first_failing_check_answers");
    client.create_mode(&format!("{room}/e"), b"", mode::EPHEMERAL);
    let closed = request::create_with(
        &format!("{room}/closed"),
        None,
        &[(1, "world", "anyone")],
        0,
    );
    client.call(op::CREATE, &closed).ok();
    let bad_acl: &[(i32, &str, &str)] = &[(31, "no-such-scheme", "x")];
    let open = crate::support::OPEN_LIST;
    let cases = [
        // flags, then the path's form, then the list, then the parent
        ("", bad_acl, 9, code::BAD_ARGUMENTS),
        ("none", bad_acl, 0, code::BAD_ARGUMENTS),
        ("/none/x", bad_acl, 0, code::INVALID_ACL),
        ("/none/x\u{1}", open, 0, code::NO_NODE),
        // then the right to create, then the name
        ("ROOM/closed/x\u{1}", open, 0, code::NO_AUTH),
        ("ROOM/e/x\u{1}", open, 0, code::BAD_ARGUMENTS),
        // then whether it exists, then whether the parent may have children
        ("ROOM/e", open, 0, code::NODE_EXISTS),
        ("ROOM/e/x", open, 0, code::NO_CHILDREN_FOR_EPHEMERALS),
    ];
    for (path, acl, flags, expected) in cases {
        let path = path.replace("ROOM", &room);
        let body = request::create_with(&path, None, acl, flags);
        assert_eq!(client.error(op::CREATE, &body), expected, "{path}");
    }
}

fn flags_must_be_known(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("flags_must_be_known");
    let path = format!("{room}/a");
    for flags in [-1, 7, 8, 255, i32::MAX, i32::MIN] {
        for operation in [op::CREATE, op::CREATE2, op::CREATE_CONTAINER] {
            let body = request::create(&path, None, flags);
            assert_eq!(
                client.error(operation, &body),
                code::BAD_ARGUMENTS,
                "{flags}"
            );
        }
        let body = request::create_ttl(&path, flags, 1000);
        assert_eq!(client.error(op::CREATE_TTL, &body), code::BAD_ARGUMENTS);
    }
    assert_eq!(client.stat(&path), None);
}

fn ttl_modes_want_a_ttl_and_only_they(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("ttl_modes_want_a_ttl_and_only_they");
    let path = format!("{room}/a");
    for ttl_ms in [0, -1, i64::MIN, 1 << 40, i64::MAX] {
        let body = request::create_ttl(&path, mode::TTL, ttl_ms);
        assert_eq!(
            client.error(op::CREATE_TTL, &body),
            code::BAD_ARGUMENTS,
            "{ttl_ms}"
        );
    }
    for flags in [mode::PERSISTENT, mode::EPHEMERAL, mode::SEQUENTIAL] {
        let body = request::create_ttl(&path, flags, 1000);
        assert_eq!(client.error(op::CREATE_TTL, &body), code::BAD_ARGUMENTS);
    }
    for flags in [mode::TTL, mode::TTL_SEQUENTIAL] {
        for operation in [op::CREATE, op::CREATE2, op::CREATE_CONTAINER] {
            let body = request::create(&path, None, flags);
            assert_eq!(client.error(operation, &body), code::BAD_ARGUMENTS);
        }
    }
    let longest = request::create_ttl(&path, mode::TTL, (1 << 40) - 1);
    client.call(op::CREATE_TTL, &longest).ok();
}

#[test]
fn ttl_modes_are_unimplemented_while_extended_types_are_off() {
    let ensemble = Ensemble::start(1, |config| config.ttl.extended_types_enabled = false);
    let mut client = ensemble.client(0);
    for flags in [mode::TTL, mode::TTL_SEQUENTIAL] {
        let body = request::create_ttl("/a", flags, 1000);
        assert_eq!(client.error(op::CREATE_TTL, &body), code::UNIMPLEMENTED);
        for operation in [op::CREATE, op::CREATE2, op::CREATE_CONTAINER] {
            let body = request::create("/a", None, flags);
            assert_eq!(client.error(operation, &body), code::UNIMPLEMENTED);
        }
    }
    // The connection goes on: only an unknown operation ends it.
    client.create("/a", b"");
}

fn sequence_numbers_count_every_child_ever(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("sequence_numbers_count_every_child_ever");
    let mut other = ensemble.client(1);
    let name = |number: u32| format!("{room}/s-{number:010}");
    let next =
        |client: &mut Client| client.create_mode(&format!("{room}/s-"), b"", mode::SEQUENTIAL);
    assert_eq!(next(&mut client), name(0));
    assert_eq!(next(&mut other), name(1));
    client.create(&format!("{room}/plain"), b"");
    assert_eq!(next(&mut client), name(3));
    for gone in [name(0), name(3), format!("{room}/plain")] {
        client.delete(&gone);
    }
    assert_eq!(next(&mut other), name(4));
    let ephemeral = format!("{room}/e-");
    assert_eq!(
        other.create_mode(&ephemeral, b"", mode::EPHEMERAL_SEQUENTIAL),
        format!("{room}/e-0000000005")
    );
    other.close();
    assert_eq!(next(&mut client), name(6));
    client.set(&name(6), b"a change of a child is no child");
    assert_eq!(next(&mut client), name(7));
}

fn a_sequential_name_may_be_only_the_number(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_sequential_name_may_be_only_the_number");
    let slash = format!("{room}/");
    for number in 0..3 {
        let path = client.create_mode(&slash, b"", mode::SEQUENTIAL);
        assert_eq!(path, format!("{room}/{number:010}"));
    }
    // A relative name is one no longer once it has its number.
    assert_eq!(
        client.create_mode(&format!("{room}/.."), b"", mode::SEQUENTIAL),
        format!("{room}/..0000000003")
    );
}

fn a_refused_sequential_create_takes_no_number(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_refused_sequential_create_takes_no_number");
    client.create(&format!("{room}/s0000000001"), b"");
    let path = format!("{room}/s");
    let body = request::create(&path, None, mode::SEQUENTIAL);
    assert_eq!(client.error(op::CREATE, &body), code::NODE_EXISTS);
    client.create(&format!("{room}/other"), b"");
    assert_eq!(
        client.create_mode(&path, b"", mode::SEQUENTIAL),
        format!("{room}/s0000000002")
    );
}

fn an_ephemeral_has_no_children(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("an_ephemeral_has_no_children");
    let parent = client.create_mode(&format!("{room}/e"), b"", mode::EPHEMERAL);
    for flags in 0..=3 {
        let body = request::create(&format!("{parent}/x"), None, flags);
        let expected = code::NO_CHILDREN_FOR_EPHEMERALS;
        assert_eq!(client.error(op::CREATE, &body), expected);
    }
}

fn containers_and_ttl_znodes_have_children(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("containers_and_ttl_znodes_have_children");
    let (container, ttl) = (format!("{room}/c"), format!("{room}/t"));
    let body = request::create(&container, None, mode::CONTAINER);
    client.call(op::CREATE_CONTAINER, &body).ok();
    let body = request::create_ttl(&ttl, mode::TTL, 1 << 35);
    client.call(op::CREATE_TTL, &body).ok();
    for parent in [container, ttl] {
        client.create(&format!("{parent}/a"), b"");
        client.create_mode(&format!("{parent}/b"), b"", mode::EPHEMERAL);
        let body = request::create_ttl(&format!("{parent}/c"), mode::TTL, 1 << 35);
        client.call(op::CREATE_TTL, &body).ok();
        assert_eq!(client.children(&parent), ["a", "b", "c"]);
    }
}

fn a_failed_create_takes_a_zxid(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_failed_create_takes_a_zxid");
    for _ in 0..3 {
        let before = client.zxid;
        let body = request::create(&room, None, 0);
        let reply = client.call(op::CREATE, &body);
        assert_eq!(reply.error(), code::NODE_EXISTS);
        assert!(reply.zxid > before);
    }
}

fn a_path_may_be_400_components_deep(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_path_may_be_400_components_deep");
    let mut deep = room;
    for _ in 1..400 {
        deep.push_str("/d");
        let body = request::create(&deep, None, 0);
        client.send(op::CREATE, &body);
    }
    for reply in client.replies(399) {
        reply.ok();
    }
    let body = request::create(&format!("{deep}/d"), None, 0);
    assert_eq!(client.error(op::CREATE, &body), code::BAD_ARGUMENTS);
    let mut witness = ensemble.client(1);
    witness.sync();
    assert!(witness.stat(&deep).is_some());
}

//! exists, getData, getChildren, getEphemerals and their kin.

use crate::support::{Body, Ensemble, code, mode, on_one_and_three, op, request};

on_one_and_three!(
    what_is_missing_has_no_node,
    get_children_names_direct_children_only,
    get_children2_adds_the_stat,
    exists_refuses_nul_and_nothing_else,
    the_empty_path_is_the_root,
    paths_that_no_znode_can_have_have_no_node,
    get_ephemerals_tells_only_the_sessions_own,
    get_all_children_number_counts_everything_below,
    sync_echoes_any_path,
    bytes_behind_a_record_are_ignored,
    a_record_that_does_not_decode_is_a_marshalling_error,
    any_nonzero_byte_is_true,
    text_that_is_not_utf8_finds_nothing,
    a_read_shows_the_write_before_it,
);

fn what_is_missing_has_no_node(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("what_is_missing_has_no_node");
    for watch in [false, true] {
        let body = request::read(&format!("{room}/none"), watch);
        for operation in [
            op::EXISTS,
            op::GET_DATA,
            op::GET_CHILDREN,
            op::GET_CHILDREN2,
        ] {
            assert_eq!(client.error(operation, &body), code::NO_NODE);
        }
    }
    let body = request::path(&format!("{room}/none"));
    for operation in [op::GET_ACL, op::GET_ALL_CHILDREN_NUMBER] {
        assert_eq!(client.error(operation, &body), code::NO_NODE);
    }
}

fn get_children_names_direct_children_only(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("get_children_names_direct_children_only");
    assert_eq!(client.children(&room), [""; 0]);
    for name in ["b", "a", "a/below", "\u{e4}"] {
        client.create(&format!("{room}/{name}"), b"");
    }
    let mut witness = ensemble.client(1);
    witness.sync();
    assert_eq!(witness.children(&room), ["a", "b", "\u{e4}"]);
    assert!(witness.children("/").contains(&"zookeeper".to_owned()));
    assert_eq!(witness.children("/zookeeper")[..2], ["config", "quota"]);
}

fn get_children2_adds_the_stat(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("get_children2_adds_the_stat");
    client.create(&format!("{room}/a"), b"");
    let reply = client.call(op::GET_CHILDREN2, &request::read(&room, false));
    let mut fields = reply.ok();
    assert_eq!(fields.texts(), ["a"]);
    assert_eq!(Some(fields.stat()), client.stat(&room));
    fields.end();
    let reply = client.call(op::GET_CHILDREN, &request::read(&room, false));
    assert_eq!(reply.body.len(), 4 + 4 + 1);
}

fn exists_refuses_nul_and_nothing_else(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    let nul = request::read("/a\0", true);
    assert_eq!(client.error(op::EXISTS, &nul), code::BAD_ARGUMENTS);
    assert_eq!(client.error(op::GET_DATA, &nul), code::NO_NODE);
    for path in ["x", "/zookeeper/", "//", "/\u{1}", "/.."] {
        let body = request::read(path, false);
        assert_eq!(client.error(op::EXISTS, &body), code::NO_NODE, "{path:?}");
    }
}

fn the_empty_path_is_the_root(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    for path in ["", "/"] {
        let reply = client.call(op::GET_DATA, &request::read(path, false));
        let mut fields = reply.ok();
        assert_eq!(fields.buffer(), Some(vec![]), "empty, not null");
        let stat = fields.stat();
        assert_eq!((stat.czxid, stat.ctime, stat.version), (0, 0, 0));
        assert!(client.children(path).contains(&"zookeeper".to_owned()));
    }
}

fn paths_that_no_znode_can_have_have_no_node(ensemble: &Ensemble) {
    let mut client = ensemble.client(2);
    let paths = [
        "x",
        "zookeeper",
        "/zookeeper/",
        "//zookeeper",
        "/./zookeeper",
        "/\u{7f}",
    ];
    for path in paths {
        let body = request::read(path, false);
        for operation in [op::GET_DATA, op::GET_CHILDREN, op::GET_CHILDREN2] {
            assert_eq!(client.error(operation, &body), code::NO_NODE, "{path:?}");
        }
        let body = request::path(path);
        for operation in [op::GET_ACL, op::GET_ALL_CHILDREN_NUMBER] {
            assert_eq!(client.error(operation, &body), code::NO_NODE, "{path:?}");
        }
    }
}

fn get_ephemerals_tells_only_the_sessions_own(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("get_ephemerals_tells_only_the_sessions_own");
    let mut other = ensemble.client(1);
    let paths = ["a", "ab", "b"].map(|name| format!("{room}/{name}"));
    for path in &paths {
        client.create_mode(path, b"", mode::EPHEMERAL);
    }
    other.create_mode(&format!("{room}/theirs"), b"", mode::EPHEMERAL);
    let cases = [
        (Body::new().int(-1), &paths[..]),
        (Body::new().text(""), &paths[..]),
        (Body::new().text("  "), &paths[..]),
        (Body::new().text("/"), &paths[..]),
        (Body::new().text(&room), &paths[..]),
        // A prefix of the text, not of the path's components.
        (Body::new().text(&format!("{room}/a")), &paths[..2]),
        (Body::new().text(&format!("{room}/a/")), &[]),
        (Body::new().text("none"), &[]),
    ];
    for (body, expected) in cases {
        let reply = client.call(op::GET_EPHEMERALS, &body);
        let mut fields = reply.ok();
        let mut found = fields.texts();
        fields.end();
        found.sort();
        assert_eq!(found, expected);
    }
}

fn get_all_children_number_counts_everything_below(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("get_all_children_number_counts_everything_below");
    let count = |client: &mut crate::support::Client, path: &str| {
        let reply = client.call(op::GET_ALL_CHILDREN_NUMBER, &request::path(path));
        let mut fields = reply.ok();
        let count = fields.int();
        fields.end();
        count
    };
    assert_eq!(count(&mut client, &room), 0);
    for name in ["a", "a/b", "a/b/c", "d"] {
        client.create(&format!("{room}/{name}"), b"");
    }
    // A neighbour whose name only begins alike.
    client.create(&format!("{room}-neighbour"), b"");
    assert_eq!(count(&mut client, &room), 4);
    assert_eq!(count(&mut client, &format!("{room}/a")), 2);
    assert!(count(&mut client, "/") > 4 + 3);
}

#[test]
fn a_fresh_tree_has_zookeepers_counters() {
    let ensemble = Ensemble::start(1, |_| {});
    let mut client = ensemble.client(0);
    let reply = client.call(op::GET_ALL_CHILDREN_NUMBER, &request::path("/"));
    assert_eq!(reply.ok().int(), 3);
    for (path, cversion, children) in [
        ("/", -1, 1),
        ("/zookeeper", -2, 2),
        ("/zookeeper/quota", 0, 0),
    ] {
        let stat = client.stat(path).unwrap();
        assert_eq!(
            (stat.cversion, stat.num_children),
            (cversion, children),
            "{path}"
        );
    }
    let mntr = ensemble.word(0, "mntr");
    for line in ["zk_znode_count\t5\n", "zk_approximate_data_size\t44\n"] {
        assert!(mntr.contains(line), "{line} in {mntr}");
    }
}

fn sync_echoes_any_path(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    for path in ["/", "", "/none", "no path \u{1}", "/zookeeper"] {
        let reply = client.call(op::SYNC, &request::path(path));
        let mut fields = reply.ok();
        assert_eq!(fields.text(), path);
        fields.end();
    }
}

fn bytes_behind_a_record_are_ignored(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("bytes_behind_a_record_are_ignored");
    let more = |body: Body| body.raw(b"\0\x01more");
    client
        .call(op::EXISTS, &more(request::read(&room, false)))
        .ok();
    client.call(op::SYNC, &more(request::path("/"))).ok();
    client.call(op::PING, &more(Body::new())).ok();
    let path = format!("{room}/a");
    client
        .call(op::CREATE, &more(request::create(&path, None, 0)))
        .ok();
    client
        .call(op::SET_DATA, &more(request::set_data(&path, None, 0)))
        .ok();
    client
        .call(op::DELETE, &more(request::versioned(&path, 1)))
        .ok();
    client.call(op::MULTI, &more(request::multi(&[]))).ok();
}

fn a_record_that_does_not_decode_is_a_marshalling_error(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_record_that_does_not_decode_is_a_marshalling_error");
    let whole = [
        (
            op::CREATE,
            request::create(&format!("{room}/a"), Some(b"x"), 0),
        ),
        (
            op::CREATE2,
            request::create(&format!("{room}/a"), Some(b"x"), 0),
        ),
        (
            op::CREATE_CONTAINER,
            request::create(&format!("{room}/a"), None, 4),
        ),
        (
            op::CREATE_TTL,
            request::create_ttl(&format!("{room}/a"), 5, 9),
        ),
        (op::DELETE, request::versioned(&room, 9)),
        (op::SET_DATA, request::set_data(&room, Some(b"x"), 9)),
        (
            op::SET_ACL,
            request::set_acl(&room, crate::support::OPEN_LIST, 9),
        ),
        (op::EXISTS, request::read(&room, true)),
        (op::GET_DATA, request::read(&room, true)),
        (op::GET_CHILDREN, request::read(&room, true)),
        (op::GET_CHILDREN2, request::read(&room, true)),
        (op::GET_ACL, request::path(&room)),
        (op::SYNC, request::path(&room)),
        (op::GET_EPHEMERALS, request::path(&room)),
        (op::GET_ALL_CHILDREN_NUMBER, request::path(&room)),
        (op::ADD_WATCH, request::watch(&room, 1)),
        (op::CHECK_WATCHES, request::watch(&room, 3)),
        (op::REMOVE_WATCHES, request::watch(&room, 3)),
        (
            op::SET_WATCHES,
            request::set_watches(0, &[&room], &[], &[&room]),
        ),
        (
            op::MULTI_READ,
            request::multi(&[(op::GET_DATA, request::read(&room, false))]),
        ),
    ];
    for (operation, body) in &whole {
        let bytes = &body.0;
        for cut in [0, 3, 4, bytes.len() / 2, bytes.len() - 1] {
            let cut = Body::new().raw(&bytes[..cut]);
            assert_eq!(
                client.error(*operation, &cut),
                code::MARSHALLING,
                "{operation}"
            );
        }
        // A first length that is negative, or greater than what follows.
        if ![op::SET_WATCHES, op::MULTI_READ].contains(operation) {
            for length in [-2, i32::MIN, i32::MAX, 1 << 20] {
                let lying = Body::new().int(length).raw(&bytes[4..]);
                assert_eq!(client.error(*operation, &lying), code::MARSHALLING);
            }
        }
    }
    assert_eq!(client.children(&room), [""; 0]);
    client.set(&room, b"");
    assert_eq!(client.settled(), [], "no watch was left");
}

fn any_nonzero_byte_is_true(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("any_nonzero_byte_is_true");
    let body = Body::new().text(&room).raw(&[0x80]);
    client.call(op::GET_DATA, &body).ok();
    client.set(&room, b"");
    assert_eq!(
        client.settled(),
        [(crate::support::kind::DATA_CHANGED, room)]
    );
}

fn text_that_is_not_utf8_finds_nothing(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("text_that_is_not_utf8_finds_nothing");
    let path = [room.as_bytes(), b"/\xff\xfe"].concat();
    let read = Body::new().buffer(Some(&path)).bool(false);
    assert_eq!(client.error(op::GET_DATA, &read), code::NO_NODE);
    // What it is replaced with may not stand in a path.
    let create = Body::new().buffer(Some(&path)).buffer(None);
    let create = create.acl(crate::support::OPEN_LIST).int(0);
    assert_eq!(client.error(op::CREATE, &create), code::BAD_ARGUMENTS);
}

fn a_read_shows_the_write_before_it(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("a_read_shows_the_write_before_it");
    for server in 0..ensemble.len() {
        let mut client = ensemble.client(server);
        client.sync();
        let count = 50;
        for i in 0..count {
            let data = format!("{server}.{i}");
            client.send(
                op::SET_DATA,
                &request::set_data(&room, Some(data.as_bytes()), -1),
            );
            client.send(op::GET_DATA, &request::read(&room, false));
        }
        for i in 0..count {
            client.reply().ok();
            let data = client.reply().ok().buffer().unwrap();
            assert_eq!(data, format!("{server}.{i}").into_bytes());
        }
    }
}

//! setWatches and setWatches2: a client that comes back hears at once what it missed.

use crate::support::kind::{CHILDREN_CHANGED, CREATED, DATA_CHANGED, DELETED};
use crate::support::{Body, Client, Ensemble, code, on_one_and_three, op, request};

on_one_and_three!(
    changes_missed_are_told_before_the_reply,
    what_was_not_missed_is_watched_again,
    a_znode_made_anew_reads_as_changed,
    persistent_watches_are_set_without_catching_up,
    catching_up_asks_nobodys_permission,
    several_packets_and_repeated_paths_are_fine,
    null_vectors_are_empty,
    a_watch_that_was_told_is_not_set,
    any_number_of_the_request_comes_back,
);

const CATCH_UP: i64 = -1;

/// The kinds and paths that come ahead of the reply, all made up by the server.
fn caught_up(client: &mut Client, op: i32, body: &Body) -> Vec<(i32, String)> {
    client.send(op, body);
    let mut events = Vec::new();
    loop {
        let frame = client.frame().unwrap();
        if frame.xid != -1 {
            frame.ok().end();
            return events;
        }
        assert_eq!((frame.zxid, frame.err), (CATCH_UP, 0));
        let mut fields = frame.ok();
        let (kind, state, path) = (fields.int(), fields.int(), fields.text());
        assert_eq!(state, 3);
        fields.end();
        events.push((kind, path));
    }
}

fn changes_missed_are_told_before_the_reply(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("changes_missed_are_told_before_the_reply");
    let path = |name: &str| format!("{room}/{name}");
    for name in ["same", "set", "gone", "parent", "empty"] {
        client.create(&path(name), b"");
    }
    client.create(&path("empty/x"), b"");
    let since = client.zxid;
    client.set(&path("set"), b"");
    client.delete(&path("gone"));
    client.create(&path("parent/x"), b"");
    client.delete(&path("empty/x"));
    client.create(&path("new"), b"");
    let all = ["same", "set", "gone", "parent", "empty", "new"].map(path);
    let all = all.each_ref().map(String::as_str);
    let mut back = ensemble.client(1);
    back.sync();
    let data = request::set_watches(since, &all, &[], &[]);
    let expected = [
        (DATA_CHANGED, "set"),
        (DELETED, "gone"),
        (DATA_CHANGED, "new"),
    ];
    let expected = expected.map(|(kind, name)| (kind, path(name)));
    assert_eq!(caught_up(&mut back, op::SET_WATCHES, &data), expected);
    let exist = request::set_watches(since, &[], &all, &[]);
    let expected = ["same", "set", "parent", "empty", "new"].map(|name| (CREATED, path(name)));
    assert_eq!(caught_up(&mut back, op::SET_WATCHES, &exist), expected);
    let child = request::set_watches(since, &[], &[], &all);
    let expected = [
        (DELETED, "gone"),
        (CHILDREN_CHANGED, "parent"),
        (CHILDREN_CHANGED, "empty"),
        (CHILDREN_CHANGED, "new"),
    ];
    let expected = expected.map(|(kind, name)| (kind, path(name)));
    assert_eq!(caught_up(&mut back, op::SET_WATCHES, &child), expected);
}

fn what_was_not_missed_is_watched_again(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("what_was_not_missed_is_watched_again");
    let path = |name: &str| format!("{room}/{name}");
    for name in ["data", "child"] {
        client.create(&path(name), b"");
    }
    let mut back = ensemble.client(1);
    back.sync();
    let (data, exist, child) = (path("data"), path("exist"), path("child"));
    let body = request::set_watches(back.zxid, &[&data], &[&exist], &[&child]);
    assert_eq!(caught_up(&mut back, op::SET_WATCHES, &body), []);
    for _ in 0..2 {
        client.set(&data, b"");
        client.set(&child, b"");
        client.create(&format!("{child}/x"), b"");
        client.delete(&format!("{child}/x"));
    }
    client.create(&exist, b"");
    let expected = [
        (DATA_CHANGED, data),
        (CHILDREN_CHANGED, child),
        (CREATED, exist),
    ];
    assert_eq!(back.settled(), expected, "once each");
}

fn a_znode_made_anew_reads_as_changed(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_znode_made_anew_reads_as_changed");
    let path = client.create(&format!("{room}/a"), b"");
    let since = client.zxid;
    client.delete(&path);
    client.create(&path, b"");
    let body = request::set_watches(since, &[&path], &[], &[&path]);
    let expected = [DATA_CHANGED, CHILDREN_CHANGED].map(|kind| (kind, path.clone()));
    assert_eq!(caught_up(&mut client, op::SET_WATCHES, &body), expected);
}

fn persistent_watches_are_set_without_catching_up(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("persistent_watches_are_set_without_catching_up");
    let (one, all) = (format!("{room}/one"), format!("{room}/all"));
    for path in [&one, &all] {
        client.create(path, b"");
        client.set(path, b"");
    }
    let mut back = ensemble.client(2);
    back.sync();
    let body = request::set_watches(0, &[], &[], &[]);
    let body = body.texts(&[&one, "/none"]).texts(&[&all, "/none"]);
    assert_eq!(caught_up(&mut back, op::SET_WATCHES2, &body), []);
    for path in [&one, &all] {
        client.create(&format!("{path}/x"), b"");
        client.set(path, b"");
    }
    let expected = [
        (CHILDREN_CHANGED, one.clone()),
        (DATA_CHANGED, one),
        (CREATED, format!("{all}/x")),
        (DATA_CHANGED, all),
    ];
    assert_eq!(back.settled(), expected);
    for (kind, path) in [(4, "one"), (5, "all")] {
        let body = request::watch(&format!("{room}/{path}"), kind);
        back.call(op::CHECK_WATCHES, &body).ok();
    }
}

fn catching_up_asks_nobodys_permission(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("catching_up_asks_nobodys_permission");
    let path = format!("{room}/closed");
    let body = request::create_with(&path, None, &[(2, "world", "anyone")], 0);
    client.call(op::CREATE, &body).ok();
    let body = request::set_watches(0, &[&path], &[&path], &[&path]);
    let expected = [DATA_CHANGED, CREATED, CHILDREN_CHANGED].map(|kind| (kind, path.clone()));
    assert_eq!(caught_up(&mut client, op::SET_WATCHES, &body), expected);
}

fn several_packets_and_repeated_paths_are_fine(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("several_packets_and_repeated_paths_are_fine");
    let now = client.zxid;
    let paths: Vec<String> = (0..300).map(|i| format!("{room}/{i}")).collect();
    for chunk in paths.chunks(100) {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let twice = [&chunk[..], &chunk[..]].concat();
        let body = request::set_watches(now, &[&room, &room], &twice, &[&room]);
        assert_eq!(caught_up(&mut client, op::SET_WATCHES, &body), []);
    }
    for path in &paths {
        client.send(op::CREATE, &request::create(path, None, 0));
    }
    client.replies(300);
    let mut expected: Vec<_> = paths.into_iter().map(|path| (CREATED, path)).collect();
    expected.insert(1, (CHILDREN_CHANGED, room));
    assert_eq!(client.settled(), expected);
}

fn null_vectors_are_empty(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("null_vectors_are_empty");
    let nulls = Body::new().long(0).int(-1).int(-1).int(-1);
    assert_eq!(caught_up(&mut client, op::SET_WATCHES, &nulls), []);
    let nulls = nulls.int(-1).int(-1);
    assert_eq!(caught_up(&mut client, op::SET_WATCHES2, &nulls), []);
    // Every other negative count is one, too.
    let negative = Body::new().long(0).int(-2).int(-1).int(i32::MIN);
    assert_eq!(caught_up(&mut client, op::SET_WATCHES, &negative), []);
    let short = request::set_watches(0, &[&room], &[], &[]);
    assert_eq!(client.error(op::SET_WATCHES2, &short), code::MARSHALLING);
    let lying = Body::new().long(0).int(i32::MAX).int(0).int(0);
    assert_eq!(client.error(op::SET_WATCHES, &lying), code::MARSHALLING);
}

fn a_watch_that_was_told_is_not_set(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_watch_that_was_told_is_not_set");
    let gone = format!("{room}/gone");
    let body = request::set_watches(0, &[&room, &gone], &[&room], &[&room, &gone]);
    assert_eq!(caught_up(&mut client, op::SET_WATCHES, &body).len(), 5);
    client.set(&room, b"");
    client.create(&gone, b"");
    assert_eq!(client.settled(), []);
}

fn any_number_of_the_request_comes_back(ensemble: &Ensemble) {
    let mut client = ensemble.client(1);
    for xid in [-8, 5, 0, -1000, i32::MAX] {
        client.send_as(
            xid,
            op::SET_WATCHES,
            &request::set_watches(0, &[], &[], &[]),
        );
        assert_eq!(client.reply().xid, xid);
    }
}

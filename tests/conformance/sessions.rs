//! Sessions: what they own, when they end, how they move.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::kind::{CHILDREN_CHANGED, DELETED};
use crate::support::{
    AtEnd, Body, Client, Ensemble, Hello, Refused, code, mode, on_one_and_three, op,
};
use crate::support::{request, until};

on_one_and_three!(
    close_is_answered_and_then_the_connection_ends,
    requests_behind_a_close_are_not_carried_out,
    ephemerals_are_gone_before_the_close_is_answered,
    ephemerals_outlive_a_lost_connection,
    ephemerals_follow_their_session_to_another_server,
    an_expired_session_takes_its_ephemerals_at_one_zxid_everywhere,
    an_expired_session_is_gone,
    a_silent_connection_is_closed_without_a_word,
    whoever_reads_or_pings_anywhere_stays_alive,
    a_moved_session_writes_from_its_new_connection_only,
    the_last_to_attach_has_the_session,
    an_ephemeral_deleted_early_is_not_its_sessions_any_more,
    an_ephemeral_of_another_session_may_be_deleted,
);

fn brief(timeout_ms: i32) -> Hello {
    Hello {
        timeout_ms,
        ..Hello::default()
    }
}

fn ephemeral(client: &mut Client, path: &str) -> String {
    client.create_mode(path, b"", mode::EPHEMERAL)
}

fn close_is_answered_and_then_the_connection_ends(ensemble: &Ensemble) {
    for body in [Body::new(), Body::new().raw(b"whatever")] {
        let mut client = ensemble.client(1);
        let before = client.zxid;
        let reply = client.call(op::CLOSE_SESSION, &body);
        assert!(reply.zxid > before);
        reply.ok().end();
        assert!(client.is_closed());
    }
}

fn requests_behind_a_close_are_not_carried_out(ensemble: &Ensemble) {
    let (mut witness, room) = ensemble.room("requests_behind_a_close_are_not_carried_out");
    let create = |name: &str| {
        let path = format!("{room}/{name}");
        (op::CREATE, request::create(&path, None, 0))
    };
    let mut client = ensemble.client(1);
    client.send_all(&[
        create("before"),
        (op::CLOSE_SESSION, Body::new()),
        create("behind"),
        (op::PING, Body::new()),
    ]);
    client.reply().ok();
    client.reply().ok();
    assert!(client.is_closed());
    witness.sync();
    assert_eq!(witness.children(&room), ["before"]);
}

fn ephemerals_are_gone_before_the_close_is_answered(ensemble: &Ensemble) {
    let (mut witness, room) = ensemble.room("ephemerals_are_gone_before_the_close_is_answered");
    for server in 0..ensemble.len() {
        let mut client = ensemble.client(server);
        for i in 0..20 {
            client.send(
                op::CREATE,
                &request::create(&format!("{room}/{i}"), None, 1),
            );
        }
        client.replies(20);
        client.close();
        witness.sync();
        assert_eq!(witness.children(&room), [""; 0]);
    }
}

fn ephemerals_outlive_a_lost_connection(ensemble: &Ensemble) {
    let (mut witness, room) = ensemble.room("ephemerals_outlive_a_lost_connection");
    let mut client = ensemble.client(1);
    let path = ephemeral(&mut client, &format!("{room}/e"));
    client.hang_up();
    until("the connection is gone", || {
        let connections = (0..ensemble.len()).map(|server| ensemble.word(server, "cons"));
        let session = format!("sid=0x{:x},", client.session);
        !connections.collect::<String>().contains(&session)
    });
    witness.sync();
    assert!(witness.stat(&path).is_some());
    client.reattach(ensemble.address(2)).close();
    witness.sync();
    assert_eq!(witness.stat(&path), None);
}

fn ephemerals_follow_their_session_to_another_server(ensemble: &Ensemble) {
    let (mut witness, room) = ensemble.room("ephemerals_follow_their_session_to_another_server");
    let mut client = ensemble.client(0);
    for server in 1..4 {
        let path = ephemeral(&mut client, &format!("{room}/{server}"));
        client = client.reattach(ensemble.address(server));
        assert_eq!(client.stat(&path).unwrap().ephemeral_owner, client.session);
    }
    let reply = client.call(op::GET_EPHEMERALS, &request::path(&room));
    assert_eq!(reply.ok().texts().len(), 3);
    client.close();
    witness.sync();
    assert_eq!(witness.children(&room), [""; 0]);
}

fn an_expired_session_takes_its_ephemerals_at_one_zxid_everywhere(ensemble: &Ensemble) {
    let name = "an_expired_session_takes_its_ephemerals_at_one_zxid_everywhere";
    let (_keeper, room) = ensemble.room(name);
    let mut mortal = ensemble.client_with(1, &brief(400));
    let paths = ["a", "b"].map(|name| ephemeral(&mut mortal, &format!("{room}/{name}")));
    let mut zxids = Vec::new();
    let watchers: Vec<_> = (0..ensemble.len())
        .map(|server| {
            let mut watcher = ensemble.client(server);
            watcher.sync();
            for path in &paths {
                watcher.watch(op::EXISTS, path);
            }
            watcher.watch(op::GET_CHILDREN, &room).ok();
            watcher
        })
        .collect();
    mortal.hang_up();
    for mut watcher in watchers {
        // However slow this test is: the watches were set or the znodes were gone already.
        until("the session has expired", || {
            watcher.sync();
            watcher.children(&room).is_empty()
        });
        zxids.push(watcher.stat(&room).unwrap().pzxid);
        let told = watcher.settled();
        let deleted = told.iter().filter(|(kind, _)| *kind == DELETED).count();
        let changed = told.iter().filter(|(kind, _)| *kind == CHILDREN_CHANGED);
        assert!(deleted <= 2 && changed.count() <= 1, "{told:?}");
    }
    zxids.dedup();
    assert_eq!(zxids.len(), 1);
}

fn an_expired_session_is_gone(ensemble: &Ensemble) {
    let (mut witness, room) = ensemble.room("an_expired_session_is_gone");
    let mut mortal = ensemble.client_with(2, &brief(400));
    let path = ephemeral(&mut mortal, &format!("{room}/e"));
    let hello = mortal.hello();
    mortal.hang_up();
    witness.until_exists(&path, false);
    for server in 0..ensemble.len() {
        let mut witness = ensemble.client(server);
        witness.sync();
        let refused = Client::connect(ensemble.address(server), &hello).unwrap_err();
        assert!(matches!(refused, Refused::SessionGone(_)), "{refused:?}");
    }
}

fn a_silent_connection_is_closed_without_a_word(ensemble: &Ensemble) {
    let mut mortal = ensemble.client_with(1, &brief(400));
    assert!(mortal.is_closed());
}

/// The clients that talk do so until another session, begun after them and as patient, has
/// expired twice.
fn whoever_reads_or_pings_anywhere_stays_alive(ensemble: &Ensemble) {
    let (mut witness, room) = ensemble.room("whoever_reads_or_pings_anywhere_stays_alive");
    let enough = AtomicBool::new(false);
    let talk = |server: usize, op: i32, body: Body| {
        let mut client = ensemble.client_with(server, &brief(3_000));
        ephemeral(&mut client, &format!("{room}/{server}-{op}"));
        while !enough.load(Ordering::Relaxed) {
            client.call(op, &body);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        client
    };
    std::thread::scope(|scope| {
        let over = AtEnd(&enough);
        let mut talking = Vec::new();
        for server in 0..ensemble.len() {
            let read = request::read(&room, false);
            talking.push(scope.spawn(move || talk(server, op::GET_DATA, read)));
            talking.push(scope.spawn(move || talk(server, op::PING, Body::new())));
        }
        for _ in 0..2 {
            let mut mortal = ensemble.client_with(0, &brief(3_000));
            let path = ephemeral(&mut mortal, &format!("{room}/mortal"));
            witness.until_exists(&path, false);
        }
        assert_eq!(witness.children(&room).len(), 2 * ensemble.len());
        drop(over);
        for client in talking {
            client.join().unwrap().close();
        }
    });
    witness.sync();
    assert_eq!(witness.children(&room), [""; 0]);
}

fn a_moved_session_writes_from_its_new_connection_only(ensemble: &Ensemble) {
    let name = "a_moved_session_writes_from_its_new_connection_only";
    let (mut witness, room) = ensemble.room(name);
    for round in 0..10 {
        let parent = witness.create(&format!("{room}/{round}"), b"");
        let mut before = ensemble.client(round);
        let count = 300;
        for i in 0..count {
            let path = format!("{parent}/{i:03}");
            before.send(op::CREATE, &request::create(&path, None, 0));
        }
        let mut after = before.reattach(ensemble.address(round + 1));
        after.sync();
        let made = after.children(&parent);
        let mut answered = 0;
        while let Some(reply) = before.reply_or_end() {
            reply.ok();
            answered += 1;
        }
        let prefix: Vec<_> = (0..made.len()).map(|i| format!("{i:03}")).collect();
        assert_eq!(made, prefix, "in order, without a gap");
        assert!(answered <= made.len(), "what was answered is there");
        after.create(&format!("{parent}/new"), b"");
        witness.sync();
        assert_eq!(witness.children(&parent).len(), made.len() + 1);
    }
}

fn the_last_to_attach_has_the_session(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("the_last_to_attach_has_the_session");
    let first = ensemble.client(0);
    let hello = first.hello();
    let attached: Vec<_> = std::thread::scope(|scope| {
        let attach = |server| {
            let hello = &hello;
            scope.spawn(move || Client::connect(ensemble.address(server), hello))
        };
        let attaching: Vec<_> = (0..6).map(attach).collect();
        attaching
            .into_iter()
            .filter_map(|attached| attached.join().unwrap().ok())
            .collect()
    });
    let mut alive = 0;
    for mut client in attached {
        let body = request::create(&format!("{room}/x"), None, 2);
        client.send(op::CREATE, &body);
        if let Some(reply) = client.reply_or_end() {
            reply.ok();
            alive += 1;
        }
    }
    assert!(alive <= 1, "{alive} connections write for one session");
    let mut last = first.reattach(ensemble.address(1));
    last.sync();
    assert_eq!(last.children(&room).len(), alive);
}

fn an_ephemeral_deleted_early_is_not_its_sessions_any_more(ensemble: &Ensemble) {
    let name = "an_ephemeral_deleted_early_is_not_its_sessions_any_more";
    let (mut other, room) = ensemble.room(name);
    let mut client = ensemble.client(1);
    let path = ephemeral(&mut client, &format!("{room}/e"));
    client.delete(&path);
    // The same name, but nobody's.
    other.create(&path, b"");
    client.close();
    other.sync();
    assert!(other.stat(&path).is_some());
}

fn an_ephemeral_of_another_session_may_be_deleted(ensemble: &Ensemble) {
    let (mut other, room) = ensemble.room("an_ephemeral_of_another_session_may_be_deleted");
    let mut client = ensemble.client(1);
    let path = ephemeral(&mut client, &format!("{room}/e"));
    other.delete(&path);
    client.sync();
    assert_eq!(
        client.error(op::GET_DATA, &request::read(&path, false)),
        code::NO_NODE
    );
    let reply = client.call(op::GET_EPHEMERALS, &request::path("/"));
    assert_eq!(reply.ok().texts(), [""; 0]);
}

#[test]
fn a_restarted_server_knows_everything() {
    let ensemble = Ensemble::start(1, |_| {});
    let (mut client, room) = ensemble.room("room");
    let path = ephemeral(&mut client, &format!("{room}/e"));
    client.set(&room, b"data");
    let acl = request::set_acl(&room, &[(31, "ip", "127.0.0.1")], -1);
    client.call(op::SET_ACL, &acl).ok();
    client.create_mode(&format!("{room}/s"), b"", mode::SEQUENTIAL);
    let before = (client.get(&room), client.stat(&path));
    ensemble.stop_server(0);
    assert!(client.is_closed());
    ensemble.start_server(0);
    ensemble.ready(0);
    let mut client = client.reattach(ensemble.address(0));
    assert_eq!((client.get(&room), client.stat(&path)), before);
    let next = client.create_mode(&format!("{room}/s"), b"", mode::SEQUENTIAL);
    assert_eq!(next, format!("{room}/s0000000002"));
    let reply = client.call(op::GET_ACL, &request::path(&room));
    assert_eq!(reply.ok().acl(), [(31, "ip".into(), "127.0.0.1".into())]);
    client.close();
    let mut client = ensemble.client(0);
    assert_eq!(client.stat(&path), None);
}

#[test]
fn a_session_whose_server_restarts_expires_if_nobody_comes_back() {
    let ensemble = Ensemble::start(1, |_| {});
    let mut mortal = ensemble.client_with(0, &brief(400));
    let path = ephemeral(&mut mortal, "/e");
    ensemble.stop_server(0);
    ensemble.start_server(0);
    ensemble.ready(0);
    ensemble.client(0).until_exists(&path, false);
}

/// Opening a session is a change like any other: it waits for the next leader and no longer.
#[test]
fn sessions_open_while_the_leader_changes() {
    let ensemble = Ensemble::start(3, |_| {});
    for _ in 0..3 {
        let leader = ensemble.leader();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let over = AtEnd(&done);
            for server in (0..3).filter(|server| *server != leader) {
                let (ensemble, done) = (&ensemble, &done);
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        ensemble.client(server).close();
                    }
                });
            }
            ensemble.stop_server(leader);
            ensemble.start_server(leader);
            ensemble.ready(leader);
            drop(over);
        });
    }
}

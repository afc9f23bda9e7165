//! Sessions that only one server knows: what they may do, how they become everybody's, and that
//! their writes are done once and in order, whoever leads.

use zoowarden::server::config::Config;

use crate::support::mode::{EPHEMERAL, EPHEMERAL_SEQUENTIAL, PERSISTENT, SEQUENTIAL};
use crate::support::{Body, Client, Ensemble, Hello, Refused, code, op, request, until};

fn local(config: &mut Config) {
    config.local_sessions.enabled = true;
}

fn upgrading(config: &mut Config) {
    local(config);
    config.local_sessions.upgrading_enabled = true;
}

fn brief() -> Hello {
    Hello {
        timeout_ms: 400,
        ..Hello::default()
    }
}

/// What `mntr` of a server says under a key.
fn counted(ensemble: &Ensemble, server: usize, key: &str) -> u64 {
    let answer = ensemble.word(server, "mntr");
    let value = answer
        .lines()
        .find_map(|line| line.strip_prefix(&format!("zk_{key}\t")));
    value.and_then(|value| value.parse().ok()).unwrap()
}

fn sessions(ensemble: &Ensemble, server: usize) -> (u64, u64) {
    let count = |key| counted(ensemble, server, key);
    (count("global_sessions"), count("local_sessions"))
}

#[test]
fn a_local_session_takes_no_zxid_and_no_other_server_knows_it() {
    let ensemble = Ensemble::start(3, local);
    let mut client = ensemble.client(0);
    client.sync();
    let before = client.zxid;
    let mut other = ensemble.client(0);
    other.sync();
    assert_eq!(other.zxid, before, "opening takes none");
    assert_eq!(sessions(&ensemble, 0), (0, 2));
    assert_eq!(sessions(&ensemble, 1), (0, 0));
    for (server, count) in [(0, 2), (1, 0)] {
        let dumped = ensemble.word(server, "dump");
        let local = dumped
            .lines()
            .find(|line| line.starts_with("Local Session Sets "));
        let end = format!("/({count}):");
        assert!(local.is_some_and(|line| line.ends_with(&end)), "{dumped}");
    }

    other.create("/plain", b"data");
    let created = other.zxid;
    let reply = other.call(op::CLOSE_SESSION, &Body::new());
    assert_eq!(reply.zxid, created, "closing takes none");
    reply.ok().end();
    assert!(other.is_closed());
    assert_eq!(sessions(&ensemble, 0), (0, 1));
    let again = Client::connect(ensemble.address(0), &other.hello());
    assert!(matches!(again, Err(Refused::SessionGone(_))));
}

#[test]
fn a_local_session_comes_back_to_its_own_server_only() {
    let ensemble = Ensemble::start(3, local);
    let mut client = ensemble.client(0);
    client.create("/z", b"1");
    let hello = Hello {
        last_zxid: 0,
        ..client.hello()
    };
    let elsewhere = Client::connect(ensemble.address(1), &hello);
    assert!(matches!(elsewhere, Err(Refused::SessionGone(_))));
    let guessed = Hello {
        password: Some(vec![1; 16]),
        ..hello
    };
    let guessed = Client::connect(ensemble.address(0), &guessed);
    assert!(matches!(guessed, Err(Refused::SessionGone(_))));
    assert_eq!(client.get("/z").0.unwrap(), b"1", "not disturbed by either");

    let mut again = client.reattach(ensemble.address(0));
    assert!(client.is_closed(), "the last to attach has the session");
    again.set("/z", b"2");
    assert_eq!(sessions(&ensemble, 0), (0, 1));
}

#[test]
fn writes_of_a_lost_connection_come_before_those_of_the_next() {
    let ensemble = Ensemble::start(3, local);
    let mut client = ensemble.client(0);
    client.create("/z", b"");
    for round in 0..20 {
        let text = |n: i32| format!("{round}.{n}").into_bytes();
        let sets = (0..50).map(|n| (op::SET_DATA, request::set_data("/z", Some(&text(n)), -1)));
        client.send_all(&sets.collect::<Vec<_>>());
        let mut again = client.reattach(ensemble.address(0));
        again.set("/z", b"last");
        again.sync();
        assert_eq!(again.get("/z").0.unwrap(), b"last", "round {round}");
        client = again;
    }
}

#[test]
fn without_upgrading_a_local_session_owns_nothing() {
    let ensemble = Ensemble::start(3, local);
    for server in 0..3 {
        let mut client = ensemble.client(server);
        for (op, mode) in [(op::CREATE, EPHEMERAL), (op::CREATE2, EPHEMERAL_SEQUENTIAL)] {
            let create = request::create("/e", Some(b""), mode);
            assert_eq!(client.error(op, &create), code::EPHEMERAL_ON_LOCAL_SESSION);
        }
        // Before the path is looked at, and whatever the operation makes of the flags.
        for (op, path) in [(op::CREATE, "e"), (op::CREATE_CONTAINER, "/c")] {
            let create = request::create(path, Some(b""), EPHEMERAL);
            assert_eq!(client.error(op, &create), code::EPHEMERAL_ON_LOCAL_SESSION);
        }
        let ops = [
            (op::CREATE, request::create("/p", Some(b""), PERSISTENT)),
            (op::CREATE, request::create("/e", Some(b""), EPHEMERAL)),
        ];
        let reply = client.call(op::MULTI, &request::multi(&ops));
        let mut fields = reply.ok();
        fields.multi_header();
        assert_eq!(fields.int(), 0);
        assert_eq!(fields.multi_header().2, code::EPHEMERAL_ON_LOCAL_SESSION);
        assert_eq!(client.stat("/p"), None);
        client.create("/p", b"");
        client.delete("/p");
        assert_eq!(sessions(&ensemble, server).1, 1);
        client.close();
    }
}

#[test]
fn the_first_ephemeral_makes_a_session_everybodys_under_its_id() {
    let ensemble = Ensemble::start(3, upgrading);
    let mut client = ensemble.client(0);
    client.create("/p", b"");
    assert_eq!(sessions(&ensemble, 0), (0, 1));
    let created = client.call(op::CREATE, &request::create("/e", Some(b""), EPHEMERAL));
    created.ok();
    assert_eq!(sessions(&ensemble, 0), (1, 0));
    let owner = client.stat("/e").unwrap().ephemeral_owner;
    assert_eq!(owner, client.session);

    let mut moved = client.reattach(ensemble.address(1));
    assert!(client.is_closed());
    moved.create_mode("/e2", b"", EPHEMERAL);
    moved.close();
    let mut witness = ensemble.client(2);
    witness.sync();
    assert_eq!(witness.stat("/e"), None);
    assert_eq!(witness.stat("/e2"), None);
}

#[test]
fn a_multi_upgrades_and_containers_do_not() {
    let ensemble = Ensemble::start(3, upgrading);
    let mut client = ensemble.client(0);
    let container = request::create("/c", Some(b""), 4);
    client.call(op::CREATE_CONTAINER, &container).ok();
    client.create_mode("/s", b"", SEQUENTIAL);
    assert_eq!(sessions(&ensemble, 0), (0, 1));
    let ops = [
        (op::CREATE, request::create("/p", Some(b""), PERSISTENT)),
        (op::CREATE2, request::create("/e", Some(b""), EPHEMERAL)),
    ];
    client.call(op::MULTI, &request::multi(&ops)).ok();
    assert_eq!(sessions(&ensemble, 0), (1, 0));
    assert_eq!(client.stat("/e").unwrap().ephemeral_owner, client.session);
}

#[test]
fn an_upgrade_behind_a_sync_is_closed_like_any_session() {
    let ensemble = Ensemble::start(3, upgrading);
    let mut client = ensemble.client(0);
    client.send_all(&[
        (op::SYNC, request::path("/")),
        (op::CREATE, request::create("/e", Some(b""), EPHEMERAL)),
        (op::EXISTS, request::read("/e", false)),
        (op::CLOSE_SESSION, Body::new()),
    ]);
    for reply in client.replies(4) {
        assert_eq!(reply.err, 0);
    }
    assert!(client.is_closed());
    let mut witness = ensemble.client(0);
    witness.sync();
    assert_eq!(witness.stat("/e"), None);
    assert_eq!(sessions(&ensemble, 0), (0, 1));
}

#[test]
fn a_silent_local_session_ends_on_its_server() {
    let ensemble = Ensemble::start(3, local);
    let client = ensemble.client_with(0, &brief());
    let lively = ensemble.client_with(0, &brief());
    assert_eq!(sessions(&ensemble, 0), (0, 2));
    client.hang_up();
    let mut lively = lively;
    until("only the one that is heard of is left", || {
        lively.call(op::PING, &Body::new()).ok();
        sessions(&ensemble, 0) == (0, 1)
    });
    let again = Client::connect(ensemble.address(0), &client.hello());
    assert!(matches!(again, Err(Refused::SessionGone(_))));
}

/// A local session writes on while the leader goes, and becomes everybody's in the middle of it.
fn writes_through_a_change_of_leaders(upgrade_at: Option<usize>) {
    const WRITES: usize = 400;
    let ensemble = Ensemble::start(3, upgrading);
    let leader = ensemble.leader();
    let mut client = ensemble.client(leader + 1);
    client.create("/fifo", b"");
    let write = |n: usize| {
        let flags = match upgrade_at {
            Some(at) if n >= at => EPHEMERAL_SEQUENTIAL,
            _ => SEQUENTIAL,
        };
        let data = format!("{n}").into_bytes();
        (op::CREATE, request::create("/fifo/n", Some(&data), flags))
    };
    client.send_all(&(0..WRITES / 2).map(write).collect::<Vec<_>>());
    ensemble.stop_server(leader);
    client.send_all(&(WRITES / 2..WRITES).map(write).collect::<Vec<_>>());
    for n in 0..WRITES {
        let path = client.reply().ok().text();
        assert_eq!(path, format!("/fifo/n{n:010}"));
    }
    let mut witness = ensemble.client(leader + 2);
    witness.sync();
    assert_eq!(witness.children("/fifo").len(), WRITES);
    for n in 0..WRITES {
        let data = witness.get(&format!("/fifo/n{n:010}")).0.unwrap();
        assert_eq!(data, format!("{n}").into_bytes());
    }
    let expected = (
        u64::from(upgrade_at.is_some()),
        u64::from(upgrade_at.is_none()),
    );
    assert_eq!(sessions(&ensemble, leader + 1), expected);
}

#[test]
fn writes_of_a_local_session_are_done_once_and_in_order_whoever_leads() {
    writes_through_a_change_of_leaders(None);
}

#[test]
fn an_upgrade_is_done_once_and_in_order_whoever_leads() {
    // Before, around and after the moment at which the leader stops.
    for at in [1, 199, 201, 399] {
        writes_through_a_change_of_leaders(Some(at));
    }
}

#[test]
fn a_server_without_a_quorum_opens_and_attaches_no_local_session() {
    let ensemble = Ensemble::start(3, local);
    let mut client = ensemble.client(0);
    client.sync();
    ensemble.stop_server(1);
    ensemble.stop_server(2);
    until("nobody is served", || {
        let fresh = Client::connect(ensemble.address(0), &Hello::default());
        matches!(fresh, Err(Refused::Closed))
    });
    let again = Client::connect(ensemble.address(0), &client.hello());
    assert!(matches!(again, Err(Refused::Closed)));
    ensemble.start_server(1);
    ensemble.ready(1);
    client.reattach(ensemble.address(0)).create("/z", b"");
}

#[test]
fn alone_there_are_no_local_sessions() {
    let ensemble = Ensemble::start(1, local);
    let mut client = ensemble.client(0);
    client.create_mode("/e", b"", EPHEMERAL);
    assert_eq!(sessions(&ensemble, 0), (1, 0));
}

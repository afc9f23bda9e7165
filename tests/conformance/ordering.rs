//! What comes before what: replies, reads, writes, notifications, under load from many sessions on
//! every server.
//!
//! The client itself holds every stream to the promises (see `support`); the tests here make
//! streams in which breaking one would show.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{AtEnd, Body, Client, Ensemble, mode, on_one_and_three, op, request};

on_one_and_three!(
    pipelined_requests_take_effect_in_order,
    replies_come_in_order_whatever_is_asked,
    xids_come_back_as_they_are,
    pings_come_back_as_minus_two_in_their_turn,
    writes_of_many_sessions_are_all_there_once,
    notifications_come_before_replies_that_show_their_change,
    a_read_is_answered_before_events_of_its_watch,
    nobody_goes_back_in_time_between_servers,
    watchers_hear_of_changes_in_one_order,
    sequential_names_follow_the_order_of_writes,
);

/// A letter per request, in the order of the socket.
fn pipelined_requests_take_effect_in_order(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("pipelined_requests_take_effect_in_order");
    std::thread::scope(|scope| {
        for number in 0..6 {
            let path = format!("{room}/{number}");
            scope.spawn(move || counts_up(&mut ensemble.client(number), &path, number));
        }
    });
}

/// Sets a znode to 1, 2, 3 …, reading in between in every way.
fn counts_up(client: &mut Client, path: &str, number: usize) {
    client.create(path, b"0");
    let mut random = fastrand::Rng::with_seed(number as u64);
    for _ in 0..10 {
        let version = client.stat(path).unwrap().version;
        let mut expected = Vec::new();
        let mut now = version;
        let requests: Vec<_> = (0..100)
            .map(|_| {
                let choice = random.u8(0..5);
                now += i32::from(choice < 2);
                expected.push((choice, now));
                match choice {
                    // The expected version fails the test if an earlier write is missing.
                    0 | 1 => (op::SET_DATA, request::set_data(path, None, now - 1)),
                    2 => (op::GET_DATA, request::read(path, false)),
                    3 => (op::EXISTS, request::read(path, false)),
                    _ => (op::SYNC, request::path(path)),
                }
            })
            .collect();
        client.send_all(&requests);
        for (choice, version) in expected {
            let reply = client.reply();
            let mut fields = reply.ok();
            match choice {
                2 => assert_eq!((fields.buffer(), fields.stat().version).1, version),
                4 => assert_eq!(fields.text(), path),
                _ => assert_eq!(fields.stat().version, version),
            }
        }
    }
}

fn replies_come_in_order_whatever_is_asked(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("replies_come_in_order_whatever_is_asked");
    let mut client = ensemble.client(1);
    client.sync();
    let path = format!("{room}/x");
    let requests = [
        (op::CREATE, request::create(&path, None, 0)),
        (op::GET_DATA, request::read(&path, true)),
        (op::CREATE, request::create(&path, None, 0)),
        (op::SYNC, request::path("/")),
        (op::MULTI, request::multi(&[])),
        (op::GET_CHILDREN, request::read(&room, true)),
        (op::PING, Body::new()),
        (op::WHO_AM_I, Body::new()),
        (op::SET_WATCHES, request::set_watches(0, &[], &[], &[])),
        (op::ADD_WATCH, request::watch(&path, 1)),
        (op::REMOVE_WATCHES, request::watch(&path, 3)),
        (op::GET_ACL, request::path(&path)),
        (op::MULTI_READ, request::multi(&[])),
        (op::DELETE, request::versioned(&path, -1)),
        (op::RECONFIG, Body::new()),
        (op::GET_EPHEMERALS, request::path("/")),
    ];
    let rounds = 30;
    for _ in 0..rounds {
        client.send_all(&requests);
    }
    for _ in 0..rounds {
        let errors: Vec<i32> = (0..requests.len()).map(|_| client.reply().err).collect();
        let mut expected = vec![0; requests.len()];
        (expected[2], expected[14]) = (-110, -5);
        assert_eq!(errors, expected);
    }
}

fn xids_come_back_as_they_are(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("xids_come_back_as_they_are");
    let xids = [
        0,
        0,
        1,
        1,
        -1000,
        -4,
        -8,
        i32::MAX,
        i32::MIN,
        1,
        0,
        0x6666_6666,
    ];
    for operation in [op::EXISTS, op::SET_DATA, op::SYNC] {
        let body = match operation {
            op::EXISTS => request::read(&room, false),
            op::SET_DATA => request::set_data(&room, None, -1),
            _ => request::path(&room),
        };
        for xid in xids {
            client.send_as(xid, operation, &body);
        }
        for xid in xids {
            let reply = client.reply();
            assert_eq!((reply.xid, reply.err), (xid, 0));
        }
    }
}

fn pings_come_back_as_minus_two_in_their_turn(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("pings_come_back_as_minus_two_in_their_turn");
    for xid in [-2, 0, 7] {
        client.send(op::SET_DATA, &request::set_data(&room, None, -1));
        client.send_as(xid, op::PING, &Body::new());
        let written = client.reply();
        let ping = client.reply();
        assert_eq!((ping.xid, ping.err, ping.body.len()), (-2, 0, 0));
        assert!(ping.zxid >= written.zxid);
    }
}

/// Sessions on every server write at once; each answered write is there, once, and none else.
fn writes_of_many_sessions_are_all_there_once(ensemble: &Ensemble) {
    let (mut witness, room) = ensemble.room("writes_of_many_sessions_are_all_there_once");
    let write = |number: usize| {
        let mut client = ensemble.client(number);
        let path = format!("{room}/{number}-");
        let create = request::create(&path, None, mode::SEQUENTIAL);
        let set = request::set_data(&room, None, -1);
        let requests = vec![[(op::CREATE, create), (op::SET_DATA, set)]; 200];
        client.send_all(&requests.concat());
        let replies = client.replies(400);
        let names = replies.iter().step_by(2).map(|reply| reply.ok().text());
        let names: Vec<String> = names.collect();
        assert!(names.is_sorted(), "one session's numbers go up");
        names
    };
    let mut made: Vec<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..9).map(|n| scope.spawn(move || write(n))).collect();
        writers
            .into_iter()
            .flat_map(|w| w.join().unwrap())
            .collect()
    });
    made.sort();
    witness.sync();
    let found = witness.children(&room);
    assert_eq!(found.len(), 9 * 200);
    assert!(found.iter().map(|name| format!("{room}/{name}")).eq(made));
    let stat = witness.stat(&room).unwrap();
    assert_eq!((stat.version, stat.cversion), (9 * 200, 9 * 200));
}

/// Writers change a few znodes; watchers read and watch them all the time. The client notices any
/// notification that comes behind a reply at its zxid or a later one.
fn notifications_come_before_replies_that_show_their_change(ensemble: &Ensemble) {
    let name = "notifications_come_before_replies_that_show_their_change";
    let (mut keeper, room) = ensemble.room(name);
    let paths: Vec<_> = (0..4)
        .map(|i| keeper.create(&format!("{room}/{i}"), b""))
        .collect();
    let done = AtomicBool::new(false);
    let (paths, done) = (&paths, &done);
    std::thread::scope(|scope| {
        let over = AtEnd(done);
        let writers: Vec<_> = (0..3)
            .map(|number| scope.spawn(move || change(&mut ensemble.client(number), paths, number)))
            .collect();
        for number in 0..6 {
            scope.spawn(move || {
                let mut client = ensemble.client(number);
                client.sync();
                let mut heard = 0;
                while !done.load(Ordering::Relaxed) {
                    heard += look(&mut client, paths);
                }
                assert!(heard > 0, "nothing was heard, so nothing was shown");
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        drop(over);
    });
}

fn change(client: &mut Client, paths: &[String], number: usize) {
    client.sync();
    client.add_watch("/", 1);
    for i in 0..300 {
        let path = &paths[(i + number) % paths.len()];
        let child = format!("{path}/{number}");
        client.send_all(&[
            (op::SET_DATA, request::set_data(path, None, -1)),
            (op::CREATE, request::create(&child, None, 0)),
            (op::GET_DATA, request::read(path, true)),
            (op::DELETE, request::versioned(&child, -1)),
        ]);
        client.replies(4);
    }
}

/// Leaves watches of every kind, and says how many notifications came meanwhile.
fn look(client: &mut Client, paths: &[String]) -> usize {
    for path in paths {
        client.send_all(&[
            (op::GET_DATA, request::read(path, true)),
            (op::GET_CHILDREN, request::read(path, true)),
            (op::EXISTS, request::read(&format!("{path}/0"), true)),
            (op::ADD_WATCH, request::watch(&format!("{path}/1"), 0)),
            (op::SYNC, request::path("/")),
            (op::PING, Body::new()),
        ]);
    }
    client.replies(6 * paths.len());
    client.seen().len()
}

/// The znode changes all the time, so a watch may fire the moment it is set. Whatever is heard of
/// must be newer than what the read that set the watch has shown.
fn a_read_is_answered_before_events_of_its_watch(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("a_read_is_answered_before_events_of_its_watch");
    let (room, done) = (&room, &AtomicBool::new(false));
    std::thread::scope(|scope| {
        let over = AtEnd(done);
        scope.spawn(move || {
            let mut writer = ensemble.client(0);
            while !done.load(Ordering::Relaxed) {
                writer.set(room, b"");
            }
        });
        let readers: Vec<_> = (0..3)
            .map(|number| scope.spawn(move || watch_closely(&mut ensemble.client(number), room)))
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
        drop(over);
    });
}

fn watch_closely(client: &mut Client, path: &str) {
    client.sync();
    for _ in 0..200 {
        client.send(op::GET_DATA, &request::read(path, true));
        let reply = client.frame().unwrap();
        assert_ne!(
            reply.xid, -1,
            "an event before the reply that set its watch"
        );
        let mut fields = reply.ok();
        let stat = (fields.buffer(), fields.stat()).1;
        let event = client.event();
        assert!(event.zxid > stat.mzxid && event.zxid > reply.zxid);
        assert_eq!(client.seen(), [], "one watch, one event");
    }
}

fn nobody_goes_back_in_time_between_servers(ensemble: &Ensemble) {
    let (mut writer, room) = ensemble.room("nobody_goes_back_in_time_between_servers");
    let mut client = ensemble.client(0);
    for server in 0..20 {
        let version = writer.set(&room, b"").version;
        let seen = if server % 2 == 0 {
            client.sync();
            version
        } else {
            client.stat(&room).map_or(0, |stat| stat.version)
        };
        let zxid = client.zxid;
        client = client.reattach(ensemble.address(server));
        assert!(client.stat(&room).unwrap().version >= seen);
        assert!(client.zxid >= zxid);
    }
}

fn watchers_hear_of_changes_in_one_order(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("watchers_hear_of_changes_in_one_order");
    let mut watchers: Vec<_> = (0..6).map(|number| ensemble.client(number)).collect();
    for watcher in &mut watchers {
        watcher.sync();
        watcher.add_watch(&room, 1);
    }
    std::thread::scope(|scope| {
        for number in 0..4 {
            let path = format!("{room}/{number}-");
            scope.spawn(move || {
                let mut client = ensemble.client(number);
                let create = (op::CREATE, request::create(&path, None, mode::SEQUENTIAL));
                client.send_all(&vec![create; 50]);
                client.replies(50);
            });
        }
    });
    let heard: Vec<_> = watchers.iter_mut().map(Client::settled).collect();
    assert_eq!(heard[0].len(), 200);
    assert!(heard.iter().all(|told| *told == heard[0]));
}

fn sequential_names_follow_the_order_of_writes(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("sequential_names_follow_the_order_of_writes");
    let mut made: Vec<(i64, String)> = std::thread::scope(|scope| {
        let create = |number: usize| {
            let mut client = ensemble.client(number);
            let create = request::create(&format!("{room}/"), None, mode::SEQUENTIAL);
            let create = (op::CREATE, create);
            client.send_all(&vec![create; 50]);
            let replies = client.replies(50).into_iter();
            replies.map(|r| (r.zxid, r.ok().text())).collect::<Vec<_>>()
        };
        let writers: Vec<_> = (0..4).map(|n| scope.spawn(move || create(n))).collect();
        writers
            .into_iter()
            .flat_map(|w| w.join().unwrap())
            .collect()
    });
    made.sort();
    let names = made.into_iter().map(|(_, name)| name);
    assert!(names.eq((0..200).map(|i| format!("{room}/{i:010}"))));
}

/// A leader that stops hands over; clients of the others see no error, no gap and no repeat.
#[test]
fn a_leader_that_stops_is_no_error_to_the_others_clients() {
    let ensemble = Ensemble::start(3, |_| {});
    let (mut keeper, room) = ensemble.room("room");
    for round in 0..3 {
        let leader = ensemble.leader();
        let others: Vec<_> = (0..3).filter(|server| *server != leader).collect();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let over = AtEnd(&done);
            let writers: Vec<_> = (0..4)
                .map(|i| {
                    let path = format!("{room}/{round}-{i}");
                    let client = ensemble.client(others[i % 2]);
                    let done = &done;
                    scope.spawn(move || write_until(client, &path, done))
                })
                .collect();
            ensemble.stop_server(leader);
            ensemble.start_server(leader);
            ensemble.ready(leader);
            drop(over);
            for writer in writers {
                writer.join().unwrap();
            }
        });
    }
    keeper = keeper.reattach(ensemble.address(0));
    keeper.sync();
    assert_eq!(keeper.children(&room).len(), 12);
}

fn write_until(mut client: Client, path: &str, done: &AtomicBool) {
    client.create(path, b"");
    let mut version = 0;
    while !done.load(Ordering::Relaxed) {
        for ahead in 0..20 {
            let body = request::set_data(path, None, version + ahead);
            client.send(op::SET_DATA, &body);
        }
        for _ in 0..20 {
            version += 1;
            assert_eq!(client.reply().ok().stat().version, version);
        }
    }
}

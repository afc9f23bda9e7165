//! Limits: each is reached, the one who reaches it learns of it, and nobody else does.

use std::num::NonZeroU32;

use crate::support::kind::DATA_CHANGED;
use crate::support::{Body, Client, Ensemble, Hello, Refused, on_one_and_three, op, open};
use crate::support::{framed, request, until};

on_one_and_three!(
    a_frame_may_be_as_long_as_jute_maxbuffer,
    a_longer_frame_ends_the_connection_before_it_is_read,
    a_pipeline_of_any_length_is_answered,
    a_great_list_of_children_is_answered_whole,
    pipelined_replies_of_many_megabytes_come_through,
);

const MAXBUFFER: usize = 0xf_ffff;

fn a_frame_may_be_as_long_as_jute_maxbuffer(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_frame_may_be_as_long_as_jute_maxbuffer");
    let around = 8 + request::set_data(&room, Some(b""), -1).0.len();
    let data = vec![7; MAXBUFFER - around];
    assert_eq!(client.set(&room, &data).data_length, data.len() as i32);
    let mut witness = ensemble.client(1);
    witness.sync();
    // The reply is longer than a request may be.
    assert_eq!(witness.get(&room).0, Some(data));
}

fn a_longer_frame_ends_the_connection_before_it_is_read(ensemble: &Ensemble) {
    for length in [MAXBUFFER as i32 + 1, i32::MAX, -1, i32::MIN] {
        let mut client = ensemble.client(1);
        client.send_raw(&length.to_be_bytes());
        assert!(client.is_closed(), "{length}");
        client.reattach(ensemble.address(1)).close();
    }
}

#[test]
fn jute_maxbuffer_can_be_set() {
    let ensemble = Ensemble::start(1, |config| config.jute_maxbuffer_bytes = 1000);
    let (mut client, room) = ensemble.room("room");
    let around = 8 + request::set_data(&room, Some(b""), -1).0.len();
    client.set(&room, &vec![0; 1000 - around]);
    let body = request::set_data(&room, Some(&vec![0; 1001 - around]), -1);
    // The server may have closed before all of it is out.
    client.send(op::SET_DATA, &body);
    assert_eq!(client.reply_or_end(), None);
}

fn a_pipeline_of_any_length_is_answered(ensemble: &Ensemble) {
    let (_keeper, room) = ensemble.room("a_pipeline_of_any_length_is_answered");
    let mut client = ensemble.client(1);
    client.sync();
    let count = 12_000;
    let requests = [
        (op::SET_DATA, request::set_data(&room, None, -1)),
        (op::EXISTS, request::read(&room, false)),
        (op::EXISTS, request::read(&room, false)),
    ];
    client.send_all(&vec![requests; count / 3].concat());
    for i in 0..count {
        let version = client.reply().ok().stat().version;
        assert_eq!(version, 1 + (i / 3) as i32);
    }
}

/// With room for a single outstanding request in all, everybody still gets everything, in order.
#[test]
fn the_global_outstanding_limit_slows_and_refuses_nothing() {
    for count in [1, 3] {
        let ensemble = Ensemble::start(count, |config| config.global_outstanding_limit = 1);
        let (_keeper, room) = ensemble.room("room");
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (ensemble, room) = (&ensemble, &room);
                scope.spawn(move || {
                    let mut client = ensemble.client(number);
                    let path = client.create(&format!("{room}/{number}"), b"");
                    let set = (op::SET_DATA, request::set_data(&path, None, -1));
                    client.send_all(&vec![set; 500]);
                    for version in 1..=500 {
                        assert_eq!(client.reply().ok().stat().version, version);
                    }
                });
            }
        });
    }
}

#[test]
fn connections_from_one_address_are_limited() {
    let ensemble = Ensemble::start(1, |config| {
        config.client_cnxns_per_ip_max = NonZeroU32::new(3);
    });
    let mut clients: Vec<_> = (0..3).map(|_| ensemble.client(0)).collect();
    let refused = || Client::connect(ensemble.address(0), &Hello::default()).unwrap_err();
    for _ in 0..5 {
        assert_eq!(refused(), Refused::Closed);
    }
    for client in &mut clients {
        client.sync();
    }
    // A place that is free again is given away again.
    clients.pop();
    until("somebody else is served", || {
        Client::connect(ensemble.address(0), &Hello::default()).is_ok()
    });
}

#[test]
fn connections_in_all_are_limited() {
    let ensemble = Ensemble::start(1, |config| config.cnxns_max = NonZeroU32::new(2));
    let _silent = open(ensemble.address(0));
    let mut client = ensemble.client(0);
    let refused = Client::connect(ensemble.address(0), &Hello::default());
    assert_eq!(refused.unwrap_err(), Refused::Closed);
    client.sync();
}

fn a_great_list_of_children_is_answered_whole(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("a_great_list_of_children_is_answered_whole");
    let long = "n".repeat(500);
    let ops: Vec<_> = (0..1000)
        .map(|i| {
            (
                op::CREATE,
                request::create(&format!("{room}/{long}{i:04}"), None, 0),
            )
        })
        .collect();
    for ops in ops.chunks(500) {
        client.call(op::MULTI, &request::multi(ops)).ok();
    }
    for ops in (1000..3000).collect::<Vec<_>>().chunks(500) {
        let create = |i: &i32| {
            let path = format!("{room}/{long}{i:04}");
            (op::CREATE, request::create(&path, None, 0))
        };
        let ops: Vec<_> = ops.iter().map(create).collect();
        client.call(op::MULTI, &request::multi(&ops)).ok();
    }
    let children = client.children(&room);
    assert_eq!(children.len(), 3000, "1.5 MB of names");
}

fn pipelined_replies_of_many_megabytes_come_through(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("pipelined_replies_of_many_megabytes_come_through");
    client.set(&room, &vec![1; 900_000]);
    let read = || (op::GET_DATA, request::read(&room, false));
    let write = || (op::CREATE, request::create(&room, None, 0));
    // Read slowly: nothing comes out before all of it has gone in.
    for requests in [
        vec![read(); 100],
        [vec![read(); 10], vec![write()]].concat(),
    ] {
        client.send_all(&requests);
        for (operation, _) in &requests {
            let reply = client.reply();
            match *operation {
                op::GET_DATA => assert_eq!(reply.ok().buffer().unwrap().len(), 900_000),
                _ => assert_eq!(reply.error(), -110),
            }
        }
    }
    client.sync();
}

/// Reads between two writes must be answered before the second is applied. Who asks for more than
/// the server holds for one client, and reads none of it, loses the connection.
#[test]
fn reads_between_writes_may_owe_only_so_much() {
    let ensemble = Ensemble::start(1, |_| {});
    let (mut client, room) = ensemble.room("room");
    client.set(&room, &vec![1; 900_000]);
    let mut modest = ensemble.client(0);
    let write = (op::CREATE, request::create(&room, None, 0));
    let mut requests = vec![(op::GET_DATA, request::read(&room, false)); 200];
    requests.insert(0, write.clone());
    requests.push(write);
    // Unless the requests arrive in parts, far from each other.
    until("the connection has ended", || {
        let mut greedy = ensemble.client(0);
        greedy.send_all(&requests);
        let answers = std::iter::from_fn(|| greedy.reply_or_end());
        let answered = answers.take(requests.len()).count();
        greedy.reattach(ensemble.address(0)).close();
        answered < requests.len()
    });
    modest.get(&room);
}

/// One small request could ask for the same megabyte twenty thousand times.
#[test]
fn a_multi_read_may_answer_only_so_much() {
    let ensemble = Ensemble::start(1, |_| {});
    let (mut client, room) = ensemble.room("room");
    client.set(&room, &vec![1; 1_000_000]);
    let mut reads = |count: usize| {
        let read = (op::GET_DATA, request::read(&room, false));
        client.call(op::MULTI_READ, &request::multi(&vec![read; count]))
    };
    assert!(reads(60).ok().is_longer_than(60_000_000));
    assert_eq!(reads(100).error(), -5);
    assert_eq!(reads(20_000).error(), -5);
}

/// A watcher that reads nothing is let go; the writer and other watchers do not notice.
#[test]
fn a_watcher_that_does_not_read_is_let_go() {
    let ensemble = Ensemble::start(1, |_| {});
    let mut client = ensemble.client(0);
    let path = client.create(&format!("/{}", "n".repeat(500_000)), b"");
    let (mut deaf, mut listening) = (ensemble.client(0), ensemble.client(0));
    for watcher in [&mut deaf, &mut listening] {
        watcher.add_watch(&path, 0);
    }
    let session = format!("sid=0x{:x},", deaf.session);
    until("the connection has ended", || {
        client.set(&path, b"");
        assert_eq!(listening.event().kind, DATA_CHANGED);
        !ensemble.word(0, "cons").contains(&session)
    });
    deaf.reattach(ensemble.address(0)).close();
}

#[test]
fn a_client_that_stalls_in_the_middle_of_a_frame_holds_nobody_up() {
    let ensemble = Ensemble::start(1, |_| {});
    let (mut client, room) = ensemble.room("room");
    let mut stalled = ensemble.client(0);
    let whole = framed(
        &Body::new()
            .int(1)
            .int(op::EXISTS)
            .raw(&request::read(&room, false).0)
            .0,
    );
    stalled.send_raw(&whole[..whole.len() - 1]);
    for _ in 0..100 {
        client.set(&room, b"");
    }
    stalled.expect([1]);
    stalled.send_raw(&whole[whole.len() - 1..]);
    assert_eq!(stalled.reply().ok().stat().version, 100);
}

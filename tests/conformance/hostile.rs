//! Bytes that no client would send: from many connections at once, for as long as it takes to send
//! a few thousand of them.
//!
//! A panic in a server ends the run (see `support`). `HOSTILE_SEED` replays the bytes of a run.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;

use crate::support::{
    AtEnd, Body, Client, Ensemble, Hello, OPEN_LIST, framed, op, open, request, until,
};

/// Connections that misbehave at the same time.
const ATTACKERS: usize = 6;

/// Connections each of them opens, one after the other.
const ROUNDS: usize = 60;

/// Lengths, counts, flags and versions that are rarely right.
const ODD: [i32; 14] = [
    -1,
    -2,
    0,
    1,
    2,
    7,
    255,
    65_536,
    0xf_ffff,
    0x10_0000,
    i32::MAX,
    i32::MAX - 1,
    i32::MIN,
    0x7275_6f6b,
];

fn seed() -> u64 {
    let given = std::env::var("HOSTILE_SEED").ok();
    let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("HOSTILE_SEED={seed}");
    seed
}

fn bytes(random: &mut Rng, most: usize) -> Vec<u8> {
    let count = random.usize(0..=most);
    (0..count).map(|_| random.u8(..)).collect()
}

/// A few strokes against bytes that were right.
fn spoil(random: &mut Rng, whole: &mut Vec<u8>) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(0..=whole.len());
        match random.u8(0..6) {
            0 if at < whole.len() => whole[at] ^= 1 << random.u8(0..8),
            1 => whole.truncate(at),
            2 => drop(whole.splice(at..at, bytes(random, 9))),
            3 if at + 4 <= whole.len() => {
                let odd = ODD[random.usize(..ODD.len())];
                whole[at..at + 4].copy_from_slice(&odd.to_be_bytes());
            }
            4 => drop(whole.drain(at..whole.len().min(at + 4))),
            _ => whole.extend(bytes(random, 40)),
        }
    }
}

/// The records of requests as they should be, all on znodes of the attackers.
fn sound(random: &mut Rng) -> (i32, Body) {
    let path = format!("/hostile/{}", random.u8(0..4));
    let version = random.i32(-1..3);
    let flags = random.i32(-1..8);
    let some = request::create(&path, Some(b"data"), flags);
    match random.u8(0..20) {
        0 => (op::CREATE, some),
        1 => (op::CREATE2, some),
        2 => (op::CREATE_CONTAINER, some),
        3 => (op::CREATE_TTL, request::create_ttl(&path, flags, 5)),
        4 => (op::DELETE, request::versioned(&path, version)),
        5 => (op::SET_DATA, request::set_data(&path, Some(b"x"), version)),
        6 => (op::SET_ACL, request::set_acl(&path, OPEN_LIST, version)),
        7 => (op::GET_DATA, request::read(&path, random.bool())),
        8 => (op::EXISTS, request::read(&path, random.bool())),
        9 => (op::GET_CHILDREN2, request::read(&path, random.bool())),
        10 => (op::GET_ACL, request::path(&path)),
        11 => (op::SYNC, request::path(&path)),
        12 => (op::ADD_WATCH, request::watch(&path, random.i32(0..2))),
        13 => (op::REMOVE_WATCHES, request::watch(&path, random.i32(1..6))),
        14 => (
            op::SET_WATCHES,
            request::set_watches(0, &[&path], &[&path], &[&path]),
        ),
        15 => (op::MULTI, several(random, &path)),
        16 => (
            op::MULTI_READ,
            request::multi(&[(op::GET_DATA, request::read(&path, false))]),
        ),
        17 => (op::AUTH, request::auth("digest", b"user:password")),
        18 => (op::WHO_AM_I, Body::new()),
        _ => (op::GET_EPHEMERALS, request::path(&path)),
    }
}

fn several(random: &mut Rng, path: &str) -> Body {
    let ops = [
        (op::CREATE, request::create(path, None, random.i32(0..4))),
        (op::SET_DATA, request::set_data(path, None, -1)),
        (op::CHECK, request::versioned(path, 1)),
        (op::DELETE, request::versioned(path, -1)),
    ];
    request::multi(&ops[..random.usize(0..=ops.len())])
}

/// Some requests as bytes, most of them spoiled somewhere.
fn requests(random: &mut Rng) -> Vec<u8> {
    let mut all = Vec::new();
    for xid in 0..random.i32(1..30) {
        let (mut operation, body) = sound(random);
        let mut record = body.0.to_vec();
        if random.u8(0..4) > 0 {
            spoil(random, &mut record);
        }
        if random.u8(0..20) == 0 {
            operation = random.i32(-20..120);
        }
        let mut frame = framed(&Body::new().int(xid).int(operation).raw(&record).0);
        if random.u8(0..30) == 0 {
            spoil(random, &mut frame);
        }
        all.extend(frame);
    }
    all
}

/// Sends bytes in pieces; the server may close at any of them.
fn send(random: &mut Rng, stream: &mut TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(random.usize(1..=bytes.len()));
        if stream.write_all(piece).is_err() {
            return;
        }
        bytes = rest;
    }
}

/// One connection: a handshake that may be spoiled, then requests that are.
fn attack(random: &mut Rng, ensemble: &Ensemble) {
    let mut stream = open(ensemble.address(random.usize(..3)));
    let hello = Hello {
        timeout_ms: random.i32(0..2_000),
        read_only: [None, Some(false), Some(true)][random.usize(..3)],
        ..Hello::default()
    };
    let mut first = framed(&hello.body().0);
    match random.u8(0..4) {
        0 => first = bytes(random, 100),
        1 => spoil(random, &mut first),
        _ => {}
    }
    send(random, &mut stream, &first);
    let requests = requests(random);
    send(random, &mut stream, &requests);
    // Some read what they are told, some go away at once, some say that they have finished.
    match random.u8(0..3) {
        0 => {}
        1 => drop(stream.shutdown(std::net::Shutdown::Both)),
        _ => {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut (&stream).take(1 << 20), &mut std::io::sink());
        }
    }
}

/// What everybody else may expect meanwhile.
fn behave(client: &mut Client, path: &str) {
    let version = client.set(path, b"mine").version;
    client.sync();
    assert_eq!(client.get(path).1.version, version);
    let child = client.create(&format!("{path}/x"), b"");
    client.delete(&child);
}

fn survives(ensemble: &Ensemble, attack: impl Fn(&mut Rng, &Ensemble) + Sync) {
    let seed = seed();
    let mut client = ensemble.client(0);
    client.create("/hostile", b"");
    let path = client.create("/well-behaved", b"");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let over = AtEnd(&done);
        let attackers: Vec<_> = (0..ATTACKERS as u64)
            .map(|number| {
                let mut random = Rng::with_seed(seed.wrapping_add(number));
                let attack = &attack;
                scope.spawn(move || (0..ROUNDS).for_each(|_| attack(&mut random, ensemble)))
            })
            .collect();
        let behaving = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                behave(&mut client, &path);
            }
        });
        for attacker in attackers {
            attacker.join().unwrap();
        }
        drop(over);
        behaving.join().unwrap();
    });
    for server in 0..ensemble.len() {
        behave(&mut ensemble.client(server), &path);
    }
    client.close();
    for server in 0..ensemble.len() {
        nothing_is_left(ensemble, server);
    }
}

/// Whoever is gone holds no connection, no watch and no request any more.
fn nothing_is_left(ensemble: &Ensemble, server: usize) {
    until("every connection and what it held is gone", || {
        let mntr = ensemble.word(server, "mntr");
        [
            "num_alive_connections\t1",
            "watch_count\t0",
            "outstanding_requests\t0",
        ]
        .iter()
        .all(|line| mntr.contains(&format!("zk_{line}\n")))
    });
}

#[test]
fn one_server_survives_any_bytes() {
    survives(&Ensemble::start(1, |_| {}), attack);
}

#[test]
fn three_servers_survive_any_bytes() {
    survives(&Ensemble::start(3, |_| {}), attack);
}

/// The port for the other servers: anybody on the network may knock.
#[test]
fn servers_survive_any_bytes_on_their_ports_for_each_other() {
    survives(&Ensemble::start(3, |_| {}), |random, ensemble| {
        let server = random.usize(..3);
        let mut stream = open(ensemble.peer_address(server));
        let mut first = match random.u8(0..4) {
            0 => bytes(random, 60),
            _ => {
                let from = random.u8(0..5);
                // Lanes and probes: their bytes are ours to read. Raft's would be taken for true.
                let purpose = if random.bool() { 1 } else { 3 };
                framed(&[b"ZWPEER02", &[from, server as u8 + 1, purpose][..]].concat())
            }
        };
        if random.u8(0..4) == 0 {
            spoil(random, &mut first);
        }
        for _ in 0..random.usize(0..10) {
            let kind = random.u8(0..7);
            let body = bytes(random, 80);
            first.extend(framed(&[&[kind], &body[..]].concat()));
        }
        send(random, &mut stream, &first);
        let _ = stream.shutdown(std::net::Shutdown::Write);
    });
}

/// A count or a length is held against the bytes that are there before any room is made for it.
#[test]
fn lying_lengths_hold_nobody_up() {
    let ensemble = Ensemble::start(1, |_| {});
    let mut client = ensemble.client(0);
    // Each of them would take all memory there is.
    for _ in 0..50 {
        for count in [i32::MAX, i32::MAX / 4, 0x10_0000] {
            let lists = Body::new().long(0).int(count).raw(&[0; 100]);
            client.send(op::SET_WATCHES, &lists);
            let acl = Body::new().text("/a").int(-1).int(count).raw(&[0; 100]);
            client.send(op::CREATE, &acl);
            client.send(op::GET_DATA, &Body::new().int(count).raw(&[0; 100]));
        }
    }
    for reply in client.replies(50 * 9) {
        assert_eq!(reply.error(), -5);
    }
    // A frame of the greatest length is announced by many, and sent by nobody.
    let announced: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = open(ensemble.address(0));
            stream.write_all(&0xf_ffff_i32.to_be_bytes()).unwrap();
            stream.write_all(&[0; 20]).unwrap();
            stream
        })
        .collect();
    client.sync();
    ensemble.client(0).sync();
    drop(announced);
}

//! The same log makes the same state: on every server, and again after each has read its snapshot
//! and its log from disk.

use std::collections::BTreeMap;

use fastrand::Rng;
use zoowarden::proto::Stat;

use crate::support::{Body, Client, Ensemble, OPEN_LIST, code, op, request};

/// All that can be read of one znode.
type Shown = (Option<Vec<u8>>, Stat, Vec<(i32, String, String)>);

/// All that can be read of a server, by one who may read everything.
fn everything(client: &mut Client) -> BTreeMap<String, Shown> {
    let body = request::auth("digest", b"super:test");
    client.send_as(-4, op::AUTH, &body);
    client.reply().ok();
    client.sync();
    let mut shown = BTreeMap::new();
    let mut paths = vec!["/".to_owned()];
    while let Some(path) = paths.pop() {
        let (data, stat) = client.get(&path);
        let acl = client.call(op::GET_ACL, &request::path(&path)).ok().acl();
        let children = client.children(&path);
        let parent = path.trim_end_matches('/');
        paths.extend(children.iter().map(|name| format!("{parent}/{name}")));
        shown.insert(path, (data, stat, acl));
    }
    shown
}

/// Any write, on few enough paths that they meet.
fn write(random: &mut Rng, number: usize) -> (i32, Body) {
    let letter = |random: &mut Rng| ["a", "b", "c"][random.usize(..3)];
    let mut path = format!("/{}", letter(random));
    if random.bool() {
        path = format!("{path}/{}", letter(random));
    }
    let data = vec![number as u8; random.usize(..50)];
    let version = if random.bool() { -1 } else { random.i32(0..3) };
    match random.u8(0..8) {
        0 | 1 => (
            op::CREATE,
            request::create(&path, Some(&data), random.i32(0..4)),
        ),
        2 => (op::CREATE_CONTAINER, request::create(&path, None, 4)),
        3 => (
            op::CREATE_TTL,
            request::create_ttl(&path, 5, random.i64(1..1000)),
        ),
        4 => (op::DELETE, request::versioned(&path, version)),
        5 => (op::SET_DATA, request::set_data(&path, Some(&data), version)),
        6 => {
            let list = [OPEN_LIST[0], (1, "ip", "10.0.0.1")];
            (
                op::SET_ACL,
                request::set_acl(&path, &list[..random.usize(1..3)], version),
            )
        }
        _ => {
            let ops: Vec<_> = (0..random.usize(1..4))
                .map(|_| simple(random, &path))
                .collect();
            (op::MULTI, request::multi(&ops))
        }
    }
}

fn simple(random: &mut Rng, path: &str) -> (i32, Body) {
    match random.u8(0..4) {
        0 => (op::CREATE, request::create(path, None, random.i32(0..4))),
        1 => (op::SET_DATA, request::set_data(path, Some(b"x"), -1)),
        2 => (op::CHECK, request::versioned(path, random.i32(-1..3))),
        _ => (op::DELETE, request::versioned(path, -1)),
    }
}

/// Sessions on every server write what they like; some of them end meanwhile.
fn busy(ensemble: &Ensemble, seed: u64) -> Vec<Client> {
    std::thread::scope(|scope| {
        let work = |number: usize| {
            let mut random = Rng::with_seed(seed.wrapping_add(number as u64));
            let mut client = ensemble.client(number);
            for _ in 0..20 {
                let writes: Vec<_> = (0..50).map(|_| write(&mut random, number)).collect();
                client.send_all(&writes);
                for reply in client.replies(50) {
                    assert_ne!(reply.err, code::MARSHALLING);
                }
            }
            if number.is_multiple_of(2) {
                client.close();
                return None;
            }
            Some(client)
        };
        let working: Vec<_> = (0..6).map(|n| scope.spawn(move || work(n))).collect();
        working
            .into_iter()
            .filter_map(|w| w.join().unwrap())
            .collect()
    })
}

#[test]
fn all_servers_show_the_same_also_after_a_restart() {
    // The reaper would go on between two looks; snapshots are to happen in the middle.
    let ensemble = Ensemble::start(3, |config| {
        config.container.check_interval_ms = 3_600_000;
        config.snap_count = 300;
    });
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let _sessions = busy(&ensemble, seed);
    let first = everything(&mut ensemble.client(0));
    assert!(first.len() > 10, "{} znodes", first.len());
    for server in 0..3 {
        assert_eq!(
            everything(&mut ensemble.client(server)),
            first,
            "server {server}"
        );
    }
    for server in 0..3 {
        ensemble.stop_server(server);
        ensemble.start_server(server);
        ensemble.ready(server);
        assert_eq!(
            everything(&mut ensemble.client(server)),
            first,
            "server {server}"
        );
    }
}

#[test]
fn one_server_shows_the_same_after_a_restart() {
    let ensemble = Ensemble::start(1, |config| {
        config.container.check_interval_ms = 3_600_000;
        config.snap_count = 300;
    });
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let _sessions = busy(&ensemble, seed);
    let before = everything(&mut ensemble.client(0));
    for _ in 0..3 {
        ensemble.stop_server(0);
        ensemble.start_server(0);
        ensemble.ready(0);
        assert_eq!(everything(&mut ensemble.client(0)), before);
    }
}

//! Requests and connections that a server holds back, as its settings say.

use std::num::NonZeroU32;

use zoowarden::server::config::Config;

use crate::support::{Body, Client, Ensemble, Hello, Refused, code, op, request, until};

fn counted(ensemble: &Ensemble, key: &str) -> u64 {
    let answer = ensemble.word(0, "mntr");
    let value = answer
        .lines()
        .find_map(|line| line.strip_prefix(&format!("zk_{key}\t")));
    value.and_then(|value| value.parse().ok()).unwrap()
}

/// Three servers of which only the first two ever run; nothing is committed while one is down.
struct Stuck {
    ensemble: Ensemble,
    other: usize,
}

impl Stuck {
    fn start(change: impl Fn(&mut Config)) -> Stuck {
        let ensemble = Ensemble::stopped(3, change);
        for server in 0..2 {
            ensemble.start_server(server);
        }
        for server in 0..2 {
            ensemble.ready(server);
        }
        Stuck { ensemble, other: 1 }
    }

    /// From now on writes are in work and stay so.
    fn stop(&self) {
        self.ensemble.stop_server(self.other);
    }

    fn go_on(&self) {
        self.ensemble.start_server(self.other);
        self.ensemble.ready(self.other);
    }
}

fn one_in_work(config: &mut Config) {
    config.request_throttle.requests_max = NonZeroU32::new(1);
    config.request_throttle.stall_ms = 10;
    config.session_timeout_ms_max = 600_000;
}

fn patient() -> Hello {
    Hello {
        timeout_ms: 600_000,
        ..Hello::default()
    }
}

#[test]
fn requests_wait_while_too_many_are_in_work_and_are_carried_out_then() {
    let stuck = Stuck::start(one_in_work);
    let ensemble = &stuck.ensemble;
    let mut writer = ensemble.client_with(0, &patient());
    let mut reader = ensemble.client_with(0, &patient());
    stuck.stop();
    writer.send(op::CREATE, &request::create("/a", Some(b""), 0));
    until("the write is in work", || {
        ensemble
            .word(0, "mntr")
            .contains("zk_outstanding_requests\t1")
    });
    reader.send(op::EXISTS, &request::read("/", false));
    until("the read waits", || {
        counted(ensemble, "request_throttle_wait_count") > 2
    });
    stuck.go_on();
    assert_eq!(writer.reply().ok().text(), "/a");
    reader.reply().ok().stat();
    assert_eq!(counted(ensemble, "throttled_ops"), 0);
}

#[test]
fn a_request_that_waited_too_long_is_answered_throttled_in_its_turn() {
    let stuck = Stuck::start(|config| {
        one_in_work(config);
        config.request_throttle.throttled_op_wait_ms = NonZeroU32::new(1);
    });
    let ensemble = &stuck.ensemble;
    let mut writer = ensemble.client_with(0, &patient());
    let mut other = ensemble.client_with(0, &patient());
    stuck.stop();
    writer.send(op::CREATE, &request::create("/a", Some(b""), 0));
    until("the write is in work", || {
        ensemble
            .word(0, "mntr")
            .contains("zk_outstanding_requests\t1")
    });
    other.send_all(&[
        (op::CREATE, request::create("/b", Some(b""), 0)),
        (op::PING, Body::new()),
        (op::EXISTS, request::read("/a", false)),
    ]);
    until("they wait", || {
        counted(ensemble, "request_throttle_wait_count") > 2
    });
    stuck.go_on();
    assert_eq!(writer.reply().ok().text(), "/a");
    assert_eq!(other.reply().error(), code::THROTTLED_OP);
    assert_eq!(other.reply().err, 0, "a ping is spared");
    assert_eq!(other.reply().error(), code::THROTTLED_OP);
    assert_eq!(counted(ensemble, "throttled_ops"), 2);
    assert_eq!(other.stat("/b"), None, "not carried out");
}

#[test]
fn a_request_older_than_its_sessions_timeout_ends_its_connection() {
    let stuck = Stuck::start(|config| {
        one_in_work(config);
        config.request_throttle.stale_latency_check = true;
        // A connection outlives the quorum by a tick, so the request is stale before that.
        config.tick_ms = 6000;
        config.session_timeout_ms_min = 400;
    });
    let ensemble = &stuck.ensemble;
    let mut writer = ensemble.client_with(0, &patient());
    let mut brief = ensemble.client_with(
        0,
        &Hello {
            timeout_ms: 400,
            ..Hello::default()
        },
    );
    stuck.stop();
    writer.send(op::CREATE, &request::create("/a", Some(b""), 0));
    until("the write is in work", || {
        ensemble
            .word(0, "mntr")
            .contains("zk_outstanding_requests\t1")
    });
    brief.send(op::EXISTS, &request::read("/", false));
    assert!(brief.is_closed());
    assert_eq!(counted(ensemble, "stale_requests_dropped"), 1);
}

#[test]
fn a_large_request_without_room_closes_its_connection() {
    let stuck = Stuck::start(|config| {
        config.large_requests.threshold_bytes = Some(1000);
        config.large_requests.bytes_max = 5000;
    });
    let ensemble = &stuck.ensemble;
    let mut client = ensemble.client_with(0, &patient());
    client.create("/a", &[7; 4000]);
    client.create("/b", &[7; 4000]);
    let mut small = ensemble.client_with(0, &patient());
    stuck.stop();
    client.send(op::SET_DATA, &request::set_data("/a", Some(&[8; 4000]), -1));
    until("the write is in work", || {
        ensemble
            .word(0, "mntr")
            .contains("zk_outstanding_requests\t1")
    });
    small.send(op::EXISTS, &request::read("/a", false));
    small.reply().ok();
    small.send(op::SET_DATA, &request::set_data("/b", Some(&[8; 4000]), -1));
    assert!(small.is_closed());
    assert_eq!(counted(ensemble, "large_requests_rejected"), 1);
    stuck.go_on();
    client.reply().ok().stat();
    client.set("/b", &[9; 4000]);
}

#[test]
fn connections_are_taken_in_at_a_rate() {
    let ensemble = Ensemble::start(1, |config| {
        let throttle = &mut config.connection_throttle;
        throttle.tokens_max = NonZeroU32::new(6);
        throttle.fill_ms = 1_000_000_000;
        throttle.weight_enabled = true;
    });
    let first = ensemble.client(0);
    let connect = |hello: &Hello| Client::connect(ensemble.address(0), hello);
    // Three of six tokens are gone, two more go now.
    let again = connect(&first.hello()).unwrap();
    assert!(matches!(connect(&again.hello()), Err(Refused::Closed)));
    assert!(matches!(connect(&Hello::default()), Err(Refused::Closed)));
    assert_eq!(counted(&ensemble, "connection_rejected"), 2);
}

//! What operators see of a server that works: the words that list and reset, the digests, and that
//! every number of `mntr` is true.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use crate::support::{Ensemble, op, until};

fn mntr(ensemble: &Ensemble, server: usize) -> BTreeMap<String, String> {
    let text = ensemble.word(server, "mntr");
    let pairs = text.lines().map(|line| line.split_once('\t').unwrap());
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn number(ensemble: &Ensemble, key: &str) -> i64 {
    mntr(ensemble, 0)[&format!("zk_{key}")].parse().unwrap()
}

#[test]
fn watches_are_listed_by_connection_and_by_path() {
    let ensemble = Ensemble::start(1, |_| {});
    assert_eq!(
        ensemble.word(0, "wchs"),
        "0 connections watching 0 paths\nTotal watches:0\n"
    );
    let (mut a, mut b) = (ensemble.client(0), ensemble.client(0));
    a.create("/a", b"");
    a.create("/a/b", b"");
    for path in ["/a", "/a/b"] {
        a.watch(op::GET_DATA, path).ok();
    }
    b.watch(op::GET_DATA, "/a").ok();
    b.watch(op::EXISTS, "/none");
    b.watch(op::GET_CHILDREN, "/a").ok();
    let mut sessions = [a.session, b.session];
    sessions.sort_unstable();
    assert_eq!(
        ensemble.word(0, "wchs"),
        "2 connections watching 3 paths\nTotal watches:4\n"
    );
    let paths = |session| match session == a.session {
        true => "\t/a\n\t/a/b\n",
        false => "\t/a\n\t/none\n",
    };
    let by_session = sessions.map(|session| format!("0x{session:x}\n{}", paths(session)));
    assert_eq!(ensemble.word(0, "wchc"), by_session.concat() + "\n");
    // In the order of the connections.
    let by_path = format!(
        "/a\n\t0x{:x}\n\t0x{:x}\n/a/b\n\t0x{:x}\n/none\n\t0x{:x}\n\n",
        a.session, b.session, a.session, b.session
    );
    assert_eq!(ensemble.word(0, "wchp"), by_path);
}

#[test]
fn many_watches_are_listed_whole() {
    let ensemble = Ensemble::start(1, |_| {});
    let mut client = ensemble.client(0);
    for n in 0..2500 {
        client.add_watch(&format!("/{n:04}"), 0);
    }
    assert_eq!(
        ensemble.word(0, "wchs"),
        "1 connections watching 2500 paths\nTotal watches:2500\n"
    );
    assert_eq!(ensemble.word(0, "wchp").lines().count(), 2 * 2500 + 1);
}

#[test]
fn dump_lists_sessions_ephemerals_and_connections() {
    let ensemble = Ensemble::start(3, |_| {});
    let leader = ensemble.leader();
    let follower = (leader + 1) % 3;
    let mut client = ensemble.client(follower);
    client.create_mode("/e1", b"", 1);
    let session = format!("0x{:x}", client.session);
    let owned = format!("Sessions with Ephemerals (1):\n{session}:\n\t/e1\nConnections dump:\n");
    let here = ensemble.word(follower, "dump");
    let followed = format!(
        "SessionTracker dump:\nGlobal Sessions(1):\n{session}\t30000ms\nephemeral nodes dump:\n"
    );
    assert!(here.starts_with(&followed), "{here}");
    assert!(here.contains(&owned), "{here}");
    assert!(here.contains(&format!(" sessionId: {session}\n")), "{here}");
    assert!(
        here.contains(" sessionId: 0x0\n"),
        "who asks is one, too: {here}"
    );
    until("the leader has a deadline for the session", || {
        let there = ensemble.word(leader, "dump");
        let begun = there.starts_with("SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at ");
        begun && there.contains(&format!(":\n\t{session}\n")) && there.contains(&owned)
    });
}

#[test]
fn dirs_tells_how_much_is_on_disk() {
    let ensemble = Ensemble::start(1, |_| {});
    let dirs = ensemble.word(0, "dirs");
    let sizes = dirs.lines().map(|line| line.split_once(": ").unwrap());
    let sizes = sizes.map(|(key, bytes)| (key, bytes.parse::<u64>().unwrap() > 0));
    let want = [("datadir_size", true), ("logdir_size", true)];
    assert_eq!(sizes.collect::<Vec<_>>(), want);
}

#[test]
fn digests_are_kept_at_every_128th_zxid_and_are_equal_everywhere() {
    let ensemble = Ensemble::start(3, |_| {});
    let mut client = ensemble.client(0);
    for n in 0..300 {
        client.create(&format!("/{n}"), b"x");
        // Failed requests take a zxid, too.
        client.error(op::DELETE, &crate::support::request::versioned("/none", -1));
    }
    let hash = ensemble.word(0, "hash");
    let zxids = hash.lines().map(|line| {
        let (zxid, digest) = line.split_once(": ").unwrap();
        assert!(digest.parse::<u64>().is_ok(), "{line}");
        i64::from_str_radix(zxid, 16).unwrap()
    });
    let zxids = zxids.collect::<Vec<_>>();
    assert!(zxids.len() >= 4, "{hash}");
    assert!(zxids.iter().all(|zxid| zxid % 128 == 0), "{hash}");
    for server in 0..3 {
        until("every server has the same digests", || {
            ensemble.word(server, "hash") == hash
        });
    }
}

#[test]
fn the_trace_mask_is_kept_and_shown() {
    let ensemble = Ensemble::start(1, |_| {});
    assert_eq!(ensemble.word(0, "gtmk"), "306");
    let mut stream = crate::support::open(ensemble.address(0));
    stream.write_all(b"stmk\0\0\0\0").unwrap();
    stream.write_all(&[0, 0, 1, 0]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "256");
    assert_eq!(ensemble.word(0, "gtmk"), "256");
}

#[test]
fn crst_resets_connections_and_srst_the_server() {
    let ensemble = Ensemble::start(1, |_| {});
    let mut client = ensemble.client(0);
    client.create("/a", b"abc");
    client.get("/a");
    assert_eq!(ensemble.word(0, "crst"), "Connection stats reset.\n");
    let cons = ensemble.word(0, "cons");
    let line = cons.lines().find(|line| line.contains(",sid=")).unwrap();
    assert!(line.contains("recved=0,sent=0,sid="), "{line}");
    assert!(line.contains(",lop=NA,"), "{line}");
    assert!(!line.contains(",lcxid="), "{line}");
    assert!(
        line.ends_with(",lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)"),
        "{line}"
    );
    assert_eq!(number(&ensemble, "packets_received"), 3);
    assert_eq!(number(&ensemble, "cnt_updatelatency"), 1);
    assert_eq!(ensemble.word(0, "srst"), "Server stats reset.\n");
    for key in [
        "packets_received",
        "packets_sent",
        "cnt_updatelatency",
        "bytes_received_count",
        "op_count_total",
        "max_latency",
    ] {
        assert_eq!(number(&ensemble, key), 0, "{key}");
    }
    assert_eq!(number(&ensemble, "last_client_response_size"), -1);
    assert_eq!(number(&ensemble, "znode_count"), 6, "gauges stay");
    client.get("/a");
    assert_eq!(number(&ensemble, "packets_received"), 1);
    assert_eq!(number(&ensemble, "cnt_readlatency"), 1);
}

#[test]
fn what_a_client_did_is_counted_once_and_under_the_right_name() {
    let ensemble = Ensemble::start(1, |config| config.enforce_quota = true);
    let mut client = ensemble.client(0);
    client.create("/a", b"12345");
    client.create("/a/b", b"");
    for _ in 0..3 {
        client.watch(op::GET_DATA, "/a").ok();
    }
    client.children("/a");
    client.stat("/a");
    let mut other = ensemble.client(0);
    other.watch(op::GET_DATA, "/a").ok();
    client.set("/a", b"1");
    client.event();
    other.event();
    client.error(op::DELETE, &crate::support::request::versioned("/none", -1));
    for (key, want) in [
        ("op_count_create", 2),
        ("op_count_create_session", 2),
        ("op_count_get_data", 4),
        ("op_count_get_children", 1),
        ("op_count_exists", 1),
        ("op_count_set_data", 1),
        ("op_count_delete", 1),
        ("op_count_total", 12),
        ("cnt_updatelatency", 4),
        ("cnt_readlatency", 6),
        // Path, metadata, data: as Apache ZooKeeper 3.8.0 counts them.
        ("cnt_a_read_per_namespace", 6),
        ("sum_a_read_per_namespace", 4 * 75 + (2 + 68 + 1) + (2 + 68)),
        ("cnt_a_write_per_namespace", 3),
        ("sum_a_write_per_namespace", 7 + 4 + 3),
        ("cnt_node_changed_watch_count", 1),
        ("sum_node_changed_watch_count", 2),
        ("connection_request_count", 2),
        ("connection_revalidate_count", 0),
        ("ttl_node_created_count", 0),
    ] {
        assert_eq!(number(&ensemble, key), want, "{key}");
    }
    for key in ["watch_bytes", "response_bytes", "bytes_received_count"] {
        assert!(number(&ensemble, key) > 0, "{key}");
    }
    // Every write was flushed, though several may share a flush.
    assert!(number(&ensemble, "cnt_fsynctime") > 0);
    assert_eq!(number(&ensemble, "cnt_propagation_latency"), 6);
}

#[test]
fn quotas_are_shown_by_namespace() {
    let ensemble = Ensemble::start(1, |config| config.enforce_quota = true);
    let mut client = ensemble.client(0);
    client.create("/q", b"abc");
    client.create("/zookeeper/quota/q", b"");
    let limits = b"count=1,bytes=-1=;byteHardLimit=10;countHardLimit=2";
    client.create("/zookeeper/quota/q/zookeeper_limits", limits);
    client.create("/zookeeper/quota/q/zookeeper_stats", b"");
    client.create("/q/1", b"");
    let create = crate::support::request::create("/q/2", Some(b""), 0);
    assert_eq!(client.error(op::CREATE, &create), -125);
    for (key, want) in [
        ("q_quota_count_limit_per_namespace", 2),
        ("q_quota_bytes_limit_per_namespace", 10),
        ("q_quota_count_usage_per_namespace", 2),
        ("q_quota_bytes_usage_per_namespace", 3),
        ("q_quota_exceeded_error_per_namespace", 1),
    ] {
        assert_eq!(number(&ensemble, key), want, "{key}");
    }
}

#[test]
fn an_election_and_proposals_are_measured() {
    let ensemble = Ensemble::start(3, |_| {});
    let leader = ensemble.leader();
    ensemble.client(leader).create("/a", b"");
    let all = mntr(&ensemble, leader);
    let number = |key: &str| all[&format!("zk_{key}")].parse::<i64>().unwrap();
    for key in [
        "proposal_count",
        "commit_count",
        "cnt_proposal_latency",
        "last_proposal_size",
        "looking_count",
        "cnt_election_time",
        "cnt_leader_unavailable_time",
    ] {
        assert!(number(key) > 0, "{key}");
    }
    assert_eq!(number("learners"), 2);
    assert_eq!(number("quorum_size"), 3);
    let follower = mntr(&ensemble, (leader + 1) % 3);
    assert!(!follower.contains_key("zk_learners"));
    assert_eq!(follower["zk_proposal_count"], "0");
    assert_eq!(follower["zk_cnt_follower_sync_time"], "1");
}

#[test]
fn names_of_watches_of_a_closed_connection_are_gone() {
    let ensemble = Ensemble::start(1, |_| {});
    let mut client = ensemble.client(0);
    client.add_watch("/a", 0);
    client.close();
    until("the connection is gone", || {
        ensemble.word(0, "wchp") == "\n"
    });
}

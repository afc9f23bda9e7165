//! Every answer, compared with what ZooKeeper 3.8.0 printed in the same situation.
//!
//! Differences on purpose: the version; `mntr` in a fixed order (theirs is a hash map's) and
//! without the keys of TLS and of Java's pipeline, of which `docs/compatibility.md` has a list; `envi` with the `jvm.memory.*` keys of the
//! reference, which 3.8.0 calls `os.memory.*`; a follower's `zk_synced_observers`, which 3.8.0
//! prints on a leader only; no `zk_observer_master_id`, since observers follow the leader here.

use super::listing::{Bucket, Dump, Tracked, Watched, dirs, dump, hash, wchc, wchp, wchs};
use super::metrics::{Monitor, Phase, mntr};
use super::report::{
    ConnectionSession, ConnectionStatus, Environment, Interest, Mode, RUOK, RunningFacts,
    ServerStatus, Serving, Sizes, Summary, conf, cons, envi, isro, srvr, stat,
};
use super::{NOT_SERVING, Word, WordList, ZOOKEEPER_VERSION};
use crate::metrics::{Number, Observed, Quantiles, Sample, Value};
use crate::proto::{SessionId, Zxid};
use crate::server::config::{Config, Overrides, Sources, SystemProperties, TextFile, resolve};

fn status(mode: Mode) -> ServerStatus {
    ServerStatus {
        mode,
        latency_ms: Summary {
            count: 1,
            sum: 13,
            min: 13,
            max: 13,
        },
        packets_received: 4,
        packets_sent: 3,
        connections: 3,
        outstanding_requests: 0,
        last_zxid: 1,
        znode_count: 5,
        proposal_sizes: None,
    }
}

fn connection(port: u16, interest: Interest) -> ConnectionStatus {
    let peer = ([127, 0, 0, 1], port).into();
    ConnectionStatus {
        peer,
        interest,
        queued: 0,
        received: 1,
        sent: 1,
        is_secure: false,
        session: None,
    }
}

/// The session that created an ephemeral and read it.
fn session() -> ConnectionSession {
    ConnectionSession {
        id: 0x0100_000b_7a75_0001,
        last_operation: "GETD",
        established_ms: 1_795_341_558_895,
        timeout_ms: 5_000,
        last_cxid: Some(2),
        last_zxid: Some(4),
        last_response_ms: 783_413,
        last_latency_ms: 1,
        latency_ms: Summary {
            count: 4,
            sum: 9,
            min: 0,
            max: 7,
        },
    }
}

#[test]
fn srvr_is_zookeepers() {
    let head = format!("Zookeeper version: {ZOOKEEPER_VERSION}\n");
    let counters = "Latency min/avg/max: 13/13.0/13\nReceived: 4\nSent: 3\nConnections: 3\n\
                    Outstanding: 0\nZxid: 0x1\n";
    let alone = srvr(&status(Mode::Standalone));
    assert_eq!(
        alone,
        format!("{head}{counters}Mode: standalone\nNode count: 5\n")
    );
    let read_only = "READ-ONLY mode; serving only read-only clients\n";
    assert_eq!(
        srvr(&status(Mode::ReadOnly)),
        format!("{head}{read_only}{counters}Mode: read-only\nNode count: 5\n")
    );
    let proposal_sizes = Some(Sizes::default());
    assert_eq!(
        srvr(&ServerStatus {
            proposal_sizes,
            ..status(Mode::Leader)
        }),
        format!(
            "{head}{counters}Mode: leader\nNode count: 5\n\
             Proposal sizes last/min/max: -1/-1/-1\n"
        )
    );
    let proposal_sizes = Some(Sizes {
        last: Some(40),
        min: Some(32),
        max: Some(90),
    });
    assert!(
        srvr(&ServerStatus {
            proposal_sizes,
            ..status(Mode::Leader)
        })
        .ends_with("Proposal sizes last/min/max: 40/32/90\n")
    );
}

#[test]
fn stat_lists_the_connections_in_brief() {
    let asking = ConnectionStatus {
        received: 1,
        sent: 0,
        ..connection(33_520, Interest::Nothing)
    };
    let connections = [connection(33_482, Interest::Read), asking];
    assert_eq!(
        stat(&status(Mode::Standalone), &connections),
        format!(
            "Zookeeper version: {ZOOKEEPER_VERSION}\nClients:\n \
             /127.0.0.1:33482[1](queued=0,recved=1,sent=1)\n \
             /127.0.0.1:33520[0](queued=0,recved=1,sent=0)\n\n\
             Latency min/avg/max: 13/13.0/13\nReceived: 4\nSent: 3\nConnections: 3\n\
             Outstanding: 0\nZxid: 0x1\nMode: standalone\nNode count: 5\n"
        )
    );
}

#[test]
fn cons_lists_the_connections_in_full() {
    let first = ConnectionStatus {
        received: 4,
        sent: 4,
        session: Some(session()),
        ..connection(39_836, Interest::Read)
    };
    let second = connection(39_838, Interest::ReadWrite);
    assert_eq!(
        cons(&[first, second]),
        " /127.0.0.1:39836[1](queued=0,recved=4,sent=4,sid=0x100000b7a750001,lop=GETD,\
         est=1795341558895,to=5000,lcxid=0x2,lzxid=0x4,lresp=783413,llat=1,minlat=0,avglat=2,\
         maxlat=7)\n /127.0.0.1:39838[5](queued=0,recved=1,sent=1)\n\n"
    );
    assert_eq!(cons(&[]), "\n");
}

#[test]
fn a_connection_before_its_first_reply_has_no_cxid_and_a_zxid_of_minus_one() {
    let session = ConnectionSession {
        last_cxid: None,
        last_zxid: None,
        ..session()
    };
    let peer = "[::1]:39836".parse().expect("an address and a port");
    let fresh = ConnectionStatus {
        peer,
        session: Some(session),
        ..connection(1, Interest::Write)
    };
    let line = cons(&[fresh]);
    assert!(
        line.starts_with(" /[0:0:0:0:0:0:0:1]:39836[4](queued=0,"),
        "{line}"
    );
    assert!(
        line.contains(",to=5000,lzxid=0xffffffffffffffff,lresp="),
        "{line}"
    );
}

#[test]
fn ruok_isro_and_the_answer_of_a_server_that_does_not_serve_are_zookeepers() {
    assert_eq!(RUOK, "imok");
    assert_eq!(
        [Serving::ReadWrite, Serving::ReadOnly, Serving::Nothing].map(isro),
        ["rw", "ro", "null"]
    );
    assert_eq!(
        NOT_SERVING,
        "This ZooKeeper instance is not currently serving requests\n"
    );
    let without: Vec<_> = Word::ALL
        .into_iter()
        .filter(|w| !w.needs_serving_server())
        .map(Word::as_str)
        .collect();
    assert_eq!(without, ["envi", "gtmk", "isro", "ruok", "stmk"]);
}

#[test]
fn averages_are_rounded_to_four_places() {
    let line = |count, sum| {
        let latency_ms = Summary {
            count,
            sum,
            min: 0,
            max: 9,
        };
        let text = srvr(&ServerStatus {
            latency_ms,
            ..status(Mode::Standalone)
        });
        let line = text
            .lines()
            .nth(1)
            .expect("the second line is the latency")
            .to_owned();
        line.trim_start_matches("Latency min/avg/max: 0/")
            .trim_end_matches("/9")
            .to_owned()
    };
    for ((count, sum), want) in [
        ((0, 0), "0.0"),
        ((1, 13), "13.0"),
        ((2, 3), "1.5"),
        ((3, 1), "0.3333"),
        ((3, 2), "0.6667"),
        ((20_000, 1), "0.0001"),
        ((3, 3_000_000_000_000), "1000000000000.0"),
        ((u64::MAX, u64::MAX), "1.0"),
    ] {
        assert_eq!(line(count, sum), want, "{sum}/{count}");
    }
}

fn config(text: &str, my_id: &str) -> Config {
    let file = |name: &str, text: &str| {
        Some(TextFile {
            name: name.to_owned(),
            text: text.to_owned(),
        })
    };
    let sources = Sources {
        cfg: file("zoo.cfg", text),
        dynamic: None,
        my_id: file("myid", my_id),
        jaas: None,
        properties: SystemProperties::default(),
        overrides: Overrides::default(),
    };
    resolve(&sources)
        .expect("these files ran with ZooKeeper 3.8.0")
        .config
}

fn facts(dir: &str, client_port: u16) -> RunningFacts {
    RunningFacts {
        client_port: Some(client_port),
        secure_client_port: None,
        data_dir: dir.into(),
        data_dir_bytes: 1_186,
        log_dir: dir.into(),
        log_dir_bytes: 1_186,
        membership_version: 0,
    }
}

#[test]
fn conf_of_a_single_server_is_zookeepers() {
    let cfg = "tickTime=2000\ndataDir=/data\nclientPort=29181\nclientPortAddress=127.0.0.1\n";
    assert_eq!(
        conf(&config(cfg, "1"), &facts("/data/version-2", 29_181)),
        "clientPort=29181\nsecureClientPort=-1\ndataDir=/data/version-2\ndataDirSize=1186\n\
         dataLogDir=/data/version-2\ndataLogSize=1186\ntickTime=2000\nmaxClientCnxns=60\n\
         minSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\n\
         serverId=0\n"
    );
}

#[test]
fn conf_of_an_ensemble_ends_with_the_membership() {
    let cfg = "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/data\nclientPort=29184\n\
               clientPortAddress=127.0.0.1\npeerType=observer\n\
               server.1=127.0.0.1:29211:29311\nserver.2=127.0.0.1:29212:29312\n\
               server.3=127.0.0.1:29213:29313:observer\n";
    assert_eq!(
        conf(&config(cfg, "3"), &facts("/data/version-2", 29_184)),
        "clientPort=29184\nsecureClientPort=-1\ndataDir=/data/version-2\ndataDirSize=1186\n\
         dataLogDir=/data/version-2\ndataLogSize=1186\ntickTime=2000\nmaxClientCnxns=60\n\
         minSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\n\
         serverId=3\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=29313\n\
         quorumPort=29213\npeerType=1\nmembership: \n\
         server.1=127.0.0.1:29211:29311:participant\n\
         server.2=127.0.0.1:29212:29312:participant\n\
         server.3=127.0.0.1:29213:29313:observer\nversion=0"
    );
}

#[test]
fn envi_has_zookeepers_keys_in_their_order() {
    let environment = Environment {
        host_name: Some("localhost".to_owned()),
        os_name: Some("Linux".to_owned()),
        memory_free_mb: Some(115),
        ..Environment::default()
    };
    assert_eq!(
        envi(&environment),
        format!(
            "Environment:\nzookeeper.version={ZOOKEEPER_VERSION}\nhost.name=localhost\n\
             java.version=<NA>\njava.vendor=<NA>\njava.home=<NA>\njava.class.path=<NA>\n\
             java.library.path=<NA>\njava.io.tmpdir=<NA>\njava.compiler=<NA>\nos.name=Linux\n\
             os.arch=<NA>\nos.version=<NA>\nuser.name=<NA>\nuser.home=<NA>\nuser.dir=<NA>\n\
             jvm.memory.free=115MB\njvm.memory.max=<NA>\njvm.memory.total=<NA>\n"
        )
    );
}

fn monitor(mode: Mode, phase: Option<Phase>, samples: Vec<Sample>) -> String {
    mntr(&Monitor {
        mode,
        phase,
        samples,
    })
}

#[test]
fn mntr_begins_with_version_and_state() {
    assert_eq!(
        monitor(Mode::Standalone, None, Vec::new()),
        format!("zk_version\t{ZOOKEEPER_VERSION}\nzk_server_state\tstandalone\n")
    );
}

#[test]
fn mntr_names_what_a_member_is_doing_as_zookeeper_does() {
    for (mode, phase, want) in [
        (Mode::Follower, Phase::Broadcasting, "following - broadcast"),
        (
            Mode::Follower,
            Phase::Synchronizing,
            "following - synchronization",
        ),
        (Mode::Follower, Phase::Looking, "looking - election"),
        (Mode::Observer, Phase::Broadcasting, "observing - broadcast"),
        (
            Mode::Observer,
            Phase::Synchronizing,
            "observing - synchronization",
        ),
        (Mode::Leader, Phase::Broadcasting, "leading - broadcast"),
    ] {
        let text = monitor(mode, Some(phase), Vec::new());
        assert!(
            text.ends_with(&format!("zk_server_state\t{mode}\nzk_peer_state\t{want}\n")),
            "{text}"
        );
    }
}

#[test]
fn mntr_prints_each_kind_of_metric_as_zookeepers_own_provider_does() {
    let observed = Observed {
        count: 3,
        sum: 10_500,
        min: 500,
        max: 8_000,
        scale: 1000,
    };
    let quantiles = Quantiles {
        p50: 2_000,
        p90: 7_000,
        p95: 7_500,
        p99: 8_000,
        p999: 8_000,
        scale: 1000,
    };
    let samples = vec![
        Sample::new("avg_latency", Value::Gauge(Number::Decimal(3.0))),
        Sample::new("min_proposal_size", Value::Gauge(Number::Whole(-1))),
        Sample::new("commit_count", Value::Counter(7)),
        Sample::new("fsynctime", Value::Summary(observed, quantiles)),
        Sample::new("readlatency", Value::Detailed(observed, quantiles)),
        Sample::new(
            "quota_count_limit_per_namespace",
            Value::Gauge(Number::Whole(9)),
        )
        .keyed("q".to_owned()),
    ];
    let text = monitor(Mode::Standalone, None, samples);
    let (_, text) = text.split_once("standalone\n").expect("the state");
    assert_eq!(
        text,
        "zk_avg_latency\t3.0\nzk_min_proposal_size\t-1\nzk_commit_count\t7\n\
         zk_avg_fsynctime\t3.5\nzk_min_fsynctime\t0\nzk_max_fsynctime\t8\n\
         zk_cnt_fsynctime\t3\nzk_sum_fsynctime\t10\n\
         zk_avg_readlatency\t3.5\nzk_min_readlatency\t0\nzk_max_readlatency\t8\n\
         zk_cnt_readlatency\t3\nzk_sum_readlatency\t10\nzk_p50_readlatency\t2\n\
         zk_p95_readlatency\t7\nzk_p99_readlatency\t8\nzk_p999_readlatency\t8\n\
         zk_q_quota_count_limit_per_namespace\t9\n"
    );
}

const A: SessionId = SessionId(0x0100_018d_93b5_0000);
const B: SessionId = SessionId(0x0100_018d_93b5_0001);
/// Sun Nov 22 17:01:09 UTC 2026
const END_MS: i64 = 1_795_366_869_000;

fn ephemerals() -> Vec<(SessionId, Vec<String>)> {
    let paths = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
    vec![(A, paths(&["/a/e1", "/e2"])), (B, paths(&["/e3"]))]
}

#[test]
fn dump_of_a_server_alone_is_zookeepers() {
    let bucket = |later_ms: i64, members| Bucket {
        at_ms: 26_094_000 + later_ms.unsigned_abs(),
        at_wall_ms: END_MS + later_ms,
        members,
    };
    let peer = |port| ([127, 0, 0, 1], port).into();
    let connections = vec![Bucket {
        at_ms: 0,
        at_wall_ms: END_MS + 6_000,
        members: vec![(peer(36_616), A), (peer(36_700), SessionId(0))],
    }];
    let sessions = Tracked::Expiring(vec![bucket(0, vec![A]), bucket(10_000, vec![B])]);
    assert_eq!(
        dump(&Dump {
            local: None,
            sessions,
            ephemerals: ephemerals(),
            connections,
        }),
        "SessionTracker dump:\nSession Sets (2)/(2):\n\
         1 expire at Sun Nov 22 17:01:09 UTC 2026:\n\t0x100018d93b50000\n\
         1 expire at Sun Nov 22 17:01:19 UTC 2026:\n\t0x100018d93b50001\n\
         ephemeral nodes dump:\nSessions with Ephemerals (2):\n\
         0x100018d93b50000:\n\t/a/e1\n\t/e2\n0x100018d93b50001:\n\t/e3\n\
         Connections dump:\nConnections Sets (1)/(2):\n\
         2 expire at Sun Nov 22 17:01:15 UTC 2026:\n\
         \tip: /127.0.0.1:36616 sessionId: 0x100018d93b50000\n\
         \tip: /127.0.0.1:36700 sessionId: 0x0\n"
    );
}

#[test]
fn dump_of_a_follower_shows_timeouts() {
    let dumped = dump(&Dump {
        local: None,
        sessions: Tracked::Followed(vec![(A, 10_000)]),
        ephemerals: Vec::new(),
        connections: Vec::new(),
    });
    assert_eq!(
        dumped,
        "SessionTracker dump:\nGlobal Sessions(1):\n0x100018d93b50000\t10000ms\n\
         ephemeral nodes dump:\nSessions with Ephemerals (0):\n\
         Connections dump:\nConnections Sets (0)/(0):\n"
    );
}

#[test]
fn dump_tells_local_sessions_where_there_may_be_such() {
    let bucket = |members| Bucket {
        at_ms: 0,
        at_wall_ms: END_MS,
        members,
    };
    let dumped = |sessions| {
        dump(&Dump {
            local: Some(vec![bucket(vec![A])]),
            sessions,
            ephemerals: Vec::new(),
            connections: Vec::new(),
        })
    };
    let local = "SessionTracker dump:\nLocal Session Sets (1)/(1):\n\
                 1 expire at Sun Nov 22 17:01:09 UTC 2026:\n\t0x100018d93b50000\n";
    let leader = dumped(Tracked::Expiring(vec![bucket(vec![B])]));
    let global = "Global Session Sets (1)/(1):\n\
                  1 expire at Sun Nov 22 17:01:09 UTC 2026:\n\t0x100018d93b50001\n";
    assert!(
        leader.starts_with(&format!("{local}{global}ephemeral")),
        "{leader}"
    );
    let follower = dumped(Tracked::Followed(vec![(B, 4_000)]));
    let global = "Global Sessions(1):\n0x100018d93b50001\t4000ms\n";
    assert!(
        follower.starts_with(&format!("{local}{global}ephemeral")),
        "{follower}"
    );
}

#[test]
fn watches_are_listed_as_zookeeper_lists_them() {
    let watch = |path: &str, sessions: &[SessionId]| (path.to_owned(), sessions.to_vec());
    let watched = Watched {
        by_path: vec![
            watch("/a", &[A, B]),
            watch("/a/b", &[A]),
            watch("/none", &[B]),
        ],
    };
    assert_eq!(
        wchs(watched.counts()),
        "2 connections watching 3 paths\nTotal watches:4\n"
    );
    assert_eq!(
        wchc(&watched),
        "0x100018d93b50000\n\t/a\n\t/a/b\n0x100018d93b50001\n\t/a\n\t/none\n\n"
    );
    assert_eq!(
        wchp(&watched),
        "/a\n\t0x100018d93b50000\n\t0x100018d93b50001\n\
         /a/b\n\t0x100018d93b50000\n/none\n\t0x100018d93b50001\n\n"
    );
    let nothing = Watched::default();
    assert_eq!((wchc(&nothing), wchp(&nothing)), ("\n".into(), "\n".into()));
}

#[test]
fn directories_and_digests_are_zookeepers() {
    assert_eq!(dirs(7, 9), "datadir_size: 7\nlogdir_size: 9\n");
    let digests = [(Zxid(0x80), 1_371_985_504), (Zxid(0x1_0000_0000), u64::MAX)];
    assert_eq!(
        hash(&digests),
        "80: 1371985504\n100000000: 18446744073709551615\n"
    );
}

#[test]
fn every_word_is_found_by_its_bytes_and_nothing_else_is() {
    for word in Word::ALL {
        let bytes = word
            .as_str()
            .as_bytes()
            .try_into()
            .expect("words have four letters");
        assert_eq!(Word::from_bytes(bytes), Some(word));
    }
    for frame in [[0, 0, 0, 44], *b"RUOK", *b"quit", [0xff, 0xf4, 0xff, 0xfd]] {
        assert_eq!(Word::from_bytes(frame), None);
    }
}

#[test]
fn the_list_of_words_is_the_operators_plus_what_tools_need() {
    let allowed = |list: &WordList, read_only| -> String {
        let words = Word::ALL
            .into_iter()
            .filter(|word| list.allows(*word, read_only));
        words.map(Word::as_str).collect::<Vec<_>>().join(" ")
    };
    let all = Word::ALL.map(Word::as_str).join(" ");
    for (text, read_only, want) in [
        ("", false, "srvr"),
        ("", true, "isro srvr"),
        ("mntr,ruok", false, "mntr ruok srvr"),
        (" mntr , , stat ", false, "mntr srvr stat"),
        ("mntr, *", false, &all),
        ("*", true, &all),
    ] {
        let (list, unknown) = WordList::parse(text);
        assert_eq!(
            (allowed(&list, read_only).as_str(), unknown.len()),
            (want, 0),
            "{text:?}"
        );
    }
    assert_eq!(WordList::parse("ruok,abcd, icfg").1, ["abcd", "icfg"]);
}

#[test]
fn a_refused_word_gets_zookeepers_answer() {
    assert_eq!(
        Word::Mntr.refusal(),
        "mntr is not executed because it is not in the whitelist.\n"
    );
}

#[test]
fn tools_find_major_and_minor_in_the_version() {
    let numbers: Vec<_> = ZOOKEEPER_VERSION.splitn(3, '.').take(2).collect();
    assert_eq!(numbers, ["3", "9"]);
}

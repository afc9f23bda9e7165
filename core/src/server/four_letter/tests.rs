//! Every answer, compared with what ZooKeeper 3.8.0 printed in the same situation.
//!
//! Differences on purpose: the version; `mntr` in a fixed order (theirs is a hash map's) and
//! without the keys of TLS and of Java's pipeline; `envi` with the `jvm.memory.*` keys of the
//! reference, which 3.8.0 calls `os.memory.*`; a follower's `zk_synced_observers`, which 3.8.0
//! prints on a leader only; no `zk_observer_master_id`, since observers follow the leader here.

use super::metrics::{LeaderMetrics, Metrics, PeerMetrics, Percentiles, Phase, mntr};
use super::report::{
    ConnectionSession, ConnectionStatus, Environment, Interest, Mode, ProposalSizes, RUOK,
    RunningFacts, ServerStatus, Serving, Summary, conf, cons, envi, isro, srvr, stat,
};
use super::{NOT_SERVING, Word, WordList, ZOOKEEPER_VERSION};
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
    let proposal_sizes = Some(ProposalSizes::default());
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
    let proposal_sizes = Some(ProposalSizes {
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
        client_port,
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

/// The keys that 3.8.0 prints on a single server, but those of TLS.
const GAUGES: [&str; 21] = [
    "ephemerals_count",
    "num_alive_connections",
    "avg_latency",
    "min_latency",
    "max_latency",
    "outstanding_requests",
    "znode_count",
    "watch_count",
    "approximate_data_size",
    "packets_received",
    "packets_sent",
    "open_file_descriptor_count",
    "max_file_descriptor_count",
    "global_sessions",
    "local_sessions",
    "uptime",
    "connection_drop_probability",
    "auth_failed_count",
    "last_client_response_size",
    "min_client_response_size",
    "max_client_response_size",
];

fn keys(text: &str) -> Vec<&str> {
    text.lines()
        .map(|line| line.split_once('\t').expect("key, tabulator, value").0)
        .map(|key| key.strip_prefix("zk_").expect("every key begins with zk_"))
        .collect()
}

#[test]
fn mntr_of_a_single_server_has_zookeepers_keys_and_values() {
    let text = mntr(
        &status(Mode::Standalone),
        &Metrics {
            uptime_ms: 7_372,
            ..Metrics::default()
        },
    );
    let want: Vec<_> = ["version", "server_state"]
        .into_iter()
        .chain(GAUGES)
        .collect();
    assert_eq!(keys(&text), want);
    for line in [
        format!("zk_version\t{ZOOKEEPER_VERSION}").as_str(),
        "zk_server_state\tstandalone",
        "zk_avg_latency\t13.0",
        "zk_min_latency\t13",
        "zk_num_alive_connections\t3",
        "zk_connection_drop_probability\t0.0",
        "zk_last_client_response_size\t-1",
        "zk_uptime\t7372",
    ] {
        assert!(
            text.lines().any(|got| got == line),
            "{line} is not in\n{text}"
        );
    }
    assert!(text.ends_with('\n'));
}

#[test]
fn mntr_of_an_ensemble_tells_its_state_and_what_the_leader_sees() {
    let peer = PeerMetrics {
        quorum_size: 2,
        synced_observers: 1,
        phase: Phase::Broadcasting,
    };
    let leader = LeaderMetrics {
        learners: 2,
        synced_followers: 1,
        ..LeaderMetrics::default()
    };
    let metrics = Metrics {
        peer: Some(peer),
        leader: Some(leader),
        ..Metrics::default()
    };
    let proposal_sizes = Some(ProposalSizes::default());
    let text = mntr(
        &ServerStatus {
            proposal_sizes,
            ..status(Mode::Leader)
        },
        &metrics,
    );
    assert_eq!(
        keys(&text)[3 + GAUGES.len()..],
        [
            "quorum_size",
            "synced_observers",
            "learners",
            "synced_followers",
            "synced_non_voting_followers",
            "pending_syncs",
            "leader_uptime",
            "last_proposal_size",
            "min_proposal_size",
            "max_proposal_size",
        ]
    );
    assert!(text.contains("zk_server_state\tleader\nzk_peer_state\tleading - broadcast\n"));
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
        (
            Mode::Leader,
            Phase::Synchronizing,
            "leading - synchronization",
        ),
    ] {
        let peer = Some(PeerMetrics {
            quorum_size: 2,
            synced_observers: 1,
            phase,
        });
        let text = mntr(
            &status(mode),
            &Metrics {
                peer,
                ..Metrics::default()
            },
        );
        assert!(text.contains(&format!("zk_peer_state\t{want}\n")), "{text}");
    }
}

#[test]
fn mntr_prints_counters_and_measurements_under_zookeepers_names() {
    let summary = Summary {
        count: 1,
        sum: 3,
        min: 3,
        max: 3,
    };
    let percentiles = Percentiles {
        p50: 1,
        p95: 2,
        p99: 3,
        p999: 4,
    };
    let metrics = Metrics {
        counters: vec![("commit_count", 7)],
        summaries: vec![("fsynctime", summary)],
        detailed: vec![("readlatency", summary, percentiles)],
        ..Metrics::default()
    };
    let text = mntr(&status(Mode::Standalone), &metrics);
    assert!(text.ends_with(
        "zk_commit_count\t7\nzk_avg_fsynctime\t3.0\nzk_min_fsynctime\t3\n\
         zk_max_fsynctime\t3\nzk_cnt_fsynctime\t1\nzk_sum_fsynctime\t3\n\
         zk_avg_readlatency\t3.0\nzk_min_readlatency\t3\nzk_max_readlatency\t3\n\
         zk_cnt_readlatency\t1\nzk_sum_readlatency\t3\nzk_p50_readlatency\t1\n\
         zk_p95_readlatency\t2\nzk_p99_readlatency\t3\nzk_p999_readlatency\t4\n"
    ));
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

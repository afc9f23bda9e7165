//! Four-letter words: what an operator types into a bare connection, and what scripts parse.

use std::collections::BTreeMap;

use zoowarden::server::four_letter::WordList;

use crate::support::{Ensemble, mode, on_one_and_three, op, request, until};

on_one_and_three!(
    ruok_and_isro_answer_without_a_newline,
    srvr_has_its_lines_in_order,
    stat_lists_clients_before_the_summary,
    cons_tells_of_every_connection,
    conf_tells_the_settings,
    envi_tells_the_surroundings,
    mntr_is_keys_tabs_and_values,
    one_server_leads_and_the_others_follow,
    an_unknown_word_is_the_length_of_a_frame,
    a_word_may_come_in_pieces_and_with_more_behind_it,
);

fn ruok_and_isro_answer_without_a_newline(ensemble: &Ensemble) {
    for server in 0..ensemble.len() {
        assert_eq!(ensemble.word(server, "ruok"), "imok");
        assert_eq!(ensemble.word(server, "isro"), "rw");
    }
}

fn keys(text: &str) -> Vec<&str> {
    text.lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect()
}

const SRVR: [&str; 8] = [
    "Zookeeper version",
    "Latency min/avg/max",
    "Received",
    "Sent",
    "Connections",
    "Outstanding",
    "Zxid",
    "Mode",
];

fn srvr_has_its_lines_in_order(ensemble: &Ensemble) {
    for server in 0..ensemble.len() {
        let srvr = ensemble.word(server, "srvr");
        assert!(srvr.starts_with("Zookeeper version: 3."), "{srvr}");
        let found = keys(&srvr);
        assert_eq!(found[..8], SRVR);
        assert_eq!(found[8], "Node count");
        assert!(srvr.contains("\nZxid: 0x"), "{srvr}");
        let leads = srvr.contains("Mode: leader");
        assert_eq!(
            found
                .get(9)
                .is_some_and(|key| *key == "Proposal sizes last/min/max"),
            leads
        );
        assert!(srvr.ends_with('\n'));
    }
}

fn stat_lists_clients_before_the_summary(ensemble: &Ensemble) {
    let _client = ensemble.client(0);
    let stat = ensemble.word(0, "stat");
    let (head, summary) = stat.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    assert!(lines.next().unwrap().starts_with("Zookeeper version: "));
    assert_eq!(lines.next(), Some("Clients:"));
    for line in lines {
        assert!(
            line.starts_with(" /127.0.0.1:") && line.ends_with(')'),
            "{line}"
        );
        assert!(line.contains("](queued="), "{line}");
    }
    assert_eq!(keys(summary)[..7], SRVR[1..]);
}

fn cons_tells_of_every_connection(ensemble: &Ensemble) {
    let (mut client, room) = ensemble.room("cons_tells_of_every_connection");
    client.set(&room, b"");
    let zxid = client.zxid;
    let cons = ensemble.word(0, "cons");
    let session = format!("sid=0x{:x},", client.session);
    let line = cons.lines().find(|line| line.contains(&session)).unwrap();
    for part in [
        // The handshake counts.
        "recved=3,sent=3,",
        "lop=SETD,",
        "to=30000,",
        "lcxid=0x2,",
        &format!("lzxid=0x{zxid:x},"),
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(cons.ends_with("\n\n"));
}

fn conf_tells_the_settings(ensemble: &Ensemble) {
    for server in 0..ensemble.len() {
        let conf = ensemble.word(server, "conf");
        let port = format!("clientPort={}\n", ensemble.address(server).port());
        assert!(conf.starts_with(&port), "{conf}");
        for line in [
            "secureClientPort=-1\n",
            "tickTime=200\n",
            "minSessionTimeout=400\n",
        ] {
            assert!(conf.contains(line), "{line} in {conf}");
        }
        assert_eq!(conf.contains("membership: \nserver.1="), ensemble.len() > 1);
    }
}

fn envi_tells_the_surroundings(ensemble: &Ensemble) {
    let envi = ensemble.word(1, "envi");
    assert!(
        envi.starts_with("Environment:\nzookeeper.version=3."),
        "{envi}"
    );
    for key in [
        "host.name",
        "java.version",
        "os.name",
        "user.dir",
        "jvm.memory.max",
    ] {
        assert!(envi.contains(&format!("\n{key}=")), "{key} in {envi}");
    }
}

fn mntr(ensemble: &Ensemble, server: usize) -> BTreeMap<String, String> {
    let text = ensemble.word(server, "mntr");
    let pair = |line: &str| {
        let (key, value) = line.split_once('\t').unwrap();
        (key.to_owned(), value.to_owned())
    };
    text.lines().map(pair).collect()
}

fn mntr_is_keys_tabs_and_values(ensemble: &Ensemble) {
    for server in 0..ensemble.len() {
        let mntr = mntr(ensemble, server);
        assert!(mntr.keys().all(|key| key.starts_with("zk_")));
        for key in [
            "zk_version",
            "zk_server_state",
            "zk_avg_latency",
            "zk_packets_received",
            "zk_num_alive_connections",
            "zk_outstanding_requests",
            "zk_znode_count",
            "zk_watch_count",
            "zk_ephemerals_count",
            "zk_approximate_data_size",
            "zk_open_file_descriptor_count",
        ] {
            assert!(mntr.contains_key(key), "{key} in {mntr:?}");
        }
    }
}

#[test]
fn counts_of_watches_ephemerals_and_connections_are_right() {
    let ensemble = Ensemble::start(1, |_| {});
    let count = |key: &str| mntr(&ensemble, 0)[key].parse::<i64>().unwrap();
    let mut clients: Vec<_> = (0..3).map(|_| ensemble.client(0)).collect();
    assert_eq!(
        count("zk_num_alive_connections"),
        3 + 1,
        "and the one that asks"
    );
    assert_eq!(count("zk_global_sessions"), 3);
    for (i, client) in clients.iter_mut().enumerate() {
        let path = client.create_mode(&format!("/{i}"), b"", mode::EPHEMERAL);
        client.watch(op::GET_DATA, &path).ok();
        client.watch(op::EXISTS, &path).ok();
        client.watch(op::GET_CHILDREN, "/").ok();
        client.add_watch("/other", 1);
    }
    assert_eq!(count("zk_ephemerals_count"), 3);
    // Those that watch the children of the root have heard of what came after them.
    assert_eq!(count("zk_watch_count"), 3 * 3 - 2);
    clients[0]
        .call(op::REMOVE_WATCHES, &request::watch("/other", 3))
        .ok();
    assert_eq!(count("zk_watch_count"), 6);
    for client in clients {
        client.close();
    }
    until("the connections are gone", || {
        count("zk_num_alive_connections") == 1
    });
    for key in [
        "zk_watch_count",
        "zk_ephemerals_count",
        "zk_global_sessions",
    ] {
        assert_eq!(count(key), 0, "{key}");
    }
    assert_eq!(count("zk_outstanding_requests"), 0);
}

fn one_server_leads_and_the_others_follow(ensemble: &Ensemble) {
    ensemble.leader_or_alone();
    until("each knows what it is", || {
        let modes = (0..ensemble.len()).map(|server| {
            let srvr = ensemble.word(server, "srvr");
            let mode = srvr.lines().find_map(|line| line.strip_prefix("Mode: "));
            mode.unwrap().to_owned()
        });
        let mut modes: Vec<String> = modes.collect();
        modes.sort();
        match ensemble.len() {
            1 => modes == ["standalone"],
            _ => modes == ["follower", "follower", "leader"],
        }
    });
}

fn an_unknown_word_is_the_length_of_a_frame(ensemble: &Ensemble) {
    for word in ["abcd", "RUOK", "ruo ", "GET "] {
        assert_eq!(ensemble.word(0, word), "", "{word}");
    }
}

fn a_word_may_come_in_pieces_and_with_more_behind_it(ensemble: &Ensemble) {
    use std::io::{Read, Write};
    for pieces in [
        &["r", "uo", "k"][..],
        &["ruok\n"],
        &["ruokruok"],
        &["ruo", "k and more"],
    ] {
        let mut stream = crate::support::open(ensemble.address(0));
        for piece in pieces {
            stream.write_all(piece.as_bytes()).unwrap();
        }
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"imok");
    }
}

fn refusal(word: &str) -> String {
    format!("{word} is not executed because it is not in the whitelist.\n")
}

#[test]
fn only_words_of_the_list_are_answered() {
    let ensemble = Ensemble::start(1, |config| {
        config.four_letter_words = WordList::parse("ruok, mntr").0;
    });
    assert_eq!(ensemble.word(0, "ruok"), "imok");
    assert!(ensemble.word(0, "mntr").starts_with("zk_version\t"));
    assert!(ensemble.word(0, "srvr").starts_with("Zookeeper version: "));
    for word in [
        "stat", "cons", "conf", "envi", "isro", "dump", "wchs", "wchc", "wchp", "crst",
    ] {
        assert_eq!(ensemble.word(0, word), refusal(word));
    }
}

#[test]
fn by_default_only_srvr_is_answered() {
    let ensemble = Ensemble::start(1, |config| config.four_letter_words = WordList::default());
    assert_eq!(ensemble.word(0, "ruok"), refusal("ruok"));
    assert!(ensemble.word(0, "srvr").contains("\nMode: standalone\n"));
}

#[test]
fn words_are_answered_before_there_is_a_quorum() {
    let ensemble = Ensemble::stopped(3, |_| {});
    ensemble.start_server(0);
    assert_eq!(ensemble.word(0, "ruok"), "imok");
    assert_eq!(ensemble.word(0, "isro"), "null");
    assert!(ensemble.word(0, "envi").starts_with("Environment:\n"));
    for word in ["srvr", "stat", "mntr", "cons", "conf"] {
        assert_eq!(
            ensemble.word(0, word),
            "This ZooKeeper instance is not currently serving requests\n"
        );
    }
    let refused = crate::support::Client::connect(ensemble.address(0), &Default::default());
    assert_eq!(refused.unwrap_err(), crate::support::Refused::Closed);
    ensemble.start_server(1);
    ensemble.ready(0);
    ensemble.ready(1);
    ensemble.client(0).create("/a", b"");
}

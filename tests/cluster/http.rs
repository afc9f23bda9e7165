//! The HTTP endpoint of real servers: ZooKeeper's commands, health that tells the truth, metrics
//! that can be collected, and limits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zoowarden::client::ClientConfig;
use zoowarden::proto::{Acl, Id, OpCode};
use zoowarden::zookeeper_files::read_snapshot;
use zoowarden::{CreateMode, Version};
use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::http::{Answer, ask, get};
use zoowarden_tests::operations::mode;
use zoowarden_tests::process::free_port;
use zoowarden_tests::wait::{SOON, until};

/// `super:test`, hashed.
const SUPER: &str = "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
const AS_SUPER: &str = "Authorization: digest super:test";

fn plan(voters: u8) -> Plan {
    Plan {
        http: true,
        ..Plan::of(voters)
    }
}

async fn command(ensemble: &Ensemble, id: u8, name: &str) -> Value {
    let answer = get(ensemble.http(id), &format!("/commands/{name}")).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/json", "{name}");
    answer.json()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    let object = object.as_object().unwrap();
    object.keys().map(String::as_str).collect()
}

/// As Apache ZooKeeper 3.8.0 answers alone, but for what needs TLS.
const KEYS: [(&str, &str, &str); 26] = [
    ("crst", "connection_stat_reset", ""),
    (
        "conf",
        "configuration",
        "client_port data_dir data_log_dir tick_time max_client_cnxns min_session_timeout \
         max_session_timeout server_id client_port_listen_backlog",
    ),
    ("cons", "connections", "connections secure_connections"),
    ("hash", "hash", "digests"),
    ("dirs", "dirs", "datadir_size logdir_size"),
    (
        "dump",
        "dump",
        "expiry_time_to_session_ids session_id_to_ephemeral_paths",
    ),
    ("gtmk", "get_trace_mask", "tracemask"),
    ("stmk?traceMask=306", "set_trace_mask", "tracemask"),
    ("icfg", "initial_configuration", "initial_configuration"),
    ("isro", "is_read_only", "read_only"),
    ("lsnp", "last_snapshot", "zxid timestamp"),
    ("orst", "observer_connection_stat_reset", ""),
    ("obsr", "observers", "synced_observers observers"),
    ("ruok", "ruok", ""),
    (
        "srvr",
        "server_stats",
        "version read_only server_stats client_response node_count",
    ),
    (
        "stat",
        "stats",
        "version read_only server_stats client_response node_count connections \
         secure_connections",
    ),
    ("srst", "stat_reset", ""),
    ("voting_view", "voting_view", "current_config"),
    ("wchc", "watches", "session_id_to_watched_paths"),
    ("wchp", "watches_by_path", "path_to_session_ids"),
    (
        "wchs",
        "watch_summary",
        "num_connections num_paths num_total_watches",
    ),
    ("zabstate", "zabstate", "voting zabstate"),
    ("configuration", "configuration", ""),
    ("config", "configuration", ""),
    ("env", "environment", ""),
    ("envi", "environment", ""),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_have_the_keys_of_zookeeper() {
    let ensemble = Ensemble::start(plan(1)).await;
    let client = Client::open(ensemble.address(1), Duration::from_secs(10));
    let client = client.await.unwrap();
    client.create("/e", b"", mode::EPHEMERAL).await.unwrap();
    for (asked, name, want) in KEYS {
        let answer = command(&ensemble, 1, asked).await;
        assert_eq!(answer["command"], name, "{asked}");
        assert_eq!(answer["error"], Value::Null, "{asked}");
        if !want.is_empty() {
            let want = want.split_whitespace().chain(["command", "error"]);
            assert_eq!(keys(&answer), want.collect(), "{asked}");
        }
    }
    let connections = command(&ensemble, 1, "cons").await;
    let connection = &connections["connections"][0];
    let want = "remote_socket_address interest_ops outstanding_requests packets_received \
                packets_sent session_id last_operation established session_timeout last_cxid \
                last_zxid last_response_time last_latency min_latency avg_latency max_latency";
    assert_eq!(keys(connection), want.split_whitespace().collect());
    let session = connection["session_id"].as_i64().unwrap();
    assert_eq!(session, client.session().id.0);
    let dump = command(&ensemble, 1, "dump").await;
    let owned = &dump["session_id_to_ephemeral_paths"][session.to_string()];
    assert_eq!(*owned, serde_json::json!(["/e"]));
    let expiring = dump["expiry_time_to_session_ids"].as_object().unwrap();
    let expiring = expiring.values().flat_map(|ids| ids.as_array().unwrap());
    assert!(expiring.into_iter().any(|id| id.as_i64() == Some(session)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_have_zookeepers_forms() {
    let ensemble = Ensemble::start(plan(1)).await;
    let http = ensemble.http(1);
    let unknown = command(&ensemble, 1, "nonsense").await;
    assert_eq!(unknown["command"], "nonsense");
    assert_eq!(unknown["error"], "Unknown command: nonsense");
    let leader = command(&ensemble, 1, "lead").await;
    assert_eq!(leader["error"], "server is not initialized");
    let mask = command(&ensemble, 1, "stmk").await;
    assert_eq!(
        mask["error"],
        "setTraceMask requires long traceMask argument"
    );
    for (method, path, status) in [
        ("TRACE", "/commands/ruok", 403),
        ("POST", "/commands/ruok", 405),
        ("GET", "/commands/restore", 405),
        ("DELETE", "/commands/ruok", 405),
        ("POST", "/livez", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/commandsx", 404),
        ("GET", "/", 404),
        ("GET", "/commands/snapshot", 401),
        ("POST", "/commands/shed", 401),
        ("POST", "/commands/restore", 401),
    ] {
        let answer = ask(http, method, path, &[], b"").await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let index = get(http, "/commands").await.unwrap();
    assert!(
        index
            .text()
            .starts_with("<a href=\"/commands/configuration\">configuration</a>\n<br/>\n")
    );
    let body = get(http, "/commands/ruok").await.unwrap().text();
    assert_eq!(body, "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}");
}

/// CVE-2024-51504: whoever sent `X-Forwarded-For` was believed to come from there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2024_51504_headers_do_not_say_where_somebody_comes_from() {
    // The setting that makes ZooKeeper believe it.
    let believe = "IPAuthenticationProvider.usexforwardedfor=true";
    let ensemble = Ensemble::start(plan(1).set(believe)).await;
    let http = ensemble.http(1);
    let client = Client::open(ensemble.address(1), Duration::from_secs(10));
    let client = client.await.unwrap();
    // Whoever comes may change the list, and is not named by that.
    let anyone = (31, "world", "anyone");
    set_root_acl(&client, &[(31, "ip", "10.0.0.1"), anyone]).await;
    for claim in [
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-For: 10.0.0.1, 127.0.0.1",
        "Forwarded: for=10.0.0.1",
        "X-Real-IP: 10.0.0.1",
        "X-Client-IP: 10.0.0.1",
        "True-Client-IP: 10.0.0.1",
        "X-Originating-IP: 10.0.0.1",
    ] {
        for (method, path) in [("GET", "/commands/snapshot"), ("POST", "/commands/restore")] {
            let headers = ["Authorization: ip", claim];
            let answer = ask(http, method, path, &headers, b"x").await.unwrap();
            assert_eq!(answer.status, 403, "{path} {claim}");
        }
    }
    set_root_acl(&client, &[(31, "ip", "127.0.0.1"), anyone]).await;
    let answer = ask(
        http,
        "GET",
        "/commands/snapshot",
        &["Authorization: ip"],
        b"",
    );
    assert_eq!(answer.await.unwrap().status, 200);
}

/// CVE-2025-58457: one permission of the five was enough for all data to be read and replaced. And
/// what everybody may do to the root is no right to all data.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2025_58457_every_permission_on_the_root_is_needed_by_name() {
    let ensemble = Ensemble::start(plan(1).set(SUPER).set("skipACL=no")).await;
    let http = ensemble.http(1);
    let client = Client::open(ensemble.address(1), Duration::from_secs(10));
    let client = client.await.unwrap();
    // `bob:bob`, hashed.
    let bob = ("digest", "bob:X1SKGw3XQQSIPMZRf5lW7e07VPY=");
    let as_bob = "Authorization: digest bob:bob";
    let statuses = async || {
        let mut statuses = BTreeSet::new();
        for (method, path) in [
            ("GET", "/commands/snapshot"),
            ("POST", "/commands/restore"),
            ("POST", "/commands/shed"),
            ("GET", "/commands/history?path=/"),
        ] {
            let answer = ask(http, method, path, &[as_bob], b"").await.unwrap();
            statuses.insert(answer.status);
        }
        statuses
    };
    assert_eq!(
        statuses().await,
        [403].into(),
        "the root is open to everybody"
    );
    for missing in [1, 2, 4, 8, 16] {
        set_root_acl(
            &client,
            &[(31 - missing, bob.0, bob.1), (31, "world", "anyone")],
        )
        .await;
        assert_eq!(statuses().await, [403].into(), "without {missing}");
        set_root_acl(&client, &[(missing, bob.0, bob.1), (31, "world", "anyone")]).await;
        assert_eq!(statuses().await, [403].into(), "{missing} alone");
    }
    set_root_acl(&client, &[(31, bob.0, bob.1), (31, "world", "anyone")]).await;
    let statuses = statuses().await;
    assert!(
        !statuses.contains(&401) && !statuses.contains(&403),
        "{statuses:?}"
    );
}

async fn set_root_acl(client: &Client, list: &[(i32, &str, &str)]) {
    let entry = |(perms, scheme, id): &(i32, &str, &str)| Acl {
        perms: *perms,
        id: Id::new(scheme, id),
    };
    let acl = list.iter().map(entry).collect::<Vec<_>>();
    let set = client.send(OpCode::SetAcl, |w| {
        w.text("/");
        Acl::encode_list(&acl, w);
        w.i32(-1);
    });
    assert_eq!(set.answer().await.unwrap().err, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_change_something_need_all_permissions() {
    let ensemble = Ensemble::start(plan(1).set(SUPER)).await;
    let (http, client) = (ensemble.http(1), Duration::from_secs(10));
    let client = Client::open(ensemble.address(1), client).await.unwrap();
    let shed = |header: &'static str, body: &'static [u8]| async move {
        ask(http, "POST", "/commands/shed", &[header], body)
            .await
            .unwrap()
    };
    // The root is open, which names nobody.
    let answer = shed("Authorization: ip", b"{\"percentage\": 0}").await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    // An ACL for one address and one user.
    set_root_acl(
        &client,
        &[(31, "ip", "10.0.0.1"), (31, "digest", "nobody:x")],
    )
    .await;
    for (header, status) in [
        ("Authorization: ip", 403),
        ("Authorization: digest nobody:wrong", 403),
        ("Authorization: nonsense x", 401),
        ("Authorization: x509", 401),
        ("Authorization: super", 401),
        ("Authorization:", 401),
        ("Nothing: here", 401),
        (AS_SUPER, 200),
    ] {
        let answer = shed(header, b"{\"percentage\": 0}").await;
        assert_eq!(answer.status, status, "{header}: {}", answer.text());
    }
    for (method, path) in [("GET", "/commands/snapshot"), ("POST", "/commands/restore")] {
        let header = "Authorization: digest nobody:wrong";
        let answer = ask(http, method, path, &[header], b"").await.unwrap();
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    for body in [
        &b""[..],
        b"{}",
        b"{\"percentage\": 101}",
        b"{\"percentage\": -1}",
        b"50",
    ] {
        let answer = shed(AS_SUPER, body).await;
        assert_eq!(answer.status, 400, "{body:?}");
    }
    let answer = shed(AS_SUPER, b"{\"percentage\": 100}").await.json();
    assert_eq!(answer["connections_shed"], 1);
    assert_eq!(answer["percentage_requested"], 100);
    client.lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_over_http_is_the_state() {
    let ensemble = Ensemble::start(plan(1).set(SUPER)).await;
    let client = Client::open(ensemble.address(1), Duration::from_secs(10));
    let client = client.await.unwrap();
    for n in 0..300 {
        let data = vec![7; 2000];
        let path = format!("/znode-{n}");
        client.create(&path, &data, mode::PERSISTENT).await.unwrap();
    }
    let http = ensemble.http(1);
    let path = "/commands/snapshot";
    let answer = ask(http, "GET", path, &[AS_SUPER], b"").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/octet-stream");
    assert_eq!(
        answer.headers["snapshot_size"],
        answer.body.len().to_string()
    );
    let restored = read_snapshot(&answer.body[..]).unwrap();
    let zxid = format!("0x{:x}", restored.last_zxid.0);
    assert_eq!(answer.headers["last_zxid"], zxid);
    assert_eq!(restored.tree.node_count(), 300 + 5);
    let again = ask(http, "GET", path, &[AS_SUPER], b"").await.unwrap();
    assert_eq!(again.status, 429, "one in five minutes");
    for status in [500, 429] {
        let restore = ask(http, "POST", "/commands/restore", &[AS_SUPER], b"x");
        let restore = restore.await.unwrap();
        assert_eq!(
            restore.status, status,
            "one in five minutes, whatever came of it"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_and_restores_can_be_switched_off() {
    let plan = plan(1).set(SUPER);
    let plan = plan.set("admin.snapshot.enabled=false");
    let ensemble = Ensemble::start(plan.set("admin.restore.enabled=false")).await;
    for (method, command) in [("GET", "snapshot"), ("POST", "restore")] {
        let path = format!("/commands/{command}");
        let answer = ask(ensemble.http(1), method, &path, &[AS_SUPER], b"x");
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, 503, "{command}");
        let error = answer.json()["error"].to_string();
        assert!(
            error.contains(&format!("admin.{command}.enabled")),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_znode_is_told_to_who_may_do_everything() {
    let ensemble = Ensemble::start(plan(1).set(SUPER)).await;
    let client = Client::open(ensemble.address(1), Duration::from_secs(10));
    let client = client.await.unwrap();
    client.create("/a b", b"1", mode::PERSISTENT).await.unwrap();
    let child = client.create("/a b/c", b"2", mode::PERSISTENT).await;
    child.unwrap();
    let http = ensemble.http(1);
    let history = async |query: &str, headers: &[&str]| {
        let path = format!("/commands/history{query}");
        ask(http, "GET", &path, headers, b"").await.unwrap()
    };
    assert_eq!(history("?path=/a%20b", &[]).await.status, 401);
    for query in ["", "?path=a", "?path=/%zz", "?path=/a&limit=0"] {
        let answer = history(query, &[AS_SUPER]).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
    }
    let one = history("?path=/a%20b", &[AS_SUPER]).await;
    assert_eq!(one.status, 200, "{}", one.text());
    let one = one.json();
    assert_eq!(one["command"], "history");
    assert_eq!(one["error"], Value::Null);
    let changes = one["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{one}");
    assert_eq!(changes[0]["path"], "/a b");
    assert_eq!(changes[0]["after"]["value"]["text"], "1");
    let all = history("?path=/a+b&recursive=true&limit=10", &[AS_SUPER]).await;
    assert_eq!(all.json()["changes"].as_array().unwrap().len(), 2);
}

/// The root is open to everybody as a rule, and that is all the endpoint asks of who wants to know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_hides_values_from_those_who_may_not_read_the_znode() {
    let ensemble = Ensemble::start(plan(1).set(SUPER)).await;
    let mut config = ClientConfig::new(ensemble.address(1).to_string().parse().unwrap());
    config.auth = vec![("digest".to_owned(), b"joe:pass".to_vec())];
    let joe = zoowarden::Client::connect_with(config).await.unwrap();
    let everything = 31;
    let own = Acl {
        perms: everything,
        id: Id::new("auth", ""),
    };
    let data = [b"first", b"other", b"third"];
    let open = CreateMode::Persistent;
    joe.create("/closed", data[0], open).await.unwrap();
    joe.set_acl("/closed", &[own], Version::Any).await.unwrap();
    joe.set("/closed", data[1], Version::Any).await.unwrap();
    // Both may do everything to the root, which is what the command asks for.
    let both = [
        "joe:HLc397LlD+sT88h0WKi3UdRNu44=",
        "ann:daNAg2SRdNdIcsIbxB9c3X+vhAQ=",
    ];
    let both = both.map(|id| Acl {
        perms: everything,
        id: Id::new("digest", id),
    });
    joe.set_acl("/", &both, Version::Any).await.unwrap();
    let http = ensemble.http(1);
    let seen_by = async |who: &str| {
        let header = format!("Authorization: digest {who}");
        let path = "/commands/history?path=/closed";
        let answer = ask(http, "GET", path, &[&header], b"").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    let told = seen_by("ann:pass").await;
    assert!(told.contains("setACL") && told.contains("hidden"), "{told}");
    assert!(!told.contains("first") && !told.contains("other"), "{told}");
    assert!(seen_by("joe:pass").await.contains("first"));
    // Gone, with the list it had last.
    joe.delete("/closed", Version::Any).await.unwrap();
    let told = seen_by("ann:pass").await;
    assert!(!told.contains("other"), "{told}");
    assert!(seen_by("joe:pass").await.contains("other"));
}

async fn health(ensemble: &Ensemble, id: u8, path: &str) -> Option<Answer> {
    get(ensemble.http(id), path).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_reach_a_quorum_is_alive_and_not_ready() {
    let plan = Plan {
        proxied: true,
        ..plan(3)
    };
    let ensemble = Ensemble::start(plan).await;
    let all = ensemble.ids();
    let leader = ensemble.wait_for_leader(&all).await;
    for id in &all {
        until("all are ready", SOON, async || {
            let answer = health(&ensemble, *id, "/readyz").await?;
            (answer.status == 200).then_some(())
        })
        .await;
    }
    let follower = all.into_iter().find(|id| *id != leader).unwrap();
    for cut in [follower, leader] {
        ensemble.isolate(cut);
        let answer = until("it is not ready any more", SOON, async || {
            let answer = health(&ensemble, cut, "/readyz").await?;
            (answer.status == 503).then_some(answer)
        })
        .await;
        assert!(
            answer.text().contains("[-]leader failed: "),
            "{}",
            answer.text()
        );
        let live = health(&ensemble, cut, "/livez").await.unwrap();
        assert_eq!(live.status, 200, "{}", live.text());
        assert_eq!(live.text(), "[+]log ok\n[+]raft ok\n[+]tree ok\n");
        ensemble.heal(cut);
        until("it is ready again", SOON, async || {
            let answer = health(&ensemble, cut, "/readyz").await?;
            (answer.status == 200).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_waits_for_its_ensemble_answers_and_is_not_ready() {
    let mut ensemble = Ensemble::prepare(plan(3)).await;
    ensemble.start_server(1);
    let answer = until("it answers", SOON, async || {
        health(&ensemble, 1, "/readyz").await
    })
    .await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("[-]serving failed: "),
        "{}",
        answer.text()
    );
    assert_eq!(health(&ensemble, 1, "/livez").await.unwrap().status, 200);
    let stats = command(&ensemble, 1, "srvr").await;
    assert_eq!(
        stats["error"],
        "This ZooKeeper instance is not currently serving requests"
    );
    assert_eq!(
        command(&ensemble, 1, "mntr").await["peer_state"],
        "looking - election"
    );
}

/// Lines of the text format by name and labels; every one is checked.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut kinds = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["gauge", "counter", "summary"].contains(&kind), "{line}");
            assert_eq!(kinds.insert(name.to_owned(), kind), None, "{name} twice");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            let suffixes = ["_count", "_sum"].into_iter();
            let base = suffixes.filter_map(|suffix| family.strip_suffix(suffix));
            let known = base.chain([family]).any(|name| kinds.contains_key(name));
            assert!(known, "{line} has no TYPE ahead of it");
            assert!(
                family
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{line}"
            );
            let value = value.parse::<f64>().unwrap();
            assert_eq!(samples.insert(name.to_owned(), value), None, "{name} twice");
        }
    }
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_the_same_numbers_wherever_they_are_asked() {
    let port = free_port();
    let class = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";
    let ensemble = Ensemble::start(
        plan(1)
            .set(format!("metricsProvider.className={class}"))
            .set("metricsProvider.httpHost=127.0.0.1")
            .set(format!("metricsProvider.httpPort={port}"))
            .set("metricsProvider.exportJvmInfo=true"),
    )
    .await;
    let client = Client::open(ensemble.address(1), Duration::from_secs(10));
    let client = client.await.unwrap();
    client
        .create("/a", b"12345", mode::PERSISTENT)
        .await
        .unwrap();
    for _ in 0..10 {
        client.get_data("/a").await.unwrap();
    }
    client.stop_pinging();
    let metrics = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let answer = get(metrics, "/metrics").await.unwrap();
    assert_eq!(
        answer.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let at_metrics = samples(&answer.text());
    let at_admin = samples(&get(ensemble.http(1), "/metrics").await.unwrap().text());
    let monitor = command(&ensemble, 1, "mntr").await;
    let words = ensemble.word(1, "mntr").await.unwrap();
    for (name, key, want) in [
        ("znode_count", "znode_count", 6.0),
        ("op_count_get_data", "op_count_get_data", 10.0),
        ("readlatency_count", "cnt_readlatency", 10.0),
        (
            "read_per_namespace_sum{key=\"a\"}",
            "sum_a_read_per_namespace",
            10.0 * (2.0 + 68.0 + 5.0),
        ),
        (
            "write_per_namespace_count{key=\"a\"}",
            "cnt_a_write_per_namespace",
            1.0,
        ),
        ("ephemerals_count", "ephemerals_count", 0.0),
    ] {
        assert_eq!(at_metrics.get(name), Some(&want), "{name}");
        assert_eq!(at_admin.get(name), Some(&want), "{name}");
        assert_eq!(monitor[key].as_f64(), Some(want), "{key}");
        assert!(words.contains(&format!("zk_{key}\t{want}\n")), "{key}");
    }
    let quantile = at_metrics["readlatency{quantile=\"0.99\"}"];
    assert!(quantile >= 0.0, "{quantile}");
    assert_eq!(get(metrics, "/commands/ruok").await.unwrap().status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_the_endpoint_have_limits() {
    let ensemble = Ensemble::start(plan(1).set(SUPER).set("admin.idleTimeout=300")).await;
    let http = ensemble.http(1);
    let mut silent = TcpStream::connect(http).await.unwrap();
    let mut nothing = Vec::new();
    // It is closed by the server: this would wait forever else.
    silent.read_to_end(&mut nothing).await.unwrap();
    let mut slow = TcpStream::connect(http).await.unwrap();
    slow.write_all(b"GET /commands/ruok HTTP/1.1\r\nHost: a\r\n")
        .await
        .unwrap();
    slow.read_to_end(&mut nothing).await.unwrap();
    // One that is never silent and never done.
    let mut trickle = TcpStream::connect(http).await.unwrap();
    trickle
        .write_all(b"GET /commands/ruok HTTP/1.1\r\nX: ")
        .await
        .unwrap();
    until("it is closed in the middle of its head", SOON, async || {
        trickle.write_all(b"x").await.err().map(|_| ())
    })
    .await;
    let long = format!("X: {}", "x".repeat(1 << 16));
    // Refused, or cut off before the whole of it was sent.
    let refused = ask(http, "GET", "/commands/ruok", &[&long], b"").await;
    assert_eq!(refused.map_or(431, |answer| answer.status), 431);
    let body = vec![b'x'; 1 << 16];
    let refused = ask(http, "POST", "/commands/shed", &[AS_SUPER], &body).await;
    assert_eq!(refused.map_or(400, |answer| answer.status), 400);
    assert_eq!(get(http, "/commands/ruok").await.unwrap().status, 200);
}

/// A port that is taken stops only a server that was told to use it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_an_error_that_names_the_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut ensemble = Ensemble::prepare(
        Plan::of(1)
            .set("admin.serverAddress=127.0.0.1")
            .set(format!("admin.serverPort={port}")),
    )
    .await;
    ensemble.start_server(1);
    assert!(!ensemble.wait_until_ended(1).await.success());
    let log = ensemble.log(1);
    assert!(log.contains("cannot listen on the admin port"), "{log}");
    assert!(log.contains("admin.serverPort"), "{log}");
}

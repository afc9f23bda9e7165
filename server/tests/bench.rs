//! The load generator as a program: every workload does its work, tells of it, and leaves nothing.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, the functions they share included"
)]

use std::process::{Command, Output};

use serde_json::Value;
use zoowarden::CreateMode;
use zoowarden::client::Client;
use zoowarden::testing::Ensemble;

/// Words without the quotes of a shell.
fn bench(hosts: &str, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoowarden"));
    command.args(["bench", "-s", hosts]);
    command.args(words.split_whitespace()).output().unwrap()
}

/// The report of a run that must have gone well.
async fn report(ensemble: &Ensemble, words: &str) -> Value {
    let hosts = format!("{}/app", ensemble.connect_string());
    let words = format!("--duration 1 --json --warmup 0 -c 4 -p 4 --keys 20 {words}");
    let output = tokio::task::spawn_blocking(move || bench(&hosts, &words));
    let output = output.await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

async fn ensemble(servers: u8) -> (Ensemble, Client) {
    let ensemble = Ensemble::start(servers).await.unwrap();
    let client = Client::connect(&ensemble.connect_string()).await.unwrap();
    let app = client.create("/app", b"", CreateMode::Persistent).await;
    assert_eq!(app.unwrap(), "/app");
    (ensemble, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_workload_does_its_work_and_leaves_nothing() {
    let (ensemble, client) = ensemble(1).await;
    for (workload, kinds) in [
        ("write", &["set"][..]),
        ("read", &["get"]),
        ("mixed --reads 50", &["get", "set"]),
        ("create", &["create", "delete"]),
        ("sequential", &["create", "delete"]),
        ("ephemeral", &["create", "delete"]),
        ("multi --batch 3", &["multi"]),
        ("write --rate 200", &["set"]),
    ] {
        let report = report(&ensemble, workload).await;
        let told = report["latency_us"].as_object().unwrap();
        let told: Vec<&str> = told.keys().map(String::as_str).collect();
        assert_eq!(told, kinds, "{workload}: {report}");
        assert!(report["operations"].as_u64().unwrap() > 0, "{workload}");
        assert_eq!(report["errors"], serde_json::json!({}), "{workload}");
        assert_eq!(report["connections_lost"], 0, "{workload}");
        let left = client.get_children("/app").await.unwrap();
        assert!(left.is_empty(), "{workload} left {left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_creates_what_it_was_told_and_keeps_it_if_told() {
    let (ensemble, client) = ensemble(1).await;
    let report = report(&ensemble, "fill --count 1000 --keep").await;
    // And a parent for each of the four connections.
    assert_eq!(report["latency_us"]["create"]["count"], 1004);
    let filled = client.get_all_children_number("/app/zoowarden-bench").await;
    assert_eq!(filled.unwrap(), 1004);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_watcher_hears_of_every_change() {
    let (ensemble, _client) = ensemble(3).await;
    let report = report(&ensemble, "watch --count 50").await;
    assert_eq!(report["operations"], 3 * 50);
    assert_eq!(report["latency_us"]["event"]["count"], 3 * 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_stay() {
    let (ensemble, _client) = ensemble(1).await;
    // Three seconds hold two pings of a session with the shortest timeout there is.
    let report = report(&ensemble, "idle --timeout 1 --duration 3").await;
    assert_eq!(report["connections_lost"], 0);
    assert!(report["latency_us"]["ping"]["count"].as_u64().unwrap() >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_exists_is_not_touched() {
    let (ensemble, client) = ensemble(1).await;
    let hosts = ensemble.connect_string();
    let output = tokio::task::spawn_blocking(move || bench(&hosts, "write --path /app"));
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("/app exists"), "{told}");
    assert!(client.exists("/app").await.unwrap().is_some());
}

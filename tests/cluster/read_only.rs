//! Servers without a quorum that serve reads to clients that asked for no more.

use std::time::Duration;

use zoowarden::CreateMode;
use zoowarden::client::{ClientConfig, Code, State};
use zoowarden::proto::{OpCode, SessionId};
use zoowarden_tests::client::{Client, ConnectError, Session};
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::operations::{Failure, mode};
use zoowarden_tests::wait::{SOON, until};

const NOT_READ_ONLY: i32 = -119;

fn plan() -> Plan {
    Plan::of(3)
        .set("tickTime=200")
        .set("readonlymode.enabled=true")
}

async fn wait_for_isro(ensemble: &Ensemble, id: u8, wanted: &str) {
    let what = format!("server {id} says {wanted}");
    until(&what, SOON, async || {
        let answer = ensemble.word(id, "isro").await;
        (answer.as_deref() == Some(wanted)).then_some(())
    })
    .await;
}

fn not_answered(outcome: Result<Client, ConnectError>) {
    assert!(matches!(outcome, Err(ConnectError::Io(_))), "{outcome:?}");
}

/// Everything a client may and may not do while there is no quorum.
async fn try_everything(client: &Client) {
    assert!(client.session().read_only);
    assert_eq!(client.get_data("/a").await.unwrap().0, b"1");
    assert!(client.exists("/none", true).await.unwrap().is_none());
    for refused in [
        client.create("/b", b"", mode::PERSISTENT).await.map(drop),
        client.create("/b", b"", mode::EPHEMERAL).await.map(drop),
        client.set_data("/a", b"2", -1).await.map(drop),
        client.delete("/a", -1).await.map(drop),
        client.sync().await.map(drop),
    ] {
        assert_eq!(refused, Err(Failure::Code(NOT_READ_ONLY)));
    }
    let multi = client.send(OpCode::Multi, |w| {
        w.i32(-1);
        w.bool(true);
        w.i32(-1);
    });
    assert_eq!(multi.answer().await.unwrap().err, NOT_READ_ONLY);
}

/// A server that has lost its quorum serves reads to those that asked for no more, refuses the
/// others, and closes all connections when there is a quorum again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_reads_are_served_to_whoever_asked_for_no_more() {
    let mut ensemble = Ensemble::start(plan()).await;
    let last = 1;
    let before = Client::open_read_only(ensemble.address(last), SOON).await;
    let before = before.unwrap();
    assert!(!before.session().read_only, "there is a quorum");
    before.create("/a", b"1", mode::PERSISTENT).await.unwrap();
    assert_eq!(ensemble.word(last, "isro").await.as_deref(), Some("rw"));

    ensemble.kill(2);
    ensemble.kill(3);
    wait_for_isro(&ensemble, last, "ro").await;
    let srvr = ensemble.word(last, "srvr").await.unwrap();
    assert!(srvr.contains("\nMode: read-only\n"), "{srvr}");
    assert!(srvr.contains("READ-ONLY mode"), "{srvr}");
    before.lost().await;

    let address = ensemble.address(last);
    not_answered(Client::open(address, SOON).await);
    let global = Session {
        read_only: true,
        ..before.session()
    };
    not_answered(Client::attach(address, &global).await);
    let client = Client::open_read_only(address, SOON).await.unwrap();
    try_everything(&client).await;
    let again = Client::attach(address, &client.session()).await.unwrap();
    client.lost().await;
    let closing = again.send(OpCode::CloseSession, |_| ());
    assert_eq!(closing.answer().await.unwrap().err, 0);
    let over = Client::attach(address, &again.session()).await;
    assert!(matches!(over, Err(ConnectError::SessionGone)), "{over:?}");

    let staying = Client::open_read_only(address, SOON).await.unwrap();
    ensemble.start_server(2);
    staying.lost().await;
    wait_for_isro(&ensemble, last, "rw").await;
    until("its session is over", SOON, async || {
        let over = Client::attach(address, &staying.session()).await;
        matches!(over, Err(ConnectError::SessionGone)).then_some(())
    })
    .await;
    until("the session from before writes", SOON, async || {
        let back = Client::attach(address, &before.session()).await.ok()?;
        back.set_data("/a", b"2", -1).await.ok()
    })
    .await;
}

/// A server that is started without a quorum serves what it has on disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_without_a_quorum_serves_what_it_has() {
    let mut ensemble = Ensemble::start(plan()).await;
    let client = Client::open(ensemble.address(1), SOON).await.unwrap();
    client.create("/a", b"1", mode::PERSISTENT).await.unwrap();
    for id in ensemble.ids() {
        ensemble.terminate(id).await;
    }
    ensemble.start_server(1);
    wait_for_isro(&ensemble, 1, "ro").await;
    let client = Client::open_read_only(ensemble.address(1), SOON)
        .await
        .unwrap();
    try_everything(&client).await;
    ensemble.start_server(2);
    client.lost().await;
    wait_for_isro(&ensemble, 1, "rw").await;
}

async fn reach(client: &zoowarden::Client, wanted: State) {
    let mut states = client.states();
    let reached = tokio::time::timeout(SOON, states.wait_for(|state| *state == wanted)).await;
    assert!(reached.is_ok(), "waited for {wanted}: {}", client.state());
}

/// The library's client reads without a quorum, and goes over to a server that writes, with a
/// session of its own there, as soon as there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_goes_over_to_a_server_that_writes() {
    let mut ensemble = Ensemble::start(plan()).await;
    let writer = Client::open(ensemble.address(1), SOON).await.unwrap();
    writer.create("/a", b"1", mode::PERSISTENT).await.unwrap();
    ensemble.kill(2);
    ensemble.kill(3);
    wait_for_isro(&ensemble, 1, "ro").await;

    let hosts = ensemble
        .ids()
        .into_iter()
        .map(|id| ensemble.address(id).to_string());
    let hosts = hosts.collect::<Vec<_>>().join(",").parse().unwrap();
    let mut config = ClientConfig::new(hosts);
    config.read_only = true;
    config.session_timeout_ms = 30_000;
    let client = zoowarden::Client::connect_with(config).await.unwrap();
    assert_eq!(client.state(), State::ConnectedReadOnly);
    assert_eq!(client.get("/a").await.unwrap().0, b"1"[..]);
    let refused = client.create("/b", b"", CreateMode::Persistent).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::NotReadOnly);
    let reading = client.session_id();

    ensemble.start_server(2);
    ensemble.start_server(3);
    reach(&client, State::Connected).await;
    assert_ne!(client.session_id(), reading, "a session of its own");
    assert_ne!(client.session_id(), SessionId(0));
    client
        .create("/b", b"", CreateMode::Persistent)
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(10), client.close())
        .await
        .unwrap();
}

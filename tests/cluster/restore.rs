//! A snapshot put back through the admin endpoint of running servers: all of it on all of them, or
//! nothing, whoever dies meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use zoowarden::client::{ClientConfig, Code};
use zoowarden::proto::EventKind;
use zoowarden::{CreateMode, Version, WatchEvent};
use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::http::{Answer, ask};
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, until};

/// `super:test`, hashed.
const SUPER: &str = "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
const AS_SUPER: &str = "Authorization: digest super:test";
const PATIENCE: Duration = Duration::from_secs(30);

fn plan(voters: u8) -> Plan {
    Plan {
        http: true,
        ..Plan::of(voters)
    }
    .set(SUPER)
    .set("admin.rateLimiterIntervalInMS=0")
}

async fn client(ensemble: &Ensemble, id: u8) -> Client {
    let opened = until("a client is let in", SOON, async || {
        Client::open(ensemble.address(id), PATIENCE).await.ok()
    });
    opened.await
}

async fn snapshot(server: SocketAddr) -> Vec<u8> {
    let answer = ask(server, "GET", "/commands/snapshot", &[AS_SUPER], b"");
    let answer = answer.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body
}

async fn restore(server: SocketAddr, body: &[u8]) -> Answer {
    let answer = ask(server, "POST", "/commands/restore", &[AS_SUPER], body);
    answer.await.unwrap()
}

/// What was in the snapshot, and what came after it.
async fn fill(client: &Client) {
    for (path, data) in [("/a", "1"), ("/a/b", "2"), ("/a/c", "3")] {
        let created = client.create(path, data.as_bytes(), mode::PERSISTENT);
        created.await.unwrap();
    }
}

async fn change(client: &Client) {
    client.set_data("/a", b"changed", -1).await.unwrap();
    client.delete("/a/b", -1).await.unwrap();
    client.create("/new", b"", mode::PERSISTENT).await.unwrap();
}

/// Whether the state is that of [`fill`], on one server.
async fn is_filled(ensemble: &Ensemble, id: u8) -> bool {
    let client = client(ensemble, id).await;
    client.sync().await.unwrap();
    let names = client.children("/").await.unwrap();
    let filled = names == ["a", "zookeeper"];
    if filled {
        assert_eq!(client.get_data("/a").await.unwrap().0, b"1");
        assert_eq!(client.children("/a").await.unwrap(), ["b", "c"]);
    } else {
        assert_eq!(names, ["a", "new", "zookeeper"]);
        assert_eq!(client.get_data("/a").await.unwrap().0, b"changed");
        assert_eq!(client.children("/a").await.unwrap(), ["c"]);
    }
    filled
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_snapshot_is_the_state_also_after_a_crash() {
    let mut ensemble = Ensemble::start(plan(1)).await;
    let before = client(&ensemble, 1).await;
    fill(&before).await;
    let (_, stat) = before.get_data("/a/b").await.unwrap();
    let taken = snapshot(ensemble.http(1)).await;
    change(&before).await;
    let changed = before.session().last_zxid;
    let answer = restore(ensemble.http(1), &taken).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer["command"], "restore");
    let zxid = answer["last_zxid"].as_i64().unwrap();
    assert!(zxid > changed.0, "nobody goes back in time");
    before.lost().await;
    // Its session was in the snapshot, and its password is what it was.
    let again = Client::attach(ensemble.address(1), &before.session()).await;
    let again = again.unwrap();
    assert_eq!(again.session().id, before.session().id);
    assert_eq!(again.get_data("/a/b").await.unwrap(), (b"2".to_vec(), stat));
    assert!(is_filled(&ensemble, 1).await);
    ensemble.kill(1);
    ensemble.start_server(1);
    ensemble.wait_until_serving(1).await;
    assert!(is_filled(&ensemble, 1).await);
    let after = client(&ensemble, 1).await;
    after.set_data("/a", b"on it goes", 0).await.unwrap();
    assert!(after.session().last_zxid.0 > zxid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_servers_hold_what_was_restored_through_any_of_them() {
    let mut ensemble = Ensemble::start(plan(3)).await;
    let leader = ensemble.wait_for_leader(&ensemble.ids()).await;
    let mut followers = ensemble.ids();
    followers.retain(|id| *id != leader);
    let (asked, away) = (followers[0], followers[1]);
    let before = client(&ensemble, asked).await;
    fill(&before).await;
    let taken = snapshot(ensemble.http(asked)).await;
    change(&before).await;
    let members = before.get_data("/zookeeper/config").await.unwrap();
    ensemble.kill(away);
    let answer = restore(ensemble.http(asked), &taken).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for id in [leader, asked] {
        assert!(is_filled(&ensemble, id).await, "server {id}");
    }
    ensemble.start_server(away);
    ensemble.wait_until_serving(away).await;
    assert!(is_filled(&ensemble, away).await);
    let after = client(&ensemble, away).await;
    let kept = after.get_data("/zookeeper/config").await.unwrap();
    assert_eq!(kept, members, "the ensemble is what it was");
    ensemble.kill(leader);
    for id in [asked, away] {
        assert!(is_filled(&ensemble, id).await, "server {id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_whole_snapshot_changes_nothing() {
    let ensemble = Ensemble::start(plan(1)).await;
    let before = client(&ensemble, 1).await;
    fill(&before).await;
    let http = ensemble.http(1);
    let taken = snapshot(http).await;
    change(&before).await;
    let mut flipped = taken.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let huge_count = b"ZKSN\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff";
    for (body, status) in [
        (&b""[..], 400),
        (b"x", 500),
        (&[0; 100_000], 500),
        (huge_count, 500),
        (&taken[..taken.len() - 1], 500),
        (&taken[..taken.len() / 2], 500),
        (&flipped, 500),
    ] {
        let answer = restore(http, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.json()["command"], "restore");
        assert!(!answer.json()["error"].is_null());
    }
    let errors = ensemble.mntr(1, "zk_restore_error_count").await;
    assert_eq!(errors.as_deref(), Some("6"));
    // One that is cut off in the middle of its body.
    let mut cut = TcpStream::connect(http).await.unwrap();
    let head = format!(
        "POST /commands/restore HTTP/1.1\r\nHost: a\r\n{AS_SUPER}\r\nContent-Length: {}\r\n\r\n",
        taken.len()
    );
    cut.write_all(head.as_bytes()).await.unwrap();
    cut.write_all(&taken[..middle]).await.unwrap();
    drop(cut);
    assert!(!before.is_lost());
    assert!(!is_filled(&ensemble, 1).await);
    until(
        "the one that was cut off gives its place back",
        SOON,
        async || (restore(http, &taken).await.status == 200).then_some(()),
    )
    .await;
    assert!(is_filled(&ensemble, 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_leaves_the_old_state_or_the_new_one() {
    let mut ensemble = Ensemble::start(plan(1)).await;
    let before = client(&ensemble, 1).await;
    fill(&before).await;
    let data = vec![7; 900_000];
    for n in 0..16 {
        let path = format!("/a/c/{n}");
        before.create(&path, &data, mode::PERSISTENT).await.unwrap();
    }
    let http = ensemble.http(1);
    let taken = snapshot(http).await;
    change(&before).await;
    drop(before);
    // Earlier and later: while it is read, sent, or put into force.
    for later_ms in [0, 100, 250, 500, 1000] {
        let body = taken.clone();
        let restoring = tokio::spawn(async move {
            let path = "/commands/restore";
            ask(http, "POST", path, &[AS_SUPER], &body).await
        });
        tokio::time::sleep(Duration::from_millis(later_ms)).await;
        ensemble.kill(1);
        let _ = restoring.await;
        ensemble.start_server(1);
        ensemble.wait_until_serving(1).await;
        if is_filled(&ensemble, 1).await {
            break;
        }
    }
    // What a crash left behind is in nobody's way.
    assert_eq!(restore(http, &taken).await.status, 200);
    assert!(is_filled(&ensemble, 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_hear_that_everything_may_be_different() {
    let ensemble = Ensemble::start(plan(1)).await;
    let filler = client(&ensemble, 1).await;
    fill(&filler).await;
    let http = ensemble.http(1);
    let taken = snapshot(http).await;
    change(&filler).await;
    let mut config = ClientConfig::new(ensemble.address(1).to_string().parse().unwrap());
    config.session_timeout_ms = 30_000;
    // Opened behind the snapshot: its session ends with the restore, and that is told.
    let late = zoowarden::Client::connect_with(config.clone())
        .await
        .unwrap();
    late.create("/mine", b"", CreateMode::Ephemeral)
        .await
        .unwrap();
    let with_late = snapshot(http).await;
    let (_, _, mut changed) = late.get_and_watch("/a").await.unwrap();
    late.set("/a/c", b"once more", Version::Any).await.unwrap();
    assert_eq!(restore(http, &with_late).await.status, 200);
    // `/a` is what it was when it was watched; but it might not be.
    let event = changed.next().await;
    let heard = matches!(
        &event,
        Some(WatchEvent::Changed { kind: EventKind::DataChanged, path, .. }) if path == "/a"
    );
    assert!(heard, "{event:?}");
    assert_eq!(late.get("/a/c").await.unwrap().0, &b"3"[..]);
    assert!(
        late.exists("/mine").await.unwrap().is_some(),
        "its session lives"
    );
    assert_eq!(restore(http, &taken).await.status, 200);
    until("the session is told that it is over", SOON, async || {
        let error = late.exists("/mine").await.err()?;
        (error.code() == Code::SessionExpired).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_nothing_is_restored_and_that_is_said() {
    let mut ensemble = Ensemble::start(plan(3)).await;
    let leader = ensemble.wait_for_leader(&ensemble.ids()).await;
    let before = client(&ensemble, leader).await;
    fill(&before).await;
    let taken = snapshot(ensemble.http(leader)).await;
    change(&before).await;
    for id in ensemble.ids() {
        if id != leader {
            ensemble.kill(id);
        }
    }
    let answer = restore(ensemble.http(leader), &taken).await;
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    let said = ["nothing was changed", "not currently serving requests"];
    assert!(said.iter().any(|part| error.contains(part)), "{error}");
    for id in ensemble.ids() {
        if id != leader {
            ensemble.start_server(id);
        }
    }
    for id in ensemble.ids() {
        ensemble.wait_until_serving(id).await;
        assert!(!is_filled(&ensemble, id).await, "server {id}");
    }
}

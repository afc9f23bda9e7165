//! Who is alive: the leader hears of every session, wherever its client is connected.

use std::time::Duration;

use zoowarden_tests::client::{Client, ConnectError};
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, throughout, until};

/// Of these tests' sessions; the ticks are as short, so that nothing but the timeout counts.
const TIMEOUT: Duration = Duration::from_secs(1);

async fn ensemble() -> (Ensemble, u8, u8) {
    let ensemble = Ensemble::start(Plan::of(3).set("tickTime=100")).await;
    let leader = ensemble.wait_for_leader(&ensemble.ids()).await;
    let follower = ensemble.ids().into_iter().find(|id| *id != leader);
    (ensemble, leader, follower.expect("there are three"))
}

/// Reads alone, or pings alone, on a follower keep a session; silence ends it, and it ends for
/// good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_lives_by_what_a_follower_hears_and_ends_by_silence() {
    let (ensemble, leader, follower) = ensemble().await;
    let open = async || {
        Client::open(ensemble.address(follower), TIMEOUT)
            .await
            .unwrap()
    };
    let (reading, pinging, silent) = (open().await, open().await, open().await);
    for (client, path) in [
        (&reading, "/reads"),
        (&pinging, "/pings"),
        (&silent, "/nothing"),
    ] {
        client.create(path, b"", mode::EPHEMERAL).await.unwrap();
    }
    reading.stop_pinging();
    let watcher = Client::open(ensemble.address(leader), SOON).await.unwrap();
    assert!(watcher.exists("/nothing", true).await.unwrap().is_some());
    silent.stop_pinging();
    let session = silent.session();
    throughout(TIMEOUT * 5, async || {
        let read = reading.exists("/reads", false).await;
        match read {
            Ok(Some(_)) if !pinging.is_lost() => Ok(()),
            other => Err(format!("a live session was ended: {other:?}")),
        }
    })
    .await;
    for path in ["/reads", "/pings"] {
        assert!(
            watcher.exists(path, false).await.unwrap().is_some(),
            "{path}"
        );
    }
    let event = tokio::time::timeout(SOON, watcher.notification()).await;
    assert_eq!(
        event.expect("silence ends a session").unwrap().path,
        "/nothing"
    );
    tokio::time::timeout(SOON, silent.lost())
        .await
        .expect("the connection is closed");
    let again = Client::attach(ensemble.address(follower), &session).await;
    assert!(matches!(again, Err(ConnectError::SessionGone)), "{again:?}");
}

/// A session whose client vanished with its server stays until its timeout, not shorter; a client
/// that comes back in time finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_outlives_its_connection_until_the_timeout() {
    let (ensemble, leader, follower) = ensemble().await;
    let client = Client::open(ensemble.address(follower), TIMEOUT)
        .await
        .unwrap();
    client.create("/mine", b"", mode::EPHEMERAL).await.unwrap();
    let session = client.session();
    drop(client);
    let back = until("the session is taken again", SOON, async || {
        Client::attach(ensemble.address(leader), &session)
            .await
            .ok()
    })
    .await;
    let stat = back.exists("/mine", false).await.unwrap();
    assert_eq!(stat.map(|stat| stat.ephemeral_owner), Some(session.id.0));
    assert_eq!(back.session().id, session.id);
    let wrong = zoowarden_tests::client::Session {
        password: [1; 16],
        ..session
    };
    let refused = Client::attach(ensemble.address(follower), &wrong).await;
    assert!(
        matches!(refused, Err(ConnectError::SessionGone)),
        "{refused:?}"
    );
    assert!(back.exists("/mine", false).await.unwrap().is_some());
}

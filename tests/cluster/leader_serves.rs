//! `leaderServes=no`: the leader orders writes and serves nobody.

use zoowarden_tests::client::{Client, ConnectError};
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, until};

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// The one of `among` that runs and serves nobody, once all others serve.
async fn wait_for_silent_leader(ensemble: &Ensemble, among: &[u8]) -> u8 {
    until("all but one serve", SOON, async || {
        let (mut silent, mut serving) = (Vec::new(), 0);
        for id in among {
            match ensemble.word(*id, "srvr").await.as_deref() {
                Some(NOT_SERVING) => silent.push(*id),
                Some(answer) if answer.contains("Mode: follower") => serving += 1,
                _ => {}
            }
        }
        match silent.as_slice() {
            [only] if serving + 1 == among.len() => Some(*only),
            _ => None,
        }
    })
    .await
}

/// Whoever leads closes its clients and takes no others; when it leads no longer it serves again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_serves_nobody_where_leader_serves_is_no() {
    let mut ensemble = Ensemble::prepare(Plan::of(3).set("leaderServes=no")).await;
    let all = ensemble.ids();
    for id in &all {
        ensemble.start_server(*id);
    }
    let first = wait_for_silent_leader(&ensemble, &all).await;
    let refused = Client::open(ensemble.address(first), SOON).await;
    assert!(matches!(refused, Err(ConnectError::Io(_))), "{refused:?}");
    let two = all
        .into_iter()
        .filter(|id| *id != first)
        .collect::<Vec<_>>();
    let mut clients = Vec::new();
    for id in &two {
        clients.push(Client::open(ensemble.address(*id), SOON).await.unwrap());
    }
    clients[0]
        .create("/a", b"", mode::PERSISTENT)
        .await
        .unwrap();

    ensemble.kill(first);
    let second = wait_for_silent_leader(&ensemble, &two).await;
    let (new_leaders, others): (Vec<_>, Vec<_>) =
        two.iter().zip(&clients).partition(|(id, _)| **id == second);
    new_leaders[0].1.lost().await;
    let moved = new_leaders[0].1.session();
    let other = others[0];
    other.1.create("/b", b"", mode::EPHEMERAL).await.unwrap();
    assert!(!other.1.is_lost());

    let moved = Client::attach(ensemble.address(*other.0), &moved).await;
    moved.unwrap().delete("/a", -1).await.unwrap();
    ensemble.start_server(first);
    until("the old leader serves", SOON, async || {
        Client::open(ensemble.address(first), SOON).await.ok()
    })
    .await;
}

//! Barriers and double barriers.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use zoowarden::recipes::{Barrier, DoubleBarrier, Loss};

use super::{client, ensemble, soon, until_children};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_passes_a_barrier_before_it_is_gone() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let barrier = Barrier::new(&client, "/some/barrier");
    barrier.wait().await.unwrap();
    assert!(barrier.set().await.unwrap());
    assert!(!barrier.set().await.unwrap());
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let barrier = barrier.clone();
        waiting.push(tokio::spawn(async move { barrier.wait().await }));
    }
    // Changes that leave it there let nobody pass.
    client
        .set("/some/barrier", b"x", zoowarden::Version::Any)
        .await
        .unwrap();
    client.sync("/").await.unwrap();
    assert!(waiting.iter().all(|wait| !wait.is_finished()));
    assert!(barrier.remove().await.unwrap());
    assert!(!barrier.remove().await.unwrap());
    for wait in waiting {
        soon("the way is free", wait).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_enter_and_leave_together_round_after_round() {
    const MEMBERS: u32 = 5;
    const ROUNDS: usize = 4;
    let ensemble = ensemble().await;
    // How many have entered, and how many have left, all rounds together.
    let (entered, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let arrived = AtomicUsize::new(0);
    let all = MEMBERS as usize;
    let member = async |_: u32| {
        let client = client(&ensemble).await;
        let barrier = DoubleBarrier::new(&client, "/double", MEMBERS);
        for round in 1..=ROUNDS {
            arrived.fetch_add(1, Ordering::SeqCst);
            let inside = barrier.enter().await.unwrap();
            assert!(
                arrived.load(Ordering::SeqCst) >= round * all,
                "too early in"
            );
            entered.fetch_add(1, Ordering::SeqCst);
            assert!(inside.holding().is_held());
            left.fetch_add(1, Ordering::SeqCst);
            inside.leave().await.unwrap();
            assert!(left.load(Ordering::SeqCst) >= round * all, "too early out");
        }
    };
    soon("all rounds", join_all((0..MEMBERS).map(member))).await;
    assert_eq!(entered.into_inner(), ROUNDS * all);
    let client = client(&ensemble).await;
    until_children(&client, "/double", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_session_ends_is_not_waited_for_when_leaving() {
    let ensemble = ensemble().await;
    let (one, two) = (client(&ensemble).await, client(&ensemble).await);
    let enter = |client| async move { DoubleBarrier::new(client, "/double", 2).enter().await };
    let (a, b) = soon("both inside", async {
        tokio::join!(enter(&one), enter(&two))
    })
    .await;
    let (a, b) = (a.unwrap(), b.unwrap());
    let leaves = tokio::spawn(async move { a.leave().await });
    until_gone_or_waiting(&two).await;
    assert!(!leaves.is_finished());
    ensemble.expire_session(two.session_id()).await.unwrap();
    soon("the way out", leaves).await.unwrap().unwrap();
    assert_eq!(
        soon("the loss", b.holding().lost()).await,
        Loss::SessionEnded
    );
}

/// Whoever leaves has been seen to, by its server.
async fn until_gone_or_waiting(client: &zoowarden::Client) {
    client.sync("/").await.unwrap();
}

//! Servers that listen and do not vote.

use std::time::Duration;

use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, throughout};

const WRITERS_PER_SERVER: usize = 2;
const OBSERVER: u8 = 4;

/// An observer follows, serves reads, forwards writes, and counts for no majority.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn observer_serves_and_never_votes() {
    let plan = Plan {
        observers: 1,
        ..Plan::of(3)
    };
    let mut ensemble = Ensemble::start(plan).await;
    let (all, voters) = (ensemble.ids(), [1, 2, 3]);
    assert_eq!(
        ensemble.srvr(OBSERVER, "Mode").await.as_deref(),
        Some("observer")
    );
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;

    let first = ensemble.wait_for_leader(&voters).await;
    load.expect_down(first);
    ensemble.kill(first);
    load.wait_for_progress(100).await;
    let two = voters
        .into_iter()
        .filter(|id| *id != first)
        .collect::<Vec<_>>();
    let second = ensemble.wait_for_leader(&two).await;
    let books = load.finish().await;
    books.check(ensemble.address(OBSERVER)).await;

    let client = Client::open(ensemble.address(OBSERVER), SOON)
        .await
        .unwrap();
    ensemble.kill(second);
    let mut write = Box::pin(client.create("/without-a-majority", b"", mode::PERSISTENT));
    let last = two.into_iter().find(|id| *id != second).unwrap();
    // Long enough for several elections, if an observer could win or decide one.
    throughout(Duration::from_secs(2), async || {
        for id in [last, OBSERVER] {
            let mode = ensemble.srvr(id, "Mode").await;
            if mode.as_deref() == Some("leader") {
                return Err(format!("server {id} leads without a majority"));
            }
        }
        let look = Duration::from_millis(1);
        match tokio::time::timeout(look, &mut write).await {
            Ok(answer) => Err(format!("a write was answered {answer:?}")),
            Err(_) => Ok(()),
        }
    })
    .await;

    ensemble.start_server(second);
    ensemble.wait_until_serving(second).await;
    let written = tokio::time::timeout(SOON, write).await;
    let written = written.expect("there is a majority again");
    assert_eq!(written.as_deref(), Ok("/without-a-majority"));
    assert!(!client.is_lost());
    for id in [second, last, OBSERVER] {
        books.check(ensemble.address(id)).await;
    }
}

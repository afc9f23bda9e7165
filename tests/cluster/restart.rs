//! All servers vanish at once and come back.

use std::time::Duration;

use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, until};

const ROUNDS: usize = 3;
const WRITERS_PER_SERVER: usize = 2;

/// Everything acknowledged is there, sessions are taken again and own what they owned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_ensemble_killed_at_once_keeps_writes_and_sessions() {
    let mut ensemble = Ensemble::start(Plan::of(3)).await;
    let all = ensemble.ids();
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    for _ in 0..ROUNDS {
        all.iter().for_each(|id| load.expect_down(*id));
        ensemble.kill_all();
        all.iter().for_each(|id| ensemble.start_server(*id));
        for id in &all {
            ensemble.wait_until_serving(*id).await;
            load.expect_up(*id);
        }
        load.wait_until_home(WRITERS_PER_SERVER).await;
        load.wait_for_progress(100).await;
    }
    let books = load.finish().await;
    println!("{} writes acknowledged", books.total());
    for id in all {
        books.check(ensemble.address(id)).await;
        books.check_ephemerals(ensemble.address(id)).await;
    }
}

/// After a restart of everything, an ephemeral whose session comes back stays, and one whose
/// session does not vanishes when the timeout is over, by the same change on every server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ephemeral_vanishes_with_its_session_by_the_same_change_everywhere() {
    let mut ensemble = Ensemble::start(Plan::of(3).set("tickTime=200")).await;
    let all = ensemble.ids();
    let timeout = Duration::from_secs(2);
    let staying = Client::open(ensemble.address(1), timeout).await.unwrap();
    let going = Client::open(ensemble.address(2), timeout).await.unwrap();
    staying
        .create("/staying", b"", mode::EPHEMERAL)
        .await
        .unwrap();
    going.create("/going", b"", mode::EPHEMERAL).await.unwrap();
    let (staying_session, going_session) = (staying.session(), going.session());

    ensemble.kill_all();
    drop((staying, going));
    all.iter().for_each(|id| ensemble.start_server(*id));
    for id in &all {
        ensemble.wait_until_serving(*id).await;
    }
    let back = Client::attach(ensemble.address(3), &staying_session).await;
    let back = back.expect("a restart expires nobody");
    let mut watchers = Vec::new();
    for id in &all {
        let watcher = Client::open(ensemble.address(*id), SOON).await.unwrap();
        watcher.sync().await.unwrap();
        let stat = watcher.exists("/going", true).await.unwrap();
        let owner = stat.map(|stat| stat.ephemeral_owner);
        assert_eq!(owner, Some(going_session.id.0), "server {id}");
        watchers.push(watcher);
    }
    let mut changes = Vec::new();
    for watcher in &watchers {
        let event = tokio::time::timeout(SOON, watcher.notification()).await;
        let event = event.expect("the session expires").unwrap();
        assert_eq!(event.path, "/going");
        changes.push(event.zxid);
    }
    assert_eq!(changes, vec![changes[0]; all.len()]);
    for watcher in &watchers {
        assert!(watcher.exists("/staying", false).await.unwrap().is_some());
        assert!(watcher.exists("/going", false).await.unwrap().is_none());
    }
    assert!(!back.is_lost());
    let closed = back.close().await.unwrap();
    until(
        "the other ephemeral goes with its close",
        SOON,
        async || {
            let stat = watchers[0].exists("/staying", false).await.unwrap();
            stat.is_none().then_some(())
        },
    )
    .await;
    assert!(closed > changes[0]);
}

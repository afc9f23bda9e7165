//! Leaders that stop for a while and come back believing that they lead.

use std::time::Duration;

use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, until};

const WRITERS_PER_SERVER: usize = 2;

/// Short enough to be expired by a leader that gets its time wrong.
const WITNESS_TIMEOUT: Duration = Duration::from_secs(4);

/// A new leader serves while the old one is stopped. Resumed, that one steps down, what it had
/// not got through is not executed twice, and it ends no session for the time it slept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_leader_is_replaced_and_steps_down_when_resumed() {
    let ensemble = Ensemble::start(Plan::of(3)).await;
    let all = ensemble.ids();
    let old = ensemble.wait_for_leader(&all).await;
    let others = all.iter().copied().filter(|id| *id != old);
    let others = others.collect::<Vec<_>>();
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    let mut witnesses = Vec::new();
    for id in &others {
        let client = Client::open(ensemble.address(*id), WITNESS_TIMEOUT).await;
        let client = client.unwrap();
        let path = format!("/witness-{id}");
        client.create(&path, b"", mode::EPHEMERAL).await.unwrap();
        witnesses.push((path, client));
    }

    load.take_longest_gap();
    load.expect_down(old);
    ensemble.pause(old);
    load.give_up(old);
    let new = ensemble.wait_for_leader(&others).await;
    load.wait_for_progress(200).await;
    println!(
        "{:?} without an acknowledged write",
        load.take_longest_gap()
    );

    ensemble.resume(old);
    until("the old leader follows", SOON, async || {
        let mode = ensemble.srvr(old, "Mode").await;
        (mode.as_deref() == Some("follower")).then_some(())
    })
    .await;
    assert_eq!(ensemble.leader(&all).await, Some(new));
    load.expect_up(old);
    load.wait_until_home(WRITERS_PER_SERVER).await;
    load.wait_for_progress(50).await;
    let books = load.finish().await;
    for id in all {
        books.check(ensemble.address(id)).await;
        books.check_ephemerals(ensemble.address(id)).await;
    }
    for (path, client) in &witnesses {
        let stat = client.exists(path, false).await.unwrap();
        let owner = stat.map(|stat| stat.ephemeral_owner);
        assert_eq!(owner, Some(client.session().id.0), "{path}");
    }
}

/// A leader that sleeps shorter than anybody notices, again and again, loses nothing either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_servers_stopped_at_once_for_long_expire_nobody() {
    let ensemble = Ensemble::start(Plan::of(3).set("tickTime=200")).await;
    let all = ensemble.ids();
    let timeout = Duration::from_secs(2);
    let mut clients = Vec::new();
    for id in &all {
        let client = Client::open(ensemble.address(*id), timeout).await.unwrap();
        let path = format!("/here-{id}");
        client.create(&path, b"", mode::EPHEMERAL).await.unwrap();
        clients.push((path, client));
    }
    all.iter().for_each(|id| ensemble.pause(*id));
    // The only way to let a session's timeout pass is to let it pass.
    tokio::time::sleep(timeout * 2).await;
    all.iter().for_each(|id| ensemble.resume(*id));
    ensemble.wait_for_leader(&all).await;
    for (path, client) in clients {
        let session = client.session();
        drop(client);
        let back = until(
            "the session is taken again",
            SOON,
            async || match Client::attach(ensemble.address(all[0]), &session).await {
                Ok(client) => Some(client),
                Err(zoowarden_tests::client::ConnectError::SessionGone) => {
                    panic!("the session of {path} is gone")
                }
                Err(_) => None,
            },
        )
        .await;
        assert!(back.exists(&path, false).await.unwrap().is_some(), "{path}");
    }
}

//! Ensembles that grow, shrink and move under load.

use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::Ensemble;
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, until};

use super::reconfig::{changeable, client, members, shows};

const WRITERS_PER_SERVER: usize = 2;

/// Three servers become five and then the other three, the leader of before not among them.
/// Whoever writes notices nothing, and nothing acknowledged is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ensemble_grows_and_shrinks_under_load_and_loses_nothing() {
    let mut ensemble = Ensemble::start(changeable(2)).await;
    let first = [1, 2, 3];
    let leader = ensemble.wait_for_leader(&first).await;
    let load = Load::start(&ensemble, &first, WRITERS_PER_SERVER).await;
    let admin = client(&ensemble, leader).await;
    for id in [4, 5] {
        ensemble.start_server(id);
        ensemble.wait_until_serving(id).await;
    }
    let lines = [4, 5].map(|id| ensemble.line(id, "participant")).join(",");
    let text = admin.reconfig(Some(&lines), None).await.unwrap();
    assert_eq!(members(&text), "1 2 3 4 5");
    load.wait_for_progress(100).await;

    let stays = first.into_iter().find(|id| *id != leader).unwrap();
    let leaving = first.into_iter().filter(|id| *id != stays);
    let leaving = leaving
        .map(|id| id.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let text = admin.reconfig(None, Some(&leaving)).await.unwrap();
    let now = format!("{stays} 4 5");
    assert_eq!(members(&text), now);
    load.wait_for_progress(100).await;
    let books = load.finish().await;
    println!("{} writes acknowledged", books.total());
    for id in ensemble.ids() {
        books.check(ensemble.address(id)).await;
        shows(&ensemble, id, &now).await;
    }
    // Two of the three are a quorum: those that left are not needed for it.
    for id in first.into_iter().filter(|id| *id != stays) {
        ensemble.kill(id);
    }
    ensemble.kill(5);
    let client = client(&ensemble, 4).await;
    client.create("/on", b"", mode::PERSISTENT).await.unwrap();
}

/// A new machine under the number of a dead one, with an empty disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_server_is_replaced_under_its_own_number() {
    let mut ensemble = Ensemble::start(changeable(0)).await;
    let all = [1, 2, 3];
    let dead = ensemble.wait_for_leader(&all).await;
    let rest = all.into_iter().filter(|id| *id != dead).collect::<Vec<_>>();
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    load.expect_down(dead);
    ensemble.wipe(dead);
    load.wait_for_progress(50).await;
    let admin = client(&ensemble, rest[0]).await;
    let text = admin.reconfig(None, Some(&dead.to_string())).await.unwrap();
    assert_eq!(members(&text), format!("{} {}", rest[0], rest[1]));
    ensemble.start_server(dead);
    ensemble.wait_until_serving(dead).await;
    let line = ensemble.line(dead, "participant");
    let text = admin.reconfig(Some(&line), None).await.unwrap();
    assert_eq!(members(&text), "1 2 3");
    load.expect_up(dead);
    load.wait_for_progress(50).await;
    // Its vote counts: with one of the old ones it is a quorum.
    load.expect_down(rest[1]);
    ensemble.kill(rest[1]);
    load.wait_for_progress(50).await;
    assert!(!admin.is_lost());
    let books = load.finish().await;
    for id in [dead, rest[0]] {
        books.check(ensemble.address(id)).await;
    }
}

/// Of every server in turn, the leader too: its new ports answer, connections stay, the old ports
/// are given back, and the others find it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_server_listens_where_a_reconfig_puts_it() {
    let mut ensemble = Ensemble::start(changeable(0)).await;
    let all = [1, 2, 3];
    let leader = ensemble.wait_for_leader(&all).await;
    let follower = all.into_iter().find(|id| *id != leader).unwrap();
    let third = all
        .into_iter()
        .find(|id| ![leader, follower].contains(id))
        .unwrap();
    let admin = client(&ensemble, third).await;
    for id in [follower, leader] {
        let old = [ensemble.address(id), ensemble.peer_address(id)];
        let before = client(&ensemble, id).await;
        let line = ensemble.take_other_ports(id);
        let text = admin.reconfig(Some(&line), None).await.unwrap();
        assert!(text.contains(&line), "{text}");
        ensemble.wait_until_serving(id).await;
        shows(&ensemble, id, "1 2 3").await;
        for address in old {
            until(&format!("{address} is given back"), SOON, async || {
                tokio::net::TcpStream::connect(address)
                    .await
                    .err()
                    .map(drop)
            })
            .await;
        }
        let path = format!("/from-{id}");
        before.create(&path, b"", mode::PERSISTENT).await.unwrap();
    }
    // All connections of this one are new, and without one of the others it needs the third.
    ensemble.kill(third);
    ensemble.start_server(third);
    ensemble.wait_until_serving(third).await;
    ensemble.kill(leader);
    let client = client(&ensemble, third).await;
    client
        .create("/without", b"", mode::PERSISTENT)
        .await
        .unwrap();
    // What was written into its files is where it listens after a restart.
    ensemble.start_server(leader);
    ensemble.wait_until_serving(leader).await;
    ensemble.kill(follower);
    client.create("/with", b"", mode::PERSISTENT).await.unwrap();
    let lasting = Client::open(ensemble.address(leader), SOON).await.unwrap();
    lasting.sync().await.unwrap();
}

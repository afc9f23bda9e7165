//! Ensembles for the tests of users.

use zoowarden::testing::{Ensemble, TestingError};
use zoowarden_tests::client::Client;
use zoowarden_tests::operations::{Failure, mode};
use zoowarden_tests::wait::{SOON, until};

use super::{TIMEOUT, client_over};

async fn at(ensemble: &Ensemble, server: u8) -> Client {
    let address = ensemble.client_address(server).unwrap().to_string();
    client_over(&*ensemble.net(), &address).await
}

fn others(ensemble: &Ensemble, server: u8) -> Vec<u8> {
    (1..=ensemble.servers())
        .filter(|other| *other != server)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_agree_and_have_real_ports() {
    for servers in [1, 3] {
        let ensemble = Ensemble::start(servers).await.unwrap();
        assert_eq!(
            ensemble.connect_string().split(',').count(),
            usize::from(servers)
        );
        at(&ensemble, 1)
            .await
            .create("/a", b"x", mode::PERSISTENT)
            .await
            .unwrap();
        for server in 1..=servers {
            let address = ensemble.client_address(server).unwrap();
            let client = Client::open(address, TIMEOUT).await.unwrap();
            client.sync().await.unwrap();
            assert_eq!(client.get_data("/a").await.unwrap().0, b"x");
        }
        ensemble.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_comes_back_with_what_it_had_acknowledged() {
    for servers in [1, 3] {
        let ensemble = Ensemble::start(servers).await.unwrap();
        let leader = ensemble.leader().await.unwrap();
        let client = at(&ensemble, leader).await;
        client
            .create("/a", b"kept", mode::PERSISTENT)
            .await
            .unwrap();
        ensemble.kill(leader).await.unwrap();
        client.lost().await;
        let address = ensemble.client_address(leader).unwrap();
        assert!(Client::open(address, TIMEOUT).await.is_err());
        assert!(matches!(
            ensemble.kill(leader).await,
            Err(TestingError::Down { .. })
        ));
        ensemble.restart(leader).await.unwrap();
        assert_eq!(ensemble.client_address(leader).unwrap(), address);
        let client = Client::open(address, TIMEOUT).await.unwrap();
        assert_eq!(client.get_data("/a").await.unwrap().0, b"kept");
        ensemble.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_go_on_without_a_killed_leader() {
    let ensemble = Ensemble::start(3).await.unwrap();
    let first = ensemble.leader().await.unwrap();
    let survivor = others(&ensemble, first)[0];
    let client = at(&ensemble, survivor).await;
    ensemble.kill(first).await.unwrap();
    client.create("/a", b"", mode::PERSISTENT).await.unwrap();
    assert_ne!(ensemble.leader().await.unwrap(), first);
    assert!(!client.is_lost());
    ensemble.restart(first).await.unwrap();
    let back = at(&ensemble, first).await;
    back.sync().await.unwrap();
    assert_eq!(back.get_data("/a").await.unwrap().0, b"");
    ensemble.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_leader_is_replaced_and_returns_when_healed() {
    let ensemble = Ensemble::start(3).await.unwrap();
    let first = ensemble.leader().await.unwrap();
    ensemble.isolate(first).unwrap();
    let second = ensemble.leader().await.unwrap();
    assert_ne!(second, first);
    at(&ensemble, second)
        .await
        .create("/a", b"", mode::PERSISTENT)
        .await
        .unwrap();
    ensemble.heal_all();
    let back = at(&ensemble, first).await;
    back.sync().await.unwrap();
    assert_eq!(back.get_data("/a").await.unwrap().0, b"");
    ensemble.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_between_two_followers_disturbs_nobody() {
    let ensemble = Ensemble::start(3).await.unwrap();
    let leader = ensemble.leader().await.unwrap();
    let followers = others(&ensemble, leader);
    ensemble.cut(followers[0], followers[1]).unwrap();
    for (i, follower) in followers.iter().enumerate() {
        let path = format!("/{i}");
        at(&ensemble, *follower)
            .await
            .create(&path, b"", mode::PERSISTENT)
            .await
            .unwrap();
    }
    assert_eq!(ensemble.leader().await.unwrap(), leader);
    ensemble.heal(followers[1], followers[0]).unwrap();
    assert!(ensemble.cut(leader, leader).is_err());
    assert!(ensemble.cut(leader, 9).is_err());
    ensemble.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_clients_are_ended_and_kept_out_until_healed() {
    let ensemble = Ensemble::start(3).await.unwrap();
    let address = ensemble.client_address(1).unwrap();
    let inside = at(&ensemble, 1).await;
    let outside = Client::open(address, TIMEOUT).await.unwrap();
    let elsewhere = at(&ensemble, 2).await;
    ensemble.cut_client(1).unwrap();
    inside.lost().await;
    outside.lost().await;
    assert!(Client::open(address, TIMEOUT).await.is_err());
    let net = ensemble.net();
    assert!(net.connect(&address.to_string()).await.is_err());
    elsewhere.create("/a", b"", mode::PERSISTENT).await.unwrap();
    ensemble.heal_client(1).unwrap();
    let back = Client::attach(address, &outside.session()).await.unwrap();
    back.sync().await.unwrap();
    assert_eq!(back.get_data("/a").await.unwrap().0, b"");
    ensemble.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_expires_on_every_server() {
    let ensemble = Ensemble::start(3).await.unwrap();
    let leader = ensemble.leader().await.unwrap();
    let followers = others(&ensemble, leader);
    let owner = at(&ensemble, followers[0]).await;
    owner.create("/e", b"", mode::EPHEMERAL).await.unwrap();
    ensemble.expire_session(owner.session().id).await.unwrap();
    owner.lost().await;
    let other = at(&ensemble, followers[1]).await;
    until("the ephemeral is gone", SOON, async || {
        let found = other.get_data("/e").await;
        (found == Err(Failure::Code(-101))).then_some(())
    })
    .await;
    ensemble.shutdown().await;
}

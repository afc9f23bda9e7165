//! Servers whose disk was lost, in whole or in part.

use std::path::PathBuf;

use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::mode;
use zoowarden_tests::picture::{assert_same, picture};
use zoowarden_tests::wait::{SOON, until};

const WRITERS_PER_SERVER: usize = 2;

/// A log that is purged soon: small segments, and snapshots often.
fn short_log() -> Plan {
    Plan::of(3)
        .set("preAllocSize=1024")
        .set("snapSizeLimitInKb=256")
}

/// Writes enough for several snapshots and purges.
async fn write_much(ensemble: &Ensemble, at: u8) {
    let client = Client::open(ensemble.address(at), SOON).await.unwrap();
    client.create("/much", b"", mode::PERSISTENT).await.unwrap();
    let data = vec![b'x'; 20_000];
    let pending = (0..200).map(|n| {
        let path = format!("/much/{n}");
        client.send_create(&path, &data, mode::PERSISTENT)
    });
    for pending in pending.collect::<Vec<_>>() {
        assert_eq!(pending.answer().await.unwrap().err, 0);
    }
    client.close().await.unwrap();
}

fn files(ensemble: &Ensemble, id: u8, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(ensemble.data_dir(id)).unwrap().flatten();
    let mut files = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect::<Vec<_>>();
    files.sort();
    files
}

async fn wait_for_purge(ensemble: &Ensemble, id: u8) {
    until("the beginning of the log is purged", SOON, async || {
        // Segments count from 1; a snapshot is the only way to what stood in a first one that went.
        let first = ensemble.data_dir(id).join("log.0000000000000001");
        let snapshots = files(ensemble, id, "snapshot.");
        let purged = !first.exists();
        (purged && !snapshots.is_empty()).then_some(())
    })
    .await;
}

/// A follower without anything but its `myid` gets a snapshot, votes again, and the ensemble may
/// then lose another server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wiped_follower_catches_up_by_snapshot() {
    let mut ensemble = Ensemble::start(short_log()).await;
    let all = ensemble.ids();
    let leader = ensemble.wait_for_leader(&all).await;
    let wiped = all.iter().copied().find(|id| *id != leader).unwrap();
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    write_much(&ensemble, leader).await;
    for id in &all {
        wait_for_purge(&ensemble, *id).await;
    }

    load.expect_down(wiped);
    ensemble.wipe(wiped);
    load.wait_for_progress(100).await;
    ensemble.start_server(wiped);
    ensemble.wait_until_serving(wiped).await;
    load.expect_up(wiped);
    load.wait_until_home(WRITERS_PER_SERVER).await;
    load.wait_for_progress(100).await;
    let log = ensemble.log(wiped);
    assert!(log.contains("receiving a snapshot"), "it came by the log");

    let leader = ensemble.wait_for_leader(&all).await;
    load.expect_down(leader);
    ensemble.kill(leader);
    load.wait_for_progress(100).await;
    let books = load.finish().await;
    let mut pictures = Vec::new();
    for id in ensemble.running() {
        books.check(ensemble.address(id)).await;
    }
    for id in ensemble.running() {
        let client = Client::open(ensemble.address(id), SOON).await.unwrap();
        pictures.push(picture(&client).await.unwrap());
    }
    assert_eq!(pictures.len(), 2);
    assert!(pictures[0].len() > 200);
    assert_same(&pictures[0], &pictures[1], "the wiped server and the other");
}

/// A server that belonged and finds no log does not take itself for a new one: it may have
/// acknowledged what is gone. What it advises works, with its snapshots and without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_its_log_refuses_to_start_and_says_why() {
    let mut ensemble = Ensemble::start(short_log()).await;
    let lost = ensemble.wait_for_leader(&ensemble.ids()).await;
    write_much(&ensemble, lost).await;
    wait_for_purge(&ensemble, lost).await;
    let other = ensemble.ids().into_iter().find(|id| *id != lost).unwrap();
    for prefixes in [&["log.", "free."][..], &["log.", "free.", "snapshot."]] {
        assert!(ensemble.terminate(lost).await.success());
        let lose = |ensemble: &Ensemble| {
            let lost = prefixes
                .iter()
                .flat_map(|prefix| files(ensemble, lost, prefix));
            lost.for_each(|file| std::fs::remove_file(file).unwrap());
        };
        // The first refusal must not make the second start succeed.
        for _ in 0..2 {
            lose(&ensemble);
            let before = ensemble.log(lost).len();
            ensemble.start_server(lost);
            let status = ensemble.wait_until_ended(lost).await;
            let said = ensemble.log(lost)[before..].to_owned();
            assert_eq!(status.code(), Some(1), "{said}");
            let data = ensemble.data_dir(lost).display().to_string();
            for part in ["holds no log", "`identity`", &data] {
                assert!(said.contains(part), "no word of {part} in: {said}");
            }
        }
        ensemble.start_server(lost);
        assert_eq!(ensemble.wait_until_ended(lost).await.code(), Some(1));

        let client = Client::open(ensemble.address(other), SOON).await.unwrap();
        let late = format!("/late-{}", prefixes.len());
        client.create(&late, b"", mode::PERSISTENT).await.unwrap();
        std::fs::remove_file(ensemble.data_dir(lost).join("identity")).unwrap();
        let before = ensemble.log(lost).len();
        ensemble.start_server(lost);
        ensemble.wait_until_serving(lost).await;
        let said = ensemble.log(lost)[before..].to_owned();
        assert!(said.contains("this server votes again"), "{said}");
        let client = Client::open(ensemble.address(lost), SOON).await.unwrap();
        assert_eq!(client.children("/much").await.unwrap().len(), 200);
        assert!(client.exists(&late, false).await.unwrap().is_some());
    }
}

/// A follower whose log is damaged stays out, keeps the damaged files aside, and is repaired by
/// the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follower_with_a_damaged_log_is_repaired_by_the_others() {
    let mut ensemble = Ensemble::start(Plan::of(3)).await;
    let all = ensemble.ids();
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    load.wait_for_progress(200).await;
    let leader = ensemble.wait_for_leader(&all).await;
    let damaged = all.iter().copied().find(|id| *id != leader).unwrap();
    load.expect_down(damaged);
    ensemble.kill(damaged);
    let file = files(&ensemble, damaged, "log.").remove(0);
    super::single::flip_a_byte_in_the_middle(&file);
    ensemble.start_server(damaged);
    ensemble.wait_until_serving(damaged).await;
    assert!(ensemble.data_dir(damaged).join("damaged-1").is_dir());
    let log = ensemble.log(damaged);
    assert!(log.contains("damaged"), "nothing was logged");
    load.expect_up(damaged);
    load.wait_until_home(WRITERS_PER_SERVER).await;
    load.wait_for_progress(50).await;
    let books = load.finish().await;
    for id in all {
        books.check(ensemble.address(id)).await;
    }
}

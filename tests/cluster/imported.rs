//! Ensembles that begin with data of Apache ZooKeeper.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use zoowarden::proto::Acl;
use zoowarden::storage::{Identity, RealDisk, Standing};
use zoowarden::tree::stored::{At, Creation, Rebuild, Recorded};
use zoowarden::zookeeper_files::{Format, read_directory, session_password, write_snapshot};
use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::operations::mode;
use zoowarden_tests::picture::{assert_same, picture};
use zoowarden_tests::process::binary;
use zoowarden_tests::wait::{SOON, until};

const LAST: i64 = 0x0000_0007_0000_0123;
const SESSION: i64 = 0x0100_0000_0000_0001;

/// A directory of ZooKeeper with 100 znodes below `/old` and an ephemeral of a session.
fn source(dir: &Path, data: &str) {
    let mut rebuild = Rebuild::fresh();
    let at = At {
        zxid: LAST - 1,
        time_ms: 1_500_000_000_000,
        session: SESSION,
    };
    let mut create = |path: String, owner: i64| {
        let creation = Creation {
            path,
            data: Some(data.as_bytes().to_vec()),
            acl: vec![Acl::open()],
            owner,
            parent_created: None,
            raises_parent: true,
        };
        rebuild.replay(&at, &Recorded::Create(creation)).unwrap();
    };
    create("/old".into(), 0);
    (0..100).for_each(|i| create(format!("/old/{i}"), 0));
    create("/ephemeral".into(), SESSION);
    rebuild.session(SESSION, 4_000);
    let (tree, _) = rebuild.finish(LAST, session_password).unwrap();
    let dir = dir.join("version-2");
    fs::create_dir_all(&dir).unwrap();
    let file = fs::File::create(dir.join(format!("snapshot.{LAST:x}"))).unwrap();
    write_snapshot(tree, Format::V3_8, file).unwrap();
}

fn run(ensemble: &Ensemble, id: u8, words: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(words).args(["--config", "zoo.cfg"]);
    command.current_dir(ensemble.folder(id)).output().unwrap()
}

fn import(ensemble: &Ensemble, id: u8, from: &Path) {
    let output = run(
        ensemble,
        id,
        &["import", "--from", &from.display().to_string()],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

async fn ends_saying(ensemble: &mut Ensemble, id: u8, what: &str) {
    let status = ensemble.wait_until_ended(id).await;
    let log = ensemble.log(id);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(what), "{log}");
}

/// Two of three hold the import and the third is empty; all end up with it, whoever starts first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ensemble_begins_with_the_same_import_on_a_majority() {
    let place = tempfile::tempdir().unwrap();
    source(place.path(), "value");
    let mut ensemble = Ensemble::prepare(Plan::of(3)).await;
    import(&ensemble, 1, place.path());
    import(&ensemble, 2, place.path());
    for id in [3, 1, 2] {
        ensemble.start_server(id);
    }
    let mut pictures = Vec::new();
    for id in ensemble.ids() {
        ensemble.wait_until_serving(id).await;
        let client = Client::open(ensemble.address(id), SOON).await.unwrap();
        until("the imported session expires", SOON, async || {
            let ephemeral = client.exists("/ephemeral", false).await.unwrap();
            ephemeral.is_none().then_some(())
        })
        .await;
        let stat = client.exists("/old/7", false).await.unwrap().unwrap();
        assert_eq!((stat.czxid, stat.mtime), (LAST - 1, 1_500_000_000_000));
        assert_eq!(client.children("/old").await.unwrap().len(), 100);
        let path = format!("/new-{id}");
        client.create(&path, b"", mode::PERSISTENT).await.unwrap();
        let stat = client.exists(&path, false).await.unwrap().unwrap();
        assert!(stat.czxid >> 32 > LAST >> 32, "0x{:x}", stat.czxid);
    }
    for id in ensemble.ids() {
        let client = Client::open(ensemble.address(id), SOON).await.unwrap();
        pictures.push(picture(&client).await.unwrap());
    }
    assert_same(&pictures[0], &pictures[1], "servers 1 and 2");
    assert_same(&pictures[0], &pictures[2], "servers 1 and 3");

    ensemble.kill_all();
    for id in ensemble.ids() {
        ensemble.start_server(id);
    }
    ensemble.wait_until_serving(3).await;
    let client = Client::open(ensemble.address(3), SOON).await.unwrap();
    let again = picture(&client).await.unwrap();
    assert_same(&pictures[0], &again, "before and after a restart");
}

/// What was stopped can be exported, and says what each server holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stopped_server_exports_what_was_acknowledged() {
    let mut ensemble = Ensemble::start(Plan::of(3)).await;
    let client = Client::open(ensemble.address(2), SOON).await.unwrap();
    for i in 0..50 {
        let path = format!("/n{i}");
        client.create(&path, b"x", mode::PERSISTENT).await.unwrap();
    }
    client.close().await.unwrap();
    let mut zxids = Vec::new();
    for id in ensemble.ids() {
        let refused = run(&ensemble, id, &["export", "--to", "out"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("in use"), "{said}");
    }
    for id in ensemble.ids() {
        assert!(ensemble.terminate(id).await.success());
    }
    for id in ensemble.ids() {
        let output = run(&ensemble, id, &["export", "--to", "out"]);
        assert!(output.status.success(), "{output:?}");
        let out = ensemble.folder(id).join("out");
        let loaded = read_directory(&out, &out, &Default::default(), &mut |_| {}).unwrap();
        assert_eq!(loaded.digests_compared, 1);
        let all = (0..50).all(|i| loaded.tree.stat(&format!("/n{i}")).is_some());
        zxids.push((loaded.tree.last_zxid(), all));
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(read("myid").trim(), id.to_string());
        let epoch = (loaded.tree.last_zxid().0 >> 32).to_string();
        assert_eq!(read("version-2/currentEpoch"), epoch);
        assert_eq!(read("version-2/acceptedEpoch"), epoch);
    }
    let (_, has_all) = zxids.iter().max().unwrap();
    assert!(has_all, "{zxids:?}");
}

/// A server that alone holds an import neither gives it up nor mixes it with what the others have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_beside_an_ensemble_that_began_without_it_is_refused() {
    let place = tempfile::tempdir().unwrap();
    source(place.path(), "value");
    let mut ensemble = Ensemble::prepare(Plan::of(3)).await;
    import(&ensemble, 1, place.path());
    for id in [2, 3] {
        ensemble.start_server(id);
    }
    ensemble.wait_until_serving(2).await;
    for _ in 0..2 {
        ensemble.start_server(1);
        ends_saying(&mut ensemble, 1, "did not begin with it").await;
    }
    let client = Client::open(ensemble.address(2), SOON).await.unwrap();
    assert!(client.exists("/old", false).await.unwrap().is_none());
    client.create("/new", b"", mode::PERSISTENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_with_different_imports_do_not_form_an_ensemble() {
    let place = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::prepare(Plan::of(3)).await;
    for id in [1, 2] {
        let dir = place.path().join(id.to_string());
        source(&dir, &format!("value {id}"));
        import(&ensemble, id, &dir);
        ensemble.start_server(id);
    }
    // The first to ask stops; the other then waits for a majority.
    let ended = until("one of them ends", SOON, async || {
        let told = |id: &u8| ensemble.log(*id).contains("did not begin with it");
        [1, 2].into_iter().find(told)
    })
    .await;
    ends_saying(&mut ensemble, ended, "did not begin with it").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_import_is_no_data() {
    let mut ensemble = Ensemble::prepare(Plan::of(1)).await;
    let importing = Identity {
        server_id: 0,
        standing: Standing::Importing,
    };
    importing.store(&RealDisk, &ensemble.data_dir(1)).unwrap();
    ensemble.start_server(1);
    ends_saying(&mut ensemble, 1, "did not finish").await;
    for words in [&["export", "--to", "out"][..], &["import", "--from", "x"]] {
        let output = run(&ensemble, 1, words);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    assert!(!ensemble.folder(1).join("out").exists());
}

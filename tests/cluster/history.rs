//! The change history of real servers: what operators are told, what they can put back, and that a
//! history that is gone or damaged costs nothing but itself.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use zoowarden::client::{ClientConfig, Code};
use zoowarden::proto::{Acl, Id, perms};
use zoowarden::{Client, CreateMode, CreateOptions, Version};
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::process::binary;
use zoowarden_tests::wait::{SOON, until};

const ONLY: u8 = 1;

/// Runs the binary against a server's data directory.
fn command(data_dir: &Path, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--data-dir").arg(data_dir);
        command.output().expect("the binary was built")
    })
}

fn stdout(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).expect("it prints UTF-8")
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn history(data_dir: &Path, path: &str) -> Value {
    let arguments = ["history", path, "--recursive", "--json", "--limit", "10000"];
    let answer = stdout(&command(data_dir, &arguments));
    serde_json::from_str(&answer).expect("it prints JSON")
}

/// Path and operation of every change, the oldest first.
fn story(answer: &Value) -> Vec<(String, String)> {
    let changes = answer["changes"].as_array().expect("a list of changes");
    let told = changes.iter().map(|change| {
        let part = |key: &str| change[key].as_str().expect("a text").to_owned();
        (part("path"), part("operation"))
    });
    told.collect()
}

async fn client(ensemble: &Ensemble, id: u8, auth: &[(&str, &[u8])]) -> Client {
    let hosts = ensemble.address(id).to_string();
    let auth = auth.iter().map(|(scheme, auth)| {
        let auth: Vec<u8> = auth.to_vec();
        ((*scheme).to_owned(), auth)
    });
    let config = ClientConfig {
        auth: auth.collect(),
        ..ClientConfig::new(hosts.parse().unwrap())
    };
    Client::connect_with(config).await.unwrap()
}

fn kind(mode: CreateMode, acl: &[Acl]) -> CreateOptions {
    CreateOptions {
        mode,
        acl: acl.to_vec(),
        ..CreateOptions::default()
    }
}

/// A subtree with lists, kinds and an ephemeral; gives the list of its top and the zxid at which
/// all of it is there.
async fn build(joe: &Client) -> (Vec<Acl>, i64) {
    let own = vec![
        Acl {
            perms: perms::ALL,
            id: Id::new("auth", ""),
        },
        Acl {
            perms: perms::READ,
            id: Id::new("ip", "127.0.0.1"),
        },
    ];
    let create = async |path: &str, data: &[u8], options: CreateOptions| {
        joe.create_with(path, data, &options).await.unwrap()
    };
    create("/app", b"top", kind(CreateMode::Persistent, &own)).await;
    let open = [Acl::open()];
    create("/app/jobs", b"", kind(CreateMode::Container, &open)).await;
    create(
        "/app/jobs/1",
        &[0xff, 0, 7],
        kind(CreateMode::Persistent, &open),
    )
    .await;
    create("/app/lost", b"", kind(CreateMode::Ephemeral, &open)).await;
    let set = joe.set("/app", b"good", Version::Any).await.unwrap();
    (joe.get_acl("/app").await.unwrap().0, set.mzxid)
}

async fn raze(client: &Client) {
    for path in ["/app/jobs/1", "/app/jobs", "/app/lost", "/app"] {
        client.delete(path, Version::Any).await.unwrap();
    }
}

async fn check_restored(joe: &Client, list: &[Acl]) {
    let (top, _) = joe.get("/app").await.unwrap();
    assert_eq!(&*top, b"good");
    assert_eq!(joe.get_acl("/app").await.unwrap().0, list);
    assert_eq!(&*joe.get("/app/jobs/1").await.unwrap().0, [0xff, 0, 7]);
    assert_eq!(joe.exists("/app/lost").await.unwrap(), None);
}

/// Who changed what is told by a running server and by what a stopped one leaves; a deleted
/// subtree comes back with data, lists and kinds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_subtree_is_told_of_and_put_back() {
    let mut ensemble = Ensemble::start(Plan::of(1)).await;
    let data = ensemble.data_dir(ONLY);
    let joe = client(&ensemble, ONLY, &[("digest", b"joe:secret")]).await;
    let (list, zxid) = build(&joe).await;
    raze(&joe).await;

    let answer = history(&data, "/app");
    let own = |operation: &str| ("/app".to_owned(), operation.to_owned());
    let told = story(&answer);
    assert_eq!(
        (&told[0], told.last()),
        (&own("create"), Some(&own("delete")))
    );
    assert_eq!(told.len(), 9, "{told:?}");
    let first = &answer["changes"][0];
    assert_eq!(first["address"], "127.0.0.1");
    assert!(
        first["identities"]
            .as_array()
            .unwrap()
            .contains(&"digest:joe".into())
    );
    assert!(!answer.to_string().contains("secret"));
    assert_eq!(first["after"]["acl"][0]["id"], "joe:x", "no hash is shown");
    let table = stdout(&command(&data, &["history", "/app"]));
    assert!(
        table.contains("setData") && table.contains("\"good\""),
        "{table}"
    );

    let target = format!("/app@0x{zxid:x}");
    let auth = ["--auth", "digest:joe:secret"];
    let restore = |more: &[&str]| {
        let arguments = [&["restore", &*target][..], &auth, more].concat();
        command(&data, &arguments)
    };
    let planned = stdout(&restore(&["--dry-run"]));
    assert!(
        planned.contains("create   /app/jobs (container"),
        "{planned}"
    );
    assert!(
        planned.contains("leave    /app/lost: was ephemeral"),
        "{planned}"
    );
    assert_eq!(
        joe.exists("/app").await.unwrap(),
        None,
        "a dry run changes nothing"
    );
    assert_eq!(stdout(&restore(&[])), planned);

    check_restored(&joe, &list).await;
    let again = history(&data, "/app/jobs");
    let last = again["changes"].as_array().unwrap().iter().rev();
    let made = last
        .into_iter()
        .find(|change| change["path"] == "/app/jobs")
        .unwrap();
    assert_eq!(made["after"]["kind"], "container");

    let before = story(&history(&data, "/app"));
    joe.close().await;
    assert!(ensemble.terminate(ONLY).await.success());
    let left = story(&history(&data, "/app"));
    assert_eq!(left, before, "and nothing of it is lost by a stop");
}

/// What has changed since is overwritten only by force, and then set back by ordinary writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restoring_overwrites_only_by_force() {
    let ensemble = Ensemble::start(Plan::of(1)).await;
    let data = ensemble.data_dir(ONLY);
    let client = client(&ensemble, ONLY, &[]).await;
    client
        .create("/a", b"good", CreateMode::Persistent)
        .await
        .unwrap();
    let good = client.exists("/a").await.unwrap().unwrap().mzxid;
    client.set("/a", b"bad", Version::Any).await.unwrap();
    client
        .create("/a/new", b"", CreateMode::Persistent)
        .await
        .unwrap();

    let target = format!("/a@0x{good:x}");
    let refused = refusal(&command(&data, &["restore", &target]));
    assert!(refused.contains("nothing was changed"), "{refused}");
    assert!(refused.contains("/a: has changed since"), "{refused}");
    let (data_now, _) = client.get("/a").await.unwrap();
    assert_eq!(&*data_now, b"bad");

    let done = stdout(&command(&data, &["restore", &target, "--force"]));
    assert!(done.contains("setData  /a (4 bytes)"), "{done}");
    assert!(done.contains("leave    /a/new: came later"), "{done}");
    let (data_now, stat) = client.get("/a").await.unwrap();
    assert_eq!((&*data_now, stat.version), (&b"good"[..], 2));

    let nothing = stdout(&command(&data, &["restore", "/none@0x1"]));
    assert!(nothing.contains("Nothing to restore"), "{nothing}");
    client.close().await;
}

/// Every server keeps the history of what it applied, whoever was asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_know_who_wrote_on_another_server() {
    let ensemble = Ensemble::start(Plan::of(3)).await;
    let joe = client(&ensemble, 1, &[("digest", b"joe:secret")]).await;
    joe.create("/a", b"x", CreateMode::Persistent)
        .await
        .unwrap();
    for id in ensemble.ids() {
        let data = ensemble.data_dir(id);
        let change = until("the change has come", SOON, async || {
            let answer = history(&data, "/a");
            answer["changes"].get(0).cloned()
        })
        .await;
        assert_eq!(change["address"], "127.0.0.1", "server {id}");
        assert!(change["identities"].to_string().contains("digest:joe"));
    }
    joe.close().await;
}

type Damage = fn(&Path);

/// Everything in the files of a history becomes something else.
fn rewrite(dir: &Path, change: fn(Vec<u8>) -> Vec<u8>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rewrite(&path, change);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, change(bytes)).unwrap();
        }
    }
}

fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.iter_mut().step_by(97).for_each(|byte| *byte ^= 0x55);
    bytes
}

fn truncate(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// Whatever became of the history while a server was down, it starts, serves, and keeps one anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_history_never_stops_a_server() {
    let damages: [(&str, Damage); 5] = [
        ("bytes flipped", |dir| rewrite(dir, flip)),
        ("files cut", |dir| rewrite(dir, truncate)),
        ("foreign files", |dir| rewrite(dir, |_| b"foreign".to_vec())),
        ("a file in its place", |dir| {
            std::fs::remove_dir_all(dir).unwrap();
            std::fs::write(dir, "no directory").unwrap();
        }),
        ("removed", |dir| std::fs::remove_dir_all(dir).unwrap()),
    ];
    let mut ensemble = Ensemble::start(Plan::of(1)).await;
    let data = ensemble.data_dir(ONLY);
    let first = client(&ensemble, ONLY, &[]).await;
    first
        .create("/a", b"", CreateMode::Persistent)
        .await
        .unwrap();
    for _ in 0..200 {
        first.set("/a", &[7; 1000], Version::Any).await.unwrap();
    }
    first.close().await;
    for (what, damage) in damages {
        println!("{what}");
        ensemble.terminate(ONLY).await;
        damage(&data.join("history"));
        ensemble.start_server(ONLY);
        ensemble.wait_until_serving(ONLY).await;
        let client = client(&ensemble, ONLY, &[]).await;
        client
            .set("/a", what.as_bytes(), Version::Any)
            .await
            .unwrap();
        let answer = until("the new change is told of", SOON, async || {
            let output = command(&data, &["history", "/a", "--json"]);
            let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
            let last = answer["changes"].as_array()?.last()?.clone();
            (last["after"]["value"]["text"] == what).then_some(last)
        })
        .await;
        assert_eq!(answer["operation"], "setData");
        client.close().await;
    }
}

/// A server that is killed comes back with its history, and tells where something may be missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_its_history_or_says_what_is_missing() {
    let mut ensemble = Ensemble::start(Plan::of(1)).await;
    let data = ensemble.data_dir(ONLY);
    let before = client(&ensemble, ONLY, &[]).await;
    before
        .create("/a", b"", CreateMode::Persistent)
        .await
        .unwrap();
    for _ in 0..300 {
        before.set("/a", b"x", Version::Any).await.unwrap();
    }
    ensemble.kill(ONLY);
    ensemble.start_server(ONLY);
    ensemble.wait_until_serving(ONLY).await;
    let after = client(&ensemble, ONLY, &[]).await;
    after.delete("/a", Version::Any).await.unwrap();
    let answer = until("the last change is told of", SOON, async || {
        let answer = history(&data, "/a");
        let told = story(&answer);
        (told.last()?.1 == "delete").then_some(answer)
    })
    .await;
    // Everything is in the log and is applied again, so nothing is missing here.
    assert_eq!(story(&answer).len(), 302, "{}", answer["gaps"]);
    let read = after.exists("/a").await;
    assert!(matches!(read, Ok(None)), "{read:?}");
    let gone = after.delete("/a", Version::Any).await.unwrap_err();
    assert_eq!(gone.code(), Code::NoNode);
    after.close().await;
    before.close().await;
}

//! `contract.json` by the Rust client: against ensembles of one and of three, and against the
//! ensemble that `ZOOWARDEN_CONTRACT_HOSTS` names: Apache ZooKeeper, say.
//!
//! The runners of the other languages read the same file; this one is the model of what a step
//! means.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use zoowarden::client::{Acl, AddWatchMode, EventKind, Id, Outcome, perms};
use zoowarden::testing::Ensemble;
use zoowarden::{Client, CreateMode, CreateOptions, Error, Stat, Version, WatchEvent, Watcher};

const CONTRACT: &str = include_str!("contract.json");

/// What a slow machine may take for an event.
const SOON: Duration = Duration::from_secs(30);

/// Carries out one scenario.
struct Play {
    hosts: String,
    clients: BTreeMap<String, Client>,
    watchers: BTreeMap<String, Watcher>,
}

#[tokio::test]
async fn contract_holds_with_one_server() {
    let ensemble = Ensemble::start(1).await.unwrap();
    play_all(&ensemble.connect_string()).await;
}

#[tokio::test]
async fn contract_holds_with_three_servers() {
    let ensemble = Ensemble::start(3).await.unwrap();
    play_all(&ensemble.connect_string()).await;
}

#[tokio::test]
#[ignore = "needs another ensemble: `cargo xtask contract` starts Apache ZooKeeper for it"]
async fn contract_holds_with_the_ensemble_named() {
    let hosts = std::env::var("ZOOWARDEN_CONTRACT_HOSTS").expect("names an ensemble");
    play_all(&hosts).await;
}

async fn play_all(hosts: &str) {
    let contract: Value = serde_json::from_str(CONTRACT).expect("the contract is JSON");
    let scenarios = contract["scenarios"].as_array().expect("a list");
    assert!(!scenarios.is_empty());
    let whole = Client::connect(hosts).await.expect("a server serves");
    for (number, scenario) in scenarios.iter().enumerate() {
        let name = text(&scenario["name"]);
        let root = format!("/contract-rust-{:x}-{number}", whole.session_id().0);
        whole
            .create(&root, b"", CreateMode::Persistent)
            .await
            .expect("an empty root");
        let mut play = Play {
            hosts: format!("{hosts}{root}"),
            clients: BTreeMap::new(),
            watchers: BTreeMap::new(),
        };
        for (at, step) in scenario["steps"]
            .as_array()
            .expect("a list")
            .iter()
            .enumerate()
        {
            let place = format!("{name}, step {at}: {step}");
            play.step(&place, step).await;
        }
        drop(play);
        whole
            .delete_recursive(&root)
            .await
            .expect("it can be deleted");
    }
    whole.close().await;
}

impl Play {
    async fn client(&mut self, name: &str) -> Client {
        if !self.clients.contains_key(name) {
            let client = Client::connect(&self.hosts).await.expect("a server serves");
            self.clients.insert(name.to_owned(), client);
        }
        self.clients[name].clone()
    }

    async fn step(&mut self, place: &str, step: &Value) {
        let client = self.client(step["client"].as_str().unwrap_or("a")).await;
        let expected = &step["expect"];
        let answer = match text(&step["do"]) {
            "event" => self.event(place, text(&step["name"])).await,
            "no_event" => {
                client.sync("/").await.expect(place);
                let watcher = self.watchers.get_mut(text(&step["name"])).expect(place);
                let next = futures_util::poll!(Box::pin(watcher.next()));
                let silent = matches!(
                    next,
                    std::task::Poll::Pending | std::task::Poll::Ready(None)
                );
                assert!(silent, "{place}: an event came");
                return;
            }
            "unwatch" => {
                self.watchers.remove(text(&step["name"])).expect(place);
                return;
            }
            "close" => return client.close().await,
            "watch" => self
                .watch(&client, step)
                .await
                .unwrap_or_else(|error| failed(&error)),
            "multi" => multi(&client, step).await,
            operation => operate(&client, operation, step)
                .await
                .unwrap_or_else(|error| failed(&error)),
        };
        self.compare(place, &answer, expected);
    }

    async fn event(&mut self, place: &str, name: &str) -> Value {
        let watcher = self.watchers.get_mut(name).expect(place);
        let event = tokio::time::timeout(SOON, watcher.next()).await;
        match event.unwrap_or_else(|_| panic!("{place}: no event")) {
            Some(WatchEvent::Changed { kind, path, .. }) => {
                let kind = match kind {
                    EventKind::Created => "created",
                    EventKind::Deleted => "deleted",
                    EventKind::DataChanged => "data_changed",
                    EventKind::ChildrenChanged => "children_changed",
                };
                json!({"kind": kind, "path": path})
            }
            other => panic!("{place}: {other:?}"),
        }
    }

    async fn watch(&mut self, client: &Client, step: &Value) -> Result<Value, Error> {
        let path = text(&step["path"]);
        let (answer, watcher) = match text(&step["kind"]) {
            "data" => {
                let (data, stat, watcher) = client.get_and_watch(path).await?;
                (
                    json!({"data": data_of(&data), "stat": stat_of(&stat)}),
                    watcher,
                )
            }
            "exists" => {
                let (stat, watcher) = client.exists_and_watch(path).await?;
                (existence(stat), watcher)
            }
            "children" => {
                let (names, stat, watcher) = client.get_children_and_watch(path).await?;
                (
                    json!({"children": sorted(names), "stat": stat_of(&stat)}),
                    watcher,
                )
            }
            "persistent" => (
                json!({}),
                client.watch(path, AddWatchMode::Persistent).await?,
            ),
            "recursive" => (
                json!({}),
                client
                    .watch(path, AddWatchMode::PersistentRecursive)
                    .await?,
            ),
            other => panic!("a watch of kind {other}"),
        };
        self.watchers
            .insert(text(&step["name"]).to_owned(), watcher);
        Ok(answer)
    }

    /// Everything that is expected must be there, and equal.
    fn compare(&self, place: &str, answer: &Value, expected: &Value) {
        let expected = expected
            .as_object()
            .unwrap_or_else(|| panic!("{place}: expects nothing"));
        if !expected.contains_key("error") {
            assert_eq!(answer.get("error"), None, "{place}");
        }
        for (member, wanted) in expected {
            match member.as_str() {
                "stat" => self.compare_stat(place, &answer["stat"], wanted),
                "includes" => {
                    let list = answer["ids"].as_array().expect(place);
                    assert!(list.contains(wanted), "{place}: {answer}");
                }
                "results" => {
                    let (found, wanted) = (&answer["results"], wanted.as_array().expect(place));
                    let found = found
                        .as_array()
                        .unwrap_or_else(|| panic!("{place}: {answer}"));
                    assert_eq!(found.len(), wanted.len(), "{place}: {answer}");
                    for (found, wanted) in found.iter().zip(wanted) {
                        self.compare(place, found, wanted);
                    }
                }
                member => assert_eq!(&answer[member], wanted, "{place}: {answer}"),
            }
        }
    }

    fn compare_stat(&self, place: &str, found: &Value, wanted: &Value) {
        for (field, wanted) in wanted.as_object().expect(place) {
            if field == "owner" {
                let owner = wanted
                    .as_str()
                    .map_or(0, |name| self.clients[name].session_id().0);
                assert_eq!(found["ephemeral_owner"], json!(owner), "{place}: {found}");
            } else {
                assert_eq!(&found[field], wanted, "{place}: {field} of {found}");
            }
        }
    }
}

async fn operate(client: &Client, operation: &str, step: &Value) -> Result<Value, Error> {
    let path = step["path"].as_str().unwrap_or_default();
    let version = version_of(step);
    Ok(match operation {
        "create" => {
            let options = CreateOptions {
                mode: mode_of(step),
                acl: acl_of(step).unwrap_or_else(|| vec![Acl::open()]),
                parents: false,
            };
            let created = client.create_with(path, &bytes_of(step), &options).await?;
            json!({"path": created.path, "stat": stat_of(&created.stat)})
        }
        "delete" => {
            client.delete(path, version).await?;
            json!({})
        }
        "exists" => existence(client.exists(path).await?),
        "get" => {
            let (data, stat) = client.get(path).await?;
            json!({"data": data_of(&data), "stat": stat_of(&stat)})
        }
        "set" => json!({"stat": stat_of(&client.set(path, &bytes_of(step), version).await?)}),
        "get_children" => {
            let (names, stat) = client.get_children_with(path, Default::default()).await?;
            json!({"children": sorted(names), "stat": stat_of(&stat)})
        }
        "get_acl" => {
            let (acl, stat) = client.get_acl(path).await?;
            let acl: Vec<_> = acl.iter().map(acl_entry).collect();
            json!({"acl": acl, "stat": stat_of(&stat)})
        }
        "set_acl" => {
            let acl = acl_of(step).expect("set_acl names an acl");
            json!({"stat": stat_of(&client.set_acl(path, &acl, version).await?)})
        }
        "sync" => {
            client.sync(path).await?;
            json!({})
        }
        "get_ephemerals" => json!({"paths": sorted(client.get_ephemerals(path).await?)}),
        "get_all_children_number" => json!({"count": client.get_all_children_number(path).await?}),
        "add_auth" => {
            client
                .add_auth(text(&step["scheme"]), text(&step["auth"]).as_bytes())
                .await?;
            json!({})
        }
        "who_am_i" => {
            let ids = client.who_am_i().await?;
            let ids = ids
                .iter()
                .map(|id| json!({"scheme": &*id.scheme, "id": &*id.id}));
            json!({"ids": ids.collect::<Vec<_>>()})
        }
        other => panic!("no operation is called {other}"),
    })
}

async fn multi(client: &Client, step: &Value) -> Value {
    let mut transaction = client.transaction();
    for op in step["ops"].as_array().expect("a list") {
        let path = text(&op["path"]);
        transaction = match text(&op["do"]) {
            "create" => transaction.create(path, &bytes_of(op), mode_of(op)),
            "delete" => transaction.delete(path, version_of(op)),
            "set" => transaction.set(path, &bytes_of(op), version_of(op)),
            "check" => transaction.check(path, version_of(op)),
            other => panic!("no change is called {other}"),
        };
    }
    match transaction.commit().await {
        Ok(outcomes) => {
            json!({"results": outcomes.iter().map(outcome).collect::<Vec<_>>()})
        }
        Err(failure) => json!({"error": failure.error.code().name(), "index": failure.index}),
    }
}

fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Created(path) => json!({"kind": "created", "path": path}),
        Outcome::CreatedWithStat(path, stat) => {
            json!({"kind": "created", "path": path, "stat": stat_of(stat)})
        }
        Outcome::Deleted => json!({"kind": "deleted"}),
        Outcome::Set(stat) => json!({"kind": "set", "stat": stat_of(stat)}),
        Outcome::Checked => json!({"kind": "checked"}),
        Outcome::Failed(code) => json!({"kind": "failed", "error": code.map(|code| code.name())}),
    }
}

fn failed(error: &Error) -> Value {
    json!({"error": error.code().name()})
}

fn existence(stat: Option<Stat>) -> Value {
    match stat {
        Some(stat) => json!({"exists": true, "stat": stat_of(&stat)}),
        None => json!({"exists": false}),
    }
}

fn stat_of(stat: &Stat) -> Value {
    json!({
        "czxid": stat.czxid,
        "mzxid": stat.mzxid,
        "pzxid": stat.pzxid,
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeral_owner": stat.ephemeral_owner,
        "data_length": stat.data_length,
        "num_children": stat.num_children,
    })
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} must be a text"))
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn bytes_of(step: &Value) -> Vec<u8> {
    match &step["data"] {
        Value::String(text) => text.clone().into_bytes(),
        data => {
            let hex = text(&data["hex"]);
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
            (0..hex.len()).step_by(2).map(byte).collect()
        }
    }
}

/// Text where it is text.
fn data_of(data: &[u8]) -> Value {
    let is_text = |text: &&str| !text.contains(|c: char| c.is_control());
    match std::str::from_utf8(data).ok().filter(is_text) {
        Some(text) => json!(text),
        None => json!({"hex": data.iter().map(|byte| format!("{byte:02x}")).collect::<String>()}),
    }
}

fn version_of(step: &Value) -> Version {
    step["version"]
        .as_i64()
        .map_or(Version::Any, |version| Version::Exactly(version as i32))
}

fn mode_of(step: &Value) -> CreateMode {
    match step["mode"].as_str().unwrap_or("persistent") {
        "persistent" => CreateMode::Persistent,
        "persistent_sequential" => CreateMode::PersistentSequential,
        "ephemeral" => CreateMode::Ephemeral,
        "ephemeral_sequential" => CreateMode::EphemeralSequential,
        "container" => CreateMode::Container,
        other => panic!("no mode is called {other}"),
    }
}

const LETTERS: [(char, i32); 5] = [
    ('c', perms::CREATE),
    ('d', perms::DELETE),
    ('r', perms::READ),
    ('w', perms::WRITE),
    ('a', perms::ADMIN),
];

fn acl_of(step: &Value) -> Option<Vec<Acl>> {
    let entries = step["acl"].as_array()?;
    let entry = |entry: &Value| {
        let letters = text(&entry["perms"]);
        let set = LETTERS
            .iter()
            .filter(|(letter, _)| letters.contains(*letter));
        Acl {
            perms: set.map(|(_, bit)| bit).sum(),
            id: Id::new(text(&entry["scheme"]), text(&entry["id"])),
        }
    };
    Some(entries.iter().map(entry).collect())
}

fn acl_entry(acl: &Acl) -> Value {
    let set = LETTERS.iter().filter(|(_, bit)| acl.perms & bit != 0);
    json!({
        "perms": set.map(|(letter, _)| letter).collect::<String>(),
        "scheme": &*acl.id.scheme,
        "id": &*acl.id.id,
    })
}

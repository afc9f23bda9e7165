//! A mixed fleet: members of ours and of a foreign client at the same recipes on the same paths.
//!
//! usage: `fleet ADDRESS kazoo|curator COMMAND...`, where the command starts one foreign member and
//! is given `ADDRESS TASK PATH ROUNDS [MORE]`. All members of a task begin when all are there.
//!
//! Under a lock a member reads a text, pauses, and writes it back with its letter behind it: two at
//! once would lose one's letter.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a member that fails ends its task")]

mod tasks;

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use zoowarden::{Client, CreateMode, Version};

/// A task that is not done by then hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Pause between a read and the write that depends on it.
const PAUSE: Duration = Duration::from_millis(2);

/// Where the fleet meets, and how its foreign members are started.
struct Fleet {
    address: String,
    foreign: Vec<String>,
}

/// One task: a path of its own, and those who are at it.
struct Task<'f> {
    fleet: &'f Fleet,
    path: String,
    client: Client,
    foreign: Vec<Child>,
    ours: JoinSet<()>,
    members: usize,
}

impl Fleet {
    async fn client(&self) -> Client {
        Client::connect(&self.address).await.unwrap()
    }

    async fn task(&self, name: &str) -> Task<'_> {
        let client = self.client().await;
        let path = format!("/fleet/{name}");
        client.ensure_path(&format!("{path}-gate")).await.unwrap();
        let value = format!("{path}-value");
        client
            .create(&value, b"", CreateMode::Persistent)
            .await
            .unwrap();
        Task {
            fleet: self,
            path,
            client,
            foreign: Vec::new(),
            ours: JoinSet::new(),
            members: 0,
        }
    }
}

impl Task<'_> {
    /// Starts a foreign member.
    fn foreign(&mut self, task: &str, rounds: usize, more: &str) {
        let command = &self.fleet.foreign;
        let child = Command::new(&command[0])
            .args(&command[1..])
            .args([&self.fleet.address, task, &self.path])
            .args([&rounds.to_string(), more])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        self.foreign.push(child.unwrap());
        self.members += 1;
    }

    /// Starts a member of ours, with a client of its own.
    async fn ours<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        work: impl FnOnce(Client, String) -> F + Send + 'static,
    ) {
        let (client, path) = (self.fleet.client().await, self.path.clone());
        self.members += 1;
        self.ours.spawn(async move {
            let here = format!("{path}-gate/here-");
            let mode = CreateMode::EphemeralSequential;
            client.create(&here, b"", mode).await.unwrap();
            let go = format!("{path}-gate/go");
            while client.exists(&go).await.unwrap().is_none() {
                tokio::time::sleep(PAUSE).await;
            }
            work(client.clone(), path).await;
            client.close().await;
        });
    }

    /// Lets all begin, and waits until all are done. Gives what the foreign ones printed.
    async fn run(&mut self) -> Vec<String> {
        let gate = format!("{}-gate", self.path);
        while self.client.get_children(&gate).await.unwrap().len() < self.members {
            for child in &mut self.foreign {
                assert!(
                    child.try_wait().unwrap().is_none(),
                    "a foreign member ended early"
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
        let go = format!("{gate}/go");
        self.client
            .create(&go, b"", CreateMode::Persistent)
            .await
            .unwrap();
        while let Some(done) = self.ours.join_next().await {
            done.unwrap();
        }
        let mut lines = Vec::new();
        for mut child in self.foreign.drain(..) {
            let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
            while let Some(line) = output.next_line().await.unwrap() {
                lines.push(line);
            }
            assert!(
                child.wait().await.unwrap().success(),
                "a foreign member failed"
            );
        }
        lines
    }

    /// What was appended: so many letters in all, those of both kinds mingled.
    async fn check_value(&self, letters: usize) {
        let (data, _) = self
            .client
            .get(&format!("{}-value", self.path))
            .await
            .unwrap();
        let text = String::from_utf8(data.to_vec()).unwrap();
        assert_eq!(text.len(), letters, "a letter is lost: {text}");
        assert!(
            text.contains("of") && text.contains("fo"),
            "one after the other: {text}"
        );
    }
}

/// Loses what others append at the same time.
async fn append(client: &Client, path: &str) {
    let value = format!("{path}-value");
    let (data, _) = client.get(&value).await.unwrap();
    tokio::time::sleep(PAUSE).await;
    let data = [&data[..], b"o"].concat();
    client.set(&value, &data, Version::Any).await.unwrap();
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(address), Some(kind)) = (words.next(), words.next()) else {
        eprintln!("usage: fleet ADDRESS kazoo|curator COMMAND...");
        return ExitCode::from(2);
    };
    let foreign: Vec<String> = words.collect();
    let fleet: &'static Fleet = Box::leak(Box::new(Fleet { address, foreign }));
    let (mut passed, mut failed) = (0, 0);
    for (name, task) in tasks::of(&kind, fleet) {
        let outcome = tokio::time::timeout(PATIENCE, tokio::spawn(task)).await;
        let what = match outcome {
            Ok(Ok(())) => {
                println!("ok {name}");
                passed += 1;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not done after {PATIENCE:?}"),
        };
        println!("FAILED {name}: {what}");
        failed += 1;
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

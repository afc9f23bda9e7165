//! What the change history costs: writes per second of a server with it, as a share of one without.
//!
//! Three servers in this process, one client each way, in turns: a round of one is followed by a
//! round of the next, so that what else the machine does falls on all of them alike. `off` keeps no
//! history; `on` is the default, which above its rate only counts; `all` takes every change,
//! whatever the rate.

use std::time::{Duration, Instant};

use zoowarden::node::{Node, NodeConfig, Storage};
use zoowarden::{Client, CreateMode, Version};

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(1500);
const DATA: [u8; 100] = [7; 100];

/// Connections, and requests of each in flight.
const LOADS: [(usize, usize); 3] = [(64, 16), (8, 1), (1, 1)];

struct Subject {
    name: &'static str,
    node: Node,
    clients: Vec<Client>,
    _dir: tempfile::TempDir,
}

async fn subject(name: &'static str, enabled: bool, entries_per_second_max: u32) -> Subject {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut config = NodeConfig {
        storage: Storage::Durable(dir.path().to_owned()),
        ..NodeConfig::default()
    };
    config.other.history.enabled = enabled;
    config.other.history.entries_per_second_max = entries_per_second_max;
    let node = Node::start(config).await.expect("it starts");
    let mut clients = Vec::new();
    for number in 0..LOADS[0].0 {
        let client = node.client();
        let path = format!("/znode-{number}");
        let created = client.create(&path, &DATA, CreateMode::Persistent).await;
        created.expect("a fresh tree has no such znode");
        clients.push(client);
    }
    Subject {
        name,
        node,
        clients,
        _dir: dir,
    }
}

/// Writes per second of one round.
async fn round(subject: &Subject, (connections, in_flight): (usize, usize)) -> f64 {
    let begin = Instant::now();
    let mut writers = Vec::new();
    for (number, client) in subject.clients.iter().take(connections).enumerate() {
        for _ in 0..in_flight {
            let (client, path) = (client.clone(), format!("/znode-{number}"));
            writers.push(tokio::spawn(async move {
                let mut count = 0;
                while begin.elapsed() < ROUND {
                    let set = client.set(&path, &DATA, Version::Any).await;
                    set.expect("the server takes writes");
                    count += 1;
                }
                count
            }));
        }
    }
    let mut count = 0;
    for writer in writers {
        count += writer.await.expect("a writer ends");
    }
    f64::from(count) / begin.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let subjects = [
        subject("off", false, 1).await,
        subject("on", true, 2_000).await,
        subject("all", true, i32::MAX as u32).await,
    ];
    for load in LOADS {
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for (subject, rates) in subjects.iter().zip(&mut rates) {
                rates.push(round(subject, load).await);
            }
        }
        println!("{} connections x {} in flight:", load.0, load.1);
        // Of rounds side by side, so that a slow moment of the machine counts for both.
        let off = rates[0].clone();
        for (subject, rates) in subjects.iter().zip(rates) {
            let ratios = rates
                .iter()
                .zip(&off)
                .map(|(rate, off)| rate / off)
                .collect();
            let (name, ratio) = (subject.name, median(ratios));
            println!(
                "  {name:4} {:8.0} writes/s  {ratio:.3} of off",
                median(rates)
            );
        }
    }
    for subject in subjects {
        if let Some(history) = subject.node.history() {
            println!("{}: {:?}", subject.name, history.stats());
        }
        for client in &subject.clients {
            client.close().await;
        }
        subject.node.shutdown().await;
    }
}

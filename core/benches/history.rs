//! What the change history costs: writes per second of a server with it, as a share of one without.
//!
//! Three servers in this process, two in turns, each first as often as the other: a round of one is followed by a
//! round of the next, so that what else the machine does falls on all of them alike. `off` keeps no
//! history; `on` is the default, which above its rate only counts; `all` takes every change,
//! whatever the rate.

use std::time::{Duration, Instant};

use zoowarden::node::{Node, NodeConfig, Storage};
use zoowarden::{Client, CreateMode, Version};

const ROUNDS: usize = 10;
const ROUND: Duration = Duration::from_millis(700);

/// What one server still does after its round is not to be counted for the next one.
const SETTLE: Duration = Duration::from_millis(200);
const DATA: [u8; 100] = [7; 100];

/// Connections, and requests of each in flight.
const LOADS: [(usize, usize); 2] = [(64, 16), (8, 1)];

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

/// Processor time of this process so far, seconds: what a busy machine does not change.
fn cpu_s() -> f64 {
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything: user and system time are the 12th and 13th.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks = ticks.filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_S
}

/// Writes per second of one round, and writes per second of processor time.
async fn round(subject: &Subject, (connections, in_flight): (usize, usize)) -> (f64, f64) {
    let (begin, cpu) = (Instant::now(), cpu_s());
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
    let count = f64::from(count);
    (
        count / begin.elapsed().as_secs_f64(),
        count / (cpu_s() - cpu).max(0.01),
    )
}

/// The median of a list, and of its ratios to another one round by round, so that a slow moment of
/// the machine counts for both.
fn compare(rates: &[f64], off: &[f64]) -> (f64, f64) {
    let ratios = rates.iter().zip(off).map(|(rate, off)| rate / off);
    (median(rates.to_vec()), median(ratios.collect()))
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
        println!("{} connections x {} in flight:", load.0, load.1);
        for subject in &subjects[1..] {
            let pair = [&subjects[0], subject];
            let mut rates = [const { Vec::new() }; 2];
            for number in 0..2 * ROUNDS {
                // off on, on off, off on, ...
                let which = (number / 2 + number) % 2;
                rates[which].push(round(pair[which], load).await);
                tokio::time::sleep(SETTLE).await;
            }
            let [off, with] =
                rates.map(|rounds| -> (Vec<f64>, Vec<f64>) { rounds.into_iter().unzip() });
            let (rate, ratio) = compare(&with.0, &off.0);
            let (per_cpu, cpu_ratio) = compare(&with.1, &off.1);
            println!(
                "  {:4} {rate:8.0} writes/s, {ratio:.3} of off ({:.0}); \
                 {per_cpu:8.0} per second of processor time, {cpu_ratio:.3} of off",
                subject.name,
                median(off.0),
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

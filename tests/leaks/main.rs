//! However a node ends, it takes everything with it.
//!
//! One test in a process of its own: it counts what the whole process holds.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is a test, the functions it is made of included"
)]

use std::fs::read_dir;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use zoowarden::node::{Node, NodeConfig, Storage};
use zoowarden::testing::Ensemble;
use zoowarden_tests::client::Client;
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, until};

/// Longer than the test takes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Blocking threads of the runtime: they stay for a while, so there must be few to count them.
const BLOCKING_THREADS: usize = 2;

/// What a process has of what can leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holdings {
    tasks: usize,
    log_threads: usize,
    descriptors: usize,
    listening: usize,
}

/// The log's threads are named; those of the runtime and of the test harness are not ours.
fn log_threads() -> usize {
    let threads = read_dir("/proc/self/task").unwrap().flatten();
    let names = threads.map(|thread| std::fs::read_to_string(thread.path().join("comm")));
    names
        .filter(|name| {
            name.as_ref()
                .is_ok_and(|name| name.starts_with("zoowarden-"))
        })
        .count()
}

/// Sockets of this process that listen.
fn listening() -> usize {
    let files = read_dir("/proc/self/fd").unwrap().flatten();
    let sockets: Vec<_> = files
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?;
            Some(inode.trim_end_matches(']').to_owned())
        })
        .collect();
    let listening = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.get(3) == Some(&"0A")
            && fields
                .get(9)
                .is_some_and(|inode| sockets.iter().any(|socket| socket == inode))
    };
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
    let tables = tables.map(|table| std::fs::read_to_string(table).unwrap_or_default());
    tables
        .iter()
        .flat_map(|table| table.lines())
        .filter(listening)
        .count()
}

fn holdings() -> Holdings {
    Holdings {
        tasks: Handle::current().metrics().num_alive_tasks(),
        log_threads: log_threads(),
        descriptors: read_dir("/proc/self/fd").unwrap().count(),
        listening: listening(),
    }
}

/// What there is when every node has gone. A dropped node is cleared away a moment later, and a
/// task that was aborted ends at its next turn.
async fn at_rest() -> Holdings {
    until("no task and no log is left", SOON, async || {
        let now = holdings();
        (now.tasks == 0 && now.log_threads == 0).then_some(now)
    })
    .await
}

/// Waits until nothing is left of what came since `before`.
async fn gone_since(before: Holdings) {
    let what = format!("only {before:?} is left");
    until(&what, SOON, async || (holdings() == before).then_some(())).await;
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .unwrap()
}

async fn used(node: Node) -> Node {
    let inside = Client::open_over(&*node.net(), &node.connect_string(), TIMEOUT)
        .await
        .unwrap();
    inside.create("/a", b"x", mode::EPHEMERAL).await.unwrap();
    let outside = Client::open(node.client_address().unwrap(), TIMEOUT)
        .await
        .unwrap();
    assert!(outside.create("/a", b"", mode::PERSISTENT).await.is_err());
    node
}

async fn cycles(count: usize, end: impl AsyncFn(Node)) {
    // The first one makes what stays: threads of the runtime, descriptors of its timers.
    end(used(Node::start(NodeConfig::default()).await.unwrap()).await).await;
    let before = at_rest().await;
    for _ in 0..count {
        end(Node::start(NodeConfig::default()).await.unwrap()).await;
    }
    end(used(Node::start(NodeConfig::default()).await.unwrap()).await).await;
    gone_since(before).await;
}

#[test]
fn nothing_is_left_of_a_thousand_nodes_however_they_end() {
    let runtime = runtime();
    runtime.block_on(async {
        cycles(1000, async |node| node.shutdown().await).await;
        cycles(200, async |node| drop(node)).await;
        half_started().await;
        durable().await;
        ensembles().await;
    });
}

async fn half_started() {
    let before = at_rest().await;
    for polls in 0..50 {
        let mut starting = Box::pin(Node::start(NodeConfig::default()));
        for _ in 0..polls {
            tokio::select! {
                biased;
                _ = &mut starting => break,
                () = tokio::task::yield_now() => {}
            }
        }
    }
    gone_since(before).await;
}

async fn durable() {
    let dir = tempfile::tempdir().unwrap();
    let before = at_rest().await;
    for _ in 0..20 {
        let config = NodeConfig {
            storage: Storage::Durable(dir.path().join("data")),
            ..NodeConfig::default()
        };
        // The one before may still be on its way out of the directory.
        let node = until("the directory is free", SOON, async || {
            Node::start(config.clone()).await.ok()
        })
        .await;
        drop(node);
    }
    gone_since(before).await;
}

async fn ensembles() {
    let before = at_rest().await;
    for _ in 0..10 {
        let ensemble = Ensemble::start(3).await.unwrap();
        ensemble
            .kill(ensemble.leader().await.unwrap())
            .await
            .unwrap();
        ensemble.shutdown().await;
    }
    drop(Ensemble::start(3).await.unwrap());
    gone_since(before).await;
}

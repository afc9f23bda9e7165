//! What a node in memory takes and leaves.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zoowarden::node::{Node, NodeConfig};
use zoowarden::server::four_letter::WordList;
use zoowarden_tests::operations::mode;

use super::client;

/// Changes of one small znode.
const CHANGES: usize = 500_000;

/// Requests on their way at once.
const WINDOW: usize = 1_000;

/// What the log of a node in memory may take, with its snapshot, its spare segments and what the
/// allocator keeps; half of what is written, and far more than what is seen (90 MiB).
const GROWTH_BYTES_MAX: u64 = 256 << 20;

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_of_one_znode_do_not_fill_the_memory() {
    let node = Node::start(NodeConfig::default()).await.unwrap();
    let client = client(&node).await;
    client.create("/a", b"", mode::PERSISTENT).await.unwrap();
    let before = resident_bytes();
    let data = [7; 1000];
    let mut most = before;
    for _ in 0..CHANGES / WINDOW {
        let pending: Vec<_> = (0..WINDOW)
            .map(|_| client.send_set_data("/a", &data, -1))
            .collect();
        for answer in pending {
            assert_eq!(answer.answer().await.unwrap().err, 0);
        }
        most = most.max(resident_bytes());
    }
    println!(
        "resident: {} MiB before, {} MiB at most",
        before >> 20,
        most >> 20
    );
    assert!(most < before + GROWTH_BYTES_MAX, "{before} {most}");
    node.shutdown().await;
}

#[tokio::test]
async fn a_node_in_memory_creates_no_directory() {
    let node = Node::start(NodeConfig {
        four_letter_words: WordList::All,
        ..NodeConfig::default()
    })
    .await
    .unwrap();
    client(&node)
        .await
        .create("/a", b"", mode::PERSISTENT)
        .await
        .unwrap();
    let mut stream = node.net().connect("").await.unwrap();
    stream.writer.write_all(b"conf").await.unwrap();
    let mut conf = String::new();
    stream.reader.read_to_string(&mut conf).await.unwrap();
    let dir = conf.lines().find_map(|line| line.strip_prefix("dataDir="));
    let dir = Path::new(dir.unwrap());
    assert!(dir.is_absolute() && !dir.exists(), "{dir:?}");
    node.shutdown().await;
    assert!(!dir.exists(), "{dir:?}");
}

//! What a node in memory takes and leaves.

use zoowarden::node::{Node, NodeConfig};
use zoowarden_tests::operations::mode;

use super::client;

/// Changes of one small znode.
const CHANGES: usize = 500_000;

/// Requests on their way at once.
const WINDOW: usize = 1_000;

/// What the log of a node in memory may take, with its snapshot, its spare segments and what the
/// allocator keeps; without an end it would take five times as much.
const GROWTH_BYTES_MAX: u64 = 128 << 20;

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

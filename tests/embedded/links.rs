//! Connections that never leave the process.

use zoowarden::node::{Node, NodeConfig};
use zoowarden_tests::operations::mode;

use super::{client, client_over};

fn without_a_port() -> NodeConfig {
    NodeConfig {
        client_address: None,
        ..NodeConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let node = Node::start(without_a_port()).await.unwrap();
    assert_eq!(node.client_address(), None);
    let client = client(&node).await;
    client.create("/a", b"", mode::PERSISTENT).await.unwrap();
    // More than the pipe holds, both ways.
    let data = vec![7; 50_000];
    let mut pending = Vec::new();
    for version in 0..200 {
        pending.push(client.send_set_data("/a", &data, version));
        pending.push(client.send_get_data("/a", false));
    }
    for answer in pending {
        assert_eq!(answer.answer().await.unwrap().err, 0);
    }
    assert_eq!(client.violation(), None);
    node.shutdown().await;
}

#[tokio::test]
async fn any_address_leads_to_the_node_as_long_as_there_is_one() {
    let node = Node::start(without_a_port()).await.unwrap();
    let net = node.net();
    let client = client_over(&*net, "elsewhere.example:1").await;
    client.create("/a", b"", mode::PERSISTENT).await.unwrap();
    node.shutdown().await;
    client.lost().await;
    let refused = net.connect("elsewhere.example:1").await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let node = Node::start(NodeConfig::default()).await.unwrap();
    let (first, second) = (client(&node).await, client(&node).await);
    let session = first.session();
    drop(first);
    // The session outlives its connection, and may come back on another kind of connection.
    let address = node.client_address().unwrap();
    let back = zoowarden_tests::client::Client::attach(address, &session)
        .await
        .unwrap();
    back.create("/e", b"", mode::EPHEMERAL).await.unwrap();
    assert_eq!(second.get_data("/e").await.unwrap().0, b"");
    node.shutdown().await;
}

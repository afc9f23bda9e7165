//! One node, or several in one process: what they keep and whom they disturb.

use std::net::TcpListener;
use std::path::Path;

use zoowarden::CreateMode;
use zoowarden::node::{Node, NodeConfig, Storage};
use zoowarden::proto::ServerId;
use zoowarden::server::config::{Ensemble, HostPort};
use zoowarden::server::{ExpireError, StartError};
use zoowarden_tests::client::Client;
use zoowarden_tests::operations::{Failure, mode};
use zoowarden_tests::wait::{SOON, until};

use super::{TIMEOUT, client};

fn durable(dir: &Path) -> NodeConfig {
    NodeConfig {
        storage: Storage::Durable(dir.to_owned()),
        ..NodeConfig::default()
    }
}

#[tokio::test]
async fn a_single_node_serves_when_it_has_started() {
    let node = Node::start(NodeConfig::default()).await.unwrap();
    assert!(node.is_leader());
    assert_eq!((node.leader(), node.data_dir()), (None, None));
    let address = node.client_address().unwrap();
    assert_ne!(address.port(), 0);
    assert_eq!(node.connect_string(), address.to_string());
    let client = Client::open(address, TIMEOUT).await.unwrap();
    client.create("/a", b"x", mode::PERSISTENT).await.unwrap();
    node.shutdown().await;
    client.lost().await;
}

#[tokio::test]
async fn a_node_without_a_port_serves_a_client_of_its_own() {
    let inside = NodeConfig {
        client_address: None,
        ..NodeConfig::default()
    };
    let node = Node::start(inside).await.unwrap();
    let client = node.client();
    client
        .create("/a", b"x", CreateMode::Ephemeral)
        .await
        .unwrap();
    assert_eq!(&client.get("/a").await.unwrap().0[..], b"x");
    client.close().await;
    node.shutdown().await;
}

#[tokio::test]
async fn nodes_of_one_process_do_not_disturb_each_other() {
    let one = Node::start(NodeConfig::default()).await.unwrap();
    let two = Node::start(NodeConfig::default()).await.unwrap();
    let (at_one, at_two) = (client(&one).await, client(&two).await);
    at_one.create("/a", b"1", mode::PERSISTENT).await.unwrap();
    at_two.create("/a", b"2", mode::PERSISTENT).await.unwrap();
    one.shutdown().await;
    at_one.lost().await;
    assert_eq!(at_two.get_data("/a").await.unwrap().0, b"2");
    two.shutdown().await;
}

#[tokio::test]
async fn a_durable_node_comes_back_with_its_data() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(durable(&dir.path().join("data")))
        .await
        .unwrap();
    assert!(node.data_dir().unwrap().is_absolute());
    let before = client(&node).await;
    before
        .create("/a", b"kept", mode::PERSISTENT)
        .await
        .unwrap();
    node.shutdown().await;
    let node = Node::start(durable(&dir.path().join("data")))
        .await
        .unwrap();
    assert_eq!(client(&node).await.get_data("/a").await.unwrap().0, b"kept");
    node.shutdown().await;
}

#[tokio::test]
async fn a_dropped_durable_node_has_kept_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(durable(dir.path())).await.unwrap();
    let before = client(&node).await;
    before
        .create("/a", b"kept", mode::PERSISTENT)
        .await
        .unwrap();
    drop(node);
    let node = until("the directory is free", SOON, async || {
        Node::start(durable(dir.path())).await.ok()
    })
    .await;
    assert_eq!(client(&node).await.get_data("/a").await.unwrap().0, b"kept");
    node.shutdown().await;
}

#[test]
fn a_node_that_outlives_its_runtime_gives_its_directory_back() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let node = runtime.block_on(Node::start(durable(dir.path()))).unwrap();
        drop(runtime);
        drop(node);
    }
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(durable(dir.path())).await.unwrap();
    let error = Node::start(durable(dir.path())).await.unwrap_err();
    assert!(matches!(error, StartError::Lock(_)), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()));
    client(&node)
        .await
        .create("/a", b"", mode::PERSISTENT)
        .await
        .unwrap();
    node.shutdown().await;
}

#[tokio::test]
async fn a_taken_port_is_refused() {
    let node = Node::start(NodeConfig::default()).await.unwrap();
    let config = NodeConfig {
        client_address: node.client_address().map(HostPort::from),
        ..NodeConfig::default()
    };
    let error = Node::start(config).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
    node.shutdown().await;
}

/// Three members as three programs would start them, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn members_on_ports_of_their_own_agree() {
    let held: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let ports = held.iter().map(|port| port.local_addr().unwrap());
    let voters: Vec<_> = (1..).map(ServerId).zip(ports.map(HostPort::from)).collect();
    drop(held);
    let mut nodes = Vec::new();
    for (id, _) in &voters {
        let config = NodeConfig {
            ensemble: Some(Ensemble::of(*id, voters.clone())),
            ..NodeConfig::default()
        };
        nodes.push(Node::start(config).await.unwrap());
    }
    for node in &nodes {
        node.ready().await.unwrap();
    }
    let at_first = client(&nodes[0]).await;
    at_first.create("/a", b"x", mode::PERSISTENT).await.unwrap();
    for node in &nodes {
        let client = client(node).await;
        client.sync().await.unwrap();
        assert_eq!(client.get_data("/a").await.unwrap().0, b"x");
        assert!(node.leader().is_some());
    }
    for node in nodes {
        node.shutdown().await;
    }
}

#[tokio::test]
async fn an_expired_session_takes_its_ephemerals_along() {
    let node = Node::start(NodeConfig::default()).await.unwrap();
    let (owner, other) = (client(&node).await, client(&node).await);
    owner.create("/e", b"", mode::EPHEMERAL).await.unwrap();
    let session = owner.session().id;
    node.expire_session(session).await.unwrap();
    assert_eq!(other.get_data("/e").await.unwrap_err(), Failure::Code(-101));
    owner.lost().await;
    let again = node.expire_session(session).await;
    assert_eq!(again, Err(ExpireError::NoSuchSession { session }));
    node.shutdown().await;
}

/// Its tasks are ended in any order then, and none may keep its thread.
#[test]
fn a_runtime_may_end_under_a_node() {
    for _ in 0..100 {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let node = runtime.block_on(async {
            let node = Node::start(NodeConfig::default()).await.unwrap();
            let client = client(&node).await;
            client.create("/a", b"", mode::PERSISTENT).await.unwrap();
            node
        });
        drop(node);
        drop(runtime);
    }
}

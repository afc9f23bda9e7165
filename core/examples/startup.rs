use std::time::Instant;
use zoowarden::node::{Node, NodeConfig};
use zoowarden::testing::Ensemble;
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    for round in 0..6 {
        let t = Instant::now();
        let node = Node::start(NodeConfig::default()).await.unwrap();
        let up = t.elapsed();
        let t = Instant::now();
        node.shutdown().await;
        println!("single {round}: start {up:?} stop {:?}", t.elapsed());
    }
    for round in 0..6 {
        let t = Instant::now();
        let e = Ensemble::start(3).await.unwrap();
        let up = t.elapsed();
        let t = Instant::now();
        e.shutdown().await;
        println!("three {round}: start {up:?} stop {:?}", t.elapsed());
    }
}

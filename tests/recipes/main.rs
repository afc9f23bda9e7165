//! Recipes against ensembles in this process: what they promise when all is well, when connections
//! and sessions are lost, and when their users change their minds.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "what is not there fails the test, at the line that asked for it"
)]

mod barriers;
mod caches;
mod counters;
mod elections;
mod groups;
mod line;
mod locks;
mod losses;
mod queues;
mod semaphores;

use std::sync::Arc;
use std::time::Duration;

use zoowarden::client::{ClientConfig, OnExpiry};
use zoowarden::testing::Ensemble;
use zoowarden::{Client, ConnectString};
use zoowarden_tests::wait;

use line::Line;

/// What a slow machine may take for something that takes a fast one a moment.
const SOON: Duration = Duration::from_secs(60);

async fn ensemble() -> Ensemble {
    Ensemble::start(1).await.unwrap()
}

fn config(ensemble: &Ensemble) -> ClientConfig {
    let hosts: ConnectString = ensemble.connect_string().parse().unwrap();
    let mut config = ClientConfig::new(hosts);
    config.net = ensemble.net();
    config
}

async fn client(ensemble: &Ensemble) -> Client {
    Client::connect_with(config(ensemble)).await.unwrap()
}

async fn renewing_client(ensemble: &Ensemble) -> Client {
    let mut config = config(ensemble);
    config.on_expiry = OnExpiry::Renew;
    Client::connect_with(config).await.unwrap()
}

/// A client whose line to the servers can be cut.
async fn client_on(line: &Arc<Line>, ensemble: &Ensemble) -> Client {
    let mut config = config(ensemble);
    config.net = Arc::clone(line) as _;
    Client::connect_with(config).await.unwrap()
}

/// Gives a future its time, and no more.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Waits until a znode has this number of children.
async fn until_children(client: &Client, path: &str, count: usize) {
    wait::until(
        &format!("{path} has {count} children"),
        SOON,
        async || match client.get_children(path).await {
            Ok(children) => (children.len() == count).then_some(()),
            Err(_) => (count == 0).then_some(()),
        },
    )
    .await;
}

/// Polls a future so many times; `None` if it has not ended by then, and is dropped.
async fn give_up_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
            std::task::Poll::Pending => std::task::Poll::Ready(None),
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        }
    })
    .await
}

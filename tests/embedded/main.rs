//! Servers inside this process: what is promised to a program that embeds one.
//!
//! What lives here: what a node keeps and what it does not, connections inside the process, and the
//! ensembles that tests of users run on. What does not: what a server answers, which is
//! `conformance`, and what an ended node leaves behind, which is `leaks`.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, the functions they share included"
)]

mod ensembles;
mod links;
mod memory;
mod nodes;

use std::time::Duration;

use zoowarden::environment::Net;
use zoowarden::node::Node;
use zoowarden_tests::client::Client;

/// Longer than any test takes, so that no session ends by itself.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A client inside the process.
async fn client(node: &Node) -> Client {
    client_over(&*node.net(), &node.connect_string()).await
}

async fn client_over(net: &dyn Net, address: &str) -> Client {
    let opened = Client::open_over(net, address, TIMEOUT).await;
    opened.unwrap_or_else(|error| panic!("no client of {address}: {error}"))
}

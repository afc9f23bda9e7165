//! The client against ensembles in this process: what it promises when all is well, and when
//! servers die, sessions expire and connections are cut.

#![forbid(unsafe_code)]

mod operations;
mod order;
mod recovery;
mod sasl;
mod secure;
mod watchers;

use std::time::Duration;

use zoowarden::client::{ClientConfig, OnExpiry, State};
use zoowarden::testing::Ensemble;
use zoowarden::{Client, ConnectString};

/// What a slow machine may take for something that takes a fast one a moment.
const SOON: Duration = Duration::from_secs(30);

async fn ensemble(servers: u8) -> Ensemble {
    Ensemble::start(servers).await.expect("an ensemble starts")
}

fn config(ensemble: &Ensemble) -> ClientConfig {
    let hosts: ConnectString = ensemble.connect_string().parse().expect("a connect string");
    ClientConfig::new(hosts)
}

async fn client(ensemble: &Ensemble) -> Client {
    Client::connect_with(config(ensemble))
        .await
        .expect("a server serves")
}

async fn renewing_client(ensemble: &Ensemble) -> Client {
    let mut config = config(ensemble);
    config.on_expiry = OnExpiry::Renew;
    Client::connect_with(config).await.expect("a server serves")
}

/// Waits for a state.
async fn reach(client: &Client, wanted: State) {
    let mut states = client.states();
    let reached = states.wait_for(|state| *state == wanted);
    let reached = tokio::time::timeout(SOON, reached).await;
    reached
        .unwrap_or_else(|_| panic!("waited for {wanted}, it is {}", client.state()))
        .expect("the client lives");
}

/// Waits for another connection than the one there is now. A state in between may be over before
/// anybody looks, so what counts is that there was a change.
fn moves(client: &Client) -> impl Future<Output = ()> + use<> {
    let mut states = client.states();
    states.mark_unchanged();
    async move {
        let moved = async {
            states.changed().await.expect("the client lives");
            let connected = states.wait_for(|state| state.is_connected()).await;
            drop(connected.expect("the client lives"));
        };
        soon("another connection", moved).await;
    }
}

/// Gives a future its time, and no more.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

//! Read indexes for `sync`: one round at a time, and everybody who asked before it began is in it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::proto::ConnectionId;
use crate::raft::Leadership;
use crate::server::Shared;

/// Pause before a round that found no leader is repeated.
pub(crate) const RETRY: Duration = Duration::from_millis(5);

/// Most connections that share a round.
const ROUND_MAX: usize = 10_000;

/// Runs until the server stops.
pub(crate) async fn run(shared: Arc<Shared>, mut asking: mpsc::UnboundedReceiver<ConnectionId>) {
    let mut waiting = Vec::new();
    loop {
        if asking.recv_many(&mut waiting, ROUND_MAX).await == 0 {
            return;
        }
        while !shared.consensus.catch_up().await {
            if shared.consensus.leadership() == Leadership::Stopped {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
        for id in waiting.drain(..) {
            if let Some(connection) = shared.replica.connection(id) {
                shared.replica.synced(&connection);
            }
        }
    }
}

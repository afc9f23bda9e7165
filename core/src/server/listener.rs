//! Accepts clients.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::environment::Listener;
use crate::metrics::Count;
use crate::server::config::Transport;
use crate::server::{Shared, connection};

/// Pause after an accept that failed, so that a full table of descriptors is not a busy loop.
const RETRY: Duration = Duration::from_millis(100);

/// Accepts until it is aborted, which ends the connections too.
pub(crate) async fn run(shared: Arc<Shared>, listener: Box<dyn Listener>, transport: Transport) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => match shared.limits.admit(stream.peer.ip().to_canonical()) {
                    Ok(place) => {
                        connections.spawn(connection::serve(
                            Arc::clone(&shared),
                            stream,
                            transport,
                            place,
                        ));
                    }
                    Err(refusal) => {
                        shared.replica.metrics().count(Count::ConnectionsRejected);
                        let now_ms = shared.clock.monotonic_ms();
                        if let Some(unsaid) = shared.limits.notice.due(now_ms) {
                            tracing::warn!(peer = %stream.peer, unsaid, "client refused: {refusal}");
                        }
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client");
                    tokio::time::sleep(RETRY).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

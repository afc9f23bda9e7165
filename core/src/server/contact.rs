//! Who was heard of: reports touched sessions to the leader, and ends connections that are silent
//! or that this server can no longer vouch for.

use std::sync::Arc;
use std::time::Duration;

use crate::replica::Ending;
use crate::server::Shared;

/// Runs until the server stops: every half tick.
pub(crate) async fn run(shared: Arc<Shared>) {
    let half_tick = Duration::from_millis(u64::from((shared.config.tick_ms / 2).max(1)));
    let mut reported = Vec::new();
    let mut reported_ms = 0;
    loop {
        tokio::time::sleep(half_tick).await;
        // A report that no leader has answered may be lost, and with it somebody's only sign.
        let unanswered = shared.consensus.contact_ms() < reported_ms;
        let mut touched = if unanswered { reported } else { Vec::new() };
        let now_ms = shared.clock.monotonic_ms();
        let contact_age_ms = now_ms.saturating_sub(shared.consensus.contact_ms());
        for connection in shared.replica.connections() {
            let timeout_ms = u64::try_from(connection.timeout_ms()).unwrap_or(0);
            if timeout_ms == 0 {
                continue;
            }
            if connection.take_touched() {
                touched.push(connection.session());
            }
            // ZooKeeper's selector rounds up to the next bucket, one tick wide.
            let silent_max_ms = timeout_ms + u64::from(shared.config.tick_ms);
            let heard_ms = connection
                .heard_ms
                .load(std::sync::atomic::Ordering::Relaxed);
            if now_ms.saturating_sub(heard_ms) > silent_max_ms {
                connection.end(Ending::Silent);
            }
            // The session may be over by now, and its client must not believe otherwise.
            if contact_age_ms > timeout_ms * 2 / 3 {
                connection.end(Ending::NoLeader);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        reported_ms = now_ms;
        reported = touched.clone();
        shared.consensus.report_touched(touched, now_ms);
    }
}

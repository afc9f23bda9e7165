//! Who was heard of: reports touched sessions to the leader, and ends connections that are silent
//! or that this server can no longer vouch for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::proto::SessionId;
use crate::replica::{Access, Ending};
use crate::server::Shared;

/// Runs until the server stops: every half tick.
pub(crate) async fn run(shared: Arc<Shared>) {
    let half_tick = Duration::from_millis(u64::from((shared.config.tick_ms / 2).max(1)));
    let patience = Patience {
        tick_ms: u64::from(shared.config.tick_ms),
        handshake_ms: u64::from(shared.config.sessionless_cnxn_timeout_ms),
    };
    let mut reported = Vec::new();
    let mut reported_ms = 0;
    loop {
        tokio::time::sleep(half_tick).await;
        // A report that no leader has answered may be lost, and with it somebody's only sign.
        let unanswered = shared.consensus.contact_ms() < reported_ms;
        let mut touched = if unanswered { reported } else { Vec::new() };
        let now_ms = shared.clock.monotonic_ms();
        let contact_ms = shared.consensus.contact_ms();
        for connection in shared.replica.connections() {
            if connection.session() != SessionId(0) && connection.take_touched() {
                touched.push(connection.session());
            }
            let heard_ms = connection.heard_ms.load(Ordering::Relaxed);
            let silence_ms = now_ms.saturating_sub(heard_ms);
            // Without a quorum, that is what it was accepted for.
            let contact_ms = match connection.access() {
                Access::ReadWrite => contact_ms,
                Access::ReadOnly => now_ms,
            };
            let vouched_ms = contact_ms.max(connection.attached_ms.load(Ordering::Relaxed));
            let contact_age_ms = now_ms.saturating_sub(vouched_ms);
            if let Some(ending) = verdict(
                &patience,
                connection.timeout_ms(),
                silence_ms,
                contact_age_ms,
            ) {
                connection.end(ending);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        shared.replica.touch_local(&mut touched, now_ms);
        shared.replica.expire_local(now_ms);
        reported_ms = now_ms;
        reported = touched.clone();
        shared.consensus.report_touched(touched, now_ms);
    }
}

/// How long things may take.
struct Patience {
    tick_ms: u64,
    handshake_ms: u64,
}

/// Whether a connection must end: it was silent for `silence_ms`, and `contact_age_ms` ago it was
/// attached or, if that is later, the leader was in contact.
fn verdict(
    patience: &Patience,
    timeout_ms: i32,
    silence_ms: u64,
    contact_age_ms: u64,
) -> Option<Ending> {
    let Ok(timeout_ms @ 1..) = u64::try_from(timeout_ms) else {
        // No leader has taken its handshake, and its client may be gone unnoticed.
        return (silence_ms > patience.handshake_ms).then_some(Ending::NoLeader);
    };
    // ZooKeeper's selector rounds up to the next bucket, one tick wide.
    if silence_ms > timeout_ms + patience.tick_ms {
        return Some(Ending::Silent);
    }
    // The session may be over by now, and its client must not believe otherwise. Contact is renewed
    // every half tick, so with less than a tick a short timeout would end in good health.
    let contact_max_ms = (timeout_ms * 2 / 3).max(patience.tick_ms);
    (contact_age_ms > contact_max_ms).then_some(Ending::NoLeader)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        tick_ms: 2000,
        handshake_ms: 10_000,
    };

    #[test]
    fn a_handshake_that_no_leader_takes_ends() {
        assert_eq!(verdict(&PATIENCE, 0, 10_000, 60_000), None);
        assert_eq!(verdict(&PATIENCE, 0, 10_001, 0), Some(Ending::NoLeader));
    }

    #[test]
    fn a_connection_ends_when_its_client_or_the_leader_is_silent_for_too_long() {
        for (timeout_ms, silence_ms, contact_age_ms, ending) in [
            (6000, 8000, 4000, None),
            (6000, 8001, 0, Some(Ending::Silent)),
            (6000, 0, 4001, Some(Ending::NoLeader)),
            (500, 0, 1100, None),
            (500, 0, 2001, Some(Ending::NoLeader)),
        ] {
            assert_eq!(
                verdict(&PATIENCE, timeout_ms, silence_ms, contact_age_ms),
                ending,
                "{timeout_ms} {silence_ms} {contact_age_ms}"
            );
        }
    }
}

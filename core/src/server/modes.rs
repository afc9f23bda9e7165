//! What this server does for clients at the moment: everything, reads only, or nothing.
//!
//! ```text
//!   Nothing ──caught up──▶ ReadWrite ──no contact with a quorum──▶ ReadOnly ──contact──▶ ReadWrite
//!      └──────────────── no contact with a quorum ───────────────────▲
//!   ReadWrite ──leads, leaderServes=no──▶ Nothing ──leads no longer──▶ ReadWrite
//! ```
//!
//! Read-only mode is for servers with `readonlymode.enabled` in an ensemble. It begins when no
//! leader with a quorum was heard of for a tick and, beyond that, for two seconds, or another tick
//! if that is longer, as in ZooKeeper. Both ends of it close all connections: a session belongs to one of the two.
//!
//! Invariant: a connection is of the service that was given when it was taken in. Whoever takes
//! one in asks again afterwards; whoever changes the service ends the connections after that. So
//! none falls between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::raft::Leadership;
use crate::replica::{Access, Ending};
use crate::server::Shared;
use crate::server::config::Config;

/// The least time that an election gets, once contact with a quorum is overdue.
const LEAST_MS: u64 = 2000;

/// Between two looks at the quorum.
const LOOK: Duration = Duration::from_millis(50);

/// A look that comes this late says that the process slept: silence during that is nobody's.
const ASLEEP_MS: u64 = 1000;

/// What is done for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Nothing, yet or at the moment.
    Nothing,
    /// Reads, for clients that asked for no more.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

/// The modes of one server.
#[derive(Debug)]
pub(crate) struct Modes {
    read_only_enabled: bool,
    leader_serves: bool,
    read_only: AtomicBool,
}

impl Modes {
    pub(crate) fn new(config: &Config) -> Modes {
        let ensemble = config.ensemble.is_some();
        Modes {
            read_only_enabled: ensemble && config.read_only_mode_enabled,
            leader_serves: !ensemble || config.leader_serves,
            read_only: AtomicBool::new(false),
        }
    }
}

impl Shared {
    /// What clients get at the moment.
    pub(crate) fn service(&self) -> Service {
        if self.modes.read_only.load(Ordering::SeqCst) {
            return Service::ReadOnly;
        }
        let leads = || matches!(self.consensus.leadership(), Leadership::Mine { .. });
        if !*self.serving.borrow() || (!self.modes.leader_serves && leads()) {
            return Service::Nothing;
        }
        Service::ReadWrite
    }

    /// Whether no quorum was heard of for longer than an election takes. A session that takes no
    /// quorum to open must not hide that from its client.
    pub(crate) fn is_out_of_touch(&self) -> bool {
        let now_ms = self.clock.monotonic_ms();
        let silence_ms = now_ms.saturating_sub(self.consensus.contact_ms());
        silence_ms > patience_ms(&self.config)
    }

    /// Whether clients are served in some way.
    pub(crate) fn is_serving(&self) -> bool {
        self.service() != Service::Nothing
    }
}

/// Runs until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    tokio::join!(watch_quorum(&shared), watch_leadership(&shared));
}

/// Contact is renewed every half tick; it is overdue when two reports in a row were not answered,
/// and only then does the time begin that an election may take.
fn patience_ms(config: &Config) -> u64 {
    let tick_ms = u64::from(config.tick_ms);
    LEAST_MS.max(tick_ms) + tick_ms
}

/// Begins and ends read-only mode.
async fn watch_quorum(shared: &Shared) {
    if !shared.modes.read_only_enabled {
        return;
    }
    let patience_ms = patience_ms(&shared.config);
    let mut silence = Silence::new(shared.clock.monotonic_ms());
    loop {
        tokio::time::sleep(LOOK).await;
        let now_ms = shared.clock.monotonic_ms();
        let lost = silence.look(now_ms, shared.consensus.contact_ms()) > patience_ms;
        let read_only = shared.modes.read_only.load(Ordering::SeqCst);
        if lost && !read_only {
            tracing::warn!("no quorum: serving reads to clients that asked for no more");
            shared.modes.read_only.store(true, Ordering::SeqCst);
            let ending = Ending::QuorumLost;
            shared.replica.end_access(Access::ReadWrite, ending);
        }
        // Caught up first, so that nobody goes back in time.
        if !lost && read_only && shared.consensus.catch_up().await {
            tracing::info!("there is a quorum again: read-only service ends");
            shared.modes.read_only.store(false, Ordering::SeqCst);
            let ending = Ending::QuorumFound;
            shared.replica.end_access(Access::ReadOnly, ending);
        }
    }
}

/// Ends the clients of a server that begins to lead and then serves none.
async fn watch_leadership(shared: &Shared) {
    if shared.modes.leader_serves {
        return;
    }
    let mut leadership = shared.consensus.watch_leadership();
    loop {
        if let Leadership::Mine { .. } = *leadership.borrow_and_update() {
            shared.replica.end_access(Access::ReadWrite, Ending::Leads);
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}

/// How long no quorum was heard of while this process was awake.
#[derive(Debug)]
struct Silence {
    looked_ms: u64,
    awake_ms: u64,
}

impl Silence {
    fn new(now_ms: u64) -> Silence {
        Silence {
            looked_ms: now_ms,
            awake_ms: now_ms,
        }
    }

    /// `contact_ms` is when a quorum was heard of last; gives milliseconds.
    fn look(&mut self, now_ms: u64, contact_ms: u64) -> u64 {
        if now_ms.saturating_sub(self.looked_ms) > ASLEEP_MS {
            self.awake_ms = now_ms;
        }
        self.looked_ms = now_ms;
        now_ms.saturating_sub(contact_ms.max(self.awake_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_last_contact_and_not_while_asleep() {
        let mut silence = Silence::new(1000);
        assert_eq!(silence.look(1500, 0), 500, "begins with the process");
        assert_eq!(silence.look(2000, 1900), 100);
        assert_eq!(silence.look(2900, 1900), 1000);
        assert_eq!(silence.look(60_000, 1900), 0, "slept");
        assert_eq!(silence.look(60_700, 1900), 700);
        assert_eq!(silence.look(60_800, 60_750), 50);
    }
}

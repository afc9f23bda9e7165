//! What only a leader does: expires sessions, reaps containers and TTL znodes, admits observers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::proto::SessionId;
use crate::raft::Leadership;
use crate::server::Shared;
use crate::server::config::ContainerSettings;
use crate::session::Expiry;
use crate::tree::Draft;

/// Runs until the server stops; does something only while this server leads.
pub(crate) async fn run(shared: Arc<Shared>, mut heard: mpsc::UnboundedReceiver<Vec<SessionId>>) {
    let mut leadership = shared.consensus.watch_leadership();
    loop {
        let now = *leadership.borrow_and_update();
        if let Leadership::Mine { term } = now {
            tracing::info!(term, "leading");
            tokio::select! {
                () = lead(&shared, &mut heard) => {}
                _ = leadership.wait_for(|later| *later != now) => {}
            }
            tracing::info!(term, "no longer leading");
        } else {
            tokio::select! {
                changed = leadership.changed() => if changed.is_err() { return },
                // Touches of an earlier leadership mean nothing.
                Some(_) = heard.recv() => {}
            }
        }
    }
}

async fn lead(shared: &Arc<Shared>, heard: &mut mpsc::UnboundedReceiver<Vec<SessionId>>) {
    let tick_ms = u64::from(shared.config.tick_ms.max(1));
    let mut expiry = Expiry::new(tick_ms, shared.clock.monotonic_ms());
    let mut tick = tokio::time::interval(Duration::from_millis(tick_ms));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reaper = Reaper::new(&shared.config.container);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                expire(shared, &mut expiry);
                // Again and again: a leader that was just elected may be refused.
                shared.consensus.admit_observers().await;
            }
            Some(sessions) = heard.recv() => touch(shared, &mut expiry, &sessions),
            () = reaper.step(shared) => {}
        }
    }
}

fn touch(shared: &Shared, expiry: &mut Expiry, touched: &[SessionId]) {
    let now_ms = shared.clock.monotonic_ms();
    let tree = shared.replica.tree();
    for id in touched {
        if let Some(session) = tree.sessions().get(id) {
            expiry.touch(*id, session, now_ms);
        }
    }
}

fn expire(shared: &Shared, expiry: &mut Expiry) {
    // A leader that has lost its quorum may be deposed; it must not end anybody.
    if !shared.consensus.quorum_is_fresh() {
        return;
    }
    let tree = shared.replica.view();
    let overdue = expiry.tick(tree.sessions().iter(), shared.clock.monotonic_ms());
    for (session, origin) in overdue {
        tracing::info!(%session, "session expired");
        shared
            .consensus
            .propose_draft(&Draft::Expire { session, origin });
    }
}

/// Removals of containers and TTL znodes that are due, a few a minute at most. What changes meanwhile
/// is found out when the removal is applied.
struct Reaper {
    due: VecDeque<String>,
    look: Interval,
    pace: Interval,
}

impl Reaper {
    fn new(settings: &ContainerSettings) -> Reaper {
        let look = Duration::from_millis(u64::from(settings.check_interval_ms.max(1)));
        let pace = 60_000 / u64::from(settings.per_minute_max.max(1));
        Reaper {
            due: VecDeque::new(),
            look: every(look),
            pace: every(Duration::from_millis(pace.max(1))),
        }
    }

    /// Waits for the next step and takes it. Safe to cancel.
    async fn step(&mut self, shared: &Shared) {
        if self.due.is_empty() {
            self.look.tick().await;
            let never_used_ms = shared.config.container.never_used_interval_ms_max;
            let never_used_ms = never_used_ms.map_or(0, i64::from);
            let now_ms = shared.clock.wall_ms();
            self.due = shared.replica.view().reapable(now_ms, never_used_ms).into();
            return;
        }
        self.pace.tick().await;
        if let Some(path) = self.due.pop_front() {
            shared.consensus.propose_draft(&Draft::Reap { path: &path });
        }
    }
}

/// Ticks that begin one period from now and are not made up for.
fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

//! What only a leader does: expires sessions, reaps containers and TTL znodes, sees to the
//! members of the ensemble.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::metrics::Count;
use crate::proto::SessionId;
use crate::raft::Leadership;
use crate::server::console::Leading;
use crate::server::sync::RETRY;
use crate::server::{ExpireError, Shared};
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
                () = lead(&shared, term, &mut heard) => {}
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

async fn lead(
    shared: &Arc<Shared>,
    term: u64,
    heard: &mut mpsc::UnboundedReceiver<Vec<SessionId>>,
) {
    let configuring = shared.consensus.lead_configuration(term);
    tokio::pin!(configuring);
    let tick_ms = u64::from(shared.config.tick_ms.max(1));
    let now_ms = shared.clock.monotonic_ms();
    let leading = shared.console.lead(Expiry::new(tick_ms, now_ms), now_ms);
    let mut tick = tokio::time::interval(Duration::from_millis(tick_ms));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reaper = Reaper::new(shared);
    loop {
        tokio::select! {
            never = &mut configuring => match never {},
            _ = tick.tick() => {
                // A touch that is here already counts, however late this task gets its turn.
                while let Ok(sessions) = heard.try_recv() {
                    touch(shared, &leading, &sessions);
                }
                expire(shared, &leading);
            }
            Some(sessions) = heard.recv() => touch(shared, &leading, &sessions),
            () = tokio::time::sleep_until(reaper.next) => reaper.go_on(shared),
        }
    }
}

fn touch(shared: &Shared, leading: &Leading<'_>, touched: &[SessionId]) {
    let now_ms = shared.clock.monotonic_ms();
    let tree = shared.replica.tree();
    let mut expiry = leading.expiry();
    for id in touched {
        if let Some(session) = tree.sessions().get(id) {
            expiry.touch(*id, session, now_ms);
        }
    }
}

fn expire(shared: &Shared, leading: &Leading<'_>) {
    // A leader that has lost its quorum may be deposed; it must not end anybody.
    if !shared.consensus.quorum_is_fresh() {
        return;
    }
    let tree = shared.replica.view();
    let overdue = leading
        .expiry()
        .tick(tree.sessions().iter(), shared.clock.monotonic_ms());
    for (session, origin) in overdue {
        tracing::info!(%session, "session expired");
        shared.replica.metrics().count(Count::SessionsExpired);
        shared
            .consensus
            .propose_draft(&Draft::Expire { session, origin });
    }
}

/// Expires one session whatever its deadline, from whichever server. One that attaches anew while
/// that is under way is expired there.
pub(crate) async fn expire_now(shared: &Shared, session: SessionId) -> Result<(), ExpireError> {
    while !shared.consensus.catch_up().await {
        if shared.consensus.leadership() == Leadership::Stopped {
            return Err(ExpireError::Stopped { session });
        }
        tokio::time::sleep(RETRY).await;
    }
    let origin = |shared: &Shared| {
        let tree = shared.replica.tree();
        tree.sessions().get(&session).map(|session| session.origin)
    };
    let mut applied = shared.consensus.watch_applied();
    let mut asked = None;
    loop {
        applied.mark_unchanged();
        match (origin(shared), asked) {
            (None, None) => return Err(ExpireError::NoSuchSession { session }),
            (None, Some(_)) => return Ok(()),
            (Some(now), asked_of) if asked_of != Some(now) => {
                asked = Some(now);
                let draft = Draft::Expire {
                    session,
                    origin: now,
                };
                shared.consensus.propose_draft(&draft);
            }
            (Some(_), _) => {}
        }
        if applied.changed().await.is_err() {
            return Err(ExpireError::Stopped { session });
        }
    }
}

/// Proposes the removal of containers and TTL znodes that are due, a few a minute at most. What
/// changes meanwhile is found out when the removal is applied.
struct Reaper {
    /// Between two searches.
    check: Duration,
    /// Between two removals.
    pause: Duration,
    /// Found by the last search, not removed yet.
    due: VecDeque<String>,
    /// When to go on.
    next: Instant,
}

impl Reaper {
    fn new(shared: &Shared) -> Reaper {
        let settings = &shared.config.container;
        let check = Duration::from_millis(u64::from(settings.check_interval_ms.max(1)));
        Reaper {
            check,
            pause: Duration::from_millis(60_000 / u64::from(settings.per_minute_max.max(1))),
            due: VecDeque::new(),
            next: Instant::now() + check,
        }
    }

    /// Takes one step, and never waits: sessions expire in the same loop.
    fn go_on(&mut self, shared: &Shared) {
        if self.due.is_empty() {
            let never_used_ms = shared.config.container.never_used_interval_ms_max;
            let never_used_ms = never_used_ms.map_or(0, i64::from);
            let view = shared.replica.view();
            self.due = view.reapable(shared.clock.wall_ms(), never_used_ms).into();
        }
        if let Some(path) = self.due.pop_front() {
            let reap = Draft::Reap { path: &path };
            shared.consensus.propose_draft(&reap);
        }
        let wait = if self.due.is_empty() {
            self.check
        } else {
            self.pause
        };
        self.next = Instant::now() + wait;
    }
}

//! What a committed batch does here: changes the tree, fills outboxes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::proto::{
    Code, EventKind, Malformed, OpCode, PASSWORD_BYTES, Reply, SessionId, Zxid, perms,
};
use crate::replica::connection::State;
use crate::replica::{APPLY_CHUNK, Connection, Ending, Replica, Seen};
use crate::session::Origin;
use crate::tree::{
    Admission, Answering, Applied, Batch, Draft, Event, Exceeded, Lane, SessionChange, Tracing,
    Tree, acl,
};

/// Least time between two lines of the log about quotas, microseconds.
const QUOTA_NOTICE_US: u64 = 1_000_000;

/// How far this server's own lane came by a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The number of the last draft of this server that is done.
    pub done: Option<u64>,
    /// A draft of this server was refused because one before it is missing: all that are not done
    /// must be sent again.
    pub gap: bool,
    /// How many of its proposals were carried out.
    pub executed: u64,
    /// A life of this server with a greater boot has been at work: this one must open a lane
    /// behind it, or nothing it proposes is ever executed.
    pub superseded: Option<u64>,
}

/// What one proposal came to, until the outboxes have it.
struct Outcome {
    applied: Applied,
    /// The connection of this server that waits for the answer.
    waiting: Option<Arc<Connection>>,
}

impl Replica {
    /// Carries out a committed batch of a leader of `term`. `now_us` is this server's clock, for
    /// latencies only.
    ///
    /// Malformed batches do not come from a leader of this version; the server must stop rather
    /// than skip one, so the error is the caller's to be fatal about.
    pub fn apply(&self, term: u64, batch: &Batch, now_us: u64) -> Result<Progress, Malformed> {
        let own = self.lane();
        let stamp_ms = batch.stamp_ms()?;
        let mut progress = Progress::default();
        let mut woken = Vec::new();
        let mut proposals = batch.proposals().peekable();
        while proposals.peek().is_some() {
            let mut tree = self.tree.write();
            for proposal in proposals.by_ref().take(APPLY_CHUNK) {
                let (lane, number, draft) = proposal?;
                if lane.server == own.server && lane.boot > own.boot {
                    progress.superseded = Some(lane.boot);
                }
                match tree.admit(lane, number) {
                    Admission::Next => {
                        let at = At {
                            term,
                            stamp_ms,
                            lane,
                            number,
                            now_us,
                        };
                        self.execute(&mut tree, own, &at, &draft, &mut woken);
                        progress.executed += 1;
                        if lane == own {
                            progress.done = Some(number);
                        }
                    }
                    Admission::Repeat => {}
                    Admission::Gap => progress.gap |= lane == own,
                }
            }
            drop(tree);
            woken.sort_by_key(|connection: &Arc<Connection>| connection.id());
            woken.dedup_by_key(|connection| connection.id());
            for connection in woken.drain(..) {
                connection.wake.notify_one();
            }
        }
        Ok(progress)
    }

    fn execute(
        &self,
        tree: &mut Tree,
        own: Lane,
        at: &At,
        draft: &Draft<'_>,
        woken: &mut Vec<Arc<Connection>>,
    ) {
        let waiting = if at.lane == own {
            self.waiting(draft)
        } else {
            None
        };
        if let Some(connection) = &waiting {
            self.run_reads_before_write(tree, connection, at.now_us);
        }
        let (before, zxid_before) = (tree.configuration().stage(), tree.last_zxid());
        let tracing = self.tracing(at.now_us, tree.last_zxid());
        let (lane, number) = (at.lane, at.number);
        let mut applied = tree.apply_traced(at.term, at.stamp_ms, lane, number, draft, tracing);
        if tree.configuration().stage() != before {
            self.reconfigured.send_modify(|changes| *changes += 1);
        }
        if applied.session == SessionChange::Replaced {
            self.follow_replacement(zxid_before, applied.zxid, woken);
            return;
        }
        self.count_applied(tree, draft, &applied);
        self.tell_witnesses(at, own, draft, waiting.as_deref(), &mut applied);
        for event in &applied.events {
            self.deliver(&applied, event, woken);
        }
        if at.lane == own {
            self.tell_of_quotas(tree, &applied, at.now_us);
        }
        let mut outcome = Outcome { applied, waiting };
        if let Draft::Upgrade { session, .. } = draft
            && at.lane == own
        {
            // All servers know it from here on, or its id was taken and its next write ends it.
            self.local.lock().close(*session);
        }
        self.answer_whom_it_concerns(own, at, draft, &mut outcome);
        self.follow_session(own, draft, &outcome, woken);
        woken.extend(outcome.waiting);
    }

    /// The tree is another one, and no event tells what is different: every connection ends before
    /// anybody can read, and its client comes back to its session if that is there.
    fn follow_replacement(&self, before: Zxid, now: Zxid, woken: &mut Vec<Arc<Connection>>) {
        tracing::warn!(zxid = %now, "everything was replaced by a restore");
        for connection in self.connections() {
            connection.lock().end(Ending::Restored);
            woken.push(connection);
        }
        for witness in &self.witnesses {
            witness.skipped(before, now);
        }
        self.forget_digests();
    }

    /// The result of a reconfig comes with another proposal than the reconfig's own.
    fn answer_whom_it_concerns(
        &self,
        own: Lane,
        at: &At,
        draft: &Draft<'_>,
        outcome: &mut Outcome,
    ) {
        match &outcome.applied.answering {
            Answering::Asker => self.answer(at, draft, outcome),
            Answering::Earlier(asker) if asker.origin.server == own.server => {
                outcome.waiting = self.connection(asker.origin.connection);
                if let Some(connection) = &outcome.waiting {
                    self.answer_write(at, connection, &outcome.applied);
                }
            }
            Answering::Nobody | Answering::Earlier(_) => {}
        }
    }

    fn tracing(&self, now_us: u64, last: Zxid) -> Tracing {
        let all = self.witnesses.iter();
        let wanted = all.map(|witness| witness.tracing(now_us, last));
        wanted.fold(Tracing::OFF, Tracing::max)
    }

    fn tell_witnesses(
        &self,
        at: &At,
        own: Lane,
        draft: &Draft<'_>,
        waiting: Option<&Connection>,
        applied: &mut Applied,
    ) {
        if self.witnesses.is_empty() {
            return;
        }
        let earlier = match &applied.answering {
            Answering::Earlier(asker) if asker.origin.server == own.server => {
                self.connection(asker.origin.connection)
            }
            _ => None,
        };
        for witness in &self.witnesses {
            witness.saw(&mut Seen {
                stamp_ms: at.stamp_ms,
                server: own.server,
                lane: at.lane,
                client: earlier.as_deref().or(waiting),
                draft,
                applied,
            });
        }
    }

    /// Tells the operator of a quota that a client of this server has exceeded; once a second at
    /// most.
    fn tell_of_quotas(&self, tree: &Tree, applied: &Applied, now_us: u64) {
        let grown =
            |event: &&Event| matches!(event.kind, EventKind::Created | EventKind::DataChanged);
        for event in applied.events.iter().filter(grown) {
            let Some(exceeded) = tree.exceeded_quota(&event.path) else {
                continue;
            };
            let told_us = self.quota_told_us.load(Ordering::Relaxed);
            if told_us != 0 && now_us < told_us + QUOTA_NOTICE_US {
                return;
            }
            self.quota_told_us.store(now_us.max(1), Ordering::Relaxed);
            let Exceeded {
                path,
                what,
                limit,
                usage,
            } = exceeded;
            tracing::warn!(path, what, limit, usage, "quota exceeded");
        }
    }

    /// Whose request a draft of this server is.
    fn waiting(&self, draft: &Draft<'_>) -> Option<Arc<Connection>> {
        match draft {
            Draft::Open { connection, .. }
            | Draft::Attach { connection, .. }
            | Draft::Request { connection, .. }
            | Draft::Refused { connection, .. } => self.connection(*connection),
            Draft::Upgrade { .. }
            | Draft::Expire { .. }
            | Draft::Reap { .. }
            | Draft::State { .. }
            | Draft::Settle { .. }
            | Draft::Piece { .. }
            | Draft::Replace { .. } => None,
        }
    }

    fn answer(&self, at: &At, draft: &Draft<'_>, outcome: &Outcome) {
        let Some(connection) = &outcome.waiting else {
            return;
        };
        match draft {
            Draft::Open {
                session,
                password,
                timeout_ms,
                ..
            } => {
                let shown = (*session, &password[..], *timeout_ms);
                self.metrics.opened_session();
                answer_handshake(at, connection, outcome, shown);
            }
            Draft::Attach {
                session,
                password,
                timeout_ms,
                ..
            } => {
                let shown = (*session, &password[..], *timeout_ms);
                answer_handshake(at, connection, outcome, shown);
            }
            Draft::Request { .. } | Draft::Refused { .. } => {
                self.count_refusal(draft, &outcome.applied);
                self.answer_write(at, connection, &outcome.applied);
            }
            Draft::Upgrade { .. }
            | Draft::Expire { .. }
            | Draft::Reap { .. }
            | Draft::State { .. }
            | Draft::Settle { .. }
            | Draft::Piece { .. }
            | Draft::Replace { .. } => {}
        }
    }

    fn answer_write(&self, at: &At, connection: &Connection, applied: &Applied) {
        let mut state = connection.lock();
        let Some(written) = state.pipeline.written() else {
            return;
        };
        self.answered(written.large_bytes);
        match &applied.result {
            // A server tells a moved or dead session by closing, without a reply.
            Err(Code::SessionMoved) => state.end(Ending::SessionMoved),
            Err(Code::SessionExpired) => state.end(Ending::SessionExpired),
            result => {
                state.push_reply(written.xid, applied.zxid, result);
                self.count_answer(connection, &mut state, written, applied.zxid, at.now_us);
                if written.op == OpCode::CloseSession && matches!(result, Ok(Reply::Empty)) {
                    state.end(Ending::SessionClosed);
                }
            }
        }
    }

    /// Pushes an event into the outboxes of those who watch and may read.
    fn deliver(&self, applied: &Applied, event: &Event, woken: &mut Vec<Arc<Connection>>) {
        let hearing = self.watches.lock().fire(event.kind, &event.path);
        self.count_hearing(event.kind, hearing.len());
        for id in hearing {
            let Some(connection) = self.connection(id) else {
                continue;
            };
            let mut state = connection.lock();
            let may_read = self.settings.rules.skip_acl
                || acl::allows(&event.acl, &state.identities, perms::READ);
            if !may_read {
                continue;
            }
            state.push_event(applied.zxid, event.kind, &event.path);
            self.limit_outbox(&mut state);
            drop(state);
            woken.push(connection);
        }
    }

    /// Ends a connection that leaves more unread than it may.
    pub(super) fn limit_outbox(&self, state: &mut State) {
        if state.owed() > self.settings.outbox_bytes_max {
            state.end(Ending::OutboxFull);
        }
    }

    /// Ends the connections of this server that lost their session by a proposal.
    fn follow_session(
        &self,
        own: Lane,
        draft: &Draft<'_>,
        outcome: &Outcome,
        woken: &mut Vec<Arc<Connection>>,
    ) {
        let (origin, ending) = match (&outcome.applied.session, draft) {
            (SessionChange::Attached { previous }, _) => (*previous, Ending::SessionMoved),
            (SessionChange::Closed { origin, .. }, Draft::Expire { .. }) => {
                (*origin, Ending::SessionExpired)
            }
            (SessionChange::Closed { origin, .. }, _) => (*origin, Ending::SessionClosed),
            (SessionChange::None | SessionChange::Opened | SessionChange::Replaced, _) => {
                (None, Ending::SessionClosed)
            }
        };
        let here = origin.filter(|origin: &Origin| origin.server == own.server);
        let connection = here.and_then(|origin| self.connection(origin.connection));
        if let Some(connection) = connection {
            connection.lock().end(ending);
            woken.push(connection);
        }
    }
}

/// The place of a proposal in the order, and the clock of whoever applies it.
struct At {
    term: u64,
    stamp_ms: i64,
    lane: Lane,
    number: u64,
    now_us: u64,
}

/// Answers with what the client will have to show again: session, password, timeout.
fn answer_handshake(
    at: &At,
    connection: &Connection,
    outcome: &Outcome,
    (session, password, timeout_ms): (SessionId, &[u8], i32),
) {
    match (
        &outcome.applied.result,
        <[u8; PASSWORD_BYTES]>::try_from(password),
    ) {
        (Ok(_), Ok(password)) => {
            connection.attached(session, password, timeout_ms, at.now_us / 1000);
        }
        _ => connection.refused(),
    }
}

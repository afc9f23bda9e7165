//! The history's end in apply: takes what happened, and never waits.
//!
//! Called with the tree's lock held. What it costs is bounded by the meter: beyond the limit a
//! change is one addition, and the gap grows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::history::gap::{Gap, Reason};
use crate::history::generation::{Item, Moment};
use crate::history::meter::Meter;
use crate::history::queue::Queue;
use crate::history::record::{Cause, Change, Operation};
use crate::proto::{Id, OpCode, SessionId, Zxid};
use crate::replica::{Seen, Witness};
use crate::tree::acl::ANY_SASL_USER;
use crate::tree::{Answering, Draft, Trace, Tracing};

/// Clocks of two leaders may differ by this, milliseconds. A change that has an old zxid and a time
/// later than that is of other data than the store.
const SKEW_MS: i64 = 60_000;

/// Counters since the start of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Changes of znodes that went to the store.
    pub recorded: u64,
    /// Changes of znodes that did not.
    pub missed: u64,
    /// Gaps they form.
    pub gaps: u64,
}

/// What apply knows of the history.
#[derive(Debug)]
pub(super) struct Feed {
    value_bytes_max: usize,
    pub(super) queue: Queue<Item>,
    /// Whether there is a store to write to; until the first try there may be.
    is_open: AtomicBool,
    inner: Mutex<Inner>,
    recorded: AtomicU64,
    missed: AtomicU64,
    gaps: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    meter: Meter,
    /// Everything up to here is kept: a restarted server applies it again.
    mark: Moment,
    /// Not in the store yet: it may grow.
    gap: Option<Gap>,
}

impl Feed {
    pub(super) fn new(meter: Meter, value_bytes_max: usize, mark: Moment) -> Feed {
        Feed {
            value_bytes_max,
            queue: Queue::new(),
            is_open: AtomicBool::new(true),
            inner: Mutex::new(Inner {
                meter,
                mark,
                gap: None,
            }),
            recorded: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            recorded: self.recorded.load(Ordering::Relaxed),
            missed: self.missed.load(Ordering::Relaxed),
            gaps: self.gaps.load(Ordering::Relaxed),
        }
    }

    pub(super) fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Relaxed);
    }

    pub(super) fn mark(&self) -> Moment {
        self.inner.lock().mark
    }

    pub(super) fn forget_mark(&self) {
        self.inner.lock().mark = Moment::default();
    }

    /// The gap that may still grow.
    pub(super) fn pending_gap(&self) -> Option<Gap> {
        self.inner.lock().gap
    }

    /// Takes no more, and leaves nothing behind.
    pub(super) fn close(&self) {
        let gap = self.inner.lock().gap.take();
        if let Some(gap) = gap {
            // A queue without room is followed by the end of the server.
            let _ = self.queue.push(Item::Gap(gap), size_of::<Gap>());
        }
        self.queue.close();
    }

    /// Items were taken from the queue and could not be kept.
    pub(super) fn lose(&self, items: &[Item], reason: Reason) {
        let mut inner = self.inner.lock();
        for item in items {
            match item {
                Item::Change(change) => {
                    let at = Moment {
                        zxid: change.zxid,
                        time_ms: change.time_ms,
                    };
                    self.recorded.fetch_sub(1, Ordering::Relaxed);
                    self.miss(&mut inner, at, Some(1), reason);
                }
                Item::Gap(gap) => inner.gap = Some(gap.joined(inner.gap)),
                Item::Foreign => {}
            }
        }
    }

    /// Makes the pending gap reach to `at`.
    fn miss(&self, inner: &mut Inner, at: Moment, changes: Option<u64>, reason: Reason) {
        self.missed
            .fetch_add(changes.unwrap_or(0), Ordering::Relaxed);
        if inner.gap.is_none() {
            self.gaps.fetch_add(1, Ordering::Relaxed);
        }
        let gap = Gap {
            first: at.zxid,
            last: at.zxid,
            changes,
            from_ms: at.time_ms,
            to_ms: at.time_ms,
            reason,
        };
        inner.gap = Some(match inner.gap {
            None => gap,
            before => gap.joined(before),
        });
    }

    /// Whether a change is in the store already, or tells that the store is of other data.
    fn is_kept(&self, inner: &mut Inner, at: Moment) -> bool {
        if at.zxid > inner.mark.zxid {
            return false;
        }
        if at.time_ms <= inner.mark.time_ms.saturating_add(SKEW_MS) {
            return true;
        }
        inner.mark = Moment::default();
        // Without room now, the next change finds out.
        let _ = self.queue.push(Item::Foreign, 0);
        false
    }

    fn push(&self, inner: &mut Inner, change: Change) {
        let at = Moment {
            zxid: change.zxid,
            time_ms: change.time_ms,
        };
        if let Some(gap) = inner.gap {
            if self.queue.push(Item::Gap(gap), size_of::<Gap>()).is_err() {
                self.miss(inner, at, Some(1), Reason::Behind);
                return;
            }
            inner.gap = None;
        }
        let weight = change.weight();
        match self.queue.push(Item::Change(Box::new(change)), weight) {
            Ok(()) => {
                self.recorded.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => self.miss(inner, at, Some(1), Reason::Behind),
        }
    }
}

impl Witness for Feed {
    fn tracing(&self, now_us: u64, last: Zxid) -> Tracing {
        if !self.is_open.load(Ordering::Relaxed) {
            return Tracing::OFF;
        }
        let mut inner = self.inner.lock();
        // Applied once more after a restart: only counted.
        let traces_max = match last < inner.mark.zxid {
            true => 0,
            false => inner.meter.allowance(now_us),
        };
        Tracing {
            traces_max,
            value_bytes_max: self.value_bytes_max,
        }
    }

    fn saw(&self, seen: &mut Seen<'_>) {
        let traces = std::mem::take(&mut seen.applied.traces);
        let missed = traces.missed as u64;
        if traces.kept.is_empty() && missed == 0 {
            return;
        }
        let at = Moment {
            zxid: seen.applied.zxid,
            time_ms: seen.stamp_ms,
        };
        let mut inner = self.inner.lock();
        if self.is_kept(&mut inner, at) {
            return;
        }
        let bytes = traces.kept.iter().map(value_bytes).sum::<usize>();
        let changes = traces.kept.len() as u64 + missed;
        inner.meter.count(changes, bytes as u64);
        let who = Who::of(seen.draft, &seen.applied.answering);
        for (place, trace) in traces.kept.into_iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            self.push(&mut inner, who.did(at, place, trace));
        }
        if missed > 0 {
            let reason = match self.is_open.load(Ordering::Relaxed) {
                true => Reason::Rate,
                false => Reason::StoreFailed,
            };
            self.miss(&mut inner, at, Some(missed), reason);
        }
    }

    fn skipped(&self, from: Zxid, to: Zxid) {
        let mut inner = self.inner.lock();
        let first = Zxid(from.max(inner.mark.zxid).0 + 1);
        if to < first {
            return;
        }
        for zxid in [first, to] {
            let at = Moment { zxid, time_ms: 0 };
            self.miss(&mut inner, at, None, Reason::Snapshot);
        }
    }
}

fn value_bytes(trace: &Trace) -> usize {
    let both = trace.before.iter().chain(&trace.after);
    both.map(|shape| shape.value.kept_bytes()).sum()
}

/// Who wanted a change, and why.
struct Who {
    session: Option<SessionId>,
    identities: Vec<Id>,
    cause: Cause,
}

impl Who {
    fn of(draft: &Draft<'_>, answering: &Answering) -> Who {
        let (session, identities, cause) = match draft {
            Draft::Request {
                session,
                identities,
                op,
                ..
            } => {
                let cause = match op {
                    OpCode::Multi => Cause::Multi,
                    OpCode::CloseSession => Cause::SessionClosed,
                    _ => Cause::Request,
                };
                let named = identities.iter().filter(|id| &*id.scheme != ANY_SASL_USER);
                let identities = named.map(without_secret).collect();
                (Some(*session), identities, cause)
            }
            Draft::Open { session, .. }
            | Draft::Attach { session, .. }
            | Draft::Upgrade { session, .. }
            | Draft::Refused { session, .. } => (Some(*session), Vec::new(), Cause::Request),
            Draft::Expire { session, .. } => (Some(*session), Vec::new(), Cause::SessionExpired),
            Draft::Reap { .. } => (None, Vec::new(), Cause::Reaped),
            Draft::Piece { .. } | Draft::Replace { .. } => (None, Vec::new(), Cause::Request),
            // The first text of `/zookeeper/config`, or one that a reconfig asked for.
            Draft::State { .. } | Draft::Settle { .. } => match answering {
                Answering::Earlier(asker) => {
                    let identities = asker.identities.iter().map(without_secret).collect();
                    (Some(asker.session), identities, Cause::Request)
                }
                Answering::Asker | Answering::Nobody => (None, Vec::new(), Cause::Request),
            },
        };
        Who {
            session,
            identities,
            cause,
        }
    }

    fn did(&self, at: Moment, place: u32, trace: Trace) -> Change {
        let operation = match (&trace.before, &trace.after) {
            (None, _) => Operation::Create,
            (_, None) => Operation::Delete,
            (Some(before), Some(after)) if before.aversion != after.aversion => Operation::SetAcl,
            _ => Operation::SetData,
        };
        Change {
            path: trace.path,
            zxid: at.zxid,
            place,
            time_ms: at.time_ms,
            session: self.session,
            identities: self.identities.clone(),
            operation,
            cause: self.cause,
            before: trace.before,
            after: trace.after,
        }
    }
}

/// An identity as everybody may know it: of `digest` the user without the hash, and of a scheme
/// that nobody here knows its name alone.
fn without_secret(identity: &Id) -> Id {
    let shown = match &*identity.scheme {
        "digest" => identity.id.split(':').next().unwrap_or_default(),
        "ip" | "sasl" | "x509" => &*identity.id,
        _ => "",
    };
    Id::new(&identity.scheme, shown)
}

#[cfg(test)]
#[path = "feed_test.rs"]
mod tests;

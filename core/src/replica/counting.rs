//! What the replica counts for whoever operates the server. Nothing here decides anything.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use parking_lot::Mutex;

use crate::metrics::{Basic, Count, Detailed, Metrics, namespace};
use crate::proto::{
    Code, EventKind, MultiOp, MultiOutcome, OpCode, ReadOp, ReadOutcome, Reply, Request, Zxid,
};
use crate::replica::connection::State;
use crate::replica::{Connection, Ending, Replica};
use crate::tree::{Applied, Draft, Tree};

/// A digest is kept whenever the zxid is a multiple of this.
const DIGEST_EVERY: i64 = 128;

/// Digests kept; the oldest go first.
pub(super) const DIGESTS_MAX: usize = 1024;

/// What ZooKeeper counts for the metadata that a read looked at.
const STAT_BYTES: usize = 68;

/// The last snapshot this server has: its zxid and when it was written, as far as is known.
#[derive(Debug, Default)]
pub struct LastSnapshot {
    known: Mutex<Option<(Zxid, Option<i64>)>>,
}

impl LastSnapshot {
    /// Notes a snapshot; `written_s` is the time since 1970 in seconds.
    pub fn note(&self, zxid: Zxid, written_s: Option<i64>) {
        *self.known.lock() = Some((zxid, written_s));
    }

    /// The zxid, and when it was written in seconds since 1970.
    pub fn get(&self) -> Option<(Zxid, Option<i64>)> {
        *self.known.lock()
    }
}

impl Replica {
    /// What this server counts.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Takes what a connection is owed, and the reason to end after it has been sent.
    pub fn take_outbox(&self, connection: &Connection) -> (BytesMut, Option<Ending>) {
        let (owed, ending, sent) = connection.take_counted();
        if sent.frames > 0 {
            let responses = (owed.len() as u64).saturating_sub(sent.event_bytes);
            self.metrics.add(Count::PacketsSent, sent.frames);
            self.metrics.add(Count::ResponseBytes, responses);
            if sent.event_bytes > 0 {
                self.metrics.add(Count::WatchBytes, sent.event_bytes);
            }
            if sent.size_max > 0 {
                let sizes = &self.metrics.response_sizes;
                sizes.observe(sent.size_last, sent.size_min, sent.size_max);
            }
        }
        (owed, ending)
    }

    /// Counters and measurements of the server begin anew, as after `srst`.
    pub fn reset_counters(&self) {
        self.metrics.reset();
    }

    /// The digests kept, oldest first: the zxid of each and ZooKeeper's digest of the tree at it.
    pub fn digests(&self) -> Vec<(Zxid, u64)> {
        self.digests.lock().iter().copied().collect()
    }

    pub(super) fn count_received(&self, connection: &Connection, frames: u64, bytes: u64) {
        if frames > 0 {
            self.metrics.add(Count::PacketsReceived, frames);
            self.metrics.add(Count::BytesReceived, bytes);
            let received = &connection.traffic.received;
            received.fetch_add(frames, Ordering::Relaxed);
        }
    }

    pub(super) fn count_latency(&self, op: OpCode, us: u64) {
        let latency = match op.is_write() {
            true => Detailed::UpdateLatency,
            false => Detailed::ReadLatency,
        };
        self.metrics.detailed(latency).observe(us);
        self.metrics.answered(op);
    }

    /// Counts what a read looked at, by namespace.
    pub(super) fn count_read(
        &self,
        state: &mut State,
        request: &Request<'_>,
        result: &Result<Reply<'_>, Code>,
    ) {
        let names = |names: &[&str]| names.iter().map(|name| name.len()).sum::<usize>();
        let (path, bytes) = match (request, result) {
            (Request::Exists { path, .. }, Ok(_)) => (path, 0),
            (Request::GetData { path, .. }, Ok(Reply::Data(data, _))) => {
                (path, data.map_or(0, <[u8]>::len))
            }
            (Request::GetChildren { path, .. }, Ok(Reply::Children(found)))
            | (Request::GetChildren2 { path, .. }, Ok(Reply::ChildrenWithStat(found, _))) => {
                (path, names(found))
            }
            (Request::MultiRead(ops), Ok(Reply::MultiRead(outcomes))) => {
                return self.count_multi_read(state, ops, outcomes);
            }
            _ => return,
        };
        let bytes = path.len() + STAT_BYTES + bytes;
        let read = &self.metrics.read;
        state.recent.observe(read, path, bytes as u64);
    }

    fn count_multi_read(&self, state: &mut State, ops: &[ReadOp<'_>], found: &[ReadOutcome<'_>]) {
        for (op, outcome) in ops.iter().zip(found) {
            let (ReadOp::GetChildren { path } | ReadOp::GetData { path }) = op;
            let bytes = match outcome {
                ReadOutcome::Children(names) => names.iter().map(|name| name.len()).sum(),
                ReadOutcome::Data(data, _) => data.map_or(0, <[u8]>::len),
                ReadOutcome::Failed(_) => continue,
            };
            let bytes = path.len() + STAT_BYTES + bytes;
            let read = &self.metrics.read;
            state.recent.observe(read, path, bytes as u64);
        }
    }

    /// Counts what a proposal changed, and keeps the digest if it is time for one.
    pub(super) fn count_applied(&self, tree: &Tree, draft: &Draft<'_>, applied: &Applied) {
        if !applied.events.is_empty() {
            let mut recent = self.recent_write.lock();
            for event in &applied.events {
                let bytes = match event.kind {
                    EventKind::Created | EventKind::DataChanged => event.data_bytes,
                    EventKind::Deleted => 0,
                    EventKind::ChildrenChanged => continue,
                };
                let bytes = (event.path.len() + bytes) as u64;
                recent.observe(&self.metrics.written, &event.path, bytes);
                match (event.kind, draft) {
                    (EventKind::Created, _) if event.ttl => self.metrics.count(Count::TtlCreated),
                    (EventKind::Deleted, Draft::Reap { .. }) if event.ttl => {
                        self.metrics.count(Count::TtlDeleted);
                    }
                    _ => {}
                }
            }
        }
        if applied.zxid.0 % DIGEST_EVERY == 0 {
            self.keep_digest(tree, applied.zxid);
        }
    }

    fn keep_digest(&self, tree: &Tree, zxid: Zxid) {
        let mut digests = self.digests.lock();
        // A draft that takes no zxid shows that of the last change once more.
        if zxid.0 == 0 || digests.back().is_some_and(|(last, _)| *last == zxid) {
            return;
        }
        if digests.len() == DIGESTS_MAX {
            digests.pop_front();
        }
        digests.push_back((zxid, tree.zookeeper_digest()));
    }

    pub(super) fn forget_digests(&self) {
        *self.digests.lock() = VecDeque::new();
    }

    /// Counts how many hear of an event.
    pub(super) fn count_hearing(&self, kind: EventKind, hearing: usize) {
        if hearing > 0 {
            let what = match kind {
                EventKind::Created => Basic::NodeCreatedWatch,
                EventKind::Deleted => Basic::NodeDeletedWatch,
                EventKind::DataChanged => Basic::NodeChangedWatch,
                EventKind::ChildrenChanged => Basic::NodeChildrenWatch,
            };
            self.metrics.basic(what).observe(hearing as u64);
        }
    }

    /// Counts a write of this server that a quota refused, by namespace.
    pub(super) fn count_refusal(&self, draft: &Draft<'_>, applied: &Applied) {
        let refused = |code: &Code| *code == Code::QuotaExceeded;
        let place = match &applied.result {
            Err(code) if refused(code) => 0,
            Ok(Reply::Multi(outcomes)) => {
                let failed = outcomes.iter().position(
                    |outcome| matches!(outcome, MultiOutcome::Failed(Some(code)) if refused(code)),
                );
                match failed {
                    Some(place) => place,
                    None => return,
                }
            }
            _ => return,
        };
        let Draft::Request { op, body, .. } = draft else {
            return;
        };
        let path = match Request::decode(*op, body) {
            Ok(Request::Create(create)) => create.path.into_owned(),
            Ok(Request::SetData { path, .. }) => path.into_owned(),
            Ok(Request::Multi(mut ops)) if place < ops.len() => match ops.swap_remove(place) {
                MultiOp::Create(create) => create.path.into_owned(),
                MultiOp::SetData { path, .. } => path.into_owned(),
                MultiOp::Delete { .. } | MultiOp::Check { .. } => return,
            },
            _ => return,
        };
        if let Some(name) = namespace(&path) {
            self.metrics.quota_exceeded.cell(name).observe(1);
        }
    }
}

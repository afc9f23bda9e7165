//! Keeps the disk in order: when to take a snapshot, how much log to keep behind it, what to do
//! when space runs low, and noticing that the log has failed.

use std::sync::Arc;
use std::time::Duration;

use crate::proto::Zxid;
use crate::server::Shared;
use crate::storage::Space;

/// How often it looks.
const ROUND: Duration = Duration::from_millis(200);

/// Bytes of log after which a snapshot is taken, unless `snapSizeLimitInKb` is less.
const LOG_BYTES_BEFORE_SNAPSHOT: u64 = 256 << 20;

/// Bytes of log kept behind the newest snapshot, so that a follower that was away for a while
/// needs no snapshot.
const LOG_BYTES_KEPT: u64 = 64 << 20;

/// Runs until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut round = Round::new(&shared);
    loop {
        tokio::time::sleep(ROUND).await;
        round.look(&shared).await;
    }
}

struct Round {
    /// The last index applied when the last snapshot was asked for.
    asked: u64,
    /// The last zxid when it was last looked at, to learn how many changes came.
    zxid: Zxid,
    /// Changes since the last snapshot was asked for.
    changes: i64,
    /// Bytes of the log when it was last looked at, to learn by how much it grows.
    log_bytes: u64,
    /// Bytes the log has grown by since the last snapshot was asked for.
    grown: u64,
    /// The last index that was asked to be purged.
    purged: u64,
    low: bool,
    slow_fsyncs_us: u64,
}

impl Round {
    fn new(shared: &Shared) -> Round {
        let covers = shared.consensus.snapshot_covers().map_or(0, |id| id.index);
        Round {
            asked: covers,
            zxid: shared.replica.last_zxid(),
            changes: 0,
            log_bytes: 0,
            grown: 0,
            purged: 0,
            low: false,
            slow_fsyncs_us: 0,
        }
    }

    async fn look(&mut self, shared: &Shared) {
        self.watch_space(shared);
        self.watch_fsync(shared);
        self.snapshot(shared).await;
        self.purge(shared).await;
    }

    fn watch_space(&mut self, shared: &Shared) {
        let low = shared.log.space() == Space::Low;
        if low != self.low {
            self.low = low;
            shared.replica.set_space_is_low(low);
            let dir = shared.config.log_dir.display();
            if low {
                tracing::error!(%dir,
                    "the disk is full: writes that need room are refused until there is some");
            } else {
                tracing::warn!(%dir, "there is room on the disk again: writes go on");
            }
        }
    }

    fn watch_fsync(&mut self, shared: &Shared) {
        let longest = shared.log.stats().fsync_micros_max;
        let limit = u64::from(shared.config.fsync_warning_threshold_ms) * 1000;
        if longest > limit && longest > self.slow_fsyncs_us {
            self.slow_fsyncs_us = longest;
            tracing::warn!(
                ms = longest / 1000,
                "flushing the log took long; a slow disk delays every write"
            );
        }
    }

    /// Asks for a snapshot after enough bytes or changes since the last one.
    async fn snapshot(&mut self, shared: &Shared) {
        let bytes = shared.log.bytes();
        self.grown += bytes.saturating_sub(self.log_bytes);
        self.log_bytes = bytes;
        let zxid = shared.replica.last_zxid();
        self.changes += changes(self.zxid, zxid);
        self.zxid = zxid;
        let limit = shared
            .config
            .snap_size_limit_kb
            .map_or(u64::MAX, |kb| kb << 10);
        let (_, applied) = shared.consensus.indexes();
        let due = self.grown >= limit.min(LOG_BYTES_BEFORE_SNAPSHOT)
            || self.changes >= i64::from(shared.config.snap_count);
        if due && applied > self.asked {
            self.asked = applied;
            self.grown = 0;
            self.changes = 0;
            tracing::debug!(applied, "asking for a snapshot");
            shared.consensus.trigger_snapshot().await;
        }
    }

    /// Lets go of the log behind the newest snapshot, but for the last bytes.
    async fn purge(&mut self, shared: &Shared) {
        let Some(covers) = shared.consensus.snapshot_covers() else {
            return;
        };
        if let Some(upto) = shared.log.purgeable(covers.index, LOG_BYTES_KEPT)
            && upto > self.purged
        {
            self.purged = upto;
            shared.consensus.purge(upto).await;
            self.log_bytes = shared.log.bytes();
        }
    }
}

/// How many changes lie between two zxids, but for those that a new term hides.
fn changes(before: Zxid, now: Zxid) -> i64 {
    if before.0 >> 32 == now.0 >> 32 {
        now.0 - before.0
    } else {
        now.0 & 0xffff_ffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_election_is_not_a_reason_for_a_snapshot() {
        let zxid = |term: i64, counter: i64| Zxid((term << 32) + counter);
        assert_eq!(changes(zxid(1, 5), zxid(1, 500_000)), 499_995);
        assert_eq!(changes(zxid(1, 500_000), zxid(2, 0)), 0);
        assert_eq!(changes(zxid(1, 500_000), zxid(9, 3)), 3);
    }
}

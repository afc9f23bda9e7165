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
    /// Where the log and the changes stood when the last snapshot was asked for.
    asked: Asked,
    /// Bytes of the log when it was last looked at, to learn by how much it grows.
    log_bytes: u64,
    /// Bytes the log has grown by since the last snapshot was asked for.
    grown: u64,
    /// The last index that was asked to be purged.
    purged: u64,
    low: bool,
    slow_fsyncs_us: u64,
}

#[derive(Clone, Copy)]
struct Asked {
    zxid: Zxid,
    applied: u64,
}

impl Round {
    fn new(shared: &Shared) -> Round {
        let covers = shared.consensus.snapshot_covers().map_or(0, |id| id.index);
        Round {
            asked: Asked {
                zxid: shared.replica.last_zxid(),
                applied: covers,
            },
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
        // A new term moves the upper half; within one the difference counts the changes.
        let changes = (zxid.0 - self.asked.zxid.0) & 0xffff_ffff;
        let limit = shared
            .config
            .snap_size_limit_kb
            .map_or(u64::MAX, |kb| kb << 10);
        let (_, applied) = shared.consensus.indexes();
        // A large tree is not written out again for a few changes: what goes into snapshots stays
        // within twice of what goes into the log.
        let tree_bytes = shared.replica.tree().approximate_data_size();
        let due = self.grown >= limit.min(LOG_BYTES_BEFORE_SNAPSHOT)
            || (changes >= i64::from(shared.config.snap_count) && self.grown * 2 >= tree_bytes);
        if due && applied > self.asked.applied {
            self.asked = Asked { zxid, applied };
            self.grown = 0;
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

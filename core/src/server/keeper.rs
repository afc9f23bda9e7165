//! Keeps the disk in order: when to take a snapshot, how much log to keep behind it, what to do
//! when space runs low, and noticing that the log has failed.

use std::sync::Arc;
use std::time::Duration;

use crate::proto::Zxid;
use crate::server::Shared;
use crate::storage::Space;

/// How often it looks.
const ROUND: Duration = Duration::from_millis(200);

/// How often it looks while the log grows by a good part of what makes a snapshot due from one look
/// to the next: a small limit would be far behind otherwise.
const BUSY_ROUND: Duration = Duration::from_millis(20);

/// Bytes of log after which a snapshot is taken, unless `snapSizeLimitInKb` is less.
const LOG_BYTES_BEFORE_SNAPSHOT: u64 = 256 << 20;

/// Bytes of log kept behind the newest snapshot, so that a follower that was away for a while
/// needs no snapshot. Never more than makes a snapshot due.
const LOG_BYTES_KEPT: u64 = 64 << 20;

/// Runs until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut round = Round::new(&shared);
    loop {
        tokio::time::sleep(round.pause).await;
        round.look(&shared).await;
    }
}

struct Round {
    /// Until the next look.
    pause: Duration,
    /// The last entry applied when the last snapshot was asked for.
    asked: u64,
    /// The last change when it was last looked at, to learn how many there were.
    zxid: Zxid,
    /// Changes since the last snapshot was asked for.
    changes: u64,
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
            pause: ROUND,
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
        let grown = bytes.saturating_sub(self.log_bytes);
        self.grown += grown;
        self.log_bytes = bytes;
        self.pause = match grown * 8 > snapshot_limit(shared) {
            true => BUSY_ROUND,
            false => ROUND,
        };
        let zxid = shared.replica.last_zxid();
        self.changes += changes_between(self.zxid, zxid);
        self.zxid = zxid;
        let (_, applied) = shared.consensus.indexes();
        // A large tree is not written out again for a few changes: what goes into snapshots stays
        // within twice of what goes into the log.
        let tree_bytes = shared.replica.tree().approximate_data_size();
        let many = self.changes >= u64::from(shared.config.snap_count);
        let due = self.grown >= snapshot_limit(shared) || (many && self.grown * 2 >= tree_bytes);
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
        let kept = snapshot_limit(shared).min(LOG_BYTES_KEPT);
        if let Some(upto) = shared.log.purgeable(covers.index, kept)
            && upto > self.purged
        {
            self.purged = upto;
            shared.consensus.purge(upto).await;
            self.log_bytes = shared.log.bytes();
        }
    }
}

/// Bytes of log that make a snapshot due.
fn snapshot_limit(shared: &Shared) -> u64 {
    let configured = shared.config.snap_size_limit_kb;
    configured.map_or(LOG_BYTES_BEFORE_SNAPSHOT, |kb| {
        LOG_BYTES_BEFORE_SNAPSHOT.min(kb << 10)
    })
}

/// How many changes lie between two zxids, as far as that can be told: a new term begins to count
/// anew.
fn changes_between(from: Zxid, to: Zxid) -> u64 {
    let changes = if from.0 >> 32 == to.0 >> 32 {
        to.0 - from.0
    } else {
        to.0 & 0xffff_ffff
    };
    u64::try_from(changes).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_term_is_not_four_billion_changes() {
        let cases = [
            (0x3_0000_0005, 0x3_0000_0009, 4),
            (0x3_0000_0fbf, 0x4_0000_0001, 1),
            (0x3_0000_0001, 0x7_0000_0100, 0x100),
            (0x4_0000_0001, 0x3_0000_0fbf, 0xfbf),
        ];
        for (from, to, changes) in cases {
            assert_eq!(
                changes_between(Zxid(from), Zxid(to)),
                changes,
                "{from:x} {to:x}"
            );
        }
    }
}

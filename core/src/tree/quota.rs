//! Quotas: how much may hang below a path, and how much does.
//!
//! ```text
//! /zookeeper/quota<path>/zookeeper_limits   what an administrator allows; while it exists, the
//!                                           quota of <path> is active
//! /zookeeper/quota<path>/zookeeper_stats    usage, changed in place: no version, zxid or event
//! text: count=<n>,bytes=<n>[=;byteHardLimit=<n>;countHardLimit=<n>]   -1 is no limit
//! ```
//!
//! Only the deepest active quota on a path counts and checks. Soft limits refuse nothing; that
//! one is exceeded is for the log of the server that took the request. Source: `DataTree`,
//! `StatsTrack`, `ZooKeeperServer.checkQuota`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::proto::{Code, path};
use crate::tree::Tree;

const ROOM: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

impl Tree {
    /// Refuses growth below `path` that a hard limit does not allow.
    pub(super) fn check_quota(&self, path: &str, bytes: i64, count: i64) -> Result<(), Code> {
        let Some(root) = self.quota_over(path) else {
            return Ok(());
        };
        let (Some(limits), Some(usage)) = (self.track(root, LIMITS), self.track(root, STATS))
        else {
            return Ok(());
        };
        let exceeds = |growth: i64, limit: &str, used: &str| {
            let limit = limits.get(limit);
            growth != 0 && limit > -1 && usage.get(used).saturating_add(growth) > limit
        };
        if exceeds(count, "countHardLimit", "count") || exceeds(bytes, "byteHardLimit", "bytes") {
            return Err(Code::QuotaExceeded);
        }
        Ok(())
    }

    /// Adds what came to, or went from, the usage of the quota over `path`.
    pub(super) fn account(&mut self, path: &str, bytes: i64, count: i64) {
        let Some(root) = self.quota_over(path) else {
            return;
        };
        let Some(mut usage) = self.track(root, STATS) else {
            return;
        };
        let stats = place(root, STATS);
        usage.add("count", count);
        usage.add("bytes", bytes);
        self.write_stats(&stats, &usage);
    }

    /// Activates a quota, or measures usage, when its znode has just been created.
    pub(super) fn quota_created(&mut self, path: &str) {
        self.activate_quota(path);
        if let Some((root, STATS)) = quota_znode(path) {
            let (mut count, mut bytes) = (0, 0);
            if let Some(znode) = self.root.find(root) {
                znode.descend(|znode| {
                    count += 1;
                    bytes += znode.data_bytes() as i64;
                });
            }
            let values = [("count".into(), count), ("bytes".into(), bytes)];
            let usage = Track {
                values: values.into(),
            };
            self.write_stats(path, &usage);
        }
    }

    /// Activates a quota when `path` is that of its limits.
    pub(super) fn activate_quota(&mut self, path: &str) {
        if let Some((root, LIMITS)) = quota_znode(path) {
            self.quotas.insert(root.into());
        }
    }

    /// Ends a quota when its limits have just been deleted.
    pub(super) fn quota_deleted(&mut self, path: &str) {
        if let Some((root, LIMITS)) = quota_znode(path) {
            self.quotas.remove(root);
        }
    }

    /// The deepest path at or above `path` with an active quota; never the root.
    fn quota_over<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.quotas.is_empty() {
            return None;
        }
        path::ancestors(path).find(|root| self.quotas.contains(*root))
    }

    fn track(&self, root: &str, name: &str) -> Option<Track> {
        let znode = self.root.find(&place(root, name))?;
        Some(Track::parse(znode.data.as_deref().unwrap_or_default()))
    }

    fn write_stats(&mut self, path: &str, usage: &Track) {
        let znode = Arc::make_mut(&mut self.root).find_mut(path);
        if let Some(znode) = znode {
            let before = znode.data_bytes();
            znode.data = Some(usage.to_string().into_bytes().into());
            let after = znode.data_bytes();
            self.count_data(before, after);
        }
    }
}

fn place(root: &str, name: &str) -> String {
    format!("{ROOM}{root}/{name}")
}

/// The path a quota znode is about, and the znode's name. The root has no quota.
fn quota_znode(path: &str) -> Option<(&str, &str)> {
    let (root, name) = path::split(path.strip_prefix(ROOM)?)?;
    (root != "/" && root.starts_with('/')).then_some((root, name))
}

/// A limits or stats text. Keys it does not know are kept.
#[derive(Debug, Default, PartialEq, Eq)]
struct Track {
    values: BTreeMap<Box<str>, i64>,
}

impl Track {
    /// Reads a text; what is not a number reads as "no limit", which a client may well have
    /// written.
    fn parse(text: &[u8]) -> Track {
        let text = String::from_utf8_lossy(text);
        let pairs = text.split([',', ';']).filter(|pair| !pair.is_empty());
        let values = pairs.map(|pair| {
            let mut parts = pair.split('=');
            let key = parts.next().unwrap_or_default();
            let value = parts.next().and_then(|value| value.parse().ok());
            (key.into(), value.unwrap_or(-1))
        });
        Track {
            values: values.collect(),
        }
    }

    fn get(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    fn add(&mut self, key: &str, growth: i64) {
        let sum = self.get(key).saturating_add(growth);
        self.values.insert(key.into(), sum);
    }
}

impl std::fmt::Display for Track {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "count={},bytes={}", self.get("count"), self.get("bytes"))?;
        let others = self
            .values
            .iter()
            .filter(|(key, _)| !matches!(&***key, "count" | "bytes"));
        for (i, (key, value)) in others.enumerate() {
            // The odd sign in front of the first makes old parsers stop there.
            let sign = if i == 0 { "=" } else { "" };
            write!(f, "{sign};{key}={value}")?;
        }
        Ok(())
    }
}

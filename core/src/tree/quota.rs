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
use crate::tree::apply::Change;

const ROOM: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// Bytes that are read of a limits or stats text. Every write below a quota reads both, and
/// everybody may write them unless an administrator has closed them.
const TEXT_BYTES_MAX: usize = 1024;

/// A quota that is exceeded: for the log of the server that took the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The path that has the quota.
    pub path: String,
    /// What there is too much of: `count` (of znodes) or `bytes`.
    pub what: &'static str,
    /// How much there may be.
    pub limit: i64,
    /// How much there is.
    pub usage: i64,
}

impl Tree {
    /// The quota over `path`, if more is used than it allows. A hard limit counts instead of the
    /// soft one of its kind.
    pub fn exceeded_quota(&self, path: &str) -> Option<Exceeded> {
        let root = self.quota_over(path)?;
        let (limits, usage) = (self.track(root, LIMITS)?, self.track(root, STATS)?);
        let kinds = [("count", "countHardLimit"), ("bytes", "byteHardLimit")];
        kinds.into_iter().find_map(|(what, hard)| {
            let hard = limits.get(hard);
            let limit = if hard > -1 { hard } else { limits.get(what) };
            let usage = usage.get(what);
            (limit > -1 && usage > limit).then(|| Exceeded {
                path: root.to_owned(),
                what,
                limit,
                usage,
            })
        })
    }

    /// Refuses growth below `path` that a hard limit does not allow, when the rules say so. Inside
    /// a multi, usage is that from before the multi.
    pub(super) fn check_quota(
        &self,
        change: &Change<'_>,
        path: &str,
        bytes: i64,
        count: i64,
    ) -> Result<(), Code> {
        let committed = change.before_multi.as_ref().unwrap_or(self);
        if change.rules.enforce_quota && committed.would_exceed(path, bytes, count) {
            return Err(Code::QuotaExceeded);
        }
        Ok(())
    }

    fn would_exceed(&self, path: &str, bytes: i64, count: i64) -> bool {
        let Some(root) = self.quota_over(path) else {
            return false;
        };
        let (Some(limits), Some(usage)) = (self.track(root, LIMITS), self.track(root, STATS))
        else {
            return false;
        };
        let exceeds = |growth: i64, limit: &str, used: &str| {
            let limit = limits.get(limit);
            growth != 0 && limit > -1 && usage.get(used).saturating_add(growth) > limit
        };
        exceeds(count, "countHardLimit", "count") || exceeds(bytes, "byteHardLimit", "bytes")
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
        self.measure_quota(path);
    }

    /// Measures usage anew when `path` is where it stands.
    fn measure_quota(&mut self, path: &str) {
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

    /// Measures usage below every active quota anew.
    pub(super) fn measure_quotas(&mut self) {
        for root in self.quotas.clone() {
            self.measure_quota(&place(&root, STATS));
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
        Some(Track::parse(znode.data().unwrap_or_default()))
    }

    fn write_stats(&mut self, path: &str, usage: &Track) {
        let znode = Arc::make_mut(&mut self.root).find_mut(path);
        if let Some(znode) = znode {
            let before = znode.data_bytes();
            znode.set_data(Some(usage.to_string().as_bytes()));
            let after = znode.data_bytes();
            self.count_data(before, after);
        }
    }
}

/// An active quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The path it is about.
    pub path: String,
    /// Znodes allowed, the hard limit before the soft one; -1 for no limit.
    pub count_limit: i64,
    /// Bytes of data allowed; -1 for no limit.
    pub bytes_limit: i64,
    /// Znodes there are.
    pub count: i64,
    /// Bytes of data there are.
    pub bytes: i64,
}

impl Tree {
    /// All active quotas, in the order of their paths.
    pub fn quotas(&self) -> impl Iterator<Item = Quota> {
        self.quotas.iter().map(|path| {
            let limits = self.track(path, LIMITS).unwrap_or_default();
            let usage = self.track(path, STATS).unwrap_or_default();
            let limit = |hard: &str, soft: &str| match limits.get(hard) {
                hard @ 0.. => hard,
                _ => limits.get(soft),
            };
            Quota {
                path: path.to_string(),
                count_limit: limit("countHardLimit", "count"),
                bytes_limit: limit("byteHardLimit", "bytes"),
                count: usage.get("count"),
                bytes: usage.get("bytes"),
            }
        })
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
        let text = text.get(..TEXT_BYTES_MAX).unwrap_or(text);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Acl;
    use crate::tree::stage::{Act, Stage, create, create_with, delete, multi, set};

    const LIMITS_OF_Q: &str = "/zookeeper/quota/q/zookeeper_limits";
    const STATS_OF_Q: &str = "/zookeeper/quota/q/zookeeper_stats";

    fn with(path: &str, data: &str) -> Act {
        create_with(path, data.as_bytes(), &[Acl::open()])
    }

    /// `/q` with 3 znodes and 8 bytes under the given limits, enforced.
    fn stage(limits: &str) -> Stage {
        let mut stage = Stage::new();
        stage.ok(&with("/q", "abc"));
        stage.ok(&with("/q/c", "de"));
        stage.ok(&create("/zookeeper/quota/q", 0));
        stage.ok(&with(LIMITS_OF_Q, limits));
        stage.ok(&with("/q/d", "fff"));
        stage.ok(&with(STATS_OF_Q, "junk=5"));
        stage.rules.enforce_quota = true;
        stage
    }

    fn usage(stage: &Stage) -> String {
        String::from_utf8(stage.data(STATS_OF_Q).unwrap()).unwrap()
    }

    const HARD: &str = "count=1,bytes=-1=;byteHardLimit=10;countHardLimit=4";

    #[test]
    fn texts_are_read_and_written_as_zookeeper_does() {
        for (text, written) in [
            ("", "count=-1,bytes=-1"),
            ("count=3,bytes=4", "count=3,bytes=4"),
            ("bytes=4;;count=3,", "count=3,bytes=4"),
            ("count=,bytes=4", "count=-1,bytes=4"),
            ("count=x,bytes", "count=-1,bytes=-1"),
            (
                &format!("{}count=3", "a=1,".repeat(256)),
                "count=-1,bytes=-1=;a=1",
            ),
            (HARD, HARD),
            ("b=2;a=1", "count=-1,bytes=-1=;a=1;b=2"),
        ] {
            assert_eq!(Track::parse(text.as_bytes()).to_string(), written, "{text}");
        }
    }

    #[test]
    fn usage_is_measured_when_its_znode_is_created_and_kept_in_place() {
        let mut stage = stage("count=1,bytes=1");
        assert_eq!(usage(&stage), "count=3,bytes=8");
        let before = stage.stat(STATS_OF_Q);
        let bytes = |stage: &Stage| stage.tree.approximate_data_size();
        let size = bytes(&stage);
        stage.ok(&with("/q/e", "0123456789"));
        assert_eq!(usage(&stage), "count=4,bytes=18");
        assert_eq!(
            bytes(&stage),
            size + 4 + 10 + 1,
            "the usage text grew by one"
        );
        stage.ok(&set("/q/e", None, -1));
        assert_eq!(usage(&stage), "count=4,bytes=8");
        stage.ok(&delete("/q/e", -1));
        assert_eq!(usage(&stage), "count=3,bytes=8");
        assert_eq!(stage.stat(STATS_OF_Q), before, "no trace but the data");
        assert_eq!(bytes(&stage), size);
    }

    /// Each as Apache ZooKeeper 3.8.0 answers.
    #[test]
    fn hard_limits_refuse_growth() {
        let mut stage = stage(HARD);
        let exceeded = Code::QuotaExceeded;
        assert_eq!(stage.err(&set("/q/d", Some(b"ffffff"), -1)), exceeded);
        stage.ok(&set("/q/d", Some(b"fffff"), -1));
        stage.ok(&create("/q/e", 0));
        assert_eq!(stage.err(&create("/q/f", 0)), exceeded);
        assert_eq!(stage.err(&set("/q/d", Some(b"0123456789"), 77)), exceeded);
        stage.rules.enforce_quota = false;
        stage.ok(&create("/q/f", 0));
        assert_eq!(usage(&stage), "count=5,bytes=10");
    }

    /// Each as Apache ZooKeeper 3.8.0 answers.
    #[test]
    fn inside_a_multi_quotas_see_the_usage_before_it() {
        let mut stage = stage(HARD);
        let two = multi(&[create("/q/g", 0), create("/q/h", 0)]);
        stage.ok(&two);
        assert_eq!(usage(&stage), "count=5,bytes=8", "overshoots");
        let swap = multi(&[delete("/q/g", -1), create("/q/i", 0)]);
        assert_eq!(stage.err(&swap), Code::QuotaExceeded);
    }

    /// Each as Apache ZooKeeper 3.8.0 answers.
    #[test]
    fn above_a_limit_even_shrinking_is_refused_and_equal_size_is_not() {
        let mut stage = stage(HARD);
        let tighter = b"count=-1,bytes=-1=;byteHardLimit=3";
        stage.ok(&set(LIMITS_OF_Q, Some(tighter), -1));
        let shrink = set("/q/d", Some(b"f"), -1);
        assert_eq!(stage.err(&shrink), Code::QuotaExceeded);
        stage.ok(&set("/q/d", Some(b"xxx"), -1));
    }

    #[test]
    fn a_client_may_write_usage_and_counting_goes_on_from_there() {
        let mut stage = stage("count=-1,bytes=-1");
        stage.ok(&set(STATS_OF_Q, Some(b"count=100,bytes=100"), -1));
        stage.ok(&create("/q/i", 0));
        assert_eq!(usage(&stage), "count=101,bytes=100");
        stage.ok(&delete(STATS_OF_Q, -1));
        stage.ok(&create("/q/j", 0));
        stage.ok(&create(STATS_OF_Q, 0));
        assert_eq!(usage(&stage), "count=5,bytes=8");
    }

    #[test]
    fn a_quota_ends_with_its_limits() {
        let mut stage = stage(HARD);
        stage.ok(&delete(LIMITS_OF_Q, -1));
        for path in ["/q/e", "/q/f", "/q/g"] {
            stage.ok(&create(path, 0));
        }
        assert_eq!(usage(&stage), "count=3,bytes=8");
    }

    #[test]
    fn only_the_deepest_quota_counts_and_the_root_has_none() {
        let mut stage = stage("count=-1,bytes=-1");
        stage.ok(&create("/zookeeper/quota/q/c", 0));
        let limits = "/zookeeper/quota/q/c/zookeeper_limits";
        stage.ok(&with(limits, "count=-1,bytes=-1=;countHardLimit=1"));
        stage.ok(&create("/zookeeper/quota/q/c/zookeeper_stats", 0));
        assert_eq!(stage.err(&create("/q/c/x", 0)), Code::QuotaExceeded);
        stage.ok(&set("/q/c", Some(b"0123456789"), -1));
        assert_eq!(
            usage(&stage),
            "count=3,bytes=8",
            "the outer one is not touched"
        );
        stage.ok(&with(
            "/zookeeper/quota/zookeeper_limits",
            "count=0=;countHardLimit=0",
        ));
        stage.ok(&create("/zookeeper/quota/zookeeper_stats", 0));
        stage.ok(&create("/free", 0));
        stage.ok(&create("/qq", 0));
        assert_eq!(usage(&stage), "count=3,bytes=8", "a name is not a prefix");
    }

    #[test]
    fn what_is_exceeded_is_told_hard_limits_before_soft_ones() {
        let mut stage = stage("count=3,bytes=20");
        stage.rules.enforce_quota = false;
        let told = |stage: &Stage, path: &str| {
            let exceeded = stage.tree.exceeded_quota(path);
            exceeded.map(|e| (e.path, e.what, e.limit, e.usage))
        };
        assert_eq!(told(&stage, "/q/d"), None);
        stage.ok(&create("/q/e", 0));
        let of = |what, limit, usage| Some(("/q".to_owned(), what, limit, usage));
        assert_eq!(told(&stage, "/q/e"), of("count", 3, 4));
        assert_eq!(told(&stage, "/elsewhere"), None);
        let wider = b"count=3,bytes=4=;countHardLimit=9;byteHardLimit=7";
        stage.ok(&set(LIMITS_OF_Q, Some(wider), -1));
        assert_eq!(told(&stage, "/q/e"), of("bytes", 7, 8));
    }
}

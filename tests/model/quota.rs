//! Quotas: limits an administrator wrote, usage the server keeps in the data of a znode.
//! Source: reference, section 12, and what ZooKeeper 3.8 answers where it is silent.

use std::collections::BTreeMap;

use zoowarden::proto::Code;

use crate::znodes::{Model, QUOTA};

const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// The numbers of a limits or stats znode; missing ones are -1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track(BTreeMap<String, i64>);

impl Track {
    fn parse(data: &[u8]) -> Track {
        let text = String::from_utf8_lossy(data);
        let pairs = text.split([',', ';']).filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            // The second `=` of `bytes=5=` only keeps old parsers from the rest.
            let value = value.split('=').next()?.parse().ok()?;
            Some((key.to_owned(), value))
        });
        Track(pairs.collect())
    }

    fn get(&self, key: &str) -> i64 {
        self.0.get(key).copied().unwrap_or(-1)
    }

    fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.get("count"), self.get("bytes"));
        let rest = self.0.iter();
        let rest = rest.filter(|(key, _)| !matches!(key.as_str(), "count" | "bytes"));
        for (i, (key, value)) in rest.enumerate() {
            text += &format!("{};{key}={value}", if i == 0 { "=" } else { "" });
        }
        text
    }

    /// Whether `now + more` would break the hard limit `key`.
    fn is_exceeded(&self, key: &str, now: i64, more: i64) -> bool {
        more != 0 && self.get(key) > -1 && now + more > self.get(key)
    }
}

/// The quota znodes as they were before the request: what checks are made against.
#[derive(Clone, Debug)]
pub(crate) struct Quotas(BTreeMap<String, Track>);

impl Quotas {
    pub(crate) fn of(model: &Model) -> Quotas {
        let paths = model.descendants(QUOTA).into_iter();
        let tracks = paths.filter(|path| path.ends_with(LIMITS) || path.ends_with(STATS));
        let tracks = tracks.map(|path| {
            let data = model.znodes[path].data.as_deref();
            (path.to_owned(), Track::parse(data.unwrap_or_default()))
        });
        Quotas(tracks.collect())
    }

    /// Checks that `count` more znodes and `bytes` more bytes fit at `path`.
    pub(crate) fn check(&self, path: &str, count: i64, bytes: i64) -> Result<(), Code> {
        let is_active = |root: &&str| self.0.contains_key(&format!("{QUOTA}{root}/{LIMITS}"));
        let Some(root) = roots(path).into_iter().find(is_active) else {
            return Ok(());
        };
        let Some(usage) = self.0.get(&format!("{QUOTA}{root}/{STATS}")) else {
            return Ok(());
        };
        let limits = &self.0[&format!("{QUOTA}{root}/{LIMITS}")];
        if limits.is_exceeded("countHardLimit", usage.get("count"), count)
            || limits.is_exceeded("byteHardLimit", usage.get("bytes"), bytes)
        {
            return Err(Code::QuotaExceeded);
        }
        Ok(())
    }
}

/// The path and its ancestors without the root, deepest first.
fn roots(path: &str) -> Vec<&str> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1);
    let mut roots = ends.map(|end| &path[..end]).collect::<Vec<_>>();
    roots.push(path);
    roots.reverse();
    roots
}

impl Model {
    /// Books a change at `path` with the deepest quota above it.
    pub(crate) fn book_usage(&mut self, path: &str, count: i64, bytes: i64) {
        let is_active = |root: &&str| self.znodes.contains_key(&format!("{QUOTA}{root}/{LIMITS}"));
        let Some(root) = roots(path).into_iter().find(is_active) else {
            return;
        };
        if let Some(stats) = self.znodes.get_mut(&format!("{QUOTA}{root}/{STATS}")) {
            let mut track = Track::parse(stats.data.as_deref().unwrap_or_default());
            for (key, more) in [("count", count), ("bytes", bytes)] {
                let value = track.get(key) + more;
                track.0.insert(key.to_owned(), value);
            }
            stats.data = Some(track.text().into_bytes());
        }
    }

    /// A stats znode was created: its data become the usage of the subtree it stands for.
    pub(crate) fn recount_usage(&mut self, path: &str) {
        let Some(root) = path.strip_prefix(QUOTA) else {
            return;
        };
        let Some(root) = root.strip_suffix(STATS) else {
            return;
        };
        let Some(root) = root.strip_suffix('/').filter(|root| !root.is_empty()) else {
            return;
        };
        let (mut count, mut bytes) = (0, 0);
        if let Ok(znode) = self.znode(root) {
            let below = self.descendants(root);
            count = 1 + below.len();
            bytes = znode.bytes();
            bytes += below
                .iter()
                .map(|path| self.znodes[*path].bytes())
                .sum::<usize>();
        }
        let stats = self.znodes.get_mut(path).expect("was found above");
        stats.data = Some(format!("count={count},bytes={bytes}").into_bytes());
    }
}

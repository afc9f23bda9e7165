//! Quotas: setquota, listquota, delquota.
//!
//! A quota is two znodes below `/zookeeper/quota` and the path: `zookeeper_limits`, written here, and
//! `zookeeper_stats`, kept by the servers. Both hold `count=..,bytes=..`, and limits that older
//! servers do not know behind an `=`, so that those read the rest. They stand at the root of the
//! tree, also for a client with a chroot.

use std::fmt;

use serde_json::{Value, json};
use zoowarden::client::Client;
use zoowarden::proto::{Acl, Code, path};

use super::Shell;
use super::arguments::Arguments;
use super::dispatch::{exact_path_operand, path_operand};
use super::failure::Failure;
use super::requests::{self, ANY, Kind};
use super::walk::{self, ALL_LEVELS};

const TOP: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// The flags, and the field of [`Track`] that each is.
const FIELDS: [(&str, usize); 4] = [
    ("count", 0),
    ("bytes", 1),
    ("hard-count", 3),
    ("hard-bytes", 2),
];

/// Names of the fields as they are written; the first two are always there.
const NAMES: [&str; 4] = ["count", "bytes", "byteHardLimit", "countHardLimit"];

/// Limits, or what is used of them; -1 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Track([i64; 4]);

impl Track {
    const NONE: Track = Track([-1; 4]);

    fn parse(text: &str) -> Self {
        let mut track = Self::NONE;
        for part in text.split([',', ';']) {
            let mut sides = part.split('=');
            let (name, value) = (sides.next(), sides.next().unwrap_or_default());
            let field = NAMES.iter().position(|known| Some(*known) == name);
            if let (Some(field), Ok(value)) = (field, value.parse()) {
                track.0[field] = value;
            }
        }
        track
    }

    fn json(self) -> Value {
        let limit = |at: usize| (self.0[at] >= 0).then_some(self.0[at]);
        json!({
            "count": limit(0), "bytes": limit(1), "hard_bytes": limit(2), "hard_count": limit(3),
        })
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [count, bytes, hard_bytes, hard_count] = self.0;
        write!(
            f,
            "count={count},bytes={bytes}=;byteHardLimit={hard_bytes};countHardLimit={hard_count}"
        )
    }
}

/// A path and where its quota stands.
struct Place {
    client: Client,
    /// From the root of the tree.
    path: String,
    limits: String,
    stats: String,
}

impl Place {
    async fn of(shell: &mut Shell, typed: &str) -> Result<Self, Failure> {
        let client = shell.link.at_root().await?;
        let path = walk::moved(typed, "/", shell.link.chroot_or_root());
        let below = walk::moved(&path, "/", TOP);
        Ok(Self {
            client,
            path,
            limits: walk::join(&below, LIMITS),
            stats: walk::join(&below, STATS),
        })
    }

    async fn track(&self, path: &str) -> Result<Option<Track>, Failure> {
        match requests::get(&self.client, path).await {
            Ok((data, _)) => {
                let text =
                    String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned();
                Ok(Some(Track::parse(&text)))
            }
            Err(error) if error.code() == Code::NoNode => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// `listquota path`
pub(crate) async fn list(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let typed = path_operand(arguments, 0)?;
    let place = Place::of(shell, typed).await?;
    if !shell.json {
        shell
            .output
            .message(&format!("absolute path is {}", place.limits));
    }
    let Some(limits) = place.track(&place.limits).await? else {
        return Err(Failure::Other(format!("quota for {typed} does not exist.")));
    };
    let used = place.track(&place.stats).await?.unwrap_or(Track::NONE);
    if shell.json {
        let (limits, used) = (limits.json(), used.json());
        return shell
            .output
            .json(&json!({ "path": typed, "limits": limits, "used": used }));
    }
    shell
        .output
        .line(&format!("Output quota for {typed} {limits}"))?;
    let [count, bytes, ..] = used.0;
    shell.output.line(&format!(
        "Output stat for {typed} count={count},bytes={bytes}"
    ))
}

/// `setquota -n|-b|-N|-B val path`
pub(crate) async fn set(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let typed = exact_path_operand(arguments, 0)?;
    let mut wanted = Track::NONE;
    for (flag, field) in FIELDS {
        if let Some(limit) = arguments.number::<i64>(flag).map_err(Failure::Usage)? {
            if limit < 1 {
                let what = format!(
                    "--{flag} {limit}: a limit must be greater than zero; delquota removes one"
                );
                return Err(Failure::Usage(what));
            }
            wanted.0[field] = limit;
        }
    }
    if wanted == Track::NONE {
        return Err(Failure::Usage(
            "no limit is named: -n, -b, -N or -B".to_owned(),
        ));
    }
    if typed == "/" {
        return Err(Failure::Usage("servers apply no quota to /".to_owned()));
    }
    let place = Place::of(shell, typed).await?;
    if !requests::exists(&place.client, &place.path).await? {
        return Err(Failure::Other(format!("{typed} does not exist.")));
    }
    match place.track(&place.limits).await? {
        Some(there) => {
            let merged = merged(there, wanted).to_string();
            requests::set(&place.client, &place.limits, Some(merged.as_bytes()), ANY).await?;
        }
        None => begin(&place, wanted).await?,
    }
    warn_if_exceeded(shell, &place, wanted).await?;
    if shell.json {
        let limits = place.track(&place.limits).await?.unwrap_or(wanted);
        shell
            .output
            .json(&json!({ "path": typed, "limits": limits.json() }))?;
    }
    Ok(())
}

fn merged(there: Track, wanted: Track) -> Track {
    let mut merged = there;
    for (limit, wanted) in merged.0.iter_mut().zip(wanted.0) {
        if wanted >= 0 {
            *limit = wanted;
        }
    }
    merged
}

/// Servers count for the deepest quota only, so one within another would not do what it says.
async fn begin(place: &Place, wanted: Track) -> Result<(), Failure> {
    for above in path::ancestors(&place.path).skip(1) {
        let limits = walk::join(&walk::moved(above, "/", TOP), LIMITS);
        if requests::exists(&place.client, &limits).await? {
            let what = format!("{} has a parent {above} which has a quota", place.path);
            return Err(Failure::Other(what));
        }
    }
    let (parent, _) = path::split(&place.limits).expect("it has a parent, it was joined");
    place.client.ensure_path(parent).await?;
    let below = walk::paths(&place.client, parent, ALL_LEVELS).await?;
    if let Some(other) = below.paths.iter().find(|path| path.ends_with(LIMITS)) {
        let other = path::split(other).map_or("/", |(parent, _)| &parent[TOP.len()..]);
        let what = format!("{} has a child {other} which has a quota", place.path);
        return Err(Failure::Other(what));
    }
    let begun = "count=0,bytes=0";
    for (path, text) in [
        (&place.limits, wanted.to_string()),
        (&place.stats, begun.to_owned()),
    ] {
        let create = Kind::PERSISTENT.create(path, Some(text.as_bytes()), vec![Acl::open()]);
        requests::create(&place.client, create).await?;
    }
    Ok(())
}

async fn warn_if_exceeded(shell: &Shell, place: &Place, wanted: Track) -> Result<(), Failure> {
    let Some(used) = place.track(&place.stats).await? else {
        return Ok(());
    };
    let pairs = [
        ("count", 0, 0),
        ("bytes", 1, 1),
        ("bytes", 2, 1),
        ("count", 3, 0),
    ];
    for (name, limit, use_of) in pairs {
        if wanted.0[limit] >= 0 && used.0[use_of] > wanted.0[limit] {
            let used = used.0[use_of];
            let what = format!(
                "[Warning]: the {name} quota you create is less than the existing {name}:{used}"
            );
            match shell.json {
                true => shell.output.message(&what),
                false => shell.output.line(&what)?,
            }
        }
    }
    Ok(())
}

/// `delquota [-n|-b|-N|-B] path`
pub(crate) async fn delete(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let typed = exact_path_operand(arguments, 0)?;
    let place = Place::of(shell, typed).await?;
    let Some(mut limits) = place.track(&place.limits).await? else {
        let what = format!("Quota does not exist for {typed}");
        // zkCli takes it for an answer, not for a failure.
        return match shell.json {
            true => Err(Failure::Other(what)),
            false => shell.output.line(&what),
        };
    };
    let named: Vec<usize> = FIELDS
        .iter()
        .filter(|(flag, _)| arguments.has(flag))
        .map(|(_, field)| *field)
        .collect();
    if named.is_empty() {
        remove(&place).await?;
    } else {
        named.iter().for_each(|field| limits.0[*field] = -1);
        let text = limits.to_string();
        requests::set(&place.client, &place.limits, Some(text.as_bytes()), ANY).await?;
    }
    if shell.json {
        let left = (!named.is_empty()).then(|| limits.json());
        shell
            .output
            .json(&json!({ "path": typed, "limits": left }))?;
    }
    Ok(())
}

/// Deletes both znodes and the empty ones above them.
async fn remove(place: &Place) -> Result<(), Failure> {
    for path in [&place.limits, &place.stats] {
        match requests::delete(&place.client, path, ANY).await {
            Err(error) if error.code() != Code::NoNode => return Err(error.into()),
            _ => {}
        }
    }
    for path in path::ancestors(&place.limits)
        .skip(1)
        .take_while(|path| *path != TOP)
    {
        match requests::delete(&place.client, path, ANY).await {
            Ok(()) => {}
            Err(error) if error.code() == Code::NotEmpty => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_zookeeper_writes_them_and_read_back() {
        let text = "count=20,bytes=-1=;byteHardLimit=7;countHardLimit=-1";
        let track = Track::parse(text);
        assert_eq!(track, Track([20, -1, 7, -1]));
        assert_eq!(track.to_string(), text);
        assert_eq!(Track::parse("count=9,bytes=13"), Track([9, 13, -1, -1]));
        assert_eq!(Track::parse("what=ever,count=,x"), Track::NONE);
    }

    #[test]
    fn a_new_limit_leaves_the_others() {
        let there = Track([5, 6, 7, 8]);
        assert_eq!(merged(there, Track([-1, 1, -1, -1])), Track([5, 1, 7, 8]));
    }
}

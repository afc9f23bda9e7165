//! Questions to the history.
//!
//! Pure over what generations give: nothing here writes, waits or decides what is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::gap::Gap;
use crate::history::generation::{Generation, Moment, StoreError};
use crate::history::record::{self, Change};
use crate::proto::Zxid;
use crate::tree::Shape;

/// Changes one answer may have.
pub const CHANGES_MAX: usize = 10_000;

/// Bytes of records one answer may have.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Gaps one answer may have: the newest.
const GAPS_MAX: usize = 1_000;

/// What to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The znode.
    pub path: String,
    /// Everything below it, too.
    pub is_recursive: bool,
    /// Nothing before this time, milliseconds since 1970.
    pub since_ms: i64,
    /// The newest so many, [`CHANGES_MAX`] at most.
    pub limit: usize,
}

impl Query {
    /// The newest hundred changes of a znode.
    pub fn of(path: &str) -> Query {
        Query {
            path: path.to_owned(),
            is_recursive: false,
            since_ms: i64::MIN,
            limit: 100,
        }
    }
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Oldest first.
    pub changes: Vec<Change>,
    /// There are older ones that fit the question.
    pub more: bool,
    /// What is not known of the time asked for, oldest first.
    pub gaps: Vec<Gap>,
    /// Where the history begins; `None`: nothing has been kept yet.
    pub begins: Option<Moment>,
}

/// What restoring a znode takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Which one.
    pub path: Arc<str>,
    /// What it was; `None`: it was not there.
    pub shape: Option<Shape>,
    /// The first change since, which ended that.
    pub until: Zxid,
}

/// A subtree as it was after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Every znode of it that has changed since, parents first.
    pub znodes: Vec<Former>,
    /// What is not known of the time since, oldest first: with gaps, the answer may be wrong.
    pub gaps: Vec<Gap>,
    /// Where the history begins. Behind the zxid asked for, the answer may be wrong.
    pub begins: Option<Moment>,
}

/// Too much to answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("more than {CHANGES_MAX} znodes, or more than 32 MiB, have changed: restore smaller parts")]
pub(super) struct TooMuch;

fn begins(generations: &[Arc<Generation>]) -> Result<Option<Moment>, StoreError> {
    for generation in generations {
        if let Some(begun) = generation.begun()? {
            return Ok(Some(begun));
        }
    }
    Ok(None)
}

fn gaps(
    generations: &[Arc<Generation>],
    pending: Option<Gap>,
    is_meant: impl Fn(&Gap) -> bool,
) -> Result<Vec<Gap>, StoreError> {
    let mut gaps = Vec::new();
    for gap in generations.iter().flat_map(|one| one.gaps()) {
        gaps.push(gap?);
    }
    gaps.extend(pending);
    gaps.retain(is_meant);
    let surplus = gaps.len().saturating_sub(GAPS_MAX);
    gaps.drain(..surplus);
    Ok(gaps)
}

/// The changes that `query` asks for.
pub(super) fn changes(
    generations: &[Arc<Generation>],
    pending: Option<Gap>,
    query: &Query,
) -> Result<Page, StoreError> {
    let limit = query.limit.min(CHANGES_MAX);
    // By place in the order of all changes, and path: the same one read twice is one.
    let mut found = BTreeMap::new();
    let (mut bytes, mut more) = (0, false);
    for generation in generations {
        for entry in generation.changes(&query.path, query.is_recursive) {
            let (key, value) = entry?;
            let (_, zxid, place) = record::split_key(&key)?;
            if record::time_ms(&value)? < query.since_ms {
                continue;
            }
            bytes += value.len();
            if let Some((_, twice)) = found.insert((zxid, place, key.clone()), (key, value)) {
                bytes -= twice.as_ref().len();
            }
            while found.len() > limit || bytes > ANSWER_BYTES_MAX {
                let Some((_, (_, dropped))) = found.pop_first() else {
                    break;
                };
                bytes -= dropped.len();
                more = true;
            }
        }
    }
    let decoded = found
        .values()
        .map(|(key, value)| record::decode(key, value));
    let changes = decoded.collect::<Result<Vec<_>, _>>()?;
    let from = match more {
        true => changes.first().map_or(Zxid(0), |change| change.zxid),
        false => Zxid(0),
    };
    let is_meant = |gap: &Gap| gap.last >= from && (gap.to_ms == 0 || gap.to_ms >= query.since_ms);
    Ok(Page {
        changes,
        more,
        gaps: gaps(generations, pending, is_meant)?,
        begins: begins(generations)?,
    })
}

/// `path` and what is below it as they were after `zxid`: for each znode that has changed since,
/// what it was before the first such change.
pub(super) fn past(
    generations: &[Arc<Generation>],
    pending: Option<Gap>,
    path: &str,
    zxid: Zxid,
) -> Result<Result<Past, TooMuch>, StoreError> {
    let mut firsts: BTreeMap<String, (Zxid, u32, sled::IVec, sled::IVec)> = BTreeMap::new();
    let mut bytes = 0;
    for generation in generations {
        for entry in generation.changes(path, true) {
            let (key, value) = entry?;
            let (changed, at, place) = record::split_key(&key)?;
            let known = firsts.get(changed);
            if at <= zxid || known.is_some_and(|first| (first.0, first.1) <= (at, place)) {
                continue;
            }
            bytes += value.len() + changed.len();
            firsts.insert(changed.to_owned(), (at, place, key.clone(), value));
            if firsts.len() > CHANGES_MAX || bytes > ANSWER_BYTES_MAX {
                return Ok(Err(TooMuch));
            }
        }
    }
    let formers = firsts.into_values().map(|(until, _, key, value)| {
        let change = record::decode(&key, &value)?;
        Ok(Former {
            path: change.path,
            shape: change.before,
            until,
        })
    });
    let mut znodes = formers.collect::<Result<Vec<_>, StoreError>>()?;
    znodes.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    Ok(Ok(Past {
        znodes,
        gaps: gaps(generations, pending, |gap| gap.last > zxid)?,
        begins: begins(generations)?,
    }))
}

//! Going through a subtree: many requests in flight, one order at the end.
//!
//! A walk is no snapshot: it sees each znode at its own moment, as every tool that walks a
//! ZooKeeper tree does. A znode that vanishes meanwhile is not there; one that may not be read is
//! remembered and told at the end.

use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use futures_util::stream::{self, FuturesUnordered, Stream, StreamExt};
use zoowarden::client::{Client, Error};
use zoowarden::proto::{Acl, Code, Stat};

use super::failure::Failure;
use super::requests;

/// Requests in flight.
pub(crate) const WINDOW: usize = 256;

/// More znodes than this are not collected.
const ZNODES_MAX: usize = 20_000_000;

/// How far down a walk goes: 0 is the top alone.
pub(crate) type Depth = usize;

/// As deep as there is anything.
pub(crate) const ALL_LEVELS: Depth = usize::MAX;

/// The paths of a subtree.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// The top first, each parent before its children, siblings by name: depth first.
    pub(crate) paths: Vec<String>,
    /// What may not be listed, with the reason.
    pub(crate) denied: Vec<Error>,
}

/// A znode with all there is to know about it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) path: String,
    pub(crate) data: Option<Bytes>,
    pub(crate) stat: Stat,
    pub(crate) acl: Vec<Acl>,
}

/// The paths of the subtree at `top`, which must exist.
pub(crate) async fn paths(client: &Client, top: &str, depth: Depth) -> Result<Paths, Failure> {
    let mut found = Paths {
        paths: vec![top.to_owned()],
        denied: Vec::new(),
    };
    if depth == 0 {
        requests::stat(client, top).await?;
        return Ok(found);
    }
    let mut gone = HashSet::new();
    let mut waiting = VecDeque::from([(top.to_owned(), 0)]);
    let mut asked = FuturesUnordered::new();
    loop {
        while asked.len() < WINDOW
            && let Some((path, level)) = waiting.pop_front()
        {
            asked.push(list(client, path, level));
        }
        let Some((path, level, listed)) = asked.next().await else {
            break;
        };
        match listed {
            Ok(names) => {
                let children = names.iter().map(|name| join(&path, name));
                for child in children {
                    if level + 1 < depth {
                        waiting.push_back((child.clone(), level + 1));
                    }
                    found.paths.push(child);
                }
            }
            Err(error) if level > 0 && error.code() == Code::NoNode => {
                gone.insert(path);
            }
            Err(error) if level > 0 && error.code() == Code::NoAuth => found.denied.push(error),
            Err(error) => return Err(error.into()),
        }
        if found.paths.len() > ZNODES_MAX {
            let what = format!("{top} has more than {ZNODES_MAX} znodes below: take a part of it");
            return Err(Failure::Other(what));
        }
    }
    if !gone.is_empty() {
        found.paths.retain(|path| !gone.contains(path));
    }
    found.paths.sort_unstable_by(|a, b| in_tree_order(a, b));
    Ok(found)
}

async fn list(
    client: &Client,
    path: String,
    level: Depth,
) -> (String, Depth, Result<Vec<String>, Error>) {
    let listed = requests::children(client, &path).await;
    (path, level, listed.map(|(names, _)| names))
}

/// The znodes of these paths, in this order, each with data, stat and ACL; what has vanished is
/// left out.
pub(crate) fn records<'a>(
    client: &'a Client,
    paths: &'a [String],
) -> impl Stream<Item = Result<Record, Error>> + 'a {
    stream::iter(paths)
        .map(move |path| record(client, path))
        .buffered(WINDOW)
        .filter_map(async |record| record.transpose())
}

async fn record(client: &Client, path: &str) -> Result<Option<Record>, Error> {
    let (got, acl) = futures_util::join!(requests::get(client, path), requests::acl(client, path));
    match (got, acl) {
        (Ok((data, stat)), Ok((acl, _))) => Ok(Some(Record {
            path: path.to_owned(),
            data,
            stat,
            acl,
        })),
        (Err(error), _) | (_, Err(error)) if error.code() == Code::NoNode => Ok(None),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Whether two znodes are the same or one is above the other.
pub(crate) fn is_within(path: &str, top: &str) -> bool {
    match path.strip_prefix(top) {
        Some(rest) => top == "/" || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// A child's path.
pub(crate) fn join(parent: &str, name: &str) -> String {
    match parent {
        "/" => format!("/{name}"),
        parent => format!("{parent}/{name}"),
    }
}

/// A path below `from` as the same path below `to`.
pub(crate) fn moved(path: &str, from: &str, to: &str) -> String {
    let below = if from == "/" {
        path
    } else {
        &path[from.len()..]
    };
    match (to, below) {
        (to, "" | "/") => to.to_owned(),
        ("/", below) => below.to_owned(),
        (to, below) => format!("{to}{below}"),
    }
}

/// Depth first, siblings by name.
fn in_tree_order(a: &str, b: &str) -> Ordering {
    let parts = |path| zoowarden::proto::path::components(path);
    parts(a).cmp(parts(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_stands_before_its_children_and_siblings_by_name() {
        let mut paths = ["/a/b", "/a-b", "/", "/a", "/a/b/c", "/b", "/a.b"];
        paths.sort_by(|a, b| in_tree_order(a, b));
        assert_eq!(paths, ["/", "/a", "/a/b", "/a/b/c", "/a-b", "/a.b", "/b"]);
    }

    #[test]
    fn paths_move_with_their_top() {
        for (path, from, to, want) in [
            ("/a", "/a", "/b", "/b"),
            ("/a/x/y", "/a", "/b/c", "/b/c/x/y"),
            ("/a/x", "/a", "/", "/x"),
            ("/a", "/", "/b", "/b/a"),
            ("/", "/", "/b", "/b"),
        ] {
            assert_eq!(moved(path, from, to), want, "{path} {from} {to}");
        }
    }

    #[test]
    fn a_neighbour_with_a_longer_name_is_not_within() {
        assert!(is_within("/a", "/a") && is_within("/a/b", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a") && !is_within("/", "/a"));
    }
}

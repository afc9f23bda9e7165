//! The cache of a subtree.
//!
//! One persistent recursive watch tells which paths changed; each is read again. A full walk comes
//! first, after each reconnect (servers do not tell persistent watches what was missed), and when
//! events were dropped.
//!
//! Invariant: all reads are of one session and applied in their order, so the cache never goes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{FutureExt, Stream};
use parking_lot::RwLock;
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;

use crate::client::{AddWatchMode, Client, Code, Error, State, WatchEvent, Watcher};
use crate::recipes::names::join;
use crate::recipes::znode_cache::{Znode, retry};

/// Reads on their way at once.
const READS_AT_ONCE: usize = 256;

/// Events read before what they name is.
const EVENTS_AT_ONCE: usize = 1_024;

/// Changes that wait in a [`TreeChanges`] to be read.
const CHANGES_MAX: usize = 4_096;

/// Everything at a path and below, by path.
type Tree = BTreeMap<String, Arc<Znode>>;

/// What happened to a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeChange {
    /// A znode came.
    Added(String, Arc<Znode>),
    /// A znode changed, or was replaced by another of its name.
    Updated(String, Arc<Znode>),
    /// A znode went.
    Removed(String),
    /// This was read too slowly, and so many changes were dropped: look at the whole cache.
    Missed(u64),
    /// The cache has ended, with the client or because it grew too large.
    Ended(Error),
}

/// Follows a path and everything below it, there or not.
///
/// Each znode shows the newest state that the client's server has told of; different znodes may be
/// seen at different moments. Changes that were soon followed by others may be skipped. What may
/// not be read is not in it. While the client is not connected it shows what it knew. A client that
/// renews its session goes on following in the new one.
///
/// Needs servers that know addWatch: ours, and Apache ZooKeeper from 3.6.
#[derive(Debug)]
pub struct TreeCache {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// Changes of a cache as they come.
#[derive(Debug)]
pub struct TreeChanges {
    receiver: broadcast::Receiver<TreeChange>,
}

#[derive(Debug)]
struct Shared {
    tree: RwLock<Tree>,
    changes: broadcast::Sender<TreeChange>,
    filled: watch::Sender<Option<Result<(), Error>>>,
    root: String,
    znodes_max: usize,
}

impl Drop for TreeCache {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TreeCache {
    /// Znodes a cache holds unless told otherwise.
    pub const ZNODES_MAX: usize = 1_000_000;

    /// Follows `root`, which has been walked once when this returns. Errors: Unimplemented by an
    /// old server; QuotaExceeded for more than [`TreeCache::ZNODES_MAX`] znodes.
    pub async fn start(client: &Client, root: &str) -> Result<TreeCache, Error> {
        TreeCache::start_with(client, root, TreeCache::ZNODES_MAX).await
    }

    /// The same for so many znodes at most. A cache that grows beyond ends.
    pub async fn start_with(
        client: &Client,
        root: &str,
        znodes_max: usize,
    ) -> Result<TreeCache, Error> {
        let shared = Arc::new(Shared {
            tree: RwLock::default(),
            changes: broadcast::Sender::new(CHANGES_MAX),
            filled: watch::Sender::new(None),
            root: root.to_owned(),
            znodes_max,
        });
        let (client, in_task) = (client.clone(), Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let error = in_task.follow(&client).await;
            in_task.filled.send_replace(Some(Err(error.clone())));
            in_task.tell(TreeChange::Ended(error));
        });
        let cache = TreeCache {
            shared,
            task: task.abort_handle(),
        };
        let mut filled = cache.shared.filled.subscribe();
        let outcome = filled.wait_for(Option::is_some).await;
        let outcome = outcome.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(Error::new(Code::Closing)))?;
        Ok(cache)
    }

    /// A znode.
    pub fn get(&self, path: &str) -> Option<Arc<Znode>> {
        self.shared.tree.read().get(path).cloned()
    }

    /// Names of a znode's children, in order.
    pub fn children(&self, path: &str) -> Vec<String> {
        let below = join(path, "");
        let tree = self.shared.tree.read();
        let descendants = tree.range(below.clone()..).map(|(path, _)| path);
        descendants
            .map_while(|path| path.strip_prefix(&below))
            .filter(|name| !name.is_empty() && !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }

    /// Everything, by path.
    pub fn snapshot(&self) -> BTreeMap<String, Arc<Znode>> {
        self.shared.tree.read().clone()
    }

    /// Znodes in it.
    pub fn len(&self) -> usize {
        self.shared.tree.read().len()
    }

    /// Whether there is no znode in it: the root is missing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes from now on. Look at the cache after calling this, and nothing is missed.
    pub fn changes(&self) -> TreeChanges {
        TreeChanges {
            receiver: self.shared.changes.subscribe(),
        }
    }

    /// Why the cache follows no more; `None` while it does.
    pub fn ended(&self) -> Option<Error> {
        let filled = self.shared.filled.borrow();
        filled.as_ref().and_then(|filled| filled.clone().err())
    }
}

impl TreeChanges {
    /// The next change; `None` when the cache was dropped.
    pub async fn next(&mut self) -> Option<TreeChange> {
        match self.receiver.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(TreeChange::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = TreeChange> + Send + 'static {
        futures_util::stream::unfold(self, async |mut changes| {
            changes.next().await.map(|change| (change, changes))
        })
    }
}

impl Shared {
    fn tell(&self, change: TreeChange) {
        // An error means that nobody listens.
        drop(self.changes.send(change));
    }

    /// Ends when the cache does.
    async fn follow(&self, client: &Client) -> Error {
        loop {
            let Err(error) = self.follow_session(client).await else {
                continue;
            };
            if let Err(error) = retry(client, error).await {
                return error;
            }
        }
    }

    /// Follows for as long as the watch lasts.
    async fn follow_session(&self, client: &Client) -> Result<(), Error> {
        let mut states = client.states();
        client.connected().await?;
        states.mark_unchanged();
        let mode = AddWatchMode::PersistentRecursive;
        let mut watcher = client.watch(&self.root, mode).await?;
        self.walk(client).await?;
        loop {
            tokio::select! {
                event = watcher.next() => match gather(event, &mut watcher) {
                    Heard::Paths(paths) => self.read_again(client, paths).await?,
                    Heard::Overflow => self.walk(client).await?,
                    Heard::End => return client.connected().await,
                },
                changed = states.changed() => {
                    changed.map_err(|_| Error::new(Code::Closing))?;
                    if *states.borrow_and_update() == State::Connected {
                        self.walk(client).await?;
                    }
                }
            }
        }
    }

    /// Reads everything.
    async fn walk(&self, client: &Client) -> Result<(), Error> {
        let mut found = Tree::new();
        let mut ahead = vec![self.root.clone()];
        while !ahead.is_empty() {
            let some: Vec<String> = ahead.split_off(ahead.len().saturating_sub(READS_AT_ONCE));
            let reads = some.iter().map(|path| read(client, path));
            let lists = some.iter().map(|path| list(client, path));
            // Both on their way at once: requests are answered in order.
            let (znodes, lists) = tokio::join!(join_all(reads), join_all(lists));
            for ((path, znode), names) in some.into_iter().zip(znodes).zip(lists) {
                let Some(znode) = znode? else {
                    continue;
                };
                ahead.extend(names?.iter().map(|name| join(&path, name)));
                found.insert(path, znode);
                self.check_size(found.len())?;
            }
        }
        self.replace(found);
        self.filled.send_replace(Some(Ok(())));
        Ok(())
    }

    fn check_size(&self, znodes: usize) -> Result<(), Error> {
        if znodes <= self.znodes_max {
            return Ok(());
        }
        Err(Error::new(Code::QuotaExceeded).because(format_args!(
            "there are more than {} znodes below {}; raise znodes_max",
            self.znodes_max, self.root
        )))
    }

    fn replace(&self, found: Tree) {
        let before = std::mem::replace(&mut *self.tree.write(), found.clone());
        for path in before
            .keys()
            .rev()
            .filter(|path| !found.contains_key(*path))
        {
            self.tell(TreeChange::Removed(path.clone()));
        }
        for (path, znode) in found {
            match before.get(&path) {
                None => self.tell(TreeChange::Added(path, znode)),
                Some(old) if *old != znode => self.tell(TreeChange::Updated(path, znode)),
                Some(_) => {}
            }
        }
    }

    /// Reads these paths again.
    async fn read_again(&self, client: &Client, paths: BTreeSet<String>) -> Result<(), Error> {
        let paths: Vec<String> = paths.into_iter().collect();
        for some in paths.chunks(READS_AT_ONCE) {
            let znodes = join_all(some.iter().map(|path| read(client, path))).await;
            for (path, znode) in some.iter().zip(znodes) {
                self.put(path, znode?);
            }
            self.check_size(self.tree.read().len())?;
        }
        Ok(())
    }

    fn put(&self, path: &str, znode: Option<Arc<Znode>>) {
        let change = match znode {
            Some(znode) => {
                let before = self
                    .tree
                    .write()
                    .insert(path.to_owned(), Arc::clone(&znode));
                match before {
                    None => TreeChange::Added(path.to_owned(), znode),
                    Some(old) if old != znode => TreeChange::Updated(path.to_owned(), znode),
                    Some(_) => return,
                }
            }
            None if self.tree.write().remove(path).is_some() => {
                TreeChange::Removed(path.to_owned())
            }
            None => return,
        };
        self.tell(change);
    }
}

/// What a watcher has told.
enum Heard {
    Paths(BTreeSet<String>),
    Overflow,
    End,
}

/// An event, and those that wait behind it.
fn gather(first: Option<WatchEvent>, watcher: &mut Watcher) -> Heard {
    let mut paths = BTreeSet::new();
    let mut event = first;
    loop {
        match event {
            None => return Heard::End,
            Some(WatchEvent::Overflow { .. }) => return Heard::Overflow,
            Some(WatchEvent::Changed { path, .. }) => drop(paths.insert(path)),
            Some(WatchEvent::State(_)) => {}
        }
        if paths.len() >= EVENTS_AT_ONCE {
            return Heard::Paths(paths);
        }
        match watcher.next().now_or_never() {
            Some(next) => event = next,
            None => return Heard::Paths(paths),
        }
    }
}

/// `None`: it is not there, or not for us to read.
async fn read(client: &Client, path: &str) -> Result<Option<Arc<Znode>>, Error> {
    match client.get(path).await {
        Ok((data, stat)) => Ok(Some(Arc::new(Znode {
            data: Bytes::copy_from_slice(&data),
            stat,
        }))),
        Err(error) if matches!(error.code(), Code::NoNode | Code::NoAuth) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn list(client: &Client, path: &str) -> Result<Vec<String>, Error> {
    match client.get_children(path).await {
        Err(error) if matches!(error.code(), Code::NoNode | Code::NoAuth) => Ok(Vec::new()),
        names => names,
    }
}

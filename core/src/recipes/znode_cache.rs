//! The cache of one znode.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::client::{Client, Code, Error, Stat};
use crate::recipes::within::passes;

/// A znode's data and its `Stat`, read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Znode {
    /// Its data.
    pub data: Bytes,
    /// Its `Stat`.
    pub stat: Stat,
}

/// What a cache knows of its znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached {
    /// It is there.
    There(Arc<Znode>),
    /// It is not there.
    Missing,
    /// The cache has ended, with the client or because reading was refused; what was read last.
    Ended(Option<Arc<Znode>>, Error),
}

impl Cached {
    /// The znode, as far as it is known.
    pub fn znode(&self) -> Option<&Arc<Znode>> {
        match self {
            Cached::There(znode) | Cached::Ended(Some(znode), _) => Some(znode),
            Cached::Missing | Cached::Ended(None, _) => None,
        }
    }
}

/// Follows one znode, there or not.
///
/// Shows the newest state that its client's server has told of; states that were soon followed by
/// others may be skipped, and none comes after a newer one. While the client is not connected it
/// shows the last one. A client that renews its session goes on following in the new one.
#[derive(Debug)]
pub struct ZnodeCache {
    cached: watch::Receiver<Cached>,
    task: AbortHandle,
}

impl Drop for ZnodeCache {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ZnodeCache {
    /// Follows the znode at `path`, which has been read once when this returns.
    ///
    /// Errors: those of [`Client::get`] but `NoNode`.
    pub async fn start(client: &Client, path: &str) -> Result<ZnodeCache, Error> {
        let (sender, mut cached) = watch::channel(Cached::Ended(None, Error::new(Code::Closing)));
        cached.mark_unchanged();
        let (client, path) = (client.clone(), path.to_owned());
        let task = tokio::spawn(async move {
            let error = follow(&client, &path, &sender).await;
            let last = sender.borrow().znode().cloned();
            sender.send_replace(Cached::Ended(last, error));
        });
        let mut cache = ZnodeCache {
            cached,
            task: task.abort_handle(),
        };
        cache.changed().await;
        match cache.current() {
            Cached::Ended(_, error) => Err(error),
            _ => Ok(cache),
        }
    }

    /// What is known now.
    pub fn current(&self) -> Cached {
        self.cached.borrow().clone()
    }

    /// Waits until something else is known than at the last call, and gives it.
    pub async fn changed(&mut self) -> Cached {
        // Without a task nothing changes any more.
        if self.cached.changed().await.is_err() {
            return std::future::pending().await;
        }
        self.cached.borrow_and_update().clone()
    }

    /// What is known, as it changes.
    pub fn changes(&self) -> watch::Receiver<Cached> {
        self.cached.clone()
    }
}

/// Waits until what failed can be tried again. An error is the end.
pub(crate) async fn retry(client: &Client, error: Error) -> Result<(), Error> {
    if !passes(&error) && error.code() != Code::SessionExpired {
        return Err(error);
    }
    if error.code() != Code::ConnectionLoss {
        tokio::time::sleep(super::within::REST).await;
    }
    // An error if the client does not begin another session.
    client.connected().await
}

/// Ends when the cache does.
async fn follow(client: &Client, path: &str, sender: &watch::Sender<Cached>) -> Error {
    loop {
        let step = match client.get_and_watch(path).await {
            Ok((data, stat, mut watcher)) => {
                let data = Bytes::copy_from_slice(&data);
                sender.send_replace(Cached::There(Arc::new(Znode { data, stat })));
                watcher.next().await;
                Ok(())
            }
            Err(error) if error.code() == Code::NoNode => absent(client, path, sender).await,
            Err(error) => Err(error),
        };
        if let Err(error) = step
            && let Err(error) = retry(client, error).await
        {
            return error;
        }
    }
}

/// Waits until the znode that was missing is there.
async fn absent(client: &Client, path: &str, sender: &watch::Sender<Cached>) -> Result<(), Error> {
    let (stat, mut watcher) = client.exists_and_watch(path).await?;
    if stat.is_none() {
        sender.send_replace(Cached::Missing);
        watcher.next().await;
    }
    Ok(())
}

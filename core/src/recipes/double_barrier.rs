//! The double barrier.

use std::collections::BTreeSet;

use tokio::runtime::Handle;

use crate::client::{Client, CreateMode, CreateOptions, Error, Stat, WatchEvent};
use crate::recipes::holding::Holding;
use crate::recipes::line::Options;
use crate::recipes::names::{join, unique};
use crate::recipes::own::{Own, Plan};
use crate::recipes::within::{Within, random};

/// The znode whose presence lets everybody in.
const READY: &str = "ready";

/// Lets a number of members in together, and out together, again and again.
///
/// All must name the same number. A member whose session ends is out, for the others too: those
/// who wait to get in wait for another one, those who leave do not wait for it.
#[derive(Clone, Debug)]
pub struct DoubleBarrier {
    client: Client,
    path: String,
    members: u32,
    options: Options,
}

/// A member that got in. Dropping it leaves without waiting for the others.
#[derive(Debug)]
pub struct Inside {
    barrier: DoubleBarrier,
    within: Within,
    holding: Holding,
    /// The czxid of what let us in, not that of another round; `None` if it is gone already.
    ready: Option<i64>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        // What let us in must not let in the next round; nobody else takes it away for us.
        let (Some(ready), Ok(runtime)) = (self.ready, Handle::try_current()) else {
            return;
        };
        let (within, path) = (self.within.clone(), join(&self.barrier.path, READY));
        runtime.spawn(async move {
            // It goes with the session of whoever created it, if not now.
            let _ = within.remove_that(&path, ready).await;
        });
    }
}

impl DoubleBarrier {
    /// The barrier of so many members at `path`, which is created when it is needed. Nothing is
    /// sent yet.
    pub fn new(client: &Client, path: &str, members: u32) -> DoubleBarrier {
        DoubleBarrier::with(client, path, members, Options::default())
    }

    /// The same with options, of which the layout makes no difference.
    pub fn with(client: &Client, path: &str, members: u32, options: Options) -> DoubleBarrier {
        DoubleBarrier {
            client: client.clone(),
            path: path.to_owned(),
            members,
            options,
        }
    }

    /// Waits until all members are there; drop the future to stay out.
    ///
    /// Waits through lost connections. `SessionExpired`: the session ended meanwhile.
    pub async fn enter(&self) -> Result<Inside, Error> {
        let within = Within::begin(&self.client).await?;
        let plan = Plan {
            parent: self.path.clone(),
            name: unique(random()?),
            sequential: false,
            data: self.options.identifier.clone(),
            acl: self.options.acl.clone(),
        };
        let own = Own::create(&within, plan).await?;
        let ready = self.until_ready(&within).await?;
        Ok(Inside {
            barrier: self.clone(),
            within,
            holding: Holding::begin(own).await?,
            ready,
        })
    }

    /// Waits for the znode that lets in, or creates it. Gives its czxid, if it is still there.
    async fn until_ready(&self, within: &Within) -> Result<Option<i64>, Error> {
        let path = join(&self.path, READY);
        loop {
            let look = || self.client.exists_and_watch(&path);
            let (stat, mut watcher) = within.steady(look).await?;
            if let Some(Stat { czxid, .. }) = stat {
                return Ok(Some(czxid));
            }
            let members = members(within, &self.path).await?;
            if members.len() < usize::try_from(self.members).unwrap_or(usize::MAX) {
                if let Some(WatchEvent::Changed { .. }) = watcher.next().await {
                    // kazoo takes it away as soon as the first one leaves.
                    let stat = within.steady(|| self.client.exists(&path)).await?;
                    return Ok(stat.map(|stat| stat.czxid));
                }
                within.check()?;
                continue;
            }
            let options = CreateOptions {
                mode: CreateMode::Ephemeral,
                acl: self.options.acl.clone(),
                parents: false,
            };
            within.ensure(&path, b"", &options).await?;
        }
    }
}

/// Names of those who are there.
async fn members(within: &Within, path: &str) -> Result<BTreeSet<String>, Error> {
    let list = within.steady(|| within.client.get_children(path)).await?;
    Ok(list.into_iter().filter(|name| name != READY).collect())
}

impl Inside {
    /// What keeps us inside: lost when the session is.
    pub fn holding(&self) -> &Holding {
        &self.holding
    }

    /// Leaves, and waits until all who were inside have left. Those who enter for the next round
    /// meanwhile are not waited for.
    ///
    /// Waits through lost connections. `SessionExpired`: the session ended meanwhile, and with it
    /// we left.
    pub async fn leave(&self) -> Result<(), Error> {
        let own = self.holding.path().rsplit('/').next().unwrap_or_default();
        let met = members(&self.within, &self.barrier.path).await?;
        loop {
            let now = members(&self.within, &self.barrier.path).await?;
            // The others of this round, in order: ids are never used twice.
            let mut left: Vec<String> = met.intersection(&now).cloned().collect();
            left.retain(|name| name != own);
            let (Some(lowest), Some(highest)) = (left.first(), left.last()) else {
                break;
            };
            // The lowest goes last and waits for the highest, all others for the lowest: so each
            // wakes few.
            let awaited = if now.contains(own) && own < lowest.as_str() {
                highest
            } else {
                self.holding.release().await?;
                lowest
            };
            let path = join(&self.barrier.path, awaited);
            self.within.until_gone(&path).await?;
        }
        self.holding.release().await?;
        self.close().await
    }

    /// Takes away what let us in, unless it belongs to another round already.
    async fn close(&self) -> Result<(), Error> {
        let path = join(&self.barrier.path, READY);
        match self.ready {
            Some(ready) => self.within.remove_that(&path, ready).await,
            None => Ok(()),
        }
    }
}

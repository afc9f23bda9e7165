//! A znode of our own: ephemeral, with a name that nobody else has.
//!
//! What lives here: creating it exactly once, whatever happens to the connection, and removing it
//! for certain. What does not: why it is there.
//!
//! Invariants: a name is tried anew only after a look, behind a sync, has shown that the try before
//! it failed. As long as its session lasts, a znode that was created is owned by an [`Own`], or a
//! task is removing it.
//!
//! ```text
//! create ──ok──────────────────────────────► Own
//!   ▲  └─unknown─► connected ─► sync, look ──found──► Own
//!   └────────────────────────────────┘ not there
//! ```

use tokio::runtime::Handle;

use crate::client::{
    Acl, Code, CreateMode, CreateOptions, Error, ReadOptions, SessionId, Stat, Zxid,
};
use crate::recipes::names::join;
use crate::recipes::within::{Within, passes};

/// How often a parent is made again that somebody removes (a container is removed when empty).
const PARENT_ROUNDS_MAX: u32 = 16;

/// What to create.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) parent: String,
    /// Unique among all that ever were: the whole name, or what comes before the digits.
    pub(crate) name: String,
    /// The server puts digits behind the name.
    pub(crate) sequential: bool,
    pub(crate) data: Vec<u8>,
    pub(crate) acl: Vec<Acl>,
}

/// A znode of ours. Dropping it removes it in the background.
pub(crate) struct Own {
    pub(crate) within: Within,
    path: String,
    pub(crate) token: Zxid,
    /// `None`: not ours to remove any more.
    runtime: Option<Handle>,
}

/// A creation whose outcome nobody has taken yet. Dropping it removes what came of it.
struct Attempt {
    within: Within,
    plan: Plan,
    runtime: Option<Handle>,
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let (within, path) = (self.within.clone(), std::mem::take(&mut self.path));
            // What cannot be removed has its reason (permissions), and ends with the session.
            runtime.spawn(async move { within.remove(&path).await });
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let (within, plan) = (self.within.clone(), self.plan.clone());
            runtime.spawn(async move {
                // In the session the client has now: a renewed one may have created it.
                let Ok(within) = Within::begin(&within.client).await else {
                    return;
                };
                if let Ok(Some((path, _))) = plan.look(&within).await {
                    // What cannot be removed ends with the session.
                    let _ = within.remove(&path).await;
                }
            });
        }
    }
}

impl Plan {
    fn path(&self) -> String {
        join(&self.parent, &self.name)
    }

    fn options(&self) -> CreateOptions {
        CreateOptions {
            mode: if self.sequential {
                CreateMode::EphemeralSequential
            } else {
                CreateMode::Ephemeral
            },
            acl: self.acl.clone(),
            parents: false,
        }
    }

    /// Looks, behind a sync, for what an earlier try may have created.
    async fn look(&self, within: &Within) -> Result<Option<(String, Stat)>, Error> {
        let current = ReadOptions { linearizable: true };
        let client = &within.client;
        let list = within.steady(|| client.get_children_with(&self.parent, current));
        let children = match list.await {
            Ok((children, _)) => children,
            Err(error) if error.code() == Code::NoNode => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_ours = |child: &&String| match self.sequential {
            true => child.starts_with(&self.name),
            false => **child == self.name,
        };
        let Some(child) = children.iter().find(is_ours) else {
            return Ok(None);
        };
        let path = join(&self.parent, child);
        let stat = within.steady(|| client.exists(&path)).await?;
        Ok(stat.map(|stat| (path, stat)))
    }
}

impl Own {
    /// Creates it, and its parent if that is missing.
    pub(crate) async fn create(within: &Within, plan: Plan) -> Result<Own, Error> {
        let mut attempt = Attempt {
            within: within.clone(),
            plan,
            runtime: Some(Handle::current()),
        };
        let (path, stat) = attempt.run().await?;
        let own = Own {
            within: Within {
                // Of a client that renews, this may be a later session than we began in.
                session: SessionId(stat.ephemeral_owner),
                ..within.clone()
            },
            path,
            token: Zxid(stat.czxid),
            runtime: attempt.runtime.take(),
        };
        within.check()?;
        Ok(own)
    }

    /// Its path, without the client's chroot.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its last component.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().expect("a split has a part")
    }

    /// Removes it and waits until it is gone. Dropping the future removes it in the background.
    pub(crate) async fn remove(mut self) -> Result<(), Error> {
        let removed = self.within.remove(&self.path).await;
        self.runtime = None;
        removed
    }

    /// It is gone: there is nothing to remove.
    pub(crate) fn forget(mut self) {
        self.runtime = None;
    }
}

impl Attempt {
    async fn run(&mut self) -> Result<(String, Stat), Error> {
        let (path, options) = (self.plan.path(), self.plan.options());
        let client = self.within.client.clone();
        let mut rounds = 0;
        // Whether an earlier try may have created it.
        let mut unknown = false;
        loop {
            let created = client.create_with(&path, &self.plan.data, &options).await;
            let error = match created {
                Ok(created) => return Ok((created.path, created.stat)),
                Err(error) => error,
            };
            match error.code() {
                Code::NoNode if rounds < PARENT_ROUNDS_MAX => {
                    rounds += 1;
                    let parent = &self.plan.parent;
                    self.within.steady(|| client.ensure_path(parent)).await?;
                }
                _ if passes(&error) => {
                    unknown |= !error.nothing_changed();
                    self.within.again(&error).await?;
                    if unknown && let Some(found) = self.plan.look(&self.within).await? {
                        return Ok(found);
                    }
                }
                _ => {
                    // Refused: there is nothing to clean up.
                    if !unknown {
                        self.runtime = None;
                    }
                    return Err(error);
                }
            }
        }
    }
}

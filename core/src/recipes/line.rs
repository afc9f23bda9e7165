//! Standing in line: what locks, elections and semaphores have in common.
//!
//! What lives here: taking a place behind everybody, and waiting for the one ahead. What does not:
//! what is held in the end.
//!
//! Order: the line is that in which the server took the places. Each waits for one other, the last
//! ahead that excludes it; so the end of a holding wakes one, or the readers behind a writer.

use crate::client::{Acl, Client, Code, Error, Zxid};
use crate::recipes::holding::Holding;
use crate::recipes::names::{self, Before, Kind, Layout, join};
use crate::recipes::own::{Own, Plan};
use crate::recipes::within::{Within, random};

/// Options of the recipes that others can see a contender of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data of our znodes: what [`Contender::identifier`] and others' `contenders()` tell.
    /// Text, for kazoo's sake. Empty by default.
    pub identifier: Vec<u8>,
    /// The permissions of our znodes. Everybody may do everything, by default. Whoever contends
    /// must be able to READ.
    pub acl: Vec<Acl>,
    /// Whose names ours look like.
    pub layout: Layout,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            identifier: Vec::new(),
            acl: vec![Acl::open()],
            layout: Layout::default(),
        }
    }
}

/// Somebody who stands in line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The name of its znode.
    pub name: String,
    /// The data of its znode.
    pub identifier: Vec<u8>,
    /// The fencing token that it has when its turn comes.
    pub token: Zxid,
}

/// A line at a path.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) client: Client,
    pub(crate) path: String,
    pub(crate) options: Options,
}

impl Line {
    pub(crate) fn new(client: &Client, path: &str, options: Options) -> Line {
        Line {
            client: client.clone(),
            path: path.to_owned(),
            options,
        }
    }

    /// Holds when it is our turn.
    pub(crate) async fn acquire(&self, kind: Kind) -> Result<Holding, Error> {
        let within = Within::begin(&self.client).await?;
        let own = self.turn(&within, kind).await?;
        Holding::begin(own).await
    }

    /// Holds if it is our turn at once.
    pub(crate) async fn try_acquire(&self, kind: Kind) -> Result<Option<Holding>, Error> {
        let within = Within::begin(&self.client).await?;
        match self.try_turn(&within, kind).await? {
            Some(own) => Holding::begin(own).await.map(Some),
            None => Ok(None),
        }
    }

    /// Our place, when nobody we wait for is ahead of it.
    pub(crate) async fn turn(&self, within: &Within, kind: Kind) -> Result<Own, Error> {
        let own = self.join(within, kind).await?;
        while let Some(ahead) = self.ahead(within, &own, kind).await? {
            within.until_gone(&ahead).await?;
        }
        Ok(own)
    }

    /// Our place, if nobody we wait for is ahead of it; else it is given up, before this returns.
    pub(crate) async fn try_turn(&self, within: &Within, kind: Kind) -> Result<Option<Own>, Error> {
        let own = self.join(within, kind).await?;
        if self.ahead(within, &own, kind).await?.is_none() {
            return Ok(Some(own));
        }
        own.remove().await?;
        Ok(None)
    }

    async fn join(&self, within: &Within, kind: Kind) -> Result<Own, Error> {
        let plan = Plan {
            parent: self.path.clone(),
            name: self.options.layout.contender(kind, random()?),
            sequential: true,
            data: self.options.identifier.clone(),
            acl: self.options.acl.clone(),
        };
        Own::create(within, plan).await
    }

    /// The path of whom we wait for.
    async fn ahead(&self, within: &Within, own: &Own, kind: Kind) -> Result<Option<String>, Error> {
        let children = within
            .steady(|| self.client.get_children(&self.path))
            .await?;
        match names::before(&children, own.name(), kind) {
            Before::Nobody => Ok(None),
            Before::Somebody(name) => Ok(Some(join(&self.path, name))),
            Before::NotThere => Err(Error::new(Code::NoNode)
                .because(format_args!("somebody removed our place, {}", own.path()))),
        }
    }

    /// Everybody, in order.
    pub(crate) async fn contenders(&self) -> Result<Vec<Contender>, Error> {
        let within = Within::begin(&self.client).await?;
        let children = match within.steady(|| self.client.get_children(&self.path)).await {
            Ok(children) => children,
            Err(error) if error.code() == Code::NoNode => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut contenders = Vec::new();
        for place in names::in_order(&children) {
            contenders.extend(contender(&within, &self.path, place.name).await?);
        }
        Ok(contenders)
    }

    /// The first, who holds.
    pub(crate) async fn first(&self) -> Result<Option<Contender>, Error> {
        Ok(self.contenders().await?.into_iter().next())
    }
}

/// A child with its data; `None` if it is gone.
pub(crate) async fn contender(
    within: &Within,
    parent: &str,
    name: &str,
) -> Result<Option<Contender>, Error> {
    let path = join(parent, name);
    match within.steady(|| within.client.get(&path)).await {
        Ok((data, stat)) => Ok(Some(Contender {
            name: name.to_owned(),
            identifier: data.to_vec(),
            token: Zxid(stat.czxid),
        })),
        Err(error) if error.code() == Code::NoNode => Ok(None),
        Err(error) => Err(error),
    }
}

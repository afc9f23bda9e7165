//! The semaphore.

use crate::client::{Client, Code, CreateOptions, Error};
use crate::recipes::holding::Holding;
use crate::recipes::line::{Contender, Line, Options, contender};
use crate::recipes::names::{Kind, Layout};
use crate::recipes::own::{Own, Plan};
use crate::recipes::within::{Within, random};

/// A number of leases; whoever wants one when all are out waits, in order.
///
/// One at a time, the first in line, watches the leases, so a lease that is given back wakes one.
///
/// kazoo keeps the number of leases in the data of the path, and so do we with [`Layout::Kazoo`];
/// all must ask for the same. To change it, delete the znode. Curator keeps it nowhere.
#[derive(Clone, Debug)]
pub struct Semaphore {
    line: Line,
    leases: String,
    leases_max: u32,
    options: Options,
}

impl Semaphore {
    /// The semaphore of `leases_max` leases at `path`, which is created when it is needed. Nothing
    /// is sent yet.
    pub fn new(client: &Client, path: &str, leases_max: u32) -> Semaphore {
        Semaphore::with(client, path, leases_max, Options::default())
    }

    /// The same with options.
    pub fn with(client: &Client, path: &str, leases_max: u32, options: Options) -> Semaphore {
        let (line, leases) = options.layout.semaphore(path);
        Semaphore {
            line: Line::new(client, &line, options.clone()),
            leases,
            leases_max,
            options,
        }
    }

    /// Waits until there is a lease for us; drop the future to give up.
    ///
    /// Waits through lost connections. `SessionExpired`: the session ended meanwhile.
    /// `BadArguments`: the semaphore has another number of leases. `NoNode`: somebody removed our
    /// place in line.
    pub async fn acquire(&self) -> Result<Holding, Error> {
        let within = Within::begin(&self.line.client).await?;
        self.found(&within).await?;
        let turn = self.line.turn(&within, Kind::Lock).await?;
        loop {
            let list = || within.client.get_children_and_watch(&self.leases);
            let (out, _, mut watcher) = within.steady(list).await?;
            if self.has_room(&out) {
                break;
            }
            watcher.next().await;
        }
        self.take(&within, turn).await
    }

    /// A lease, if there is one and nobody waits for it; `None` otherwise. Errors as
    /// [`Semaphore::acquire`].
    pub async fn try_acquire(&self) -> Result<Option<Holding>, Error> {
        let within = Within::begin(&self.line.client).await?;
        self.found(&within).await?;
        let Some(turn) = self.line.try_turn(&within, Kind::Lock).await? else {
            return Ok(None);
        };
        let list = || within.client.get_children(&self.leases);
        if self.has_room(&within.steady(list).await?) {
            self.take(&within, turn).await.map(Some)
        } else {
            turn.remove().await?;
            Ok(None)
        }
    }

    /// Those who have a lease, in no order; as this client's server sees it.
    pub async fn holders(&self) -> Result<Vec<Contender>, Error> {
        let within = Within::begin(&self.line.client).await?;
        let list = || within.client.get_children(&self.leases);
        let names = match within.steady(list).await {
            Err(error) if error.code() == Code::NoNode => return Ok(Vec::new()),
            names => names?,
        };
        let mut holders = Vec::new();
        for name in names {
            holders.extend(contender(&within, &self.leases, &name).await?);
        }
        Ok(holders)
    }

    fn has_room(&self, out: &[String]) -> bool {
        out.len() < usize::try_from(self.leases_max).unwrap_or(usize::MAX)
    }

    /// Creates what holds the leases, or makes sure that it is for as many as we think.
    async fn found(&self, within: &Within) -> Result<(), Error> {
        let is_kept = self.options.layout == Layout::Kazoo;
        let number = match is_kept {
            true => self.leases_max.to_string(),
            false => String::new(),
        };
        let options = CreateOptions {
            acl: self.options.acl.clone(),
            parents: true,
            ..CreateOptions::default()
        };
        let path = &self.leases;
        if within.ensure(path, number.as_bytes(), &options).await? || !is_kept {
            return Ok(());
        }
        let (data, _) = within.steady(|| within.client.get(path)).await?;
        let said = std::str::from_utf8(&data).ok();
        match said.and_then(|text| text.trim().parse::<u32>().ok()) {
            Some(leases) if leases != self.leases_max => Err(Error::new(Code::BadArguments)
                .because(format_args!(
                    "{path} is a semaphore of {leases} leases, not {}",
                    self.leases_max
                ))),
            // Whatever else stands there was not meant for us.
            _ => Ok(()),
        }
    }

    /// Takes a lease in our turn, and lets the next one have its own.
    async fn take(&self, within: &Within, turn: Own) -> Result<Holding, Error> {
        let (name, sequential) = self.options.layout.lease(random()?);
        let plan = Plan {
            parent: self.leases.clone(),
            name,
            sequential,
            data: self.options.identifier.clone(),
            acl: self.options.acl.clone(),
        };
        let lease = Own::create(within, plan).await?;
        turn.remove().await?;
        Holding::begin(lease).await
    }
}

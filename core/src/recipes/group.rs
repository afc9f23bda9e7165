//! The group.

use crate::client::{Client, Code, Error, Watcher};
use crate::recipes::holding::Holding;
use crate::recipes::line::{Contender, Options, contender};
use crate::recipes::names::unique;
use crate::recipes::own::{Own, Plan};
use crate::recipes::within::{Within, random};

/// The mark of a member's name, kazoo's.
const MARK: &str = "__party__";

/// A member of a group: the name of its znode, its identifier, and its fencing token.
pub type Member = Contender;

/// Who is here: members are in it for as long as their sessions last.
#[derive(Clone, Debug)]
pub struct Group {
    client: Client,
    path: String,
    options: Options,
}

impl Group {
    /// The group at `path`, which is created when it is needed. Nothing is sent yet.
    pub fn new(client: &Client, path: &str) -> Group {
        Group::with(client, path, Options::default())
    }

    /// The same with options: the identifier is what members see of each other; the layout makes no
    /// difference.
    pub fn with(client: &Client, path: &str, options: Options) -> Group {
        Group {
            client: client.clone(),
            path: path.to_owned(),
            options,
        }
    }

    /// Joins; each call is another member. Releasing or dropping the holding leaves.
    ///
    /// Waits through lost connections. `SessionExpired`: the session ended meanwhile.
    pub async fn join(&self) -> Result<Holding, Error> {
        let within = Within::begin(&self.client).await?;
        let plan = Plan {
            parent: self.path.clone(),
            name: unique(random()?) + MARK,
            sequential: false,
            data: self.options.identifier.clone(),
            acl: self.options.acl.clone(),
        };
        Holding::begin(Own::create(&within, plan).await?).await
    }

    /// The members, in the order in which they joined; as this client's server sees it.
    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        let within = Within::begin(&self.client).await?;
        let list = || self.client.get_children(&self.path);
        match within.steady(list).await {
            Err(error) if error.code() == Code::NoNode => Ok(Vec::new()),
            names => self.meet(&within, names?).await,
        }
    }

    /// The members, and a watcher that ends when one comes or goes. The path is created if it is
    /// not there.
    pub async fn members_and_watch(&self) -> Result<(Vec<Member>, Watcher), Error> {
        let within = Within::begin(&self.client).await?;
        within
            .steady(|| self.client.ensure_path(&self.path))
            .await?;
        let list = || self.client.get_children_and_watch(&self.path);
        let (names, _, watcher) = within.steady(list).await?;
        Ok((self.meet(&within, names).await?, watcher))
    }

    async fn meet(&self, within: &Within, names: Vec<String>) -> Result<Vec<Member>, Error> {
        let mut members = Vec::new();
        for name in names.iter().filter(|name| name.contains(MARK)) {
            members.extend(contender(within, &self.path, name).await?);
        }
        members.sort_by_key(|member| member.token);
        Ok(members)
    }
}

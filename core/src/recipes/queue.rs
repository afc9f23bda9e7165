//! The queue.
//!
//! ```text
//! put   multi { create entry-100-0000000007 · set our hand to a number of this put  }
//! take  multi { delete entry-100-0000000007 · set our hand to a number of this take }
//! ```
//!
//! A *hand* is an ephemeral znode of ours beside the queue. When the answer to a multi is lost, the
//! hand tells whether it was carried out: both changes were made, or none.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::client::{Acl, Client, Code, CreateMode, Error, ReadOptions, Transaction, Version};
use crate::recipes::names::{join, unique};
use crate::recipes::own::{Own, Plan};
use crate::recipes::within::{Within, passes, random};

/// kazoo's name of an entry; three digits of priority and the server's ten follow.
const ENTRY: &str = "entry-";

/// What stands behind the queue's path in that of the hands.
const HANDS: &str = "-__hands__";

/// Hands kept for the next operations.
const HANDS_IDLE_MAX: usize = 16;

/// A queue of entries, each handed to one taker, in the order of priority, then of arrival.
///
/// An entry is removed when it is taken: handed out **at most once**, whoever else uses the queue,
/// ours or kazoo's. A taker that dies with an entry takes it along, and so does one whose session
/// ends while it takes. A lost connection alone loses nothing and doubles nothing, in `put` and in
/// `take`. With many takers entries may be *finished* in another order.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    path: String,
    hands: Arc<Mutex<Vec<Hand>>>,
}

/// What was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was put.
    pub data: Bytes,
    /// With which priority.
    pub priority: u16,
    /// The name of its znode.
    pub name: String,
}

/// An entry on its way to whoever waits for it. Dropping it puts it again.
struct Taken {
    queue: Queue,
    entry: Option<Entry>,
    runtime: Handle,
}

impl Taken {
    fn new(queue: Queue, entry: Entry) -> Taken {
        Taken {
            queue,
            entry: Some(entry),
            runtime: Handle::current(),
        }
    }

    fn hand_over(mut self) -> Entry {
        self.entry.take().expect("it is handed over once")
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            let queue = self.queue.clone();
            self.runtime.spawn(async move {
                // If the session ends now it is as with a taker that dies.
                let _ = queue.put_with(&entry.data, entry.priority).await;
            });
        }
    }
}

/// A znode that records what this client did last.
struct Hand {
    own: Own,
    /// Counts what it did.
    number: u64,
}

impl std::fmt::Debug for Hand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hand({}, {})", self.own.path(), self.number)
    }
}

impl Queue {
    /// The priority of an entry that is put without: kazoo's.
    pub const PRIORITY: u16 = 100;
    /// The greatest priority, which comes last.
    pub const PRIORITY_MAX: u16 = 999;

    /// The queue at `path`, which is created when it is needed. Nothing is sent yet.
    pub fn new(client: &Client, path: &str) -> Queue {
        Queue {
            client: client.clone(),
            path: path.to_owned(),
            hands: Arc::default(),
        }
    }

    /// Puts an entry behind all of [`Queue::PRIORITY`] and below.
    ///
    /// Waits through lost connections. `SessionExpired`: the session ended meanwhile, and nobody
    /// can tell whether it was put. The same goes for a future that is dropped.
    pub async fn put(&self, data: &[u8]) -> Result<(), Error> {
        self.put_with(data, Queue::PRIORITY).await
    }

    /// Puts an entry behind all whose priority is the same or smaller. `BadArguments`: a priority
    /// above [`Queue::PRIORITY_MAX`].
    pub async fn put_with(&self, data: &[u8], priority: u16) -> Result<(), Error> {
        if priority > Queue::PRIORITY_MAX {
            return Err(Error::new(Code::BadArguments).because(format_args!(
                "priority {priority} has more than three digits"
            )));
        }
        let within = Within::begin(&self.client).await?;
        let path = join(&self.path, &format!("{ENTRY}{priority:03}-"));
        let mode = CreateMode::PersistentSequential;
        let mut hand = self.hand(&within).await?;
        loop {
            let put = self.client.transaction().create(&path, data, mode);
            match hand.act(&within, put).await {
                Err(error) if error.code() == Code::NoNode => self.found(&within).await?,
                Ok(()) => {
                    self.keep(hand);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for an entry and takes it; an entry that comes wakes all who wait. Dropping the future
    /// takes none: an entry that was taken already is put again, behind those of its priority.
    ///
    /// Waits through lost connections. `SessionExpired`: the session ended meanwhile.
    pub async fn take(&self) -> Result<Entry, Error> {
        let within = Within::begin(&self.client).await?;
        self.found(&within).await?;
        loop {
            let list = || self.client.get_children_and_watch(&self.path);
            let (names, _, mut watcher) = within.steady(list).await?;
            if let Some(entry) = self.take_one(&within, names).await? {
                return Ok(entry);
            }
            // Whatever came since the list was made has been told by now.
            watcher.next().await;
        }
    }

    /// Takes the first entry, if there is any. Errors and dropping as [`Queue::take`].
    pub async fn try_take(&self) -> Result<Option<Entry>, Error> {
        let within = Within::begin(&self.client).await?;
        let current = ReadOptions { linearizable: true };
        let list = || self.client.get_children_with(&self.path, current);
        match within.steady(list).await {
            Err(error) if error.code() == Code::NoNode => Ok(None),
            names => self.take_one(&within, names?.0).await,
        }
    }

    /// Entries in it, as this client's server sees it.
    pub async fn len(&self) -> Result<usize, Error> {
        let within = Within::begin(&self.client).await?;
        let stat = within.steady(|| self.client.exists(&self.path)).await?;
        let count = stat.map_or(0, |stat| stat.num_children);
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Whether there is no entry in it, as this client's server sees it.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        self.len().await.map(|len| len == 0)
    }

    async fn found(&self, within: &Within) -> Result<(), Error> {
        within.steady(|| self.client.ensure_path(&self.path)).await
    }

    /// Takes the first of these that nobody else takes. Goes on in a task of its own, so that
    /// what was taken is handed over or put again.
    async fn take_one(&self, within: &Within, names: Vec<String>) -> Result<Option<Entry>, Error> {
        let (hand_over, handed) = tokio::sync::oneshot::channel();
        let (queue, within) = (self.clone(), within.clone());
        tokio::spawn(async move {
            let taken = queue.take_first(&within, names).await;
            let taken = taken.map(|entry| entry.map(|entry| Taken::new(queue, entry)));
            // If nobody waits any more it is dropped, and with it put again.
            let _ = hand_over.send(taken);
        });
        match handed.await {
            Ok(taken) => Ok(taken?.map(Taken::hand_over)),
            // The runtime ends.
            Err(_) => Err(Error::new(Code::Closing)),
        }
    }

    async fn take_first(
        &self,
        within: &Within,
        mut names: Vec<String>,
    ) -> Result<Option<Entry>, Error> {
        names.sort_unstable();
        let mut hand = None;
        for name in names {
            let Some(priority) = priority(&name) else {
                continue;
            };
            let path = join(&self.path, &name);
            let data = match within.steady(|| self.client.get(&path)).await {
                Ok((data, _)) => Bytes::copy_from_slice(&data),
                Err(error) if error.code() == Code::NoNode => continue,
                Err(error) => return Err(error),
            };
            let mut with = match hand.take() {
                Some(hand) => hand,
                None => self.hand(within).await?,
            };
            let take = self.client.transaction().delete(&path, Version::Any);
            let taken = with.act(within, take).await;
            match taken {
                // Somebody else was faster.
                Err(error) if error.code() == Code::NoNode => hand = Some(with),
                Err(error) => return Err(error),
                Ok(()) => {
                    self.keep(with);
                    return Ok(Some(Entry {
                        data,
                        priority,
                        name,
                    }));
                }
            }
        }
        if let Some(hand) = hand {
            self.keep(hand);
        }
        Ok(None)
    }

    async fn hand(&self, within: &Within) -> Result<Hand, Error> {
        let idle = {
            let mut hands = self.hands.lock();
            // Those of an earlier session went with it.
            hands.retain(|hand| hand.own.within.session == within.session);
            hands.pop()
        };
        if let Some(hand) = idle {
            return Ok(hand);
        }
        let plan = Plan {
            parent: format!("{}{HANDS}", self.path),
            name: unique(random()?),
            sequential: false,
            data: Vec::new(),
            acl: vec![Acl::open()],
        };
        let own = Own::create(within, plan).await?;
        Ok(Hand { own, number: 0 })
    }

    fn keep(&self, hand: Hand) {
        let mut hands = self.hands.lock();
        if hands.len() < HANDS_IDLE_MAX {
            hands.push(hand);
        }
    }
}

/// The priority in an entry's name; `None` for what is no entry.
fn priority(name: &str) -> Option<u16> {
    let (digits, _) = name.strip_prefix(ENTRY)?.split_once('-')?;
    digits.parse().ok()
}

impl Hand {
    /// Carries out a transaction exactly once. `NoNode`: what it needs is not there.
    async fn act(&mut self, within: &Within, change: Transaction) -> Result<(), Error> {
        self.number += 1;
        let mark = self.number.to_string();
        let path = self.own.path().to_owned();
        loop {
            let change = change.clone();
            let act = change.set(&path, mark.as_bytes(), Version::Any).commit();
            let Err(failed) = act.await else {
                return Ok(());
            };
            if !passes(&failed.error) {
                // A session that began meanwhile does not have our hand, and so changed nothing.
                within.check()?;
                return Err(match failed.index {
                    Some(1) => removed(&path),
                    _ => failed.error,
                });
            }
            within.again(&failed.error).await?;
            let current = ReadOptions { linearizable: true };
            let look = || within.client.get_with(&path, current);
            match within.steady(look).await {
                Ok((last, _)) if *last == *mark.as_bytes() => return Ok(()),
                Ok(_) => {}
                Err(error) if error.code() == Code::NoNode => return Err(removed(&path)),
                Err(error) => return Err(error),
            }
        }
    }
}

fn removed(hand: &str) -> Error {
    Error::new(Code::InvalidState).because(format_args!("somebody removed our hand, {hand}"))
}

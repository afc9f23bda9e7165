//! The lock.

use crate::client::{Client, Error};
use crate::recipes::holding::Holding;
use crate::recipes::line::{Contender, Line, Options};
use crate::recipes::names::Kind;

/// A lock that one holds at a time, granted in the order in which places in line were taken.
///
/// Not reentrant: whoever acquires twice waits for itself. On the path of a [`ReadWriteLock`] this
/// is a writer.
///
/// [`ReadWriteLock`]: crate::recipes::ReadWriteLock
#[derive(Clone, Debug)]
pub struct Lock {
    line: Line,
}

impl Lock {
    /// The lock at `path`, which is created when it is needed. Nothing is sent yet.
    pub fn new(client: &Client, path: &str) -> Lock {
        Lock::with(client, path, Options::default())
    }

    /// The same with options.
    pub fn with(client: &Client, path: &str, options: Options) -> Lock {
        let line = Line::new(client, path, options);
        Lock { line }
    }

    /// Waits until the lock is ours, however long that takes; drop the future to give up.
    ///
    /// Waits through lost connections. `SessionExpired`: the session ended meanwhile. `NoNode`:
    /// somebody removed our place in line.
    pub async fn acquire(&self) -> Result<Holding, Error> {
        self.line.acquire(Kind::Lock).await
    }

    /// The lock if nobody holds it or waits for it; `None` otherwise. Errors as [`Lock::acquire`].
    pub async fn try_acquire(&self) -> Result<Option<Holding>, Error> {
        self.line.try_acquire(Kind::Lock).await
    }

    /// The holder, and behind it those who wait, in their order; as this client's server sees it.
    pub async fn contenders(&self) -> Result<Vec<Contender>, Error> {
        self.line.contenders().await
    }
}

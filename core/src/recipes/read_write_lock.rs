//! The read-write lock.

use crate::client::{Client, Error};
use crate::recipes::holding::Holding;
use crate::recipes::line::{Contender, Line, Options};
use crate::recipes::names::Kind;

/// A lock that either one writer holds, or any number of readers.
///
/// Fair: a reader behind a waiting writer waits for it, so that writers are not starved. Neither
/// half is reentrant, and neither can be turned into the other.
#[derive(Clone, Debug)]
pub struct ReadWriteLock {
    line: Line,
}

impl ReadWriteLock {
    /// The lock at `path`, which is created when it is needed. Nothing is sent yet.
    pub fn new(client: &Client, path: &str) -> ReadWriteLock {
        ReadWriteLock::with(client, path, Options::default())
    }

    /// The same with options.
    pub fn with(client: &Client, path: &str, options: Options) -> ReadWriteLock {
        let line = Line::new(client, path, options);
        ReadWriteLock { line }
    }

    /// Waits until no writer is ahead. Errors as [`Lock::acquire`](crate::recipes::Lock::acquire).
    pub async fn read(&self) -> Result<Holding, Error> {
        self.line.acquire(Kind::Read).await
    }

    /// Waits until nobody is ahead. Errors as [`Lock::acquire`](crate::recipes::Lock::acquire).
    pub async fn write(&self) -> Result<Holding, Error> {
        self.line.acquire(Kind::Write).await
    }

    /// Reads if no writer holds or waits; `None` otherwise.
    pub async fn try_read(&self) -> Result<Option<Holding>, Error> {
        self.line.try_acquire(Kind::Read).await
    }

    /// Writes if nobody holds or waits; `None` otherwise.
    pub async fn try_write(&self) -> Result<Option<Holding>, Error> {
        self.line.try_acquire(Kind::Write).await
    }

    /// Holders, and behind them those who wait, in their order; as this client's server sees it.
    pub async fn contenders(&self) -> Result<Vec<Contender>, Error> {
        self.line.contenders().await
    }
}

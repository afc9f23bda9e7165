//! The election of a leader.

use crate::client::{Client, Error};
use crate::recipes::holding::Holding;
use crate::recipes::line::{Contender, Line, Options};
use crate::recipes::names::Kind;

/// Elects one of those who stand, in the order in which they stood.
///
/// A leader leads until its [`Holding`] is lost; it must stop by itself when
/// [`Holding::lost`] says so, and begin nothing while the standing is uncertain.
#[derive(Clone, Debug)]
pub struct Election {
    line: Line,
}

impl Election {
    /// The election at `path`, which is created when it is needed. Nothing is sent yet.
    pub fn new(client: &Client, path: &str) -> Election {
        Election::with(client, path, Options::default())
    }

    /// The same with options.
    pub fn with(client: &Client, path: &str, options: Options) -> Election {
        let line = Line::new(client, path, options);
        Election { line }
    }

    /// Stands, and waits until it leads. Dropping the future is standing no more. Errors as
    /// [`Lock::acquire`](crate::recipes::Lock::acquire).
    pub async fn lead(&self) -> Result<Holding, Error> {
        self.line.acquire(Kind::Lock).await
    }

    /// Leads if nobody else stands; `None` otherwise.
    pub async fn try_lead(&self) -> Result<Option<Holding>, Error> {
        self.line.try_acquire(Kind::Lock).await
    }

    /// Who leads, as this client's server sees it. It may have lost the lead already.
    pub async fn leader(&self) -> Result<Option<Contender>, Error> {
        self.line.first().await
    }

    /// The leader, and behind it those who stand, in their order.
    pub async fn contenders(&self) -> Result<Vec<Contender>, Error> {
        self.line.contenders().await
    }
}

//! The barrier.

use crate::client::{Client, Code, CreateOptions, Error, ReadOptions};
use crate::recipes::within::Within;

/// A barrier that is there or not; many wait until it is not. It outlives whoever set it.
#[derive(Clone, Debug)]
pub struct Barrier {
    client: Client,
    path: String,
}

impl Barrier {
    /// The barrier at `path`. Nothing is sent yet.
    pub fn new(client: &Client, path: &str) -> Barrier {
        Barrier {
            client: client.clone(),
            path: path.to_owned(),
        }
    }

    /// Sets it up; true if it was not there. Waits through lost connections, after which the answer
    /// may be false although it was this call.
    pub async fn set(&self) -> Result<bool, Error> {
        let within = Within::begin(&self.client).await?;
        let options = CreateOptions {
            parents: true,
            ..CreateOptions::default()
        };
        within.ensure(&self.path, b"", &options).await
    }

    /// Takes it away; true if it was there. Waits through lost connections; a barrier that somebody
    /// sets up meanwhile stays.
    pub async fn remove(&self) -> Result<bool, Error> {
        let within = Within::begin(&self.client).await?;
        let current = ReadOptions { linearizable: true };
        let look = || within.client.exists_with(&self.path, current);
        let Some(met) = within.steady(look).await? else {
            return Ok(false);
        };
        within.remove_that(&self.path, met.czxid).await?;
        Ok(true)
    }

    /// Waits until it is not there. Waits through lost connections; `SessionExpired` if the session
    /// ends meanwhile.
    pub async fn wait(&self) -> Result<(), Error> {
        let within = Within::begin(&self.client).await?;
        loop {
            // Not `exists`, which would leave a watch behind on what is gone already.
            match within
                .steady(|| self.client.get_and_watch(&self.path))
                .await
            {
                Ok((_, _, mut watcher)) => {
                    watcher.next().await;
                }
                Err(error) if error.code() == Code::NoNode => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

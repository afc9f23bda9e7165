//! Work within one session.
//!
//! What lives here: waiting for the connection to come back, and repeating reads. What does not:
//! changes whose outcome is unknown; `own` and the recipes find those out.
//!
//! Invariant: nothing here goes on in another session than it began in.

use std::future::Future;
use std::time::Duration;

use crate::client::{Client, Code, CreateOptions, Error, ReadOptions, SessionId, Version};

/// Rest before asking again a client that has too many requests waiting.
pub(crate) const REST: Duration = Duration::from_millis(50);

/// A client in one of its sessions.
#[derive(Clone, Debug)]
pub(crate) struct Within {
    pub(crate) client: Client,
    pub(crate) session: SessionId,
}

/// Errors after which the same can be asked again, once there is a connection.
pub(crate) fn passes(error: &Error) -> bool {
    use Code::{ConnectionLoss, OperationTimeout, RequestTimeout, SessionMoved, ThrottledOp};
    matches!(
        error.code(),
        ConnectionLoss | OperationTimeout | RequestTimeout | SessionMoved | ThrottledOp
    )
}

impl Within {
    /// The session the client has, or gets next.
    pub(crate) async fn begin(client: &Client) -> Result<Within, Error> {
        client.connected().await?;
        Ok(Within {
            client: client.clone(),
            session: client.session_id(),
        })
    }

    /// `SessionExpired` if the client has another session by now.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.client.session_id() == self.session {
            Ok(())
        } else {
            Err(Error::new(Code::SessionExpired))
        }
    }

    /// Waits for a connection of this session, after `error`, which passes.
    pub(crate) async fn again(&self, error: &Error) -> Result<(), Error> {
        if error.code() != Code::ConnectionLoss {
            tokio::time::sleep(REST).await;
        }
        self.client.connected().await?;
        self.check()
    }

    /// Asks until there is an answer. Only for what changes nothing, or may happen twice.
    pub(crate) async fn steady<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        loop {
            match ask().await {
                Err(error) if passes(&error) => self.again(&error).await?,
                answer => {
                    self.check()?;
                    return answer;
                }
            }
        }
    }

    /// Waits until the znode is gone, or something else happened to it.
    pub(crate) async fn until_gone(&self, path: &str) -> Result<(), Error> {
        // Not `exists`, which would leave a watch behind on what is gone already.
        match self.steady(|| self.client.get_and_watch(path)).await {
            Ok((_, _, mut watcher)) => {
                watcher.next().await;
                Ok(())
            }
            Err(error) if error.code() == Code::NoNode => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes a znode whose name nobody else uses. `Ok` when it is gone, by whomever.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), Error> {
        let removed = self.steady(|| self.client.delete(path, Version::Any));
        match removed.await {
            Err(error) if error.code() == Code::NoNode => Ok(()),
            answer => answer,
        }
    }

    /// Removes a znode that others may put back, if it is still the one with this czxid.
    pub(crate) async fn remove_that(&self, path: &str, czxid: i64) -> Result<(), Error> {
        let current = ReadOptions { linearizable: true };
        loop {
            let look = || self.client.exists_with(path, current);
            let now = self.steady(look).await?;
            if now.is_none_or(|now| now.czxid != czxid) {
                return Ok(());
            }
            match self.client.delete(path, Version::Any).await {
                Err(error) if error.code() == Code::NoNode => return Ok(()),
                Err(error) if passes(&error) => self.again(&error).await?,
                removed => return removed,
            }
        }
    }

    /// Creates what may be there already, with `data` if it is not. True: it was not there.
    pub(crate) async fn ensure(
        &self,
        path: &str,
        data: &[u8],
        options: &CreateOptions,
    ) -> Result<bool, Error> {
        let create = || self.client.create_with(path, data, options);
        match self.steady(create).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Code::NodeExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// 128 random bits: what makes a name unique.
pub(crate) fn random() -> Result<[u8; 16], Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        Error::new(Code::SystemError)
            .because(format_args!("no random bits for a unique name: {error}"))
    })?;
    Ok(bits)
}

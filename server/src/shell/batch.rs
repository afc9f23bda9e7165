//! Many changes, as multis of a bounded size of which a few are on their way at once.
//!
//! Servers carry a session's requests out in order, so a znode may be created in one multi and its
//! children in the next without waiting between. When a multi is refused, those already on their way
//! behind it may still be carried out; no further one is sent.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::oneshot;
use zoowarden::client::{Answer, Client, Error};
use zoowarden::proto::{Acl, Code, MultiOp, MultiOutcome, Request};

use super::failure::Failure;
use super::output::Output;
use super::requests::{self, Kind, Lifetime};

/// A multi carries no more than this, unless one change alone is larger. Servers take 1 MiB.
const MULTI_BYTES_MAX: usize = 512 << 10;

/// Changes per multi.
pub(crate) const MULTI_CHANGES_MAX: usize = 1000;

/// Multis on their way at once.
const MULTIS_IN_FLIGHT: usize = 4;

/// What a change takes besides its path, data and ACL, bytes; rather too much.
const CHANGE_BYTES: usize = 48;

/// Progress is told after this many changes.
const PROGRESS_STEP: u64 = 1000;

/// One change within a multi.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Create {
        path: String,
        data: Option<Bytes>,
        acl: Vec<Acl>,
        lifetime: Lifetime,
    },
    Set {
        path: String,
        data: Option<Bytes>,
    },
    Delete {
        path: String,
        version: i32,
    },
}

impl Change {
    fn path(&self) -> &str {
        match self {
            Self::Create { path, .. } | Self::Set { path, .. } | Self::Delete { path, .. } => path,
        }
    }

    /// About what it takes in a multi.
    pub(crate) fn bytes(&self) -> usize {
        let inside = match self {
            Self::Create { data, acl, .. } => {
                let ids = acl
                    .iter()
                    .map(|acl| 12 + acl.id.scheme.len() + acl.id.id.len());
                data.as_ref().map_or(0, Bytes::len) + ids.sum::<usize>()
            }
            Self::Set { data, .. } => data.as_ref().map_or(0, Bytes::len),
            Self::Delete { .. } => 0,
        };
        CHANGE_BYTES + self.path().len() + inside
    }

    fn op(&self) -> MultiOp<'_> {
        match self {
            Self::Create {
                path,
                data,
                acl,
                lifetime,
            } => {
                let kind = Kind {
                    lifetime: *lifetime,
                    sequential: false,
                };
                MultiOp::Create(kind.create(path, data.as_deref(), acl.clone()))
            }
            Self::Set { path, data } => MultiOp::SetData {
                path: path.into(),
                data: data.as_deref(),
                version: requests::ANY,
            },
            Self::Delete { path, version } => MultiOp::Delete {
                path: path.into(),
                version: *version,
            },
        }
    }
}

/// A multi on its way.
struct Sent {
    changes: Vec<Change>,
    answer: oneshot::Receiver<Result<Answer, Error>>,
}

/// Changes on their way to the server.
pub(crate) struct Batches<'a> {
    client: &'a Client,
    output: &'a Output,
    /// What has become of a znode, for progress: `copied`.
    done_word: &'static str,
    changes_max: usize,
    waiting: Vec<Change>,
    waiting_bytes: usize,
    sent: VecDeque<Sent>,
    done: u64,
}

impl<'a> Batches<'a> {
    /// Nothing to do yet; at most `changes_max` changes per multi.
    pub(crate) fn new(
        client: &'a Client,
        output: &'a Output,
        done_word: &'static str,
        changes_max: usize,
    ) -> Self {
        Self {
            client,
            output,
            done_word,
            changes_max: changes_max.min(MULTI_CHANGES_MAX),
            waiting: Vec::new(),
            waiting_bytes: 0,
            sent: VecDeque::new(),
            done: 0,
        }
    }

    /// Adds a change; waits while too many multis are on their way.
    pub(crate) async fn push(&mut self, change: Change) -> Result<(), Failure> {
        let bytes = change.bytes();
        let is_full =
            self.waiting.len() >= self.changes_max || self.waiting_bytes + bytes > MULTI_BYTES_MAX;
        if is_full && !self.waiting.is_empty() {
            self.send().await?;
        }
        self.waiting_bytes += bytes;
        self.waiting.push(change);
        Ok(())
    }

    /// Sends the rest and waits for everything.
    pub(crate) async fn finish(&mut self) -> Result<(), Failure> {
        let mut outcome = match self.waiting.is_empty() {
            true => Ok(()),
            false => self.send().await,
        };
        while !self.sent.is_empty() {
            outcome = outcome.and(self.settle().await);
        }
        self.output.progress("");
        outcome
    }

    /// Forgets what was not sent yet.
    pub(crate) fn abandon(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Changes that are certain to have been made.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    async fn send(&mut self) -> Result<(), Failure> {
        while self.sent.len() >= MULTIS_IN_FLIGHT {
            if let Err(failure) = self.settle().await {
                self.waiting.clear();
                while !self.sent.is_empty() {
                    // What is on its way is only counted: the first failure is the one to tell.
                    let _ = self.settle().await;
                }
                self.output.progress("");
                return Err(failure);
            }
        }
        let changes = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.sent.push_back(send(self.client, changes));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        let Some(sent) = self.sent.pop_front() else {
            return Ok(());
        };
        let before = self.done;
        self.done += settled(sent).await?;
        if before / PROGRESS_STEP != self.done / PROGRESS_STEP {
            self.output
                .progress(&format!("{} znodes {}", self.done, self.done_word));
        }
        Ok(())
    }
}

/// All changes or none, whatever their number and size.
pub(crate) async fn all_or_none(client: &Client, changes: Vec<Change>) -> Result<u64, Failure> {
    settled(send(client, changes)).await
}

fn send(client: &Client, changes: Vec<Change>) -> Sent {
    let (done, answer) = oneshot::channel();
    let multi = Request::Multi(changes.iter().map(Change::op).collect());
    client.submit(multi, None, move |outcome| {
        // Nobody waits any more when the command was interrupted.
        let _ = done.send(outcome);
    });
    Sent { changes, answer }
}

/// How many changes were made: all of them, or the failure of the one that was refused.
async fn settled(sent: Sent) -> Result<u64, Failure> {
    let answer = sent
        .answer
        .await
        .unwrap_or_else(|_| Err(Error::new(Code::Closing)));
    let outcomes = requests::outcomes(answer?)?;
    let refused = outcomes
        .iter()
        .zip(&sent.changes)
        .find_map(|(outcome, change)| match outcome {
            MultiOutcome::Failed(Some(Code::RuntimeInconsistency) | None) => None,
            MultiOutcome::Failed(Some(code)) => Some((*code, change.path().to_owned())),
            _ => None,
        });
    match refused {
        Some((code, path)) => Err(Failure::Refused { code, path }),
        None => Ok(sent.changes.len() as u64),
    }
}

//! Several changes at once: all of them, or none.

use bytes::Bytes;

use crate::client::{Acl, Answer, Client, Code, CreateMode, Error, Outcome, Request, Version};
use crate::proto::{Create, MultiOp, OpCode, Text};

/// Changes that a server carries out together, or not at all.
///
/// ```no_run
/// # async fn transfer(client: zoowarden::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use zoowarden::{CreateMode, Version};
/// client
///     .transaction()
///     .check("/config", Version::Exactly(3))
///     .create("/jobs/1", b"todo", CreateMode::Persistent)
///     .delete("/inbox/1", Version::Any)
///     .commit()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `commit`"]
pub struct Transaction {
    client: Client,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Create(String, Bytes, CreateMode, Vec<Acl>),
    Delete(String, Version),
    Set(String, Bytes, Version),
    Check(String, Version),
}

/// Why a transaction changed nothing, or may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{error}", .index.map_or(String::new(), |index| format!("change {index} of the transaction: ")))]
pub struct TransactionError {
    /// The first change that failed, counted from 0; `None` if the whole request did.
    pub index: Option<usize>,
    /// Why. [`Error::nothing_changed`] tells whether that is certain.
    pub error: Error,
}

impl Client {
    /// Begins a transaction; nothing is sent before its [`commit`](Transaction::commit).
    pub fn transaction(&self) -> Transaction {
        Transaction {
            client: self.clone(),
            changes: Vec::new(),
        }
    }
}

impl Transaction {
    /// Creates a znode that everybody may change.
    pub fn create(self, path: &str, data: &[u8], mode: CreateMode) -> Transaction {
        self.create_with_acl(path, data, mode, &[Acl::open()])
    }

    /// Creates a znode with an ACL.
    pub fn create_with_acl(
        mut self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
        acl: &[Acl],
    ) -> Transaction {
        let data = Bytes::copy_from_slice(data);
        self.changes
            .push(Change::Create(path.to_owned(), data, mode, acl.to_vec()));
        self
    }

    /// Deletes a znode without children.
    pub fn delete(mut self, path: &str, version: Version) -> Transaction {
        self.changes.push(Change::Delete(path.to_owned(), version));
        self
    }

    /// Sets a znode's data.
    pub fn set(mut self, path: &str, data: &[u8], version: Version) -> Transaction {
        let data = Bytes::copy_from_slice(data);
        self.changes
            .push(Change::Set(path.to_owned(), data, version));
        self
    }

    /// Demands that a znode exists and has this version.
    pub fn check(mut self, path: &str, version: Version) -> Transaction {
        self.changes.push(Change::Check(path.to_owned(), version));
        self
    }

    /// Changes so far.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Carries all of it out, as one change with one zxid. Gives what came of each, in order.
    pub async fn commit(self) -> Result<Vec<Outcome>, TransactionError> {
        let ops = self.changes.iter().map(Change::op).collect();
        let whole = |error| TransactionError { index: None, error };
        let answer = self.client.call(Request::Multi(ops)).await.map_err(whole)?;
        let Answer::Multi(outcomes) = answer else {
            return Err(whole(Error::new(Code::DataInconsistency).after_sending()));
        };
        // Those before the one that failed say "no error of mine", those behind it "not evaluated".
        let failed = outcomes.iter().zip(&self.changes).enumerate().find_map(
            |(index, (outcome, change))| match outcome {
                Outcome::Failed(Some(code)) => Some((index, *code, change.op())),
                _ => None,
            },
        );
        match failed {
            None => Ok(outcomes),
            Some((index, code, op)) => Err(TransactionError {
                index: Some(index),
                error: describe(code, &op),
            }),
        }
    }
}

impl Change {
    fn op(&self) -> MultiOp<'_> {
        match self {
            Change::Create(path, data, mode, acl) => {
                let (op, flags, ttl) = mode.on_the_wire();
                MultiOp::Create(Create {
                    op,
                    path: Text::Borrowed(path),
                    data: Some(data),
                    acl: Some(acl.clone()),
                    flags,
                    ttl,
                })
            }
            Change::Delete(path, version) => MultiOp::Delete {
                path: Text::Borrowed(path),
                version: version.number(),
            },
            Change::Set(path, data, version) => MultiOp::SetData {
                path: Text::Borrowed(path),
                data: Some(data),
                version: version.number(),
            },
            Change::Check(path, version) => MultiOp::Check {
                path: Text::Borrowed(path),
                version: version.number(),
            },
        }
    }
}

fn describe(code: Code, op: &MultiOp<'_>) -> Error {
    let error = Error::new(code);
    match op {
        MultiOp::Create(create) => error.of(create.op, &create.path),
        MultiOp::Delete { path, .. } => error.of(OpCode::Delete, path),
        MultiOp::SetData { path, .. } => error.of(OpCode::SetData, path),
        MultiOp::Check { path, .. } => error.of(OpCode::Check, path),
    }
}

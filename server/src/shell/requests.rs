//! What the shell asks of a server, each question with the shape of its answer.
//!
//! These go through the client's raw door, because the shell shows what the protocol says: null
//! data and empty data differ, and a watch reports to one place for the whole shell.

use bytes::Bytes;
use tokio::sync::oneshot;
use zoowarden::client::{Answer, Client, Error, Root, WatchSink, WatcherId};
use zoowarden::proto::{Acl, AddWatchMode, Code, Create, Id, MultiOutcome, OpCode, Request, Stat};

/// Any version.
pub(crate) const ANY: i32 = -1;

/// What kind of znode a create makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) lifetime: Lifetime,
    pub(crate) sequential: bool,
}

/// How long a znode lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    Persistent,
    /// As long as the session that made it.
    Ephemeral,
    /// Until its last child is gone.
    Container,
    /// Until it was not changed for this long and has no children.
    Ttl {
        ms: i64,
    },
}

impl Kind {
    pub(crate) const PERSISTENT: Kind = Kind {
        lifetime: Lifetime::Persistent,
        sequential: false,
    };

    /// The request for a znode of this kind. Only containers and TTLs ask for the newer forms, so
    /// that old servers are served.
    pub(crate) fn create<'a>(
        self,
        path: &'a str,
        data: Option<&'a [u8]>,
        acl: Vec<Acl>,
    ) -> Create<'a> {
        let sequential = i32::from(self.sequential);
        let (op, flags, ttl) = match self.lifetime {
            Lifetime::Persistent => (OpCode::Create, 2 * sequential, None),
            Lifetime::Ephemeral => (OpCode::Create, 1 + 2 * sequential, None),
            Lifetime::Container => (OpCode::CreateContainer, 4, None),
            Lifetime::Ttl { ms } => (OpCode::CreateTtl, 5 + sequential, Some(ms)),
        };
        Create {
            op,
            path: path.into(),
            data,
            acl: Some(acl),
            flags,
            ttl,
        }
    }
}

/// Data and stat.
pub(crate) async fn get(client: &Client, path: &str) -> Result<(Option<Bytes>, Stat), Error> {
    data_of(client.call(get_request(path)).await?)
}

/// The same, with a watch for the next change.
pub(crate) async fn get_and_watch(
    client: &Client,
    path: &str,
    sink: WatchSink,
) -> Result<((Option<Bytes>, Stat), Option<WatcherId>), Error> {
    let (answer, watcher) = watched(client, get_request(path), sink).await;
    Ok((data_of(answer?)?, watcher))
}

fn get_request(path: &str) -> Request<'_> {
    Request::GetData {
        path: path.into(),
        watch: false,
    }
}

fn data_of(answer: Answer) -> Result<(Option<Bytes>, Stat), Error> {
    match answer {
        Answer::Data(data, stat) => Ok((data, stat)),
        other => Err(strange(&other)),
    }
}

/// The stat.
pub(crate) async fn stat(client: &Client, path: &str) -> Result<Stat, Error> {
    stat_of(client.call(exists_request(path)).await?)
}

/// Whether a znode is there.
pub(crate) async fn exists(client: &Client, path: &str) -> Result<bool, Error> {
    match stat(client, path).await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Code::NoNode => Ok(false),
        Err(error) => Err(error),
    }
}

/// The same, with a watch for the next change, which stands even if there is no znode.
pub(crate) async fn stat_and_watch(
    client: &Client,
    path: &str,
    sink: WatchSink,
) -> (Result<Stat, Error>, Option<WatcherId>) {
    let (answer, watcher) = watched(client, exists_request(path), sink).await;
    let stands = match &answer {
        Ok(_) => true,
        Err(error) => error.code() == Code::NoNode,
    };
    (answer.and_then(stat_of), watcher.filter(|_| stands))
}

fn exists_request(path: &str) -> Request<'_> {
    Request::Exists {
        path: path.into(),
        watch: false,
    }
}

fn stat_of(answer: Answer) -> Result<Stat, Error> {
    match answer {
        Answer::Stat(stat) => Ok(stat),
        other => Err(strange(&other)),
    }
}

/// The children in the order of their names, and the parent's stat.
pub(crate) async fn children(client: &Client, path: &str) -> Result<(Vec<String>, Stat), Error> {
    children_of(client.call(children_request(path)).await?)
}

/// The same, with a watch for the next change of the children.
pub(crate) async fn children_and_watch(
    client: &Client,
    path: &str,
    sink: WatchSink,
) -> Result<((Vec<String>, Stat), Option<WatcherId>), Error> {
    let (answer, watcher) = watched(client, children_request(path), sink).await;
    Ok((children_of(answer?)?, watcher))
}

fn children_request(path: &str) -> Request<'_> {
    Request::GetChildren2 {
        path: path.into(),
        watch: false,
    }
}

fn children_of(answer: Answer) -> Result<(Vec<String>, Stat), Error> {
    match answer {
        Answer::Children(mut names, Some(stat)) => {
            names.sort_unstable();
            Ok((names, stat))
        }
        other => Err(strange(&other)),
    }
}

/// Makes a znode and answers its path.
pub(crate) async fn create(client: &Client, create: Create<'_>) -> Result<String, Error> {
    match client.call(Request::Create(create)).await? {
        Answer::Path(path) | Answer::Created(path, _) => Ok(path),
        other => Err(strange(&other)),
    }
}

/// Sets data.
pub(crate) async fn set(
    client: &Client,
    path: &str,
    data: Option<&[u8]>,
    version: i32,
) -> Result<Stat, Error> {
    let request = Request::SetData {
        path: path.into(),
        data,
        version,
    };
    stat_of(client.call(request).await?)
}

/// Deletes a znode without children.
pub(crate) async fn delete(client: &Client, path: &str, version: i32) -> Result<(), Error> {
    let path = path.into();
    client.call(Request::Delete { path, version }).await?;
    Ok(())
}

/// The ACL and the stat.
pub(crate) async fn acl(client: &Client, path: &str) -> Result<(Vec<Acl>, Stat), Error> {
    match client.call(Request::GetAcl { path: path.into() }).await? {
        Answer::Acl(list, stat) => Ok((list, stat)),
        other => Err(strange(&other)),
    }
}

/// Sets the ACL.
pub(crate) async fn set_acl(
    client: &Client,
    path: &str,
    acl: &[Acl],
    version: i32,
) -> Result<Stat, Error> {
    let request = Request::SetAcl {
        path: path.into(),
        acl: Some(acl.to_vec()),
        version,
    };
    stat_of(client.call(request).await?)
}

/// Brings the server up to date.
pub(crate) async fn sync(client: &Client, path: &str) -> Result<(), Error> {
    client.call(Request::Sync { path: path.into() }).await?;
    Ok(())
}

/// The ephemerals of this session below a prefix.
pub(crate) async fn ephemerals(client: &Client, prefix: &str) -> Result<Vec<String>, Error> {
    let prefix = Some(prefix.into());
    match client.call(Request::GetEphemerals { prefix }).await? {
        Answer::Ephemerals(paths) => Ok(paths),
        other => Err(strange(&other)),
    }
}

/// How many znodes are below a path.
pub(crate) async fn count(client: &Client, path: &str) -> Result<i32, Error> {
    let path = path.into();
    match client.call(Request::GetAllChildrenNumber { path }).await? {
        Answer::Count(count) => Ok(count),
        other => Err(strange(&other)),
    }
}

/// Who the server takes this session for.
pub(crate) async fn who_am_i(client: &Client) -> Result<Vec<Id>, Error> {
    match client.call(Request::WhoAmI).await? {
        Answer::WhoAmI(ids) => Ok(ids),
        other => Err(strange(&other)),
    }
}

/// Changes the ensemble's servers; answers the new configuration.
pub(crate) async fn reconfig(
    client: &Client,
    joining: Option<&str>,
    leaving: Option<&str>,
    members: Option<&str>,
    config: i64,
) -> Result<(Option<Bytes>, Stat), Error> {
    let request = Request::Reconfig {
        joining: joining.map(Into::into),
        leaving: leaving.map(Into::into),
        members: members.map(Into::into),
        config,
    };
    data_of(client.call(request).await?)
}

/// The ensemble's configuration, which stands at the root of the tree for every client.
pub(crate) async fn config(
    client: &Client,
    sink: Option<WatchSink>,
) -> Result<(Option<Bytes>, Stat), Error> {
    let (done, is_done) = oneshot::channel();
    client.submit_from(
        Root::Tree,
        get_request("/zookeeper/config"),
        sink,
        move |outcome| {
            // Nobody waits any more when the command was interrupted.
            let _ = done.send(outcome);
        },
    );
    data_of(
        is_done
            .await
            .unwrap_or_else(|_| Err(Error::new(Code::Closing)))?,
    )
}

/// Several changes as one; a multi that fails is an answer, too.
pub(crate) fn outcomes(answer: Answer) -> Result<Vec<MultiOutcome>, Error> {
    match answer {
        Answer::Multi(outcomes) => Ok(outcomes),
        other => Err(strange(&other)),
    }
}

/// Watches a path until the watch is removed.
pub(crate) async fn add_watch(
    client: &Client,
    path: &str,
    mode: AddWatchMode,
    sink: WatchSink,
) -> Result<Option<WatcherId>, Error> {
    let path = path.into();
    let (answer, watcher) = watched(client, Request::AddWatch { path, mode }, sink).await;
    answer.map(|_| watcher)
}

/// Asks and watches in one: the watch stands when the answer is there.
async fn watched(
    client: &Client,
    request: Request<'_>,
    sink: WatchSink,
) -> (Result<Answer, Error>, Option<WatcherId>) {
    let (done, is_done) = oneshot::channel();
    let completion = move |outcome| {
        // Nobody waits any more when the command was interrupted.
        let _ = done.send(outcome);
    };
    let watcher = client.submit(request, Some(sink), completion);
    let answer = is_done.await;
    (
        answer.unwrap_or_else(|_| Err(Error::new(Code::Closing))),
        watcher,
    )
}

fn strange(answer: &Answer) -> Error {
    Error::new(Code::DataInconsistency)
        .because(format!("the answer is of another kind: {answer:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_asked_for_with_zookeepers_numbers() {
        let of = |lifetime, sequential| {
            let create = Kind {
                lifetime,
                sequential,
            }
            .create("/a", None, Vec::new());
            (create.op, create.flags, create.ttl)
        };
        assert_eq!(of(Lifetime::Persistent, false), (OpCode::Create, 0, None));
        assert_eq!(of(Lifetime::Ephemeral, false), (OpCode::Create, 1, None));
        assert_eq!(of(Lifetime::Persistent, true), (OpCode::Create, 2, None));
        assert_eq!(of(Lifetime::Ephemeral, true), (OpCode::Create, 3, None));
        assert_eq!(
            of(Lifetime::Container, false),
            (OpCode::CreateContainer, 4, None)
        );
        let ttl = Lifetime::Ttl { ms: 9 };
        assert_eq!(of(ttl, false), (OpCode::CreateTtl, 5, Some(9)));
        assert_eq!(of(ttl, true), (OpCode::CreateTtl, 6, Some(9)));
    }
}

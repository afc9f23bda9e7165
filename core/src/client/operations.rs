//! Every operation of the protocol with types.

use bytes::Bytes;

use crate::client::{
    Acl, AddWatchMode, Answer, Client, Code, Error, Id, ReadAnswer, Request, Root, Stat, Watcher,
};
use crate::proto::{Create, OpCode, ReadOp, path};

/// Where every client finds who is in the ensemble.
const CONFIG: &str = "/zookeeper/config";

/// How often parents are made again that somebody removes at the same time.
const PARENT_ROUNDS_MAX: u32 = 16;

/// Requests that `delete_recursive` keeps on their way.
const DELETES_AT_ONCE: usize = 256;

/// Which version of a znode a write is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Whatever it is.
    Any,
    /// This one, or the write fails with BadVersion.
    Exactly(i32),
}

impl Version {
    /// As it travels: -1 for any.
    pub fn number(self) -> i32 {
        match self {
            Version::Any => -1,
            Version::Exactly(version) => version,
        }
    }
}

/// What kind of znode a create makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CreateMode {
    /// Stays until deleted.
    #[default]
    Persistent,
    /// Stays; ten digits are put behind its name, greater than all before.
    PersistentSequential,
    /// Goes with its session.
    Ephemeral,
    /// Goes with its session, with a number behind its name.
    EphemeralSequential,
    /// Is removed some time after its last child.
    Container,
    /// Is removed if it has no children and was not changed for so long.
    PersistentWithTtl {
        /// Milliseconds, at least 1.
        ttl_ms: i64,
    },
    /// The same, with a number behind its name.
    PersistentSequentialWithTtl {
        /// Milliseconds, at least 1.
        ttl_ms: i64,
    },
}

impl CreateMode {
    /// The operation that creates such a znode and answers with its `Stat`, and its flags.
    pub fn on_the_wire(self) -> (OpCode, i32, Option<i64>) {
        match self {
            CreateMode::Persistent => (OpCode::Create2, 0, None),
            CreateMode::Ephemeral => (OpCode::Create2, 1, None),
            CreateMode::PersistentSequential => (OpCode::Create2, 2, None),
            CreateMode::EphemeralSequential => (OpCode::Create2, 3, None),
            CreateMode::Container => (OpCode::CreateContainer, 4, None),
            CreateMode::PersistentWithTtl { ttl_ms } => (OpCode::CreateTtl, 5, Some(ttl_ms)),
            CreateMode::PersistentSequentialWithTtl { ttl_ms } => {
                (OpCode::CreateTtl, 6, Some(ttl_ms))
            }
        }
    }
}

/// How to create a znode.
#[derive(Clone, Debug)]
pub struct CreateOptions {
    /// What kind.
    pub mode: CreateMode,
    /// Who may do what with it; everybody everything unless set.
    pub acl: Vec<Acl>,
    /// Whether missing parents are created first, with the same ACL.
    pub parents: bool,
}

impl Default for CreateOptions {
    fn default() -> Self {
        CreateOptions {
            mode: CreateMode::Persistent,
            acl: vec![Acl::open()],
            parents: false,
        }
    }
}

/// A znode that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its path, with the number of a sequential one.
    pub path: String,
    /// Its `Stat`; `czxid` is the change that created it.
    pub stat: Stat,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// See every write that was acknowledged, to whomever, before the read began: a `sync` goes
    /// ahead in the same packet. Without it a read may come from a follower that is behind.
    pub linearizable: bool,
}

/// One read of [`Client::multi_read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<'p> {
    /// A znode's data.
    Data(&'p str),
    /// A znode's children.
    Children(&'p str),
}

/// A reply of another kind than the request's: no server that speaks the protocol sends it.
fn unexpected(op: OpCode) -> Error {
    Error::new(Code::DataInconsistency)
        .of(op, "")
        .because("an answer of another operation")
        .after_sending()
}

impl Client {
    /// Creates a znode that everybody may change. Gives its path, with the number of a sequential
    /// one.
    ///
    /// Errors: NodeExists, NoNode (the parent), NoChildrenForEphemerals, NoAuth, QuotaExceeded,
    /// InvalidAcl, BadArguments.
    pub async fn create(&self, path: &str, data: &[u8], mode: CreateMode) -> Result<String, Error> {
        let options = CreateOptions {
            mode,
            ..CreateOptions::default()
        };
        self.create_with(path, data, &options)
            .await
            .map(|created| created.path)
    }

    /// Creates a znode with options; errors as [`create`](Client::create).
    pub async fn create_with(
        &self,
        path: &str,
        data: &[u8],
        options: &CreateOptions,
    ) -> Result<Created, Error> {
        let parent = path::split(path).map_or("/", |(parent, _)| parent);
        for _ in 0..PARENT_ROUNDS_MAX {
            match self.create_once(path, data, options).await {
                // Below a chroot that is not there, the root is missing and stays so.
                Err(error) if options.parents && parent != "/" && error.code() == Code::NoNode => {
                    self.ensure_with(parent, &options.acl).await?;
                }
                created => return created,
            }
        }
        self.create_once(path, data, options).await
    }

    async fn create_once(
        &self,
        path: &str,
        data: &[u8],
        options: &CreateOptions,
    ) -> Result<Created, Error> {
        let (op, flags, ttl) = options.mode.on_the_wire();
        let request = Request::Create(Create {
            op,
            path: path.into(),
            data: Some(data),
            acl: Some(options.acl.clone()),
            flags,
            ttl,
        });
        match self.call(request).await? {
            Answer::Created(path, stat) => Ok(Created { path, stat }),
            _ => Err(unexpected(op)),
        }
    }

    /// Creates a znode without data and its parents, as far as they are not there.
    pub async fn ensure_path(&self, path: &str) -> Result<(), Error> {
        self.ensure_with(path, &[Acl::open()]).await
    }

    async fn ensure_with(&self, path: &str, acl: &[Acl]) -> Result<(), Error> {
        let options = CreateOptions {
            acl: acl.to_vec(),
            ..CreateOptions::default()
        };
        // From the top down: a level that is there answers NodeExists and costs one round trip.
        let mut levels: Vec<_> = path::ancestors(path)
            .filter(|level| *level != "/")
            .collect();
        levels.reverse();
        for level in levels {
            match self.create_once(level, b"", &options).await {
                Ok(_) => {}
                Err(error) if error.code() == Code::NodeExists => {}
                // May be there all the same, with a parent that lets nobody create.
                Err(error) if error.code() == Code::NoAuth => {
                    self.exists(level).await?.ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes a znode without children.
    ///
    /// Errors: NoNode, NotEmpty, BadVersion, NoAuth.
    pub async fn delete(&self, path: &str, version: Version) -> Result<(), Error> {
        let version = version.number();
        self.call(Request::Delete {
            path: path.into(),
            version,
        })
        .await
        .map(drop)
    }

    /// Deletes a znode and everything below, children first. Not atomic: others see it go piece by
    /// piece. What is created there meanwhile is deleted too; what others delete is no error. Gives
    /// the number of znodes this call deleted; NoNode if there was none at `path`.
    pub async fn delete_recursive(&self, path: &str) -> Result<u64, Error> {
        let mut deleted = 0;
        let mut found = false;
        loop {
            let Some(mut paths) = self.paths_below(path).await? else {
                return match found {
                    true => Ok(deleted),
                    false => Err(Error::new(Code::NoNode).of(OpCode::Delete, path)),
                };
            };
            found = true;
            paths.reverse();
            for some in paths.chunks(DELETES_AT_ONCE) {
                // All on their way at once: a session's requests are carried out in order.
                let deletes = some.iter().map(|path| self.delete(path, Version::Any));
                for done in futures_util::future::join_all(deletes).await {
                    match done {
                        Ok(()) => deleted += 1,
                        Err(e) if matches!(e.code(), Code::NoNode | Code::NotEmpty) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// The path and all below it, parents before children; `None` if there is no such znode.
    async fn paths_below(&self, path: &str) -> Result<Option<Vec<String>>, Error> {
        let mut paths = vec![path.to_owned()];
        let mut next = 0;
        while next < paths.len() {
            let level = next..paths.len().min(next + DELETES_AT_ONCE);
            next = level.end;
            let above = paths[level].to_vec();
            let lists = above.iter().map(|path| self.get_children(path));
            for (parent, names) in above
                .iter()
                .zip(futures_util::future::join_all(lists).await)
            {
                let names = match names {
                    Ok(names) => names,
                    Err(error) if error.code() == Code::NoNode => {
                        if parent == path {
                            return Ok(None);
                        }
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let parent = parent.trim_end_matches('/');
                paths.extend(names.into_iter().map(|name| format!("{parent}/{name}")));
            }
        }
        Ok(Some(paths))
    }

    /// A znode's data and `Stat`. Null data reads as empty. The bytes share memory with
    /// neighbouring replies: copy what is kept for long.
    ///
    /// Errors: NoNode, NoAuth.
    pub async fn get(&self, path: &str) -> Result<(Bytes, Stat), Error> {
        self.get_with(path, ReadOptions::default()).await
    }

    /// [`get`](Client::get) with options.
    pub async fn get_with(&self, path: &str, options: ReadOptions) -> Result<(Bytes, Stat), Error> {
        let request = Request::GetData {
            path: path.into(),
            watch: false,
        };
        data_of(self.read(request, options).await?)
    }

    /// [`get`](Client::get), and a watcher that hears of the next change of the znode.
    pub async fn get_and_watch(&self, path: &str) -> Result<(Bytes, Stat, Watcher), Error> {
        let request = Request::GetData {
            path: path.into(),
            watch: true,
        };
        let (answer, watcher) = self.call_watching(Root::Chroot, request).await?;
        data_of(answer?).map(|(data, stat)| (data, stat, watcher))
    }

    /// A znode's `Stat`; `None` if there is no such znode.
    ///
    /// Errors: NoAuth without READ; ZooKeeper before 3.8.4 and 3.9.2 lets everybody ask.
    pub async fn exists(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.exists_with(path, ReadOptions::default()).await
    }

    /// [`exists`](Client::exists) with options.
    pub async fn exists_with(
        &self,
        path: &str,
        options: ReadOptions,
    ) -> Result<Option<Stat>, Error> {
        let request = Request::Exists {
            path: path.into(),
            watch: false,
        };
        stat_if_there(self.read(request, options).await)
    }

    /// [`exists`](Client::exists), and a watcher that hears when the znode is created, changed or
    /// deleted.
    pub async fn exists_and_watch(&self, path: &str) -> Result<(Option<Stat>, Watcher), Error> {
        let request = Request::Exists {
            path: path.into(),
            watch: true,
        };
        let (answer, watcher) = self.call_watching(Root::Chroot, request).await?;
        stat_if_there(answer).map(|stat| (stat, watcher))
    }

    /// Names of a znode's children, in no order.
    ///
    /// Errors: NoNode, NoAuth.
    pub async fn get_children(&self, path: &str) -> Result<Vec<String>, Error> {
        let request = Request::GetChildren {
            path: path.into(),
            watch: false,
        };
        children_of(self.call(request).await?).map(|(names, _)| names)
    }

    /// [`get_children`](Client::get_children) with options, and the parent's `Stat`.
    pub async fn get_children_with(
        &self,
        path: &str,
        options: ReadOptions,
    ) -> Result<(Vec<String>, Stat), Error> {
        let request = Request::GetChildren2 {
            path: path.into(),
            watch: false,
        };
        children_of(self.read(request, options).await?)
    }

    /// Names of the children, the parent's `Stat`, and a watcher that hears of the next child that
    /// comes or goes, or of the end of the parent.
    pub async fn get_children_and_watch(
        &self,
        path: &str,
    ) -> Result<(Vec<String>, Stat, Watcher), Error> {
        let request = Request::GetChildren2 {
            path: path.into(),
            watch: true,
        };
        let (answer, watcher) = self.call_watching(Root::Chroot, request).await?;
        children_of(answer?).map(|(names, stat)| (names, stat, watcher))
    }

    /// A watcher that hears of every change of a path, or of a path and all below, until it is
    /// dropped. The znode need not exist.
    pub async fn watch(&self, path: &str, mode: AddWatchMode) -> Result<Watcher, Error> {
        let request = Request::AddWatch {
            path: path.into(),
            mode,
        };
        let (answer, watcher) = self.call_watching(Root::Chroot, request).await?;
        answer.map(|_| watcher)
    }

    /// Sets a znode's data; gives the new `Stat`.
    ///
    /// Errors: NoNode, BadVersion, NoAuth, QuotaExceeded.
    pub async fn set(&self, path: &str, data: &[u8], version: Version) -> Result<Stat, Error> {
        let request = Request::SetData {
            path: path.into(),
            data: Some(data),
            version: version.number(),
        };
        stat_of(OpCode::SetData, self.call(request).await?)
    }

    /// A znode's ACL and `Stat`. Digests are hidden from those who may not administer it.
    pub async fn get_acl(&self, path: &str) -> Result<(Vec<Acl>, Stat), Error> {
        match self.call(Request::GetAcl { path: path.into() }).await? {
            Answer::Acl(list, stat) => Ok((list, stat)),
            _ => Err(unexpected(OpCode::GetAcl)),
        }
    }

    /// Sets a znode's ACL, if its ACL has this version (`Stat::aversion`).
    ///
    /// Errors: NoNode, BadVersion, NoAuth, InvalidAcl.
    pub async fn set_acl(&self, path: &str, acl: &[Acl], version: Version) -> Result<Stat, Error> {
        let request = Request::SetAcl {
            path: path.into(),
            acl: Some(acl.to_vec()),
            version: version.number(),
        };
        stat_of(OpCode::SetAcl, self.call(request).await?)
    }

    /// Returns once this client's server has every write that was acknowledged before the call. A
    /// read that follows sees them; [`ReadOptions::linearizable`] does both in one round trip.
    pub async fn sync(&self, path: &str) -> Result<(), Error> {
        self.call(Request::Sync { path: path.into() })
            .await
            .map(drop)
    }

    /// Paths of this session's ephemerals that begin with `prefix`.
    pub async fn get_ephemerals(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let request = Request::GetEphemerals {
            prefix: Some(prefix.into()),
        };
        match self.call(request).await? {
            Answer::Ephemerals(paths) => Ok(paths),
            _ => Err(unexpected(OpCode::GetEphemerals)),
        }
    }

    /// The number of znodes below a path, all levels.
    pub async fn get_all_children_number(&self, path: &str) -> Result<i32, Error> {
        match self
            .call(Request::GetAllChildrenNumber { path: path.into() })
            .await?
        {
            Answer::Count(count) => Ok(count),
            _ => Err(unexpected(OpCode::GetAllChildrenNumber)),
        }
    }

    /// Who this connection is to its server.
    pub async fn who_am_i(&self) -> Result<Vec<Id>, Error> {
        match self.call(Request::WhoAmI).await? {
            Answer::WhoAmI(ids) => Ok(ids),
            _ => Err(unexpected(OpCode::WhoAmI)),
        }
    }

    /// Shows a credential, now and on every connection to come: `("digest", b"user:password")`.
    /// A refusal ends the client: AuthFailed.
    pub async fn add_auth(&self, scheme: &str, auth: &[u8]) -> Result<(), Error> {
        let (scheme, auth) = (scheme.into(), Some(auth));
        self.call(Request::Auth { scheme, auth }).await.map(drop)
    }

    /// The ensemble's members as `/zookeeper/config` tells them, whatever the chroot.
    pub async fn get_config(&self) -> Result<(Bytes, Stat), Error> {
        data_of(self.call_from(Root::Tree, config()).await?)
    }

    /// [`get_config`](Client::get_config), and a watcher that hears of the next change of it.
    pub async fn get_config_and_watch(&self) -> Result<(Bytes, Stat, Watcher), Error> {
        let (answer, watcher) = self.call_watching(Root::Tree, config()).await?;
        data_of(answer?).map(|(data, stat)| (data, stat, watcher))
    }

    /// Changes the ensemble: servers that join and ids that leave, or all `members` at once, each
    /// as zoo.cfg would have it; only if the configuration has version `config`, -1 for any. Gives
    /// the new configuration.
    ///
    /// Errors: ReconfigDisabled, NewConfigNoQuorum, ReconfigInProgress, BadVersion, BadArguments,
    /// NoAuth.
    pub async fn reconfig(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        config: i64,
    ) -> Result<(Bytes, Stat), Error> {
        let request = Request::Reconfig {
            joining: joining.map(Into::into),
            leaving: leaving.map(Into::into),
            members: members.map(Into::into),
            config,
        };
        data_of(self.call(request).await?)
    }

    /// Several reads at one moment: no write falls between them. Each succeeds or fails alone.
    pub async fn multi_read(
        &self,
        reads: &[Read<'_>],
    ) -> Result<Vec<Result<ReadAnswer, Code>>, Error> {
        let ops = reads.iter().map(|read| match *read {
            Read::Data(path) => ReadOp::GetData { path: path.into() },
            Read::Children(path) => ReadOp::GetChildren { path: path.into() },
        });
        match self.call(Request::MultiRead(ops.collect())).await? {
            Answer::MultiRead(answers) => Ok(answers),
            _ => Err(unexpected(OpCode::MultiRead)),
        }
    }

    async fn read(&self, request: Request<'_>, options: ReadOptions) -> Result<Answer, Error> {
        if options.linearizable {
            self.call_linearizable(request).await
        } else {
            self.call(request).await
        }
    }
}

fn config() -> Request<'static> {
    Request::GetData {
        path: CONFIG.into(),
        watch: false,
    }
}

fn data_of(answer: Answer) -> Result<(Bytes, Stat), Error> {
    match answer {
        Answer::Data(data, stat) => Ok((data.unwrap_or_default(), stat)),
        _ => Err(unexpected(OpCode::GetData)),
    }
}

fn stat_if_there(answer: Result<Answer, Error>) -> Result<Option<Stat>, Error> {
    match answer {
        Ok(answer) => stat_of(OpCode::Exists, answer).map(Some),
        Err(error) if error.code() == Code::NoNode => Ok(None),
        Err(error) => Err(error),
    }
}

fn stat_of(op: OpCode, answer: Answer) -> Result<Stat, Error> {
    match answer {
        Answer::Stat(stat) => Ok(stat),
        _ => Err(unexpected(op)),
    }
}

fn children_of(answer: Answer) -> Result<(Vec<String>, Stat), Error> {
    match answer {
        Answer::Children(names, stat) => Ok((names, stat.unwrap_or_default())),
        _ => Err(unexpected(OpCode::GetChildren2)),
    }
}

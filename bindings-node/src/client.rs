//! The client as JavaScript calls it: every method takes the number of a request and returns at
//! once; the answer comes through the port under that number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::{BigInt, Buffer, ClassInstance, Uint8Array};
use napi_derive::napi;
use zoowarden::bridge;
use zoowarden::client::{
    Acl, AddWatchMode, Client, ClientConfig, ConnectStringError, CreateMode, CreateOptions, Error,
    Request, WatchSink, WatcherId,
};
use zoowarden::proto::{Create, MultiOp};

use crate::batch::{Failure, Item, Value};
use crate::node::NativeNet;
use crate::options::{NativeAcl, NativeClientOptions, acl, integer, invalid};
use crate::port::{NativePort, Queue};
use crate::watch;

/// A one-shot watch hears one change and a few states; what is beyond cannot be.
const ONE_SHOT_LIMIT: u32 = 16;

/// One operation of a multi: 0 create, 1 delete, 2 set, 3 check.
#[napi(object)]
pub struct NativeOperation {
    pub kind: u32,
    pub path: String,
    /// -1: any.
    pub version: i32,
    /// Of create and set.
    pub data: Option<Uint8Array>,
    /// Of create: its number on the wire.
    pub mode: Option<i32>,
    pub acl: Option<Vec<NativeAcl>>,
    /// Milliseconds, with the modes that take it.
    pub ttl: Option<i64>,
}

/// A session with an ensemble.
#[napi]
pub struct NativeClient {
    pub(crate) client: Client,
    pub(crate) queue: Arc<Queue>,
    /// The client's watchers by JavaScript's numbers. Lock order: taken alone.
    watchers: Mutex<HashMap<u32, WatcherId>>,
}

#[napi]
impl NativeClient {
    /// Connects in the background, through `net` if there is one. States come through the port under `id`.
    #[napi(constructor)]
    pub fn new(
        port: &NativePort,
        id: u32,
        hosts: String,
        options: NativeClientOptions,
        net: Option<ClassInstance<NativeNet>>,
    ) -> napi::Result<NativeClient> {
        let queue = Arc::clone(&port.queue);
        let states = Arc::clone(&queue);
        let mut config = ClientConfig {
            on_state: Some(Arc::new(move |state| states.push(Item::State(id, state)))),
            ..options.into_config(&hosts)?
        };
        if let Some(net) = net {
            config.net = Arc::clone(&net.net);
        }
        Ok(NativeClient {
            client: Client::open_on(bridge::runtime(), config),
            queue,
            watchers: Mutex::default(),
        })
    }

    /// 0 before there is a session.
    #[napi]
    pub fn session_id(&self) -> BigInt {
        self.client.session_id().0.into()
    }

    #[napi]
    pub fn session_password(&self) -> Buffer {
        self.client.session_password().to_vec().into()
    }

    /// Milliseconds.
    #[napi]
    pub fn session_timeout(&self) -> u32 {
        self.client.session_timeout_ms()
    }

    #[napi]
    pub fn server(&self) -> Option<String> {
        self.client.server().map(|address| address.to_string())
    }

    #[napi]
    pub fn last_zxid(&self) -> BigInt {
        self.client.last_zxid().0.into()
    }

    #[napi]
    pub fn chroot(&self) -> String {
        self.client.chroot().to_owned()
    }

    #[napi]
    pub fn set_hosts(&self, hosts: String) -> napi::Result<()> {
        let hosts = hosts
            .parse()
            .map_err(|error: ConnectStringError| invalid(error.to_string()))?;
        self.client.set_hosts(hosts);
        Ok(())
    }

    /// Answers when the client is connected, or over.
    #[napi]
    pub fn connected(&self, id: u32) {
        let client = self.client.clone();
        self.queue
            .spawn(id, async move { client.connected().await });
    }

    /// Ends the session and answers when that is done.
    #[napi]
    pub fn close(&self, id: u32) {
        let client = self.client.clone();
        self.queue.spawn(id, async move {
            client.close().await;
            Ok::<_, Error>(())
        });
    }

    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "an object would cost as much as the call"
    )]
    pub fn create(
        &self,
        id: u32,
        path: String,
        data: &[u8],
        mode: i32,
        entries: Vec<NativeAcl>,
        ttl: i64,
        parents: bool,
    ) -> napi::Result<()> {
        let (mode, acl) = (create_mode(mode, ttl)?, acl(entries));
        if !parents {
            self.submit(id, Request::Create(create(&path, data, mode, acl)));
            return Ok(());
        }
        let options = CreateOptions {
            mode,
            acl,
            parents: true,
        };
        let (client, data) = (self.client.clone(), data.to_vec());
        self.queue.spawn(id, async move {
            let created = client.create_with(&path, &data, &options).await?;
            Ok::<_, Error>(Value::Created(created.path, created.stat))
        });
        Ok(())
    }

    #[napi]
    pub fn get_data(&self, id: u32, path: String, watch: u32) {
        let path = path.into();
        self.read(id, Request::GetData { path, watch: false }, watch);
    }

    #[napi]
    pub fn exists(&self, id: u32, path: String, watch: u32) {
        let path = path.into();
        self.read(id, Request::Exists { path, watch: false }, watch);
    }

    #[napi]
    pub fn get_children(&self, id: u32, path: String, watch: u32) {
        let path = path.into();
        self.read(id, Request::GetChildren2 { path, watch: false }, watch);
    }

    #[napi]
    pub fn set_data(&self, id: u32, path: String, data: &[u8], version: i32) {
        let (path, data) = (path.into(), Some(data));
        self.submit(
            id,
            Request::SetData {
                path,
                data,
                version,
            },
        );
    }

    #[napi]
    pub fn delete(&self, id: u32, path: String, version: i32) {
        let path = path.into();
        self.submit(id, Request::Delete { path, version });
    }

    #[napi]
    pub fn delete_recursive(&self, id: u32, path: String) {
        let client = self.client.clone();
        self.queue
            .spawn(id, async move { client.delete_recursive(&path).await });
    }

    #[napi]
    pub fn mkdirp(&self, id: u32, path: String) {
        let client = self.client.clone();
        self.queue
            .spawn(id, async move { client.ensure_path(&path).await });
    }

    #[napi]
    pub fn get_acl(&self, id: u32, path: String) {
        self.submit(id, Request::GetAcl { path: path.into() });
    }

    #[napi]
    pub fn set_acl(&self, id: u32, path: String, entries: Vec<NativeAcl>, version: i32) {
        let (path, acl) = (path.into(), Some(acl(entries)));
        self.submit(id, Request::SetAcl { path, acl, version });
    }

    #[napi]
    pub fn sync(&self, id: u32, path: String) {
        self.submit(id, Request::Sync { path: path.into() });
    }

    #[napi]
    pub fn multi(&self, id: u32, operations: Vec<NativeOperation>) -> napi::Result<()> {
        let operations = operations.iter().map(NativeOperation::encode);
        let operations = operations.collect::<napi::Result<Vec<_>>>()?;
        self.submit(id, Request::Multi(operations));
        Ok(())
    }

    /// Watches a path; at most `limit` events wait to be drained.
    #[napi]
    pub fn add_watch(&self, id: u32, path: String, recursive: bool, watch: u32, limit: u32) {
        let path = path.into();
        let mode = if recursive {
            AddWatchMode::PersistentRecursive
        } else {
            AddWatchMode::Persistent
        };
        let sink = watch::sink(&self.queue, watch, limit);
        self.submit_watching(id, Request::AddWatch { path, mode }, watch, Some(sink));
    }

    /// Ends a watch by JavaScript's number for it; one that is over is none.
    #[napi]
    pub fn forget(&self, watch: u32) {
        let watcher = self.watchers().remove(&watch);
        if let Some(watcher) = watcher {
            self.client.forget(watcher);
        }
    }

    /// How many watches the client keeps.
    #[napi]
    pub fn watches(&self) -> u32 {
        u32::try_from(self.client.watchers()).unwrap_or(u32::MAX)
    }

    #[napi]
    pub fn add_auth(&self, id: u32, scheme: String, auth: &[u8]) {
        let scheme = scheme.into();
        self.submit(
            id,
            Request::Auth {
                scheme,
                auth: Some(auth),
            },
        );
    }

    #[napi]
    pub fn who_am_i(&self, id: u32) {
        self.submit(id, Request::WhoAmI);
    }

    #[napi]
    pub fn get_config(&self, id: u32) {
        let client = self.client.clone();
        self.queue
            .spawn(id, async move { client.get_config().await });
    }

    #[napi]
    pub fn reconfig(
        &self,
        id: u32,
        joining: Option<String>,
        leaving: Option<String>,
        members: Option<String>,
        config: BigInt,
    ) -> napi::Result<()> {
        let request = Request::Reconfig {
            joining: joining.map(Into::into),
            leaving: leaving.map(Into::into),
            members: members.map(Into::into),
            config: integer(&config)?,
        };
        self.submit(id, request);
        Ok(())
    }

    #[napi]
    pub fn get_ephemerals(&self, id: u32, prefix: String) {
        let prefix = Some(prefix.into());
        self.submit(id, Request::GetEphemerals { prefix });
    }

    #[napi]
    pub fn get_all_children_number(&self, id: u32, path: String) {
        self.submit(id, Request::GetAllChildrenNumber { path: path.into() });
    }

    fn read(&self, id: u32, request: Request<'_>, watch: u32) {
        let sink = (watch != 0).then(|| watch::sink(&self.queue, watch, ONE_SHOT_LIMIT));
        self.submit_watching(id, request, watch, sink);
    }

    fn submit(&self, id: u32, request: Request<'_>) {
        self.submit_watching(id, request, 0, None);
    }

    fn submit_watching(&self, id: u32, request: Request<'_>, watch: u32, sink: Option<WatchSink>) {
        let queue = Arc::clone(&self.queue);
        let watcher = self.client.submit(request, sink, move |answer| {
            queue.answer(id, answer.map(Value::Answer).map_err(Failure::from));
        });
        if let Some(watcher) = watcher {
            self.watchers().insert(watch, watcher);
        }
    }

    fn watchers(&self) -> std::sync::MutexGuard<'_, HashMap<u32, WatcherId>> {
        self.watchers
            .lock()
            .expect("nothing panics under this lock")
    }
}

impl NativeOperation {
    fn encode(&self) -> napi::Result<MultiOp<'_>> {
        let path = self.path.as_str();
        let data = self.data.as_deref().unwrap_or_default();
        let version = self.version;
        Ok(match self.kind {
            0 => MultiOp::Create(create(
                path,
                data,
                create_mode(self.mode.unwrap_or_default(), self.ttl.unwrap_or_default())?,
                acl(self.acl.clone().unwrap_or_default()),
            )),
            1 => MultiOp::Delete {
                path: path.into(),
                version,
            },
            2 => MultiOp::SetData {
                path: path.into(),
                data: Some(data),
                version,
            },
            3 => MultiOp::Check {
                path: path.into(),
                version,
            },
            kind => return Err(invalid(format!("no operation of a multi is {kind}"))),
        })
    }
}

/// A create in the form that answers a `Stat`.
fn create<'a>(path: &'a str, data: &'a [u8], mode: CreateMode, acl: Vec<Acl>) -> Create<'a> {
    let (op, flags, ttl) = mode.on_the_wire();
    Create {
        op,
        path: path.into(),
        data: Some(data),
        acl: Some(acl),
        flags,
        ttl,
    }
}

/// A mode by its number on the wire.
fn create_mode(mode: i32, ttl_ms: i64) -> napi::Result<CreateMode> {
    Ok(match mode {
        0 => CreateMode::Persistent,
        1 => CreateMode::Ephemeral,
        2 => CreateMode::PersistentSequential,
        3 => CreateMode::EphemeralSequential,
        4 => CreateMode::Container,
        5 => CreateMode::PersistentWithTtl { ttl_ms },
        6 => CreateMode::PersistentSequentialWithTtl { ttl_ms },
        mode => return Err(invalid(format!("no create mode is {mode}"))),
    })
}

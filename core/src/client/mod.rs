//! A client of any ensemble that speaks ZooKeeper's protocol.
//!
//! What lives here: [`Client`], one session over one connection at a time, pipelined; its typed
//! operations, transactions and watchers. What does not: recipes, which are built on it, and
//! servers.
//!
//! ```text
//!   callers ─▶ submit ─▶ Session (silent, one lock) ◀─▶ Driver (one task) ◀─▶ socket
//!                              └─ deliveries: replies, events, states, in one order
//! ```
//!
//! Promises: requests are carried out and answered in the order in which they were submitted; an
//! event is delivered before the reply that shows its change; a request whose answer was lost is
//! never sent again. A request made while no server is connected waits for one, up to the session
//! timeout. Dropping a future that waits for an answer gives up the answer, not the request.
//!
//! | task | owns | who stops it |
//! |---|---|---|
//! | driver, one per client | the socket, the timers | the last [`Client`] dropped, [`Client::close`], or the end of the session |

mod answer;
mod chroot;
mod config;
mod connect_string;
mod driver;
mod error;
mod hosts;
mod login;
mod operations;
mod session;
#[cfg(test)]
mod session_test;
mod tls;
#[cfg(test)]
mod tls_test;
mod transaction;
mod watcher;
mod watches;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

use crate::environment::Stream;

pub use crate::proto::{
    Acl, AddWatchMode, Code, EventKind, Id, MultiOutcome as Outcome, PASSWORD_BYTES, Request,
    SessionId, Stat, Zxid, perms,
};
pub use crate::sasl::Password;
pub use answer::{Answer, ReadAnswer};
pub use config::{ClientConfig, OnExpiry, State, StateSink};
pub use connect_string::{ConnectString, ConnectStringError, DEFAULT_PORT};
pub use error::Error;
pub use login::SaslLogin;
pub use operations::{CreateMode, CreateOptions, Created, Read, ReadOptions, Version};
pub use session::{UNSENT_BYTES_MAX, WAITING_MAX};
pub use tls::{TlsConfig, TlsError, TlsIdentity, TlsOptions, TlsVerify};
pub use transaction::{Transaction, TransactionError};
pub use watcher::{WATCHER_EVENTS_MAX, Watcher};
pub use watches::WatcherId;

use driver::Driver;
use session::{Beginning, Completion, Limit, Session};

/// What a watcher hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// A znode changed.
    Changed {
        /// What happened.
        kind: EventKind,
        /// To which znode, without chroot.
        path: String,
        /// The change; -1 if it happened while the connection was lost, or if the server is older
        /// than 3.9.
        zxid: Zxid,
    },
    /// The session's state changed. While it is suspended nothing is heard; once connected again
    /// the server tells of what was missed.
    State(State),
    /// The watcher was read too slowly, and this many events were dropped: read everything anew.
    Overflow {
        /// How many.
        dropped: u64,
    },
}

/// A function that hears of a watcher's events. It runs on the I/O task and must not block.
pub type WatchSink = Arc<dyn Fn(WatchEvent) + Send + Sync>;

/// Where the paths of a request begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Root {
    /// Below the client's chroot, as nearly all do.
    #[default]
    Chroot,
    /// At the root of the tree: `/zookeeper/config` is there for every client.
    Tree,
}

/// What the owner of a client and its driver share.
///
/// Lock order: `session` first; the others are held for one statement each.
pub(crate) struct Shared {
    config: ClientConfig,
    session: Mutex<Session>,
    /// There is something to send, or the client closes.
    wake: Notify,
    /// The client closes; heard while there is no connection.
    closing: Notify,
    /// Requests were answered or sent, so there is room for others.
    room: Notify,
    /// The owner wants another server of the list.
    move_on: Notify,
    /// The list, as the owner last gave it.
    hosts: watch::Sender<ConnectString>,
    state: watch::Sender<State>,
    server: Mutex<Option<SocketAddr>>,
    last_failure: Mutex<String>,
}

impl Shared {
    async fn connect(&self, server: &str) -> io::Result<Stream> {
        let stream = self.config.net.connect(server).await?;
        let Some(tls) = &self.config.tls else {
            return Ok(stream);
        };
        let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
        tls.connect(stream, host).await
    }
}

/// What all clones of a client hold together; the last one closes the session.
struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Nobody waits for the answer. A client that is over refuses, which is as good.
        let close = Request::CloseSession;
        let completion = Completion::Call(Box::new(drop));
        drop(
            self.shared
                .submit(close, Root::Chroot, Limit::Pass, None, completion),
        );
    }
}

/// A session with an ensemble. Clones share it; when the last one is dropped the session is closed
/// in the background. See the [module](self) for what it promises.
#[derive(Clone)]
pub struct Client {
    owner: Arc<Owner>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts = &self.shared().config.hosts;
        write!(
            f,
            "Client({hosts}, {}, {})",
            self.session_id(),
            self.state()
        )
    }
}

impl Client {
    /// Connects to `host:port,host:port/chroot` and waits until a server serves, for up to the
    /// default session timeout of ten seconds.
    ///
    /// Errors: BadArguments for a string that cannot be read; ConnectionLoss with the last reason
    /// if no server answers.
    pub async fn connect(hosts: &str) -> Result<Client, Error> {
        let hosts = hosts
            .parse()
            .map_err(|error: ConnectStringError| Error::new(Code::BadArguments).because(error))?;
        Client::connect_with(ClientConfig::new(hosts)).await
    }

    /// Connects as `config` says and waits until a server serves, for up to the session timeout.
    pub async fn connect_with(config: ClientConfig) -> Result<Client, Error> {
        let patience = std::time::Duration::from_millis(config.session_timeout_ms.into());
        let client = Client::open(config);
        match tokio::time::timeout(patience, client.connected()).await {
            Ok(connected) => connected.map(|()| client),
            Err(_) => Err(driver::unreachable(client.shared())),
        }
    }

    /// A client that connects in the background, on the tokio runtime of the caller.
    ///
    /// Panics outside of a runtime, as `tokio::spawn` does.
    pub fn open(config: ClientConfig) -> Client {
        Client::open_on(&tokio::runtime::Handle::current(), config)
    }

    /// A client that connects in the background, on `runtime`.
    pub fn open_on(runtime: &tokio::runtime::Handle, config: ClientConfig) -> Client {
        let session = Session::new(Beginning {
            session: config.session,
            timeout_ms: config.session_timeout_ms,
            read_only: config.read_only,
            on_expiry: config.on_expiry,
            chroot: config.hosts.chroot().to_owned(),
            auth: config.auth.clone(),
            request_bytes_max: config.request_bytes_max,
        });
        let shared = Arc::new(Shared {
            hosts: watch::Sender::new(config.hosts.clone()),
            config,
            session: Mutex::new(session),
            wake: Notify::new(),
            closing: Notify::new(),
            room: Notify::new(),
            move_on: Notify::new(),
            state: watch::Sender::new(State::Connecting),
            server: Mutex::new(None),
            last_failure: Mutex::new(String::new()),
        });
        runtime.spawn(Driver::new(Arc::clone(&shared)).run());
        Client {
            owner: Arc::new(Owner { shared }),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    /// Waits until a server serves the session. An error says that the client is over.
    pub async fn connected(&self) -> Result<(), Error> {
        let mut states = self.states();
        let decided = |state: &State| state.is_connected() || self.is_over(*state);
        let state = *states
            .wait_for(decided)
            .await
            .map_err(|_| Error::new(Code::Closing))?;
        match state {
            State::Connected | State::ConnectedReadOnly => Ok(()),
            State::Expired => Err(Error::new(Code::SessionExpired)),
            State::AuthFailed => {
                let why = self.shared().last_failure.lock().clone();
                Err(Error::new(Code::AuthFailed).because(why))
            }
            State::Connecting | State::Suspended | State::Closed => Err(Error::new(Code::Closing)),
        }
    }

    fn is_over(&self, state: State) -> bool {
        let renews = self.shared().config.on_expiry == OnExpiry::Renew;
        state.is_over() && !(state == State::Expired && renews)
    }

    /// Where the client stands now.
    pub fn state(&self) -> State {
        *self.shared().state.borrow()
    }

    /// The state as a value to wait on. A reader that is slow sees the newest, not every one.
    pub fn states(&self) -> watch::Receiver<State> {
        self.shared().state.subscribe()
    }

    /// The session's id; 0 before there is one.
    pub fn session_id(&self) -> SessionId {
        self.shared().session.lock().id
    }

    /// The session's password: with its id enough to take it over.
    pub fn session_password(&self) -> [u8; PASSWORD_BYTES] {
        self.shared().session.lock().password
    }

    /// The session timeout, milliseconds: as negotiated, or as asked for before that.
    pub fn session_timeout_ms(&self) -> u32 {
        self.shared().session.lock().timeout_ms
    }

    /// The server that is connected now.
    pub fn server(&self) -> Option<SocketAddr> {
        *self.shared().server.lock()
    }

    /// The newest change this session has seen.
    pub fn last_zxid(&self) -> Zxid {
        self.shared().session.lock().last_zxid
    }

    /// `""`, or the path that stands before all of this client's.
    pub fn chroot(&self) -> &str {
        self.shared().config.hosts.chroot()
    }

    /// Watchers of this client, those on their way to a server included.
    pub fn watchers(&self) -> usize {
        self.shared().session.lock().watchers()
    }

    /// Takes another list of servers; the chroot stays what it was. The client moves if its server
    /// is not in the list, or if it should make use of a new one (ZooKeeper's rule for an even
    /// spread).
    pub fn set_hosts(&self, hosts: ConnectString) {
        self.shared().hosts.send_replace(hosts);
    }

    /// Leaves this server for the next one in the list; the session goes along.
    pub fn move_on(&self) {
        self.shared().move_on.notify_one();
    }

    /// Closes the session: its ephemerals are gone when this returns, if a server was connected.
    /// Requests made before are answered first. Waits two seconds at most, and never fails.
    pub async fn close(&self) {
        let (sender, receiver) = oneshot::channel();
        let completion = Completion::Future(sender);
        let close = Request::CloseSession;
        if self
            .shared()
            .submit(close, Root::Chroot, Limit::Pass, None, completion)
            .is_ok()
        {
            drop(receiver.await);
        }
        let mut states = self.states();
        // An error means that the driver is gone, and so is the session.
        drop(states.wait_for(|state| self.is_over(*state)).await);
    }

    /// Makes a request and returns at once; any thread may call. `completion` runs on the I/O task,
    /// in the order of the requests and in one order with the events, and must not block. If the
    /// request cannot be taken (bad path, too many wait, client over) it runs here, before this
    /// returns.
    ///
    /// `watch` is told of changes, by the request's own meaning: getData and exists of one change
    /// of the znode, getChildren of one of its list, addWatch of all. Other requests drop it.
    /// Paths are below the chroot; the request's own `watch` flags are not looked at.
    pub fn submit(
        &self,
        request: Request<'_>,
        watch: Option<WatchSink>,
        completion: impl FnOnce(Result<Answer, Error>) + Send + 'static,
    ) -> Option<WatcherId> {
        self.submit_from(Root::Chroot, request, watch, completion)
    }

    /// As [`submit`](Client::submit), for a path that begins at [`Root`].
    pub fn submit_from(
        &self,
        root: Root,
        request: Request<'_>,
        watch: Option<WatchSink>,
        completion: impl FnOnce(Result<Answer, Error>) + Send + 'static,
    ) -> Option<WatcherId> {
        let completion = Completion::Call(Box::new(completion));
        let limit = Limit::Refuse;
        match self
            .shared()
            .submit(request, root, limit, watch, completion)
        {
            Ok(id) => id,
            Err((completion, error)) => {
                completion.complete(Err(error));
                None
            }
        }
    }

    /// Makes a request and waits for its answer; while too many others wait, for those first.
    pub async fn call(&self, request: Request<'_>) -> Result<Answer, Error> {
        self.call_from(Root::Chroot, request).await
    }

    async fn call_from(&self, root: Root, request: Request<'_>) -> Result<Answer, Error> {
        self.room().await;
        let (sender, receiver) = oneshot::channel();
        self.shared()
            .submit(request, root, Limit::Pass, None, Completion::Future(sender))
            .map_err(|(_, error)| error)?;
        answer(receiver).await
    }

    /// A request that sets a watch: its answer, and the watcher, which `exists` has even if there
    /// is no znode. The watcher is there before the answer is, so that giving up the answer gives
    /// up the watch.
    async fn call_watching(
        &self,
        root: Root,
        request: Request<'_>,
    ) -> Result<(Result<Answer, Error>, Watcher), Error> {
        self.room().await;
        let (sender, receiver) = oneshot::channel();
        let events = watcher::Queue::new(matches!(request, Request::AddWatch { .. }));
        let completion = Completion::Future(sender);
        let id = self
            .shared()
            .submit(request, root, Limit::Pass, Some(events.sink()), completion)
            .map_err(|(_, error)| error)?;
        let watcher = Watcher::new(Arc::clone(self.shared()), id, events);
        Ok((answer(receiver).await, watcher))
    }

    /// `sync` and a read in one round trip: the read's answer, or why there was no sync.
    async fn call_linearizable(&self, request: Request<'_>) -> Result<Answer, Error> {
        self.room().await;
        let path = chroot::first_path(&request).unwrap_or("/");
        let sync = Request::Sync { path: path.into() };
        let (synced, sync_answer) = oneshot::channel();
        let (read, read_answer) = oneshot::channel();
        for (request, sender) in [(sync, synced), (request.clone(), read)] {
            self.shared()
                .submit(
                    request,
                    Root::Chroot,
                    Limit::Pass,
                    None,
                    Completion::Future(sender),
                )
                .map_err(|(_, error)| error)?;
        }
        answer(sync_answer).await?;
        answer(read_answer).await
    }

    /// Waits until another request may be made. Those who wait may pass together, so that there
    /// can be as many above the limit as there are callers.
    async fn room(&self) {
        loop {
            let room = self.shared().room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if !self.shared().session.lock().is_full() {
                return;
            }
            room.await;
        }
    }

    /// Ends a watcher; the server forgets it too if nobody else here waits for the same.
    pub fn forget(&self, watcher: WatcherId) {
        self.shared().forget(watcher);
    }
}

async fn answer(receiver: oneshot::Receiver<Result<Answer, Error>>) -> Result<Answer, Error> {
    // Without a sender the runtime was shut down under the client.
    receiver
        .await
        .unwrap_or_else(|_| Err(Error::new(Code::ConnectionLoss).after_sending()))
}

impl Shared {
    fn submit(
        &self,
        mut request: Request<'_>,
        root: Root,
        limit: Limit,
        watch: Option<WatchSink>,
        completion: Completion,
    ) -> Result<Option<WatcherId>, (Completion, Error)> {
        if let Err(error) = chroot::check(&request) {
            return Err((completion, error));
        }
        request.set_watch(watch.is_some());
        let closes = matches!(request, Request::CloseSession);
        let (wakes, taken) = {
            let mut session = self.session.lock();
            let wakes = !session.has_outgoing();
            (
                wakes,
                session.submit(request, root, limit, watch.as_ref(), completion),
            )
        };
        if taken.is_ok() && (wakes || closes) {
            self.wake.notify_one();
        }
        if closes {
            self.closing.notify_one();
        }
        taken
    }

    pub(crate) fn forget(&self, watcher: WatcherId) {
        let mut session = self.session.lock();
        let wakes = !session.has_outgoing();
        let sink = session.forget(watcher);
        let wakes = wakes && session.has_outgoing();
        drop(session);
        drop(sink);
        if wakes {
            self.wake.notify_one();
        }
    }
}

/// Where order must not be predictable: 64 random bits, or the same ones if the system has none.
pub(crate) fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}

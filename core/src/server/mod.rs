//! A running server: listeners, connections, and the tasks that keep time.
//!
//! What lives here: sockets, timers and counters, and as little meaning as possible. What a
//! request means is in `tree`, the order of a connection's requests in `session`, who hears of
//! what in `replica`, and how a change is agreed upon in `raft`.
//!
//! | task or thread | owns | who stops it |
//! |---|---|---|
//! | listener | the client socket, or what a `Node` has instead | [`Server::stop`] |
//! | connection, one per client | its socket; ends when the client, the session or the server does | [`Server::stop`] |
//! | contact | touched sessions, silent connections, deadlines of local sessions | [`Server::stop`] |
//! | modes | whether clients get everything, reads or nothing | [`Server::stop`] |
//! | leader | session deadlines, the reaper, observers; idle unless this server leads | [`Server::stop`] |
//! | sync | connections that wait for a read index | [`Server::stop`] |
//! | certificates | when keys and certificates are read again; ends at once if never | [`Server::stop`] |
//! | keeper | when to snapshot, what to purge, disk space, the log's health | [`Server::stop`] |
//! | moving | the places it listens at, as reconfigs move them | [`Server::stop`] |
//! | dynamic file | zoo.cfg and the dynamic file, as reconfigs change them | [`Server::stop`] |
//! | joining | this server's way into the ensemble; ends when it serves | [`Server::stop`] |
//! | leadership, lanes, peers | see `raft` | `Consensus::stop` |
//! | raft core, state machine, replication | openraft | `Consensus::stop` |
//! | thread `zoowarden-log` | the log's files | `Log::close` |
//! | ending, of a dropped `Node` | the server, until all of the above has stopped | ends by itself |
//! | thread `zoowarden-history` | the store of the change history | [`Server::stop`], within a limit |
//! | thread `zoowarden-audit` | the audit log's file | [`Server::stop`], within a limit |
//! | thread `zoowarden-snapshot` | one snapshot; ends with it | it is waited for by raft |

mod audit;
pub mod config;
mod connection;
mod console;
mod contact;
mod dynamic_file;
pub mod endpoint;
mod error;
pub mod four_letter;
mod gauges;
mod handshake;
mod keeper;
mod leader;
mod limits;
mod listener;
pub mod migration;
mod modes;
mod moving;
pub mod observer;
mod open;
mod records;
pub mod restore;
mod secure;
mod status;
mod sync;
mod throttle;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::environment::{Clock, Doors, Listener, Net, SystemClock, Tcp};
use crate::history::History;
use crate::metrics::Basic;
use crate::proto::{ConnectionId, ServerId, SessionId};
use crate::raft::{Consensus, Leadership, Members, Parts, Timing, new_lane};
use crate::replica::{
    DigestSettings, Ending, Reconfig, Replica, RequestSettings, SaslSettings, SessionSettings,
    Settings,
};
use crate::server::config::{Config, HostPort, Role, Transport};
use crate::server::console::Console;
use crate::server::limits::{FRAME_BYTES_MAX, Limits};
use crate::server::modes::Modes;
use crate::server::moving::{Port, Ports};
use crate::server::records::Records;
use crate::server::secure::ClientTls;
use crate::server::throttle::Throttle;
use crate::storage::{DataDir, Disk, Log, RealDisk, Standing};
use crate::tree::acl::Schemes;
use crate::tree::{Lane, Rules};

pub use error::{ExpireError, StartError};
pub use observer::Observer;

/// Bytes one connection may leave unread before it is closed.
const OUTBOX_BYTES_MAX: usize = 64 << 20;

/// Connections the operating system queues, unless `clientPortListenBacklog` says otherwise.
const BACKLOG: i32 = 1024;

/// What the ports are called in messages.
const CLIENT_PORT: &str = "client port";
const QUORUM_PORT: &str = "quorum port";

/// How long an expiry by hand may take to be agreed upon.
const EXPIRE_LIMIT: Duration = Duration::from_secs(10);

/// What every task of a server shares.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) replica: Arc<Replica>,
    pub(crate) consensus: Arc<Consensus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Arc<Log>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) limits: Limits,
    pub(crate) throttle: Throttle,
    pub(crate) modes: Modes,
    /// Whether clients are served: the server has caught up with its ensemble once.
    pub(crate) serving: watch::Sender<bool>,
    /// Why it never will be served, if that is so.
    not_joined: Mutex<Option<String>>,
    pub(crate) syncs: mpsc::UnboundedSender<ConnectionId>,
    next_connection: AtomicU64,
    records: Records,
    pub(crate) started_ms: u64,
    /// Where clients come in.
    clients: Doors,
    /// Another port of TLS alone, if there is one.
    pub(crate) secure_client_address: Option<SocketAddr>,
    pub(crate) client_tls: Option<ClientTls>,
    pub(crate) console: Console,
}

impl Shared {
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// The port that clients find it at now; 0 at a moment without one.
    pub(crate) fn client_port(&self) -> u16 {
        self.clients.address().map_or(0, |address| address.port())
    }
}

/// A server, as the binary runs it: listening where its configuration says. [`Node`](crate::node::Node)
/// is one inside another program. Stop it with [`Server::stop`]; dropping it leaves its tasks to the
/// runtime's end.
pub struct Server {
    shared: Arc<Shared>,
    client_address: SocketAddr,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    _locks: Vec<DataDir>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.client_address)
    }
}

/// What a server asks of the machine, each behind a trait so that a simulation can answer.
#[derive(Clone)]
pub struct Seams {
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Connections, of clients and of the other servers.
    pub net: Arc<dyn Net>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Seams {
    /// The machine itself.
    pub fn real(config: &Config) -> Seams {
        Seams {
            disk: Arc::new(RealDisk),
            net: Arc::new(Tcp {
                keep_alive: config.client_tcp_keep_alive,
            }),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Whose business the listener for clients is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owned {
    ByServer,
    ByCaller,
}

impl Server {
    /// Starts the server that `config` describes. It serves once [`Server::ready`] says so.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        let seams = Seams::real(&config);
        Server::start_on(seams, config).await
    }

    /// Starts a server on other files, connections and clocks than the machine's.
    pub async fn start_on(seams: Seams, config: Config) -> Result<Server, StartError> {
        let clients = listen_to_clients(&config, &*seams.net)?;
        // Boxed: what a start holds on the way would be part of the future of everybody who waits.
        Box::pin(Server::launch(clients, Owned::ByServer, seams, config)).await
    }

    /// Starts a server whose clients come through a listener that is there already, and that no
    /// reconfig moves; `client_address` of `config` is not used.
    pub(crate) async fn start_behind(
        clients: Box<dyn Listener>,
        seams: Seams,
        config: Config,
    ) -> Result<Server, StartError> {
        Box::pin(Server::launch(clients, Owned::ByCaller, seams, config)).await
    }

    async fn launch(
        clients: Box<dyn Listener>,
        owned: Owned,
        Seams { disk, net, clock }: Seams,
        mut config: Config,
    ) -> Result<Server, StartError> {
        let secured = secure::secure(&config, Arc::clone(&net)).await?;
        let secure_clients = listen_to_secure_clients(&config, &*net)?;
        let secure_client_address = secure_clients.as_ref().map(|l| l.address());
        config.data_dir = std::path::absolute(&config.data_dir)?;
        config.log_dir = std::path::absolute(&config.log_dir)?;
        let (client_address, clients) = (clients.address()?, Doors::new(clients));
        let peers = listen_to_peers(&config, &*secured.net)?.map(Doors::new);
        let ports = ports(&config, owned, (&clients, &net), (&peers, &secured.net));
        let mut opened = open::open_aside(&config, &disk).await?;
        let lane = new_lane(my_id(&config), &opened.recovered.tree, clock.wall_ms());
        let records = Records::start(&config, &clock, opened.recovered.tree.last_zxid())?;
        let replica = Arc::new(records.watch(new_replica(&config, &mut opened, lane)));
        let (touched, heard) = mpsc::unbounded_channel();
        let (syncs, asking) = mpsc::unbounded_channel();
        let consensus = Consensus::start(Parts {
            me: lane.server,
            members: members(&config),
            admits_guests: config.reconfig.enabled,
            log: Arc::clone(&opened.log),
            snapshots: Arc::clone(&opened.snapshots),
            replica: Arc::clone(&replica),
            recovered: opened.recovered,
            net: secured.net,
            clock: Arc::clone(&clock),
            timing: Timing::for_tick(Duration::from_millis(u64::from(config.tick_ms))),
            touched,
        });
        let shared = Arc::new(Shared {
            limits: Limits::new(&config),
            throttle: Throttle::new(&config, Arc::clone(replica.metrics()), clock.monotonic_ms()),
            modes: Modes::new(&config),
            config,
            replica,
            consensus: consensus.await?,
            started_ms: clock.monotonic_ms(),
            clients: clients.clone(),
            secure_client_address: secure_client_address.transpose()?,
            client_tls: secured.clients,
            clock,
            log: opened.log,
            disk,
            serving: watch::Sender::new(false),
            not_joined: Mutex::default(),
            syncs,
            // 2^20 connections a millisecond are never opened, so no number is used twice.
            next_connection: AtomicU64::new(lane.boot << 20),
            records,
            console: Console::default(),
        });
        shared.records.started();
        let server = Server {
            shared: Arc::clone(&shared),
            client_address,
            tasks: Mutex::new(Vec::new()),
            _locks: opened.locks,
        };
        server.spawn_listeners(Box::new(clients), secure_clients, peers, ports);
        server.spawn(secure::renew(secured.renewed));
        server.spawn(leader::run(Arc::clone(&shared), heard));
        server.spawn(sync::run(shared, asking));
        server.spawn_clockwork(opened.standing);
        Ok(server)
    }

    fn spawn_listeners(
        &self,
        clients: Box<dyn Listener>,
        secure: Option<Box<dyn Listener>>,
        peers: Option<Doors>,
        ports: Ports,
    ) {
        self.spawn(moving::run(Arc::clone(&self.shared), ports));
        if let Some(peers) = peers {
            self.shared.consensus.serve_peers(Box::new(peers));
        }
        let transport = self.shared.config.client_transport;
        let shared = Arc::clone(&self.shared);
        self.spawn(listener::run(shared, clients, transport));
        if let Some(clients) = secure {
            let shared = Arc::clone(&self.shared);
            self.spawn(listener::run(shared, clients, Transport::Tls));
        }
    }

    /// The tasks that nobody sends anything to.
    fn spawn_clockwork(&self, standing: Standing) {
        self.spawn(contact::run(Arc::clone(&self.shared)));
        self.spawn(modes::run(Arc::clone(&self.shared)));
        self.spawn(keeper::run(Arc::clone(&self.shared)));
        self.spawn(dynamic_file::run(Arc::clone(&self.shared)));
        self.spawn(join(Arc::clone(&self.shared), standing));
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().push(tokio::spawn(task));
    }

    /// Waits until clients are served. An error says why they never will be.
    pub async fn ready(&self) -> Result<(), StartError> {
        let mut serving = self.shared.serving.subscribe();
        let mut leadership = self.shared.consensus.watch_leadership();
        tokio::select! {
            served = serving.wait_for(|serving| *serving) => {
                served.map_err(|_| StartError::Stopped)?;
                Ok(())
            }
            _ = leadership.wait_for(|now| *now == Leadership::Stopped) => Err(self.failure()),
        }
    }

    /// Waits until the server cannot go on: its log failed, or Raft stopped.
    pub async fn failed(&self) -> StartError {
        let mut leadership = self.shared.consensus.watch_leadership();
        // An error means that it has stopped as well.
        let _ = leadership.wait_for(|now| *now == Leadership::Stopped).await;
        self.failure()
    }

    fn failure(&self) -> StartError {
        if let Some(error) = self.shared.log.failure() {
            return StartError::LogFailed(error);
        }
        let not_joined = self.shared.not_joined.lock().clone();
        not_joined.map_or(StartError::Stopped, StartError::NotJoined)
    }

    /// Tells whoever operates the server about it, as long as it runs.
    pub fn observer(&self) -> Observer {
        Observer::new(Arc::clone(&self.shared))
    }

    /// Where clients connected when it started, with the port that was really opened.
    pub fn client_address(&self) -> SocketAddr {
        self.client_address
    }

    /// Where clients connect with TLS, if that is another port, with the port that was really
    /// opened.
    pub fn secure_client_address(&self) -> Option<SocketAddr> {
        self.shared.secure_client_address
    }

    /// Where the data lies, absolute.
    pub fn data_dir(&self) -> &Path {
        &self.shared.config.data_dir
    }

    /// Who changed which znode when; `None` if none is kept. What it tells is not checked against
    /// any ACL: ask first who wants to know.
    pub fn history(&self) -> Option<History> {
        self.shared.records.history()
    }

    /// This server's place in its ensemble; `None` alone.
    pub(crate) fn id(&self) -> Option<ServerId> {
        let ensemble = self.shared.config.ensemble.as_ref();
        ensemble.map(|ensemble| ensemble.my_id)
    }

    /// Who leads, as this server knows.
    pub(crate) fn leadership(&self) -> Leadership {
        self.shared.consensus.leadership()
    }

    /// Tells when the leadership changes.
    pub(crate) fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        self.shared.consensus.watch_leadership()
    }

    /// Waits until everything that was committed when this was called is applied here. `false`
    /// when no quorum could tell where that is.
    pub(crate) async fn catch_up(&self) -> bool {
        self.shared.consensus.catch_up().await
    }

    /// Ends a session as its expiry does: by the log, on all servers at one zxid. Comes back when
    /// this server has applied it.
    pub(crate) async fn expire_session(&self, session: SessionId) -> Result<(), ExpireError> {
        let expiring = leader::expire_now(&self.shared, session);
        let expired = tokio::time::timeout(EXPIRE_LIMIT, expiring).await;
        expired.unwrap_or(Err(ExpireError::NotAgreed { session }))
    }

    /// Stops: hands leadership over, closes connections, and waits until everything is on disk.
    pub async fn stop(self) {
        // Nobody new, from here on.
        self.shared.serving.send_replace(false);
        self.shared.consensus.stop().await;
        for connection in self.shared.replica.connections() {
            connection.end(Ending::Stopping);
        }
        self.release().await;
    }

    /// Stops as the end of the process would: connections break, nobody is told, and the others
    /// elect when they miss this server. Waits until everything it holds is given back.
    pub(crate) async fn kill(self) {
        self.shared.serving.send_replace(false);
        self.end_tasks().await;
        self.shared.consensus.halt().await;
        self.release().await;
    }

    async fn end_tasks(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            task.abort();
            // Aborted, or over.
            let _ = task.await;
        }
    }

    async fn release(self) {
        self.end_tasks().await;
        let (log, shared) = (Arc::clone(&self.shared.log), Arc::clone(&self.shared));
        let closing = move || {
            shared.records.close();
            log.close();
        };
        if tokio::task::spawn_blocking(closing).await.is_err() {
            tracing::error!("the log did not close cleanly");
        }
    }
}

/// This server's number; 0 alone.
fn my_id(config: &Config) -> ServerId {
    let ensemble = config.ensemble.as_ref();
    ensemble.map_or(ServerId(0), |ensemble| ensemble.my_id)
}

/// The replica of what was recovered.
fn new_replica(config: &Config, opened: &mut open::Opened, lane: Lane) -> Replica {
    warn_of_large_requests(config);
    // Moved, not cloned: a second owner would make every change copy its way.
    let tree = std::mem::take(&mut opened.recovered.tree);
    let metrics = Arc::clone(&opened.metrics);
    let settings = settings(config, &opened.log);
    let replica = Replica::counting(settings, tree, lane, metrics);
    if opened.recovered.is_loaded() {
        replica.last_snapshot.note(replica.last_zxid(), None);
    }
    replica
}

fn warn_of_large_requests(config: &Config) {
    if config.jute_maxbuffer_bytes as usize > FRAME_BYTES_MAX {
        tracing::warn!(
            "jute.maxbuffer is more than the log can hold: requests may have {FRAME_BYTES_MAX} bytes"
        );
    }
}

fn settings(config: &Config, log: &Log) -> Settings {
    Settings {
        rules: Rules {
            extended_types: config.ttl.extended_types_enabled,
            enforce_quota: config.enforce_quota,
            skip_acl: config.skip_acl,
            schemes: Schemes {
                digest: config.digest.enabled,
                sasl: config.security.sasl_provider,
                x509: config.security.x509_provider || config.client_tls.is_some(),
            },
            single_voter: config.reconfig.single_voter,
        },
        reconfig: match &config.ensemble {
            _ if !config.reconfig.enabled => Reconfig::Disabled,
            None => Reconfig::Alone,
            Some(_) => Reconfig::Enabled,
        },
        digest: DigestSettings {
            enabled: config.digest.enabled,
            super_digest: config
                .digest
                .super_digest
                .as_ref()
                .map(|digest| digest.0.clone()),
            algorithm: config.digest.algorithm,
        },
        sasl: SaslSettings {
            users: config.security.sasl_users.clone(),
            provider: config.security.sasl_provider,
            super_users: config.security.super_users.clone(),
            any_user: config.security.any_sasl_user.clone(),
            allow_failed: config.security.allow_sasl_failed_clients,
        },
        required_schemes: config.security.required_schemes.clone(),
        sessions: SessionSettings {
            local: config.ensemble.is_some() && config.local_sessions.enabled,
            upgrade: config.local_sessions.upgrading_enabled,
            tick_ms: u64::from(config.tick_ms.max(1)),
        },
        requests: request_settings(config),
        outbox_bytes_max: OUTBOX_BYTES_MAX,
        space_is_low: log.space_is_low(),
    }
}

fn request_settings(config: &Config) -> RequestSettings {
    let throttled_ms = config.request_throttle.throttled_op_wait_ms;
    let large = config.large_requests;
    RequestSettings {
        throttled_us: throttled_ms.map(|ms| u64::from(ms.get()) * 1000),
        large_bytes: large.threshold_bytes.map(|bytes| bytes as usize),
        large_bytes_max: large.bytes_max as usize,
    }
}

fn members(config: &Config) -> Members {
    let Some(ensemble) = &config.ensemble else {
        let alone = [(ServerId(0), String::new())].into();
        return Members {
            voters: alone,
            ..Members::default()
        };
    };
    let of = |role: Role| {
        let members = ensemble
            .members
            .iter()
            .filter(move |(_, member)| member.role == role);
        members.map(|(id, member)| {
            (
                *id,
                HostPort::new(member.host.clone(), member.quorum_port).to_string(),
            )
        })
    };
    Members {
        voters: of(Role::Participant).collect(),
        observers: of(Role::Observer).collect(),
        lines: ensemble.members.clone(),
    }
}

pub(crate) fn listen_to_clients(
    config: &Config,
    net: &dyn Net,
) -> Result<Box<dyn Listener>, StartError> {
    bind(net, &config.client_address, backlog(config), CLIENT_PORT)
}

fn listen_to_secure_clients(
    config: &Config,
    net: &dyn Net,
) -> Result<Option<Box<dyn Listener>>, StartError> {
    let listening = config.secure_client_address.as_ref();
    let listening = listening.map(|at| bind(net, at, backlog(config), "secure client port"));
    listening.transpose()
}

fn backlog(config: &Config) -> i32 {
    let backlog = config.client_port_listen_backlog;
    backlog
        .and_then(|backlog| i32::try_from(backlog.get()).ok())
        .unwrap_or(BACKLOG)
}

/// Bound before anything on disk is touched.
fn listen_to_peers(
    config: &Config,
    net: &dyn Net,
) -> Result<Option<Box<dyn Listener>>, StartError> {
    let Some(ensemble) = &config.ensemble else {
        return Ok(None);
    };
    let address = moving::peer_place(ensemble);
    bind(net, &address, BACKLOG, QUORUM_PORT).map(Some)
}

/// The ports that a reconfig may move, each with the network it is on.
fn ports(
    config: &Config,
    owned: Owned,
    (clients, net): (&Doors, &Arc<dyn Net>),
    (peers, peers_net): (&Option<Doors>, &Arc<dyn Net>),
) -> Ports {
    let clients = (owned == Owned::ByServer).then(|| {
        let (place, backlog) = (config.client_address.clone(), backlog(config));
        Port::new(
            CLIENT_PORT,
            Arc::clone(net),
            backlog,
            clients.clone(),
            place,
        )
    });
    let ensemble = config.ensemble.as_ref();
    let peers = peers.as_ref().zip(ensemble).map(|(peers, ensemble)| {
        let place = moving::peer_place(ensemble);
        Port::new(
            QUORUM_PORT,
            Arc::clone(peers_net),
            BACKLOG,
            peers.clone(),
            place,
        )
    });
    Ports { clients, peers }
}

fn bind(
    net: &dyn Net,
    address: &HostPort,
    backlog: i32,
    what: &'static str,
) -> Result<Box<dyn Listener>, StartError> {
    let failed = |error| StartError::Listen {
        what,
        address: address.to_string(),
        error,
    };
    let host = if address.host == "*" {
        "0.0.0.0"
    } else {
        address.host.as_str()
    };
    let resolved = (host, address.port).to_socket_addrs().map_err(failed)?;
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for candidate in resolved {
        match net.listen(candidate, backlog) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// Nobody shall ever read an empty `/zookeeper/config`: the leader says at once who the servers are.
async fn wait_for_configuration(shared: &Shared) {
    let mut changes = shared.replica.watch_configuration();
    loop {
        changes.mark_unchanged();
        if !shared.replica.tree().configuration().members.is_empty() {
            return;
        }
        // An error means that the replica is gone, and this task with it.
        let _ = changes.changed().await;
    }
}

/// Joins the ensemble, catches up, and begins to serve.
async fn join(shared: Arc<Shared>, standing: Standing) {
    let stand = |standing| open::stand(&shared.config, &*shared.disk, standing);
    if let Err(error) = shared.consensus.join(standing, stand).await {
        tracing::error!(%error, "cannot join the ensemble");
        *shared.not_joined.lock() = Some(error.to_string());
        shared.consensus.halt().await;
        return;
    }
    let begun_us = shared.clock.monotonic_us();
    let mut leadership = shared.consensus.watch_leadership();
    loop {
        // An error means that it has stopped as well.
        let _ = leadership.wait_for(|now| *now != Leadership::Nobody).await;
        if shared.consensus.catch_up().await {
            break;
        }
        if shared.consensus.leadership() == Leadership::Stopped {
            return;
        }
        tokio::time::sleep(sync::RETRY).await;
    }
    if shared.config.ensemble.is_some() {
        wait_for_configuration(&shared).await;
        shared.consensus.compare_members();
    }
    shared.serving.send_replace(true);
    measure_sync(&shared, begun_us);
    tracing::info!("serving");
}

/// Measures how long it took to catch up with the leader.
fn measure_sync(shared: &Shared, begun_us: u64) {
    let Some(ensemble) = &shared.config.ensemble else {
        return;
    };
    let what = match (shared.consensus.leadership(), ensemble.me().role) {
        (Leadership::Mine { .. }, _) => return,
        (_, Role::Participant) => Basic::FollowerSyncTime,
        (_, Role::Observer) => Basic::ObserverSyncTime,
    };
    let us = shared.clock.monotonic_us().saturating_sub(begun_us);
    shared.replica.metrics().basic(what).observe(us);
}

//! Ensembles for tests: one or more servers in this process, in memory, up in milliseconds, with
//! everything that fails in real life at hand.
//!
//! What lives here: [`Ensemble`], and the lines between its servers and to its clients that it
//! cuts. What does not: a client, and any change to what a server does: these are ordinary
//! servers behind the seams for disk and network.
//!
//! ```
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use zoowarden::testing::Ensemble;
//!
//! let ensemble = Ensemble::start(3).await?;
//! println!("clients connect to {}", ensemble.connect_string());
//! let leader = ensemble.leader().await?;
//! ensemble.kill(leader).await?;
//! let _successor = ensemble.leader().await?;
//! ensemble.restart(leader).await?;
//! ensemble.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! Servers are numbered from 1, as in their `myid` files. Nothing here waits longer than
//! [`LIMIT`], and nothing waits by sleeping.

mod line;
mod links;
#[cfg(test)]
#[cfg(feature = "client")]
mod reconfig_test;
#[cfg(test)]
mod trap;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, select_all};
use parking_lot::Mutex;

use self::line::{Line, LineListener};
use self::links::Links;
use crate::environment::in_process::Dialer;
use crate::environment::{BoxFuture, Clock, Listener, Net, ReservedPort, Stream, SystemClock, Tcp};
use crate::node::{Door, Node, NodeConfig, Storage};
use crate::proto::{ServerId, SessionId};
use crate::raft::Leadership;
use crate::server::config::{self, Config};
use crate::server::{ExpireError, Seams, StartError};
use crate::storage::{Disk, MemoryDisk};

/// How long anything may take before it is given up.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Servers of one ensemble.
pub const SERVERS_MAX: u8 = 9;

/// Connections that wait for a server to accept them.
const BACKLOG: i32 = 1024;

/// What went wrong with an ensemble.
#[derive(Debug, thiserror::Error)]
pub enum TestingError {
    /// A server did not start, or stopped by itself.
    #[error("server {server}: {error}")]
    Server {
        /// Which.
        server: u8,
        /// Why.
        error: StartError,
    },
    /// The port cannot be listened on.
    #[error("server {server}: no client port: {error}")]
    Port {
        /// Which.
        server: u8,
        /// Why.
        error: io::Error,
    },
    /// The session could not be expired.
    #[error(transparent)]
    Expire(#[from] ExpireError),
    /// The ensemble cannot have as many servers, or has none of this number.
    #[error("there is no server {server}: servers have the numbers 1 to {count}")]
    NoSuchServer {
        /// The number.
        server: u8,
        /// How many there are.
        count: u8,
    },
    /// The server does not run.
    #[error("server {server} is down: restart it first")]
    Down {
        /// Which.
        server: u8,
    },
    /// The server runs.
    #[error("server {server} runs already: kill it first")]
    Running {
        /// Which.
        server: u8,
    },
    /// It did not happen within [`LIMIT`].
    #[error("waited {LIMIT:?} in vain: {what}")]
    TooLate {
        /// What was waited for.
        what: String,
    },
}

/// A result of this room.
pub type Result<T> = std::result::Result<T, TestingError>;

/// One or more servers that agree. Dropping it ends them, soon and without blocking.
pub struct Ensemble {
    servers: BTreeMap<u8, Server>,
    links: Links,
    entrances: Entrances,
    clock: Arc<dyn Clock>,
}

/// One server, running or not, and what outlives its process.
struct Server {
    config: Config,
    /// What it has written, which a killed process leaves to its successor.
    disk: Arc<dyn Disk>,
    /// Its clients' port, the same in every life.
    port: ReservedPort,
    /// What its clients are connected by.
    clients: Line,
    node: tokio::sync::Mutex<Option<Node>>,
}

/// How clients inside the process find a server: by the address of its port.
type Entrances = Arc<Mutex<BTreeMap<String, Dialer>>>;

impl std::fmt::Debug for Ensemble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ensemble({})", self.connect_string())
    }
}

impl Ensemble {
    /// Starts this many servers with the settings of [`NodeConfig::default`], and waits until all
    /// of them serve.
    ///
    /// # Errors
    /// `servers` is 0 or more than [`SERVERS_MAX`], or a server does not start.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(servers: u8) -> Result<Ensemble> {
        Ensemble::start_with(servers, NodeConfig::default()).await
    }

    /// Starts this many servers with other settings. Storage, client address and ensemble are not
    /// taken from there.
    ///
    /// # Errors
    /// As [`Ensemble::start`].
    pub async fn start_with(servers: u8, settings: NodeConfig) -> Result<Ensemble> {
        let ids: Vec<_> = (1..=servers).map(ServerId).collect();
        if ids.is_empty() || servers > SERVERS_MAX {
            return Err(TestingError::NoSuchServer {
                server: servers,
                count: SERVERS_MAX,
            });
        }
        let mut ensemble = Ensemble {
            servers: BTreeMap::new(),
            links: Links::among(&ids),
            entrances: Entrances::default(),
            clock: Arc::new(SystemClock::new()),
        };
        for id in &ids {
            let config = configuration(&ids, *id, settings.clone());
            let config = config.map_err(|error| TestingError::Server {
                server: id.0,
                error,
            })?;
            let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let server = Server {
                config,
                disk: Arc::new(MemoryDisk::new()),
                port: ReservedPort::take(any_port).map_err(|error| TestingError::Port {
                    server: id.0,
                    error,
                })?,
                clients: Line::default(),
                node: tokio::sync::Mutex::new(None),
            };
            ensemble.servers.insert(id.0, server);
            ensemble.links.expect(*id);
        }
        let starting = ids.iter().map(|id| ensemble.run(id.0));
        for started in join_all(starting).await {
            started?;
        }
        join_all(ids.iter().map(|id| ensemble.ready(id.0)))
            .await
            .into_iter()
            .collect::<Result<()>>()?;
        Ok(ensemble)
    }

    /// How many servers there are, running or not; their numbers are 1 to this.
    pub fn servers(&self) -> u8 {
        u8::try_from(self.servers.len()).unwrap_or(SERVERS_MAX)
    }

    /// What a client is given to connect: the real ports of all servers, `host:port,host:port`. It
    /// stays the same when servers are killed and restarted.
    pub fn connect_string(&self) -> String {
        let addresses = self.servers.values();
        let addresses = addresses.map(|server| server.port.address().to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// Where the clients of one server connect.
    ///
    /// # Errors
    /// There is no such server.
    pub fn client_address(&self, server: u8) -> Result<SocketAddr> {
        Ok(self.server(server)?.port.address())
    }

    /// Connections to the servers that never leave the process. The addresses are those of
    /// [`Ensemble::connect_string`]; a server that is down, or cut off from its clients, refuses.
    pub fn net(&self) -> Arc<dyn Net> {
        let servers = self.servers.values();
        let lines =
            servers.map(|server| (server.port.address().to_string(), server.clients.clone()));
        Arc::new(ClientNet {
            entrances: Arc::clone(&self.entrances),
            lines: lines.collect(),
        })
    }

    /// Waits until a server serves clients.
    ///
    /// # Errors
    /// It is down, or will never serve.
    pub async fn ready(&self, server: u8) -> Result<()> {
        let node = self.server(server)?.node.lock().await;
        let node = node.as_ref().ok_or(TestingError::Down { server })?;
        let ready = within(format!("server {server} serves"), node.ready()).await?;
        ready.map_err(|error| TestingError::Server { server, error })
    }

    /// Waits until a server leads that its quorum still answers, and tells which: the only one, of
    /// those that run, that believes to lead in the latest term.
    ///
    /// # Errors
    /// There is none within [`LIMIT`].
    pub async fn leader(&self) -> Result<u8> {
        within("a server leads".into(), async {
            loop {
                if let Some(leader) = self.led_by_change().await {
                    return leader;
                }
            }
        })
        .await
    }

    /// The leader, or `None` after something has changed.
    async fn led_by_change(&self) -> Option<u8> {
        let mut watched = Vec::new();
        for (number, server) in &self.servers {
            if let Some(node) = &*server.node.lock().await {
                watched.push((*number, node.watch_leadership()));
            }
        }
        let mut leaders = Vec::new();
        for (number, leadership) in &mut watched {
            if let Leadership::Mine { term } = *leadership.borrow_and_update() {
                leaders.push((term, *number));
            }
        }
        if let Some((_, leader)) = leaders.iter().max().copied()
            && self.confirm(leader).await
        {
            return Some(leader);
        }
        if watched.is_empty() {
            // Nobody runs, and nobody will while this is waited for.
            return std::future::pending().await;
        }
        let changes = watched
            .iter_mut()
            .map(|(_, leadership)| Box::pin(leadership.changed()));
        let changed = select_all(changes);
        // A deposed leader learns of nothing, so the confirmation is asked for again.
        let _ = tokio::time::timeout(CONFIRM_AGAIN, changed).await;
        None
    }

    /// Whether a quorum confirms that this server leads.
    async fn confirm(&self, leader: u8) -> bool {
        let Some(server) = self.servers.get(&leader) else {
            return false;
        };
        match &*server.node.lock().await {
            Some(node) => node.is_confirmed_leader().await,
            None => false,
        }
    }

    /// Ends a server as the end of its process would: its connections break, nobody is told, and
    /// what it has written stays for [`Ensemble::restart`].
    ///
    /// # Errors
    /// It is down already.
    pub async fn kill(&self, server: u8) -> Result<()> {
        let place = self.server(server)?;
        let node = place.node.lock().await.take();
        let node = node.ok_or(TestingError::Down { server })?;
        self.links.forget(ServerId(server));
        self.entrances
            .lock()
            .remove(&place.port.address().to_string());
        within(format!("server {server} ends"), node.kill()).await
    }

    /// Starts a server that was killed, with what it had written and at the same address, and waits
    /// until it serves.
    ///
    /// # Errors
    /// It runs, or does not start. Without a quorum of the others it does not serve, which is an
    /// error after [`LIMIT`]; see [`Ensemble::begin_restart`].
    pub async fn restart(&self, server: u8) -> Result<()> {
        self.begin_restart(server).await?;
        self.ready(server).await
    }

    /// Starts a server that was killed; [`Ensemble::ready`] waits until it serves.
    ///
    /// # Errors
    /// It runs, or does not start.
    pub async fn begin_restart(&self, server: u8) -> Result<()> {
        let place = self.server(server)?;
        if place.node.lock().await.is_some() {
            return Err(TestingError::Running { server });
        }
        self.links.expect(ServerId(server));
        self.run(server).await
    }

    async fn run(&self, server: u8) -> Result<()> {
        let place = self.server(server)?;
        let port = Tcp::default().listen(place.port.address(), BACKLOG);
        let port = port.map_err(|error| TestingError::Port { server, error })?;
        let (door, dialer) = Door::new(Some(port));
        let door = LineListener {
            inner: Box::new(door),
            line: place.clients.clone(),
        };
        let seams = Seams {
            disk: Arc::clone(&place.disk),
            net: self.links.seen_by(ServerId(server)),
            clock: Arc::clone(&self.clock),
        };
        let node = Node::behind(Box::new(door), dialer.clone(), seams, place.config.clone()).await;
        let node = node.map_err(|error| TestingError::Server { server, error })?;
        let address = place.port.address().to_string();
        self.entrances.lock().insert(address, dialer);
        *place.node.lock().await = Some(node);
        Ok(())
    }

    /// Cuts the line between two servers: nothing arrives any more, in either direction, and
    /// neither is told.
    ///
    /// # Errors
    /// There are no two such servers.
    pub fn cut(&self, a: u8, b: u8) -> Result<()> {
        self.line(a, b)?.hold();
        Ok(())
    }

    /// Heals the line between two servers: what was held back arrives now.
    ///
    /// # Errors
    /// There are no two such servers.
    pub fn heal(&self, a: u8, b: u8) -> Result<()> {
        self.line(a, b)?.open();
        Ok(())
    }

    /// Cuts the lines between a server and all others. Its clients stay.
    ///
    /// # Errors
    /// There is no such server.
    pub fn isolate(&self, server: u8) -> Result<()> {
        self.server(server)?;
        self.links.lines_of(ServerId(server)).for_each(Line::hold);
        Ok(())
    }

    /// Ends the connections of a server's clients, and lets none connect until
    /// [`Ensemble::heal_client`].
    ///
    /// # Errors
    /// There is no such server.
    pub fn cut_client(&self, server: u8) -> Result<()> {
        self.server(server)?.clients.sever();
        Ok(())
    }

    /// Lets clients connect to a server again.
    ///
    /// # Errors
    /// There is no such server.
    pub fn heal_client(&self, server: u8) -> Result<()> {
        self.server(server)?.clients.open();
        Ok(())
    }

    /// Heals every line, between servers and to clients.
    pub fn heal_all(&self) {
        self.links.lines().for_each(Line::open);
        for server in self.servers.values() {
            server.clients.open();
        }
    }

    /// Ends a session as its expiry does, on all servers at one moment; see
    /// [`Node::expire_session`].
    ///
    /// # Errors
    /// There is no such session, or no leader.
    pub async fn expire_session(&self, session: SessionId) -> Result<()> {
        let leader = self.leader().await?;
        let node = self.server(leader)?.node.lock().await;
        let node = node.as_ref().ok_or(TestingError::Down { server: leader })?;
        Ok(node.expire_session(session).await?)
    }

    /// Ends all servers, and waits until everything is given back.
    pub async fn shutdown(self) {
        let mut ending = Vec::new();
        for server in self.servers.values() {
            ending.extend(server.node.lock().await.take().map(Node::kill));
        }
        join_all(ending).await;
    }

    fn server(&self, server: u8) -> Result<&Server> {
        self.servers.get(&server).ok_or(TestingError::NoSuchServer {
            server,
            count: self.servers(),
        })
    }

    fn line(&self, a: u8, b: u8) -> Result<&Line> {
        self.server(a)?;
        let line = self.links.line(ServerId(a), ServerId(b));
        line.ok_or(TestingError::NoSuchServer {
            server: b,
            count: self.servers(),
        })
    }
}

/// Pause before a leader that no quorum confirmed is asked again.
const CONFIRM_AGAIN: Duration = Duration::from_millis(20);

async fn within<T>(what: String, waited_for: impl Future<Output = T>) -> Result<T> {
    let waited = tokio::time::timeout(LIMIT, waited_for).await;
    waited.map_err(|_| TestingError::TooLate { what })
}

fn configuration(
    ids: &[ServerId],
    me: ServerId,
    settings: NodeConfig,
) -> std::result::Result<Config, StartError> {
    let voters = ids.iter().map(|id| (*id, Links::address(*id)));
    let alone = ids.len() == 1;
    NodeConfig {
        storage: Storage::Memory,
        client_address: None,
        ensemble: (!alone).then(|| config::Ensemble::of(me, voters)),
        ..settings
    }
    .resolve()
}

struct ClientNet {
    entrances: Entrances,
    lines: BTreeMap<String, Line>,
}

impl Net for ClientNet {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let line = self.lines.get(address);
            let line = line.ok_or(io::ErrorKind::HostUnreachable)?;
            let dialer = self.entrances.lock().get(address).cloned();
            match dialer {
                Some(dialer) if !line.is_severed() => dialer.connect(address).await,
                _ => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }

    fn listen(&self, _address: SocketAddr, _backlog: i32) -> io::Result<Box<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

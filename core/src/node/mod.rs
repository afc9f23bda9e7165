//! The embeddable server: a [`Node`] is a [`Server`] inside another program.
//!
//! What lives here: what a program needs that runs a server in its own process - a configuration
//! that is a value ([`NodeConfig`]), storage that needs no disk, clients that need no port, and a
//! server that is gone when it is dropped. What does not: anything a server does. The binary runs
//! [`Server`] as a zoo.cfg describes it; bindings and tests run a `Node`.
//!
//! Invariants:
//! * A node in memory creates no file, and one without a client address opens no client port.
//! * However a node ends - shut down, dropped, never finished starting - its tasks, its thread, its
//!   descriptors and its lock on the data directory are given back.

mod config;
mod door;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::environment::in_process::Dialer;
use crate::environment::{Listener, Net};
use crate::history::History;
use crate::proto::{ServerId, SessionId};
use crate::raft::Leadership;
use crate::server::config::Config;
use crate::server::{ExpireError, Observer, Seams, Server, StartError, listen_to_clients};
use crate::storage::MemoryDisk;

pub use config::{NodeConfig, Storage};
pub(crate) use door::Door;

/// Where clients of a node without a port connect. Only [`Node::net`] knows the way.
const IN_PROCESS: &str = "in-process:2181";

/// A server inside this process.
///
/// ```
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zoowarden::node::{Node, NodeConfig};
///
/// let node = Node::start(NodeConfig::default()).await?;
/// println!("clients connect to {}", node.connect_string());
/// let client = node.client();
/// client.ensure_path("/app").await?;
/// client.close().await;
/// node.shutdown().await;
/// # Ok(()) }
/// ```
///
/// It runs on the tokio runtime it was started on. [`Node::shutdown`] ends it in good order.
/// Dropping it ends it too, soon and without blocking: the runtime does the work afterwards, and a
/// member of an ensemble is missed by the others as if its process had ended.
pub struct Node {
    /// Gone only while the node ends.
    server: Option<Server>,
    dialer: Dialer,
    client_address: Option<SocketAddr>,
    in_memory: bool,
    runtime: Handle,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.connect_string())
    }
}

impl Node {
    /// Starts a server. A single one serves when this comes back; a member of an ensemble has
    /// begun to look for the others, and [`Node::ready`] tells when it serves.
    ///
    /// Dropping the future ends whatever has been started.
    ///
    /// # Errors
    /// The configuration contradicts itself, the address is taken, the data directory is in use,
    /// or what is in it is damaged.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(config: NodeConfig) -> Result<Node, StartError> {
        let alone = config.ensemble.is_none();
        let node = Node::launch(config).await?;
        if alone {
            node.ready().await?;
        }
        Ok(node)
    }

    async fn launch(config: NodeConfig) -> Result<Node, StartError> {
        let in_memory = config.storage == Storage::Memory;
        let address = config.client_address.clone();
        let mut config = config.resolve()?;
        let mut seams = Seams::real(&config);
        if in_memory {
            seams.disk = Arc::new(MemoryDisk::new());
        }
        let port = match address {
            Some(address) => {
                config.client_address = address;
                Some(listen_to_clients(&config, &*seams.net)?)
            }
            None => None,
        };
        let client_address = port.as_ref().map(|port| port.address()).transpose()?;
        let (door, dialer) = Door::new(port);
        let mut node = Node::behind(Box::new(door), dialer, seams, config).await?;
        node.client_address = client_address;
        node.in_memory = in_memory;
        Ok(node)
    }

    /// A node in memory behind a listener that is there already, with connections of its own.
    pub(crate) async fn behind(
        door: Box<dyn Listener>,
        dialer: Dialer,
        seams: Seams,
        config: Config,
    ) -> Result<Node, StartError> {
        let client_address = Some(door.address()?);
        let runtime = Handle::current();
        // A task of its own, so that nothing is left half started when the caller goes away: the
        // finished node is dropped then.
        let starting = runtime.clone().spawn(async move {
            Ok(Node {
                server: Some(Server::start_behind(door, seams, config).await?),
                dialer,
                client_address,
                in_memory: true,
                runtime,
            })
        });
        starting.await.map_err(io::Error::other)?
    }

    fn server(&self) -> &Server {
        self.server
            .as_ref()
            .expect("it is taken only by whoever consumes the node")
    }

    /// Waits until clients are served.
    ///
    /// # Errors
    /// Why they never will be.
    pub async fn ready(&self) -> Result<(), StartError> {
        self.server().ready().await
    }

    /// Waits until the server cannot go on, and tells why: its disk failed, or it stopped.
    pub async fn failed(&self) -> StartError {
        self.server().failed().await
    }

    /// Where it listens for clients, with the port that was really opened; `None` if nowhere.
    pub fn client_address(&self) -> Option<SocketAddr> {
        self.client_address
    }

    /// What a client is given to connect: `host:port`. For a node that listens nowhere, a name that
    /// means something to [`Node::net`] only.
    pub fn connect_string(&self) -> String {
        let Some(address) = self.client_address else {
            return IN_PROCESS.to_owned();
        };
        // Every address is none that one can connect to everywhere.
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, address.port()).to_string()
    }

    /// Connections to this node that never leave the process, whatever address is asked for. They
    /// are refused once the node has ended.
    pub fn net(&self) -> Arc<dyn Net> {
        Arc::new(self.dialer.clone())
    }

    /// A client of this node that never leaves the process; it connects in the background.
    /// Another configuration: [`ClientConfig::net`](crate::ClientConfig::net) with [`Node::net`].
    #[cfg(feature = "client")]
    pub fn client(&self) -> crate::Client {
        let hosts = self.connect_string().parse();
        let config = crate::ClientConfig {
            net: self.net(),
            ..crate::ClientConfig::new(hosts.expect("an address, or the name of the inside"))
        };
        crate::Client::open_on(&self.runtime, config)
    }

    /// Tells whoever operates the node about it: counters, connections, health.
    pub fn observer(&self) -> Observer {
        self.server().observer()
    }

    /// Where the data lies, absolute; `None` if it is in memory.
    pub fn data_dir(&self) -> Option<&Path> {
        (!self.in_memory).then(|| self.server().data_dir())
    }

    /// Whether this server leads its ensemble; a single one leads itself.
    pub fn is_leader(&self) -> bool {
        matches!(self.server().leadership(), Leadership::Mine { .. })
    }

    /// Who leads, as this server knows; `None` when nobody does, and for a single server.
    pub fn leader(&self) -> Option<ServerId> {
        match self.server().leadership() {
            Leadership::Mine { .. } => self.server().id(),
            Leadership::Of { server, .. } => Some(server),
            Leadership::Nobody | Leadership::Stopped => None,
        }
    }

    /// Tells when the leadership changes.
    pub(crate) fn watch_leadership(&self) -> watch::Receiver<Leadership> {
        self.server().watch_leadership()
    }

    /// Whether this server leads and a quorum confirms it.
    pub(crate) async fn is_confirmed_leader(&self) -> bool {
        self.is_leader() && self.server().catch_up().await && self.is_leader()
    }

    /// Who changed which znode when; `None` if none is kept, as for a node in memory.
    pub fn history(&self) -> Option<History> {
        self.server().history()
    }

    /// Ends a session as its expiry does, on all servers at one moment: its ephemeral znodes are
    /// deleted, and its client is told when it comes back. Returns when this server has done so.
    ///
    /// # Errors
    /// There is no such session, or no leader with a quorum within ten seconds.
    pub async fn expire_session(&self, session: SessionId) -> Result<(), ExpireError> {
        self.server().expire_session(session).await
    }

    /// Ends in good order: leadership goes to another server, connections are closed, everything is
    /// on disk, and everything taken from the process is given back.
    pub async fn shutdown(mut self) {
        if let Some(server) = self.server.take() {
            // Seen through to its end even if the caller goes away.
            let stopping = self.runtime.spawn(server.stop());
            if stopping.await.is_err() {
                tracing::error!("the node did not stop in good order");
            }
        }
    }

    /// Ends as the end of its process would: nobody is told. Comes back when everything taken from
    /// the process is given back.
    pub(crate) async fn kill(mut self) {
        if let Some(server) = self.server.take()
            && self.runtime.spawn(server.kill()).await.is_err()
        {
            tracing::error!("the node did not end in good order");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.spawn(server.kill());
        }
    }
}

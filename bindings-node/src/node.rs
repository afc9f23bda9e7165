//! A server inside this process.

use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::BigInt;
use napi_derive::napi;
use tokio::sync::RwLock;
use zoowarden::client::{Code, SessionId};
use zoowarden::environment::Net;
use zoowarden::node::{Node, NodeConfig, Storage};

use crate::batch::Failure;
use crate::options::{integer, invalid};
use crate::port::{NativePort, Queue};

/// How a server runs. What is left out is as in `NodeConfig::default`, or as in the zoo.cfg.
#[napi(object)]
pub struct NativeNodeOptions {
    /// The text of a zoo.cfg, which the others go before.
    pub zoo_cfg: Option<String>,
    /// What would stand in the file `myid`; for an ensemble.
    pub my_id: Option<u8>,
    pub data_dir: Option<String>,
    /// `address:port`; port 0 takes a free one.
    pub client_address: Option<String>,
    /// Milliseconds.
    pub tick_time: Option<u32>,
    /// Milliseconds.
    pub min_session_timeout: Option<u32>,
    /// Milliseconds.
    pub max_session_timeout: Option<u32>,
}

/// Connections to servers of this process that never leave it.
#[napi]
pub struct NativeNet {
    pub(crate) net: Arc<dyn Net>,
}

/// What is known of a server once it runs.
struct Running {
    connect_string: String,
    port: u16,
    net: Arc<dyn Net>,
}

/// A server, from before it starts until after it has ended.
#[napi]
pub struct NativeNode {
    queue: Arc<Queue>,
    /// Empty before it has started and after it was shut down.
    node: Arc<RwLock<Option<Node>>>,
    running: Arc<Mutex<Option<Running>>>,
}

#[napi]
impl NativeNode {
    #[napi(constructor)]
    pub fn new(port: &NativePort) -> NativeNode {
        NativeNode {
            queue: Arc::clone(&port.queue),
            node: Arc::default(),
            running: Arc::default(),
        }
    }

    /// Answers when it serves, or, as a member of an ensemble, has begun to look for the others.
    #[napi]
    pub fn start(&self, id: u32, options: NativeNodeOptions) -> napi::Result<()> {
        let config = options.into_config()?;
        let (place, running) = (Arc::clone(&self.node), Arc::clone(&self.running));
        self.queue.spawn(id, async move {
            let node = Node::start(config).await.map_err(failed)?;
            *lock(&running) = Some(Running {
                connect_string: node.connect_string(),
                port: node.client_address().map_or(0, |address| address.port()),
                net: node.net(),
            });
            *place.write().await = Some(node);
            Ok::<_, Failure>(())
        });
        Ok(())
    }

    /// Answers when clients are served.
    #[napi]
    pub fn ready(&self, id: u32) {
        let place = Arc::clone(&self.node);
        self.queue.spawn(id, async move {
            match &*place.read().await {
                Some(node) => node.ready().await.map_err(failed),
                None => Err(gone()),
            }
        });
    }

    /// What a client is given to connect; empty before the start.
    #[napi]
    pub fn connect_string(&self) -> String {
        let running = lock(&self.running);
        running
            .as_ref()
            .map(|running| running.connect_string.clone())
            .unwrap_or_default()
    }

    /// The port for clients; 0 if there is none.
    #[napi]
    pub fn port(&self) -> u16 {
        lock(&self.running)
            .as_ref()
            .map_or(0, |running| running.port)
    }

    /// The way in for clients of this process; null before the start.
    #[napi]
    pub fn net(&self) -> Option<NativeNet> {
        let running = lock(&self.running);
        running.as_ref().map(|running| NativeNet {
            net: Arc::clone(&running.net),
        })
    }

    /// Ends a session as its expiry does.
    #[napi]
    pub fn expire_session(&self, id: u32, session: BigInt) -> napi::Result<()> {
        let session = SessionId(integer(&session)?);
        let place = Arc::clone(&self.node);
        self.queue.spawn(id, async move {
            match &*place.read().await {
                Some(node) => node.expire_session(session).await.map_err(failed),
                None => Err(gone()),
            }
        });
        Ok(())
    }

    /// Ends in good order and answers then; a second time at once.
    #[napi]
    pub fn shutdown(&self, id: u32) {
        let place = Arc::clone(&self.node);
        self.queue.spawn(id, async move {
            let node = place.write().await.take();
            if let Some(node) = node {
                node.shutdown().await;
            }
            Ok::<_, Failure>(())
        });
    }
}

impl NativeNodeOptions {
    /// The whole configuration.
    pub(crate) fn into_config(self) -> napi::Result<NodeConfig> {
        let mut config = match &self.zoo_cfg {
            Some(text) => NodeConfig::from_zoo_cfg(text, self.my_id)
                .map_err(|error| invalid(error.to_string()))?,
            None => NodeConfig::default(),
        };
        if let Some(dir) = self.data_dir {
            config.storage = Storage::Durable(dir.into());
        }
        if let Some(address) = self.client_address {
            let address: std::net::SocketAddr = address
                .parse()
                .map_err(|error| invalid(format!("clientAddress {address}: {error}")))?;
            config.client_address = Some(address.into());
        }
        config.tick_ms = self.tick_time.unwrap_or(config.tick_ms);
        let (least, most) = (self.min_session_timeout, self.max_session_timeout);
        config.session_timeout_ms_min = least.unwrap_or(config.session_timeout_ms_min);
        config.session_timeout_ms_max = most.unwrap_or(config.session_timeout_ms_max);
        Ok(config)
    }
}

/// What a server says that cannot do what it should.
pub(crate) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure {
        code: Code::SystemError,
        nothing_changed: false,
        index: None,
        path: String::new(),
        operation: "",
        text: error.to_string(),
    }
}

/// What a server that is not there answers.
pub(crate) fn gone() -> Failure {
    Failure {
        code: Code::Closing,
        nothing_changed: true,
        ..failed("the server has been closed")
    }
}

fn lock<T>(place: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    place.lock().expect("nothing panics under this lock")
}

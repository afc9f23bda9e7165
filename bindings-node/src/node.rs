//! A server inside this process.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use napi::bindgen_prelude::BigInt;
use napi_derive::napi;
use zoowarden::client::{Code, SessionId};
use zoowarden::environment::Net;
use zoowarden::node::{Node, NodeConfig, Storage};
use zoowarden::server::config::Password;

use crate::batch::{Failure, Value};
use crate::options::{integer, invalid};
use crate::port::{NativePort, Queue};
use crate::stoppable::Stoppable;

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
    /// Users and their passwords.
    pub sasl_users: Option<HashMap<String, String>>,
}

/// Connections to servers of this process that never leave it.
#[napi]
pub struct NativeNet {
    pub(crate) net: Arc<dyn Net>,
}

/// A server that runs or has run, and what stays known of it.
struct Running {
    node: Stoppable<Node>,
    connect_string: String,
    port: u16,
    net: Arc<dyn Net>,
}

/// A server, from before it starts until after it has ended.
#[napi]
pub struct NativeNode {
    queue: Arc<Queue>,
    /// Empty before it has started.
    running: Arc<OnceLock<Running>>,
}

#[napi]
impl NativeNode {
    #[napi(constructor)]
    pub fn new(port: &NativePort) -> NativeNode {
        NativeNode {
            queue: Arc::clone(&port.queue),
            running: Arc::default(),
        }
    }

    /// Answers when it serves, or, as a member of an ensemble, has begun to look for the others.
    #[napi]
    pub fn start(&self, id: u32, options: NativeNodeOptions) -> napi::Result<()> {
        let config = options.into_config()?;
        let running = Arc::clone(&self.running);
        let start = async move { Node::start(config).await.map_err(failed) };
        // Only what is wanted is put in its place: a start that was given up ends what it started.
        let enter = move |node: Node| {
            running.get_or_init(|| Running::new(node));
            Value::Done
        };
        self.queue.spawn_or(id, start, enter, drop);
        Ok(())
    }

    /// Answers when clients are served.
    #[napi]
    pub fn ready(&self, id: u32) {
        self.run(id, |node| async move { node.ready().await.map_err(failed) });
    }

    /// What a client is given to connect; empty before the start.
    #[napi]
    pub fn connect_string(&self) -> String {
        let running = self.running.get();
        running.map_or_else(String::new, |running| running.connect_string.clone())
    }

    /// The port for clients; 0 if there is none.
    #[napi]
    pub fn port(&self) -> u16 {
        self.running.get().map_or(0, |running| running.port)
    }

    /// The way in for clients of this process; null before the start.
    #[napi]
    pub fn net(&self) -> Option<NativeNet> {
        self.running.get().map(|running| NativeNet {
            net: Arc::clone(&running.net),
        })
    }

    /// Ends a session as its expiry does.
    #[napi]
    pub fn expire_session(&self, id: u32, session: BigInt) -> napi::Result<()> {
        let session = SessionId(integer(&session)?);
        self.run(id, move |node| async move {
            node.expire_session(session).await.map_err(failed)
        });
        Ok(())
    }

    /// Ends in good order and answers then, a second time at once; calls that wait for it fail.
    #[napi]
    pub fn shutdown(&self, id: u32) {
        let running = Arc::clone(&self.running);
        self.queue.spawn(id, async move {
            if let Some(running) = running.get()
                && let Some(node) = running.node.stop().await
            {
                node.shutdown().await;
            }
            Ok::<_, Failure>(())
        });
    }

    fn run<W, F>(&self, id: u32, work: W)
    where
        W: FnOnce(Arc<Node>) -> F + Send + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let running = Arc::clone(&self.running);
        self.queue.spawn(id, async move {
            let running = running.get().ok_or_else(gone)?;
            running.node.with(work).await
        });
    }
}

impl Running {
    fn new(node: Node) -> Running {
        Running {
            connect_string: node.connect_string(),
            port: node.client_address().map_or(0, |address| address.port()),
            net: node.net(),
            node: Stoppable::new(node),
        }
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
        if let Some(users) = self.sasl_users {
            let users = users.into_iter();
            config.set_sasl_users(users.map(|(user, word)| (user, Password::new(word))));
        }
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

/// What something answers that is not there any more.
pub(crate) fn gone() -> Failure {
    Failure {
        code: Code::Closing,
        nothing_changed: true,
        ..failed("it has been closed")
    }
}

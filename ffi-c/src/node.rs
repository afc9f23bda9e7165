//! Servers inside the program.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::c_char;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{RwLock, watch};
use zoowarden::bridge::runtime;
use zoowarden::client::{Code, SessionId};
use zoowarden::node::{Node, NodeConfig, Storage};
use zoowarden::server::config::Password;
use zoowarden::server::{ExpireError, StartError};

use crate::call::wait_for;
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard};
use crate::handle::Table;
use crate::input::{
    Patience, Place, ZOOWARDEN_FOREVER, elements, empty, put_text, text, text_or_null,
};

static NODES: Table<Running> = Table::new(5, "node");

/// A node, until it is stopped. Calls hold it shared; who stops it tells them first.
struct Running {
    node: RwLock<Option<Node>>,
    stopping: watch::Sender<bool>,
}

/// A server inside this process. Stopped with zoowarden_node_stop().
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct zoowarden_node {
    /// Of no meaning to a program; zero names no node.
    pub id: u64,
}

/// Somebody who may log in to a node by SASL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_sasl_user {
    /// The name, which ACLs of the scheme sasl have.
    pub user: *const c_char,
    /// The password.
    pub password: *const c_char,
}

/// How a node shall be. A struct of zeros, and NULL, stand for a single server that keeps everything in
/// memory and listens on a free port of 127.0.0.1.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_node_options {
    /// The text of a whole zoo.cfg (dataDir and clientPort too), for everything that has no field
    /// here, members of an ensemble for example; NULL for none. What is given below comes before it.
    pub zoo_cfg: *const c_char,
    /// This server's number among the members in `zoo_cfg`; 0 for a single server.
    pub my_id: u8,
    /// The directory of its data; NULL for what `zoo_cfg` says, or memory without it.
    pub data_dir: *const c_char,
    /// Where clients connect: "127.0.0.1:2181", port 0 for a free one; NULL for what `zoo_cfg` says.
    pub client_address: *const c_char,
    /// Milliseconds of a tick, the unit of its timing; 0 for what `zoo_cfg` says.
    pub tick_ms: u32,
    /// Who may log in by SASL; NULL for nobody. Who does not log in is served as well, as nobody.
    pub sasl_users: *const zoowarden_sasl_user,
    /// Number of `sasl_users`.
    pub sasl_user_count: usize,
}

/// # Safety
/// `given` is null or the first of `count` users whose strings are strings.
unsafe fn users(
    given: *const zoowarden_sasl_user,
    count: usize,
) -> Result<Vec<(String, Password)>, Failure> {
    // SAFETY: as promised by the caller.
    let given = unsafe { elements(given, count, "sasl_users") }?;
    let users = given.iter().map(|one| {
        // SAFETY: as promised by the caller.
        let (user, password) =
            unsafe { (text(one.user, "user")?, text(one.password, "password")?) };
        Ok((user.to_owned(), Password::new(password)))
    });
    users.collect()
}

/// # Safety
/// `options` is null or points to one whose strings are null or strings.
unsafe fn config(options: *const zoowarden_node_options) -> Result<NodeConfig, Failure> {
    // SAFETY: as promised by the caller.
    let given = unsafe { elements(options, usize::from(!options.is_null()), "options") }?;
    let Some(options) = given.first() else {
        return Ok(NodeConfig::default());
    };
    // SAFETY: as promised by the caller.
    let (zoo_cfg, data_dir, address) = unsafe {
        (
            text_or_null(options.zoo_cfg, "zoo_cfg")?,
            text_or_null(options.data_dir, "data_dir")?,
            text_or_null(options.client_address, "client_address")?,
        )
    };
    let my_id = (options.my_id != 0).then_some(options.my_id);
    let mut config = match zoo_cfg {
        None => NodeConfig::default(),
        Some(text) => NodeConfig::from_zoo_cfg(text, my_id)
            .map_err(|error| Failure::bad_arguments(error.to_string()))?,
    };
    if let Some(dir) = data_dir {
        config.storage = Storage::Durable(dir.into());
    }
    if let Some(address) = address {
        let parsed: Result<SocketAddr, _> = address.parse();
        let parsed = parsed.map_err(|error| {
            let text = format!("client_address {address:?}: {error}; expected 127.0.0.1:2181");
            Failure::bad_arguments(text)
        })?;
        config.client_address = Some(parsed.into());
    }
    if options.tick_ms != 0 {
        config.tick_ms = options.tick_ms;
    }
    // SAFETY: as promised by the caller.
    let users = unsafe { users(options.sasl_users, options.sasl_user_count) }?;
    if !users.is_empty() {
        config.set_sasl_users(users);
    }
    Ok(config)
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        let code = match error {
            StartError::Configuration(_) => Code::BadArguments,
            _ => Code::SystemError,
        };
        Failure::refused(code, error.to_string())
    }
}

impl From<ExpireError> for Failure {
    fn from(error: ExpireError) -> Failure {
        let code = match error {
            ExpireError::NoSuchSession { .. } => Code::UnknownSession,
            ExpireError::NotAgreed { .. } => Code::OperationTimeout,
            ExpireError::Stopped { .. } => Code::Closing,
        };
        Failure::refused(code, error.to_string())
    }
}

/// Does something with the node of a handle, unless it is stopped meanwhile.
pub(crate) fn with_node<T>(
    node: zoowarden_node,
    patience: Patience,
    work: impl AsyncFnOnce(&Node) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let running = NODES.get(node.id)?;
    let stopped = || Failure::refused(Code::Closing, "the node was stopped");
    let work = async {
        let mut stopping = running.stopping.subscribe();
        let node = running.node.read().await;
        let node = node.as_ref().ok_or_else(stopped)?;
        tokio::select! {
            done = work(node) => done,
            // An error means that nobody is left who could stop it, which cannot be.
            _ = stopping.wait_for(|stopping| *stopping) => Err(stopped()),
        }
    };
    wait_for(work, patience)
}

/// As long as it takes.
pub(crate) const PATIENT: Patience = Patience {
    timeout_ms: ZOOWARDEN_FOREVER,
};

/// Starts a server inside this process. A single one serves when this returns; for a member of an
/// ensemble see zoowarden_node_wait_ready(). `options` may be NULL. `*node` is stopped with
/// zoowarden_node_stop(). ZOOWARDEN_BAD_ARGUMENTS if the configuration is wrong,
/// ZOOWARDEN_SYSTEM_ERROR if the address or the directory cannot be used; the text tells.
///
/// # Safety
/// `options` is NULL or points to one whose strings are NULL or strings; `node` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_node_start(
    options: *const zoowarden_node_options,
    node: *mut zoowarden_node,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(node, zoowarden_node { id: 0 }) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let (place, config) = unsafe { (Place::required(node, "node")?, config(options)?) };
        let started = wait_for(Node::start(config), PATIENT)?;
        let id = NODES.insert(Arc::new(Running {
            node: RwLock::new(Some(started)),
            stopping: watch::Sender::new(false),
        }))?;
        place.put(zoowarden_node { id });
        Ok(())
    })
}

/// Waits until the node serves clients, which takes a quorum of its ensemble; `timeout_ms` at most
/// (0: as long as it takes).
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_node_wait_ready(
    node: zoowarden_node,
    timeout_ms: u32,
) -> zoowarden_code {
    guard(|| {
        let patience = Patience::new(timeout_ms, ZOOWARDEN_FOREVER);
        with_node(node, patience, async |node| Ok(node.ready().await?))
    })
}

/// What zoowarden_connect() takes to connect to the node, "127.0.0.1:40001", copied to `buffer`.
/// `*length` is its length without the NUL (`length` may be NULL); with a `capacity` that is too
/// small ZOOWARDEN_BAD_ARGUMENTS. 64 bytes are enough.
///
/// # Safety
/// `buffer` has `capacity` writable bytes; `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_node_connect_string(
    node: zoowarden_node,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> zoowarden_code {
    guard(|| {
        let told = with_node(node, PATIENT, async |node| Ok(node.connect_string()))?;
        // SAFETY: as promised by the caller.
        unsafe { put_text(&told, buffer, capacity, length) }
    })
}

/// Whether the node leads its ensemble; a single one leads itself.
///
/// # Safety
/// `leads` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_node_is_leader(
    node: zoowarden_node,
    leads: *mut bool,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(leads, "leads") }?;
        place.put(with_node(node, PATIENT, async |node| Ok(node.is_leader()))?);
        Ok(())
    })
}

/// Ends a session as its expiry does, for tests: its ephemerals are gone when this returns.
/// ZOOWARDEN_UNKNOWN_SESSION if there is none of this id.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_node_expire_session(
    node: zoowarden_node,
    session: i64,
) -> zoowarden_code {
    guard(|| {
        let session = SessionId(session);
        with_node(node, PATIENT, async |node| {
            Ok(node.expire_session(session).await?)
        })
    })
}

/// Stops the node in good order: what was acknowledged is kept (if it has a directory), its port is free
/// when this returns. Clients, also those of this process, lose their connections; calls that wait for
/// the node are answered ZOOWARDEN_CLOSING.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_node_stop(node: zoowarden_node) -> zoowarden_code {
    guard(|| {
        let running = NODES.remove(node.id)?;
        running.stopping.send_replace(true);
        runtime().block_on(async {
            if let Some(node) = running.node.write().await.take() {
                node.shutdown().await;
            }
        });
        Ok(())
    })
}

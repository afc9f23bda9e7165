//! Servers in this process: one to embed, and ensembles for tests.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use zoowarden::environment::Net;
use zoowarden::node::{NodeConfig, Storage};
use zoowarden::proto::SessionId;
use zoowarden::server::config::Password;
use zoowarden::testing::TestingError;

use crate::call::{To, launch};
use crate::failure::Failure;
use crate::fork::OfProcess;
use crate::reply::{Completion, Value};

/// Something that runs until it is stopped, in the process that started it. Calls hold it shared;
/// who stops it tells them first, and waits until they have let go.
struct Running<T>(OfProcess<Place<T>>);

struct Place<T> {
    value: Arc<RwLock<Option<T>>>,
    stopping: watch::Sender<bool>,
}

/// What a call holds.
type Held<T> = OwnedRwLockReadGuard<Option<T>, T>;

impl<T: Send + Sync + 'static> Running<T> {
    fn new(value: T) -> Self {
        Self(OfProcess::new(Place {
            value: Arc::new(RwLock::new(Some(value))),
            stopping: watch::Sender::new(false),
        }))
    }

    fn get(&self) -> PyResult<Held<T>> {
        // It is taken only by who stops it.
        let held = Arc::clone(&self.0.get()?.value).try_read_owned();
        let held = held.map_err(|_| stopped())?;
        let held = OwnedRwLockReadGuard::try_map(held, Option::as_ref);
        held.map_err(|_| stopped().into())
    }

    /// A call that ends with an error when the thing is stopped meanwhile.
    fn call<F>(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        work: impl FnOnce(Held<T>) -> F,
    ) -> PyResult<Py<PyAny>>
    where
        F: Future<Output = Completion> + Send + 'static,
    {
        let mut stopping = self.0.get()?.stopping.subscribe();
        let work = work(self.get()?);
        launch(py, to, None, async move {
            tokio::select! {
                done = work => done,
                // An error means that nobody is left who could stop it.
                _ = stopping.wait_for(|stopping| *stopping) => Err(stopped()),
            }
        })
    }

    /// Ends it, and waits for the end whoever began it.
    fn stop<F>(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        end: impl FnOnce(T) -> F + Send + 'static,
    ) -> PyResult<Py<PyAny>>
    where
        F: Future<Output = ()> + Send,
    {
        let place = self.0.get()?;
        place.stopping.send_replace(true);
        let value = Arc::clone(&place.value);
        launch(py, to, None, async move {
            let mut value = value.write().await;
            if let Some(value) = value.take() {
                end(value).await;
            }
            Ok(Value::Nothing)
        })
    }
}

fn stopped() -> Failure {
    Failure::Named(
        "ClientClosedError",
        "the server has been shut down".to_owned(),
    )
}

fn not_started(error: impl std::fmt::Display) -> Failure {
    Failure::Named("NodeStartError", error.to_string())
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Named("InvalidStateError", error.to_string())
}

/// A server in this process.
#[pyclass(frozen, weakref, module = "zoowarden._zoowarden")]
pub(crate) struct Node(Running<zoowarden::node::Node>);

#[pymethods]
impl Node {
    /// Starts a server: from the text of a zoo.cfg, or with a few settings.
    #[staticmethod]
    #[pyo3(signature = (to, *, zoo_cfg, my_id, data_dir, client_address, tick_ms, timeout_ms_min,
        timeout_ms_max, sasl_users))]
    #[allow(clippy::too_many_arguments, reason = "one for each setting")]
    fn start(
        py: Python<'_>,
        to: Option<To<'_>>,
        zoo_cfg: Option<&str>,
        my_id: Option<u8>,
        data_dir: Option<PathBuf>,
        client_address: Option<&str>,
        tick_ms: u32,
        timeout_ms_min: u32,
        timeout_ms_max: u32,
        sasl_users: Option<BTreeMap<String, String>>,
    ) -> PyResult<Py<PyAny>> {
        let mut config = match zoo_cfg {
            Some(text) => NodeConfig::from_zoo_cfg(text, my_id).map_err(not_started)?,
            None => NodeConfig {
                storage: data_dir.map_or(Storage::Memory, Storage::Durable),
                client_address: client_address
                    .map(socket_address)
                    .transpose()?
                    .map(Into::into),
                tick_ms,
                session_timeout_ms_min: timeout_ms_min,
                session_timeout_ms_max: timeout_ms_max,
                ..NodeConfig::default()
            },
        };
        if let Some(users) = sasl_users {
            let users = users.into_iter();
            config.set_sasl_users(users.map(|(user, word)| (user, Password::new(word))));
        }
        launch(py, to, None, async move {
            let node = zoowarden::node::Node::start(config)
                .await
                .map_err(not_started)?;
            let node = Self(Running::new(node));
            Ok(Value::Build(Box::new(move |py| {
                Py::new(py, node)?.into_py_any(py)
            })))
        })
    }

    fn connect_string(&self) -> PyResult<String> {
        Ok(self.0.get()?.connect_string())
    }

    fn client_address(&self) -> PyResult<Option<(String, u16)>> {
        let address = self.0.get()?.client_address();
        Ok(address.map(|address| (address.ip().to_string(), address.port())))
    }

    fn data_dir(&self) -> PyResult<Option<PathBuf>> {
        Ok(self.0.get()?.data_dir().map(PathBuf::from))
    }

    fn is_leader(&self) -> PyResult<bool> {
        Ok(self.0.get()?.is_leader())
    }

    /// Waits until it serves.
    fn ready(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        self.0.call(py, to, |node| async move {
            node.ready().await.map_err(not_started)?;
            Ok(Value::Nothing)
        })
    }

    fn expire_session(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        session: i64,
    ) -> PyResult<Py<PyAny>> {
        self.0.call(py, to, |node| async move {
            node.expire_session(SessionId(session))
                .await
                .map_err(refused)?;
            Ok(Value::Nothing)
        })
    }

    /// Ends it in good order; a second time does nothing.
    fn shutdown(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        self.0
            .stop(py, to, |node| async move { node.shutdown().await })
    }

    /// Whether this process made it.
    fn is_ours(&self) -> bool {
        self.0.0.is_ours()
    }
}

/// Several servers in this process, for tests.
#[pyclass(frozen, weakref, module = "zoowarden._zoowarden")]
pub(crate) struct Ensemble(Running<zoowarden::testing::Ensemble>);

/// What a test does to one server.
type OneServer = fn(&zoowarden::testing::Ensemble, u8) -> Result<(), TestingError>;

/// What a test does to the line between two.
type TwoServers = fn(&zoowarden::testing::Ensemble, u8, u8) -> Result<(), TestingError>;

#[pymethods]
impl Ensemble {
    #[staticmethod]
    fn start(py: Python<'_>, to: Option<To<'_>>, servers: u8, tick_ms: u32) -> PyResult<Py<PyAny>> {
        let settings = NodeConfig {
            tick_ms,
            ..NodeConfig::default()
        };
        launch(py, to, None, async move {
            let started = zoowarden::testing::Ensemble::start_with(servers, settings).await;
            let ensemble = Self(Running::new(started.map_err(not_started)?));
            Ok(Value::Build(Box::new(move |py| {
                Py::new(py, ensemble)?.into_py_any(py)
            })))
        })
    }

    fn connect_string(&self) -> PyResult<String> {
        Ok(self.0.get()?.connect_string())
    }

    fn servers(&self) -> PyResult<u8> {
        Ok(self.0.get()?.servers())
    }

    fn client_address(&self, server: u8) -> PyResult<String> {
        let address = self.0.get()?.client_address(server);
        Ok(address.map_err(refused)?.to_string())
    }

    /// Waits for a leader; gives its number.
    fn leader(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        self.0.call(py, to, |ensemble| async move {
            Ok(Value::plain(ensemble.leader().await.map_err(refused)?))
        })
    }

    fn kill(&self, py: Python<'_>, to: Option<To<'_>>, server: u8) -> PyResult<Py<PyAny>> {
        self.0.call(py, to, |ensemble| async move {
            ensemble.kill(server).await.map_err(refused)?;
            Ok(Value::Nothing)
        })
    }

    /// With `wait`, returns when it serves.
    fn restart(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        server: u8,
        wait: bool,
    ) -> PyResult<Py<PyAny>> {
        self.0.call(py, to, |ensemble| async move {
            match wait {
                true => ensemble.restart(server).await,
                false => ensemble.begin_restart(server).await,
            }
            .map_err(refused)?;
            Ok(Value::Nothing)
        })
    }

    fn expire_session(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        session: i64,
    ) -> PyResult<Py<PyAny>> {
        self.0.call(py, to, |ensemble| async move {
            ensemble
                .expire_session(SessionId(session))
                .await
                .map_err(refused)?;
            Ok(Value::Nothing)
        })
    }

    fn cut(&self, a: u8, b: u8) -> PyResult<()> {
        self.between(zoowarden::testing::Ensemble::cut, a, b)
    }

    fn heal(&self, a: u8, b: u8) -> PyResult<()> {
        self.between(zoowarden::testing::Ensemble::heal, a, b)
    }

    fn isolate(&self, server: u8) -> PyResult<()> {
        self.one(zoowarden::testing::Ensemble::isolate, server)
    }

    fn cut_client(&self, server: u8) -> PyResult<()> {
        self.one(zoowarden::testing::Ensemble::cut_client, server)
    }

    fn heal_client(&self, server: u8) -> PyResult<()> {
        self.one(zoowarden::testing::Ensemble::heal_client, server)
    }

    fn heal_all(&self) -> PyResult<()> {
        self.0.get()?.heal_all();
        Ok(())
    }

    /// Ends all servers; a second time does nothing.
    fn shutdown(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        self.0
            .stop(py, to, |ensemble| async move { ensemble.shutdown().await })
    }

    /// Whether this process made it.
    fn is_ours(&self) -> bool {
        self.0.0.is_ours()
    }
}

impl Ensemble {
    fn one(&self, act: OneServer, server: u8) -> PyResult<()> {
        let done = act(&*self.0.get()?, server);
        Ok(done.map_err(refused)?)
    }

    fn between(&self, act: TwoServers, a: u8, b: u8) -> PyResult<()> {
        let done = act(&*self.0.get()?, a, b);
        Ok(done.map_err(refused)?)
    }
}

/// How a client of this process reaches servers without TCP.
#[derive(FromPyObject)]
pub(crate) enum Inside<'py> {
    Node(Bound<'py, Node>),
    Ensemble(Bound<'py, Ensemble>),
}

impl Inside<'_> {
    pub(crate) fn net(&self) -> PyResult<Arc<dyn Net>> {
        Ok(match self {
            Self::Node(node) => node.get().0.get()?.net(),
            Self::Ensemble(ensemble) => ensemble.get().0.get()?.net(),
        })
    }
}

fn socket_address(text: &str) -> PyResult<SocketAddr> {
    text.parse().map_err(|error| {
        let message = format!("client_address {text:?}: {error}; expected \"127.0.0.1:0\", say");
        PyValueError::new_err(message)
    })
}

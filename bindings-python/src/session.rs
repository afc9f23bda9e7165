//! `Session`: a client of the core, as the typed Python classes call it.
//!
//! What lives here: turning arguments into requests. What does not: the public classes, their
//! documentation and their callbacks, which are Python.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zoowarden::client::{
    Answer, OnExpiry, ReadOptions, SaslLogin, TlsConfig, TlsIdentity, TlsOptions, TlsVerify,
};
use zoowarden::proto::{
    Acl, AddWatchMode, Code, Create, Id, MultiOp, OpCode, PASSWORD_BYTES, ReadOp, Request,
    SessionId, perms,
};
use zoowarden::{Client, ClientConfig, ConnectString, CreateMode, CreateOptions, Error, State};

use crate::call::{self, To, launch};
use crate::failure::Failure;
use crate::fork::{self, OfProcess};
use crate::node::Inside;
use crate::port::{Inbox, Port};
use crate::reply::{Completion, Value};
use crate::watch::Watch;

/// States that wait for Python; a listener that is later than that misses the ones between.
const STATES_MAX: usize = 1024;

/// An ACL entry: permissions, scheme, id.
pub(crate) type Entry = (i32, String, String);

/// TLS: authorities to trust, certificate and key to show, all PEM, and what is verified.
type Tls = (Option<Vec<u8>>, Option<(Vec<u8>, Vec<u8>)>, String);

/// One operation of a transaction: kind, path, data, ACL, and flags or version.
type Operation = (String, String, Option<Vec<u8>>, Option<Vec<Entry>>, i32);

/// A session with an ensemble.
#[pyclass(frozen, weakref, module = "zoowarden._zoowarden")]
pub(crate) struct Session {
    client: OfProcess<Client>,
    states: Arc<Inbox<State>>,
    limit: Option<Duration>,
    keep_null: bool,
}

/// How the answer of a request differs from what stands in the reply.
#[derive(Clone, Copy)]
enum Shape {
    Plain,
    /// A znode that is not there is an answer.
    Exists,
    /// The path alone.
    Path,
}

impl Shape {
    fn of(self, answer: Result<Answer, Error>) -> Completion {
        match (self, answer) {
            (Self::Exists, Ok(Answer::Stat(stat))) => Ok(Value::OptionalStat(Some(stat))),
            (Self::Exists, Err(error)) if error.code() == Code::NoNode => {
                Ok(Value::OptionalStat(None))
            }
            (Self::Path, Ok(Answer::Created(path, _))) => Ok(Value::Answer(Answer::Path(path))),
            (_, answer) => Ok(Value::Answer(answer?)),
        }
    }
}

#[pymethods]
impl Session {
    /// Connects in the background. `on_state()` is called from the port's drain when there are
    /// states to take.
    #[new]
    #[pyo3(signature = (port, on_state, hosts, *, session_timeout_ms, limit_ms, read_only, shuffle,
        renew, keep_null, auth, sasl, session, tls, node))]
    #[allow(
        clippy::too_many_arguments,
        reason = "one for each option of the configuration"
    )]
    fn new(
        port: &Bound<'_, Port>,
        on_state: Py<PyAny>,
        hosts: &str,
        session_timeout_ms: u32,
        limit_ms: Option<u64>,
        read_only: bool,
        shuffle: bool,
        renew: bool,
        keep_null: bool,
        auth: Vec<(String, Vec<u8>)>,
        sasl: Option<(String, String)>,
        session: Option<(i64, [u8; PASSWORD_BYTES])>,
        tls: Option<Tls>,
        node: Option<Inside<'_>>,
    ) -> PyResult<Self> {
        let mut config = ClientConfig::new(connect_string(hosts)?);
        config.session_timeout_ms = session_timeout_ms;
        config.read_only = read_only;
        config.shuffle = shuffle;
        config.auth = auth;
        config.sasl = sasl.map(|(user, password)| SaslLogin::new(user, password));
        config.session = session.map(|(id, password)| (SessionId(id), password));
        config.on_expiry = if renew {
            OnExpiry::Renew
        } else {
            OnExpiry::End
        };
        config.tls = tls.map(tls_config).transpose()?;
        if let Some(node) = node {
            config.net = node.net()?;
        }
        let port = port.get();
        let states = Inbox::new(port.shared(), port.listener(on_state), STATES_MAX);
        let told = StatesEnd(Arc::clone(&states));
        config.on_state = Some(Arc::new(move |state| told.0.put(state)));
        Ok(Self {
            client: OfProcess::new(Client::open_on(&fork::runtime()?, config)),
            states,
            limit: limit_ms.map(Duration::from_millis),
            keep_null,
        })
    }

    /// States since the last call, oldest first, and whether there will be no more.
    fn take_states(&self) -> (Vec<&'static str>, bool) {
        let taken = self.states.take();
        (
            taken.items.into_iter().map(state_name).collect(),
            taken.ended,
        )
    }

    /// Waits until a server serves the session, at most `limit_ms`.
    fn connected(&self, py: Python<'_>, to: Option<To<'_>>, limit_ms: u64) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?.clone();
        let limit = Duration::from_millis(limit_ms);
        launch(py, to, None, async move {
            match tokio::time::timeout(limit, client.connected()).await {
                Ok(connected) => connected.map(|()| Value::Nothing).map_err(Failure::from),
                Err(_) => Err(unreachable(limit_ms)),
            }
        })
    }

    /// Closes the session and waits for it, two seconds at most.
    fn close(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?.clone();
        launch(py, to, None, async move {
            client.close().await;
            Ok(Value::Nothing)
        })
    }

    /// Whether this process made it.
    fn is_ours(&self) -> bool {
        self.client.is_ours()
    }

    /// Whether nothing more will happen, unless the session is renewed.
    fn is_over(&self) -> PyResult<bool> {
        Ok(self.client.get()?.state().is_over())
    }

    fn state(&self) -> PyResult<&'static str> {
        Ok(state_name(self.client.get()?.state()))
    }

    fn session_id(&self) -> PyResult<i64> {
        Ok(self.client.get()?.session_id().0)
    }

    fn session_password(&self) -> PyResult<Cow<'static, [u8]>> {
        Ok(Cow::Owned(self.client.get()?.session_password().to_vec()))
    }

    fn session_timeout_ms(&self) -> PyResult<u32> {
        Ok(self.client.get()?.session_timeout_ms())
    }

    /// `"127.0.0.1:2181"`, or None while there is no connection.
    fn server(&self) -> PyResult<Option<String>> {
        let server = self.client.get()?.server();
        Ok(server.map(|address| address.to_string()))
    }

    fn last_zxid(&self) -> PyResult<i64> {
        Ok(self.client.get()?.last_zxid().0)
    }

    fn chroot(&self) -> PyResult<&str> {
        Ok(self.client.get()?.chroot())
    }

    fn set_hosts(&self, hosts: &str) -> PyResult<()> {
        self.client.get()?.set_hosts(connect_string(hosts)?);
        Ok(())
    }

    /// Leaves this server for the next one.
    fn move_on(&self) -> PyResult<()> {
        self.client.get()?.move_on();
        Ok(())
    }

    /// `flags`: 1 ephemeral, 2 sequential, 4 container.
    #[pyo3(signature = (to, path, data, acl, flags, ttl_ms, with_stat))]
    #[allow(clippy::too_many_arguments, reason = "the record has that many fields")]
    fn create(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
        data: Option<&[u8]>,
        acl: Option<Vec<Entry>>,
        flags: i32,
        ttl_ms: Option<i64>,
        with_stat: bool,
    ) -> PyResult<Py<PyAny>> {
        let mut create = creation(path, data, acl, flags, ttl_ms);
        if with_stat && create.op == OpCode::Create {
            create.op = OpCode::Create2;
        }
        let shape = if with_stat { Shape::Plain } else { Shape::Path };
        self.ask(py, to, Request::Create(create), None, shape)
    }

    /// The same, with the parents that are missing.
    #[pyo3(signature = (to, path, data, acl, flags, ttl_ms, with_stat))]
    #[allow(clippy::too_many_arguments, reason = "the record has that many fields")]
    fn create_with_parents(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: String,
        data: Vec<u8>,
        acl: Option<Vec<Entry>>,
        flags: i32,
        ttl_ms: Option<i64>,
        with_stat: bool,
    ) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?.clone();
        let mut options = CreateOptions {
            mode: create_mode(flags, ttl_ms),
            parents: true,
            ..CreateOptions::default()
        };
        if acl.is_some() {
            options.acl = acl_of(acl);
        }
        launch(py, to, self.limit, async move {
            let created = client.create_with(&path, &data, &options).await?;
            Ok(Value::Answer(match with_stat {
                true => Answer::Created(created.path, created.stat),
                false => Answer::Path(created.path),
            }))
        })
    }

    fn delete(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
        version: i32,
    ) -> PyResult<Py<PyAny>> {
        let path = path.into();
        self.ask(
            py,
            to,
            Request::Delete { path, version },
            None,
            Shape::Plain,
        )
    }

    fn delete_recursive(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: String,
    ) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?.clone();
        launch(py, to, self.limit, async move {
            client.delete_recursive(&path).await?;
            Ok(Value::Nothing)
        })
    }

    #[pyo3(signature = (to, path))]
    fn ensure_path(&self, py: Python<'_>, to: Option<To<'_>>, path: String) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?.clone();
        launch(py, to, self.limit, async move {
            client.ensure_path(&path).await?;
            Ok(Value::Nothing)
        })
    }

    #[pyo3(signature = (to, path, watch=None))]
    fn exists(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
        watch: Option<&Bound<'_, Watch>>,
    ) -> PyResult<Py<PyAny>> {
        let request = Request::Exists {
            path: path.into(),
            watch: watch.is_some(),
        };
        self.ask(py, to, request, watch, Shape::Exists)
    }

    #[pyo3(signature = (to, path, watch=None))]
    fn get(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
        watch: Option<&Bound<'_, Watch>>,
    ) -> PyResult<Py<PyAny>> {
        let request = Request::GetData {
            path: path.into(),
            watch: watch.is_some(),
        };
        self.ask(py, to, request, watch, Shape::Plain)
    }

    /// A read that sees every write acknowledged before it was called.
    fn get_linearizable(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: String,
    ) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?.clone();
        let options = ReadOptions { linearizable: true };
        launch(py, to, self.limit, async move {
            let (data, stat) = client.get_with(&path, options).await?;
            Ok(Value::Answer(Answer::Data(Some(data), stat)))
        })
    }

    fn set(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
    ) -> PyResult<Py<PyAny>> {
        let request = Request::SetData {
            path: path.into(),
            data,
            version,
        };
        self.ask(py, to, request, None, Shape::Plain)
    }

    fn get_acl(&self, py: Python<'_>, to: Option<To<'_>>, path: &str) -> PyResult<Py<PyAny>> {
        let path = path.into();
        self.ask(py, to, Request::GetAcl { path }, None, Shape::Plain)
    }

    fn set_acl(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
        acl: Vec<Entry>,
        version: i32,
    ) -> PyResult<Py<PyAny>> {
        let request = Request::SetAcl {
            path: path.into(),
            acl: Some(acl_of(Some(acl))),
            version,
        };
        self.ask(py, to, request, None, Shape::Plain)
    }

    #[pyo3(signature = (to, path, with_stat, watch=None))]
    fn get_children(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
        with_stat: bool,
        watch: Option<&Bound<'_, Watch>>,
    ) -> PyResult<Py<PyAny>> {
        let (path, watched) = (path.into(), watch.is_some());
        let request = match with_stat {
            true => Request::GetChildren2 {
                path,
                watch: watched,
            },
            false => Request::GetChildren {
                path,
                watch: watched,
            },
        };
        self.ask(py, to, request, watch, Shape::Plain)
    }

    fn sync(&self, py: Python<'_>, to: Option<To<'_>>, path: &str) -> PyResult<Py<PyAny>> {
        let path = path.into();
        self.ask(py, to, Request::Sync { path }, None, Shape::Plain)
    }

    fn multi(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        operations: Vec<Operation>,
    ) -> PyResult<Py<PyAny>> {
        let operations = operations.iter().map(operation);
        let request = Request::Multi(operations.collect::<PyResult<_>>()?);
        self.ask(py, to, request, None, Shape::Plain)
    }

    /// Pairs of kind (`"get"`, `"get_children"`) and path.
    fn multi_read(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        reads: Vec<(String, String)>,
    ) -> PyResult<Py<PyAny>> {
        let read = |(kind, path): &(String, String)| {
            let path = Cow::Owned(path.clone());
            match kind.as_str() {
                "get_children" => ReadOp::GetChildren { path },
                _ => ReadOp::GetData { path },
            }
        };
        let request = Request::MultiRead(reads.iter().map(read).collect());
        self.ask(py, to, request, None, Shape::Plain)
    }

    fn get_ephemerals(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        prefix: &str,
    ) -> PyResult<Py<PyAny>> {
        let prefix = Some(prefix.into());
        self.ask(
            py,
            to,
            Request::GetEphemerals { prefix },
            None,
            Shape::Plain,
        )
    }

    fn get_all_children_number(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
    ) -> PyResult<Py<PyAny>> {
        let path = path.into();
        self.ask(
            py,
            to,
            Request::GetAllChildrenNumber { path },
            None,
            Shape::Plain,
        )
    }

    fn who_am_i(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        self.ask(py, to, Request::WhoAmI, None, Shape::Plain)
    }

    fn add_auth(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        scheme: &str,
        auth: &[u8],
    ) -> PyResult<Py<PyAny>> {
        let scheme = scheme.into();
        self.ask(
            py,
            to,
            Request::Auth {
                scheme,
                auth: Some(auth),
            },
            None,
            Shape::Plain,
        )
    }

    fn get_config(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?.clone();
        launch(py, to, self.limit, async move {
            let (data, stat) = client.get_config().await?;
            Ok(Value::Answer(Answer::Data(Some(data), stat)))
        })
    }

    #[pyo3(signature = (to, joining, leaving, members, version))]
    fn reconfig(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        version: i64,
    ) -> PyResult<Py<PyAny>> {
        let request = Request::Reconfig {
            joining: joining.map(Into::into),
            leaving: leaving.map(Into::into),
            members: members.map(Into::into),
            config: version,
        };
        self.ask(py, to, request, None, Shape::Plain)
    }

    fn add_watch(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        path: &str,
        recursive: bool,
        watch: &Bound<'_, Watch>,
    ) -> PyResult<Py<PyAny>> {
        let request = Request::AddWatch {
            path: path.into(),
            mode: match recursive {
                true => AddWatchMode::PersistentRecursive,
                false => AddWatchMode::Persistent,
            },
        };
        self.ask(py, to, request, Some(watch), Shape::Plain)
    }
}

impl Session {
    /// The client, for recipes.
    pub(crate) fn client(&self) -> PyResult<&Client> {
        self.client.get()
    }

    fn ask(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        request: Request<'_>,
        watch: Option<&Bound<'_, Watch>>,
        shape: Shape,
    ) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?;
        let sink = watch.map(|watch| watch.get().sink()).transpose()?;
        let (address, outlook) = call::prepare(py, to)?;
        let id = client.submit(request, sink, move |answer| address.send(shape.of(answer)));
        if let Some(watch) = watch {
            watch.get().asked(client, id)?;
        }
        let result = outlook.result(py, self.limit, self.keep_null);
        if let (Some(watch), Err(_)) = (watch, &result) {
            // A call that fails sets no watch, even if its answer is still on its way.
            watch.get().cancel()?;
        }
        result
    }
}

/// Ends the inbox of states when the client lets go of it.
struct StatesEnd(Arc<Inbox<State>>);

impl Drop for StatesEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The value of `zoowarden.State`.
pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::Connecting => "connecting",
        State::Connected => "connected",
        State::ConnectedReadOnly => "connected read-only",
        State::Suspended => "suspended",
        State::Expired => "expired",
        State::AuthFailed => "auth failed",
        State::Closed => "closed",
    }
}

fn connect_string(hosts: &str) -> PyResult<ConnectString> {
    let parsed = hosts.parse::<ConnectString>();
    parsed.map_err(|error| PyValueError::new_err(error.to_string()))
}

fn tls_config((roots_pem, identity, verify): Tls) -> PyResult<TlsConfig> {
    let verify = match verify.as_str() {
        "chain" => TlsVerify::ChainOnly,
        "nothing" => TlsVerify::Nothing,
        _ => TlsVerify::ChainAndName,
    };
    let identity = identity.map(|(certificates_pem, key_pem)| TlsIdentity {
        certificates_pem,
        key_pem,
    });
    let made = TlsConfig::new(TlsOptions {
        roots_pem,
        identity,
        verify,
    });
    made.map_err(|error| Failure::Named("BadArgumentsError", error.to_string()).into())
}

fn unreachable(limit_ms: u64) -> Failure {
    let message = format!("no server took the session within {limit_ms} ms");
    Failure::Named("ConnectionLossError", message)
}

const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;
const CONTAINER: i32 = 4;
const PERSISTENT_WITH_TTL: i32 = 5;
const PERSISTENT_SEQUENTIAL_WITH_TTL: i32 = 6;

fn creation<'a>(
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: Option<Vec<Entry>>,
    flags: i32,
    ttl_ms: Option<i64>,
) -> Create<'a> {
    let (op, flags) = match (flags, ttl_ms) {
        (CONTAINER, None) => (OpCode::CreateContainer, flags),
        (_, None) => (OpCode::Create, flags),
        (SEQUENTIAL, Some(_)) => (OpCode::CreateTtl, PERSISTENT_SEQUENTIAL_WITH_TTL),
        (_, Some(_)) => (OpCode::CreateTtl, PERSISTENT_WITH_TTL),
    };
    Create {
        op,
        path: path.into(),
        data,
        acl: Some(acl_of(acl)),
        flags,
        ttl: ttl_ms,
    }
}

fn create_mode(flags: i32, ttl_ms: Option<i64>) -> CreateMode {
    let is = |flag| flags & flag != 0;
    match (is(EPHEMERAL), is(SEQUENTIAL), ttl_ms) {
        _ if is(CONTAINER) => CreateMode::Container,
        (true, true, _) => CreateMode::EphemeralSequential,
        (true, false, _) => CreateMode::Ephemeral,
        (false, true, Some(ttl_ms)) => CreateMode::PersistentSequentialWithTtl { ttl_ms },
        (false, true, None) => CreateMode::PersistentSequential,
        (false, false, Some(ttl_ms)) => CreateMode::PersistentWithTtl { ttl_ms },
        (false, false, None) => CreateMode::Persistent,
    }
}

/// The entries, or everything for everybody.
pub(crate) fn acl_of(entries: Option<Vec<Entry>>) -> Vec<Acl> {
    let Some(entries) = entries else {
        return vec![Acl {
            perms: perms::ALL,
            id: Id::new("world", "anyone"),
        }];
    };
    let entry = |(perms, scheme, id): Entry| Acl {
        perms,
        id: Id::new(&scheme, &id),
    };
    entries.into_iter().map(entry).collect()
}

fn operation(operation: &Operation) -> PyResult<MultiOp<'_>> {
    let (kind, path, data, acl, number) = operation;
    let path = Cow::Borrowed(path.as_str());
    let (data, number) = (data.as_deref(), *number);
    Ok(match kind.as_str() {
        "create" => MultiOp::Create(creation(&operation.1, data, acl.clone(), number, None)),
        "delete" => MultiOp::Delete {
            path,
            version: number,
        },
        "set" => MultiOp::SetData {
            path,
            data,
            version: number,
        },
        "check" => MultiOp::Check {
            path,
            version: number,
        },
        other => {
            let message = format!("a transaction has no operation {other:?}");
            return Err(PyValueError::new_err(message));
        }
    })
}

//! From the client's errors to Python's exceptions.
//!
//! What lives here: which class of `zoowarden.errors` a code is raised as. What does not: the
//! classes themselves, which are Python.
//!
//! Invariant: the match over codes is exhaustive, so that a new code does not compile without a
//! class.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use zoowarden::Error;
use zoowarden::proto::Code;

/// Why something failed, before there is a Python exception: made without the interpreter.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// An operation of the client.
    Operation(Error),
    /// The caller's limit has passed with the request on its way.
    Late(String),
    /// Anything else: the name of a class in `zoowarden.errors`, and the message.
    Named(&'static str, String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Operation(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| match exception(py, failure) {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        })
    }
}

impl Failure {
    /// The exception to raise, or the one met while making it.
    pub(crate) fn into_exception<'py>(self, py: Python<'py>) -> Bound<'py, PyAny> {
        match exception(py, self) {
            Ok(exception) => exception,
            Err(error) => error.into_value(py).into_bound(py).into_any(),
        }
    }
}

fn exception<'py>(py: Python<'py>, failure: Failure) -> PyResult<Bound<'py, PyAny>> {
    match failure {
        Failure::Operation(error) => {
            let path = error.path();
            let operation = error.operation();
            let arguments = (error.to_string(), path, operation, error.nothing_changed());
            class(py, class_name(error.code()))?.call1(arguments)
        }
        Failure::Late(message) => {
            let arguments = (message, None::<&str>, None::<&str>, false);
            class(py, class_name(Code::OperationTimeout))?.call1(arguments)
        }
        Failure::Named(name, message) => class(py, name)?.call1((message,)),
    }
}

fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || {
        let module = py.import("zoowarden.errors")?;
        Ok::<_, PyErr>(module.unbind())
    })?;
    module.bind(py).getattr(name)
}

/// A mistake of the caller that no operation is about.
pub(crate) fn misuse(message: &str) -> PyErr {
    PyRuntimeError::new_err(message.to_owned())
}

/// Every code: its number, ZooKeeper's name, and the name of its class.
#[pyfunction]
pub(crate) fn codes() -> Vec<(i32, &'static str, &'static str)> {
    let row = |code: Code| (code.number(), code.name(), class_name(code));
    Code::ALL.into_iter().map(row).collect()
}

fn class_name(code: Code) -> &'static str {
    match code {
        Code::SystemError => "SystemZooKeeperError",
        Code::RuntimeInconsistency => "RuntimeInconsistencyError",
        Code::DataInconsistency => "DataInconsistencyError",
        Code::ConnectionLoss => "ConnectionLossError",
        Code::MarshallingError => "MarshallingError",
        Code::Unimplemented => "UnimplementedError",
        Code::OperationTimeout => "OperationTimeoutError",
        Code::BadArguments => "BadArgumentsError",
        Code::InvalidState => "InvalidStateError",
        Code::UnknownSession => "UnknownSessionError",
        Code::NewConfigNoQuorum => "NewConfigNoQuorumError",
        Code::ReconfigInProgress => "ReconfigInProgressError",
        Code::NoNode => "NoNodeError",
        Code::NoAuth => "NoAuthError",
        Code::BadVersion => "BadVersionError",
        Code::NoChildrenForEphemerals => "NoChildrenForEphemeralsError",
        Code::NodeExists => "NodeExistsError",
        Code::NotEmpty => "NotEmptyError",
        Code::SessionExpired => "SessionExpiredError",
        Code::InvalidCallback => "InvalidCallbackError",
        Code::InvalidAcl => "InvalidACLError",
        Code::AuthFailed => "AuthFailedError",
        Code::Closing => "ClientClosedError",
        Code::SessionMoved => "SessionMovedError",
        Code::NotReadOnly => "NotReadOnlyError",
        Code::EphemeralOnLocalSession => "EphemeralOnLocalSessionError",
        Code::NoWatcher => "NoWatcherError",
        Code::RequestTimeout => "RequestTimeoutError",
        Code::ReconfigDisabled => "ReconfigDisabledError",
        Code::SessionClosedRequireSaslAuth => "SessionClosedRequireSaslAuthError",
        Code::QuotaExceeded => "QuotaExceededError",
        Code::ThrottledOp => "ThrottledOpError",
    }
}

//! Answers on their way to Python.
//!
//! What lives here: a value as the I/O thread hands it over, what Python object it becomes, and to
//! whom it goes. Invariant: nothing is made into a Python object on an I/O thread, and nothing held
//! here is one.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use zoowarden::Error;
use zoowarden::client::{Answer, ReadAnswer};
use zoowarden::proto::{Acl, Code, MultiOutcome, Stat};

use crate::failure::Failure;
use crate::port::{Delivery, Shared};
use crate::stat::PyStat;
use crate::waiter::Waiter;

/// What an operation came to.
pub(crate) type Completion = Result<Value, Failure>;

/// What is made of a value once the interpreter is there.
pub(crate) type Build = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// A result, before it is a Python object.
pub(crate) enum Value {
    Nothing,
    Answer(Answer),
    /// exists.
    OptionalStat(Option<Stat>),
    /// Whatever else.
    Build(Build),
}

impl Value {
    /// A value that Python has a literal for.
    pub(crate) fn plain<T>(value: T) -> Self
    where
        T: for<'py> IntoPyObject<'py> + Send + 'static,
    {
        Self::Build(Box::new(move |py| value.into_py_any(py)))
    }

    /// The Python object. `keep_null`: data that is null is `None` instead of empty.
    pub(crate) fn into_object(self, py: Python<'_>, keep_null: bool) -> PyResult<Py<PyAny>> {
        match self {
            Self::Nothing => Ok(py.None()),
            Self::OptionalStat(stat) => stat.map(PyStat::from).into_py_any(py),
            Self::Build(build) => build(py),
            Self::Answer(answer) => of_answer(py, answer, keep_null),
        }
    }
}

fn of_answer(py: Python<'_>, answer: Answer, keep_null: bool) -> PyResult<Py<PyAny>> {
    match answer {
        Answer::Done => Ok(py.None()),
        Answer::Path(path) => path.into_py_any(py),
        Answer::Created(path, stat) => (path, PyStat::from(stat)).into_py_any(py),
        Answer::Stat(stat) => PyStat::from(stat).into_py_any(py),
        Answer::Data(data, stat) => with_stat(py, of_data(py, data, keep_null), stat),
        Answer::Acl(list, stat) => {
            let entries = PyList::new(py, list.iter().map(of_acl))?;
            with_stat(py, entries.into_any().unbind(), stat)
        }
        Answer::Children(names, None) => names.into_py_any(py),
        Answer::Children(names, Some(stat)) => with_stat(py, names.into_py_any(py)?, stat),
        Answer::Multi(outcomes) => {
            let outcomes = outcomes.into_iter().map(|outcome| of_outcome(py, outcome));
            outcomes.collect::<PyResult<Vec<_>>>()?.into_py_any(py)
        }
        Answer::MultiRead(reads) => {
            let reads = reads.into_iter().map(|read| of_read(py, read, keep_null));
            reads.collect::<PyResult<Vec<_>>>()?.into_py_any(py)
        }
        Answer::Ephemerals(paths) => paths.into_py_any(py),
        Answer::Count(count) => count.into_py_any(py),
        Answer::WhoAmI(ids) => {
            let pairs = ids.iter().map(|id| (&*id.scheme, &*id.id));
            Ok(PyList::new(py, pairs)?.into_any().unbind())
        }
        Answer::Token(token) => Ok(of_data(py, token, true)),
    }
}

fn with_stat(py: Python<'_>, first: Py<PyAny>, stat: Stat) -> PyResult<Py<PyAny>> {
    let stat = PyStat::from(stat).into_py_any(py)?;
    Ok(PyTuple::new(py, [first, stat])?.into_any().unbind())
}

fn of_data(py: Python<'_>, data: Option<Bytes>, keep_null: bool) -> Py<PyAny> {
    match data {
        None if keep_null => py.None(),
        data => PyBytes::new(py, &data.unwrap_or_default())
            .into_any()
            .unbind(),
    }
}

fn of_acl(acl: &Acl) -> (i32, &str, &str) {
    (acl.perms, &acl.id.scheme, &acl.id.id)
}

/// `(kind, value)`; the value of a failed one is its code, 0 when it would have succeeded.
fn of_outcome(py: Python<'_>, outcome: MultiOutcome) -> PyResult<Py<PyAny>> {
    match outcome {
        MultiOutcome::Created(path) => ("created", path).into_py_any(py),
        MultiOutcome::CreatedWithStat(path, stat) => {
            ("created", (path, PyStat::from(stat))).into_py_any(py)
        }
        MultiOutcome::Deleted => ("deleted", py.None()).into_py_any(py),
        MultiOutcome::Set(stat) => ("set", PyStat::from(stat)).into_py_any(py),
        MultiOutcome::Checked => ("checked", py.None()).into_py_any(py),
        MultiOutcome::Failed(code) => ("failed", code.map_or(0, Code::number)).into_py_any(py),
    }
}

fn of_read(py: Python<'_>, read: Result<ReadAnswer, Code>, null: bool) -> PyResult<Py<PyAny>> {
    match read {
        Ok(ReadAnswer::Children(names)) => ("children", names).into_py_any(py),
        Ok(ReadAnswer::Data(data, stat)) => {
            ("data", with_stat(py, of_data(py, data, null), stat)?).into_py_any(py)
        }
        Err(code) => ("failed", code.number()).into_py_any(py),
    }
}

/// Who waits for an answer. Used once; dropped unused, it tells of a client that has gone.
pub(crate) struct Address(Option<Recipient>);

enum Recipient {
    Waiter(Arc<Waiter>),
    Slot(Arc<Shared>, usize),
}

impl Address {
    pub(crate) fn waiter(waiter: Arc<Waiter>) -> Self {
        Self(Some(Recipient::Waiter(waiter)))
    }

    pub(crate) fn slot(shared: Arc<Shared>, slot: usize) -> Self {
        Self(Some(Recipient::Slot(shared, slot)))
    }

    /// Any thread; never blocks.
    pub(crate) fn send(mut self, completion: Completion) {
        self.deliver(completion);
    }

    fn deliver(&mut self, completion: Completion) {
        match self.0.take() {
            Some(Recipient::Waiter(waiter)) => waiter.settle(completion),
            Some(Recipient::Slot(shared, slot)) => shared.post(Delivery::Reply(slot, completion)),
            None => {}
        }
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        self.deliver(Err(Error::new(Code::Closing).into()));
    }
}

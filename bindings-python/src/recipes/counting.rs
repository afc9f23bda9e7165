//! Barriers, counters and queues.

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::runtime::Handle;
use zoowarden::recipes::CounterEncoding;

use crate::call::{To, launch};
use crate::fork::OfProcess;
use crate::recipes::{made, options, within};
use crate::reply::Value;
use crate::session::{Entry, Session};

/// A gate.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct Barrier(OfProcess<zoowarden::recipes::Barrier>);

#[pymethods]
impl Barrier {
    #[new]
    fn new(session: &Bound<'_, Session>, path: &str) -> PyResult<Self> {
        let barrier = zoowarden::recipes::Barrier::new(session.get().client()?, path);
        Ok(Self(OfProcess::new(barrier)))
    }

    fn set(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let barrier = self.0.get()?.clone();
        launch(py, to, None, async move {
            Ok(Value::plain(barrier.set().await?))
        })
    }

    fn remove(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let barrier = self.0.get()?.clone();
        launch(py, to, None, async move {
            Ok(Value::plain(barrier.remove().await?))
        })
    }

    fn wait(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        limit_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let barrier = self.0.get()?.clone();
        launch(py, to, None, async move {
            within(limit_ms, barrier.wait()).await?;
            Ok(Value::Nothing)
        })
    }
}

/// Where so many begin and end together.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct DoubleBarrier(OfProcess<zoowarden::recipes::DoubleBarrier>);

#[pymethods]
impl DoubleBarrier {
    #[new]
    #[pyo3(signature = (session, path, members, identifier, acl))]
    fn new(
        session: &Bound<'_, Session>,
        path: &str,
        members: u32,
        identifier: Vec<u8>,
        acl: Option<Vec<Entry>>,
    ) -> PyResult<Self> {
        let client = session.get().client()?;
        let options = options(identifier, acl, "kazoo")?;
        let barrier = zoowarden::recipes::DoubleBarrier::with(client, path, members, options);
        Ok(Self(OfProcess::new(barrier)))
    }

    /// An `Inside`, once all are there.
    fn enter(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        limit_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let barrier = self.0.get()?.clone();
        launch(py, to, None, async move {
            let inside = within(limit_ms, barrier.enter()).await?;
            made(move |_| Ok(Inside(OfProcess::new(Arc::new(inside)))))
        })
    }
}

/// A member that got in. Dropping it leaves without waiting.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct Inside(OfProcess<Arc<zoowarden::recipes::Inside>>);

#[pymethods]
impl Inside {
    fn is_held(&self) -> PyResult<bool> {
        Ok(self.0.get()?.holding().is_held())
    }

    fn leave(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        limit_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let inside = Arc::clone(self.0.get()?);
        launch(py, to, None, async move {
            within(limit_ms, inside.leave()).await?;
            Ok(Value::Nothing)
        })
    }
}

/// A number.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct Counter(OfProcess<zoowarden::recipes::Counter>);

#[pymethods]
impl Counter {
    #[new]
    fn new(session: &Bound<'_, Session>, path: &str, encoding: &str) -> PyResult<Self> {
        let encoding = match encoding {
            "decimal" => CounterEncoding::Decimal,
            "int32" => CounterEncoding::Int32,
            "int64" => CounterEncoding::Int64,
            other => {
                let message = format!("encoding {other:?}: expected decimal, int32 or int64");
                return Err(PyValueError::new_err(message));
            }
        };
        let client = session.get().client()?;
        let counter = zoowarden::recipes::Counter::with(client, path, encoding);
        Ok(Self(OfProcess::new(counter)))
    }

    fn get(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let counter = self.0.get()?.clone();
        launch(py, to, None, async move {
            Ok(Value::plain(counter.get().await?))
        })
    }

    fn add(&self, py: Python<'_>, to: Option<To<'_>>, delta: i64) -> PyResult<Py<PyAny>> {
        let counter = self.0.get()?.clone();
        launch(py, to, None, async move {
            Ok(Value::plain(counter.add(delta).await?))
        })
    }

    fn set(&self, py: Python<'_>, to: Option<To<'_>>, value: i64) -> PyResult<Py<PyAny>> {
        let counter = self.0.get()?.clone();
        launch(py, to, None, async move {
            counter.set(value).await?;
            Ok(Value::Nothing)
        })
    }

    fn compare_and_set(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        expected: i64,
        new: i64,
    ) -> PyResult<Py<PyAny>> {
        let counter = self.0.get()?.clone();
        launch(py, to, None, async move {
            Ok(Value::plain(counter.compare_and_set(expected, new).await?))
        })
    }
}

/// Entries, each for one taker.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct Queue(OfProcess<zoowarden::recipes::Queue>);

/// An entry on its way to its taker: for others, if that has given up meanwhile.
struct Taken {
    entry: Option<zoowarden::recipes::Entry>,
    queue: OfProcess<(zoowarden::recipes::Queue, Handle)>,
}

impl Taken {
    /// On a task of the runtime.
    fn new(entry: zoowarden::recipes::Entry, queue: zoowarden::recipes::Queue) -> Self {
        Self {
            entry: Some(entry),
            queue: OfProcess::new((queue, Handle::current())),
        }
    }

    /// What the taker gets.
    fn into_object(mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let object = self.entry.as_ref().map(|entry| of_entry(py, entry));
        let object = object.transpose()?;
        self.entry = None;
        Ok(object)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // In a forked child it belongs to the parent.
        if let (Some(entry), Ok((queue, runtime))) = (self.entry.take(), self.queue.get()) {
            let queue = queue.clone();
            runtime.spawn(async move {
                // It fails only if the session has ended; then it is as with a taker that dies.
                let _ = queue.put_with(&entry.data, entry.priority).await;
            });
        }
    }
}

fn of_entry(py: Python<'_>, entry: &zoowarden::recipes::Entry) -> PyResult<Py<PyAny>> {
    (
        PyBytes::new(py, &entry.data),
        entry.priority,
        entry.name.as_str(),
    )
        .into_py_any(py)
}

#[pymethods]
impl Queue {
    #[new]
    fn new(session: &Bound<'_, Session>, path: &str) -> PyResult<Self> {
        let queue = zoowarden::recipes::Queue::new(session.get().client()?, path);
        Ok(Self(OfProcess::new(queue)))
    }

    fn put(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        data: Vec<u8>,
        priority: u16,
    ) -> PyResult<Py<PyAny>> {
        let queue = self.0.get()?.clone();
        launch(py, to, None, async move {
            queue.put_with(&data, priority).await?;
            Ok(Value::Nothing)
        })
    }

    /// `(data, priority, name)`.
    fn take(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        limit_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let queue = self.0.get()?.clone();
        launch(py, to, None, async move {
            let entry = within(limit_ms, queue.take()).await?;
            let taken = Taken::new(entry, queue);
            made(move |py| taken.into_object(py))
        })
    }

    /// The same, or None if there is no entry.
    fn try_take(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let queue = self.0.get()?.clone();
        launch(py, to, None, async move {
            let entry = queue.try_take().await?;
            let taken = entry.map(|entry| Taken::new(entry, queue));
            made(move |py| {
                Ok(taken
                    .map(|taken| taken.into_object(py))
                    .transpose()?
                    .flatten())
            })
        })
    }

    fn length(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let queue = self.0.get()?.clone();
        launch(
            py,
            to,
            None,
            async move { Ok(Value::plain(queue.len().await?)) },
        )
    }
}

//! Caches of one znode and of a subtree.

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::{Mutex, watch};
use zoowarden::recipes::{Cached, TreeChange, TreeChanges, Znode};

use crate::call::{To, launch};
use crate::failure::Failure;
use crate::fork::OfProcess;
use crate::recipes::{limited, made};
use crate::session::Session;
use crate::stat::PyStat;

/// `(data, Stat)`.
fn of_znode(py: Python<'_>, znode: &Znode) -> PyResult<Py<PyAny>> {
    (PyBytes::new(py, &znode.data), PyStat::from(znode.stat)).into_py_any(py)
}

/// Follows one znode.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct ZnodeCache {
    cache: OfProcess<zoowarden::recipes::ZnodeCache>,
    /// What `changed` gave last.
    given: OfProcess<Arc<Mutex<watch::Receiver<Cached>>>>,
}

#[pymethods]
impl ZnodeCache {
    #[staticmethod]
    fn start(
        py: Python<'_>,
        to: Option<To<'_>>,
        session: &Bound<'_, Session>,
        path: String,
    ) -> PyResult<Py<PyAny>> {
        let client = session.get().client()?.clone();
        launch(py, to, None, async move {
            let cache = zoowarden::recipes::ZnodeCache::start(&client, &path).await?;
            let given = Arc::new(Mutex::new(cache.changes()));
            made(move |_| {
                Ok(Self {
                    cache: OfProcess::new(cache),
                    given: OfProcess::new(given),
                })
            })
        })
    }

    /// `(data, Stat)`, None if it is not there, or the error that ended the cache.
    fn current(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        of_cached(py, self.cache.get()?.current())
    }

    /// Waits until something else is known than this gave the last time, and gives it.
    fn changed(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        limit_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let given = Arc::clone(self.given.get()?);
        launch(py, to, None, async move {
            let changed = async {
                let mut given = given.lock().await;
                // An error is the end of the cache, which its last value tells.
                let _ = given.changed().await;
                given.borrow_and_update().clone()
            };
            let cached = limited(limit_ms, changed).await?;
            made(move |py| of_cached(py, cached))
        })
    }
}

fn of_cached(py: Python<'_>, cached: Cached) -> PyResult<Option<Py<PyAny>>> {
    match cached {
        Cached::There(znode) => of_znode(py, &znode).map(Some),
        Cached::Missing => Ok(None),
        Cached::Ended(_, error) => Err(Failure::from(error).into()),
    }
}

/// Follows a path and everything below it.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct TreeCache {
    cache: OfProcess<zoowarden::recipes::TreeCache>,
    changes: OfProcess<Arc<Mutex<TreeChanges>>>,
}

#[pymethods]
impl TreeCache {
    #[staticmethod]
    fn start(
        py: Python<'_>,
        to: Option<To<'_>>,
        session: &Bound<'_, Session>,
        path: String,
        znodes_max: usize,
    ) -> PyResult<Py<PyAny>> {
        let client = session.get().client()?.clone();
        launch(py, to, None, async move {
            let started = zoowarden::recipes::TreeCache::start_with(&client, &path, znodes_max);
            let cache = started.await?;
            let changes = Arc::new(Mutex::new(cache.changes()));
            made(move |_| {
                Ok(Self {
                    cache: OfProcess::new(cache),
                    changes: OfProcess::new(changes),
                })
            })
        })
    }

    /// `(data, Stat)`, or None.
    fn get(&self, py: Python<'_>, path: &str) -> PyResult<Option<Py<PyAny>>> {
        let znode = self.cache.get()?.get(path);
        znode.map(|znode| of_znode(py, &znode)).transpose()
    }

    fn children(&self, path: &str) -> PyResult<Vec<String>> {
        Ok(self.cache.get()?.children(path))
    }

    fn paths(&self) -> PyResult<Vec<String>> {
        Ok(self.cache.get()?.snapshot().into_keys().collect())
    }

    fn length(&self) -> PyResult<usize> {
        Ok(self.cache.get()?.len())
    }

    /// Waits for the next change: `(kind, path, (data, Stat) or None, missed)`.
    fn next_change(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        limit_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let changes = Arc::clone(self.changes.get()?);
        launch(py, to, None, async move {
            let next = async { changes.lock().await.next().await };
            let change = limited(limit_ms, next).await?;
            made(move |py| change.map(|change| of_change(py, change)).transpose())
        })
    }
}

fn of_change(py: Python<'_>, change: TreeChange) -> PyResult<Py<PyAny>> {
    let (kind, path, znode, missed) = match change {
        TreeChange::Added(path, znode) => ("added", path, Some(znode), 0),
        TreeChange::Updated(path, znode) => ("updated", path, Some(znode), 0),
        TreeChange::Removed(path) => ("removed", path, None, 0),
        TreeChange::Missed(missed) => ("missed", String::new(), None, missed),
        TreeChange::Ended(error) => return Err(Failure::from(error).into()),
    };
    let znode = znode.map(|znode| of_znode(py, &znode)).transpose()?;
    (kind, path, znode, missed).into_py_any(py)
}

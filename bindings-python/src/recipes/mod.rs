//! Recipes of the core, as the typed Python classes call them.
//!
//! What lives here: one native class for each kind of thing a recipe gives. What does not: what
//! they promise, which is the core's, and how they are used, which is Python's.
//!
//! Every call that waits takes a limit; a call that is given up, by its limit, by Ctrl-C or by a
//! cancelled task, takes its attempt along, as the core's futures do when they are dropped.

mod cache;
mod contest;
mod counting;

use std::future::Future;
use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zoowarden::Error;
use zoowarden::recipes::{Contender, Layout, Options};

use crate::failure::Failure;
use crate::reply::{Completion, Value};
use crate::session::{Entry, acl_of};

pub(crate) use cache::{TreeCache, ZnodeCache};
pub(crate) use contest::{Contest, Holding};
pub(crate) use counting::{Barrier, Counter, DoubleBarrier, Inside, Queue};

/// A contender: the name of its znode, its identifier, its fencing token.
type Row = (String, Vec<u8>, i64);

fn rows(contenders: Vec<Contender>) -> Vec<Row> {
    let row = |contender: Contender| (contender.name, contender.identifier, contender.token.0);
    contenders.into_iter().map(row).collect()
}

fn options(identifier: Vec<u8>, acl: Option<Vec<Entry>>, layout: &str) -> PyResult<Options> {
    let layout = match layout {
        "kazoo" => Layout::Kazoo,
        "curator" => Layout::Curator,
        "curator-latch" => Layout::CuratorLatch,
        other => {
            let message = format!("layout {other:?}: expected kazoo, curator or curator-latch");
            return Err(PyValueError::new_err(message));
        }
    };
    Ok(Options {
        identifier,
        acl: acl_of(acl),
        layout,
    })
}

/// What the work comes to, or that it did not within the limit, milliseconds.
async fn within<T>(
    limit_ms: Option<u64>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    Ok(limited(limit_ms, work).await??)
}

/// The same of work that cannot fail.
async fn limited<T>(limit_ms: Option<u64>, work: impl Future<Output = T>) -> Result<T, Failure> {
    let Some(limit_ms) = limit_ms else {
        return Ok(work.await);
    };
    let done = tokio::time::timeout(Duration::from_millis(limit_ms), work).await;
    done.map_err(|_| {
        let message = format!("not within {limit_ms} ms; the attempt has been taken back");
        Failure::Named("OperationTimeoutError", message)
    })
}

/// A completion out of a value that Python makes an object of.
fn made<T>(make: impl FnOnce(Python<'_>) -> PyResult<T> + Send + 'static) -> Completion
where
    T: for<'py> IntoPyObject<'py> + 'static,
{
    let build = move |py: Python<'_>| make(py)?.into_py_any(py);
    Ok(Value::Build(Box::new(build)))
}

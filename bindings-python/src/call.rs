//! One call from Python: where its answer goes, and what the caller gets meanwhile.
//!
//! ```text
//!   to=None              the calling thread waits, with the interpreter released
//!   to=port              an asyncio.Future of the port's loop
//!   to=(port, callable)  None; callable(value, exception) on whichever thread drains the port
//! ```

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use pyo3::intern;
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use crate::fork;
use crate::port::Port;
use crate::reply::{Address, Completion};
use crate::waiter::Waiter;

/// Where an answer goes; absent, the caller waits for it.
#[derive(FromPyObject)]
pub(crate) enum To<'py> {
    Future(Bound<'py, Port>),
    Callback(Bound<'py, Port>, Bound<'py, PyAny>),
}

/// What the caller gets.
pub(crate) enum Outlook {
    Wait(Arc<Waiter>),
    Now(Py<PyAny>),
}

/// The address to send the answer to, and what the caller gets.
pub(crate) fn prepare(py: Python<'_>, to: Option<To<'_>>) -> PyResult<(Address, Outlook)> {
    Ok(match to {
        None => {
            let waiter = Waiter::new();
            (Address::waiter(Arc::clone(&waiter)), Outlook::Wait(waiter))
        }
        Some(To::Future(port)) => {
            let port = port.get();
            let (future, slot) = port.future(py)?;
            (Address::slot(port.shared(), slot), Outlook::Now(future))
        }
        Some(To::Callback(port, callable)) => {
            let port = port.get();
            let slot = port.callback(callable.unbind());
            (Address::slot(port.shared(), slot), Outlook::Now(py.None()))
        }
    })
}

impl Outlook {
    /// The value, a future, or nothing, as the caller asked.
    pub(crate) fn result(
        self,
        py: Python<'_>,
        limit: Option<Duration>,
        keep_null: bool,
    ) -> PyResult<Py<PyAny>> {
        match self {
            Self::Wait(waiter) => waiter.wait(py, limit)?.into_object(py, keep_null),
            Self::Now(object) => Ok(object),
        }
    }
}

/// What a future calls when it is done: one that was cancelled takes its work along.
#[pyclass(frozen)]
struct GivenUp(AbortHandle);

#[pymethods]
impl GivenUp {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        // It is over already, unless the future was cancelled.
        self.0.abort();
    }
}

/// Runs `work` on the I/O threads. A caller that waits and is interrupted, and a future that is
/// cancelled, take it along.
pub(crate) fn launch<F>(
    py: Python<'_>,
    to: Option<To<'_>>,
    limit: Option<Duration>,
    work: F,
) -> PyResult<Py<PyAny>>
where
    F: Future<Output = Completion> + Send + 'static,
{
    let has_future = matches!(to, Some(To::Future(_)));
    let (address, outlook) = prepare(py, to)?;
    let abort = start(address, work)?;
    let result = outlook.result(py, limit, false);
    if let (true, Ok(future)) = (has_future, &result) {
        let given_up = GivenUp(abort.clone());
        future.call_method1(py, intern!(py, "add_done_callback"), (given_up,))?;
    }
    if result.is_err() {
        // It is over already, unless the waiting ended first.
        abort.abort();
    }
    result
}

/// Runs `work` on the I/O threads and sends what it comes to.
pub(crate) fn start<F>(address: Address, work: F) -> PyResult<AbortHandle>
where
    F: Future<Output = Completion> + Send + 'static,
{
    let task = fork::runtime()?.spawn(async move { address.send(work.await) });
    Ok(task.abort_handle())
}

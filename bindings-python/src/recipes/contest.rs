//! What one of many holds: locks, leases, leaderships, memberships.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zoowarden::Error;
use zoowarden::recipes::{Election, Group, Lock, Loss, ReadWriteLock, Semaphore, Standing};

use crate::call::{To, launch};
use crate::fork::OfProcess;
use crate::recipes::{limited, made, options, rows, within};
use crate::reply::Value;
use crate::session::{Entry, Session};

/// A way to become a holder.
#[derive(Clone)]
enum Kind {
    Lock(Lock),
    Read(ReadWriteLock),
    Write(ReadWriteLock),
    Semaphore(Semaphore),
    Election(Election),
    Group(Group),
}

impl Kind {
    async fn acquire(&self) -> Result<zoowarden::recipes::Holding, Error> {
        match self {
            Self::Lock(lock) => lock.acquire().await,
            Self::Read(lock) => lock.read().await,
            Self::Write(lock) => lock.write().await,
            Self::Semaphore(semaphore) => semaphore.acquire().await,
            Self::Election(election) => election.lead().await,
            Self::Group(group) => group.join().await,
        }
    }

    async fn try_acquire(&self) -> Result<Option<zoowarden::recipes::Holding>, Error> {
        match self {
            Self::Lock(lock) => lock.try_acquire().await,
            Self::Read(lock) => lock.try_read().await,
            Self::Write(lock) => lock.try_write().await,
            Self::Semaphore(semaphore) => semaphore.try_acquire().await,
            Self::Election(election) => election.try_lead().await,
            Self::Group(group) => group.join().await.map(Some),
        }
    }

    async fn contenders(&self) -> Result<Vec<zoowarden::recipes::Contender>, Error> {
        match self {
            Self::Lock(lock) => lock.contenders().await,
            Self::Read(lock) | Self::Write(lock) => lock.contenders().await,
            Self::Semaphore(semaphore) => semaphore.holders().await,
            Self::Election(election) => election.contenders().await,
            Self::Group(group) => group.members().await,
        }
    }
}

/// Where many contend.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct Contest(OfProcess<Kind>);

#[pymethods]
impl Contest {
    /// `kind`: lock, read, write, semaphore, election, group.
    #[new]
    #[pyo3(signature = (session, kind, path, identifier, acl, layout, leases))]
    #[allow(clippy::too_many_arguments, reason = "one for each option")]
    fn new(
        session: &Bound<'_, Session>,
        kind: &str,
        path: &str,
        identifier: Vec<u8>,
        acl: Option<Vec<Entry>>,
        layout: &str,
        leases: u32,
    ) -> PyResult<Self> {
        let client = session.get().client()?;
        let options = options(identifier, acl, layout)?;
        Ok(Self(OfProcess::new(match kind {
            "lock" => Kind::Lock(Lock::with(client, path, options)),
            "read" => Kind::Read(ReadWriteLock::with(client, path, options)),
            "write" => Kind::Write(ReadWriteLock::with(client, path, options)),
            "semaphore" => Kind::Semaphore(Semaphore::with(client, path, leases, options)),
            "election" => Kind::Election(Election::with(client, path, options)),
            "group" => Kind::Group(Group::with(client, path, options)),
            other => return Err(PyValueError::new_err(format!("no contest {other:?}"))),
        })))
    }

    /// A `Holding`, once it is our turn.
    fn acquire(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        limit_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let kind = self.0.get()?.clone();
        launch(py, to, None, async move {
            let holding = within(limit_ms, kind.acquire()).await?;
            made(move |_| Ok(Holding::new(holding)))
        })
    }

    /// A `Holding`, or None if it is not our turn now.
    fn try_acquire(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let kind = self.0.get()?.clone();
        launch(py, to, None, async move {
            let holding = kind.try_acquire().await?;
            made(move |_| Ok(holding.map(Holding::new)))
        })
    }

    /// Names, identifiers and tokens of those who hold or wait, in order.
    fn contenders(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let kind = self.0.get()?.clone();
        launch(py, to, None, async move {
            Ok(Value::plain(rows(kind.contenders().await?)))
        })
    }
}

/// Something held. Dropping it gives it back in the background.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct Holding(OfProcess<Arc<zoowarden::recipes::Holding>>);

impl Holding {
    pub(crate) fn new(holding: zoowarden::recipes::Holding) -> Self {
        Self(OfProcess::new(Arc::new(holding)))
    }
}

#[pymethods]
impl Holding {
    fn token(&self) -> PyResult<i64> {
        Ok(self.0.get()?.token().0)
    }

    fn path(&self) -> PyResult<&str> {
        Ok(self.0.get()?.path())
    }

    /// The value of `zoowarden.recipes.Standing`.
    fn standing(&self) -> PyResult<&'static str> {
        Ok(standing_name(self.0.get()?.standing()))
    }

    fn release(&self, py: Python<'_>, to: Option<To<'_>>) -> PyResult<Py<PyAny>> {
        let holding = Arc::clone(self.0.get()?);
        launch(py, to, None, async move {
            holding.release().await?;
            Ok(Value::Nothing)
        })
    }

    /// Waits until it is lost; gives the standing.
    fn lost(
        &self,
        py: Python<'_>,
        to: Option<To<'_>>,
        limit_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let lost = self.0.get()?.lost();
        launch(py, to, None, async move {
            let loss = limited(limit_ms, lost).await?;
            Ok(Value::plain(standing_name(Standing::Lost(loss))))
        })
    }
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Held => "held",
        Standing::Uncertain => "uncertain",
        Standing::Lost(Loss::Released) => "released",
        Standing::Lost(Loss::Removed) => "removed",
        Standing::Lost(Loss::SessionEnded) => "session ended",
        Standing::Lost(Loss::OutOfContact) => "out of contact",
    }
}

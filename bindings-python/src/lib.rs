//! The Python extension module `zoowarden._zoowarden`.
//!
//! What lives here: the bridge between the core's I/O threads and Python's, and the classes that
//! the typed package `zoowarden` is built on. What does not: anything users see or read about,
//! which is Python.
//!
//! ```text
//!   session ─ operations      call ─ where an answer goes      reply ─ values and Python objects
//!   watch   ─ events          port ─ where results come ashore waiter ─ one thread, one answer
//!   node    ─ servers         fork ─ what a child may use      failure ─ exceptions
//!   recipes ─ locks and more
//! ```
//!
//! Invariant: an I/O thread never waits for the interpreter.

mod call;
mod failure;
mod fork;
mod node;
mod port;
mod recipes;
mod reply;
mod session;
mod signal;
mod stat;
mod waiter;
mod watch;

use pyo3::prelude::pymodule;

/// The native half of the package `zoowarden`.
#[pymodule]
mod _zoowarden {
    #[pymodule_export]
    use crate::failure::codes;
    #[pymodule_export]
    use crate::fork::forked;
    #[pymodule_export]
    use crate::node::{Ensemble, Node};
    #[pymodule_export]
    use crate::port::Port;
    #[pymodule_export]
    use crate::recipes::{
        Barrier, Contest, Counter, DoubleBarrier, Holding, Inside, Queue, TreeCache, ZnodeCache,
    };
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::stat::PyStat;
    #[pymodule_export]
    use crate::watch::Watch;

    /// The version of the package: `"0.1.0"`.
    #[pyo3::pyfunction]
    fn version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

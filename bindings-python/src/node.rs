//! `Node`: an embedded server.

use std::sync::Arc;

use pyo3::prelude::*;
use zoowarden::environment::Net;

use crate::failure::misuse;

/// A server in this process.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct Node {}

#[pymethods]
impl Node {}

impl Node {
    /// How clients of this process reach it without TCP.
    pub(crate) fn net(&self) -> PyResult<Arc<dyn Net>> {
        Err(misuse("no node"))
    }
}

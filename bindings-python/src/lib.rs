//! The Python extension module `zoowarden._zoowarden`.

use pyo3::prelude::pymodule;

/// The native half of the package `zoowarden`.
#[pymodule]
mod _zoowarden {
    /// The version of the package: `"0.1.0"`.
    #[pyo3::pyfunction]
    fn version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

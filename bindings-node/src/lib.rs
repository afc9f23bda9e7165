//! The native half of the npm package `zoowarden`.

use napi_derive::napi;

/// The version of the package: `"0.1.0"`.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

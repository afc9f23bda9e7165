//! The native half of the npm package `zoowarden`: private to the TypeScript in `ts/`, which is
//! what users see.
//!
//! What lives here: taking requests from JavaScript, and handing answers back in batches. What does
//! not: anything of the protocol, and anything a caller would notice; options, errors, promises,
//! iterators and events are TypeScript.
//!
//! Invariants: I/O threads never touch JavaScript, they push into a [`port`]; every request with a
//! number is answered exactly once, under that number; nothing is kept per process but the runtime,
//! so threads of Node (workers) do not know of each other.

mod batch;
mod cache;
mod client;
// Public: under test Node-API exports nothing, and what is only exported would seem unused.
pub mod codes;
mod holding;
mod node;
mod options;
mod port;
mod recipes;
mod stoppable;
mod testing;
mod watch;

use napi_derive::napi;

/// The version of the package: `"0.1.0"`.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

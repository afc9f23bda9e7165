//! The C interface: `include/zoowarden.h` is made from this crate.
//!
//! What lives here: the surroundings that C needs - handles instead of references, codes instead of
//! errors, callbacks instead of futures. What does not: any knowledge of the protocol, which is the
//! core's. The head of the header states the rules for its users.
//!
//! Invariants: every entry that can fail goes through [`failure::guard`]; no C pointer outlives its call, but for
//! `user` pointers, which are only handed back; answers to blocking calls come straight from the
//! I/O task, so that a callback may make them.
//!
//! | thread | owns | who stops it |
//! |---|---|---|
//! | `zoowarden-cb`, one per client | the client's callbacks | the client's close |
//! | `zoowarden-io` | see `zoowarden::bridge` | the end of the process |

mod answer;
mod call;
mod callbacks;
mod client;
mod code;
mod failure;
mod handle;
mod input;
mod node;
mod options;
mod read;
mod recipes;
mod session;
mod signals;
mod transaction;
mod watch;
mod write;

pub use answer::*;
pub use call::zoowarden_completion;
pub use client::*;
pub use code::*;
pub use failure::*;
pub use input::ZOOWARDEN_FOREVER;
pub use node::*;
pub use options::*;
pub use read::*;
pub use recipes::*;
pub use session::*;
pub use transaction::*;
pub use watch::*;
pub use write::*;

/// The version of this library as a NUL-terminated string with static lifetime: `"0.1.0"`.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_version() -> *const std::ffi::c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

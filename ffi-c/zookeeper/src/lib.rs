//! `libzookeeper_mt.so.2`: the C interface that programs written for Apache ZooKeeper were linked
//! with, over zoowarden's client.
//!
//! What lives here: ZooKeeper's names, layouts and threading, and nothing of the protocol. What does
//! not: zoowarden's own C interface, which is the crate above.
//!
//! ```text
//!   C ─▶ znodes, reading, multi, removal ─▶ handle ─▶ zoowarden::client
//!   C ◀─ deliver ◀─ queue (callback thread) ◀─ handle ◀─ (I/O thread)
//! ```
//!
//! Invariants: the exported symbols are those of Debian's library, `tests/symbols.txt`, and no
//! more; no panic reaches C; everything C frees comes from malloc.

#![allow(
    non_camel_case_types,
    non_snake_case,
    clippy::upper_case_acronyms,
    reason = "exported names and fields are ZooKeeper's"
)]

mod address;
mod calls;
mod codes;
mod constants;
mod deliver;
mod handle;
mod logging;
mod multi;
mod paths;
mod queue;
mod reading;
mod recordio;
mod records;
mod removal;
mod requests;
mod servers;
mod session;
mod watches;
mod znodes;

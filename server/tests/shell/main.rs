//! The shell as a program: `zoowarden shell`, one command at a time and many from standard input.
//!
//! What lives here: what users and scripts are promised, shown on the real binary. What does not:
//! parsing and printing alone, which are unit tests, and the comparison with zkCli.sh, which is
//! `cargo xtask shell`.
//!
//! `ZOOWARDEN_SHELL_SERVER=host:port` runs all of it against that server, Apache's say. Every test has
//! a chroot of its own.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, the functions they share included"
)]

mod archive;
mod commands;
mod data;
mod invocation;
mod prompt;
mod search;
mod support;
mod transfer;
mod watches;

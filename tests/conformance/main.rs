//! What a ZooKeeper client may rely on, shown on bytes: one test per promise of the design and per
//! rule of the protocol that has an edge, each against one server and against three.
//!
//! The servers run in this process, through the library's public API. Requests and replies are put
//! together and taken apart here, field by field, so that a mistake in the server's own encodings
//! cannot hide.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "what is not there fails the test, at the line that asked for it"
)]

mod support;

mod acl;
mod agreement;
mod auth;
mod containers_and_ttl;
mod create;
mod delete_and_set;
mod four_letter;
mod handshake;
mod hostile;
mod limits;
mod local_sessions;
mod multi;
mod operators;
mod ordering;
mod quotas;
mod reads;
mod reconfig;
mod sasl;
mod security;
mod sessions;
mod set_watches;
mod sync;
mod throttling;
mod unknown;
mod versions;
mod watches;

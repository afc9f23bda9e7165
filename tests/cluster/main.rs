//! Real processes on loopback: what users are promised when machines, disks and networks fail.
//!
//! What lives here: one file per kind of failure. Every test starts its own servers, waits for
//! conditions and never for time alone, and takes its turn, so that it has the machine for itself.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, the functions they share included"
)]

mod audit;
mod disk_full;
mod growth;
mod handover;
mod history;
mod http;
mod http_tls;
mod imported;
mod leader_kill;
mod leader_serves;
mod lost_data;
mod moved;
mod observer;
mod partition;
mod pause;
mod read_only;
mod reconfig;
mod restart;
mod restore;
mod secure_clients;
mod secure_servers;
mod security;
mod sessions;
mod single;

//! Real processes on loopback: what users are promised when machines, disks and networks fail.
//!
//! What lives here: one file per kind of failure. Every test starts its own servers, waits for
//! conditions and never for time alone, and takes its turn, so that it has the machine for itself.

mod disk_full;
mod handover;
mod leader_kill;
mod lost_data;
mod moved;
mod observer;
mod partition;
mod pause;
mod restart;
mod sessions;
mod single;

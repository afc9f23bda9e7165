//! Ensembles of real processes on loopback: what users are promised when machines fail.
//!
//! What lives here: one file per kind of failure. Every test starts its own servers, waits for
//! conditions and never for time alone, and takes its turn, so that it has the machine for itself.

mod handover;
mod leader_kill;
mod moved;
mod pause;
mod restart;
mod sessions;

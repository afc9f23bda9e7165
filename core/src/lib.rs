//! A coordination service that speaks ZooKeeper's client protocol, without a JVM.

#![forbid(unsafe_code)]

pub mod proto;

#[cfg(feature = "client")]
pub mod bridge;
#[cfg(any(feature = "client", feature = "server"))]
mod certificate_v1;
#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "client", feature = "server"))]
pub mod environment;
#[cfg(feature = "server")]
pub mod history;
#[cfg(feature = "server")]
pub mod metrics;
#[cfg(feature = "server")]
pub mod node;
#[cfg(feature = "server")]
mod raft;
#[cfg(feature = "client")]
pub mod recipes;
#[cfg(feature = "server")]
mod replica;
#[cfg(any(feature = "client", feature = "server"))]
mod sasl;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod session;
#[cfg(feature = "server")]
pub mod storage;
#[cfg(feature = "server")]
pub mod testing;
#[cfg(feature = "server")]
mod tls;
#[cfg(feature = "server")]
pub mod tree;
#[cfg(feature = "server")]
mod watch;
#[cfg(feature = "server")]
pub mod zookeeper_files;

#[cfg(feature = "client")]
pub use client::{
    Client, ClientConfig, ConnectString, CreateMode, CreateOptions, Created, Error, Stat, State,
    Transaction, Version, WatchEvent, Watcher,
};

//! The harness shared by every suite: a raw client, ensembles of real processes, proxies between
//! them, and a load that keeps books.

#![forbid(unsafe_code)]

pub mod certificates;
pub mod client;
pub mod ensemble;
pub mod http;
pub mod load;
pub mod operations;
pub mod picture;
pub mod process;
pub mod proxy;
pub mod wait;

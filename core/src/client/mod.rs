//! The client.
pub mod tls;

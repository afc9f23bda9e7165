//! TLS as the server speaks it: with clients, and with the other servers.
//!
//! What lives here: reading key and trust stores (`store`, `jks`), who is trusted (`verify`), what
//! is shown and asked for, and its renewal while the server runs (`credentials`), handshakes on
//! streams (`transport`), and subjects' names as Java prints them (`name`). What does not: the
//! spelling of settings, which is the configuration's; limits on connections, which are the
//! listener's; the client's own TLS, which trusts other things; certificates of X.509's first
//! version, which are `certificate_v1`'s.
//!
//! Invariants: [`Credentials`] that exist can be used, and stay in use until newer ones can be; a
//! session of TLS is never resumed, so whoever connects shows its certificate every time; a
//! certificate is never looked at before the other side has proved that it holds the key.

mod credentials;
mod jks;
mod name;
mod settings;
mod store;
#[cfg(test)]
mod store_test;
mod transport;
mod verify;
#[cfg(test)]
mod verify_test;

pub(crate) use credentials::{Credentials, Renewal, cipher_suites};
pub(crate) use name::java_name;
pub use settings::{
    ClientAuth, HANDSHAKES_MAX, QuorumTls, Secret, Store, StoreKind, StorePassword, TlsSettings,
    Transport, Versions,
};
pub use store::TlsError;
pub(crate) use transport::{Accept, SecureNet};
pub(crate) use verify::{is_for_host, subject};

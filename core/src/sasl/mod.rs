//! SASL between a client and a server: the mechanism DIGEST-MD5, both halves.
//!
//! What lives here: the directives that the tokens consist of (`directives`), the hashes of them
//! (`response`), what a server makes of tokens ([`Exchange`]) and what a client answers ([`login`]).
//! What does not: frames, connections, who may do what, where users and random bytes come from.
//!
//! ```text
//!   client                                server
//!     "" ─────────────────────────────▶
//!        ◀──────────── realm, nonce, charset, algorithm
//!     username, …, cnonce, response ──▶   knows the password: so the client does
//!        ◀──────────────────── rspauth    knows the password: so the server does
//! ```
//!
//! Source: RFC 2831 as Java's `DigestMD5Server` reads it, which is what ZooKeeper uses; where the
//! two differ, Java's reading counts. The mechanism is old: it hides the password from who listens,
//! but who has listened can try passwords at home. Over TLS nobody listens.
//!
//! Invariants: silent; a token from outside never panics and makes nothing longer than itself; no
//! `Debug` prints a password; what is compared with a secret is compared in constant time.

mod directives;
#[cfg(feature = "server")]
mod exchange;
#[cfg(feature = "client")]
pub(crate) mod login;
mod response;

use std::fmt;

#[cfg(feature = "server")]
pub(crate) use exchange::{Exchange, NONCE_BYTES, Outcome};

/// The protocol, which is the first half of every digest-uri.
const SERVICE: &str = "zookeeper";

/// The realm, and the host in every digest-uri, whatever the server is called.
const REALM: &str = "zk-sasl-md5";

/// The longest token that is read, bytes.
const TOKEN_BYTES_MAX: usize = 4096;

/// A password. Nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A password as its user types it.
    pub fn new(password: impl Into<String>) -> Password {
        Password(password.into())
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

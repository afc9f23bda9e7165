//! What a client is told before it starts.

use std::fmt;
use std::sync::Arc;

use crate::client::{ConnectString, SaslLogin, TlsConfig};
use crate::environment::{Net, Tcp};
use crate::proto::{PASSWORD_BYTES, SessionId};

/// Where a client stands with its session.
///
/// ```text
///   Connecting ─▶ Connected | ConnectedReadOnly ◀─▶ Suspended
///        └─────────────┴──────────────────────────────┴─▶ Expired | AuthFailed | Closed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No session yet.
    Connecting,
    /// A server serves the session.
    Connected,
    /// A server without a quorum serves reads; writes answer NotReadOnly.
    ConnectedReadOnly,
    /// The connection is lost; the session may live on. Its ephemerals exist until the ensemble
    /// has not heard of it for the session timeout.
    Suspended,
    /// The session is gone with its ephemerals and watches.
    Expired,
    /// A credential was refused, or the server wants one that this client has not; servers close
    /// the connection then.
    AuthFailed,
    /// The client was closed.
    Closed,
}

impl State {
    /// Whether nothing more will happen, unless the client renews its session.
    pub fn is_over(self) -> bool {
        match self {
            State::Connecting | State::Connected | State::ConnectedReadOnly | State::Suspended => {
                false
            }
            State::Expired | State::AuthFailed | State::Closed => true,
        }
    }

    /// Whether requests are answered.
    pub fn is_connected(self) -> bool {
        matches!(self, State::Connected | State::ConnectedReadOnly)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Connecting => "connecting",
            State::Connected => "connected",
            State::ConnectedReadOnly => "connected read-only",
            State::Suspended => "suspended",
            State::Expired => "expired",
            State::AuthFailed => "authentication failed",
            State::Closed => "closed",
        })
    }
}

/// What follows when the session has expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExpiry {
    /// The client is over: every request answers SessionExpired.
    #[default]
    End,
    /// The client begins a new session: `Expired`, then `Connecting` and `Connected`. Watchers of
    /// the old session have ended, its ephemerals are gone; requests made before fail.
    Renew,
}

/// A function that hears of every state, in order with replies and events. It runs on the I/O task
/// and must not block.
pub type StateSink = Arc<dyn Fn(State) + Send + Sync>;

/// How a client connects. [`ClientConfig::default`] is a server of this machine, a session of ten
/// seconds.
#[derive(Clone)]
pub struct ClientConfig {
    /// Servers and chroot.
    pub hosts: ConnectString,
    /// The session timeout asked for, milliseconds. Servers hold it within 2 to 20 of their ticks.
    pub session_timeout_ms: u32,
    /// A session to attach to, by id and password, instead of opening one.
    pub session: Option<(SessionId, [u8; PASSWORD_BYTES])>,
    /// Whether a server without a quorum will do, for reads.
    pub read_only: bool,
    /// Whether the servers are tried in random order, so that the clients of a fleet spread.
    pub shuffle: bool,
    /// What follows when the session has expired.
    pub on_expiry: OnExpiry,
    /// Credentials shown on every connection: scheme, and what it takes (`user:password`).
    pub auth: Vec<(String, Vec<u8>)>,
    /// Who the client is by SASL, proven on every connection before anything else is sent; `None`
    /// for nobody. If a server refuses, or cannot prove that it knows the password too, the client
    /// ends: [`State::AuthFailed`].
    pub sasl: Option<SaslLogin>,
    /// Who hears of states.
    pub on_state: Option<StateSink>,
    /// How connections are secured; `None` for not at all.
    pub tls: Option<TlsConfig>,
    /// How connections are made: TCP, or a node of this process.
    pub net: Arc<dyn Net>,
    /// The longest reply taken, bytes. A longer one ends the connection.
    pub reply_bytes_max: usize,
    /// The longest request sent, bytes; a longer one fails at once. Servers take
    /// `jute.maxbuffer`, 1,048,575 unless set otherwise, and close the connection beyond it.
    pub request_bytes_max: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            hosts: ConnectString::default(),
            session_timeout_ms: 10_000,
            session: None,
            read_only: false,
            shuffle: true,
            on_expiry: OnExpiry::End,
            auth: Vec::new(),
            sasl: None,
            on_state: None,
            tls: None,
            net: Arc::new(Tcp { keep_alive: true }),
            reply_bytes_max: 256 << 20,
            request_bytes_max: 1_048_575,
        }
    }
}

impl ClientConfig {
    /// The default, for other servers.
    pub fn new(hosts: ConnectString) -> ClientConfig {
        ClientConfig {
            hosts,
            ..ClientConfig::default()
        }
    }
}

/// Secrets stay out.
impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes: Vec<_> = self.auth.iter().map(|(scheme, _)| scheme).collect();
        f.debug_struct("ClientConfig")
            .field("hosts", &self.hosts)
            .field("session_timeout_ms", &self.session_timeout_ms)
            .field("session", &self.session.map(|(id, _)| id))
            .field("read_only", &self.read_only)
            .field("shuffle", &self.shuffle)
            .field("on_expiry", &self.on_expiry)
            .field("auth", &schemes)
            .field("sasl", &self.sasl)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

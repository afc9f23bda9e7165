//! What `ssl.*` and `ssl.quorum.*` can say, as plain data.

use std::fmt;
use std::path::PathBuf;

/// How TLS is spoken on one kind of port: with clients, or between servers.
///
/// The name in brackets is the end of the setting, behind `ssl.` or `ssl.quorum.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Our certificate and its key [`keyStore.*`].
    pub key_store: Store,
    /// Whom we trust [`trustStore.*`]. Always there when certificates of others are asked for.
    pub trust_store: Option<Store>,
    /// Whether the side that connects must show a certificate [`clientAuth`].
    pub client_auth: ClientAuth,
    /// TLS 1.2 and 1.3, or one of them [`enabledProtocols`, `protocol`].
    pub versions: Versions,
    /// The cipher suites that may be used, by their names in Java [`ciphersuites`]; `None`: all.
    pub cipher_suites: Option<Vec<String>>,
    /// Check that a server we connect to shows a certificate of its host
    /// [`hostnameVerification`].
    pub server_hostname_verification: bool,
    /// Check that whoever connects shows a certificate of its host; a client of its address
    /// [`clientHostnameVerification`, if `hostnameVerification` is on as well].
    pub client_hostname_verification: bool,
    /// Read the files again when they change [`client.certReload`, `sslQuorumReloadCertFiles`].
    pub reload: bool,
    /// How long a connection may take to show whether it speaks TLS, and to shake hands, in
    /// milliseconds [`handshakeDetectionTimeoutMillis`].
    pub handshake_ms_max: u32,
    /// Handshakes in progress at once; beyond it connections are closed
    /// [`zookeeper.netty.server.outstandingHandshake.limit`].
    pub handshakes_max: u32,
}

/// Handshakes in progress at once, unless the configuration says otherwise. Each costs about a
/// millisecond of a processor, and 40 KiB of memory.
pub const HANDSHAKES_MAX: u32 = 256;

impl TlsSettings {
    /// ZooKeeper's defaults for clients: whoever connects must show a certificate that
    /// `trust_store` leads to, from whatever host.
    pub fn new(key_store: Store, trust_store: Option<Store>) -> TlsSettings {
        TlsSettings {
            key_store,
            trust_store,
            client_auth: ClientAuth::Need,
            versions: Versions::Both,
            cipher_suites: None,
            server_hostname_verification: true,
            client_hostname_verification: false,
            reload: false,
            handshake_ms_max: 5_000,
            handshakes_max: HANDSHAKES_MAX,
        }
    }
}

/// TLS between servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumTls {
    /// Keys, trust and rules [`ssl.quorum.*`].
    pub settings: TlsSettings,
    /// Speak TLS with the servers we connect to [`sslQuorum`].
    pub connect: bool,
    /// Accept servers without TLS as well, while an ensemble changes over [`portUnification`].
    pub accept_plain: bool,
}

/// A file of keys or certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The setting that names it as errors call it, with its place:
    /// `zoo.cfg:12: ssl.keyStore.location`.
    pub setting: String,
    /// The file.
    pub location: PathBuf,
    /// Its format.
    pub kind: StoreKind,
    /// What it is encrypted with.
    pub password: StorePassword,
}

/// The format of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Text with `-----BEGIN ...-----` blocks.
    Pem,
    /// PKCS#12. Java calls it JKS as well and reads either format under either name; so do we.
    Java,
}

/// What a store is encrypted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePassword {
    /// Nothing.
    None,
    /// The password itself [`*.password`].
    Text(Secret),
    /// A file that holds it [`*.passwordPath`], read whenever the store is.
    File(PathBuf),
}

/// A text that neither errors nor `Debug` show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whether the side that connects must show a certificate. One that is shown must be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// It must.
    Need,
    /// It may.
    Want,
    /// It is not asked.
    None,
}

/// Versions of the protocol. Older ones than these are not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    Both,
    /// 1.2 alone.
    Tls12,
    /// 1.3 alone.
    Tls13,
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// No TLS.
    Plain,
    /// TLS alone.
    Tls,
    /// Either, told apart by how a connection begins.
    Either,
}

//! The configuration of a server: everything it needs to start, parsed and checked.
//!
//! What lives here: [`Config`] (plain data), the syntax of zoo.cfg (`properties`), `-D` settings
//! (`system`), the table of every setting ZooKeeper has (`keys`), the rules between settings
//! (`resolve`; for identities `security`, with Java's login file in `jaas`), the list of servers (`ensemble`), and the one file that reads files (`load`).
//! What does not: name resolution, listeners, arguments, the environment; the binary reads those.
//!
//! Invariants: a [`Config`] that was built here is consistent, so a server never checks it again;
//! a setting that changes nothing is named in a warning, never dropped in silence; secrets are
//! printed by neither errors nor `Debug`.

mod endpoints;
mod ensemble;
mod error;
mod jaas;
mod keys;
mod load;
mod membership;
mod overrides;
mod properties;
mod record;
mod resolve;
mod security;
mod setting;
mod system;
#[cfg(test)]
mod tests;
mod throttling;
mod tls;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;

pub use endpoints::{AdminSettings, EndpointTls, MetricsSettings};
pub use ensemble::{Ensemble, HostPort, Member, Role, ServerId};
pub use error::ConfigError;
pub use load::load;
pub use overrides::Overrides;
pub use record::{AuditSettings, HistorySettings};
pub use resolve::{Loaded, Sources, TextFile, resolve};
pub use security::SecuritySettings;
pub use system::SystemProperties;
pub use throttling::{ConnectionThrottle, LargeRequests, RequestThrottle};

pub use crate::replica::DigestAlgorithm;
pub use crate::sasl::Password;

use super::four_letter::WordList;
pub use crate::tls::{
    ClientAuth, HANDSHAKES_MAX, QuorumTls, Secret, Store, StoreKind, StorePassword, TlsError,
    TlsSettings, Transport, Versions,
};

/// The port that ZooKeeper's clients expect.
pub const DEFAULT_CLIENT_PORT: u16 = 2181;

/// Everything a server needs to start. [`Config::default`] is a single server without a file:
/// data in `./data`, clients on 127.0.0.1:2181.
///
/// The name in brackets is the setting as zoo.cfg or `-D` spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Snapshots, and the log too unless it has its own place [`dataDir`].
    pub data_dir: PathBuf,
    /// The log [`dataLogDir`].
    pub log_dir: PathBuf,
    /// Create missing directories [`zookeeper.datadir.autocreate`].
    pub data_dir_autocreate: bool,
    /// Where clients connect [`clientPort`, `clientPortAddress`, or the `server.N` line; without
    /// any of them `secureClientPort`].
    pub client_address: HostPort,
    /// What is spoken there; other than plain needs `client_tls` [`client.portUnification`].
    pub client_transport: Transport,
    /// Where clients connect with TLS besides; needs `client_tls` [`secureClientPort`,
    /// `secureClientPortAddress`].
    pub secure_client_address: Option<HostPort>,
    /// TLS with clients [`ssl.*`].
    pub client_tls: Option<TlsSettings>,
    /// The owner of a certificate who may do everything
    /// [`zookeeper.X509AuthenticationProvider.superUser`].
    pub x509_super_user: Option<String>,
    /// TLS between servers; `None`: nobody speaks it [`sslQuorum`, `portUnification`].
    pub quorum_tls: Option<QuorumTls>,
    /// Connections that the operating system queues for us [`clientPortListenBacklog`];
    /// `None`: its default.
    pub client_port_listen_backlog: Option<NonZeroU32>,
    /// Keepalive probes on client connections [`zookeeper.clientTcpKeepAlive`].
    pub client_tcp_keep_alive: bool,
    /// The unit of the time limits below [`tickTime`].
    pub tick_ms: u32,
    /// Time for a follower to connect and catch up, as `conf` shows it: replication goes by
    /// `tick_ms` alone [`initLimit`].
    pub init_limit_ticks: u32,
    /// How far a follower may lag, as `conf` shows it [`syncLimit`].
    pub sync_limit_ticks: u32,
    /// Shorter session timeouts are raised to this [`minSessionTimeout`].
    pub session_timeout_ms_min: u32,
    /// Longer session timeouts are cut to this [`maxSessionTimeout`].
    pub session_timeout_ms_max: u32,
    /// Client connections from one address [`maxClientCnxns`]; `None`: no limit.
    pub client_cnxns_per_ip_max: Option<NonZeroU32>,
    /// Client connections in all [`zookeeper.maxCnxns`]; `None`: no limit.
    pub cnxns_max: Option<NonZeroU32>,
    /// Time for a new connection to open its session
    /// [`zookeeper.nio.sessionlessCnxnTimeout`].
    pub sessionless_cnxn_timeout_ms: u32,
    /// Requests in work before clients are read more slowly [`zookeeper.globalOutstandingLimit`].
    pub global_outstanding_limit: u32,
    /// The largest request [`jute.maxbuffer`].
    pub jute_maxbuffer_bytes: u32,
    /// Changes between two snapshots [`zookeeper.snapCount`].
    pub snap_count: u32,
    /// Bytes of log between two snapshots, in KiB [`zookeeper.snapSizeLimitInKb`]; `None`: only
    /// their number counts.
    pub snap_size_limit_kb: Option<u64>,
    /// By how much the log file grows ahead of its content, in KiB [`zookeeper.preAllocSize`];
    /// 0: not at all.
    pub pre_alloc_size_kb: u64,
    /// A slower flush of the log is worth a line in our log [`zookeeper.fsync.warningthresholdms`].
    pub fsync_warning_threshold_ms: u32,
    /// Snapshots to keep [`autopurge.snapRetainCount`], 3 or more.
    pub autopurge_snap_retain_count: u32,
    /// The four-letter words that are answered [`zookeeper.4lw.commands.whitelist`].
    pub four_letter_words: WordList,
    /// TTL znodes.
    pub ttl: TtlSettings,
    /// Removal of empty containers and expired TTL znodes.
    pub container: ContainerSettings,
    /// Check no ACL at all [`zookeeper.skipACL`].
    pub skip_acl: bool,
    /// The `digest` authentication scheme.
    pub digest: DigestSettings,
    /// SASL, and who clients must prove to be.
    pub security: SecuritySettings,
    /// Refuse writes beyond a hard quota [`zookeeper.enforceQuota`].
    pub enforce_quota: bool,
    /// Serve reads without a quorum [`readonlymode.enabled`].
    pub read_only_mode_enabled: bool,
    /// Sessions that only one server knows.
    pub local_sessions: LocalSessions,
    /// The leader of an ensemble serves clients, too [`zookeeper.leaderServes`].
    pub leader_serves: bool,
    /// How requests wait while too many are in work.
    pub request_throttle: RequestThrottle,
    /// Large requests, whose bytes in work have a limit of their own.
    pub large_requests: LargeRequests,
    /// At which rate new connections are taken in.
    pub connection_throttle: ConnectionThrottle,
    /// The HTTP endpoint of commands.
    pub admin: AdminSettings,
    /// The change history.
    pub history: HistorySettings,
    /// The audit log.
    pub audit: AuditSettings,
    /// The HTTP endpoint of metrics.
    pub metrics: MetricsSettings,
    /// The text of zoo.cfg, for operators to see; secrets are left out.
    pub initial_configuration: String,
    /// Changing the ensemble while it runs.
    pub reconfig: ReconfigSettings,
    /// The other servers; `None`: this one is alone.
    pub ensemble: Option<Ensemble>,
}

/// Changing the ensemble while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReconfigSettings {
    /// Allow it [`reconfigEnabled`].
    pub enabled: bool,
    /// A single voter may remain [`standaloneEnabled`, which must be false for that].
    pub single_voter: bool,
    /// The zoo.cfg that is kept up to date; `None`: there is none.
    pub file: Option<PathBuf>,
    /// The file that lists the servers in its stead [`dynamicConfigFile`].
    pub dynamic_file: Option<PathBuf>,
}

/// TTL znodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TtlSettings {
    /// Allow them [`zookeeper.extendedTypesEnabled`].
    pub extended_types_enabled: bool,
    /// Take no server id that version 3.5.3 would misread [`zookeeper.emulate353TTLNodes`].
    pub emulate_353_ttl_nodes: bool,
}

/// Sessions that only the server knows which a client is connected to, in an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalSessions {
    /// New sessions are such [`localSessionsEnabled`].
    pub enabled: bool,
    /// One that creates an ephemeral becomes known to all servers
    /// [`localSessionsUpgradingEnabled`].
    pub upgrading_enabled: bool,
}

/// Removal of empty containers and expired TTL znodes, by the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerSettings {
    /// Time between two searches [`znode.container.checkIntervalMs`].
    pub check_interval_ms: u32,
    /// How many may be removed per minute [`znode.container.maxPerMinute`].
    pub per_minute_max: u32,
    /// Age at which a container that never had a child goes too
    /// [`znode.container.maxNeverUsedIntervalMs`]; `None`: it stays, as up to ZooKeeper 3.9.
    pub never_used_interval_ms_max: Option<u32>,
}

/// The `digest` authentication scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestSettings {
    /// Offer the scheme [`zookeeper.DigestAuthenticationProvider.enabled`].
    pub enabled: bool,
    /// Who may do everything [`zookeeper.DigestAuthenticationProvider.superDigest`].
    pub super_digest: Option<SuperDigest>,
    /// How passwords are hashed [`zookeeper.DigestAuthenticationProvider.digestAlg`].
    pub algorithm: DigestAlgorithm,
}

/// `super:` and the hashed password of the superuser. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct SuperDigest(pub String);

impl fmt::Debug for SuperDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SuperDigest(..)")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            log_dir: PathBuf::from("data"),
            data_dir_autocreate: true,
            client_address: HostPort::new("127.0.0.1", DEFAULT_CLIENT_PORT),
            client_transport: Transport::Plain,
            secure_client_address: None,
            client_tls: None,
            x509_super_user: None,
            quorum_tls: None,
            client_port_listen_backlog: None,
            client_tcp_keep_alive: false,
            tick_ms: 3_000,
            init_limit_ticks: 10,
            sync_limit_ticks: 5,
            session_timeout_ms_min: 6_000,
            session_timeout_ms_max: 60_000,
            client_cnxns_per_ip_max: NonZeroU32::new(60),
            cnxns_max: None,
            sessionless_cnxn_timeout_ms: 10_000,
            global_outstanding_limit: 1_000,
            jute_maxbuffer_bytes: 0xf_ffff,
            snap_count: 100_000,
            snap_size_limit_kb: Some(4_194_304),
            pre_alloc_size_kb: 65_536,
            fsync_warning_threshold_ms: 1_000,
            autopurge_snap_retain_count: 3,
            four_letter_words: WordList::default(),
            ttl: TtlSettings::default(),
            container: ContainerSettings::default(),
            skip_acl: false,
            digest: DigestSettings::default(),
            security: SecuritySettings::default(),
            enforce_quota: false,
            read_only_mode_enabled: false,
            local_sessions: LocalSessions::default(),
            leader_serves: true,
            request_throttle: RequestThrottle::default(),
            large_requests: LargeRequests::default(),
            connection_throttle: ConnectionThrottle::default(),
            admin: AdminSettings::default(),
            history: HistorySettings::default(),
            audit: AuditSettings::default(),
            metrics: MetricsSettings::default(),
            initial_configuration: String::new(),
            reconfig: ReconfigSettings::default(),
            ensemble: None,
        }
    }
}

impl Default for ContainerSettings {
    fn default() -> Self {
        Self {
            check_interval_ms: 60_000,
            per_minute_max: 10_000,
            never_used_interval_ms_max: None,
        }
    }
}

impl Default for DigestSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            super_digest: None,
            algorithm: DigestAlgorithm::Sha1,
        }
    }
}

//! The table of every setting that ZooKeeper has: where it may be written, what becomes of it.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::endpoints;
use super::record;
use super::resolve::Draft;
use super::security;
use super::setting::{Parsed, Setting, boolean, hours, limit, port, text, u32_from, whole, yes_no};
use super::throttling::{self, share};
use super::{DigestAlgorithm, SuperDigest, tls};
use crate::server::four_letter::WordList;

/// Which spellings ZooKeeper reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `key` in zoo.cfg; nothing as `-D`.
    File,
    /// `key` in zoo.cfg, or `-Dzookeeper.key`; the file wins, because ZooKeeper exports it.
    Both,
    /// `-Dkey`. ZooKeeper exports `key` of zoo.cfg under a name that nobody reads; operators write
    /// it there all the same, so we take it from there too, unless `-D` gives it.
    Bare,
}

/// What becomes of a setting.
#[derive(Clone, Copy)]
pub(super) enum Treatment {
    /// It sets a field of the configuration.
    Set(fn(&mut Draft, &str) -> Parsed<()>),
    /// One of many whose names begin alike; each sets something of its own.
    Family(fn(&mut Draft, &Setting) -> Parsed<()>),
    /// Nothing here corresponds to it. The check refuses what ZooKeeper refuses.
    NoMeaning(fn(&str) -> Parsed<()>),
    /// What it asks for is not there yet; asking for one of these values changes nothing.
    NotYet(&'static [&'static str]),
    /// Read by the rules between settings: `server.N` and `dynamicConfigFile`.
    Structural,
}

/// One row of the table. A name that ends in `*` stands for all that begin so.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) treatment: Treatment,
}

/// The row of `name` among the keys that zoo.cfg may hold or `-D` may set.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    let exact = KEYS.iter().find(|key| key.name == name);
    exact.or_else(|| {
        KEYS.iter().find(|key| {
            key.name
                .strip_suffix('*')
                .is_some_and(|p| name.starts_with(p))
        })
    })
}

/// The row of a name that only differs in case or by the prefix, for a hint.
pub(super) fn find_similar(name: &str) -> Option<&'static Key> {
    let bare = name.strip_prefix("zookeeper.").unwrap_or(name);
    find(bare).or_else(|| KEYS.iter().find(|key| key.name.eq_ignore_ascii_case(bare)))
}

const ANY: Treatment = Treatment::NoMeaning(|_| Ok(()));
const OFF: &[&str] = &["false"];
const MS: &str = "a whole number of milliseconds";
const BYTES: &str = "a whole number of bytes";
const TICKS: &str = "a whole number of ticks";
const COUNT: &str = "a whole number";
const CONNECTIONS: &str = "a whole number of connections";

fn no_other_quorums() -> Parsed<()> {
    Err("expected none: a quorum is a majority of the participants here".to_owned())
}

const fn file(name: &'static str, treatment: Treatment) -> Key {
    Key {
        name,
        place: Place::File,
        treatment,
    }
}

const fn both(name: &'static str, treatment: Treatment) -> Key {
    Key {
        name,
        place: Place::Both,
        treatment,
    }
}

const fn bare(name: &'static str, treatment: Treatment) -> Key {
    Key {
        name,
        place: Place::Bare,
        treatment,
    }
}

use Treatment::{Family, NoMeaning, NotYet, Set, Structural};

static KEYS: &[Key] = &[
    // Places, ports, times and limits.
    file("dataDir", Set(|d, v| put_path(&mut d.data_dir, v))),
    file("dataLogDir", Set(|d, v| put_path(&mut d.log_dir, v))),
    file(
        "clientPort",
        Set(|d, v| put(&mut d.client_port, port_or_none(v))),
    ),
    file(
        "clientPortAddress",
        Set(|d, v| put_some(&mut d.client_host, text(v, "a host name"))),
    ),
    file(
        "tickTime",
        Set(|d, v| put(&mut d.config.tick_ms, u32_from(v, 1, MS))),
    ),
    file(
        "initLimit",
        Set(|d, v| put_some(&mut d.init_limit_ticks, u32_from(v, 1, TICKS))),
    ),
    file(
        "syncLimit",
        Set(|d, v| put_some(&mut d.sync_limit_ticks, u32_from(v, 1, TICKS))),
    ),
    file(
        "minSessionTimeout",
        Set(|d, v| put(&mut d.session_timeout_ms_min, timeout(v))),
    ),
    file(
        "maxSessionTimeout",
        Set(|d, v| put(&mut d.session_timeout_ms_max, timeout(v))),
    ),
    file(
        "maxClientCnxns",
        Set(|d, v| put(&mut d.config.client_cnxns_per_ip_max, limit(v, CONNECTIONS))),
    ),
    file(
        "clientPortListenBacklog",
        Set(|d, v| put(&mut d.config.client_port_listen_backlog, backlog(v))),
    ),
    file("autopurge.snapRetainCount", Set(snap_retain_count)),
    file("autopurge.purgeInterval", Set(purge_interval)),
    both(
        "maxCnxns",
        Set(|d, v| put(&mut d.config.cnxns_max, limit(v, CONNECTIONS))),
    ),
    both(
        "clientTcpKeepAlive",
        Set(|d, v| put(&mut d.config.client_tcp_keep_alive, boolean(v))),
    ),
    both(
        "nio.sessionlessCnxnTimeout",
        Set(|d, v| {
            put(
                &mut d.config.sessionless_cnxn_timeout_ms,
                u32_from(v, 1, MS),
            )
        }),
    ),
    both("globalOutstandingLimit", Set(global_outstanding_limit)),
    bare(
        "jute.maxbuffer",
        Set(|d, v| put(&mut d.config.jute_maxbuffer_bytes, u32_from(v, 1, BYTES))),
    ),
    both(
        "jute.maxbuffer.extrasize",
        NoMeaning(|v| u32_from(v, 0, BYTES).map(drop)),
    ),
    // The ensemble.
    file("server.*", Structural),
    file("dynamicConfigFile", Structural),
    file(
        "peerType",
        Set(|d, v| put_some(&mut d.peer_type, v.parse())),
    ),
    file(
        "standaloneEnabled",
        Set(|d, v| put(&mut d.standalone_enabled, boolean(v))),
    ),
    file(
        "quorumListenOnAllIPs",
        Set(|d, v| put(&mut d.quorum_listen_on_all_ips, boolean(v))),
    ),
    // Storage.
    both("snapCount", Set(snap_count)),
    both("snapSizeLimitInKb", Set(snap_size_limit)),
    both("preAllocSize", Set(pre_alloc_size)),
    both("forceSync", Set(force_sync)),
    both(
        "datadir.autocreate",
        Set(|d, v| put(&mut d.config.data_dir_autocreate, boolean(v))),
    ),
    both(
        "fsync.warningthresholdms",
        Set(|d, v| put(&mut d.config.fsync_warning_threshold_ms, u32_from(v, 0, MS))),
    ),
    // Znodes, identities, words.
    both(
        "extendedTypesEnabled",
        Set(|d, v| put(&mut d.config.ttl.extended_types_enabled, boolean(v))),
    ),
    both("emulate353TTLNodes", Set(emulate_353)),
    bare(
        "znode.container.checkIntervalMs",
        Set(|d, v| {
            put(
                &mut d.config.container.check_interval_ms,
                u32_from(v, 1, MS),
            )
        }),
    ),
    bare(
        "znode.container.maxPerMinute",
        Set(|d, v| {
            put(
                &mut d.config.container.per_minute_max,
                u32_from(v, 1, "a whole number"),
            )
        }),
    ),
    bare(
        "znode.container.maxNeverUsedIntervalMs",
        Set(never_used_interval),
    ),
    both(
        "enforceQuota",
        Set(|d, v| put(&mut d.config.enforce_quota, boolean(v))),
    ),
    both(
        "skipACL",
        Set(|d, v| put(&mut d.config.skip_acl, yes_no(v))),
    ),
    both(
        "DigestAuthenticationProvider.enabled",
        Set(|d, v| put(&mut d.config.digest.enabled, boolean(v))),
    ),
    both(
        "DigestAuthenticationProvider.superDigest",
        Set(super_digest),
    ),
    both(
        "DigestAuthenticationProvider.digestAlg",
        Set(digest_algorithm),
    ),
    both("4lw.commands.whitelist", Set(word_list)),
    bare(
        "readonlymode.enabled",
        Set(|d, v| put(&mut d.config.read_only_mode_enabled, boolean(v))),
    ),
    // Modes of service.
    file(
        "localSessionsEnabled",
        Set(|d, v| put(&mut d.config.local_sessions.enabled, boolean(v))),
    ),
    file(
        "localSessionsUpgradingEnabled",
        Set(|d, v| put(&mut d.config.local_sessions.upgrading_enabled, boolean(v))),
    ),
    both("leaderServes", Set(leader_serves)),
    // Holding clients back. Each has two names: ZooKeeper's documentation calls them otherwise in
    // zoo.cfg than its code reads them.
    both(
        "request_throttle_max_requests",
        Set(throttling::requests_max),
    ),
    both("requestThrottleLimit", Set(throttling::requests_max)),
    both(
        "request_throttle_stall_time",
        Set(|d, v| put(&mut d.config.request_throttle.stall_ms, u32_from(v, 1, MS))),
    ),
    both(
        "requestThrottleStallTime",
        Set(|d, v| put(&mut d.config.request_throttle.stall_ms, u32_from(v, 1, MS))),
    ),
    both(
        "request_throttle_drop_stale",
        Set(|d, v| put(&mut d.config.request_throttle.drop_stale, boolean(v))),
    ),
    both(
        "requestThrottleDropStale",
        Set(|d, v| put(&mut d.config.request_throttle.drop_stale, boolean(v))),
    ),
    both(
        "request_stale_connection_check",
        Set(|d, v| {
            put(
                &mut d.config.request_throttle.stale_connection_check,
                boolean(v),
            )
        }),
    ),
    both(
        "requestStaleConnectionCheck",
        Set(|d, v| {
            put(
                &mut d.config.request_throttle.stale_connection_check,
                boolean(v),
            )
        }),
    ),
    both(
        "request_stale_latency_check",
        Set(|d, v| {
            put(
                &mut d.config.request_throttle.stale_latency_check,
                boolean(v),
            )
        }),
    ),
    both(
        "requestStaleLatencyCheck",
        Set(|d, v| {
            put(
                &mut d.config.request_throttle.stale_latency_check,
                boolean(v),
            )
        }),
    ),
    both("throttled_op_wait_time", Set(throttling::throttled_op_wait)),
    both("largeRequestThreshold", Set(throttling::large_threshold)),
    both("largeRequestMaxBytes", Set(throttling::large_bytes_max)),
    both(
        "connection_throttle_tokens",
        Set(throttling::connection_tokens),
    ),
    both("connectionMaxTokens", Set(throttling::connection_tokens)),
    both(
        "connection_throttle_fill_time",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.fill_ms,
                u32_from(v, 1, MS),
            )
        }),
    ),
    both(
        "connectionTokenFillTime",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.fill_ms,
                u32_from(v, 1, MS),
            )
        }),
    ),
    both(
        "connection_throttle_fill_count",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.fill_count,
                u32_from(v, 1, COUNT),
            )
        }),
    ),
    both(
        "connectionTokenFillCount",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.fill_count,
                u32_from(v, 1, COUNT),
            )
        }),
    ),
    both(
        "connection_throttle_freeze_time",
        Set(throttling::freeze_time),
    ),
    both("connectionFreezeTime", Set(throttling::freeze_time)),
    both(
        "connection_throttle_drop_increase",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.drop_increase_millionths,
                share(v),
            )
        }),
    ),
    both(
        "connectionDropIncrease",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.drop_increase_millionths,
                share(v),
            )
        }),
    ),
    both(
        "connection_throttle_drop_decrease",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.drop_decrease_millionths,
                share(v),
            )
        }),
    ),
    both(
        "connectionDropDecrease",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.drop_decrease_millionths,
                share(v),
            )
        }),
    ),
    both(
        "connection_throttle_decrease_ratio",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.decrease_ratio_millionths,
                share(v),
            )
        }),
    ),
    both(
        "connectionDecreaseRatio",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.decrease_ratio_millionths,
                share(v),
            )
        }),
    ),
    both(
        "connection_throttle_weight_enabled",
        Set(|d, v| put(&mut d.config.connection_throttle.weight_enabled, boolean(v))),
    ),
    both(
        "connection_throttle_global_session_weight",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.global_session_weight,
                u32_from(v, 1, COUNT),
            )
        }),
    ),
    both(
        "connection_throttle_local_session_weight",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.local_session_weight,
                u32_from(v, 1, COUNT),
            )
        }),
    ),
    both(
        "connection_throttle_renew_session_weight",
        Set(|d, v| {
            put(
                &mut d.config.connection_throttle.renew_session_weight,
                u32_from(v, 1, COUNT),
            )
        }),
    ),
    both("request_throttler.shutdownTimeout", ANY),
    // The HTTP endpoints.
    both("admin.enableServer", Set(endpoints::admin_enabled)),
    both("admin.serverAddress", Set(endpoints::admin_host)),
    both("admin.serverPort", Set(endpoints::admin_port)),
    both("admin.commandURL", Set(endpoints::command_url)),
    both("admin.idleTimeout", Set(endpoints::idle_timeout)),
    both("admin.rateLimiterIntervalInMS", Set(endpoints::rate_limit)),
    both("admin.snapshot.enabled", Set(endpoints::snapshot_enabled)),
    both("admin.restore.enabled", Set(endpoints::restore_enabled)),
    both("admin.portUnification", Set(endpoints::port_unification)),
    both("admin.forceHttps", Set(endpoints::force_https)),
    both("admin.needClientAuth", Set(endpoints::need_client_auth)),
    both("admin.httpVersion", ANY),
    file(
        "metricsProvider.className",
        Set(endpoints::metrics_provider),
    ),
    file("metricsProvider.httpHost", Set(endpoints::metrics_host)),
    file("metricsProvider.httpPort", Set(endpoints::metrics_port)),
    file(
        "metricsProvider.httpsPort",
        Set(endpoints::metrics_https_port),
    ),
    file("metricsProvider.ssl.*", Family(tls::apply_of_metrics)),
    both("admin.*", NotYet(OFF)),
    // What a server records of what it did.
    file("zoowarden.history.enabled", record::ENABLED),
    file("zoowarden.history.maxAge", record::AGE_MAX),
    file("zoowarden.history.maxSizeMb", record::SIZE_MB_MAX),
    file(
        "zoowarden.history.maxEntriesPerSecond",
        record::ENTRIES_PER_SECOND_MAX,
    ),
    file("zoowarden.history.maxValueBytes", record::VALUE_BYTES_MAX),
    file("zoowarden.audit.file", record::AUDIT_FILE),
    // TLS.
    file(
        "secureClientPort",
        Set(|d, v| put(&mut d.tls.secure_port, port_or_none(v))),
    ),
    file(
        "secureClientPortAddress",
        Set(|d, v| put_some(&mut d.tls.secure_host, text(v, "a host name"))),
    ),
    file("sslQuorum", Set(|d, v| put(&mut d.tls.quorum, boolean(v)))),
    file(
        "portUnification",
        Set(|d, v| put(&mut d.tls.quorum_unification, boolean(v))),
    ),
    file(
        "sslQuorumReloadCertFiles",
        Set(|d, v| put(&mut d.tls.quorum_reload, boolean(v))),
    ),
    both("ssl.*", Family(tls::apply)),
    both(
        "client.portUnification",
        Set(|d, v| put(&mut d.tls.client_unification, boolean(v))),
    ),
    both(
        "client.certReload",
        Set(|d, v| put(&mut d.tls.client_reload, boolean(v))),
    ),
    both(
        "netty.server.outstandingHandshake.limit",
        Set(tls::handshake_limit),
    ),
    both(
        "X509AuthenticationProvider.superUser",
        Set(tls::x509_super_user),
    ),
    both("fips-mode", Set(|d, v| put(&mut d.fips_mode, boolean(v)))),
    // Who clients are. Their rules stand in `security`.
    both(
        "sessionRequireClientSASLAuth",
        Set(security::session_require),
    ),
    both("enforce.auth.enabled", Set(security::enforce)),
    both("enforce.auth.schemes", Set(security::schemes)),
    file("quorum.auth.enableSasl", NoMeaning(security::quorum_sasl)),
    file(
        "quorum.auth.serverRequireSasl",
        NoMeaning(security::quorum_sasl),
    ),
    file(
        "quorum.auth.learnerRequireSasl",
        NoMeaning(security::quorum_sasl),
    ),
    file("quorum.auth.*", ANY),
    both("authProvider.*", Set(security::provider)),
    both("ensembleAuthName", NotYet(&[])),
    both("superUser*", Set(security::super_user)),
    both(
        "SASLAuthenticationProvider.superPassword",
        Set(security::super_password),
    ),
    both("IPAuthenticationProvider.usexforwardedfor", NotYet(OFF)),
    both("letAnySaslUserDoX", Set(security::any_sasl_user)),
    both("allowSaslFailedClients", Set(security::allow_failed)),
    both("sasl.serverconfig", Set(security::section)),
    both("sasl.*", ANY),
    both("kerberos.*", NotYet(&[])),
    both("requireKerberosConfig", NoMeaning(security::kerberos)),
    both("security.auth_to_local", NotYet(&["default"])),
    bare("java.security.auth.login.config", Structural),
    // Not there yet: everything else.
    file(
        "reconfigEnabled",
        Set(|draft, value| {
            draft.config.reconfig.enabled = boolean(value)?;
            Ok(())
        }),
    ),
    // Quorums of another shape: what counts as committed would not be what was asked for.
    file("group.*", Set(|_, _| no_other_quorums())),
    file("weight.*", Set(|_, _| no_other_quorums())),
    file("oraclePath", Set(|_, _| no_other_quorums())),
    file("multiAddress.enabled", NotYet(OFF)),
    file("metricsProvider.*", ANY),
    both("audit.enable", record::AUDIT_ENABLE),
    both("audit.*", NotYet(OFF)),
    both("db.autocreate", NotYet(&["true"])),
    // Without a meaning: the election, the thread pools, the caches and the Java virtual machine.
    file("electionAlg", NoMeaning(election_algorithm)),
    file("connectToLearnerMasterLimit", ANY),
    file("observerMasterPort", ANY),
    file("syncEnabled", NoMeaning(|v| boolean(v).map(drop))),
    file("quorum.cnxn.threads.size", ANY),
    file("jvm.pause.*", ANY),
    file("multiAddress.*", ANY),
    both("electionPortBindRetry", ANY),
    both("fastleader.*", ANY),
    both("cnxTimeout", ANY),
    both("quorumCnxnTimeoutMs", ANY),
    both("tcpKeepAlive", ANY),
    both("leaderConnectDelayDuringRetryMs", ANY),
    both("leader.*", ANY),
    both("learner.*", ANY),
    both("follower.*", ANY),
    both("observer.*", ANY),
    both("observerMaster.*", ANY),
    bare("leader.nodelay", ANY),
    bare("follower.nodelay", ANY),
    bare("learner.asyncSending", ANY),
    bare("learner.closeSocketAsync", ANY),
    bare("leader.closeSocketAsync", ANY),
    both("forward_learner_requests_to_commit_processor_disabled", ANY),
    both("serverCnxnFactory", ANY),
    both("nio.*", ANY),
    both("netty.*", ANY),
    both("commitProcessor.*", ANY),
    both("flushDelay", ANY),
    both("maxWriteQueuePollTime", ANY),
    both("maxBatchSize", ANY),
    both("commitLogCount", ANY),
    both("snapshotSizeFactor", ANY),
    both("txnLogSizeLimitInKb", ANY),
    both("forceSnapshotSync", ANY),
    both("snapshot.*", ANY),
    both("serializeLastProcessedZxid.enabled", ANY),
    both("closeSessionTxn.enabled", ANY),
    both("digest.enabled", ANY),
    both("enableEagerACLCheck", ANY),
    both("maxResponseCacheSize", ANY),
    both("maxGetChildrenResponseCacheSize", ANY),
    both("watchManagerName", ANY),
    both("watcherClean*", ANY),
    both("maxInProcessingDeadWatchers", ANY),
    both("bitHashCacheSize", ANY),
    both("messageTracker.*", ANY),
    both("pathStats.*", ANY),
    both("intBufferStartingSizeBytes", ANY),
    both("jmx.*", ANY),
    both("log.*", ANY),
    both("log4j.*", ANY),
    both("console.threshold", ANY),
    both("root.logger", ANY),
    both("tracelog.*", ANY),
    both("auditlog.*", ANY),
];

fn put<T>(field: &mut T, value: Parsed<T>) -> Parsed<()> {
    *field = value?;
    Ok(())
}

fn put_some<T>(field: &mut Option<T>, value: Parsed<T>) -> Parsed<()> {
    put(field, value.map(Some))
}

fn put_path(field: &mut Option<PathBuf>, value: &str) -> Parsed<()> {
    put_some(field, text(value, "a directory").map(PathBuf::from))
}

/// 0 is how zoo.cfg says that there is no such port.
fn port_or_none(value: &str) -> Parsed<Option<u16>> {
    if value == "0" {
        Ok(None)
    } else {
        port(value).map(Some)
    }
}

/// -1 is how zoo.cfg says "derived from tickTime".
fn timeout(value: &str) -> Parsed<Option<u32>> {
    if value == "-1" {
        Ok(None)
    } else {
        u32_from(value, 0, MS).map(Some)
    }
}

fn backlog(value: &str) -> Parsed<Option<NonZeroU32>> {
    let what = "a whole number of connections, -1 for the operating system's default";
    let number = whole(value, -1..=i64::from(i32::MAX), what)?;
    Ok(u32::try_from(number).ok().and_then(NonZeroU32::new))
}

fn snap_retain_count(draft: &mut Draft, value: &str) -> Parsed<()> {
    const LEAST: u32 = 3;
    let count = whole(
        value,
        i64::from(i32::MIN)..=i64::from(i32::MAX),
        "a whole number, 3 or more",
    )?;
    let count = u32::try_from(count).unwrap_or(0);
    if count < LEAST {
        draft.warn(format!(
            "autopurge.snapRetainCount={value}: raised to {LEAST}, the least"
        ));
    }
    draft.config.autopurge_snap_retain_count = count.max(LEAST);
    Ok(())
}

/// What is not needed any more is purged after every snapshot, whatever is asked for.
fn purge_interval(_: &mut Draft, value: &str) -> Parsed<()> {
    hours(value).map(drop)
}

fn force_sync(draft: &mut Draft, value: &str) -> Parsed<()> {
    if !yes_no(value)? {
        draft.warn("forceSync=no: a write is answered when it is on the disk all the same");
    }
    Ok(())
}

fn emulate_353(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.ttl.emulate_353_ttl_nodes = boolean(value)?;
    if draft.config.ttl.emulate_353_ttl_nodes {
        draft.warn("emulate353TTLNodes: it limits server ids; TTL znodes are those of 3.5.4 on");
    }
    Ok(())
}

fn global_outstanding_limit(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.global_outstanding_limit = u32_from(value, 1, "a whole number of requests")?;
    Ok(())
}

fn snap_count(draft: &mut Draft, value: &str) -> Parsed<()> {
    const LEAST: u32 = 2;
    let count = u32_from(value, 0, "a whole number of changes")?;
    if count < LEAST {
        draft.warn(format!("snapCount={value}: raised to {LEAST}, the least"));
    }
    draft.config.snap_count = count.max(LEAST);
    Ok(())
}

fn snap_size_limit(draft: &mut Draft, value: &str) -> Parsed<()> {
    let limit = whole(
        value,
        i64::MIN..=i64::MAX,
        "a whole number of kibibytes, 0 for no limit",
    )?;
    draft.config.snap_size_limit_kb = u64::try_from(limit).ok().filter(|kb| *kb > 0);
    Ok(())
}

fn pre_alloc_size(draft: &mut Draft, value: &str) -> Parsed<()> {
    let what = "a whole number of kibibytes, 0 or more";
    let size = whole(value, 0..=i64::from(i32::MAX), what)?;
    draft.config.pre_alloc_size_kb = u64::try_from(size).expect("the range begins at 0");
    Ok(())
}

fn never_used_interval(draft: &mut Draft, value: &str) -> Parsed<()> {
    let interval = u32_from(value, 0, MS)?;
    draft.config.container.never_used_interval_ms_max = Some(interval).filter(|ms| *ms > 0);
    Ok(())
}

fn super_digest(draft: &mut Draft, value: &str) -> Parsed<()> {
    let form = "expected super:<hash>, as ZooKeeper's DigestAuthenticationProvider prints it";
    let (user, hash) = value.split_once(':').ok_or(form)?;
    if user.is_empty() || hash.is_empty() {
        return Err(form.to_owned());
    }
    draft.config.digest.super_digest = Some(SuperDigest(value.to_owned()));
    Ok(())
}

fn digest_algorithm(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.digest.algorithm = match value.to_ascii_uppercase().as_str() {
        "SHA1" | "SHA-1" | "SHA" => DigestAlgorithm::Sha1,
        "SHA-224" | "SHA224" => DigestAlgorithm::Sha224,
        "SHA-256" | "SHA256" => DigestAlgorithm::Sha256,
        "SHA-384" | "SHA384" => DigestAlgorithm::Sha384,
        "SHA-512" | "SHA512" => DigestAlgorithm::Sha512,
        "MD5" => DigestAlgorithm::Md5,
        _ => return Err("expected SHA1, SHA-224, SHA-256, SHA-384, SHA-512 or MD5".to_owned()),
    };
    Ok(())
}

fn word_list(draft: &mut Draft, value: &str) -> Parsed<()> {
    let (list, unknown) = WordList::parse(value);
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        draft.warn(format!(
            "4lw.commands.whitelist: there is no such word: {unknown}"
        ));
    }
    draft.config.four_letter_words = list;
    Ok(())
}

/// ZooKeeper takes anything but "no" for yes.
fn leader_serves(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.leader_serves = yes_no(value)?;
    Ok(())
}

fn election_algorithm(value: &str) -> Parsed<()> {
    whole(value, 3..=3, "3, the only election algorithm there is").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_stands_in_the_table_once() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(
                KEYS[..i].iter().all(|other| other.name != key.name),
                "{}",
                key.name
            );
        }
    }

    #[test]
    fn an_exact_name_goes_before_a_prefix() {
        assert_eq!(find("server.1").map(|k| k.name), Some("server.*"));
        assert_eq!(
            find("admin.serverPort").map(|k| k.name),
            Some("admin.serverPort")
        );
        assert_eq!(find("admin.other").map(|k| k.name), Some("admin.*"));
        assert_eq!(find("leader.nodelay").map(|k| k.place), Some(Place::Bare));
        assert!(find("ticktime").is_none());
        assert_eq!(find_similar("ticktime").map(|k| k.name), Some("tickTime"));
        assert_eq!(
            find_similar("zookeeper.snapCount").map(|k| k.name),
            Some("snapCount")
        );
    }
}

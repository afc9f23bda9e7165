//! Every setting reaches its field, and a wrong value is refused in plain words.

use std::num::NonZeroU32;

use super::{Case, with_line};
use crate::server::config::{Config, DigestAlgorithm, HostPort, SuperDigest};
use crate::server::four_letter::Word;

#[test]
fn nothing_at_all_is_a_single_server_on_loopback() {
    let loaded = Case::default().resolve().unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.config.client_address.to_string(), "127.0.0.1:2181");
    assert_eq!(loaded.config.data_dir.to_str(), Some("data"));
    assert!(loaded.warnings.is_empty());
}

type Reached = fn(&Config) -> bool;

static FIELDS: &[(&str, Reached)] = &[
    ("dataDir=/d", |c| c.data_dir.to_str() == Some("/d")),
    ("dataLogDir=/l", |c| c.log_dir.to_str() == Some("/l")),
    ("clientPort=2999", |c| {
        c.client_address == HostPort::new("0.0.0.0", 2999)
    }),
    ("clientPortAddress=zk.local", |c| {
        c.client_address == HostPort::new("zk.local", 2181)
    }),
    ("clientPortAddress=::1", |c| {
        c.client_address.to_string() == "[::1]:2181"
    }),
    ("tickTime=500", |c| {
        c.tick_ms == 500 && c.session_timeout_ms_max == 10_000
    }),
    ("initLimit=7", |c| c.init_limit_ticks == 7),
    ("syncLimit=8", |c| c.sync_limit_ticks == 8),
    ("minSessionTimeout=1000", |c| {
        c.session_timeout_ms_min == 1_000
    }),
    ("maxSessionTimeout=90000", |c| {
        c.session_timeout_ms_max == 90_000
    }),
    ("maxSessionTimeout=-1", |c| {
        c.session_timeout_ms_max == 60_000
    }),
    ("maxClientCnxns=5", |c| {
        c.client_cnxns_per_ip_max == NonZeroU32::new(5)
    }),
    ("maxClientCnxns=-1", |c| c.client_cnxns_per_ip_max.is_none()),
    ("maxCnxns=9", |c| c.cnxns_max == NonZeroU32::new(9)),
    ("clientPortListenBacklog=64", |c| {
        c.client_port_listen_backlog == NonZeroU32::new(64)
    }),
    ("clientPortListenBacklog=-1", |c| {
        c.client_port_listen_backlog.is_none()
    }),
    ("clientTcpKeepAlive=true", |c| c.client_tcp_keep_alive),
    ("nio.sessionlessCnxnTimeout=77", |c| {
        c.sessionless_cnxn_timeout_ms == 77
    }),
    ("globalOutstandingLimit=12", |c| {
        c.global_outstanding_limit == 12
    }),
    ("jute.maxbuffer=0x200000", |c| {
        c.jute_maxbuffer_bytes == 2_097_152
    }),
    ("snapCount=10", |c| c.snap_count == 10),
    ("snapCount=0", |c| c.snap_count == 2),
    ("snapSizeLimitInKb=64", |c| c.snap_size_limit_kb == Some(64)),
    ("snapSizeLimitInKb=-1", |c| c.snap_size_limit_kb.is_none()),
    ("preAllocSize=100", |c| c.pre_alloc_size_kb == 100),
    ("fsync.warningthresholdms=20", |c| {
        c.fsync_warning_threshold_ms == 20
    }),
    ("datadir.autocreate=false", |c| !c.data_dir_autocreate),
    ("autopurge.snapRetainCount=5", |c| {
        c.autopurge_snap_retain_count == 5
    }),
    ("autopurge.snapRetainCount=1", |c| {
        c.autopurge_snap_retain_count == 3
    }),
    ("4lw.commands.whitelist=*", |c| {
        c.four_letter_words.allows(Word::Wchc, false)
    }),
    ("extendedTypesEnabled=true", |c| {
        c.ttl.extended_types_enabled
    }),
    ("emulate353TTLNodes=true", |c| c.ttl.emulate_353_ttl_nodes),
    ("znode.container.checkIntervalMs=9", |c| {
        c.container.check_interval_ms == 9
    }),
    ("znode.container.maxPerMinute=8", |c| {
        c.container.per_minute_max == 8
    }),
    ("znode.container.maxNeverUsedIntervalMs=7", |c| {
        c.container.never_used_interval_ms_max == Some(7)
    }),
    ("enforceQuota=true", |c| c.enforce_quota),
    ("skipACL=yes", |c| c.skip_acl),
    ("readonlymode.enabled=true", |c| c.read_only_mode_enabled),
    ("DigestAuthenticationProvider.enabled=false", |c| {
        !c.digest.enabled
    }),
    ("DigestAuthenticationProvider.superDigest=super:abc=", |c| {
        c.digest.super_digest == Some(SuperDigest("super:abc=".to_owned()))
    }),
    ("DigestAuthenticationProvider.digestAlg=sha-256", |c| {
        c.digest.algorithm == DigestAlgorithm::Sha256
    }),
    ("DigestAuthenticationProvider.digestAlg=SHA1", |c| {
        c.digest.algorithm == DigestAlgorithm::Sha1
    }),
    ("admin.enableServer=true", |c| c.admin.enabled),
    ("admin.serverPort=9090", |c| c.admin.address.port == 9_090),
    ("admin.serverAddress=::1", |c| c.admin.address.host == "::1"),
    ("admin.commandURL=/zk", |c| c.admin.command_url == "/zk"),
    ("admin.rateLimiterIntervalInMS=5", |c| {
        c.admin.rate_limiter_interval_ms == 5
    }),
    ("admin.snapshot.enabled=false", |c| {
        !c.admin.snapshot_enabled
    }),
    ("admin.idleTimeout=5", |c| c.admin.idle_timeout_ms == 5),
];

#[test]
fn every_setting_reaches_its_field() {
    for (line, reached) in FIELDS {
        assert!(reached(&with_line(line).config()), "{line}");
    }
}

const MS: &str = "expected a whole number of milliseconds, 1 or more";
const FROM_ZERO: &str = "expected a whole number of milliseconds, 0 or more";
const BOOL: &str = "expected true or false";
const TICKS: &str = "expected a whole number of ticks, 1 or more";

static WRONG_VALUES: &[(&str, &str)] = &[
    ("tickTime=abc", MS),
    ("tickTime=0", MS),
    ("tickTime=-5", MS),
    ("tickTime=99999999999", MS),
    ("tickTime=", MS),
    ("clientPort=70000", "expected a port, 1 to 65535"),
    ("clientPort=2181a", "expected a port, 1 to 65535"),
    ("clientPortAddress=", "expected a host name"),
    ("dataDir=", "expected a directory"),
    ("initLimit=0", TICKS),
    ("syncLimit=ten", TICKS),
    ("minSessionTimeout=-7", FROM_ZERO),
    (
        "maxClientCnxns=many",
        "expected a whole number of connections, 0 for no limit",
    ),
    (
        "clientPortListenBacklog=-2",
        "expected a whole number of connections, -1 for the operating system's default",
    ),
    ("standaloneEnabled=1", BOOL),
    ("quorumListenOnAllIPs=yes", BOOL),
    ("syncEnabled=maybe", BOOL),
    ("peerType=voter", "expected participant or observer"),
    (
        "electionAlg=0",
        "expected 3, the only election algorithm there is",
    ),
    (
        "autopurge.snapRetainCount=x",
        "expected a whole number, 3 or more",
    ),
    (
        "autopurge.purgeInterval=daily",
        "expected a whole number of hours, 0 for never; or with one of the suffixes ms, s, m, \
             h, d",
    ),
    (
        "snapCount=-1",
        "expected a whole number of changes, 0 or more",
    ),
    (
        "snapSizeLimitInKb=1G",
        "expected a whole number of kibibytes, 0 for no limit",
    ),
    (
        "preAllocSize=-1",
        "expected a whole number of kibibytes, 0 or more",
    ),
    ("forceSync=false", "expected yes or no"),
    ("skipACL=true", "expected yes or no"),
    ("extendedTypesEnabled=yes", BOOL),
    (
        "globalOutstandingLimit=0",
        "expected a whole number of requests, 1 or more",
    ),
    (
        "jute.maxbuffer=4M",
        "expected a whole number of bytes, 1 or more",
    ),
    (
        "DigestAuthenticationProvider.digestAlg=SHA3-256",
        "expected SHA1, SHA-224, SHA-256, SHA-384, SHA-512 or MD5",
    ),
    (
        "enforce.auth.enabled=true",
        "expected enforce.auth.schemes beside it",
    ),
    ("sslQuorum=maybe", "expected true or false"),
    ("reconfigEnabled=maybe", "expected true or false"),
    (
        "group.1=1:2",
        "expected none: a quorum is a majority of the participants here",
    ),
    (
        "weight.1=2",
        "expected none: a quorum is a majority of the participants here",
    ),
    (
        "oraclePath=/chassis",
        "expected none: a quorum is a majority of the participants here",
    ),
    (
        "server.256=a:1:2",
        "expected a server id, 0 to 255, after server.",
    ),
    (
        "server.x=a:1:2",
        "expected a server id, 0 to 255, after server.",
    ),
    (
        "server.1=a:1:1",
        "expected a quorum port and an election port that differ",
    ),
];

#[test]
fn a_wrong_value_names_file_line_key_and_what_is_allowed() {
    for (line, want) in WRONG_VALUES {
        assert_eq!(
            with_line(line).error(),
            format!("zoo.cfg:3: {line}: {want}")
        );
    }
}

#[test]
fn secrets_are_in_no_error_and_no_debug_output() {
    let error = with_line("DigestAuthenticationProvider.superDigest=hunter2").error();
    assert_eq!(
        error,
        "zoo.cfg:3: DigestAuthenticationProvider.superDigest: expected super:<hash>, as \
         ZooKeeper's DigestAuthenticationProvider prints it"
    );
    let config = with_line("DigestAuthenticationProvider.superDigest=super:hunter2").config();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_a_setting_does_not_change_is_said() {
    for (line, want) in [
        ("forceSync=yes", None),
        (
            "forceSync=no",
            Some(
                "zoo.cfg:3: forceSync=no: a write is answered when it is on the disk all the same",
            ),
        ),
        (
            "emulate353TTLNodes=true",
            Some(
                "zoo.cfg:3: emulate353TTLNodes: it limits server ids; TTL znodes are those of \
                 3.5.4 on",
            ),
        ),
        (
            "jute.maxbuffer.extrasize=5000",
            Some(
                "settings without a meaning for zoowarden, ignored: jute.maxbuffer.extrasize \
                 (zoo.cfg:3)",
            ),
        ),
        // What it asks for is done after every snapshot.
        ("autopurge.purgeInterval=1", None),
    ] {
        assert_eq!(with_line(line).warnings(), Vec::from_iter(want), "{line}");
    }
}

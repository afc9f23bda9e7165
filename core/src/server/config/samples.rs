//! Whole configurations: the files that run ZooKeeper today, every kind of setting, every rule.

use std::num::NonZeroU32;

use super::*;
use crate::server::four_letter::Word;

/// A configuration from texts alone.
#[derive(Default)]
struct Case {
    cfg: Option<&'static str>,
    dynamic: Option<&'static str>,
    my_id: Option<&'static str>,
    flags: &'static str,
    overrides: Overrides,
}

impl Case {
    fn of(cfg: &'static str) -> Self {
        Self {
            cfg: Some(cfg),
            ..Self::default()
        }
    }

    fn resolve(self) -> Result<Loaded, ConfigError> {
        let file = |name: &str, text: Option<&str>| {
            text.map(|text| TextFile {
                name: name.to_owned(),
                text: text.to_owned(),
            })
        };
        let mut properties = SystemProperties::default();
        properties.push_environment("SERVER_JVMFLAGS", self.flags);
        resolve(&Sources {
            cfg: file("zoo.cfg", self.cfg),
            dynamic: file("zoo.cfg.dynamic", self.dynamic),
            my_id: file("/data/myid", self.my_id),
            properties,
            overrides: self.overrides,
        })
    }

    fn config(self) -> Config {
        self.resolve().unwrap().config
    }

    fn warnings(self) -> Vec<String> {
        self.resolve().unwrap().warnings
    }

    fn error(self) -> String {
        self.resolve().unwrap_err().to_string()
    }
}

const MINIMAL: &str = "dataDir=/data\nclientPort=2181\n";

/// `MINIMAL` and one more line.
fn with_line(line: &str) -> Case {
    Case::of(format!("{MINIMAL}{line}\n").leak())
}

const THREE: &str = "dataDir=/data\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n\
    server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n";

#[test]
fn nothing_at_all_is_a_single_server_on_loopback() {
    let loaded = Case::default().resolve().unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.config.client_address.to_string(), "127.0.0.1:2181");
    assert_eq!(loaded.config.data_dir.to_str(), Some("data"));
    assert!(loaded.warnings.is_empty());
}

#[test]
fn debians_file_runs() {
    let loaded = Case::of(
        "# http://hadoop.apache.org/zookeeper/docs/current/zookeeperAdmin.html\n\n\
         # The number of milliseconds of each tick\ntickTime=2000\n\
         # The number of ticks that the initial \n# synchronization phase can take\ninitLimit=10\n\
         # The number of ticks that can pass between \n\
         # sending a request and getting an acknowledgement\nsyncLimit=5\n\
         # the directory where the snapshot is stored.\ndataDir=/var/lib/zookeeper\n\
         # Place the dataLogDir to a separate physical disc for better performance\n\
         # dataLogDir=/disk2/zookeeper\n\n# the port at which the clients will connect\n\
         clientPort=2181\n\n#server.1=zookeeper1:2888:3888\n\n\
         # To avoid seeks ZooKeeper allocates space in the transaction log file in\n\
         # blocks of preAllocSize kilobytes.\n#preAllocSize=65536\n\n#snapCount=1000\n\n\
         #leaderServes=yes\n",
    )
    .resolve()
    .unwrap();
    let config = loaded.config;
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(
        (
            config.tick_ms,
            config.init_limit_ticks,
            config.sync_limit_ticks
        ),
        (2000, 10, 5)
    );
    assert_eq!(
        (config.session_timeout_ms_min, config.session_timeout_ms_max),
        (4_000, 40_000)
    );
    assert_eq!(config.log_dir.to_str(), Some("/var/lib/zookeeper"));
    assert_eq!(config.client_address.to_string(), "0.0.0.0:2181");
    assert_eq!(config.ensemble, None);
}

#[test]
fn kafkas_file_runs() {
    let config = Case::of(
        "# the directory where the snapshot is stored.\ndataDir=/tmp/zookeeper\n\
         # the port at which the clients will connect\nclientPort=2181\n\
         # disable the per-ip limit on the number of connections\nmaxClientCnxns=0\n\
         # Disable the adminserver by default to avoid port conflicts.\n\
         admin.enableServer=false\n# admin.serverPort=8080\n",
    )
    .resolve()
    .unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.config.client_cnxns_per_ip_max, None);
    assert_eq!(config.config.tick_ms, 3_000);
}

#[test]
fn hbases_file_runs() {
    let config = Case {
        my_id: Some("0\n"),
        ..Case::of(
            "tickTime=6000\ninitLimit=10\nsyncLimit=5\ndataDir=/data\nclientPort=2222\n\
             maxClientCnxns=300\nserver.0=hbase1:2888:3888\nserver.1=hbase2:2888:3888\n\
             server.2=hbase3:2888:3888\n",
        )
    }
    .config();
    let ensemble = config.ensemble.unwrap();
    assert_eq!((ensemble.my_id, ensemble.members.len()), (ServerId(0), 3));
    assert_eq!(
        (ensemble.me().host.as_str(), ensemble.me().quorum_port),
        ("hbase1", 2888)
    );
    assert_eq!(config.client_cnxns_per_ip_max, NonZeroU32::new(300));
    // With one server HBase still writes its line: that is a single server.
    assert_eq!(
        with_line("server.0=localhost:2888:3888").config().ensemble,
        None
    );
}

#[test]
fn the_docker_images_file_runs_alone_and_in_company() {
    let alone = Case {
        my_id: Some("1\n"),
        ..Case::of(
            "dataDir=/data\ndataLogDir=/datalog\ntickTime=2000\ninitLimit=5\nsyncLimit=2\n\
             autopurge.snapRetainCount=3\nautopurge.purgeInterval=0\nmaxClientCnxns=60\n\
             standaloneEnabled=true\nadmin.enableServer=true\nserver.1=localhost:2888:3888;2181\n",
        )
    };
    let loaded = alone.resolve().unwrap();
    assert_eq!(loaded.config.ensemble, None);
    assert_eq!(loaded.config.client_address.to_string(), "0.0.0.0:2181");
    assert_eq!(loaded.config.log_dir.to_str(), Some("/datalog"));
    assert_eq!(
        loaded.warnings,
        ["settings that are not supported yet and have no effect: \
          admin.enableServer (zoo.cfg:10)"]
    );
    let company = Case {
        my_id: Some("2"),
        ..Case::of(
            "dataDir=/data\ntickTime=2000\ninitLimit=5\nsyncLimit=2\nstandaloneEnabled=true\n\
             4lw.commands.whitelist=srvr, mntr\nserver.1=zoo1:2888:3888;2181\n\
             server.2=0.0.0.0:2888:3888;2181\nserver.3=zoo3:2888:3888;2181\n",
        )
    }
    .config();
    assert_eq!(company.client_address.to_string(), "0.0.0.0:2181");
    assert!(company.four_letter_words.allows(Word::Mntr, false));
    assert_eq!(company.ensemble.unwrap().voters().count(), 3);
}

#[test]
fn observers_have_no_vote() {
    let case = |my_id, more: &str| Case {
        my_id: Some(my_id),
        ..Case::of(format!("{THREE}server.4=d:2888:3888:observer\n{more}").leak())
    };
    let loaded = case("4", "peerType=observer").resolve().unwrap();
    assert!(loaded.warnings.is_empty());
    let ensemble = loaded.config.ensemble.unwrap();
    assert_eq!(ensemble.peer_type, Role::Observer);
    assert_eq!(
        ensemble.voters().map(|(id, _)| id.0).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(
        case("1", "peerType=observer").warnings(),
        ["peerType=observer, but server.1 in zoo.cfg is participant: that counts"]
    );
}

#[test]
fn every_setting_reaches_its_field() {
    type Reached = fn(&Config) -> bool;
    let cases: &[(&str, Reached)] = &[
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
        ("jute.maxbuffer=4096", |c| {
            c.jute_maxbuffer_extrasize_bytes == 4_096
        }),
        ("jute.maxbuffer=10", |c| {
            c.jute_maxbuffer_extrasize_bytes == 1_024
        }),
        ("jute.maxbuffer.extrasize=5000", |c| {
            c.jute_maxbuffer_extrasize_bytes == 5_000
        }),
        ("snapCount=10", |c| c.snap_count == 10),
        ("snapCount=0", |c| c.snap_count == 2),
        ("snapSizeLimitInKb=64", |c| c.snap_size_limit_kb == Some(64)),
        ("snapSizeLimitInKb=-1", |c| c.snap_size_limit_kb.is_none()),
        ("preAllocSize=100", |c| c.pre_alloc_size_kb == 100),
        ("fsync.warningthresholdms=20", |c| {
            c.fsync_warning_threshold_ms == 20
        }),
        ("forceSync=no", |c| !c.force_sync),
        ("datadir.autocreate=false", |c| !c.data_dir_autocreate),
        ("autopurge.snapRetainCount=5", |c| {
            c.autopurge_snap_retain_count == 5
        }),
        ("autopurge.snapRetainCount=1", |c| {
            c.autopurge_snap_retain_count == 3
        }),
        ("autopurge.purgeInterval=2", |c| {
            c.autopurge_interval_ms == Some(7_200_000)
        }),
        ("autopurge.purgeInterval=0", |c| {
            c.autopurge_interval_ms.is_none()
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
        ("DigestAuthenticationProvider.digestAlg=SHA1", |c| {
            c.digest.algorithm == DigestAlgorithm::Sha1
        }),
        ("admin.enableServer=true", |c| c.admin.enabled),
        ("admin.serverPort=9090", |c| c.admin.address.port == 9_090),
        ("admin.serverAddress=::1", |c| c.admin.address.host == "::1"),
        ("admin.commandURL=/zk", |c| c.admin.command_url == "/zk"),
        ("admin.idleTimeout=5", |c| c.admin.idle_timeout_ms == 5),
    ];
    for (line, reached) in cases {
        assert!(reached(&with_line(line).config()), "{line}");
    }
}

#[test]
fn a_wrong_value_names_file_line_key_and_what_is_allowed() {
    let ms = "expected a whole number of milliseconds, 1 or more";
    let from_zero = "expected a whole number of milliseconds, 0 or more";
    let bool = "expected true or false";
    let ticks = "expected a whole number of ticks, 1 or more";
    for (line, want) in [
        ("tickTime=abc", ms),
        ("tickTime=0", ms),
        ("tickTime=-5", ms),
        ("tickTime=99999999999", ms),
        ("tickTime=", ms),
        ("clientPort=70000", "expected a port, 1 to 65535"),
        ("clientPort=2181a", "expected a port, 1 to 65535"),
        ("clientPortAddress=", "expected a host name"),
        ("dataDir=", "expected a directory"),
        ("initLimit=0", ticks),
        ("syncLimit=ten", ticks),
        ("minSessionTimeout=-7", from_zero),
        (
            "maxClientCnxns=many",
            "expected a whole number of connections, 0 for no limit",
        ),
        (
            "clientPortListenBacklog=-2",
            "expected a whole number of connections, -1 for the operating system's default",
        ),
        ("standaloneEnabled=1", bool),
        ("quorumListenOnAllIPs=yes", bool),
        ("syncEnabled=maybe", bool),
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
        ("extendedTypesEnabled=yes", bool),
        (
            "globalOutstandingLimit=0",
            "expected a whole number of requests, 1 or more",
        ),
        (
            "jute.maxbuffer=4M",
            "expected a whole number of bytes, 1 or more",
        ),
        (
            "DigestAuthenticationProvider.digestAlg=SHA-256",
            "expected SHA1, the only algorithm there is",
        ),
        (
            "enforce.auth.enabled=true",
            "expected false: this protection is not supported yet",
        ),
        (
            "sslQuorum=true",
            "expected false: this protection is not supported yet",
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
    ] {
        assert_eq!(
            with_line(line).error(),
            format!("zoo.cfg:3: {line}: {want}")
        );
    }
}

#[test]
fn a_wrong_system_property_names_where_it_was_written() {
    let case = Case {
        flags: "-Xmx1g -Dzookeeper.snapCount=few",
        ..Case::of(MINIMAL)
    };
    assert_eq!(
        case.error(),
        "SERVER_JVMFLAGS: -Dzookeeper.snapCount=few: expected a whole number of changes, 0 or more"
    );
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
fn rules_between_settings_are_zookeepers() {
    let with = |line: &str| Case::of(format!("{THREE}{line}").leak());
    for (case, want) in [
        (
            Case::of("clientPort=2181"),
            "zoo.cfg: dataDir: missing: expected the directory that holds the data",
        ),
        (
            Case::of("dataDir=/d"),
            "zoo.cfg: clientPort: missing: expected the port that clients connect to, 1 to 65535 \
             (TLS ports are not supported yet)",
        ),
        (
            Case::of("dataDir=/d\nclientPortAddress=h"),
            "zoo.cfg:2: clientPortAddress=h: expected clientPort beside it",
        ),
        (
            with_line("minSessionTimeout=70000"),
            "zoo.cfg:3: minSessionTimeout=70000: expected no more than maxSessionTimeout, which \
             is 60000",
        ),
        (
            with_line("maxSessionTimeout=100"),
            "zoo.cfg:3: maxSessionTimeout=100: expected no less than minSessionTimeout, which is \
             6000",
        ),
        (
            with_line("server.1=a:1:2:observer"),
            "zoo.cfg: server.N: expected a participant: observers do not vote",
        ),
        (
            with_line("server.1=a:1:2:observer\nserver.2=b:1:2"),
            "zoo.cfg: server.N: expected two participants or more beside observers, or \
             standaloneEnabled=false",
        ),
        (
            with_line("standaloneEnabled=false"),
            "zoo.cfg: server.N: missing: expected a participant, because of \
             standaloneEnabled=false",
        ),
        (
            with(""),
            "/data/myid: missing: expected a file with the N of this server's server.N line",
        ),
        (
            Case {
                my_id: Some("one"),
                ..with("")
            },
            "/data/myid:1: myid=one: expected a server id, 0 to 255",
        ),
        (
            Case {
                my_id: Some("9"),
                ..with("")
            },
            "/data/myid:1: myid=9: expected the N of a server.N line in zoo.cfg, which has 1, 2, 3",
        ),
        (
            Case {
                my_id: Some("255"),
                ..with("extendedTypesEnabled=true\n")
            },
            "/data/myid:1: myid=255: expected a server id, 0 to 254 with extendedTypesEnabled=true",
        ),
        (
            with("server.3=d:1:2"),
            "zoo.cfg:8: server.3=d:1:2: expected one line for server 3, found two",
        ),
        (
            with("server.03=d:1:2"),
            "zoo.cfg:8: server.03=d:1:2: expected one line for server 3, found two",
        ),
        (
            Case {
                my_id: Some("1"),
                ..Case::of("dataDir=/d\nclientPort=1\nsyncLimit=5\nserver.1=a:1:2\nserver.2=b:1:2")
            },
            "zoo.cfg: initLimit: missing: an ensemble needs it, a whole number of ticks, 1 or more",
        ),
        (
            Case {
                my_id: Some("1"),
                ..Case::of("dataDir=/d\nclientPort=1\ninitLimit=5\nserver.1=a:1:2\nserver.2=b:1:2")
            },
            "zoo.cfg: syncLimit: missing: an ensemble needs it, a whole number of ticks, 1 or more",
        ),
        (
            Case {
                my_id: Some("4"),
                ..with("server.4=d:1:2;2999")
            },
            "zoo.cfg:2: clientPort=2181: expected the client address of the server.N line, \
             0.0.0.0:2999",
        ),
        (
            Case {
                dynamic: Some("server.1=a:1:2"),
                ..with("dynamicConfigFile=x")
            },
            "zoo.cfg:5: server.1=a:2888:3888: expected in the dynamicConfigFile, not beside it",
        ),
        (
            Case {
                dynamic: Some("version=1"),
                ..with_line("dynamicConfigFile=x")
            },
            "zoo.cfg.dynamic:1: version=1: expected in the name of the dynamic file, not inside",
        ),
        (
            Case {
                dynamic: Some("tickTime=1"),
                ..with_line("dynamicConfigFile=x")
            },
            "zoo.cfg.dynamic:1: tickTime=1: expected server, group and weight settings only",
        ),
    ] {
        assert_eq!(case.error(), want);
    }
}

#[test]
fn a_single_line_can_be_an_ensemble_of_one() {
    let one = Case {
        my_id: Some("1"),
        ..with_line("standaloneEnabled=false\ninitLimit=5\nsyncLimit=2\nserver.1=a:1:2")
    };
    let loaded = one.resolve().unwrap();
    assert_eq!(loaded.config.ensemble.map(|e| e.members.len()), Some(1));
    assert_eq!(
        loaded.warnings,
        ["zoo.cfg: no server may fail, 1 of 1 make the quorum; of three one may"]
    );
}

#[test]
fn settings_without_effect_share_a_warning_each_kind() {
    let warnings = with_line(
        "electionAlg=3\nnio.numWorkerThreads=4\ncommitProcessor.numWorkerThreads=2\n\
         jvm.pause.monitor=true\nsecureClientPort=2281\nssl.keyStore.password=hunter2\n\
         reconfigEnabled=true\nlocalSessionsEnabled=false\nmetricsProvider.httpPort=7000\n\
         quorum.auth.enableSasl=true\nticktime=2000\nzookeeper.snapCount=7\nfoo=bar",
    )
    .warnings();
    assert_eq!(
        warnings,
        [
            "settings without a meaning for zoowarden, ignored: electionAlg (zoo.cfg:3), \
             nio.numWorkerThreads (zoo.cfg:4), commitProcessor.numWorkerThreads (zoo.cfg:5), \
             jvm.pause.monitor (zoo.cfg:6)",
            "settings that are not supported yet and have no effect: secureClientPort \
             (zoo.cfg:7), ssl.keyStore.password (zoo.cfg:8), reconfigEnabled (zoo.cfg:9), \
             metricsProvider.httpPort (zoo.cfg:11), quorum.auth.enableSasl (zoo.cfg:12)",
            "unknown settings, ignored: ticktime (zoo.cfg:13; did you mean tickTime?), \
             zookeeper.snapCount (zoo.cfg:14; did you mean snapCount?), foo (zoo.cfg:15)",
        ]
    );
}

#[test]
fn values_that_are_adjusted_are_told() {
    for (line, want) in [
        (
            "snapCount=1",
            "zoo.cfg:3: snapCount=1: raised to 2, the least",
        ),
        (
            "autopurge.snapRetainCount=-4",
            "zoo.cfg:3: autopurge.snapRetainCount=-4: raised to 3, the least",
        ),
        (
            "4lw.commands.whitelist=ruok,abcd",
            "zoo.cfg:3: 4lw.commands.whitelist: there is no such word: abcd",
        ),
        (
            "jute.maxbuffer=4194304",
            "zoo.cfg:3: jute.maxbuffer: used, but ZooKeeper reads it only as -Djute.maxbuffer",
        ),
        (
            "server.1=a:1:2|b:1:2",
            "zoo.cfg:3: server.1: only the first address, a, is used",
        ),
        (
            "server.1=a:1:2;2181;2281",
            "zoo.cfg:3: server.1: TLS ports are not supported yet",
        ),
    ] {
        assert_eq!(with_line(line).warnings(), [want]);
    }
    let four = Case {
        my_id: Some("1"),
        ..Case::of(format!("{THREE}server.4=d:1:2").leak())
    };
    assert_eq!(
        four.warnings(),
        ["zoo.cfg: 4 voting servers tolerate no more failures than 3"]
    );
}

#[test]
fn the_spelling_decides_whether_a_system_property_counts() {
    type Holds = fn(&Config) -> bool;
    let cases: &[(&str, Holds, &[&str])] = &[
        ("-Dzookeeper.snapCount=7", |c| c.snap_count == 7, &[]),
        (
            "-Djute.maxbuffer=4096",
            |c| c.jute_maxbuffer_bytes == 4_096,
            &[],
        ),
        (
            "-Dznode.container.maxPerMinute=3",
            |c| c.container.per_minute_max == 3,
            &[],
        ),
        ("-Dzookeeper.skipACL=yes", |c| c.skip_acl, &[]),
        (
            "-Dreadonlymode.enabled=true",
            |c| c.read_only_mode_enabled,
            &[],
        ),
        (
            "-DsnapCount=7",
            |c| c.snap_count == 100_000,
            &[
                "unknown settings, ignored: -DsnapCount (SERVER_JVMFLAGS; write \
               -Dzookeeper.snapCount)",
            ],
        ),
        (
            "-Dzookeeper.jute.maxbuffer=4096",
            |c| c.jute_maxbuffer_bytes == 0xf_ffff,
            &[
                "unknown settings, ignored: -Dzookeeper.jute.maxbuffer (SERVER_JVMFLAGS; write \
               -Djute.maxbuffer)",
            ],
        ),
        (
            "-Dzookeeper.tickTime=1",
            |c| c.tick_ms == 3_000,
            &[
                "unknown settings, ignored: -Dzookeeper.tickTime (SERVER_JVMFLAGS; tickTime \
               belongs in zoo.cfg)",
            ],
        ),
        (
            "-Dzookeeper.nonsense=1",
            |_| true,
            &["unknown settings, ignored: -Dzookeeper.nonsense (SERVER_JVMFLAGS)"],
        ),
        (
            "-Xmx1g -Dcom.sun.management.jmxremote -Djava.net.preferIPv4Stack=true",
            |_| true,
            &[],
        ),
        (
            "-Dzookeeper.nio.numWorkerThreads=8",
            |_| true,
            &["settings without a meaning for zoowarden, ignored: \
               -Dzookeeper.nio.numWorkerThreads (SERVER_JVMFLAGS)"],
        ),
    ];
    for (flags, holds, warnings) in cases {
        let loaded = Case {
            flags,
            ..Case::of(MINIMAL)
        }
        .resolve()
        .unwrap();
        assert!(holds(&loaded.config), "{flags}");
        assert_eq!(loaded.warnings, *warnings, "{flags}");
        let alone = Case {
            flags,
            ..Case::default()
        }
        .resolve()
        .unwrap();
        assert!(holds(&alone.config), "{flags} without a file");
    }
}

#[test]
fn the_file_counts_over_a_property_except_where_zookeeper_reads_only_the_property() {
    let case = |line, flags| {
        Case {
            flags,
            ..with_line(line)
        }
        .resolve()
        .unwrap()
    };
    let loaded = case("snapCount=10", "-Dzookeeper.snapCount=20");
    assert_eq!(loaded.config.snap_count, 10);
    assert_eq!(
        loaded.warnings,
        ["zoo.cfg:3: snapCount: counts instead of -Dzookeeper.snapCount (SERVER_JVMFLAGS)"]
    );
    let loaded = case("jute.maxbuffer=10", "-Djute.maxbuffer=20");
    assert_eq!(loaded.config.jute_maxbuffer_bytes, 20);
    assert_eq!(
        loaded.warnings,
        ["zoo.cfg:3: jute.maxbuffer: -Djute.maxbuffer (SERVER_JVMFLAGS) counts instead"]
    );
    let loaded = case("snapCount=10", "-Dzookeeper.snapCount=10");
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn arguments_count_over_everything() {
    let overrides = || Overrides {
        data_dir: Some("/mine".into()),
        client_port: Some(0),
        client_host: Some("::1".to_owned()),
        tick_ms: Some(100),
        client_cnxns_per_ip_max: Some(None),
    };
    let config = Case {
        overrides: overrides(),
        ..Case::of(MINIMAL)
    }
    .config();
    assert_eq!(config.data_dir.to_str(), Some("/mine"));
    assert_eq!(config.log_dir.to_str(), Some("/mine"));
    assert_eq!(config.client_address.to_string(), "[::1]:0");
    assert_eq!((config.tick_ms, config.session_timeout_ms_min), (100, 200));
    assert_eq!(config.client_cnxns_per_ip_max, None);
    let only_port = Overrides {
        client_port: Some(2999),
        ..Overrides::default()
    };
    let config = Case {
        overrides: only_port.clone(),
        ..Case::default()
    }
    .config();
    assert_eq!(config.client_address.to_string(), "127.0.0.1:2999");
    let config = Case {
        overrides: only_port.clone(),
        ..Case::of("dataDir=/d")
    }
    .config();
    assert_eq!(config.client_address.to_string(), "0.0.0.0:2999");
    let case = Case {
        overrides: only_port,
        ..Case::of("dataDir=/d\nclientPortAddress=h")
    };
    assert_eq!(case.config().client_address.to_string(), "h:2999");
}

#[test]
fn a_placeholder_in_myid_does_not_stop_a_single_server() {
    let placeholder = "replace this text with the cluster-unique zookeeper's instance id (1-255)";
    let case = Case {
        my_id: Some(placeholder),
        ..Case::of(MINIMAL)
    };
    assert_eq!(
        case.warnings(),
        ["/data/myid: not a server id; a single server does not need it"]
    );
}

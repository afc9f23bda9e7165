//! Which spelling counts, which one wins, and what the operator is told.

use super::{Case, MINIMAL, THREE, with_line};
use crate::server::config::{Config, Overrides};

type Holds = fn(&Config) -> bool;

static PROPERTIES: &[(&str, Holds, &[&str])] = &[
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

#[test]
fn the_spelling_decides_whether_a_system_property_counts() {
    for (flags, holds, warnings) in PROPERTIES {
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
fn settings_without_effect_share_a_warning_each_kind() {
    let warnings = with_line(
        "electionAlg=3\nnio.numWorkerThreads=4\ncommitProcessor.numWorkerThreads=2\n\
         jvm.pause.monitor=true\nmultiAddress.enabled=true\nensembleAuthName=hunter2\n\
         reconfigEnabled=true\nlocalSessionsEnabled=false\nmetricsProvider.httpPort=7000\n\
         quorum.auth.enableSasl=false\nticktime=2000\nzookeeper.snapCount=7\nfoo=bar",
    )
    .warnings();
    assert_eq!(
        warnings,
        [
            "settings without a meaning for zoowarden, ignored: electionAlg (zoo.cfg:3), \
             nio.numWorkerThreads (zoo.cfg:4), commitProcessor.numWorkerThreads (zoo.cfg:5), \
             jvm.pause.monitor (zoo.cfg:6), quorum.auth.enableSasl (zoo.cfg:12)",
            "settings that are not supported yet and have no effect: multiAddress.enabled \
             (zoo.cfg:7), ensembleAuthName (zoo.cfg:8)",
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

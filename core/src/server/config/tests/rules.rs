//! The rules between settings, each with the words of its refusal.

use super::{Case, THREE, with_line};

#[test]
fn ports_directories_and_timeouts_go_together() {
    for (case, want) in [
        (
            Case::of("clientPort=2181"),
            "zoo.cfg: dataDir: missing: expected the directory that holds the data",
        ),
        (
            Case::of("dataDir=/d"),
            "zoo.cfg: clientPort: missing: expected the port that clients connect to, 1 to 65535, \
             or secureClientPort",
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
    ] {
        assert_eq!(case.error(), want);
    }
}

#[test]
fn the_list_of_servers_obeys_zookeepers_rules() {
    let with = |line: &str| Case::of(format!("{THREE}{line}").leak());
    for (case, want) in [
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
    ] {
        assert_eq!(case.error(), want);
    }
}

#[test]
fn myid_names_one_of_the_servers() {
    let with = |line: &str| Case::of(format!("{THREE}{line}").leak());
    for (case, want) in [
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
            Case {
                my_id: Some("128"),
                ..with("extendedTypesEnabled=true\nemulate353TTLNodes=true\n")
            },
            "/data/myid:1: myid=128: expected a server id, 0 to 127 with emulate353TTLNodes=true",
        ),
    ] {
        assert_eq!(case.error(), want);
    }
}

#[test]
fn a_dynamic_file_holds_the_servers_and_nothing_else() {
    let with = |line: &str| Case::of(format!("{THREE}{line}").leak());
    for (case, want) in [
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

//! The files that run ZooKeeper today run here.

use std::num::NonZeroU32;

use super::{Case, MINIMAL, THREE, with_line};
use crate::server::config::{Role, ServerId};
use crate::server::four_letter::Word;

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
    assert!(loaded.config.admin.enabled);
    assert_eq!(loaded.warnings, Vec::<String>::new());
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

//! Answers to four-letter words, from the counters of a running server.

use std::path::Path;
use std::sync::atomic::Ordering;

use crate::proto::OpCode;
use crate::raft::Leadership;
use crate::replica::{Connection, Traffic};
use crate::server::Shared;
use crate::server::config::{Config, Role};
use crate::server::four_letter::metrics::{LeaderMetrics, Metrics, PeerMetrics, Phase, mntr};
use crate::server::four_letter::report::{
    self, ConnectionSession, ConnectionStatus, Environment, Interest, Mode, RunningFacts,
    ServerStatus, Serving, Summary,
};
use crate::server::four_letter::{NOT_SERVING, Word};
use crate::storage::{Disk, OpenMode};

/// The whole answer to a word.
pub(crate) fn answer(shared: &Shared, word: Word) -> String {
    let config = &shared.config;
    if !config
        .four_letter_words
        .allows(word, config.read_only_mode_enabled)
    {
        return word.refusal();
    }
    if word.needs_serving_server() && !shared.is_serving() {
        return NOT_SERVING.into();
    }
    match word {
        Word::Ruok => report::RUOK.into(),
        Word::Isro => report::isro(serving(shared)).into(),
        Word::Envi => report::envi(&environment()),
        Word::Srvr => report::srvr(&status(shared)),
        Word::Stat => report::stat(&status(shared), &connections(shared)),
        Word::Cons => report::cons(&connections(shared)),
        Word::Conf => report::conf(&with_members(shared), &facts(shared)),
        Word::Mntr => mntr(&status(shared), &metrics(shared)),
        // Known to ZooKeeper and not to this version.
        Word::Crst
        | Word::Dirs
        | Word::Dump
        | Word::Gtmk
        | Word::Hash
        | Word::Srst
        | Word::Stmk
        | Word::Wchc
        | Word::Wchp
        | Word::Wchs => format!("{word} is not supported by this version.\n"),
    }
}

/// The configuration with the servers as the log has them.
fn with_members(shared: &Shared) -> Config {
    let mut config = shared.config.clone();
    let configuration = std::sync::Arc::clone(shared.replica.tree().configuration());
    if let Some(ensemble) = &mut config.ensemble
        && configuration.members.contains_key(&ensemble.my_id)
    {
        ensemble.members.clone_from(&configuration.members);
    }
    config
}

fn mode(shared: &Shared) -> Mode {
    let Some(ensemble) = &shared.config.ensemble else {
        return Mode::Standalone;
    };
    let configuration = std::sync::Arc::clone(shared.replica.tree().configuration());
    let by_log = configuration.members.get(&ensemble.my_id);
    let role = by_log.map_or(ensemble.me().role, |member| member.role);
    match (shared.consensus.leadership(), role) {
        (Leadership::Mine { .. }, _) => Mode::Leader,
        (_, Role::Observer) => Mode::Observer,
        (_, Role::Participant) => Mode::Follower,
    }
}

fn serving(shared: &Shared) -> Serving {
    if shared.is_serving() {
        Serving::ReadWrite
    } else {
        Serving::Nothing
    }
}

fn summary_ms(traffic: &Traffic) -> Summary {
    let (count, sum, min, max) = traffic.latency.count_sum_min_max_us();
    Summary {
        count,
        sum: sum / 1000,
        min: min / 1000,
        max: max / 1000,
    }
}

fn status(shared: &Shared) -> ServerStatus {
    let traffic = &shared.replica.traffic;
    // Before the tree is locked: one lock is never taken twice.
    let mode = mode(shared);
    let tree = shared.replica.tree();
    let connections = shared.replica.connections();
    let sent = connections
        .iter()
        .map(|connection| connection.traffic.sent.load(Ordering::Relaxed));
    ServerStatus {
        mode,
        latency_ms: summary_ms(traffic),
        packets_received: traffic.received.load(Ordering::Relaxed),
        packets_sent: traffic.sent.load(Ordering::Relaxed) + sent.sum::<u64>(),
        // The one that asks counts too.
        connections: connections.len() as u64 + 1,
        outstanding_requests: shared.replica.outstanding() as u64,
        last_zxid: u64::try_from(tree.last_zxid().0).unwrap_or(0),
        znode_count: tree.node_count() as u64,
        proposal_sizes: (mode == Mode::Leader).then(Default::default),
    }
}

fn metrics(shared: &Shared) -> Metrics {
    let replica = &shared.replica;
    let tree = replica.view();
    let log = shared.log.stats();
    let synced = shared.consensus.synced_followers();
    let ensemble = shared.config.ensemble.as_ref();
    Metrics {
        ephemerals_count: tree.ephemerals_count() as u64,
        watch_count: replica.watch_count() as u64,
        approximate_data_size: tree.approximate_data_size(),
        global_sessions: tree.sessions().len() as u64,
        open_file_descriptor_count: open_files(),
        max_file_descriptor_count: file_limit(),
        uptime_ms: shared
            .clock
            .monotonic_ms()
            .saturating_sub(shared.started_ms),
        peer: ensemble.map(|_| PeerMetrics {
            quorum_size: crate::tree::voters(&tree.configuration().members).count() as u64,
            synced_observers: synced.observers as u64,
            phase: phase(shared),
        }),
        leader: (mode(shared) == Mode::Leader).then(|| LeaderMetrics {
            learners: synced.learners as u64,
            synced_followers: synced.followers as u64,
            ..LeaderMetrics::default()
        }),
        summaries: vec![(
            "fsynctime",
            Summary {
                count: log.fsync_count,
                sum: log.fsync_micros_total / 1000,
                min: 0,
                max: log.fsync_micros_max / 1000,
            },
        )],
        ..Metrics::default()
    }
}

fn phase(shared: &Shared) -> Phase {
    match shared.consensus.leadership() {
        Leadership::Nobody | Leadership::Stopped => Phase::Looking,
        Leadership::Mine { .. } | Leadership::Of { .. } => Phase::Broadcasting,
    }
}

fn connections(shared: &Shared) -> Vec<ConnectionStatus> {
    shared
        .replica
        .connections()
        .iter()
        .map(|connection| describe(connection))
        .collect()
}

fn describe(connection: &Connection) -> ConnectionStatus {
    let queued = connection.outstanding() as u64;
    let session = connection.session();
    let last = connection.last_answer();
    ConnectionStatus {
        peer: connection.peer(),
        interest: Interest::Read,
        queued,
        received: connection.traffic.received.load(Ordering::Relaxed),
        sent: connection.traffic.sent.load(Ordering::Relaxed),
        session: (session.0 != 0).then(|| ConnectionSession {
            #[allow(clippy::cast_sign_loss, reason = "printed as the bits it has")]
            id: session.0 as u64,
            last_operation: last.map_or("SESS", |last| abbreviation(last.op)),
            established_ms: u64::try_from(connection.established_ms).unwrap_or(0),
            timeout_ms: u32::try_from(connection.timeout_ms()).unwrap_or(0),
            last_cxid: last.and_then(|last| u32::try_from(last.xid.0).ok()),
            last_zxid: last.and_then(|last| u64::try_from(last.zxid.0).ok()),
            last_response_ms: last.map_or(0, |last| last.at_us / 1000),
            last_latency_ms: last.map_or(0, |last| last.took_us / 1000),
            latency_ms: summary_ms(&connection.traffic),
        }),
    }
}

/// What ZooKeeper calls an operation in `cons`.
fn abbreviation(op: OpCode) -> &'static str {
    match op {
        OpCode::Ping => "PING",
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => "CREA",
        OpCode::Delete => "DELE",
        OpCode::SetData => "SETD",
        OpCode::Reconfig => "RECO",
        OpCode::SetAcl => "SETA",
        OpCode::CloseSession => "CLOS",
        OpCode::Sync => "SYNC",
        OpCode::Check => "CHEC",
        OpCode::Exists => "EXIS",
        OpCode::GetData => "GETD",
        OpCode::SetWatches => "SETW",
        OpCode::SetWatches2 => "STW2",
        OpCode::AddWatch => "ADDW",
        OpCode::GetAcl => "GETA",
        OpCode::GetChildren | OpCode::GetChildren2 => "GETC",
        OpCode::GetAllChildrenNumber => "GETACN",
        OpCode::CheckWatches => "CHKW",
        OpCode::RemoveWatches => "REMW",
        OpCode::WhoAmI => "HOMI",
        OpCode::GetEphemerals => "GETE",
        OpCode::Multi => "MULT",
        OpCode::MultiRead => "MLTR",
        OpCode::Auth | OpCode::Sasl => "NA",
    }
}

fn facts(shared: &Shared) -> RunningFacts {
    let config = &shared.config;
    RunningFacts {
        client_port: shared.client_port,
        data_dir: config.data_dir.clone(),
        data_dir_bytes: bytes_in(&*shared.disk, &config.data_dir),
        log_dir: config.log_dir.clone(),
        log_dir_bytes: bytes_in(&*shared.disk, &config.log_dir),
        membership_version: u64::try_from(shared.replica.tree().configuration().version.0)
            .unwrap_or(0),
    }
}

/// Bytes of the files directly in a directory; 0 if it cannot be read.
fn bytes_in(disk: &dyn Disk, dir: &Path) -> u64 {
    let bytes = |name: String| disk.open(&dir.join(name), OpenMode::Read)?.bytes();
    let names = disk.list(dir).unwrap_or_default().into_iter();
    names.filter_map(|name| bytes(name).ok()).sum()
}

fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64)
}

fn file_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX)
}

fn environment() -> Environment {
    let system = rustix::system::uname();
    let text = |name: &std::ffi::CStr| Some(name.to_string_lossy().into_owned());
    let variable = |name: &str| std::env::var(name).ok();
    let megabytes = |path: &str, key: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
            .map(|kb| kb >> 10)
    };
    Environment {
        host_name: text(system.nodename()),
        temporary_dir: Some(std::env::temp_dir().display().to_string()),
        os_name: text(system.sysname()),
        os_arch: text(system.machine()),
        os_version: text(system.release()),
        user_name: variable("USER"),
        user_home: variable("HOME"),
        user_dir: std::env::current_dir()
            .ok()
            .map(|dir| dir.display().to_string()),
        memory_free_mb: megabytes("/proc/meminfo", "MemAvailable:"),
        memory_max_mb: megabytes("/proc/meminfo", "MemTotal:"),
        memory_total_mb: megabytes("/proc/self/status", "VmRSS:"),
    }
}

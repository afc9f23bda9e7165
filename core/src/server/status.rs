//! What this server is and does at the moment, from the counters of a running server; and from it
//! the answers to four-letter words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::metrics::{Count, Observed};
use crate::proto::{ConnectionId, OpCode, SessionId};
use crate::raft::Leadership;
use crate::replica::Connection;
use crate::server::config::{Config, Role, Transport};
use crate::server::four_letter::listing::{self, Bucket, Dump, Tracked, Watched};
use crate::server::four_letter::metrics::{Monitor, Phase, mntr};
use crate::server::four_letter::report::{
    self, ConnectionSession, ConnectionStatus, Environment, Interest, Mode, RunningFacts,
    ServerStatus, Serving, Sizes, Summary,
};
use crate::server::four_letter::{NOT_SERVING, Word};
use crate::server::modes::Service;
use crate::server::{Shared, gauges};
use crate::storage::{Disk, OpenMode};

/// Watched paths that are copied under one hold of their lock.
const WATCHED_PAGE: usize = 1024;

/// Why a word is not answered, if it is not.
pub(crate) fn refusal(shared: &Shared, word: Word) -> Option<String> {
    let config = &shared.config;
    let words = &config.four_letter_words;
    if !words.allows(word, config.read_only_mode_enabled) {
        return Some(word.refusal());
    }
    (word.needs_serving_server() && !shared.is_serving()).then(|| NOT_SERVING.into())
}

/// The whole answer to a word that `peer` asks.
pub(crate) fn answer(shared: &Shared, word: Word, peer: SocketAddr) -> String {
    if let Some(refusal) = refusal(shared, word) {
        return refusal;
    }
    let _turn = word.takes_long().then(|| shared.console.long_answer());
    match word {
        Word::Ruok => report::RUOK.into(),
        Word::Isro => report::isro(serving(shared)).into(),
        Word::Envi => report::envi(&environment()),
        Word::Srvr => report::srvr(&status(shared, 1)),
        Word::Stat => report::stat(&status(shared, 1), &connections_and(shared, peer)),
        Word::Cons => report::cons(&connections_and(shared, peer)),
        Word::Conf => report::conf(&with_members(shared), &facts(shared)),
        Word::Mntr => mntr(&monitor(shared, 1)),
        Word::Dirs => {
            let facts = facts(shared);
            listing::dirs(facts.data_dir_bytes, facts.log_dir_bytes)
        }
        Word::Dump => listing::dump(&dump(shared, Some(peer))),
        Word::Wchs => listing::wchs(watched(shared).counts()),
        Word::Wchc => listing::wchc(&watched(shared)),
        Word::Wchp => listing::wchp(&watched(shared)),
        Word::Hash => listing::hash(&shared.replica.digests()),
        Word::Gtmk | Word::Stmk => shared.console.trace_mask().to_string(),
        Word::Crst => {
            reset_connections(shared);
            listing::CONNECTIONS_RESET.into()
        }
        Word::Srst => {
            shared.replica.reset_counters();
            listing::SERVER_RESET.into()
        }
    }
}

/// What is counted of each connection begins anew.
pub(crate) fn reset_connections(shared: &Shared) {
    for connection in shared.replica.connections() {
        connection.reset_counters();
    }
}

/// The configuration with the servers as the log has them.
fn with_members(shared: &Shared) -> Config {
    let mut config = shared.config.clone();
    let configuration = Arc::clone(shared.replica.tree().configuration());
    if let Some(ensemble) = &mut config.ensemble
        && configuration.members.contains_key(&ensemble.my_id)
    {
        ensemble.members.clone_from(&configuration.members);
    }
    config
}

pub(crate) fn mode(shared: &Shared) -> Mode {
    let Some(ensemble) = &shared.config.ensemble else {
        return Mode::Standalone;
    };
    if shared.service() == Service::ReadOnly {
        return Mode::ReadOnly;
    }
    let configuration = Arc::clone(shared.replica.tree().configuration());
    let by_log = configuration.members.get(&ensemble.my_id);
    let role = by_log.map_or(ensemble.me().role, |member| member.role);
    match (shared.consensus.leadership(), role) {
        (Leadership::Mine { .. }, _) => Mode::Leader,
        (_, Role::Observer) => Mode::Observer,
        (_, Role::Participant) => Mode::Follower,
    }
}

pub(crate) fn serving(shared: &Shared) -> Serving {
    match shared.service() {
        Service::ReadWrite => Serving::ReadWrite,
        Service::ReadOnly => Serving::ReadOnly,
        Service::Nothing => Serving::Nothing,
    }
}

fn summary_ms((count, sum, min, max): (u64, u64, u64, u64)) -> Summary {
    Summary {
        count,
        sum: sum / 1000,
        min: min / 1000,
        max: max / 1000,
    }
}

/// What `srvr` says. `asking` is how many connections to the client port are not in the table.
pub(crate) fn status(shared: &Shared, asking: usize) -> ServerStatus {
    let metrics = shared.replica.metrics();
    let Observed {
        count,
        sum,
        min,
        max,
        ..
    } = metrics.latency();
    // Before the tree is locked: one lock is never taken twice.
    let mode = mode(shared);
    let tree = shared.replica.tree();
    ServerStatus {
        mode,
        latency_ms: summary_ms((count, sum, min, max)),
        packets_received: metrics.counted(Count::PacketsReceived),
        packets_sent: metrics.counted(Count::PacketsSent),
        connections: (shared.replica.connections().len() + asking) as u64,
        outstanding_requests: shared.replica.outstanding() as u64,
        last_zxid: u64::try_from(tree.last_zxid().0).unwrap_or(0),
        znode_count: tree.node_count() as u64,
        proposal_sizes: (mode == Mode::Leader).then(|| Sizes::of(&metrics.proposal_sizes)),
    }
}

/// Everything measured and counted.
pub(crate) fn monitor(shared: &Shared, asking: usize) -> Monitor {
    Monitor {
        mode: mode(shared),
        phase: shared.config.ensemble.as_ref().map(|_| phase(shared)),
        samples: gauges::samples(shared, asking),
    }
}

pub(crate) fn uptime_ms(shared: &Shared) -> u64 {
    let now_ms = shared.clock.monotonic_ms();
    now_ms.saturating_sub(shared.started_ms)
}

pub(crate) fn pending_syncs(shared: &Shared) -> usize {
    let connections = shared.replica.connections();
    let syncs = connections.iter();
    syncs.map(|connection| connection.pending_syncs()).sum()
}

pub(crate) fn phase(shared: &Shared) -> Phase {
    match shared.consensus.leadership() {
        Leadership::Nobody | Leadership::Stopped => Phase::Looking,
        // A leader that serves no clients takes part all the same.
        _ if !*shared.serving.borrow() => Phase::Synchronizing,
        Leadership::Mine { .. } | Leadership::Of { .. } => Phase::Broadcasting,
    }
}

/// Who watches what, gathered piece by piece, so that nobody waits for all of it.
pub(crate) fn watched(shared: &Shared) -> Watched {
    let mut sessions = BTreeMap::<ConnectionId, SessionId>::new();
    for connection in shared.replica.connections() {
        sessions.insert(connection.id(), connection.session());
    }
    let mut by_path = Vec::<(String, Vec<SessionId>)>::new();
    loop {
        let after = by_path.last().map(|(path, _)| path.as_str());
        let page = shared.replica.watched_after(after, WATCHED_PAGE);
        let ended = page.len() < WATCHED_PAGE;
        for (path, watchers) in page {
            let known = watchers.iter().filter_map(|id| sessions.get(id)).copied();
            by_path.push((path.into(), known.collect()));
        }
        if ended {
            return Watched { by_path };
        }
    }
}

/// Sessions, their znodes, and connections. `asking` is a connection that is not in the table.
pub(crate) fn dump(shared: &Shared, asking: Option<SocketAddr>) -> Dump {
    let tree = shared.replica.view();
    let sessions = match shared.console.expiry().as_ref() {
        Some(expiry) => {
            let now_ms = shared.clock.monotonic_ms();
            let by_end = expiry.buckets(tree.sessions().iter(), now_ms);
            Tracked::Expiring(buckets(shared, by_end))
        }
        None => {
            let sessions = tree.sessions().iter();
            Tracked::Followed(sessions.map(|(id, s)| (id, s.timeout_ms)).collect())
        }
    };
    let now_ms = shared.clock.monotonic_ms();
    let local = shared.replica.local_buckets(now_ms);
    let owners = tree.sessions().iter();
    let owners = owners.filter(|(_, session)| session.ephemerals_count() > 0);
    let ephemerals = owners.map(|(id, session)| {
        let paths = session.ephemerals().map(str::to_owned);
        (id, paths.collect())
    });
    Dump {
        sessions,
        local: local.map(|by_end| buckets(shared, by_end)),
        ephemerals: ephemerals.collect(),
        connections: connection_buckets(shared, asking),
    }
}

fn connection_buckets(
    shared: &Shared,
    asking: Option<SocketAddr>,
) -> Vec<Bucket<(SocketAddr, SessionId)>> {
    let tick_ms = u64::from(shared.config.tick_ms.max(1));
    let sessionless_ms = u64::from(shared.config.sessionless_cnxn_timeout_ms);
    let end = |heard_ms: u64, timeout_ms: u64| ((heard_ms + timeout_ms) / tick_ms + 1) * tick_ms;
    let mut all = BTreeMap::<u64, Vec<_>>::new();
    for connection in shared.replica.connections() {
        let timeout_ms = match u64::try_from(connection.timeout_ms()) {
            Ok(timeout_ms @ 1..) => timeout_ms,
            _ => sessionless_ms,
        };
        let at_ms = end(connection.heard_ms.load(Ordering::Relaxed), timeout_ms);
        let who = (connection.peer(), connection.session());
        all.entry(at_ms).or_default().push(who);
    }
    if let Some(peer) = asking {
        let at_ms = end(shared.clock.monotonic_ms(), sessionless_ms);
        all.entry(at_ms).or_default().push((peer, SessionId(0)));
    }
    buckets(shared, all)
}

fn buckets<T>(shared: &Shared, by_end: BTreeMap<u64, Vec<T>>) -> Vec<Bucket<T>> {
    let (wall_ms, now_ms) = (shared.clock.wall_ms(), shared.clock.monotonic_ms());
    let wall = |at_ms: u64| wall_ms.saturating_add_unsigned(at_ms) - now_ms.cast_signed();
    let by_end = by_end.into_iter();
    by_end
        .map(|(at_ms, members)| Bucket {
            at_ms,
            at_wall_ms: wall(at_ms),
            members,
        })
        .collect()
}

pub(crate) fn connections(shared: &Shared) -> Vec<ConnectionStatus> {
    let connections = shared.replica.connections();
    let connections = connections.iter();
    connections.map(|connection| describe(connection)).collect()
}

/// All connections, and the one that asks.
fn connections_and(shared: &Shared, peer: SocketAddr) -> Vec<ConnectionStatus> {
    let mut connections = connections(shared);
    connections.push(ConnectionStatus {
        peer,
        interest: Interest::Nothing,
        queued: 0,
        received: 1,
        sent: 0,
        is_secure: false,
        session: None,
    });
    connections
}

fn describe(connection: &Connection) -> ConnectionStatus {
    let queued = connection.outstanding() as u64;
    let session = connection.session();
    let last = connection.last_answer();
    let before = if connection.was_reset() { "NA" } else { "SESS" };
    ConnectionStatus {
        peer: connection.peer(),
        interest: Interest::Read,
        queued,
        received: connection.traffic.received.load(Ordering::Relaxed),
        sent: connection.traffic.sent.load(Ordering::Relaxed),
        is_secure: connection.is_secure,
        session: (session.0 != 0).then(|| ConnectionSession {
            #[allow(clippy::cast_sign_loss, reason = "printed as the bits it has")]
            id: session.0 as u64,
            last_operation: last.map_or(before, |last| abbreviation(last.op)),
            established_ms: u64::try_from(connection.established_ms).unwrap_or(0),
            timeout_ms: u32::try_from(connection.timeout_ms()).unwrap_or(0),
            last_cxid: last.and_then(|last| u32::try_from(last.xid.0).ok()),
            last_zxid: last.and_then(|last| u64::try_from(last.zxid.0).ok()),
            last_response_ms: last.map_or(0, |last| last.at_us / 1000),
            last_latency_ms: last.map_or(0, |last| last.took_us / 1000),
            latency_ms: summary_ms(connection.traffic.latency.count_sum_min_max_us()),
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

pub(crate) fn facts(shared: &Shared) -> RunningFacts {
    let config = &shared.config;
    let port = Some(shared.client_port());
    let secure = shared.secure_client_address.map(|address| address.port());
    let (client_port, secure_client_port) = match config.client_transport {
        Transport::Tls => (None, port),
        Transport::Plain | Transport::Either => (port, secure),
    };
    RunningFacts {
        client_port,
        secure_client_port,
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

pub(crate) fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64)
}

pub(crate) fn file_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX)
}

pub(crate) fn environment() -> Environment {
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

//! The answer to `mntr`: one `zk_<key>` TAB `<value>` line per metric, for exporters.

use std::fmt::{Display, Write as _};

use super::ZOOKEEPER_VERSION;
use super::report::{Average, Mode, OrMinusOne, ServerStatus, Summary};

/// What `mntr` says beside the [`ServerStatus`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// Ephemeral znodes.
    pub ephemerals_count: u64,
    /// Watches, on data and on children.
    pub watch_count: u64,
    /// Bytes of paths and data.
    pub approximate_data_size: u64,
    /// Sessions of the ensemble.
    pub global_sessions: u64,
    /// Sessions that only this server knows.
    pub local_sessions: u64,
    /// Files and sockets of this process.
    pub open_file_descriptor_count: u64,
    /// How many there may be.
    pub max_file_descriptor_count: u64,
    /// Since the server started.
    pub uptime_ms: u64,
    /// The share of new connections that are refused on purpose, 0 to 1.
    pub connection_drop_probability: f64,
    /// Failed authentications.
    pub auth_failed_count: u64,
    /// Bytes of the last, smallest and largest reply; `None` before the first.
    pub last_client_response_size: Option<u64>,
    /// See `last_client_response_size`.
    pub min_client_response_size: Option<u64>,
    /// See `last_client_response_size`.
    pub max_client_response_size: Option<u64>,
    /// In an ensemble.
    pub peer: Option<PeerMetrics>,
    /// On a leader.
    pub leader: Option<LeaderMetrics>,
    /// Counters by ZooKeeper's name, without `zk_`.
    pub counters: Vec<(&'static str, u64)>,
    /// Measurements by ZooKeeper's name, without `zk_`: `fsynctime`, `snapshottime`, ...
    pub summaries: Vec<(&'static str, Summary)>,
    /// Measurements with percentiles: `readlatency`, `updatelatency`, ...
    pub detailed: Vec<(&'static str, Summary, Percentiles)>,
}

/// What only a member of an ensemble has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerMetrics {
    /// Members that vote.
    pub quorum_size: u64,
    /// Observers in touch with this server.
    pub synced_observers: u64,
    /// What the member is doing.
    pub phase: Phase,
}

/// ZooKeeper's names for what a member is doing; the leader's and the followers' differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// There is no leader.
    Looking,
    /// It catches up.
    Synchronizing,
    /// It takes part.
    Broadcasting,
}

/// What only a leader has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaderMetrics {
    /// Other servers that follow.
    pub learners: u64,
    /// Other voting servers that are up to date.
    pub synced_followers: u64,
    /// Followers that are up to date and have no vote.
    pub synced_non_voting_followers: u64,
    /// `sync` requests in work.
    pub pending_syncs: u64,
    /// Since it leads.
    pub leader_uptime_ms: u64,
}

/// Values that 50, 95, 99 and 99.9 percent of the measurements do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Percentiles {
    /// Half of them.
    pub p50: u64,
    /// 95 percent.
    pub p95: u64,
    /// 99 percent.
    pub p99: u64,
    /// 99.9 percent.
    pub p999: u64,
}

/// The answer to `mntr`.
pub fn mntr(status: &ServerStatus, metrics: &Metrics) -> String {
    let mut out = Lines::default();
    out.put("version", ZOOKEEPER_VERSION);
    out.put("server_state", status.mode);
    if let Some(peer) = metrics.peer {
        out.put("peer_state", peer_state(status.mode, peer.phase));
    }
    put_server(&mut out, status, metrics);
    if let Some(peer) = metrics.peer {
        out.put("quorum_size", peer.quorum_size);
        if matches!(status.mode, Mode::Leader | Mode::Follower) {
            out.put("synced_observers", peer.synced_observers);
        }
    }
    put_leader(&mut out, status, metrics);
    for (name, value) in &metrics.counters {
        out.put(name, value);
    }
    for (name, summary) in &metrics.summaries {
        out.put_summary(name, *summary);
    }
    for (name, summary, percentiles) in &metrics.detailed {
        out.put_summary(name, *summary);
        let Percentiles {
            p50,
            p95,
            p99,
            p999,
        } = percentiles;
        for (prefix, value) in [("p50", p50), ("p95", p95), ("p99", p99), ("p999", p999)] {
            out.put(&format!("{prefix}_{name}"), value);
        }
    }
    out.text
}

fn put_server(out: &mut Lines, status: &ServerStatus, metrics: &Metrics) {
    out.put("ephemerals_count", metrics.ephemerals_count);
    out.put("num_alive_connections", status.connections);
    out.put("avg_latency", Average(status.latency_ms));
    out.put("min_latency", status.latency_ms.min);
    out.put("max_latency", status.latency_ms.max);
    out.put("outstanding_requests", status.outstanding_requests);
    out.put("znode_count", status.znode_count);
    out.put("watch_count", metrics.watch_count);
    out.put("approximate_data_size", metrics.approximate_data_size);
    out.put("packets_received", status.packets_received);
    out.put("packets_sent", status.packets_sent);
    out.put(
        "open_file_descriptor_count",
        metrics.open_file_descriptor_count,
    );
    out.put(
        "max_file_descriptor_count",
        metrics.max_file_descriptor_count,
    );
    out.put("global_sessions", metrics.global_sessions);
    out.put("local_sessions", metrics.local_sessions);
    out.put("uptime", metrics.uptime_ms);
    // `{:?}` keeps the decimal point of a whole number, as Java does: 0.0.
    let drop_probability = metrics.connection_drop_probability;
    out.put(
        "connection_drop_probability",
        format_args!("{drop_probability:?}"),
    );
    out.put("auth_failed_count", metrics.auth_failed_count);
    out.put(
        "last_client_response_size",
        OrMinusOne(metrics.last_client_response_size),
    );
    out.put(
        "min_client_response_size",
        OrMinusOne(metrics.min_client_response_size),
    );
    out.put(
        "max_client_response_size",
        OrMinusOne(metrics.max_client_response_size),
    );
}

fn put_leader(out: &mut Lines, status: &ServerStatus, metrics: &Metrics) {
    if let Some(leader) = metrics.leader {
        out.put("learners", leader.learners);
        out.put("synced_followers", leader.synced_followers);
        out.put(
            "synced_non_voting_followers",
            leader.synced_non_voting_followers,
        );
        out.put("pending_syncs", leader.pending_syncs);
        out.put("leader_uptime", leader.leader_uptime_ms);
    }
    if let Some(sizes) = status.proposal_sizes {
        out.put("last_proposal_size", OrMinusOne(sizes.last));
        out.put("min_proposal_size", OrMinusOne(sizes.min));
        out.put("max_proposal_size", OrMinusOne(sizes.max));
    }
}

fn peer_state(mode: Mode, phase: Phase) -> &'static str {
    match (mode, phase) {
        (_, Phase::Looking) => "looking - election",
        (Mode::Leader, Phase::Synchronizing) => "leading - synchronization",
        (Mode::Leader, Phase::Broadcasting) => "leading - broadcast",
        (Mode::Observer, Phase::Synchronizing) => "observing - synchronization",
        (Mode::Observer, Phase::Broadcasting) => "observing - broadcast",
        (_, Phase::Synchronizing) => "following - synchronization",
        (_, Phase::Broadcasting) => "following - broadcast",
    }
}

#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn put(&mut self, key: &str, value: impl Display) {
        writeln!(self.text, "zk_{key}\t{value}").expect("writing to a String does not fail");
    }

    fn put_summary(&mut self, name: &str, summary: Summary) {
        self.put(&format!("avg_{name}"), Average(summary));
        self.put(&format!("min_{name}"), summary.min);
        self.put(&format!("max_{name}"), summary.max);
        self.put(&format!("cnt_{name}"), summary.count);
        self.put(&format!("sum_{name}"), summary.sum);
    }
}

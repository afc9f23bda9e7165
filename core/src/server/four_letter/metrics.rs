//! The answer to `mntr`: one `zk_<key>` TAB `<value>` line per number, for exporters.

use std::fmt::Write as _;

use super::ZOOKEEPER_VERSION;
use super::report::Mode;
use crate::metrics::Sample;

/// What `mntr`, `/commands/monitor` and Prometheus tell, each in its own form.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    /// What the server is.
    pub mode: Mode,
    /// What a member of an ensemble is doing.
    pub phase: Option<Phase>,
    /// Everything measured and counted.
    pub samples: Vec<Sample>,
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

impl Phase {
    /// ZooKeeper's name alone.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Looking => "election",
            Phase::Synchronizing => "synchronization",
            Phase::Broadcasting => "broadcast",
        }
    }
}

impl Monitor {
    /// `peer_state`: what a member of an ensemble is and does.
    pub fn peer_state(&self) -> Option<String> {
        let phase = self.phase?;
        let role = match (self.mode, phase) {
            (_, Phase::Looking) => "looking",
            (Mode::Leader, _) => "leading",
            (Mode::Observer, _) => "observing",
            _ => "following",
        };
        Some(format!("{role} - {}", phase.name()))
    }
}

/// The answer to `mntr`.
pub fn mntr(monitor: &Monitor) -> String {
    let mut out = format!(
        "zk_version\t{ZOOKEEPER_VERSION}\nzk_server_state\t{}\n",
        monitor.mode
    );
    if let Some(state) = monitor.peer_state() {
        let _ = writeln!(out, "zk_peer_state\t{state}");
    }
    for sample in &monitor.samples {
        for (key, number) in sample.numbers() {
            let _ = writeln!(out, "zk_{key}\t{number}");
        }
    }
    out
}

//! The answers that list what a server holds: dump, wchs, wchc, wchp, dirs, hash; and what crst,
//! srst, gtmk and stmk say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

use super::java::{JavaAddress, JavaDate};
use crate::proto::{SessionId, Zxid};

/// The answer to `crst`.
pub const CONNECTIONS_RESET: &str = "Connection stats reset.\n";

/// The answer to `srst`.
pub const SERVER_RESET: &str = "Server stats reset.\n";

/// Who ends when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket<T> {
    /// The end, in milliseconds of the server's clock: a whole number of ticks.
    pub at_ms: u64,
    /// The end, in milliseconds since 1970.
    pub at_wall_ms: i64,
    /// Who ends then unless something is heard of it.
    pub members: Vec<T>,
}

/// Sessions as a server sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracked {
    /// A leader, or a server alone: by their deadlines.
    Expiring(Vec<Bucket<SessionId>>),
    /// A server that leaves expiring to the leader: with their timeouts in milliseconds.
    Followed(Vec<(SessionId, i32)>),
}

/// What `dump` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// All sessions.
    pub sessions: Tracked,
    /// Sessions that only this server knows, by their deadlines; `None` unless there may be such.
    pub local: Option<Vec<Bucket<SessionId>>>,
    /// Sessions that own znodes, with their paths.
    pub ephemerals: Vec<(SessionId, Vec<String>)>,
    /// Connections of this server by the time they are given up, with their sessions; 0 before the
    /// handshake.
    pub connections: Vec<Bucket<(SocketAddr, SessionId)>>,
}

/// The session id as ZooKeeper prints it.
fn hex(session: SessionId) -> String {
    format!("0x{:x}", session.0)
}

/// The answer to `dump`.
pub fn dump(dump: &Dump) -> String {
    let mut out = String::from("SessionTracker dump:\n");
    if let Some(local) = &dump.local {
        out.push_str("Local Session ");
        put_buckets(&mut out, local, |session| hex(*session));
    }
    match &dump.sessions {
        Tracked::Expiring(buckets) => {
            if dump.local.is_some() {
                out.push_str("Global ");
            }
            out.push_str("Session ");
            put_buckets(&mut out, buckets, |session| hex(*session));
        }
        Tracked::Followed(sessions) => {
            let _ = writeln!(out, "Global Sessions({}):", sessions.len());
            for (session, timeout_ms) in sessions {
                let _ = writeln!(out, "{}\t{timeout_ms}ms", hex(*session));
            }
        }
    }
    out.push_str("ephemeral nodes dump:\n");
    let _ = writeln!(out, "Sessions with Ephemerals ({}):", dump.ephemerals.len());
    for (session, paths) in &dump.ephemerals {
        let _ = writeln!(out, "{}:", hex(*session));
        for path in paths {
            let _ = writeln!(out, "\t{path}");
        }
    }
    out.push_str("Connections dump:\nConnections ");
    put_buckets(&mut out, &dump.connections, |(peer, session)| {
        format!("ip: {} sessionId: {}", JavaAddress(*peer), hex(*session))
    });
    out
}

fn put_buckets<T>(out: &mut String, buckets: &[Bucket<T>], name: impl Fn(&T) -> String) {
    let members = buckets.iter().map(|bucket| bucket.members.len());
    let _ = writeln!(
        out,
        "Sets ({})/({}):",
        buckets.len(),
        members.sum::<usize>()
    );
    for bucket in buckets {
        let date = JavaDate(bucket.at_wall_ms);
        let _ = writeln!(out, "{} expire at {date}:", bucket.members.len());
        for member in &bucket.members {
            let _ = writeln!(out, "\t{}", name(member));
        }
    }
}

/// The paths somebody watches, each with the sessions that do; of the data table, as ZooKeeper
/// shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watched {
    /// In the order of the paths.
    pub by_path: Vec<(String, Vec<SessionId>)>,
}

/// How many watch how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchCounts {
    /// Connections that watch something.
    pub connections: usize,
    /// Paths that are watched.
    pub paths: usize,
    /// Pairs of both.
    pub watches: usize,
}

impl Watched {
    /// The same, counted.
    pub fn counts(&self) -> WatchCounts {
        let sessions = self.by_path.iter().flat_map(|(_, sessions)| sessions);
        WatchCounts {
            connections: sessions.clone().collect::<BTreeSet<_>>().len(),
            paths: self.by_path.len(),
            watches: sessions.count(),
        }
    }

    /// The same, by session.
    pub fn by_session(&self) -> BTreeMap<SessionId, Vec<&str>> {
        let mut by_session = BTreeMap::<_, Vec<_>>::new();
        for (path, sessions) in &self.by_path {
            for session in sessions {
                by_session.entry(*session).or_default().push(path.as_str());
            }
        }
        by_session
    }
}

/// The answer to `wchs`.
pub fn wchs(counts: WatchCounts) -> String {
    let WatchCounts {
        connections,
        paths,
        watches,
    } = counts;
    format!("{connections} connections watching {paths} paths\nTotal watches:{watches}\n")
}

/// The answer to `wchc`.
pub fn wchc(watched: &Watched) -> String {
    let mut out = String::new();
    for (session, paths) in watched.by_session() {
        let _ = writeln!(out, "{}", hex(session));
        for path in paths {
            let _ = writeln!(out, "\t{path}");
        }
    }
    out.push('\n');
    out
}

/// The answer to `wchp`.
pub fn wchp(watched: &Watched) -> String {
    let mut out = String::new();
    for (path, sessions) in &watched.by_path {
        let _ = writeln!(out, "{path}");
        for session in sessions {
            let _ = writeln!(out, "\t{}", hex(*session));
        }
    }
    out.push('\n');
    out
}

/// The answer to `dirs`.
pub fn dirs(data_dir_bytes: u64, log_dir_bytes: u64) -> String {
    format!("datadir_size: {data_dir_bytes}\nlogdir_size: {log_dir_bytes}\n")
}

/// The answer to `hash`.
pub fn hash(digests: &[(Zxid, u64)]) -> String {
    let lines = digests.iter();
    lines
        .map(|(zxid, digest)| format!("{:x}: {digest}\n", zxid.0))
        .collect()
}

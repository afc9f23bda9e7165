//! The answers that people read: srvr, stat, cons, conf, envi, isro, ruok.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use super::ZOOKEEPER_VERSION;
use super::java::JavaAddress;
use crate::server::config::{Config, Role};

/// The answer to `ruok`.
pub const RUOK: &str = "imok";

/// Whether and how a server serves, for `isro`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    /// Reads and writes.
    ReadWrite,
    /// Reads only, without a quorum.
    ReadOnly,
    /// Nothing.
    Nothing,
}

/// The answer to `isro`.
pub fn isro(serving: Serving) -> &'static str {
    match serving {
        Serving::ReadWrite => "rw",
        Serving::ReadOnly => "ro",
        Serving::Nothing => "null",
    }
}

/// What a server is at the moment, as `Mode:` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Alone.
    Standalone,
    /// Orders the writes.
    Leader,
    /// Votes.
    Follower,
    /// Does not vote.
    Observer,
    /// Serves reads without a quorum.
    ReadOnly,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::ReadOnly => "read-only",
        })
    }
}

/// Measured values: how many, and their sum, smallest and largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// How many were measured.
    pub count: u64,
    /// All together.
    pub sum: u64,
    /// The smallest; 0 when there is none.
    pub min: u64,
    /// The largest; 0 when there is none.
    pub max: u64,
}

impl Summary {
    /// The average, to four places.
    pub fn average(&self) -> f64 {
        let average = self.sum as f64 / self.count.max(1) as f64;
        (average * 10_000.0).round() / 10_000.0
    }
}

/// The average of a [`Summary`], as ZooKeeper prints it: a decimal of up to four places, at
/// least one (`0.0`, `1.5`, `0.3333`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Average(pub(super) Summary);

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = u128::from(self.0.count.max(1));
        let scaled = u128::from(self.0.sum) * 10_000;
        let rounded = (scaled + count / 2) / count;
        let places = format!("{:04}", rounded % 10_000);
        let places = places.trim_end_matches('0');
        write!(
            f,
            "{}.{}",
            rounded / 10_000,
            if places.is_empty() { "0" } else { places }
        )
    }
}

/// Sizes in bytes; each `None` before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// The last one.
    pub last: Option<u64>,
    /// The smallest.
    pub min: Option<u64>,
    /// The largest.
    pub max: Option<u64>,
}

impl Sizes {
    pub(crate) fn of(sizes: &crate::metrics::Sizes) -> Sizes {
        let known = sizes.last_min_max();
        Sizes {
            last: known.map(|(last, ..)| last),
            min: known.map(|(_, min, _)| min),
            max: known.map(|(.., max)| max),
        }
    }
}

/// A number, or ZooKeeper's -1 for none.
pub(super) struct OrMinusOne(pub(super) Option<u64>);

impl fmt::Display for OrMinusOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("-1"),
        }
    }
}

/// What `srvr`, `stat` and `mntr` have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// What the server is.
    pub mode: Mode,
    /// Time from a request's arrival to its reply, in milliseconds.
    pub latency_ms: Summary,
    /// Frames from clients.
    pub packets_received: u64,
    /// Frames to clients.
    pub packets_sent: u64,
    /// Open client connections, the asking one included.
    pub connections: u64,
    /// Requests that were received and not answered.
    pub outstanding_requests: u64,
    /// The last change that was applied.
    pub last_zxid: u64,
    /// Znodes, the root counted twice as ZooKeeper does.
    pub znode_count: u64,
    /// Of what it proposed, on a leader.
    pub proposal_sizes: Option<Sizes>,
}

/// The answer to `srvr`.
pub fn srvr(status: &ServerStatus) -> String {
    head(status) + &counters(status)
}

/// The answer to `stat`.
pub fn stat(status: &ServerStatus, connections: &[ConnectionStatus]) -> String {
    let mut out = head(status);
    out.push_str("Clients:\n");
    for connection in connections {
        out.push_str(&connection.brief());
        out.push_str(")\n");
    }
    out.push('\n');
    out + &counters(status)
}

fn head(status: &ServerStatus) -> String {
    let read_only = match status.mode {
        Mode::ReadOnly => "READ-ONLY mode; serving only read-only clients\n",
        _ => "",
    };
    format!("Zookeeper version: {ZOOKEEPER_VERSION}\n{read_only}")
}

fn counters(status: &ServerStatus) -> String {
    let latency = status.latency_ms;
    let mut out = format!(
        "Latency min/avg/max: {}/{}/{}\nReceived: {}\nSent: {}\nConnections: {}\n\
         Outstanding: {}\nZxid: 0x{:x}\nMode: {}\nNode count: {}\n",
        latency.min,
        Average(latency),
        latency.max,
        status.packets_received,
        status.packets_sent,
        status.connections,
        status.outstanding_requests,
        status.last_zxid,
        status.mode,
        status.znode_count,
    );
    if let Some(Sizes { last, min, max }) = status.proposal_sizes {
        let (last, min, max) = (OrMinusOne(last), OrMinusOne(min), OrMinusOne(max));
        out.push_str(&format!(
            "Proposal sizes last/min/max: {last}/{min}/{max}\n"
        ));
    }
    out
}

/// What a connection waits for, printed as Java's selector bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Nothing: its requests are held back, or it is the one that asked.
    Nothing,
    /// Requests.
    Read,
    /// Room to send replies.
    Write,
    /// Both.
    ReadWrite,
}

impl Interest {
    /// The bits.
    pub fn bits(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Read => 1,
            Self::Write => 4,
            Self::ReadWrite => 5,
        }
    }
}

/// One client connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionStatus {
    /// The client's end.
    pub peer: SocketAddr,
    /// What it waits for.
    pub interest: Interest,
    /// Requests received and not answered.
    pub queued: u64,
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// Whether it came to a port of TLS alone.
    pub is_secure: bool,
    /// Once the handshake is over.
    pub session: Option<ConnectionSession>,
}

/// The session on a connection, and what it did last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSession {
    /// The session's id.
    pub id: u64,
    /// The kind of the last request, as ZooKeeper abbreviates it (`GETD`, `PING`; `NA` for none).
    pub last_operation: &'static str,
    /// When the connection was accepted, in milliseconds since 1970.
    pub established_ms: u64,
    /// The negotiated timeout.
    pub timeout_ms: u32,
    /// The client's number of its last request, if that was 0 or above.
    pub last_cxid: Option<u32>,
    /// The zxid of the last reply; `None` before the first.
    pub last_zxid: Option<u64>,
    /// When the last reply was sent, in milliseconds of the server's own clock.
    pub last_response_ms: u64,
    /// How long the last reply took, in milliseconds.
    pub last_latency_ms: u64,
    /// How long replies took, in milliseconds.
    pub latency_ms: Summary,
}

impl ConnectionStatus {
    /// The line up to the closing parenthesis.
    fn brief(&self) -> String {
        let Self {
            peer,
            queued,
            received,
            sent,
            ..
        } = self;
        let bits = self.interest.bits();
        let peer = JavaAddress(*peer);
        format!(" {peer}[{bits:x}](queued={queued},recved={received},sent={sent}")
    }
}

/// The answer to `cons`.
pub fn cons(connections: &[ConnectionStatus]) -> String {
    let mut out = String::new();
    for connection in connections {
        out.push_str(&connection.brief());
        if let Some(session) = &connection.session {
            out.push_str(&session_part(session));
        }
        out.push_str(")\n");
    }
    out.push('\n');
    out
}

fn session_part(session: &ConnectionSession) -> String {
    let ConnectionSession {
        id,
        last_operation,
        established_ms,
        timeout_ms,
        ..
    } = session;
    let mut out =
        format!(",sid=0x{id:x},lop={last_operation},est={established_ms},to={timeout_ms}");
    if let Some(cxid) = session.last_cxid {
        out.push_str(&format!(",lcxid=0x{cxid:x}"));
    }
    let latency = session.latency_ms;
    let average = latency.sum / latency.count.max(1);
    // ZooKeeper prints -1, in two's complement, before the first reply.
    let last_zxid = session.last_zxid.unwrap_or(u64::MAX);
    let ConnectionSession {
        last_response_ms,
        last_latency_ms,
        ..
    } = session;
    let _ = write!(
        out,
        ",lzxid=0x{last_zxid:x},lresp={last_response_ms},llat={last_latency_ms},minlat={},\
         avglat={average},maxlat={}",
        latency.min, latency.max
    );
    out
}

/// What `conf` says beside the [`Config`]: what only the running server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningFacts {
    /// The port that clients connect to, unless all speak TLS.
    pub client_port: Option<u16>,
    /// The port of TLS alone.
    pub secure_client_port: Option<u16>,
    /// The directory of snapshots, absolute.
    pub data_dir: PathBuf,
    /// What it holds, in bytes.
    pub data_dir_bytes: u64,
    /// The directory of the log, absolute.
    pub log_dir: PathBuf,
    /// What it holds, in bytes.
    pub log_dir_bytes: u64,
    /// The version of the membership: the zxid that changed it last, 0 for the first.
    pub membership_version: u64,
}

/// The answer to `conf`.
pub fn conf(config: &Config, facts: &RunningFacts) -> String {
    let backlog = config
        .client_port_listen_backlog
        .map(|n| u64::from(n.get()));
    let mut out = format!(
        "clientPort={}\nsecureClientPort={}\ndataDir={}\ndataDirSize={}\ndataLogDir={}\n\
         dataLogSize={}\ntickTime={}\nmaxClientCnxns={}\nminSessionTimeout={}\n\
         maxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={}\n",
        OrMinusOne(facts.client_port.map(u64::from)),
        OrMinusOne(facts.secure_client_port.map(u64::from)),
        facts.data_dir.display(),
        facts.data_dir_bytes,
        facts.log_dir.display(),
        facts.log_dir_bytes,
        config.tick_ms,
        config.client_cnxns_per_ip_max.map_or(0, |n| n.get()),
        config.session_timeout_ms_min,
        config.session_timeout_ms_max,
        OrMinusOne(backlog),
        config
            .ensemble
            .as_ref()
            .map_or(0, |ensemble| ensemble.my_id.0),
    );
    if let Some(ensemble) = &config.ensemble {
        let me = ensemble.me();
        let peer_type = match ensemble.peer_type {
            Role::Participant => 0,
            Role::Observer => 1,
        };
        out.push_str(&format!(
            "initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\n\
             peerType={peer_type}\nmembership: \n{}",
            config.init_limit_ticks,
            config.sync_limit_ticks,
            me.election_port,
            me.quorum_port,
            ensemble.config_text(facts.membership_version),
        ));
    }
    out
}

/// What `envi` says about the process and its machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// The name of the machine.
    pub host_name: Option<String>,
    /// The directory of temporary files.
    pub temporary_dir: Option<String>,
    /// The operating system.
    pub os_name: Option<String>,
    /// The processor.
    pub os_arch: Option<String>,
    /// The version of the kernel.
    pub os_version: Option<String>,
    /// Who runs the process.
    pub user_name: Option<String>,
    /// The home of that user.
    pub user_home: Option<String>,
    /// Where the process was started.
    pub user_dir: Option<String>,
    /// Memory of the machine that nobody uses, in MiB.
    pub memory_free_mb: Option<u64>,
    /// Memory of the machine, in MiB.
    pub memory_max_mb: Option<u64>,
    /// Memory of this process, in MiB.
    pub memory_total_mb: Option<u64>,
}

impl Environment {
    /// ZooKeeper's keys and their values, but for the version. Those of a Java virtual machine are
    /// `<NA>`.
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let megabytes = |mb: Option<u64>| mb.map(|mb| format!("{mb}MB"));
        let memory_free = megabytes(self.memory_free_mb);
        let memory_max = megabytes(self.memory_max_mb);
        let memory_total = megabytes(self.memory_total_mb);
        let properties = [
            ("host.name", &self.host_name),
            ("java.version", &None),
            ("java.vendor", &None),
            ("java.home", &None),
            ("java.class.path", &None),
            ("java.library.path", &None),
            ("java.io.tmpdir", &self.temporary_dir),
            ("java.compiler", &None),
            ("os.name", &self.os_name),
            ("os.arch", &self.os_arch),
            ("os.version", &self.os_version),
            ("user.name", &self.user_name),
            ("user.home", &self.user_home),
            ("user.dir", &self.user_dir),
            ("jvm.memory.free", &memory_free),
            ("jvm.memory.max", &memory_max),
            ("jvm.memory.total", &memory_total),
        ];
        let properties = properties.into_iter();
        properties
            .map(|(key, value)| (key, value.clone().unwrap_or_else(|| "<NA>".to_owned())))
            .collect()
    }
}

/// The answer to `envi`.
pub fn envi(environment: &Environment) -> String {
    let mut out = format!("Environment:\nzookeeper.version={ZOOKEEPER_VERSION}\n");
    for (key, value) in environment.properties() {
        out.push_str(&format!("{key}={value}\n"));
    }
    out
}

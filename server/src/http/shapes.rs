//! What each command tells, under ZooKeeper's keys and in their order.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use zoowarden::metrics::Number;
use zoowarden::proto::SessionId;
use zoowarden::server::Observer;
use zoowarden::server::config::{Config, Member, Role};
use zoowarden::server::four_letter::ZOOKEEPER_VERSION;
use zoowarden::server::four_letter::listing::Tracked;
use zoowarden::server::four_letter::metrics::Phase;
use zoowarden::server::four_letter::report::{
    ConnectionSession, ConnectionStatus, Environment, Mode, ServerStatus, Serving, Sizes, Summary,
};

use super::json::{Fields, Json, field};

/// A number that may be missing, which ZooKeeper writes as -1.
fn or_minus_one(number: Option<u64>) -> Json {
    number.map_or(Json::from(-1_i64), Json::from)
}

fn my_id(config: &Config) -> u32 {
    let ensemble = config.ensemble.as_ref();
    ensemble.map_or(0, |ensemble| u32::from(ensemble.my_id.0))
}

pub(crate) fn is_read_only(observer: &Observer) -> bool {
    observer.serving() == Serving::ReadOnly
}

pub(crate) fn configuration(observer: &Observer) -> Fields {
    let (config, facts) = (observer.config(), observer.facts());
    let backlog = config.client_port_listen_backlog;
    let per_ip = config.client_cnxns_per_ip_max;
    vec![
        field(
            "client_port",
            or_minus_one(facts.client_port.map(u64::from)),
        ),
        field("data_dir", facts.data_dir.display().to_string()),
        field("data_log_dir", facts.log_dir.display().to_string()),
        field("tick_time", config.tick_ms),
        field("max_client_cnxns", per_ip.map_or(0, |n| n.get())),
        field("min_session_timeout", config.session_timeout_ms_min),
        field("max_session_timeout", config.session_timeout_ms_max),
        field("server_id", my_id(config)),
        field(
            "client_port_listen_backlog",
            or_minus_one(backlog.map(|n| u64::from(n.get()))),
        ),
    ]
}

/// An address as this endpoint writes it, without Java's sign in front.
fn address(peer: SocketAddr) -> String {
    SocketAddr::new(peer.ip().to_canonical(), peer.port()).to_string()
}

fn brief(connection: &ConnectionStatus) -> Fields {
    vec![
        field("remote_socket_address", address(connection.peer)),
        field("interest_ops", u32::from(connection.interest.bits())),
        field("outstanding_requests", connection.queued),
        field("packets_received", connection.received),
        field("packets_sent", connection.sent),
    ]
}

fn full(connection: &ConnectionStatus) -> Fields {
    let mut fields = brief(connection);
    let Some(session) = &connection.session else {
        return fields;
    };
    let ConnectionSession {
        id,
        last_operation,
        established_ms,
        timeout_ms,
        last_cxid,
        last_zxid,
        last_response_ms,
        last_latency_ms,
        latency_ms,
    } = session;
    fields.extend([
        // A session's id is signed in Java.
        field("session_id", id.cast_signed()),
        field("last_operation", *last_operation),
        field("established", *established_ms),
        field("session_timeout", *timeout_ms),
        field("last_cxid", or_minus_one(last_cxid.map(u64::from))),
        field("last_zxid", or_minus_one(*last_zxid)),
        field("last_response_time", *last_response_ms),
        field("last_latency", *last_latency_ms),
        field("min_latency", latency_ms.min),
        field("avg_latency", latency_ms.sum / latency_ms.count.max(1)),
        field("max_latency", latency_ms.max),
    ]);
    fields
}

pub(crate) fn connections(observer: &Observer) -> Fields {
    by_port(observer, full)
}

/// The connections of the plain port, or of one for both, and those of the port of TLS alone.
fn by_port(observer: &Observer, shape: fn(&ConnectionStatus) -> Fields) -> Fields {
    let all = observer.connections();
    let of = |is_secure: bool| {
        let some = all.iter().filter(|one| one.is_secure == is_secure);
        Json::from_iter(some.map(shape))
    };
    vec![
        field("connections", of(false)),
        field("secure_connections", of(true)),
    ]
}

pub(crate) fn dirs(observer: &Observer) -> Fields {
    let facts = observer.facts();
    vec![
        field("datadir_size", facts.data_dir_bytes),
        field("logdir_size", facts.log_dir_bytes),
    ]
}

fn ids(sessions: &[SessionId]) -> Json {
    Json::from_iter(sessions.iter().map(|session| session.0))
}

pub(crate) fn dump(observer: &Observer) -> Fields {
    let dump = observer.dump();
    let by_leader = match &dump.sessions {
        Tracked::Expiring(buckets) => &buckets[..],
        // Only who expires knows when.
        Tracked::Followed(_) => &[],
    };
    let mut expiring = BTreeMap::<u64, Vec<SessionId>>::new();
    for bucket in by_leader.iter().chain(dump.local.iter().flatten()) {
        expiring
            .entry(bucket.at_ms)
            .or_default()
            .extend(&bucket.members);
    }
    let expiring = expiring.into_iter();
    let expiring = expiring.map(|(at_ms, sessions)| (at_ms.to_string(), ids(&sessions)));
    let ephemerals = dump.ephemerals.iter().map(|(session, paths)| {
        let paths = paths.iter().map(String::as_str);
        (session.0.to_string(), Json::from_iter(paths))
    });
    vec![
        field("expiry_time_to_session_ids", expiring.collect::<Fields>()),
        field(
            "session_id_to_ephemeral_paths",
            ephemerals.collect::<Fields>(),
        ),
    ]
}

pub(crate) fn environment(observer: &Observer) -> Fields {
    let environment = observer.environment();
    let version = ZOOKEEPER_VERSION.to_owned();
    let mut fields = vec![field("zookeeper.version", version)];
    let properties = environment.properties().into_iter();
    fields.extend(properties.map(|(key, value)| field(key, value)));
    fields
}

/// What a Java virtual machine would call properties, as far as there is any of it here.
pub(crate) fn system_properties(observer: &Observer) -> Fields {
    let Environment {
        temporary_dir,
        os_name,
        os_arch,
        os_version,
        user_name,
        user_home,
        user_dir,
        ..
    } = observer.environment();
    let known = [
        ("java.io.tmpdir", temporary_dir),
        ("os.arch", os_arch),
        ("os.name", os_name),
        ("os.version", os_version),
        ("user.dir", user_dir),
        ("user.home", user_home),
        ("user.name", user_name),
    ];
    let known = known.into_iter();
    known
        .filter_map(|(key, value)| Some(field(key, value?)))
        .collect()
}

pub(crate) fn hash(observer: &Observer) -> Fields {
    let digests = observer.digests().into_iter().map(|(zxid, digest)| {
        vec![
            field("zxid", zxid.0),
            field("digest", digest.cast_signed()),
            field("digest_version", 2_i64),
        ]
    });
    vec![field("digests", Json::from_iter(digests))]
}

pub(crate) fn last_snapshot(observer: &Observer) -> Fields {
    let last = observer.last_snapshot();
    let zxid = last.map_or(-1, |last| last.zxid.0);
    let written_s = last.and_then(|last| last.written_s);
    vec![
        field("zxid", format!("{zxid:x}")),
        field("timestamp", written_s.unwrap_or(-1)),
    ]
}

/// Nothing for a server alone.
pub(crate) fn leader(observer: &Observer) -> Option<Fields> {
    let peer = observer.peer()?;
    let voters = observer.voters();
    let leader = voters.iter().find(|(id, _)| Some(*id) == peer.leader);
    let host = leader.map_or(String::new(), |(_, member)| member.host.clone());
    Some(vec![
        field("is_leader", peer.is_leader),
        field(
            "leader_id",
            or_minus_one(peer.leader.map(|id| u64::from(id.0))),
        ),
        field("leader_ip", host),
    ])
}

pub(crate) fn monitor(observer: &Observer) -> Fields {
    let monitor = observer.monitor();
    let mut fields = vec![
        field("version", ZOOKEEPER_VERSION),
        field("server_state", monitor.mode.to_string()),
    ];
    if let Some(state) = monitor.peer_state() {
        fields.push(field("peer_state", state));
    }
    for sample in &monitor.samples {
        let numbers = sample.numbers().into_iter();
        fields.extend(numbers.map(|(name, number)| (name, number.into())));
    }
    fields
}

pub(crate) fn observers(observer: &Observer) -> Fields {
    let leads = observer.peer().is_some_and(|peer| peer.is_leader);
    let ensemble = observer.config().ensemble.as_ref();
    let members = ensemble.into_iter().flat_map(|e| &e.members);
    let followers = members.filter(|(_, member)| leads && member.role == Role::Observer);
    let followers = followers.map(|(id, member)| {
        vec![
            field("remote_socket_address", quorum_address(member)),
            field("sid", u32::from(id.0)),
        ]
    });
    vec![
        field("synced_observers", observer.synced_observers()),
        field("observers", Json::from_iter(followers)),
    ]
}

fn sizes(sizes: Option<Sizes>) -> Fields {
    let sizes = sizes.unwrap_or_default();
    vec![
        field("last_buffer_size", or_minus_one(sizes.last)),
        field("min_buffer_size", or_minus_one(sizes.min)),
        field("max_buffer_size", or_minus_one(sizes.max)),
    ]
}

pub(crate) fn server_stats(observer: &Observer) -> Fields {
    let status = observer.status();
    let responses = observer.response_sizes().map(|(last, min, max)| Sizes {
        last: Some(last),
        min: Some(min),
        max: Some(max),
    });
    let mut fields = vec![
        field("version", ZOOKEEPER_VERSION),
        field("read_only", is_read_only(observer)),
        field("server_stats", counters(observer, &status, responses)),
        field("client_response", sizes(responses)),
    ];
    if status.mode == Mode::Leader {
        fields.push(field("proposal_stats", sizes(status.proposal_sizes)));
    }
    fields.push(field("node_count", status.znode_count));
    fields
}

fn counters(observer: &Observer, status: &ServerStatus, responses: Option<Sizes>) -> Fields {
    let facts = observer.facts();
    let Summary { min, max, .. } = status.latency_ms;
    vec![
        field("packets_sent", status.packets_sent),
        field("packets_received", status.packets_received),
        field("fsync_threshold_exceed_count", observer.slow_flushes()),
        field("client_response_stats", sizes(responses)),
        field("data_dir_size", facts.data_dir_bytes),
        field("log_dir_size", facts.log_dir_bytes),
        field("provider_null", false),
        field("server_state", status.mode.to_string()),
        field("last_processed_zxid", status.last_zxid),
        field("outstanding_requests", status.outstanding_requests),
        field("avg_latency", Number::Decimal(status.latency_ms.average())),
        field("max_latency", max),
        field("min_latency", min),
        field("num_alive_client_connections", status.connections),
        field("uptime", observer.uptime_ms()),
        field(
            "auth_failed_count",
            observer.counted(zoowarden::metrics::Count::AuthFailed),
        ),
    ]
}

pub(crate) fn stats(observer: &Observer) -> Fields {
    let mut fields = server_stats(observer);
    fields.extend(by_port(observer, brief));
    fields
}

fn quorum_address(member: &Member) -> String {
    format!("{}:{}", member.host, member.quorum_port)
}

fn client_address(member: &Member) -> String {
    let address = member.client_address.as_ref();
    address.map_or(String::new(), ToString::to_string)
}

pub(crate) fn voting_view(observer: &Observer) -> Fields {
    let voters = observer.voters().into_iter().map(|(id, member)| {
        let election = format!("{}:{}", member.host, member.election_port);
        let view = vec![
            field(
                "server_addresses",
                Json::from_iter([quorum_address(&member)]),
            ),
            field("election_addresses", Json::from_iter([election])),
            field("client_address", client_address(&member)),
            field("learner_type", member.role.to_string()),
        ];
        (id.to_string(), Json::from(view))
    });
    vec![field("current_config", voters.collect::<Fields>())]
}

pub(crate) fn watches(observer: &Observer) -> Fields {
    let watched = observer.watched();
    let by_session = watched.by_session().into_iter();
    let by_session =
        by_session.map(|(session, paths)| (session.0.to_string(), Json::from_iter(paths)));
    vec![field(
        "session_id_to_watched_paths",
        by_session.collect::<Fields>(),
    )]
}

pub(crate) fn watches_by_path(observer: &Observer) -> Fields {
    let by_path = observer.watched().by_path.into_iter();
    let by_path = by_path.map(|(path, sessions)| (path, ids(&sessions)));
    vec![field("path_to_session_ids", by_path.collect::<Fields>())]
}

pub(crate) fn watch_summary(observer: &Observer) -> Fields {
    let counts = observer.watched().counts();
    vec![
        field("num_connections", counts.connections),
        field("num_paths", counts.paths),
        field("num_total_watches", counts.watches),
    ]
}

/// An address as the class that Java has for several of them is written.
fn addresses(host: &str, port: u16) -> Fields {
    let address = format!("{host}:{port}");
    let list = || Json::from_iter([address.as_str()]);
    vec![
        field("empty", false),
        field("all_addresses", list()),
        field("all_reachable_addresses", list()),
        field("one", address.as_str()),
        field("reachable_address", address.as_str()),
        field(
            "wildcard_addresses",
            Json::from_iter([format!("0.0.0.0:{port}")]),
        ),
        field("all_ports", Json::from_iter([u32::from(port)])),
        field("all_host_strings", Json::from_iter([host])),
        field("all_reachable_addresses_or_all", list()),
        field("reachable_or_one", address.as_str()),
    ]
}

pub(crate) fn zabstate(observer: &Observer) -> Fields {
    let config = observer.config();
    let (Some(peer), Some(ensemble)) = (observer.peer(), &config.ensemble) else {
        return vec![field("voting", false), field("zabstate", "")];
    };
    let me = ensemble.me();
    let zxid = observer.status().last_zxid;
    vec![
        field("myid", u32::from(peer.id.0)),
        field("is_leader", peer.is_leader),
        field("quorum_address", addresses(&me.host, me.quorum_port)),
        field("election_address", addresses(&me.host, me.election_port)),
        field("client_address", config.client_address.to_string()),
        field(
            "voting",
            me.role == Role::Participant && peer.phase != Phase::Looking,
        ),
        field("last_zxid", format!("0x{zxid:x}")),
        field("zab_epoch", zxid >> 32),
        field("zab_counter", zxid & 0xffff_ffff),
        field("zabstate", peer.phase.name()),
    ]
}

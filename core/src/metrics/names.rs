//! ZooKeeper's names of what is counted and measured, and what each of them is measured in.

use crate::proto::OpCode;

/// Where a metric has a meaning: everywhere, or only where there are other servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// On every server.
    Alone,
    /// On a member of an ensemble.
    Ensemble,
}

macro_rules! count {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $scope:ident,)*) => {
        /// What is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Count {
            $($(#[$doc])* $variant,)*
        }

        impl Count {
            /// All of them, in the order they are printed in.
            pub const ALL: [Count; [$($name),*].len()] = [$(Count::$variant),*];

            /// ZooKeeper's name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Count::$variant => $name,)*
                }
            }

            /// Where it has a meaning.
            pub fn scope(self) -> Scope {
                match self {
                    $(Count::$variant => Scope::$scope,)*
                }
            }
        }
    };
}

count! {
    /// Frames from clients; a gauge, by its kind.
    PacketsReceived = "packets_received" Alone,
    /// Frames to clients; a gauge, by its kind.
    PacketsSent = "packets_sent" Alone,
    /// Authentications that failed; a gauge, by its kind.
    AuthFailed = "auth_failed_count" Alone,
    /// Bytes of requests, their lengths included.
    BytesReceived = "bytes_received_count" Alone,
    /// Bytes of replies, their lengths included.
    ResponseBytes = "response_bytes" Alone,
    /// Bytes of notifications, their lengths included.
    WatchBytes = "watch_bytes" Alone,
    /// Handshakes received.
    ConnectionRequests = "connection_request_count" Alone,
    /// Connections refused because there are too many, or too many came at once.
    ConnectionsRejected = "connection_rejected" Alone,
    /// Looks at which requests of a connection had to go on waiting.
    RequestWaits = "request_throttle_wait_count" Alone,
    /// Requests that had waited longer than their session's timeout.
    StaleRequests = "stale_requests" Alone,
    /// Those of them whose connection was closed instead.
    StaleRequestsDropped = "stale_requests_dropped" Alone,
    /// Requests that were not carried out because they had waited for too long.
    ThrottledOps = "throttled_ops" Alone,
    /// Large requests whose connection was closed because there was no room for them.
    LargeRequestsRejected = "large_requests_rejected" Alone,
    /// Connections that were lost, not closed.
    ConnectionsDropped = "connection_drop_count" Alone,
    /// Handshakes of sessions that exist.
    Revalidations = "connection_revalidate_count" Alone,
    /// Connections closed because no handshake came.
    SessionlessExpired = "sessionless_connections_expired" Alone,
    /// Sessions this server has ended, as leader, because nothing was heard of them.
    SessionsExpired = "stale_sessions_expired" Alone,
    /// Connections closed because this server does not serve.
    ClosedWhileNotServing = "cnxn_closed_without_zk_server_running" Alone,
    /// Connections to the HTTP endpoint without TLS.
    InsecureAdmin = "insecure_admin_count" Alone,
    /// Failed snapshots asked for by HTTP.
    SnapshotErrors = "snapshot_error_count" Alone,
    /// Snapshots by HTTP refused because the last one was too recent.
    SnapshotsRateLimited = "snapshot_rate_limited_count" Alone,
    /// Failed restores.
    RestoreErrors = "restore_error_count" Alone,
    /// Restores refused because the last one was too recent.
    RestoresRateLimited = "restore_rate_limited_count" Alone,
    /// TTL znodes created.
    TtlCreated = "ttl_node_created_count" Alone,
    /// TTL znodes removed because their time was over.
    TtlDeleted = "ttl_node_deleted_count" Alone,
    /// Proposals this server has made, as leader.
    Proposals = "proposal_count" Alone,
    /// Proposals this server has seen committed, as leader.
    Commits = "commit_count" Alone,
    /// Times this server had no leader and looked for one.
    Looking = "looking_count" Ensemble,
    /// Snapshots sent to followers.
    SnapshotsSent = "snap_count" Ensemble,
}

impl Count {
    /// Whether ZooKeeper calls it a gauge all the same.
    pub fn is_gauge(self) -> bool {
        matches!(
            self,
            Count::PacketsReceived | Count::PacketsSent | Count::AuthFailed
        )
    }
}

macro_rules! basic {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $scale:literal $scope:ident,)*) => {
        /// What is measured without quantiles.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Basic {
            $($(#[$doc])* $variant,)*
        }

        impl Basic {
            /// All of them, in the order they are printed in.
            pub const ALL: [Basic; [$($name),*].len()] = [$(Basic::$variant),*];

            /// ZooKeeper's name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Basic::$variant => $name,)*
                }
            }

            /// How many of what is measured make one of what is printed.
            pub fn scale(self) -> u64 {
                match self {
                    $(Basic::$variant => $scale,)*
                }
            }

            /// Where it has a meaning.
            pub fn scope(self) -> Scope {
                match self {
                    $(Basic::$variant => Scope::$scope,)*
                }
            }
        }
    };
}

basic! {
    /// Flushes of the log, microseconds.
    FsyncTime = "fsynctime" 1000 Alone,
    /// Writing a snapshot, microseconds.
    SnapshotTime = "snapshottime" 1000 Alone,
    /// Opening log and snapshots at the start, microseconds.
    DbInitTime = "dbinittime" 1000 Alone,
    /// Loading the newest snapshot at the start, microseconds.
    StartupSnapLoadTime = "startup_snap_load_time" 1000 Alone,
    /// Restoring by HTTP, microseconds.
    RestoreTime = "restore_time" 1000 Alone,
    /// Watchers told that a znode was created.
    NodeCreatedWatch = "node_created_watch_count" 1 Alone,
    /// Watchers told that a znode was deleted.
    NodeDeletedWatch = "node_deleted_watch_count" 1 Alone,
    /// Watchers told that a znode was set.
    NodeChangedWatch = "node_changed_watch_count" 1 Alone,
    /// Watchers told that children came or went.
    NodeChildrenWatch = "node_children_watch_count" 1 Alone,
    /// From losing a leader to knowing the next, microseconds.
    ElectionTime = "election_time" 1000 Ensemble,
    /// From losing a leader to serving under the next, microseconds.
    UnavailableTime = "unavailable_time" 1000 Ensemble,
    /// The same, on whoever becomes the leader.
    LeaderUnavailableTime = "leader_unavailable_time" 1000 Ensemble,
    /// A follower's way from its start to being up to date, microseconds.
    FollowerSyncTime = "follower_sync_time" 1000 Ensemble,
    /// An observer's, microseconds.
    ObserverSyncTime = "observer_sync_time" 1000 Ensemble,
}

macro_rules! detailed {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $scope:ident,)*) => {
        /// What is measured with quantiles: durations, in microseconds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Detailed {
            $($(#[$doc])* $variant,)*
        }

        impl Detailed {
            /// All of them, in the order they are printed in.
            pub const ALL: [Detailed; [$($name),*].len()] = [$(Detailed::$variant),*];

            /// ZooKeeper's name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Detailed::$variant => $name,)*
                }
            }

            /// Where it has a meaning.
            pub fn scope(self) -> Scope {
                match self {
                    $(Detailed::$variant => Scope::$scope,)*
                }
            }
        }
    };
}

detailed! {
    /// From a read's arrival to its reply.
    ReadLatency = "readlatency" Alone,
    /// From a write's arrival to its reply.
    UpdateLatency = "updatelatency" Alone,
    /// From the leader's stamp to carrying out here.
    PropagationLatency = "propagation_latency" Alone,
    /// From proposing to having carried out, on the leader.
    ProposalLatency = "proposal_latency" Ensemble,
}

/// Answered requests by kind.
pub(super) const OPERATIONS: [&str; 23] = [
    "op_count_add_watch",
    "op_count_check",
    "op_count_check_watches",
    "op_count_close_session",
    "op_count_create",
    "op_count_create_session",
    "op_count_delete",
    "op_count_exists",
    "op_count_get_acl",
    "op_count_get_all_children_number",
    "op_count_get_children",
    "op_count_get_data",
    "op_count_get_ephemerals",
    "op_count_multi",
    "op_count_multi_read",
    "op_count_ping",
    "op_count_reconfig",
    "op_count_remove_watches",
    "op_count_set_acl",
    "op_count_set_data",
    "op_count_set_watches",
    "op_count_sync",
    "op_count_who_am_i",
];

/// The place of handshakes that opened a session among [`OPERATIONS`].
pub(super) const CREATE_SESSION: usize = 5;

/// The place of an operation among [`OPERATIONS`]; authentication is not counted there.
pub(super) fn operation(op: OpCode) -> Option<usize> {
    Some(match op {
        OpCode::AddWatch => 0,
        OpCode::Check => 1,
        OpCode::CheckWatches => 2,
        OpCode::CloseSession => 3,
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => 4,
        OpCode::Delete => 6,
        OpCode::Exists => 7,
        OpCode::GetAcl => 8,
        OpCode::GetAllChildrenNumber => 9,
        OpCode::GetChildren | OpCode::GetChildren2 => 10,
        OpCode::GetData => 11,
        OpCode::GetEphemerals => 12,
        OpCode::Multi => 13,
        OpCode::MultiRead => 14,
        OpCode::Ping => 15,
        OpCode::Reconfig => 16,
        OpCode::RemoveWatches => 17,
        OpCode::SetAcl => 18,
        OpCode::SetData => 19,
        OpCode::SetWatches | OpCode::SetWatches2 => 20,
        OpCode::Sync => 21,
        OpCode::WhoAmI => 22,
        OpCode::Auth | OpCode::Sasl => return None,
    })
}

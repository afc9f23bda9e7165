//! What can be measured at any moment: asked for when somebody looks, and kept by nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metrics::{Count, NAMESPACES_MAX, Number, OTHER, Sample, Scope, Value, namespace};
use crate::server::four_letter::report::{Mode, Sizes};
use crate::server::{Shared, status};
use crate::tree::{Tree, voters};

/// A number that may be missing, which ZooKeeper prints as -1.
fn or_minus_one(number: Option<u64>) -> Number {
    number.map_or(Number::Whole(-1), Number::from)
}

struct Gauges {
    samples: Vec<Sample>,
}

impl Gauges {
    fn put(&mut self, name: &'static str, number: impl Into<Number>) {
        let value = Value::Gauge(number.into());
        self.samples.push(Sample::new(name, value));
    }

    fn put_sizes(&mut self, names: [&'static str; 3], sizes: Sizes) {
        let Sizes { last, min, max } = sizes;
        for (name, size) in names.into_iter().zip([last, min, max]) {
            self.put(name, or_minus_one(size));
        }
    }
}

/// Everything that has a meaning on this server: gauges, counters, measurements. `asking` is how
/// many of the connections to the client port are not in the table because they only ask.
pub(crate) fn samples(shared: &Shared, asking: usize) -> Vec<Sample> {
    let tree = shared.replica.view();
    let mut gauges = Gauges {
        samples: Vec::new(),
    };
    put_server(&mut gauges, shared, &tree, asking);
    put_process(&mut gauges, shared);
    let scope = if shared.config.ensemble.is_some() {
        put_ensemble(&mut gauges, shared);
        Scope::Ensemble
    } else {
        Scope::Alone
    };
    put_quotas(&mut gauges, &tree);
    gauges
        .samples
        .extend(shared.replica.metrics().samples(scope));
    gauges.samples
}

fn put_server(gauges: &mut Gauges, shared: &Shared, tree: &Tree, asking: usize) {
    let replica = &shared.replica;
    let metrics = replica.metrics();
    let latency = metrics.latency();
    gauges.put("ephemerals_count", tree.ephemerals_count());
    let connections = replica.connections().len() + asking;
    gauges.put("num_alive_connections", connections);
    gauges.put("avg_latency", Number::Decimal(latency.average()));
    gauges.put("min_latency", latency.min / latency.scale);
    gauges.put("max_latency", latency.max / latency.scale);
    gauges.put("outstanding_requests", replica.outstanding());
    gauges.put("znode_count", tree.node_count());
    gauges.put("watch_count", replica.watch_count());
    gauges.put("approximate_data_size", tree.approximate_data_size());
    let packets = |count| metrics.counted(count);
    gauges.put("packets_received", packets(Count::PacketsReceived));
    gauges.put("packets_sent", packets(Count::PacketsSent));
    gauges.put("global_sessions", tree.sessions().len());
    gauges.put("local_sessions", replica.local_session_count());
    gauges.put("auth_failed_count", metrics.counted(Count::AuthFailed));
    let names = [
        "last_client_response_size",
        "min_client_response_size",
        "max_client_response_size",
    ];
    gauges.put_sizes(names, Sizes::of(&metrics.response_sizes));
}

fn put_process(gauges: &mut Gauges, shared: &Shared) {
    gauges.put("open_file_descriptor_count", status::open_files());
    gauges.put("max_file_descriptor_count", status::file_limit());
    gauges.put("uptime", status::uptime_ms(shared));
    let dropped = shared.throttle.drop_probability();
    gauges.put("connection_drop_probability", Number::Decimal(dropped));
}

fn put_ensemble(gauges: &mut Gauges, shared: &Shared) {
    let configuration = Arc::clone(shared.replica.tree().configuration());
    gauges.put("quorum_size", voters(&configuration.members).count());
    let synced = shared.consensus.synced_followers();
    let mode = status::mode(shared);
    if let Mode::Leader | Mode::Follower = mode {
        gauges.put("synced_observers", synced.observers);
    }
    if mode != Mode::Leader {
        return;
    }
    gauges.put("learners", synced.learners);
    gauges.put("synced_followers", synced.followers);
    gauges.put("synced_non_voting_followers", 0_u64);
    gauges.put("pending_syncs", status::pending_syncs(shared));
    gauges.put(
        "leader_uptime",
        shared.console.leader_uptime_ms(shared.clock.monotonic_ms()),
    );
    let names = [
        "last_proposal_size",
        "min_proposal_size",
        "max_proposal_size",
    ];
    let sizes = &shared.replica.metrics().proposal_sizes;
    gauges.put_sizes(names, Sizes::of(sizes));
}

/// Limits and usage of quotas, added up by the first name of their paths.
fn put_quotas(gauges: &mut Gauges, tree: &Tree) {
    let names = [
        "quota_count_limit_per_namespace",
        "quota_bytes_limit_per_namespace",
        "quota_count_usage_per_namespace",
        "quota_bytes_usage_per_namespace",
    ];
    let mut sums = BTreeMap::<String, [i64; 4]>::new();
    for quota in tree.quotas() {
        let Some(name) = namespace(&quota.path) else {
            continue;
        };
        let known = sums.contains_key(name) || sums.len() < NAMESPACES_MAX;
        let sum = sums
            .entry(if known { name } else { OTHER }.to_owned())
            .or_default();
        let numbers = [
            quota.count_limit,
            quota.bytes_limit,
            quota.count,
            quota.bytes,
        ];
        for (sum, number) in sum.iter_mut().zip(numbers) {
            *sum = sum.saturating_add(number);
        }
    }
    for (i, name) in names.into_iter().enumerate() {
        for (key, numbers) in &sums {
            let value = Value::Gauge(Number::Whole(numbers[i]));
            let sample = Sample::new(name, value).keyed(key.clone());
            gauges.samples.push(sample);
        }
    }
}

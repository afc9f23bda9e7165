//! What is measured, and what it must come to: the scenarios as data.

use super::load::Load;

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    /// Ours divided by Apache ZooKeeper's.
    RatioAtLeast(f64),
    RatioAtMost(f64),
    /// Ours alone.
    AtMost(f64),
}

/// A promise about one figure of a scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) figure: &'static str,
    pub(super) rule: Rule,
}

const fn bar(figure: &'static str, rule: Rule) -> Bar {
    Bar { figure, rule }
}

/// What grows from point to point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// Znodes in the tree, of ours alone.
    Znodes,
    /// Children of one parent.
    Children,
    /// Bytes of a value.
    ValueBytes,
    Servers,
    Connections,
}

/// How it is measured.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A closed loop.
    Closed(Load),
    /// An open loop, at a share of the rate at which Apache ZooKeeper is saturated by the same load
    /// in a closed one.
    Open { load: Load, share: f64 },
    /// Fills a tree, weighs it, restarts on it, takes snapshots of it under load.
    Tree { znodes: u64 },
    /// One speaks, many hear.
    Watch { watchers: u32, changes: u64 },
    /// Sessions that only stay.
    Idle { sessions: u32 },
    /// The leader is killed so many times.
    Kill { times: u32 },
    /// A fresh server, from its start to its first session.
    Start,
    /// The same at several sizes.
    Growth { axis: Axis, points: Vec<u64> },
}

/// One thing that is measured.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// What selects it.
    pub(super) name: String,
    pub(super) title: String,
    /// Of each ensemble.
    pub(super) servers: u32,
    pub(super) kind: Kind,
    pub(super) bars: Vec<Bar>,
}

impl Scenario {
    /// Whether it runs on ensembles that stand, with others of its kind; otherwise each round begins
    /// with fresh ones, one at a time.
    pub(super) fn shares_ensembles(&self) -> bool {
        matches!(self.kind, Kind::Closed(_) | Kind::Open { .. })
    }
}

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Full,
    /// Proves that the scenarios run; its figures say little.
    Quick,
}

impl Extent {
    fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Extent::Full => full,
            Extent::Quick => quick,
        }
    }
}

const CPU: Bar = bar("cpu_s_per_1000", Rule::RatioAtMost(0.25));
const FASTER: fn(f64) -> Bar = |ratio| bar("per_second", Rule::RatioAtLeast(ratio));

/// All there are, in the order in which they run.
pub(super) fn all(extent: Extent) -> Vec<Scenario> {
    let mut all = Vec::new();
    for servers in [3, 1] {
        all.extend(loads(servers));
        all.extend(tails(servers));
        all.extend(sizes(servers, extent));
    }
    let kill = Kind::Kill {
        times: extent.pick(5, 1),
    };
    let gap = bar("write_gap_ms", Rule::RatioAtMost(0.5));
    let unharmed = bar("errors", Rule::AtMost(0.0));
    let title = "leader killed, clients on the survivors";
    all.push(scenario(3, "kill", title, kill, vec![gap, unharmed]));
    let ready = bar("ready_ms", Rule::AtMost(50.0));
    let title = "fresh server, to its first session";
    all.push(scenario(1, "start", title, Kind::Start, vec![ready]));
    all.extend(growths(extent));
    all
}

fn scenario(servers: u32, name: &str, title: &str, kind: Kind, bars: Vec<Bar>) -> Scenario {
    let plural = if servers == 1 { "" } else { "s" };
    Scenario {
        name: format!("{servers}/{name}"),
        title: format!("{title}, {servers} server{plural}"),
        servers,
        kind,
        bars,
    }
}

fn loads(servers: u32) -> Vec<Scenario> {
    let p50 = |ratio| bar("p50_us", Rule::RatioAtMost(ratio));
    let rows = [
        ("write", 64, 16, FASTER(5.0)),
        ("write", 64, 1, FASTER(2.5)),
        ("write", 1, 1, p50(0.75)),
        ("read", 64, 16, FASTER(3.0)),
        ("read", 64, 1, FASTER(2.5)),
        ("read", 1, 1, p50(0.7)),
        ("mixed", 64, 16, FASTER(3.0)),
    ];
    let of = |(workload, connections, pipeline, first)| {
        let load = Load::closed(workload, connections, pipeline);
        let what = match workload {
            "write" => "setData of 100 B",
            "read" => "getData of 100 B",
            _ => "90 % getData, 10 % setData",
        };
        let name = format!("{workload}-{connections}x{pipeline}");
        let title = format!("{what}, {connections} connections x {pipeline}");
        let bars = vec![first, CPU];
        scenario(servers, &name, &title, Kind::Closed(load), bars)
    };
    rows.into_iter().map(of).collect()
}

fn tails(servers: u32) -> Vec<Scenario> {
    let p99 = || vec![bar("p99_us", Rule::RatioAtMost(0.5))];
    // At saturation a queue grows without end; a little below it, it does not.
    let rows = [
        ("write", 1.0, p99()),
        ("write", 0.8, Vec::new()),
        ("read", 1.0, p99()),
        ("read", 0.8, Vec::new()),
    ];
    let of = |(workload, share, bars): (&'static str, f64, Vec<Bar>)| {
        let percent = (share * 100.0) as u32;
        let name = format!("tail-{workload}-{percent}");
        let title =
            format!("{workload}s at a fixed rate, {percent} % of what saturates Apache ZooKeeper");
        let load = Load::closed(workload, 64, 16);
        let kind = Kind::Open { load, share };
        scenario(servers, &name, &title, kind, bars)
    };
    rows.into_iter().map(of).collect()
}

fn sizes(servers: u32, extent: Extent) -> Vec<Scenario> {
    let znodes = extent.pick(1_000_000, 20_000);
    let tree = scenario(
        servers,
        "tree",
        &format!("{znodes} znodes of 100 B"),
        Kind::Tree { znodes },
        vec![
            FASTER(4.0),
            bar("rss_mib", Rule::RatioAtMost(0.12)),
            bar("bytes_per_znode", Rule::AtMost(300.0)),
            bar("restart_s", Rule::RatioAtMost(0.2)),
            bar("snapshot_gap_ms", Rule::AtMost(50.0)),
            bar("snapshot_p99_to_quiet", Rule::AtMost(2.0)),
        ],
    );
    let (watchers, changes) = extent.pick((1_000, 1_000), (50, 100));
    let watch = scenario(
        servers,
        "watch",
        &format!("{watchers} watchers x {changes} changes"),
        Kind::Watch { watchers, changes },
        vec![FASTER(4.0)],
    );
    let sessions = extent.pick(10_000, 500);
    let idle = scenario(
        servers,
        "idle",
        &format!("{sessions} idle sessions"),
        Kind::Idle { sessions },
        vec![
            bar("kib_per_session", Rule::RatioAtMost(0.2)),
            bar("cpu_percent", Rule::AtMost(2.0)),
        ],
    );
    vec![tree, watch, idle]
}

fn growths(extent: Extent) -> Vec<Scenario> {
    let znodes = extent.pick(
        vec![10_000, 100_000, 1_000_000, 10_000_000],
        vec![1_000, 10_000],
    );
    let children = extent.pick(vec![1_000, 10_000, 100_000], vec![100, 1_000]);
    let bytes = vec![100, 1_000, 10_000, 100_000, 1_000_000];
    let connections = extent.pick(vec![1, 3, 10, 30, 100, 300, 1_000], vec![1, 10, 100]);
    let rows = [
        (1, "znodes", "znodes", Axis::Znodes, znodes),
        (1, "children", "children", Axis::Children, children),
        (3, "values", "bytes of a value", Axis::ValueBytes, bytes),
        (3, "servers", "servers", Axis::Servers, vec![1, 3, 5, 7]),
        (
            3,
            "connections",
            "connections",
            Axis::Connections,
            connections,
        ),
    ];
    let of = |(servers, name, title, axis, points): (u32, &str, &str, Axis, Vec<u64>)| Scenario {
        name: format!("growth/{name}"),
        title: title.to_owned(),
        servers,
        kind: Kind::Growth { axis, points },
        bars: Vec::new(),
    };
    rows.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_the_same_for_both_extents() {
        let names = |extent| all(extent).into_iter().map(|s| s.name).collect::<Vec<_>>();
        let full = names(Extent::Full);
        assert_eq!(full, names(Extent::Quick));
        assert_eq!(full.iter().collect::<BTreeSet<_>>().len(), full.len());
    }

    #[test]
    fn the_same_bars_hold_for_one_server_and_for_three() {
        let all = all(Extent::Full);
        let bars = |servers: u32| -> Vec<(String, Vec<Bar>)> {
            let of = all.iter().filter(|s| {
                s.servers == servers
                    && !matches!(
                        s.kind,
                        Kind::Growth { .. } | Kind::Kill { .. } | Kind::Start
                    )
            });
            let short = |name: &str| name.split_once('/').unwrap().1.to_owned();
            of.map(|s| (short(&s.name), s.bars.clone())).collect()
        };
        assert_eq!(bars(1), bars(3));
    }
}

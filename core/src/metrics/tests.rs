//! What is counted, where it has a meaning, and what a hostile client cannot do.

use super::*;

fn value(metrics: &Metrics, name: &str) -> Option<Value> {
    let samples = metrics.samples(Scope::Ensemble);
    samples
        .into_iter()
        .find(|sample| sample.name == name)
        .map(|sample| sample.value)
}

#[test]
fn every_name_is_printed_once() {
    let samples = Metrics::default().samples(Scope::Ensemble);
    let mut names: Vec<_> = samples.iter().map(|sample| sample.name.clone()).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn what_needs_other_servers_is_absent_without_them() {
    let alone = Metrics::default().samples(Scope::Alone);
    let has = |name: &str| alone.iter().any(|sample| sample.name == name);
    assert!(has("readlatency") && has("fsynctime") && has("op_count_get_data"));
    assert!(!has("election_time") && !has("looking_count") && !has("proposal_latency"));
}

#[test]
fn operations_are_counted_by_kind_and_in_all() {
    let metrics = Metrics::default();
    for op in OpCode::ALL {
        metrics.answered(op);
    }
    metrics.opened_session();
    for (name, want) in [
        ("op_count_total", 28),
        ("op_count_create", 4),
        ("op_count_get_children", 2),
        ("op_count_set_watches", 2),
        ("op_count_create_session", 1),
        ("op_count_who_am_i", 1),
        ("op_count_add_watch", 1),
    ] {
        assert_eq!(value(&metrics, name), Some(Value::Counter(want)), "{name}");
    }
}

#[test]
fn a_reset_ends_every_count_and_measurement() {
    let metrics = Metrics::default();
    metrics.count(Count::Proposals);
    metrics.answered(OpCode::Create);
    metrics.basic(Basic::FsyncTime).observe(5);
    metrics.detailed(Detailed::ReadLatency).observe(7);
    metrics.read.cell("a").observe(9);
    assert_eq!(metrics.latency().sum, 7);
    metrics.reset();
    for sample in metrics.samples(Scope::Ensemble) {
        let count = match sample.value {
            Value::Gauge(_) => 0,
            Value::Counter(count) => count,
            Value::Summary(observed, _) | Value::Detailed(observed, _) => {
                observed.count + observed.sum + observed.max
            }
        };
        assert_eq!(count, 0, "{sample:?}");
    }
    metrics.basic(Basic::FsyncTime).observe(5);
    assert_eq!(metrics.basic(Basic::FsyncTime).observed().min, 5);
}

#[test]
fn namespaces_are_the_first_names_of_paths() {
    for (path, want) in [
        ("/", None),
        ("", None),
        ("/a", Some("a")),
        ("/a/b/c", Some("a")),
    ] {
        assert_eq!(namespace(path), want, "{path:?}");
    }
    let (namespaces, mut recent) = (Namespaces::default(), Recent::default());
    for (path, bytes) in [("/a", 1), ("/a/b", 2), ("/", 100), ("/b", 4), ("/a", 8)] {
        recent.observe(&namespaces, path, bytes);
    }
    let all = namespaces.all().into_iter();
    let all = all.map(|(name, cell)| (name, cell.observed().count, cell.observed().sum));
    let want = [("a".to_owned(), 3, 11), ("b".to_owned(), 1, 4)];
    assert_eq!(all.collect::<Vec<_>>(), want);
}

#[test]
fn no_client_makes_more_namespaces_than_the_limit() {
    let namespaces = Namespaces::default();
    for n in 0..10 * NAMESPACES_MAX {
        namespaces.cell(&format!("n{n}")).observe(1);
    }
    let all = namespaces.all();
    assert_eq!(all.len(), NAMESPACES_MAX + 1);
    let other = all.iter().find(|(name, _)| name == OTHER);
    let counted = other.map(|(_, cell)| cell.observed().count);
    assert_eq!(counted, Some(9 * NAMESPACES_MAX as u64));
}

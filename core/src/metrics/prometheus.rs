//! Metrics as Prometheus collects them: its text format, under the names of ZooKeeper's provider.
//!
//! The forms are those of 3.6 to 3.9, which the published dashboards are made for: counters without
//! `_total`, quantiles 0.5, 0.9 and 0.99 (0.5 alone where a summary has no others), no `zk_`.

use std::fmt::Write as _;

use super::sample::{Observed, Quantiles, Sample, Value};

/// The content type of [`exposition`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric's key is called: a namespace mostly, and always `key` in ZooKeeper.
const LABEL: &str = "key";

/// All samples, the ones of a set under one heading.
pub fn exposition(samples: &[Sample]) -> String {
    let mut out = String::new();
    let mut heading = "";
    for sample in samples {
        if sample.name != heading {
            heading = &sample.name;
            let _ = writeln!(out, "# HELP {heading} {heading}");
            let _ = writeln!(out, "# TYPE {heading} {}", kind(&sample.value));
        }
        put(&mut out, sample);
    }
    out
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Gauge(_) => "gauge",
        Value::Counter(_) => "counter",
        Value::Summary(..) | Value::Detailed(..) => "summary",
    }
}

fn put(out: &mut String, sample: &Sample) {
    let Sample { name, key, value } = sample;
    let key = key
        .as_deref()
        .map(|key| format!("{LABEL}=\"{}\"", escaped(key)));
    let labels = match &key {
        Some(key) => format!("{{{key}}}"),
        None => String::new(),
    };
    let more = key.map(|key| format!("{key},")).unwrap_or_default();
    let put_summary = |out: &mut String, observed: &Observed| {
        let _ = writeln!(out, "{name}_count{labels} {}", observed.count);
        let sum = exact(observed.sum, observed.scale);
        let _ = writeln!(out, "{name}_sum{labels} {sum:?}");
    };
    let put_quantiles =
        |out: &mut String, quantiles: &[(&str, u64)], scale, observed: &Observed| {
            for (quantile, value) in quantiles {
                let value = match observed.count {
                    0 => "NaN".to_owned(),
                    _ => format!("{:?}", exact(*value, scale)),
                };
                let _ = writeln!(out, "{name}{{{more}quantile=\"{quantile}\"}} {value}");
            }
        };
    match value {
        Value::Gauge(number) => _ = writeln!(out, "{name}{labels} {number}"),
        Value::Counter(count) => _ = writeln!(out, "{name}{labels} {count}"),
        Value::Summary(observed, Quantiles { p50, scale, .. }) => {
            put_quantiles(out, &[("0.5", *p50)], *scale, observed);
            put_summary(out, observed);
        }
        Value::Detailed(observed, quantiles) => {
            let Quantiles {
                p50,
                p90,
                p99,
                scale,
                ..
            } = *quantiles;
            let quantiles = [("0.5", p50), ("0.9", p90), ("0.99", p99)];
            put_quantiles(out, &quantiles, scale, observed);
            put_summary(out, observed);
        }
    }
}

fn exact(value: u64, scale: u64) -> f64 {
    value as f64 / scale as f64
}

/// The value of a label, which may be any text.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Histogram, Number};

    const OBSERVED: Observed = Observed {
        count: 2,
        sum: 1_500,
        min: 500,
        max: 1_000,
        scale: 1000,
    };

    const QUANTILES: Quantiles = Quantiles {
        p50: 500,
        p90: 1_000,
        p95: 1_000,
        p99: 1_000,
        p999: 1_000,
        scale: 1000,
    };

    #[test]
    fn each_kind_has_the_form_of_zookeepers_provider() {
        let namespace = |key: &str| {
            let observed = Observed {
                scale: 1,
                ..OBSERVED
            };
            let quantiles = Quantiles {
                scale: 1,
                ..QUANTILES
            };
            let value = Value::Summary(observed, quantiles);
            Sample::new("read_per_namespace", value).keyed(key.to_owned())
        };
        let samples = [
            Sample::new("uptime", Value::Gauge(Number::Whole(-1))),
            Sample::new("commit_count", Value::Counter(7)),
            Sample::new("fsynctime", Value::Summary(OBSERVED, QUANTILES)),
            Sample::new("readlatency", Value::Detailed(OBSERVED, QUANTILES)),
            namespace("a"),
            namespace("q\"uote\\"),
        ];
        assert_eq!(
            exposition(&samples),
            "# HELP uptime uptime\n# TYPE uptime gauge\nuptime -1\n\
             # HELP commit_count commit_count\n# TYPE commit_count counter\ncommit_count 7\n\
             # HELP fsynctime fsynctime\n# TYPE fsynctime summary\n\
             fsynctime{quantile=\"0.5\"} 0.5\nfsynctime_count 2\nfsynctime_sum 1.5\n\
             # HELP readlatency readlatency\n# TYPE readlatency summary\n\
             readlatency{quantile=\"0.5\"} 0.5\nreadlatency{quantile=\"0.9\"} 1.0\n\
             readlatency{quantile=\"0.99\"} 1.0\nreadlatency_count 2\nreadlatency_sum 1.5\n\
             # HELP read_per_namespace read_per_namespace\n\
             # TYPE read_per_namespace summary\n\
             read_per_namespace{key=\"a\",quantile=\"0.5\"} 500.0\n\
             read_per_namespace_count{key=\"a\"} 2\nread_per_namespace_sum{key=\"a\"} 1500.0\n\
             read_per_namespace{key=\"q\\\"uote\\\\\",quantile=\"0.5\"} 500.0\n\
             read_per_namespace_count{key=\"q\\\"uote\\\\\"} 2\n\
             read_per_namespace_sum{key=\"q\\\"uote\\\\\"} 1500.0\n"
        );
    }

    #[test]
    fn what_was_never_measured_has_no_quantile() {
        let nothing = Sample::new("fsynctime", Histogram::default().summary());
        assert!(exposition(&[nothing]).contains("{quantile=\"0.5\"} NaN\n"));
    }
}

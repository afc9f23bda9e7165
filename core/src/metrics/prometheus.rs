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
        Value::Summary(_) | Value::Detailed(..) => "summary",
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
    match value {
        Value::Gauge(number) => _ = writeln!(out, "{name}{labels} {number}"),
        Value::Counter(count) => _ = writeln!(out, "{name}{labels} {count}"),
        Value::Summary(observed) => {
            // Nothing is known of the middle; the mean stands in its place, as it must not be absent.
            let mean = match observed.count {
                0 => f64::NAN,
                _ => observed.average(),
            };
            let mean = number(mean);
            let _ = writeln!(out, "{name}{{{more}quantile=\"0.5\"}} {mean}");
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
            for (quantile, value) in [("0.5", p50), ("0.9", p90), ("0.99", p99)] {
                let value = match observed.count {
                    0 => f64::NAN,
                    _ => exact(value, scale),
                };
                let value = number(value);
                let _ = writeln!(out, "{name}{{{more}quantile=\"{quantile}\"}} {value}");
            }
            put_summary(out, observed);
        }
    }
}

fn exact(value: u64, scale: u64) -> f64 {
    value as f64 / scale as f64
}

fn number(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    format!("{number:?}")
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
    use crate::metrics::Number;

    const OBSERVED: Observed = Observed {
        count: 2,
        sum: 1_500,
        min: 500,
        max: 1_000,
        scale: 1000,
    };

    #[test]
    fn each_kind_has_the_form_of_zookeepers_provider() {
        let quantiles = Quantiles {
            p50: 500,
            p90: 1_000,
            p95: 1_000,
            p99: 1_000,
            p999: 1_000,
            scale: 1000,
        };
        let namespace = |key: &str| {
            let value = Value::Summary(Observed {
                scale: 1,
                ..OBSERVED
            });
            Sample::new("read_per_namespace", value).keyed(key.to_owned())
        };
        let samples = [
            Sample::new("uptime", Value::Gauge(Number::Whole(-1))),
            Sample::new("commit_count", Value::Counter(7)),
            Sample::new("fsynctime", Value::Summary(OBSERVED)),
            Sample::new("readlatency", Value::Detailed(OBSERVED, quantiles)),
            namespace("a"),
            namespace("q\"uote\\"),
        ];
        assert_eq!(
            exposition(&samples),
            "# HELP uptime uptime\n# TYPE uptime gauge\nuptime -1\n\
             # HELP commit_count commit_count\n# TYPE commit_count counter\ncommit_count 7\n\
             # HELP fsynctime fsynctime\n# TYPE fsynctime summary\n\
             fsynctime{quantile=\"0.5\"} 0.75\nfsynctime_count 2\nfsynctime_sum 1.5\n\
             # HELP readlatency readlatency\n# TYPE readlatency summary\n\
             readlatency{quantile=\"0.5\"} 0.5\nreadlatency{quantile=\"0.9\"} 1.0\n\
             readlatency{quantile=\"0.99\"} 1.0\nreadlatency_count 2\nreadlatency_sum 1.5\n\
             # HELP read_per_namespace read_per_namespace\n\
             # TYPE read_per_namespace summary\n\
             read_per_namespace{key=\"a\",quantile=\"0.5\"} 750.0\n\
             read_per_namespace_count{key=\"a\"} 2\nread_per_namespace_sum{key=\"a\"} 1500.0\n\
             read_per_namespace{key=\"q\\\"uote\\\\\",quantile=\"0.5\"} 750.0\n\
             read_per_namespace_count{key=\"q\\\"uote\\\\\"} 2\n\
             read_per_namespace_sum{key=\"q\\\"uote\\\\\"} 1500.0\n"
        );
    }

    #[test]
    fn what_was_never_measured_has_no_quantile() {
        let nothing = Sample::new("fsynctime", Value::Summary(Observed::nothing(1000)));
        assert!(exposition(&[nothing]).contains("{quantile=\"0.5\"} NaN\n"));
    }
}

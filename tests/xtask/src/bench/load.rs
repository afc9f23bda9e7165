//! One run of `zoowarden bench`, the same for every contender, and what it says.

use std::time::Duration;

use serde_json::Value;

use super::super::process::Run;
use super::meter::Meter;
use super::results::Figures;

/// What a run may take beyond the time that it measures: opening, creating, deleting.
const AROUND_TIME_MAX: Duration = Duration::from_secs(20 * 60);

/// The options of a run.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) workload: &'static str,
    pub(super) connections: u32,
    pub(super) pipeline: Option<u32>,
    /// Requests a second; a closed loop without.
    pub(super) rate: Option<u64>,
    /// Znodes of a fill, changes of a watch.
    pub(super) count: Option<u64>,
    pub(super) value_bytes: u64,
    pub(super) keys: u32,
    pub(super) path: &'static str,
    pub(super) keep: bool,
}

impl Load {
    /// Connections, each with so many requests on their way.
    pub(super) fn closed(workload: &'static str, connections: u32, pipeline: u32) -> Load {
        Load {
            workload,
            connections,
            pipeline: Some(pipeline),
            rate: None,
            count: None,
            value_bytes: 100,
            keys: 1_000,
            path: "/zoowarden-bench",
            keep: false,
        }
    }

    /// The same at a fixed rate.
    pub(super) fn at_rate(&self, rate: u64) -> Load {
        Load {
            rate: Some(rate.max(1)),
            pipeline: None,
            ..self.clone()
        }
    }

    /// So many znodes, which stay; below `connections` parents.
    pub(super) fn fill(count: u64, connections: u32) -> Load {
        Load {
            count: Some(count),
            path: "/filled",
            keep: true,
            ..Load::closed("fill", connections, (1024 / connections).max(1))
        }
    }

    /// The last of the keys that are made before the load begins.
    pub(super) fn last_key(&self) -> String {
        format!("{}/k{}", self.path, self.keys.saturating_sub(1))
    }

    fn words(&self, hosts: &str, pace: Pace) -> Vec<String> {
        let mut words: Vec<String> = ["bench", self.workload, "--json"].map(str::to_owned).into();
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        option("server", hosts.to_owned());
        option("connections", self.connections.to_string());
        option("value-size", self.value_bytes.to_string());
        option("keys", self.keys.to_string());
        option("path", self.path.to_owned());
        option("duration", pace.seconds.to_string());
        option("warmup", pace.warmup_seconds.to_string());
        for (name, value) in [
            ("pipeline", self.pipeline.map(u64::from)),
            ("rate", self.rate),
            ("count", self.count),
        ] {
            if let Some(value) = value {
                option(name, value.to_string());
            }
        }
        if self.keep {
            words.push("--keep".to_owned());
        }
        words
    }

    /// Makes the load on `hosts`, and measures what the processes `pids` use meanwhile.
    pub(super) fn run(&self, hosts: &str, pids: &[u32], pace: Pace) -> Result<Figures, String> {
        let words = self.words(hosts, pace);
        let meter = Meter::start(pids.to_vec());
        let ended = Run::new(super::binary())
            .args(&words)
            .time_max(AROUND_TIME_MAX + Duration::from_secs(pace.seconds))
            .capture_status();
        let usage = meter.stop();
        let told = format!("zoowarden {}", words.join(" "));
        let (status, text) = ended.map_err(|error| format!("{told}: {error}"))?;
        if !status.success() {
            return Err(format!("{told}: {status}"));
        }
        let json: Value =
            serde_json::from_str(&text).map_err(|error| format!("{told}: {error}: {text}"))?;
        let mut figures = figures_of(&json).ok_or_else(|| format!("{told} said {text}"))?;
        let number = |name: &str| json[name].as_f64().unwrap_or_default();
        let begin = number("began_unix_ms");
        let end = begin + number("seconds") * 1000.0;
        let cpu = usage.cpu_seconds_between(begin, end);
        let operations = number("operations").max(1.0);
        figures.set("cpu_s_per_1000", cpu / operations * 1000.0);
        figures.set("cpu_percent", cpu / number("seconds").max(1e-3) * 100.0);
        figures.set("rss_mib", usage.rss_bytes_at(end) / f64::from(1 << 20));
        Ok(figures)
    }
}

/// How long a load runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) seconds: u64,
    pub(super) warmup_seconds: u64,
}

/// What a report of the load generator says.
fn figures_of(json: &Value) -> Option<Figures> {
    let mut figures = Figures::default();
    figures.set("per_second", json["per_second"].as_f64()?);
    figures.set("generator_us", json["cpu_us_per_operation"].as_f64()?);
    figures.set("pause_ms", json["longest_pause_ms"].as_f64()?);
    let seconds = json["answered_in_each_second"].as_array()?;
    let last = json["seconds"].as_f64()? as usize;
    let last = last
        .checked_sub(1)
        .and_then(|last| seconds.get(last)?.as_f64());
    figures.set("last_second", last.unwrap_or(0.0));
    let latencies = json["latency_us"].as_object()?;
    // Of a mixed load the reads are told: nine of ten.
    let kinds = ["get", "set", "create", "event"];
    if let Some(latency) = kinds.iter().find_map(|kind| latencies.get(*kind)) {
        figures.set("p50_us", latency["p50"].as_f64()?);
        figures.set("p99_us", latency["p99"].as_f64()?);
    }
    let refused = json["errors"].as_object()?.values();
    let refused: f64 = refused.filter_map(Value::as_f64).sum();
    let lost = json["connections_lost"].as_f64()? + json["unanswered"].as_f64()?;
    figures.set("errors", refused + lost);
    Some(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_the_load_generator() {
        let pace = Pace {
            seconds: 5,
            warmup_seconds: 1,
        };
        let words = Load::closed("read", 64, 16).at_rate(7).words("h:1", pace);
        let want = "bench read --json --server h:1 --connections 64 --value-size 100 --keys 1000 \
                    --path /zoowarden-bench --duration 5 --warmup 1 --rate 7";
        assert_eq!(words.join(" "), want);
        let words = Load::fill(10, 4).words("h:1", pace).join(" ");
        assert!(
            words.ends_with("--pipeline 256 --count 10 --keep"),
            "{words}"
        );
    }

    #[test]
    fn a_report_is_understood() {
        let json = serde_json::json!({
            "per_second": 10.0, "cpu_us_per_operation": 2.0, "longest_pause_ms": 3,
            "latency_us": { "get": { "p50": 4.0, "p99": 5.0 }, "set": { "p50": 9.0, "p99": 9.0 } },
            "seconds": 2.0, "answered_in_each_second": [9, 8, 1],
            "errors": { "NoNode": 2 }, "connections_lost": 1, "unanswered": 16,
        });
        let figures = figures_of(&json).unwrap();
        assert_eq!(figures.get("p99_us"), Some(5.0));
        assert_eq!(figures.get("errors"), Some(19.0));
        assert_eq!(figures.get("last_second"), Some(8.0));
        assert!(figures_of(&serde_json::json!({})).is_none());
    }
}

//! What the run comes to, for people and for programs.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::fan_out::Spread;
use super::options::{BenchOptions, Workload};
use super::plan::Kind;
use super::tally::Tally;

/// Everything a report tells.
pub(super) struct Report<'a> {
    pub(super) options: &'a BenchOptions,
    pub(super) tally: &'a Tally,
    /// Of watchers only.
    pub(super) spread: Option<Spread>,
    /// When the measuring began.
    pub(super) began: SystemTime,
    /// How long was measured.
    pub(super) measured: Duration,
    /// How long it took to open all connections.
    pub(super) opening: Duration,
    /// What this program itself used of the processors while it was measured.
    pub(super) cpu: Duration,
}

/// Quantiles that are told, and their names.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

impl Report<'_> {
    fn operations(&self) -> u64 {
        match &self.spread {
            Some(spread) => spread.events as u64,
            None => self.tally.operations(),
        }
    }

    fn per_second(&self) -> f64 {
        self.operations() as f64 / self.measured.as_secs_f64().max(1e-9)
    }

    /// Milliseconds of Unix time, for who measures something else at the same time.
    fn began_unix_ms(&self) -> f64 {
        let since = self.began.duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64() * 1e3)
    }

    fn cpu_us_per_operation(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.operations().max(1) as f64
    }

    fn latencies(&self) -> Vec<(&'static str, &Histogram<u64>)> {
        match &self.spread {
            Some(spread) => vec![("event", &spread.latencies)],
            None => {
                let is_idle = self.options.workload == Workload::Idle;
                let told = self.tally.latencies();
                told.filter(|(kind, _)| is_idle || *kind != Kind::Ping)
                    .map(|(kind, latencies)| (kind.name(), latencies))
                    .collect()
            }
        }
    }

    /// One object; times in microseconds unless their name says otherwise.
    pub(super) fn json(&self) -> Value {
        let latencies: Map<String, Value> = self
            .latencies()
            .into_iter()
            .map(|(name, latencies)| (name.to_owned(), in_json(latencies)))
            .collect();
        let errors: Map<String, Value> = self
            .tally
            .errors()
            .map(|(name, count)| (name, json!(count)))
            .collect();
        json!({
            "workload": name(self.options.workload),
            "connections": self.options.connections,
            "pipeline": self.options.pipeline(),
            "rate": self.options.rate,
            "value_size": self.options.value_size,
            "began_unix_ms": self.began_unix_ms(),
            "seconds": self.measured.as_secs_f64(),
            "opening_seconds": self.opening.as_secs_f64(),
            "operations": self.operations(),
            "per_second": self.per_second(),
            "latency_us": latencies,
            "errors": errors,
            "connections_lost": self.tally.lost,
            "unanswered": self.tally.unanswered,
            "longest_pause_ms": self.tally.longest_pause_ms(),
            "cpu_us_per_operation": self.cpu_us_per_operation(),
            "answered_in_each_second": self.tally.per_second(),
        })
    }

    /// A few lines and a table.
    pub(super) fn text(&self) -> String {
        let mut text = self.headline();
        if self.operations() > 0 && self.options.workload != Workload::Idle {
            // Writing to a String does not fail; this and the like below.
            let _ = writeln!(
                text,
                "{} in {:.1} s: {} a second",
                grouped(self.operations()),
                self.measured.as_secs_f64(),
                grouped(self.per_second() as u64)
            );
        }
        self.table(&mut text);
        self.notes(&mut text);
        text
    }

    fn headline(&self) -> String {
        let options = self.options;
        let mut line = format!(
            "{}, {} connections",
            name(options.workload),
            grouped(options.connections.into())
        );
        match options.workload {
            Workload::Idle => {}
            Workload::Watch => {
                let _ = write!(line, ", {} changes", grouped(options.count.into()));
            }
            _ => {
                let _ = match options.rate {
                    Some(rate) => write!(line, ", {} a second due", grouped(rate.into())),
                    None => write!(line, " x {} in flight", options.pipeline()),
                };
                let _ = write!(line, ", {} bytes", grouped(options.value_size.into()));
            }
        }
        let _ = writeln!(line, " (opened in {:.2} s)", self.opening.as_secs_f64());
        line
    }

    fn table(&self, text: &mut String) {
        let rows = self.latencies();
        if rows.is_empty() {
            return;
        }
        let _ = write!(text, "\n{:8}{:>14}", "", "count");
        for (name, _) in QUANTILES {
            let _ = write!(text, "{name:>11}");
        }
        let _ = writeln!(text, "{:>11}", "max");
        for (name, latencies) in rows {
            let _ = write!(text, "{name:8}{:>14}", grouped(latencies.len()));
            for (_, quantile) in QUANTILES {
                let _ = write!(text, "{:>11}", time(latencies.value_at_quantile(quantile)));
            }
            let _ = writeln!(text, "{:>11}", time(latencies.max()));
        }
        text.push('\n');
    }

    fn notes(&self, text: &mut String) {
        let errors: Vec<String> = self
            .tally
            .errors()
            .map(|(name, count)| format!("{} x {name}", grouped(count)))
            .collect();
        if errors.is_empty() {
            text.push_str("errors: none\n");
        } else {
            let _ = writeln!(text, "errors: {}", errors.join(", "));
        }
        if self.tally.lost > 0 || self.tally.unanswered > 0 {
            let _ = writeln!(
                text,
                "connections lost: {}, and with them {} requests of unknown fate",
                grouped(self.tally.lost),
                grouped(self.tally.unanswered)
            );
        }
        if self.spread.is_none() && self.options.workload != Workload::Idle {
            let pause = self.tally.longest_pause_ms();
            let _ = writeln!(text, "longest time without an answer: {pause} ms");
        }
        if let Some(spread) = &self.spread {
            let listeners = self.options.connections.saturating_sub(1) as usize;
            let due = listeners * spread.changes;
            if spread.events < due {
                let missing = grouped((due - spread.events) as u64);
                let _ = writeln!(text, "events that did not come: {missing}");
            }
        }
        let _ = writeln!(
            text,
            "this program used {:.2} us of a processor for each",
            self.cpu_us_per_operation()
        );
    }
}

fn in_json(latencies: &Histogram<u64>) -> Value {
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    let mut told: Map<String, Value> = QUANTILES
        .iter()
        .map(|(name, quantile)| {
            let value = micros(latencies.value_at_quantile(*quantile));
            ((*name).to_owned(), json!(value))
        })
        .collect();
    told.insert("count".to_owned(), json!(latencies.len()));
    told.insert("mean".to_owned(), json!(latencies.mean() / 1000.0));
    told.insert("max".to_owned(), json!(micros(latencies.max())));
    Value::Object(told)
}

fn name(workload: Workload) -> &'static str {
    match workload {
        Workload::Write => "write",
        Workload::Read => "read",
        Workload::Mixed => "mixed",
        Workload::Create => "create",
        Workload::Sequential => "sequential",
        Workload::Ephemeral => "ephemeral",
        Workload::Multi => "multi",
        Workload::Fill => "fill",
        Workload::Watch => "watch",
        Workload::Idle => "idle",
    }
}

/// 1,234,567
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Nanoseconds with three digits and a unit.
fn time(nanos: u64) -> String {
    let (value, unit) = match nanos {
        0..1_000_000 => (nanos as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (nanos as f64 / 1e6, "ms"),
        _ => (nanos as f64 / 1e9, "s"),
    };
    let places = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.places$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, want) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), want);
        }
    }

    #[test]
    fn times_have_three_digits_and_a_unit() {
        for (nanos, want) in [
            (950, "0.95 us"),
            (12_340, "12.3 us"),
            (123_400, "123 us"),
            (1_234_000, "1.23 ms"),
            (2_500_000_000, "2.50 s"),
        ] {
            assert_eq!(time(nanos), want);
        }
    }
}

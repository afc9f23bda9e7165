//! What a server counts and measures, each thing once and in one place: `mntr`, `/commands/monitor`
//! and Prometheus print the same numbers under ZooKeeper's names.
//!
//! What lives here: the names ([`Count`], [`Basic`], [`Detailed`]), the cells behind them, and the
//! values as [`Sample`]s. What does not: what can be asked of the state at any time (znodes, watches,
//! sessions: gauges); `server` adds those when somebody looks.
//!
//! Invariants: counting takes no lock and waits for nobody: what every request counts lies in cells
//! that threads of different numbers do not share. Labels are bounded: see [`Namespaces`].

mod names;
mod namespaces;
pub mod prometheus;
mod sample;
mod summary;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::proto::OpCode;

pub use names::{Basic, Count, Detailed, Scope};
pub use namespaces::{NAMESPACES_MAX, Namespaces, OTHER, Recent, namespace};
pub use sample::{Number, Observed, Quantiles, Sample, Value};
pub use summary::{Histogram, Sizes};

use names::OPERATIONS;

/// Cells that a counter is spread over; threads take them in turn.
const STRIPES: usize = 8;

/// The cells of the threads of one number, apart from the others' in memory.
#[repr(align(128))]
#[derive(Debug)]
struct Stripe {
    counts: [AtomicU64; Count::ALL.len()],
    operations: [AtomicU64; OPERATIONS.len()],
}

impl Default for Stripe {
    fn default() -> Stripe {
        Stripe {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            operations: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

/// The number of the calling thread, below [`STRIPES`].
fn stripe() -> usize {
    use std::sync::atomic::AtomicUsize;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    MINE.with(|mine| *mine)
}

/// Everything that one server counts and measures.
#[derive(Debug)]
pub struct Metrics {
    stripes: [Stripe; STRIPES],
    basic: [Arc<Histogram>; Basic::ALL.len()],
    detailed: [Histogram; Detailed::ALL.len()],
    /// What was sent to clients, frame by frame.
    pub response_sizes: Sizes,
    /// What this server proposed as leader, entry by entry.
    pub proposal_sizes: Sizes,
    /// Bytes read per namespace.
    pub read: Namespaces,
    /// Bytes written per namespace.
    pub written: Namespaces,
    /// Writes refused for a quota, per namespace; the values are all 1.
    pub quota_exceeded: Namespaces,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            stripes: std::array::from_fn(|_| Stripe::default()),
            basic: Basic::ALL.map(|basic| Arc::new(Histogram::rare(basic.scale()))),
            detailed: std::array::from_fn(|_| Histogram::frequent()),
            response_sizes: Sizes::default(),
            proposal_sizes: Sizes::default(),
            read: Namespaces::default(),
            written: Namespaces::default(),
            quota_exceeded: Namespaces::default(),
        }
    }
}

impl Metrics {
    /// Counts one.
    pub fn count(&self, what: Count) {
        self.add(what, 1);
    }

    /// Counts some.
    pub fn add(&self, what: Count, some: u64) {
        self.stripes[stripe()].counts[what as usize].fetch_add(some, Ordering::Relaxed);
    }

    /// How many were counted since the start or the last reset.
    pub fn counted(&self, what: Count) -> u64 {
        let cells = self.stripes.iter();
        let cells = cells.map(|stripe| stripe.counts[what as usize].load(Ordering::Relaxed));
        cells.sum()
    }

    /// Counts an answered request.
    pub fn answered(&self, op: OpCode) {
        if let Some(place) = names::operation(op) {
            self.stripes[stripe()].operations[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a session that was opened by a handshake.
    pub fn opened_session(&self) {
        self.stripes[stripe()].operations[names::CREATE_SESSION].fetch_add(1, Ordering::Relaxed);
    }

    fn operations(&self) -> impl Iterator<Item = (&'static str, u64)> {
        OPERATIONS.iter().enumerate().map(|(i, name)| {
            let cells = self.stripes.iter();
            let cells = cells.map(|stripe| stripe.operations[i].load(Ordering::Relaxed));
            (*name, cells.sum())
        })
    }

    /// The cells of a measurement that ZooKeeper has without quantiles.
    pub fn basic(&self, what: Basic) -> &Arc<Histogram> {
        &self.basic[what as usize]
    }

    /// The cells of a measurement with quantiles.
    pub fn detailed(&self, what: Detailed) -> &Histogram {
        &self.detailed[what as usize]
    }

    /// Durations of all answered requests, microseconds.
    pub fn latency(&self) -> Observed {
        let read = self.detailed(Detailed::ReadLatency).observed();
        read.merged(self.detailed(Detailed::UpdateLatency).observed())
    }

    /// Counters and summaries begin anew; what gauges show does not change.
    pub fn reset(&self) {
        for stripe in &self.stripes {
            for cell in stripe.counts.iter().chain(&stripe.operations) {
                cell.store(0, Ordering::Relaxed);
            }
        }
        self.basic.iter().for_each(|cells| cells.reset());
        self.detailed.iter().for_each(Histogram::reset);
        self.response_sizes.reset();
        self.proposal_sizes.reset();
        for namespaces in [&self.read, &self.written, &self.quota_exceeded] {
            namespaces.reset();
        }
    }

    /// The values of everything that has a meaning within `scope`, under ZooKeeper's names.
    pub fn samples(&self, scope: Scope) -> Vec<Sample> {
        let mut samples = Vec::new();
        for count in Count::ALL {
            // Gauges stand elsewhere.
            if count.scope() <= scope && !count.is_gauge() {
                let value = Value::Counter(self.counted(count));
                samples.push(Sample::new(count.name(), value));
            }
        }
        self.push_operations(&mut samples);
        for basic in Basic::ALL {
            if basic.scope() <= scope {
                let value = self.basic(basic).summary();
                samples.push(Sample::new(basic.name(), value));
            }
        }
        for detailed in Detailed::ALL {
            if detailed.scope() <= scope {
                let cells = self.detailed(detailed);
                let value = Value::Detailed(cells.observed(), cells.quantiles());
                samples.push(Sample::new(detailed.name(), value));
            }
        }
        self.push_namespaces(&mut samples);
        samples
    }

    fn push_operations(&self, samples: &mut Vec<Sample>) {
        let total = self.operations().map(|(_, count)| count).sum();
        samples.push(Sample::new("op_count_total", Value::Counter(total)));
        for (name, count) in self.operations() {
            samples.push(Sample::new(name, Value::Counter(count)));
        }
    }

    fn push_namespaces(&self, samples: &mut Vec<Sample>) {
        for (name, namespaces) in [
            ("read_per_namespace", &self.read),
            ("write_per_namespace", &self.written),
        ] {
            for (key, cell) in namespaces.all() {
                let value = cell.summary();
                samples.push(Sample::new(name, value).keyed(key));
            }
        }
        for (key, summary) in self.quota_exceeded.all() {
            let value = Value::Counter(summary.observed().count);
            samples.push(Sample::new("quota_exceeded_error_per_namespace", value).keyed(key));
        }
    }
}

//! Cells of measurements: how many, sum, smallest, largest; and quantiles where they are asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use super::sample::{Observed, Quantiles, Value};
use super::{STRIPES, stripe};

/// How much, how little at least and at most.
#[derive(Debug)]
struct Bounds {
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            sum: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
        }
    }
}

impl Bounds {
    fn observe(&self, value: u64, times: u64) {
        self.sum.fetch_add(value * times, Ordering::Relaxed);
        if value < self.min.load(Ordering::Relaxed) {
            self.min.fetch_min(value, Ordering::Relaxed);
        }
        if value > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(value, Ordering::Relaxed);
        }
    }

    fn observed(&self, count: u64, scale: u64) -> Observed {
        if count == 0 {
            return Observed::nothing(scale);
        }
        Observed {
            count,
            sum: self.sum.load(Ordering::Relaxed),
            min: self.min.load(Ordering::Relaxed),
            max: self.max.load(Ordering::Relaxed),
            scale,
        }
    }

    fn reset(&self) {
        self.sum.store(0, Ordering::Relaxed);
        self.min.store(u64::MAX, Ordering::Relaxed);
        self.max.store(0, Ordering::Relaxed);
    }
}

/// Last, smallest and largest of a series of sizes, in bytes.
#[derive(Debug)]
pub struct Sizes {
    last: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes {
            last: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
        }
    }
}

impl Sizes {
    /// Takes in some sizes at once: the last, the smallest and the largest of them.
    pub fn observe(&self, last: u64, min: u64, max: u64) {
        self.last.store(last, Ordering::Relaxed);
        if min < self.min.load(Ordering::Relaxed) {
            self.min.fetch_min(min, Ordering::Relaxed);
        }
        if max > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(max, Ordering::Relaxed);
        }
    }

    /// Last, smallest and largest; `None` before the first.
    pub fn last_min_max(&self) -> Option<(u64, u64, u64)> {
        let min = self.min.load(Ordering::Relaxed);
        (min != u64::MAX).then(|| {
            let load = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
            (load(&self.last), min, load(&self.max))
        })
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.min.store(u64::MAX, Ordering::Relaxed);
        self.max.store(0, Ordering::Relaxed);
    }
}

/// Bits of a value that decide its bucket, below the highest: a quantile is off by an eighth at
/// most.
const FINE_BITS: u32 = 3;
const FINE: u64 = 1 << FINE_BITS;

/// Values of this many bits and more share the last bucket: nineteen hours of microseconds.
const BITS_MAX: u32 = 36;
const BUCKETS: usize = ((BITS_MAX - FINE_BITS + 1) as usize) << FINE_BITS;

/// The bucket of a value: exact below eight, then eight to each doubling.
fn bucket(value: u64) -> usize {
    if value < FINE {
        return value as usize;
    }
    let exponent = value.ilog2();
    if exponent >= BITS_MAX {
        return BUCKETS - 1;
    }
    let fine = (value >> (exponent - FINE_BITS)) & (FINE - 1);
    (((exponent - FINE_BITS + 1) << FINE_BITS) as usize) + fine as usize
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < FINE {
        return bucket;
    }
    let shift = (bucket >> FINE_BITS) - 1;
    let low = (FINE + (bucket & (FINE - 1))) << shift;
    low + ((1 << shift) >> 1)
}

#[repr(align(128))]
#[derive(Debug)]
struct Cells {
    bounds: Bounds,
    buckets: [AtomicU64; BUCKETS],
}

/// A measurement: how many, sum, smallest, largest and quantiles.
#[derive(Debug)]
pub struct Histogram {
    stripes: Box<[Cells]>,
    /// How much of what is measured makes one of what is printed.
    scale: u64,
}

/// Microseconds in a millisecond, which ZooKeeper prints.
const MS: u64 = 1000;

/// A duration that is measured now and then.
impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::rare(MS)
    }
}

impl Histogram {
    fn striped(stripes: usize, scale: u64) -> Histogram {
        let cells = || Cells {
            bounds: Bounds::default(),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
        };
        Histogram {
            stripes: std::iter::repeat_with(cells).take(stripes).collect(),
            scale,
        }
    }

    /// Something that is measured now and then; `scale` of it make one of what is printed.
    pub fn rare(scale: u64) -> Histogram {
        Histogram::striped(1, scale)
    }

    /// A duration in microseconds that many threads measure all the time.
    pub fn frequent() -> Histogram {
        Histogram::striped(STRIPES, MS)
    }

    /// Takes in a value.
    pub fn observe(&self, value: u64) {
        self.observe_times(value, 1);
    }

    /// Takes in a value that several things have.
    pub fn observe_times(&self, value: u64, times: u64) {
        if times > 0 {
            let cells = &self.stripes[stripe() % self.stripes.len()];
            cells.buckets[bucket(value)].fetch_add(times, Ordering::Relaxed);
            cells.bounds.observe(value, times);
        }
    }

    fn buckets(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|i| {
            let cells = self.stripes.iter();
            cells
                .map(|cells| cells.buckets[i].load(Ordering::Relaxed))
                .sum()
        })
    }

    /// What was taken in.
    pub fn observed(&self) -> Observed {
        let cells = self.stripes.iter().map(|cells| {
            let buckets = cells.buckets.iter();
            let count = buckets.map(|cell| cell.load(Ordering::Relaxed)).sum();
            cells.bounds.observed(count, self.scale)
        });
        cells.fold(Observed::nothing(self.scale), Observed::merged)
    }

    /// As a metric without quantiles but the median.
    pub fn summary(&self) -> Value {
        Value::Summary(self.observed(), self.quantiles())
    }

    /// Values that so many of what was taken in do not exceed.
    pub fn quantiles(&self) -> Quantiles {
        let buckets = self.buckets();
        let all = self.observed();
        let of = |thousandths: u64| {
            let total = buckets.iter().sum::<u64>();
            let rank = (u128::from(total) * u128::from(thousandths)).div_ceil(1000);
            let mut seen = 0_u128;
            for (bucket, count) in buckets.iter().enumerate() {
                seen += u128::from(*count);
                if *count > 0 && seen >= rank {
                    return middle(bucket).clamp(all.min, all.max.max(all.min));
                }
            }
            0
        };
        Quantiles {
            p50: of(500),
            p90: of(900),
            p95: of(950),
            p99: of(990),
            p999: of(999),
            scale: self.scale,
        }
    }

    /// Begins anew.
    pub fn reset(&self) {
        for cells in &self.stripes {
            cells.bounds.reset();
            for cell in &cells.buckets {
                cell.store(0, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_their_middles_lie_within_them() {
        let mut last = 0;
        for value in (0..100_000).chain((17..63).map(|bit| (1_u64 << bit) - 1)) {
            let bucket = bucket(value);
            assert!(bucket >= last && bucket < BUCKETS, "{value}");
            last = bucket;
            if value < 1 << BITS_MAX {
                assert_eq!(super::bucket(middle(bucket)), bucket, "{value}");
                assert!(middle(bucket).abs_diff(value) <= value / 8, "{value}");
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_within_an_eighth() {
        let histogram = Histogram::frequent();
        (1..=10_000).for_each(|us| histogram.observe(us));
        let Quantiles {
            p50,
            p90,
            p95,
            p99,
            p999,
            ..
        } = histogram.quantiles();
        for (got, want) in [
            (p50, 5000),
            (p90, 9000),
            (p95, 9500),
            (p99, 9900),
            (p999, 9990),
        ] {
            assert!(u64::abs_diff(got, want) <= want / 8, "{got} for {want}");
        }
        let observed = histogram.observed();
        let all = (observed.count, observed.sum, observed.min, observed.max);
        assert_eq!(all, (10_000, 50_005_000, 1, 10_000));
        histogram.reset();
        assert_eq!(histogram.observed(), Observed::nothing(1000));
        assert_eq!(histogram.quantiles().p999, 0);
    }

    #[test]
    fn threads_count_together() {
        let histogram = Histogram::frequent();
        std::thread::scope(|scope| {
            for thread in 1..=20 {
                let histogram = &histogram;
                scope.spawn(move || histogram.observe_times(thread, 50));
            }
        });
        let observed = histogram.observed();
        assert_eq!((observed.count, observed.min, observed.max), (1000, 1, 20));
        assert_eq!(observed.sum, 50 * (1..=20).sum::<u64>());
    }
}

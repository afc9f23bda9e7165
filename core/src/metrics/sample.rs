//! A metric as it is at one moment.

use std::borrow::Cow;
use std::fmt;

/// A metric and its value. The name is ZooKeeper's, without `zk_`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name.
    pub name: Cow<'static, str>,
    /// Which of a set: a namespace, mostly.
    pub key: Option<String>,
    /// The value.
    pub value: Value,
}

impl Sample {
    /// A metric of its own.
    pub fn new(name: impl Into<Cow<'static, str>>, value: Value) -> Sample {
        Sample {
            name: name.into(),
            key: None,
            value,
        }
    }

    /// One of a set.
    #[must_use]
    pub fn keyed(self, key: String) -> Sample {
        Sample {
            key: Some(key),
            ..self
        }
    }
}

impl Sample {
    /// The numbers that ZooKeeper's own provider makes of it, with their names: a summary is five of
    /// them, with quantiles nine; one of a set has its key in front.
    pub fn numbers(&self) -> Vec<(String, Number)> {
        let name = match &self.key {
            Some(key) => format!("{key}_{}", self.name),
            None => self.name.to_string(),
        };
        match self.value {
            Value::Gauge(number) => vec![(name, number)],
            Value::Counter(count) => vec![(name, Number::from(count))],
            Value::Summary(observed, _) => observed.numbers(&name),
            Value::Detailed(observed, quantiles) => {
                let mut numbers = observed.numbers(&name);
                let Quantiles {
                    p50,
                    p95,
                    p99,
                    p999,
                    scale,
                    ..
                } = quantiles;
                let quantiles = [("p50", p50), ("p95", p95), ("p99", p99), ("p999", p999)];
                numbers.extend(quantiles.map(|(prefix, value)| {
                    (format!("{prefix}_{name}"), Number::from(value / scale))
                }));
                numbers
            }
        }
    }
}

/// What kind of metric it is, and what it shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Goes up and down.
    Gauge(Number),
    /// Goes up, until it is reset.
    Counter(u64),
    /// How many, sum, smallest and largest; of the quantiles only the median is shown.
    Summary(Observed, Quantiles),
    /// A summary with quantiles.
    Detailed(Observed, Quantiles),
}

/// A gauge's number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Whole; -1 where ZooKeeper says so for "none".
    Whole(i64),
    /// With a decimal point.
    Decimal(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(number) => number.fmt(f),
            // With the decimal point of a whole number, as Java has it: 0.0.
            Number::Decimal(number) => write!(f, "{number:?}"),
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Number {
        Number::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Number {
        Number::from(number as u64)
    }
}

/// What was measured: `scale` of it make one of what is printed, so that a duration is measured in
/// microseconds and printed in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// How many.
    pub count: u64,
    /// All together.
    pub sum: u64,
    /// The smallest; 0 when there is none.
    pub min: u64,
    /// The largest; 0 when there is none.
    pub max: u64,
    /// How many of them make one of what is printed.
    pub scale: u64,
}

impl Observed {
    /// No measurement yet.
    pub fn nothing(scale: u64) -> Observed {
        Observed {
            count: 0,
            sum: 0,
            min: 0,
            max: 0,
            scale,
        }
    }

    /// Two series of one scale as one.
    #[must_use]
    pub fn merged(self, other: Observed) -> Observed {
        match (self.count, other.count) {
            (_, 0) => self,
            (0, _) => other,
            _ => Observed {
                count: self.count + other.count,
                sum: self.sum.wrapping_add(other.sum),
                min: self.min.min(other.min),
                max: self.max.max(other.max),
                scale: self.scale,
            },
        }
    }

    fn numbers(self, name: &str) -> Vec<(String, Number)> {
        let whole = |number: u64| Number::from(number / self.scale);
        vec![
            (format!("avg_{name}"), Number::Decimal(self.average())),
            (format!("min_{name}"), whole(self.min)),
            (format!("max_{name}"), whole(self.max)),
            (format!("cnt_{name}"), Number::from(self.count)),
            (format!("sum_{name}"), whole(self.sum)),
        ]
    }

    /// The mean in what is printed, rounded to four places as ZooKeeper does.
    pub fn average(self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let average = self.sum as f64 / self.count as f64 / self.scale as f64;
        (average * 10_000.0).round() / 10_000.0
    }
}

/// Values that 50, 90, 95, 99 and 99.9 percent of what was measured do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantiles {
    /// Half of it.
    pub p50: u64,
    /// 90 percent.
    pub p90: u64,
    /// 95 percent.
    pub p95: u64,
    /// 99 percent.
    pub p99: u64,
    /// 99.9 percent.
    pub p999: u64,
    /// How many of them make one of what is printed.
    pub scale: u64,
}

//! Holding clients back: requests that wait while too many are in work, and connections that are
//! taken in at a certain rate at most.
//!
//! Requests wait in the buffer of their connection, which is looked at again every
//! `request_throttle_stall_time`; so a queue of all of them never comes into being, and its bound is
//! that of one connection's buffer. Source: `RequestThrottler`, `BlueThrottle`.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::metrics::{Count, Metrics};
use crate::server::config::{Config, ConnectionThrottle, RequestThrottle};

/// How likely something is, in millionths.
const CERTAIN: u32 = 1_000_000;

/// The brakes of one server; they count what they do.
#[derive(Debug)]
pub(crate) struct Throttle {
    requests: RequestThrottle,
    connections: ConnectionThrottle,
    local_sessions: bool,
    bucket: Mutex<Bucket>,
    metrics: Arc<Metrics>,
}

/// Which kind of handshake asks for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshaking {
    /// A new session.
    New,
    /// A session that comes back.
    Renewed,
}

/// What becomes of a request that has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It is carried out.
    Fresh,
    /// Its connection ends.
    Dropped,
}

impl Throttle {
    pub(crate) fn new(config: &Config, metrics: Arc<Metrics>, now_ms: u64) -> Throttle {
        Throttle {
            requests: config.request_throttle,
            connections: config.connection_throttle,
            local_sessions: config.ensemble.is_some() && config.local_sessions.enabled,
            bucket: Mutex::new(Bucket::new(config.connection_throttle, now_ms)),
            metrics,
        }
    }

    /// Whether another request must wait while `in_work` are.
    pub(crate) fn is_full(&self, in_work: usize) -> bool {
        let max = self.requests.requests_max;
        max.is_some_and(|max| in_work >= max.get() as usize)
    }

    /// Between two looks at requests that wait.
    pub(crate) fn stall(&self) -> Duration {
        Duration::from_millis(u64::from(self.requests.stall_ms))
    }

    /// Whether a client that goes away takes the requests along that wait.
    pub(crate) fn watches_waiting_clients(&self) -> bool {
        self.requests.drop_stale && self.requests.stale_connection_check
    }

    /// Counts a look at which requests had to go on waiting.
    pub(crate) fn count_wait(&self) {
        self.metrics.count(Count::RequestWaits);
    }

    /// What becomes of a request that has waited for `waited_us` in a session of `timeout_ms`. It
    /// is told whether it waits on.
    pub(crate) fn freshness(&self, waited_us: u64, timeout_ms: i32, waits: bool) -> Freshness {
        let timeout_us = u64::try_from(timeout_ms).unwrap_or(0) * 1000;
        if !self.requests.stale_latency_check || waited_us <= timeout_us {
            return Freshness::Fresh;
        }
        if self.requests.drop_stale {
            self.metrics.count(Count::StaleRequestsDropped);
            return Freshness::Dropped;
        }
        if !waits {
            self.metrics.count(Count::StaleRequests);
        }
        Freshness::Fresh
    }

    /// Whether a client may shake hands now; `dice` is any random number.
    pub(crate) fn admit(&self, handshaking: Handshaking, now_ms: u64, dice: u32) -> bool {
        let weights = self.connections;
        let need = match (weights.weight_enabled, handshaking) {
            (false, _) => 1,
            (true, Handshaking::Renewed) => weights.renew_session_weight,
            (true, Handshaking::New) if self.local_sessions => weights.local_session_weight,
            (true, Handshaking::New) => weights.global_session_weight,
        };
        let admitted = self.bucket.lock().take(need, now_ms, dice % CERTAIN);
        if !admitted {
            self.metrics.count(Count::ConnectionsRejected);
        }
        admitted
    }

    /// The share of new connections that are refused on purpose, 0 to 1.
    pub(crate) fn drop_probability(&self) -> f64 {
        f64::from(self.bucket.lock().drop_millionths) / f64::from(CERTAIN)
    }
}

/// Tokens for new connections. With `freeze_ms` it also refuses some at random, more and more of
/// them while it is empty.
#[derive(Debug)]
struct Bucket {
    settings: ConnectionThrottle,
    tokens: u32,
    filled_ms: u64,
    changed_ms: u64,
    drop_millionths: u32,
}

impl Bucket {
    fn new(settings: ConnectionThrottle, now_ms: u64) -> Bucket {
        Bucket {
            settings,
            tokens: settings.tokens_max.map_or(0, |max| max.get()),
            filled_ms: now_ms,
            changed_ms: now_ms,
            drop_millionths: 0,
        }
    }

    /// Takes `need` tokens if they are there; `dice` is below [`CERTAIN`].
    fn take(&mut self, need: u32, now_ms: u64, dice: u32) -> bool {
        let Some(max) = self.settings.tokens_max.map(|max| max.get()) else {
            return true;
        };
        self.fill(max, now_ms);
        if let Some(freeze_ms) = self.settings.freeze_ms {
            self.change_drop(max, u64::from(freeze_ms), now_ms);
            if dice < self.drop_millionths {
                return false;
            }
        }
        let Some(left) = self.tokens.checked_sub(need) else {
            return false;
        };
        self.tokens = left;
        true
    }

    fn fill(&mut self, max: u32, now_ms: u64) {
        let since_ms = now_ms.saturating_sub(self.filled_ms);
        let fill_ms = u64::from(self.settings.fill_ms);
        if since_ms > fill_ms {
            let count = u64::from(self.settings.fill_count);
            let fresh = since_ms.saturating_mul(count) / fill_ms.max(1);
            let fresh = u32::try_from(fresh).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(fresh).min(max);
            self.filled_ms = now_ms;
        }
    }

    fn change_drop(&mut self, max: u32, freeze_ms: u64, now_ms: u64) {
        if now_ms.saturating_sub(self.changed_ms) <= freeze_ms {
            return;
        }
        self.changed_ms = now_ms;
        let taken = u64::from(max - self.tokens);
        let few = u64::from(max) * u64::from(self.settings.decrease_ratio_millionths);
        let few = (few + u64::from(CERTAIN / 2)) / u64::from(CERTAIN);
        if taken == u64::from(max) {
            let more = self.drop_millionths + self.settings.drop_increase_millionths;
            self.drop_millionths = more.min(CERTAIN);
        } else if taken <= few {
            let less = self.settings.drop_decrease_millionths;
            self.drop_millionths = self.drop_millionths.saturating_sub(less);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn bucket(tokens: u32, change: impl FnOnce(&mut ConnectionThrottle)) -> Bucket {
        let mut settings = ConnectionThrottle {
            tokens_max: NonZeroU32::new(tokens),
            ..ConnectionThrottle::default()
        };
        change(&mut settings);
        Bucket::new(settings, 0)
    }

    #[test]
    fn without_tokens_configured_everybody_is_admitted() {
        let mut bucket = bucket(0, |_| {});
        assert!((0..1000).all(|_| bucket.take(3, 0, 0)));
    }

    #[test]
    fn tokens_run_out_and_come_back_at_their_rate() {
        let mut bucket = bucket(5, |s| (s.fill_ms, s.fill_count) = (100, 2));
        let taken =
            |bucket: &mut Bucket, now_ms| (0..9).filter(|_| bucket.take(1, now_ms, 0)).count();
        assert_eq!(taken(&mut bucket, 0), 5);
        assert_eq!(taken(&mut bucket, 100), 0, "not before the time is over");
        assert_eq!(taken(&mut bucket, 101), 2);
        assert_eq!(taken(&mut bucket, 100_000), 5, "never more than fit");
        assert!(!bucket.take(3, 100_101, 0), "two are too few");
        assert!(bucket.take(2, 100_101, 0));
    }

    #[test]
    fn an_empty_bucket_refuses_more_and_more_at_random_and_recovers() {
        let mut bucket = bucket(2, |s| {
            (s.freeze_ms, s.fill_ms) = (Some(10), 1000);
            (s.drop_increase_millionths, s.drop_decrease_millionths) = (400_000, 300_000);
            s.decrease_ratio_millionths = 500_000;
        });
        assert!(bucket.take(2, 0, 0));
        assert!(!bucket.take(1, 5, CERTAIN - 1), "empty");
        assert_eq!(bucket.drop_millionths, 0, "frozen");
        for (now_ms, drop) in [(11, 400_000), (22, 800_000), (33, CERTAIN), (44, CERTAIN)] {
            assert!(!bucket.take(1, now_ms, 399_999));
            assert_eq!(bucket.drop_millionths, drop);
        }
        assert!(
            !bucket.take(1, 2_044, 699_999),
            "tokens, but the dice says no"
        );
        assert_eq!(bucket.drop_millionths, 700_000);
        assert!(bucket.take(1, 2_045, 700_000));
    }

    fn throttle(change: impl FnOnce(&mut Config)) -> Throttle {
        let mut config = Config::default();
        change(&mut config);
        Throttle::new(&config, Arc::default(), 0)
    }

    #[test]
    fn a_stale_request_is_dropped_counted_or_neither() {
        let fresh = throttle(|_| {});
        assert_eq!(fresh.freshness(u64::MAX, 1, false), Freshness::Fresh);
        let dropping = throttle(|c| c.request_throttle.stale_latency_check = true);
        assert_eq!(dropping.freshness(4_000_000, 4000, true), Freshness::Fresh);
        assert_eq!(
            dropping.freshness(4_000_001, 4000, true),
            Freshness::Dropped
        );
        let keeping = throttle(|c| {
            c.request_throttle.stale_latency_check = true;
            c.request_throttle.drop_stale = false;
        });
        for waits in [true, false] {
            assert_eq!(keeping.freshness(9_000_000, 4000, waits), Freshness::Fresh);
        }
        let counts = |t: &Throttle| {
            [Count::StaleRequests, Count::StaleRequestsDropped].map(|what| t.metrics.counted(what))
        };
        assert_eq!(counts(&fresh), [0, 0]);
        assert_eq!(counts(&dropping), [0, 1]);
        assert_eq!(counts(&keeping), [1, 0]);
    }

    #[test]
    fn a_handshake_costs_what_its_kind_weighs() {
        let costs = |change: &dyn Fn(&mut Config)| {
            let cost = |handshaking| {
                let throttle = throttle(|config| {
                    config.connection_throttle.tokens_max = NonZeroU32::new(60);
                    config.connection_throttle.fill_ms = 1000;
                    change(config);
                });
                60 / (0..60)
                    .filter(|_| throttle.admit(handshaking, 0, 0))
                    .count()
            };
            [cost(Handshaking::New), cost(Handshaking::Renewed)]
        };
        assert_eq!(costs(&|_| {}), [1, 1]);
        assert_eq!(
            costs(&|c| c.connection_throttle.weight_enabled = true),
            [3, 2]
        );
    }
}

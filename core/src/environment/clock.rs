//! What time it is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A wall clock and a monotonic one.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970. May jump.
    fn wall_ms(&self) -> i64;

    /// Microseconds since some moment before the server started. Never goes back.
    fn monotonic_us(&self) -> u64;

    /// Milliseconds since some moment before the server started. Never goes back.
    fn monotonic_ms(&self) -> u64 {
        self.monotonic_us() / 1000
    }
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one room that asks the machine for the time"
)]
impl SystemClock {
    /// Counts monotonic time from now.
    pub fn new() -> SystemClock {
        SystemClock {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one room that asks the machine for the time"
)]
impl Clock for SystemClock {
    fn wall_ms(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

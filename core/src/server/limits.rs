//! How many connections, and how much of each: every number that protects the server from its
//! clients, in one place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::server::config::Config;
use crate::storage::PAYLOAD_BYTES_MAX;

/// Requests of one connection that may wait for an answer. More stay in the socket.
pub(crate) const OUTSTANDING_PER_CONNECTION_MAX: usize = 4096;

/// Bytes of a request, whatever `jute.maxbuffer` allows: with all that travels with it, it must fit
/// into one entry of the log.
pub(crate) const FRAME_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - (2 << 20);

/// Limits on connections, from the configuration.
#[derive(Debug)]
pub(crate) struct Limits {
    /// `maxClientCnxns`; `None` is no limit.
    per_address_max: Option<usize>,
    /// `maxCnxns`; `None` is no limit.
    all_max: Option<usize>,
    /// `jute.maxbuffer`: bytes of a frame, as far as the log can hold one.
    pub(crate) frame_bytes_max: usize,
    /// `globalOutstandingLimit`: beyond it connections with unanswered requests are not read.
    pub(crate) outstanding_max: usize,
    /// A connection must have shaken hands within this.
    pub(crate) handshake: Duration,
    /// Log lines about limits that clients reached.
    pub(crate) notice: Notice,
    /// Log lines about clients that are read no further for a while.
    pub(crate) throttled: Notice,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Says that a limit was reached, at most once a second: a hostile client must not fill the log.
#[derive(Debug, Default)]
pub(crate) struct Notice {
    last_ms: AtomicU64,
    unsaid: AtomicU64,
}

/// Least time between two lines about one limit.
const NOTICE_MS: u64 = 1000;

impl Notice {
    /// Whether to say it now, and if so how often it was left unsaid since the last time.
    pub(crate) fn due(&self, now_ms: u64) -> Option<u64> {
        // From 1 on, so that 0 means never.
        let now_ms = now_ms + 1;
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        if last_ms != 0 && now_ms < last_ms + NOTICE_MS {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.last_ms.store(now_ms, Ordering::Relaxed);
        Some(self.unsaid.swap(0, Ordering::Relaxed))
    }
}

/// The right to one connection; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    address: IpAddr,
    open: Arc<Mutex<Open>>,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("too many connections from one address: maxClientCnxns is {0}")]
    Address(usize),
    #[error("too many connections: maxCnxns is {0}")]
    All(usize),
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Limits {
        let number = |limit: Option<std::num::NonZeroU32>| limit.map(|limit| limit.get() as usize);
        Limits {
            per_address_max: number(config.client_cnxns_per_ip_max),
            all_max: number(config.cnxns_max),
            frame_bytes_max: (config.jute_maxbuffer_bytes as usize).min(FRAME_BYTES_MAX),
            outstanding_max: config.global_outstanding_limit as usize,
            handshake: Duration::from_millis(u64::from(config.sessionless_cnxn_timeout_ms)),
            notice: Notice::default(),
            throttled: Notice::default(),
            open: Arc::default(),
        }
    }

    /// Takes a place for a connection from `address`.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<Place, Refusal> {
        let mut open = self.open.lock();
        if let Some(max) = self.all_max
            && open.all >= max
        {
            return Err(Refusal::All(max));
        }
        let here = open.by_address.entry(address).or_default();
        if let Some(max) = self.per_address_max
            && *here >= max
        {
            return Err(Refusal::Address(max));
        }
        *here += 1;
        open.all += 1;
        Ok(Place {
            address,
            open: Arc::clone(&self.open),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        open.all -= 1;
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn a_notice_is_given_once_a_second_and_counts_the_rest() {
        let notice = Notice::default();
        assert_eq!(notice.due(0), Some(0));
        assert_eq!(notice.due(500), None);
        assert_eq!(notice.due(999), None);
        assert_eq!(notice.due(1000), Some(2));
        assert_eq!(notice.due(5000), Some(0));
    }

    #[test]
    fn a_frame_fits_into_an_entry_whatever_is_configured() {
        let limit = |jute_maxbuffer_bytes| {
            let config = Config {
                jute_maxbuffer_bytes,
                ..Config::default()
            };
            Limits::new(&config).frame_bytes_max
        };
        assert_eq!(limit(1 << 20), 1 << 20);
        assert_eq!(limit(u32::MAX), FRAME_BYTES_MAX);
    }

    #[test]
    fn places_are_limited_per_address_and_in_all_and_come_back() {
        let config = Config {
            client_cnxns_per_ip_max: NonZeroU32::new(2),
            cnxns_max: NonZeroU32::new(3),
            ..Config::default()
        };
        let limits = Limits::new(&config);
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = limits.admit(a).unwrap();
        let _second = limits.admit(a).unwrap();
        assert_eq!(limits.admit(a).unwrap_err(), Refusal::Address(2));
        let _third = limits.admit(b).unwrap();
        assert_eq!(limits.admit(b).unwrap_err(), Refusal::All(3));
        drop(first);
        assert!(limits.admit(a).is_ok());
        assert!(limits.open.lock().by_address.len() <= 2);
    }
}

//! Settings that hold clients back: requests in work, large requests, new connections.

use std::num::NonZeroU32;

use super::resolve::Draft;
use super::setting::{Parsed, limit, u32_from, whole};

/// How requests wait while too many are in work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestThrottle {
    /// Requests that may be in work at once [`zookeeper.request_throttle_max_requests`,
    /// `requestThrottleLimit`]; `None`: any number.
    pub requests_max: Option<NonZeroU32>,
    /// Time between two looks at requests that wait [`zookeeper.request_throttle_stall_time`,
    /// `requestThrottleStallTime`].
    pub stall_ms: u32,
    /// Close the connections of stale requests that wait [`zookeeper.request_throttle_drop_stale`,
    /// `requestThrottleDropStale`].
    pub drop_stale: bool,
    /// A request is stale when its connection is gone
    /// [`zookeeper.request_stale_connection_check`, `requestStaleConnectionCheck`].
    pub stale_connection_check: bool,
    /// A request is stale when it has waited for longer than its session's timeout
    /// [`zookeeper.request_stale_latency_check`, `requestStaleLatencyCheck`].
    pub stale_latency_check: bool,
    /// A request that waited for longer is answered ThrottledOp
    /// [`zookeeper.throttled_op_wait_time`]; `None`: none is.
    pub throttled_op_wait_ms: Option<NonZeroU32>,
}

impl Default for RequestThrottle {
    fn default() -> Self {
        Self {
            requests_max: None,
            stall_ms: 100,
            drop_stale: true,
            stale_connection_check: true,
            stale_latency_check: false,
            throttled_op_wait_ms: None,
        }
    }
}

/// Large requests, whose bytes in work have a limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargeRequests {
    /// A request with more bytes is a large one [`zookeeper.largeRequestThreshold`]; `None`: none
    /// is.
    pub threshold_bytes: Option<u32>,
    /// Bytes of large ones in work; the connection of one more is closed
    /// [`zookeeper.largeRequestMaxBytes`].
    pub bytes_max: u32,
}

impl Default for LargeRequests {
    fn default() -> Self {
        Self {
            threshold_bytes: None,
            bytes_max: 100 << 20,
        }
    }
}

/// At which rate new connections are taken in: each takes tokens out of a bucket. Shares are in
/// millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionThrottle {
    /// What the bucket holds [`zookeeper.connection_throttle_tokens`, `connectionMaxTokens`];
    /// `None`: connections are taken in at any rate.
    pub tokens_max: Option<NonZeroU32>,
    /// Time in which `fill_count` tokens come [`zookeeper.connection_throttle_fill_time`,
    /// `connectionTokenFillTime`].
    pub fill_ms: u32,
    /// See `fill_ms` [`zookeeper.connection_throttle_fill_count`, `connectionTokenFillCount`].
    pub fill_count: u32,
    /// Time between two changes of the share that is refused at random
    /// [`zookeeper.connection_throttle_freeze_time`, `connectionFreezeTime`]; `None`: nobody is.
    pub freeze_ms: Option<u32>,
    /// By how much it grows while the bucket is empty
    /// [`zookeeper.connection_throttle_drop_increase`, `connectionDropIncrease`].
    pub drop_increase_millionths: u32,
    /// By how much it falls [`zookeeper.connection_throttle_drop_decrease`,
    /// `connectionDropDecrease`] …
    pub drop_decrease_millionths: u32,
    /// … while no more than this share of the bucket is taken
    /// [`zookeeper.connection_throttle_decrease_ratio`, `connectionDecreaseRatio`].
    pub decrease_ratio_millionths: u32,
    /// Weigh connections by what they cost [`zookeeper.connection_throttle_weight_enabled`].
    pub weight_enabled: bool,
    /// Tokens of a new session [`zookeeper.connection_throttle_global_session_weight`].
    pub global_session_weight: u32,
    /// Tokens of a new local session [`zookeeper.connection_throttle_local_session_weight`].
    pub local_session_weight: u32,
    /// Tokens of a session that comes back [`zookeeper.connection_throttle_renew_session_weight`].
    pub renew_session_weight: u32,
}

impl Default for ConnectionThrottle {
    fn default() -> Self {
        Self {
            tokens_max: None,
            fill_ms: 1,
            fill_count: 1,
            freeze_ms: None,
            drop_increase_millionths: 20_000,
            drop_decrease_millionths: 2_000,
            decrease_ratio_millionths: 0,
            weight_enabled: false,
            global_session_weight: 3,
            local_session_weight: 1,
            renew_session_weight: 2,
        }
    }
}

pub(super) fn requests_max(draft: &mut Draft, value: &str) -> Parsed<()> {
    let max = limit(value, "a whole number of requests")?;
    draft.config.request_throttle.requests_max = max;
    Ok(())
}

pub(super) fn throttled_op_wait(draft: &mut Draft, value: &str) -> Parsed<()> {
    let wait = limit(value, "a whole number of milliseconds")?;
    draft.config.request_throttle.throttled_op_wait_ms = wait;
    Ok(())
}

/// -1 is how it says that no request is a large one.
pub(super) fn large_threshold(draft: &mut Draft, value: &str) -> Parsed<()> {
    let what = "a whole number of bytes, -1 for none";
    let bytes = whole(value, -1..=i64::from(i32::MAX), what)?;
    draft.config.large_requests.threshold_bytes = u32::try_from(bytes).ok();
    Ok(())
}

pub(super) fn large_bytes_max(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.large_requests.bytes_max = u32_from(value, 1, "a whole number of bytes")?;
    Ok(())
}

pub(super) fn connection_tokens(draft: &mut Draft, value: &str) -> Parsed<()> {
    let max = limit(value, "a whole number of connections")?;
    draft.config.connection_throttle.tokens_max = max;
    Ok(())
}

/// -1 is how it says that nobody is refused at random.
pub(super) fn freeze_time(draft: &mut Draft, value: &str) -> Parsed<()> {
    let what = "a whole number of milliseconds, -1 for never";
    let ms = whole(value, -1..=i64::from(i32::MAX), what)?;
    draft.config.connection_throttle.freeze_ms = u32::try_from(ms).ok();
    Ok(())
}

/// A share as zoo.cfg writes it, 0 to 1, in millionths.
pub(super) fn share(value: &str) -> Parsed<u32> {
    let share = value.parse::<f64>().ok();
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    let share = share.ok_or("expected a number between 0 and 1")?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a million"
    )]
    Ok((share * 1e6).round() as u32)
}

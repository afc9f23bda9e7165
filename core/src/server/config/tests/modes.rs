//! Settings of the modes of service and of what holds clients back.

use super::super::Config;
use super::with_line;

type Reached = fn(&Config) -> bool;

static FIELDS: &[(&str, Reached)] = &[
    ("localSessionsEnabled=true", |c| c.local_sessions.enabled),
    ("localSessionsUpgradingEnabled=true", |c| {
        c.local_sessions.upgrading_enabled
    }),
    ("leaderServes=no", |c| !c.leader_serves),
    ("leaderServes=yes", |c| c.leader_serves),
    ("throttled_op_wait_time=8", |c| {
        c.request_throttle
            .throttled_op_wait_ms
            .is_some_and(|ms| ms.get() == 8)
    }),
    ("throttled_op_wait_time=0", |c| {
        c.request_throttle.throttled_op_wait_ms.is_none()
    }),
    ("largeRequestThreshold=9", |c| {
        c.large_requests.threshold_bytes == Some(9)
    }),
    ("largeRequestThreshold=-1", |c| {
        c.large_requests.threshold_bytes.is_none()
    }),
    ("largeRequestMaxBytes=10", |c| {
        c.large_requests.bytes_max == 10
    }),
    ("connection_throttle_weight_enabled=true", |c| {
        c.connection_throttle.weight_enabled
    }),
    ("connection_throttle_global_session_weight=11", |c| {
        c.connection_throttle.global_session_weight == 11
    }),
    ("connection_throttle_local_session_weight=12", |c| {
        c.connection_throttle.local_session_weight == 12
    }),
    ("connection_throttle_renew_session_weight=13", |c| {
        c.connection_throttle.renew_session_weight == 13
    }),
    ("connection_throttle_freeze_time=-1", |c| {
        c.connection_throttle.freeze_ms.is_none()
    }),
];

/// As the code of ZooKeeper reads it, as its documentation calls it, and a value.
static TWO_NAMES: &[(&str, &str, &str, Reached)] = &[
    (
        "request_throttle_max_requests",
        "requestThrottleLimit",
        "1",
        |c| c.request_throttle.requests_max.is_some(),
    ),
    (
        "request_throttle_stall_time",
        "requestThrottleStallTime",
        "2",
        |c| c.request_throttle.stall_ms == 2,
    ),
    (
        "request_throttle_drop_stale",
        "requestThrottleDropStale",
        "false",
        |c| !c.request_throttle.drop_stale,
    ),
    (
        "request_stale_connection_check",
        "requestStaleConnectionCheck",
        "false",
        |c| !c.request_throttle.stale_connection_check,
    ),
    (
        "request_stale_latency_check",
        "requestStaleLatencyCheck",
        "true",
        |c| c.request_throttle.stale_latency_check,
    ),
    (
        "connection_throttle_tokens",
        "connectionMaxTokens",
        "3",
        |c| c.connection_throttle.tokens_max.is_some(),
    ),
    (
        "connection_throttle_fill_time",
        "connectionTokenFillTime",
        "4",
        |c| c.connection_throttle.fill_ms == 4,
    ),
    (
        "connection_throttle_fill_count",
        "connectionTokenFillCount",
        "5",
        |c| c.connection_throttle.fill_count == 5,
    ),
    (
        "connection_throttle_freeze_time",
        "connectionFreezeTime",
        "6",
        |c| c.connection_throttle.freeze_ms == Some(6),
    ),
    (
        "connection_throttle_drop_increase",
        "connectionDropIncrease",
        "0.5",
        |c| c.connection_throttle.drop_increase_millionths == 500_000,
    ),
    (
        "connection_throttle_drop_decrease",
        "connectionDropDecrease",
        "0.25",
        |c| c.connection_throttle.drop_decrease_millionths == 250_000,
    ),
    (
        "connection_throttle_decrease_ratio",
        "connectionDecreaseRatio",
        "0.000001",
        |c| c.connection_throttle.decrease_ratio_millionths == 1,
    ),
];

#[test]
fn every_setting_of_modes_and_throttles_reaches_its_field() {
    for (line, reached) in FIELDS {
        assert!(reached(&with_line(line).config()), "{line}");
    }
    for (read, documented, value, reached) in TWO_NAMES {
        for name in [read, documented] {
            let line = format!("{name}={value}");
            assert!(!reached(&Config::default()), "{line}");
            assert!(reached(&with_line(&line).config()), "{line}");
        }
    }
}

#[test]
fn wrong_values_of_throttles_say_what_is_expected() {
    for (line, expected) in [
        (
            "connectionDropIncrease=1.5",
            "expected a number between 0 and 1",
        ),
        (
            "connection_throttle_decrease_ratio=NaN",
            "expected a number between 0 and 1",
        ),
        (
            "largeRequestThreshold=-2",
            "expected a whole number of bytes, -1 for none",
        ),
        ("leaderServes=maybe", "expected yes or no"),
        (
            "requestThrottleStallTime=0",
            "expected a whole number of milliseconds, 1 or more",
        ),
    ] {
        let error = with_line(line).error();
        assert!(error.ends_with(expected), "{line}: {error}");
    }
}

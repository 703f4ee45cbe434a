//! How long requests take in the benchmarks.
#![allow(dead_code, reason = "each benchmark uses its part")]

use std::time::Duration;

use sandbox::graph::Pace;

/// `max_concurrent_requests` where nothing else is configured.
pub(crate) const AT_ONCE: usize = 256;

/// Latencies as they are reported of small queries.
pub(crate) const FAR: Pace = Pace {
    round_trip: Duration::from_millis(20),
    median: Duration::from_millis(100),
    p99: Duration::from_millis(400),
    slow: None,
    users_page: Duration::from_millis(100),
};

/// A tenth of that, where otherwise a run takes ten minutes.
pub(crate) const NEAR: Pace = Pace {
    round_trip: Duration::from_millis(2),
    median: Duration::from_millis(10),
    p99: Duration::from_millis(40),
    slow: None,
    users_page: Duration::from_millis(10),
};

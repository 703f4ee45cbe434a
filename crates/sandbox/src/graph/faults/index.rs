//! The limits and failures of the two indexes of mail: message trace and advanced hunting.

use std::time::Duration;

use super::Faults;

/// How many requests an index answers within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::graph) struct Quota {
    pub(in crate::graph) requests: usize,
    pub(in crate::graph) within: Duration,
}

/// The indexes' limits.
#[derive(Debug)]
pub(super) struct Indexes {
    trace_lag: Duration,
    trace_quota: Quota,
    trace_service_missing: bool,
    hunting_quota: Quota,
    hunting_rows: usize,
}

impl Default for Indexes {
    fn default() -> Self {
        Self {
            trace_lag: Duration::ZERO,
            trace_quota: Quota { requests: 100, within: Duration::from_secs(300) },
            trace_service_missing: false,
            hunting_quota: Quota { requests: 45, within: Duration::from_secs(60) },
            hunting_rows: 100_000,
        }
    }
}

impl Faults {
    /// Sets how long after its arrival a mail appears in the message trace. There is no delay by default; the service
    /// has one of 5 to 10 minutes.
    pub fn set_trace_lag(&self, lag: Duration) {
        self.plan().indexes.trace_lag = lag;
    }

    pub(in crate::graph) fn trace_lag(&self) -> Duration {
        self.plan().indexes.trace_lag
    }

    /// Sets how many requests for the message trace the tenant answers within a time: 100 in 5 minutes until changed.
    pub fn set_trace_quota(&self, requests: usize, within: Duration) {
        self.plan().indexes.trace_quota = Quota { requests, within };
    }

    pub(in crate::graph) fn trace_quota(&self) -> Quota {
        self.plan().indexes.trace_quota
    }

    /// Removes the service principal of Microsoft's application for the message trace, or provides it again.
    pub fn miss_trace_service(&self, missing: bool) {
        self.plan().indexes.trace_service_missing = missing;
    }

    pub(in crate::graph) fn misses_trace_service(&self) -> bool {
        self.plan().indexes.trace_service_missing
    }

    /// Sets how many hunting queries the tenant answers within a time: 45 in a minute until changed.
    pub fn set_hunting_quota(&self, requests: usize, within: Duration) {
        self.plan().indexes.hunting_quota = Quota { requests, within };
    }

    pub(in crate::graph) fn hunting_quota(&self) -> Quota {
        self.plan().indexes.hunting_quota
    }

    /// Sets how many rows a hunting query returns at most: 100,000 until changed.
    pub fn set_hunting_rows(&self, rows: usize) {
        self.plan().indexes.hunting_rows = rows;
    }

    pub(in crate::graph) fn hunting_rows(&self) -> usize {
        self.plan().indexes.hunting_rows
    }
}

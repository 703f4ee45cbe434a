//! How long requests take: mean and deviation, of the last few hundred.

use std::time::Duration;

/// The measurements that an estimate rests on: later ones replace earlier ones.
const REMEMBERED: u32 = 256;
/// Taken for the latency before anything was measured.
const UNKNOWN: Duration = Duration::from_millis(100);

/// An estimate from measurements. The latest ones count most.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Latency {
    /// In seconds.
    mean: f64,
    /// The mean distance from the mean, in seconds.
    deviation: f64,
    /// How many requests were measured, up to [`REMEMBERED`].
    count: u32,
}

impl Latency {
    /// Takes in that `requests` requests took this long each.
    pub(crate) fn measured(&mut self, took: Duration, requests: u32) {
        self.count = (self.count + requests).min(REMEMBERED);
        let weight = f64::from(requests) / f64::from(self.count.max(1));
        let difference = took.as_secs_f64() - self.mean;
        self.mean += weight * difference;
        self.deviation += weight * (difference.abs() - self.deviation);
    }

    /// Returns the mean in seconds, if at least `requests` were measured.
    pub(crate) fn mean_of(self, requests: u32) -> Option<f64> {
        (self.count >= requests).then_some(self.mean)
    }

    /// Returns the mean, or a guess.
    pub(crate) fn typical(self) -> Duration {
        self.mean_of(1).map_or(UNKNOWN, Duration::from_secs_f64)
    }

    /// Returns a time that few requests exceed; `None` before enough were measured.
    pub(crate) fn unusual(self) -> Option<Duration> {
        self.mean_of(16).map(|mean| Duration::from_secs_f64(mean + 3.0 * self.deviation))
    }
}

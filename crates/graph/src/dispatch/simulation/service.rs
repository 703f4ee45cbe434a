//! The service of the simulation: how many requests it runs at once, and how long they take.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// What the service does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// How many requests of the application may be at work at once; `None` is as many as the client sends.
    pub(super) limit: Option<usize>,
    /// Time on the network, for each HTTP request.
    pub(super) round_trip: Duration,
    /// The median and the 99th percentile of the time of a request at work.
    pub(super) median: Duration,
    pub(super) p99: Duration,
    /// The share of requests that are throttled once, whatever else is at work, batches as a whole among them.
    pub(super) throttled: f64,
    /// The share of requests that take ten times as long.
    pub(super) slow: f64,
    /// When everything is throttled for a while, and for how long.
    pub(super) outage_at: Duration,
    pub(super) outage: Duration,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            limit: None,
            round_trip: Duration::from_millis(10),
            median: Duration::from_millis(100),
            p99: Duration::from_millis(400),
            throttled: 0.0,
            slow: 0.0,
            outage_at: Duration::ZERO,
            outage: Duration::ZERO,
        }
    }
}

impl Service {
    /// The standard deviation of the logarithm of the time. The 99th percentile of the normal distribution is 2.326.
    fn sigma(&self) -> f64 {
        (self.p99.as_secs_f64() / self.median.as_secs_f64()).ln() / 2.326
    }

    /// The mean time of a request, in seconds, without slow ones.
    pub(super) fn mean(&self) -> f64 {
        self.median.as_secs_f64() * (self.sigma() * self.sigma() / 2.0).exp()
    }

    /// Draws the time of one request: a log-normal distribution, as latencies mostly have.
    pub(super) fn draw(&self, random: &mut fastrand::Rng) -> Duration {
        let (one, other) = (1.0 - random.f64(), random.f64());
        let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
        let slower = if random.f64() < self.slow { 10.0 } else { 1.0 };
        self.median.mul_f64((self.sigma() * normal).exp() * slower)
    }

    /// The shortest time in which `times` of requests fit, `at_once` of them at work: each begins as soon as another
    /// has ended. Throttled requests come again after a second.
    pub(super) fn optimum(&self, times: &[(Duration, bool)], at_once: usize) -> Duration {
        let at_once = self.limit.map_or(at_once, |limit| limit.min(at_once));
        let mut free: BinaryHeap<Reverse<Duration>> = (0..at_once).map(|_| Reverse(Duration::ZERO)).collect();
        let mut end = Duration::ZERO;
        let mut again = Vec::new();
        for (time, is_throttled) in times {
            let Reverse(start) = free.pop().unwrap_or_default();
            if *is_throttled {
                again.push((start + Duration::from_secs(1), *time));
                free.push(Reverse(start));
            } else {
                free.push(Reverse(start + *time));
                end = end.max(start + *time);
            }
        }
        for (due, time) in again {
            let Reverse(start) = free.pop().unwrap_or_default();
            let start = start.max(due);
            free.push(Reverse(start + time));
            end = end.max(start + time);
        }
        end + self.round_trip
    }
}

//! What is counted while the daemon works, and the text in which Prometheus reads it.
//!
//! Each room counts what it does itself, in a struct of its own (`worker::Meters`, `graph::Meters`, …), and knows
//! nothing of who reads it. A label is a type with a fixed number of values, so the number of series is fixed as well:
//! no mailbox, message or incident can become one. Counting is a few atomic additions, and happens whether anybody
//! reads it or not.

mod exposition;
mod label;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use exposition::{CONTENT_TYPE, Exposition, Family, Kind};
pub use label::{Each, Label};

/// What only becomes more.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Time that adds up.
#[derive(Debug, Default)]
pub struct Time {
    nanoseconds: AtomicU64,
}

impl Time {
    /// So much more.
    pub fn add(&self, more: Duration) {
        let more = u64::try_from(more.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(more, Ordering::Relaxed);
    }

    /// How much so far: half a millennium at most.
    pub fn get(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}

/// What becomes more and less.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// One more, until the value is dropped.
    pub fn hold(gauge: &std::sync::Arc<Self>) -> Held {
        gauge.0.fetch_add(1, Ordering::Relaxed);
        Held(std::sync::Arc::clone(gauge))
    }

    /// How many now.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of what a [`Gauge`] counts.
#[derive(Debug)]
pub struct Held(std::sync::Arc<Gauge>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long things take: how many took no longer than each of its bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [Duration],
    /// One for each bound, and one for what took longer than all.
    buckets: Box<[Counter]>,
    sum: Time,
}

impl Histogram {
    /// With these bounds, from the smallest on.
    pub fn new(bounds: &'static [Duration]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| Counter::default()).collect();
        Self { bounds, buckets, sum: Time::default() }
    }

    /// Counts what took this long.
    pub fn observe(&self, took: Duration) {
        self.buckets[self.bounds.partition_point(|bound| *bound < took)].increment();
        self.sum.add(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_exactly_as_long_as_a_bound_is_within_it() {
        const BOUNDS: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(2)];
        let histogram = Histogram::new(BOUNDS);
        for milliseconds in [0, 1000, 1001, 2000, 2001, 90_000] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let counts: Vec<_> = histogram.buckets.iter().map(Counter::get).collect();
        assert_eq!(counts, [2, 2, 2]);
        assert_eq!(histogram.sum.get(), Duration::from_millis(96_002));
    }

    #[test]
    fn a_gauge_counts_what_is_held() {
        let gauge = std::sync::Arc::new(Gauge::default());
        let held = [Gauge::hold(&gauge), Gauge::hold(&gauge)];
        assert_eq!(gauge.get(), 2);
        drop(held);
        assert_eq!(gauge.get(), 0);
    }
}

//! When requests of long work are sent: several at a time, so that they share a write.
//!
//! Answers come one by one, and each makes room for one request. A write for each took a seventh of a search's
//! processor time (`docs/performance.md`).

use std::time::Duration;

use tokio::time::Instant;

/// Places that become free are gathered for this part of the time that a request takes: they are empty for a
/// fiftieth of it in the mean.
const PART: u32 = 25;
/// Not longer, however slow Graph is: a small call's requests may be among those.
const LONGEST: Duration = Duration::from_millis(20);
/// Only while so many requests are at work; with fewer, hardly any more places become free meanwhile.
const AT_WORK: usize = 64;
/// Shorter work is not delayed.
const LONG: usize = 2_000;

/// Requests that were sent by themselves.
#[derive(Debug)]
pub(super) struct Gather {
    last: Instant,
    /// How many were sent since none waited.
    in_a_row: usize,
}

impl Gather {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now, in_a_row: 0 }
    }

    /// Returns when the next requests are sent, while so many are `at_work` and each takes `latency`; `None` is at once.
    pub(super) fn until(&self, at_work: usize, latency: Duration, now: Instant) -> Option<Instant> {
        let gathers = self.in_a_row >= LONG && at_work >= AT_WORK;
        Some(self.last + (latency / PART).min(LONGEST)).filter(|until| gathers && now < *until)
    }

    /// Records that one is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.last = now;
        self.in_a_row += 1;
    }

    /// Records that none waits.
    pub(super) fn emptied(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_long_work_are_sent_together() {
        let start = Instant::now();
        let latency = Duration::from_millis(250);
        let mut gather = Gather::new(start);
        for _ in 0..LONG {
            assert_eq!(gather.until(AT_WORK, latency, start), None, "at first each is sent at once");
            gather.sent(start);
        }
        let later = start + Duration::from_millis(10);
        assert_eq!(gather.until(AT_WORK, latency, start), Some(later));
        assert_eq!(gather.until(AT_WORK - 1, latency, start), None, "few are at work");
        assert_eq!(gather.until(AT_WORK, latency, later), None);
        assert_eq!(gather.until(AT_WORK, 100 * latency, start), Some(start + LONGEST));
        gather.emptied();
        assert_eq!(gather.until(AT_WORK, latency, start), None, "this is other work");
    }
}

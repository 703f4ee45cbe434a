//! When requests of long work are sent: several at a time, so that they share a write.
//!
//! Answers come one by one, and each makes room for one request. A write for each takes a seventh of a search's
//! processor time (`docs/performance.md`).

use std::time::Duration;

use tokio::time::Instant;

/// How long places that become free are gathered. A request takes far longer.
const GATHERED: Duration = Duration::from_millis(5);
/// Only while so many requests are at work; with fewer, hardly any more become free meanwhile.
const AT_WORK: usize = 64;
/// Work of fewer requests ends sooner without.
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

    /// Returns when the next requests are sent, while so many are `at_work`; `None` is at once.
    pub(super) fn until(&self, at_work: usize, now: Instant) -> Option<Instant> {
        let gathers = self.in_a_row >= LONG && at_work >= AT_WORK;
        Some(self.last + GATHERED).filter(|until| gathers && now < *until)
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
        let mut gather = Gather::new(start);
        for _ in 0..LONG {
            assert_eq!(gather.until(AT_WORK, start), None, "at first each is sent at once");
            gather.sent(start);
        }
        assert_eq!(gather.until(AT_WORK, start), Some(start + GATHERED));
        assert_eq!(gather.until(AT_WORK - 1, start), None, "few are at work");
        assert_eq!(gather.until(AT_WORK, start + GATHERED), None);
        gather.emptied();
        assert_eq!(gather.until(AT_WORK, start), None, "this is other work");
    }
}

//! A quota of requests within a running window of time, shared by all calls.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// The tenant's quota for the message trace is 100 requests in 5 minutes, and administrators share it (Graph page "List
/// messageTraces").
const TRACES: (usize, Duration) = (90, Duration::from_secs(300));

/// At most `most` requests begin within any span of `window`. Those that wait begin in the order in which they came.
#[derive(Debug)]
pub(crate) struct Quota {
    most: usize,
    window: Duration,
    /// When the last requests began.
    begun: Mutex<VecDeque<Instant>>,
}

impl Quota {
    /// The quota of the message trace.
    pub(crate) fn of_message_trace() -> Self {
        Self::new(TRACES.0, TRACES.1)
    }

    fn new(most: usize, window: Duration) -> Self {
        Self { most, window, begun: Mutex::default() }
    }

    /// Waits until a request may begin, and counts it. Dropping the future gives up the place in the queue.
    pub(crate) async fn enter(&self) {
        // Held while waiting, so that the others queue behind this one.
        let mut begun = self.begun.lock().await;
        if begun.len() >= self.most
            && let Some(oldest) = begun.front().copied()
        {
            sleep_until(oldest + self.window).await;
            begun.pop_front();
        }
        begun.push_back(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn window_never_holds_more_than_the_quota() {
        let quota = Quota::new(3, Duration::from_secs(10));
        let start = Instant::now();
        let mut at = Vec::new();
        for _ in 0..7 {
            quota.enter().await;
            at.push(start.elapsed().as_secs());
        }
        assert_eq!(at, [0, 0, 0, 10, 10, 10, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn request_that_gave_up_does_not_count() {
        let quota = Quota::new(1, Duration::from_secs(10));
        quota.enter().await;
        let gave_up = tokio::time::timeout(Duration::from_secs(5), quota.enter()).await;
        assert!(gave_up.is_err());
        let start = Instant::now();
        quota.enter().await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}

//! A second copy of a read that takes unusually long, at the end of a piece of work: the answer that comes first
//! counts. Only as long as nothing else waits, only in free places, and only a small share of all requests.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::dispatch::latency::Latency;

/// One second copy for so many requests.
const ONE_IN: u64 = 20;
/// A request that is younger is not sent again, however fast the others are.
const SOONEST: Duration = Duration::from_millis(300);

/// The bounds on second copies.
#[derive(Debug)]
pub(crate) struct Hedges {
    /// How many may be under way at once.
    most: usize,
    under_way: AtomicUsize,
    requests: AtomicU64,
    copies: AtomicU64,
    now: Mutex<Now>,
    changed: Notify,
}

/// What the scheduler last reported.
#[derive(Debug, Clone, Copy)]
struct Now {
    /// Places that nothing waits for.
    free: usize,
    /// From this age on a request takes unusually long.
    unusual: Option<Duration>,
}

/// The place of a second copy.
#[derive(Debug)]
pub(crate) struct SecondCopy<'a>(&'a Hedges);

impl Drop for SecondCopy<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

impl Hedges {
    /// Allows second copies next to at most `requests` requests at work: one for sixteen of them.
    pub(crate) fn new(requests: usize) -> Self {
        Self {
            most: requests.div_ceil(16),
            under_way: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            copies: AtomicU64::new(0),
            now: Mutex::new(Now { free: 0, unusual: None }),
            changed: Notify::new(),
        }
    }

    /// Takes in how many places are `free` and how long reads take.
    pub(crate) fn update(&self, free: usize, reads: Latency) {
        let mut now = self.now.lock();
        let were_free = std::mem::replace(&mut *now, Now { free, unusual: reads.unusual() }).free;
        drop(now);
        if free > 0 && were_free == 0 {
            self.changed.notify_waiters();
        }
    }

    /// Waits until a second copy of a read that was sent at `sent_at` may be sent.
    pub(crate) async fn copy_of(&self, sent_at: Instant) -> SecondCopy<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        loop {
            let changed = self.changed.notified();
            let Now { free, unusual } = *self.now.lock();
            match unusual.filter(|_| free > 0) {
                Some(unusual) => {
                    let due = sent_at + unusual.max(SOONEST);
                    if due > Instant::now() {
                        tokio::time::sleep_until(due).await;
                        continue;
                    }
                    if let Some(copy) = self.try_copy(free) {
                        return copy;
                    }
                    changed.await;
                }
                None => changed.await,
            }
        }
    }

    fn try_copy(&self, free: usize) -> Option<SecondCopy<'_>> {
        let allowed = self.requests.load(Ordering::Relaxed) / ONE_IN;
        if self.copies.load(Ordering::Relaxed) >= allowed {
            return None;
        }
        let most = self.most.min(free);
        let take = |under_way| (under_way < most).then_some(under_way + 1);
        self.under_way.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        self.copies.fetch_add(1, Ordering::Relaxed);
        Some(SecondCopy(self))
    }

    /// How many second copies are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }
}

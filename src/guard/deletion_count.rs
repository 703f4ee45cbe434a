//! How many messages were to be deleted in the last hour.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const HOUR: Duration = Duration::from_secs(3600);

/// The deletions of the last hour, by all calls of this process. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct DeletionCount(Arc<Mutex<VecDeque<(Instant, usize)>>>);

impl DeletionCount {
    /// Counts `count` deletions, if not more than `limit` were counted in the last hour then. With `only_check` nothing
    /// is counted.
    ///
    /// # Errors
    /// Returns how many are left.
    pub(super) fn take(&self, count: usize, limit: usize, only_check: bool) -> Result<(), usize> {
        self.take_at(Instant::now(), count, limit, only_check)
    }

    /// Whether more than `limit` were counted in the last hour.
    pub(super) fn exceed(&self, limit: usize) -> bool {
        self.take(0, limit, true).is_err()
    }

    fn take_at(&self, now: Instant, count: usize, limit: usize, only_check: bool) -> Result<(), usize> {
        let mut taken = self.0.lock();
        while taken.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= HOUR) {
            taken.pop_front();
        }
        let counted: usize = taken.iter().map(|(_, count)| count).sum();
        let left = limit.saturating_sub(counted);
        if count > left || counted > limit {
            return Err(left);
        }
        if !only_check && count > 0 {
            taken.push_back((now, count));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_covers_the_last_hour_only() {
        let (deletions, start) = (DeletionCount::default(), Instant::now());
        let minutes = |count: u64| start + Duration::from_secs(60 * count);
        assert_eq!(deletions.take_at(start, 3, 5, false), Ok(()));
        assert_eq!(deletions.take_at(minutes(30), 2, 5, true), Ok(()));
        assert_eq!(deletions.take_at(minutes(30), 2, 5, false), Ok(()));
        assert_eq!(deletions.take_at(minutes(59), 1, 5, false), Err(0));
        assert_eq!(deletions.take_at(minutes(60), 4, 5, false), Err(3));
        assert_eq!(deletions.take_at(minutes(60), 3, 5, false), Ok(()));
    }
}

//! A bound on the memory that deliveries take while their calls run or wait for a slot.
//!
//! A broker that respects the prefetch hands out no more messages than that, but each may be large. A broker that does
//! not respect it must not fill the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Deliveries in work hold at most this many bytes, unless a single one is larger.
const MAX_BYTES: usize = 512 << 20;

/// The bytes of all deliveries that are in work.
#[derive(Debug, Default)]
pub(super) struct MemoryBudget {
    used: Arc<AtomicUsize>,
}

/// A delivery's part of the budget; dropping it returns the bytes.
#[derive(Debug)]
pub(super) struct MemoryPermit {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

/// The budget does not allow another delivery at present.
#[derive(Debug, thiserror::Error)]
#[error(
    "The integration is at work on {} MiB of calls and takes no more before some of them end, so the function was not \
     run. Run it again later.", used >> 20
)]
pub(super) struct OutOfMemory {
    used: usize,
}

impl MemoryBudget {
    /// Reserves the bytes of a delivery.
    pub(super) fn reserve(&self, bytes: usize) -> Result<MemoryPermit, OutOfMemory> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed);
        let permit = MemoryPermit { used: Arc::clone(&self.used), bytes };
        if used > 0 && used + bytes > MAX_BYTES { Err(OutOfMemory { used }) } else { Ok(permit) }
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivery_beyond_budget_is_refused_until_another_ends() {
        let budget = MemoryBudget::default();
        let first = budget.reserve(MAX_BYTES - 10).unwrap();
        assert!(budget.reserve(11).is_err());
        let _second = budget.reserve(10).unwrap();
        drop(first);
        assert!(budget.reserve(11).is_ok());
    }

    #[test]
    fn delivery_larger_than_budget_is_accepted_alone() {
        let budget = MemoryBudget::default();
        let large = budget.reserve(MAX_BYTES + 1).unwrap();
        assert!(budget.reserve(1).is_err());
        drop(large);
        assert!(budget.reserve(1).is_ok());
    }
}

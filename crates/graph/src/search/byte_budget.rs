//! How much one search may hold in memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, ErrorKind};

/// A search, through any number of mailboxes, holds no more bytes of messages than this.
const MOST_FOUND: usize = 512 << 20;

/// How many bytes of messages one search may still take in, over all its mailboxes.
#[derive(Debug)]
pub(super) struct ByteBudget(AtomicUsize);

impl Default for ByteBudget {
    fn default() -> Self {
        Self(AtomicUsize::new(MOST_FOUND))
    }
}

impl ByteBudget {
    /// Takes `bytes` out of the budget.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Error> {
        let enough = |left: usize| left.checked_sub(bytes);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough);
        taken.map(drop).map_err(|_| ErrorKind::TooMuchFound(MOST_FOUND >> 20).into())
    }
}

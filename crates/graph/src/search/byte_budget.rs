//! How much one search may find.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, ErrorKind};

/// A search, through any number of mailboxes, holds no more bytes of messages, addresses and failures than this. A
/// reply holds less, so only a note or a file can show so many.
const MOST_FOUND: usize = 128 << 20;

/// How many bytes one search may still take in, over all its mailboxes.
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

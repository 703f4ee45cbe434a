//! How many requests one mailbox may have at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Outlook's limit for one application and one mailbox (Graph page "Microsoft Graph service-specific
/// throttling limits", Outlook service limits).
const AT_ONCE: usize = 4;

/// A gate before every mailbox that is in use.
#[derive(Debug, Default)]
pub(super) struct MailboxLimiter {
    gates: Mutex<HashMap<String, Weak<MailboxGate>>>,
}

/// The gate before one mailbox.
#[derive(Debug)]
pub(super) struct MailboxGate {
    /// Places in the mailbox: requests that are on their way.
    inside: Arc<Semaphore>,
    /// Requests that wait for a batch, or are in one. There are no more of them than places inside, so that a
    /// long deletion never has more than a few requests before a single one that comes to the same mailbox.
    batched: Arc<Semaphore>,
}

impl MailboxLimiter {
    /// The gate before `mailbox`.
    pub(super) fn gate(&self, mailbox: &str) -> Arc<MailboxGate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() == gates.capacity() {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let slot = gates.entry(mailbox.to_lowercase()).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let places = || Arc::new(Semaphore::new(AT_ONCE));
            let gate = Arc::new(MailboxGate { inside: places(), batched: places() });
            *slot = Arc::downgrade(&gate);
            gate
        })
    }
}

impl MailboxGate {
    /// Waits for a place in the mailbox; it is free again when what is returned is dropped.
    pub(super) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        // `None` would mean a closed gate, and nobody closes one.
        Arc::clone(&self.inside).acquire_owned().await.ok()
    }

    /// A place in the mailbox, if one is free now.
    pub(super) fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.inside).try_acquire_owned().ok()
    }

    /// Waits until it may wait for a batch.
    pub(super) async fn queue(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.batched).acquire_owned().await.ok()
    }
}

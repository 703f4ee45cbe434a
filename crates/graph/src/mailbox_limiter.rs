//! Limits how many requests one mailbox has at once.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Outlook's limit for one application and one mailbox (Graph page "Microsoft Graph service-specific throttling
/// limits", Outlook service limits).
const AT_ONCE: usize = 4;

/// The gates of all mailboxes that are in use.
#[derive(Debug, Default)]
pub(crate) struct MailboxLimiter {
    gates: Mutex<HashMap<String, Weak<MailboxGate>>>,
}

/// The gate of one mailbox. It exists as long as a request waits at it or holds one of its permits.
#[derive(Debug)]
pub(crate) struct MailboxGate {
    /// Places for requests that are under way in the mailbox.
    inside: Arc<Semaphore>,
    /// Places for requests that wait for a batch or are in one. There are only as many as places inside, so that a
    /// long deletion never has more than a few requests ahead of a single one for the same mailbox.
    batched: Arc<Semaphore>,
}

/// A place in a mailbox, which is free again when the permit is dropped.
#[derive(Debug)]
pub(crate) struct MailboxPermit {
    _place: OwnedSemaphorePermit,
    /// The limiter itself holds gates weakly. Without this, the gate would be gone before the request has ended, and
    /// the next request would pass a new one.
    _gate: Arc<MailboxGate>,
}

impl MailboxLimiter {
    /// Returns the gate of `mailbox`.
    pub(crate) fn gate(&self, mailbox: &str) -> Arc<MailboxGate> {
        let mut gates = self.gates.lock();
        if gates.len() == gates.capacity() {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let entry = gates.entry(mailbox.to_lowercase()).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let places = || Arc::new(Semaphore::new(AT_ONCE));
            let gate = Arc::new(MailboxGate { inside: places(), batched: places() });
            *entry = Arc::downgrade(&gate);
            gate
        })
    }
}

impl MailboxGate {
    /// Waits for a place in the mailbox. The semaphore is never closed, so this never returns `None`.
    pub(crate) async fn enter(self: &Arc<Self>) -> Option<MailboxPermit> {
        Arc::clone(&self.inside).acquire_owned().await.ok().map(|place| self.permit(place))
    }

    /// Takes a place in the mailbox, if one is free now.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<MailboxPermit> {
        Arc::clone(&self.inside).try_acquire_owned().ok().map(|place| self.permit(place))
    }

    /// Waits for a place among the requests that wait for a batch.
    pub(crate) async fn queue(self: &Arc<Self>) -> Option<MailboxPermit> {
        Arc::clone(&self.batched).acquire_owned().await.ok().map(|place| self.permit(place))
    }

    fn permit(self: &Arc<Self>, place: OwnedSemaphorePermit) -> MailboxPermit {
        MailboxPermit { _place: place, _gate: Arc::clone(self) }
    }
}

//! How many requests one mailbox may have at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Outlook's limit for one application and one mailbox (Graph page "Microsoft Graph service-specific
/// throttling limits", Outlook service limits).
const AT_ONCE: usize = 4;

/// A gate before every mailbox that is in use.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    gates: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Mailboxes {
    /// Waits for a place in `mailbox`; it is free again when what is returned is dropped.
    pub(super) async fn enter(&self, mailbox: &str) -> Option<OwnedSemaphorePermit> {
        // `None` would mean a closed gate, and nobody closes one.
        self.gate(mailbox).acquire_owned().await.ok()
    }

    fn gate(&self, mailbox: &str) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() == gates.capacity() {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let slot = gates.entry(mailbox.to_lowercase()).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let gate = Arc::new(Semaphore::new(AT_ONCE));
            *slot = Arc::downgrade(&gate);
            gate
        })
    }
}

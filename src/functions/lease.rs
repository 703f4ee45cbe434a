//! The lease of a call on its message.
//!
//! A call holds a lease on its message as long as the connection that delivered the message is up. When the connection
//! breaks, the broker redelivers the message, to this worker or to another one, which then runs the call as well. So
//! whatever must be done at most once starts only while the lease is held.

use std::future::pending;

use tokio::sync::watch;

/// The lease of a call on its message. Reading does not need it; changes do.
#[derive(Debug, Clone)]
pub struct Lease {
    state: watch::Receiver<LeaseState>,
}

/// The state of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseState {
    /// Whether the lease is held now.
    pub held: bool,
    /// The number of deliveries to this worker while the call runs. Between two of them another worker may have had it.
    pub deliveries: u32,
}

impl Lease {
    /// Returns a lease, and the sender that changes its state. The lease is held at first.
    pub fn new() -> (watch::Sender<LeaseState>, Self) {
        let (sender, state) = watch::channel(LeaseState { held: true, deliveries: 1 });
        (sender, Self { state })
    }

    /// A lease on a call that no other worker knows.
    pub fn undisputed() -> Self {
        Self::new().1
    }

    /// Whether another worker may have the message, or may have had it in the meantime.
    pub(super) fn is_in_doubt(&self) -> bool {
        let LeaseState { held, deliveries } = *self.state.borrow();
        !held || deliveries > 1
    }

    /// Whether the lease is held.
    pub(super) fn is_held(&self) -> bool {
        self.state.borrow().held
    }

    /// Waits until the lease is held. Returns the number of deliveries.
    pub(super) async fn held(&self) -> u32 {
        let mut state = self.state.clone();
        let held = state.wait_for(|state| state.held).await.map(|state| state.deliveries);
        match held {
            Ok(deliveries) => deliveries,
            // Without a sender the lease stays lost.
            Err(_) => pending().await,
        }
    }

    /// Waits until the lease of the delivery with this number is lost, even if a later delivery renewed it.
    pub(super) async fn lost(&self, deliveries: u32) {
        let mut state = self.state.clone();
        let lost = |state: &LeaseState| !state.held || state.deliveries != deliveries;
        if state.wait_for(lost).await.is_err() {
            // Without a sender the lease cannot be lost any more.
            pending::<()>().await;
        }
    }
}

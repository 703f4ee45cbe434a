//! Whether a call is still ours to run.
//!
//! The message that asks for a call is ours as long as the connection stands over which it came. When that breaks,
//! the broker hands the message out again: to us, or to another worker, which then runs the call as well. So what
//! must be done once is begun only while the message is ours.

use std::future::pending;

use tokio::sync::watch;

/// The claim of a run on its call's message. Reading does no harm without it; doing things may.
#[derive(Debug, Clone)]
pub struct Lease {
    hold: watch::Receiver<LeaseState>,
}

/// How a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseState {
    /// Whether the message is ours now.
    pub held: bool,
    /// How many times it was delivered to us while the call runs. Between two of them another may have had it.
    pub deliveries: u32,
}

impl Lease {
    /// A claim, and where to say how it stands. It is held until something else is said.
    pub fn new() -> (watch::Sender<LeaseState>, Self) {
        let (sender, hold) = watch::channel(LeaseState { held: true, deliveries: 1 });
        (sender, Self { hold })
    }

    /// A claim on a call that nobody else knows of.
    pub fn undisputed() -> Self {
        Self::new().1
    }

    /// Whether another worker may have the message, or may have had it meanwhile.
    pub(super) fn is_in_doubt(&self) -> bool {
        let LeaseState { held, deliveries } = *self.hold.borrow();
        !held || deliveries > 1
    }

    /// Whether the message is ours.
    pub(super) fn is_held(&self) -> bool {
        self.hold.borrow().held
    }

    /// Waits until the message is ours; the number of its deliveries.
    pub(super) async fn held(&self) -> u32 {
        let mut hold = self.hold.clone();
        let held = hold.wait_for(|hold| hold.held).await.map(|hold| hold.deliveries);
        match held {
            Ok(deliveries) => deliveries,
            // Nobody says any more how it stands, so it stays lost.
            Err(_) => pending().await,
        }
    }

    /// Waits until the message is ours no more since it was delivered for the `deliveries`th time, even if it is ours
    /// again.
    pub(super) async fn lost(&self, deliveries: u32) {
        let mut hold = self.hold.clone();
        let lost = |hold: &LeaseState| !hold.held || hold.deliveries != deliveries;
        if hold.wait_for(lost).await.is_err() {
            // Nor will it ever be.
            pending::<()>().await;
        }
    }
}

//! Keeps a running call's lease on its message up to date.
//!
//! A call holds its message while the connection stands over which the message was last delivered. When the connection
//! breaks, the call goes on, because the broker usually delivers the message again within a second; only what must be
//! done once waits ([`Lease`]). A message that does not come back has gone to another worker. Its call is abandoned as
//! soon as another call needs the slot, and after a minute in any case.

use std::future::pending;
use std::mem;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::consumer_handle::ConsumerHandle;
use super::ledger::Ledger;
use crate::functions::{Lease, LeaseState};
use stomp::{AckToken, Delivery, State};

/// How long after the next subscription a message usually takes to come back, if the broker has noticed that the old
/// connection is gone. A call whose message did not come back by then may lose its slot.
const USUALLY_BACK_WITHIN: Duration = Duration::from_secs(1);
/// How long a message may take to come back: the broker may need two of the heart-beats that it was promised, 50 s, to
/// notice that the old connection is gone.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// Watches connection and ledger, and says how the lease stands.
pub(super) struct LeaseKeeper<'w> {
    session: watch::Receiver<State>,
    /// Another session takes the calls of this one. Messages come back over that one, whether or not this one is
    /// connected.
    replaced: CancellationToken,
    acks: watch::Receiver<AckToken>,
    lease: watch::Sender<LeaseState>,
    ledger: &'w Ledger,
    /// How many calls wait for a slot.
    waiting: watch::Receiver<usize>,
    message_id: &'w str,
}

/// What happened to a lease.
enum Event {
    /// Something changed; look again.
    Changed,
    /// The message was delivered again.
    DeliveredAgain,
    /// The message did not come back.
    Missed,
    /// The session has ended, and with it all news of the message.
    SessionEnded,
}

impl<'w> LeaseKeeper<'w> {
    /// Starts keeping the lease of the call in `delivery`. Returns `None` if the ledger has forgotten the delivery.
    pub(super) fn begin(consumer: &'w ConsumerHandle, delivery: &'w Delivery) -> Option<(Self, Lease)> {
        let ledger = &consumer.shared.ledger;
        let acks = ledger.acks(&delivery.message_id)?;
        let (sender, lease) = Lease::new();
        // The message may have been delivered again while the call waited for a slot.
        let redelivered = *acks.borrow() != delivery.ack;
        sender.send_modify(|state| state.deliveries += u32::from(redelivered));
        let keeper = Self {
            session: consumer.session.state(),
            replaced: consumer.replaced.clone(),
            acks,
            lease: sender,
            ledger,
            waiting: consumer.shared.slots.waiting(),
            message_id: &delivery.message_id,
        };
        Some((keeper, lease))
    }

    /// Keeps the lease up to date; returns when the call is abandoned.
    pub(super) async fn until_abandoned(mut self) {
        loop {
            let ack = self.acks.borrow_and_update().clone();
            match self.next_event(&ack).await {
                Event::Changed => {}
                Event::DeliveredAgain => self.lease.send_modify(|state| state.deliveries += 1),
                Event::Missed => {
                    if self.ledger.abandon(self.message_id, &ack) {
                        return;
                    }
                }
                // The call goes on to its end. A message that was not answered is left to the next worker.
                Event::SessionEnded => return pending().await,
            }
        }
    }

    /// Says whether `ack`, the newest, is valid, and waits for a change.
    async fn next_event(&mut self, ack: &AckToken) -> Event {
        let mut valid = ack.valid().clone();
        let held = *valid.borrow_and_update() || net::failpoint::is_set(format_args!("keep-lost-leases"));
        self.lease.send_if_modified(|state| mem::replace(&mut state.held, held) != held);
        let replaced = self.replaced.is_cancelled();
        let comes_back = match *self.session.borrow_and_update() {
            // After the session has closed, the message comes back over another one.
            State::Subscribed { .. } | State::Closed => true,
            // So it does if the session was replaced: that one may never connect again.
            State::Connecting { .. } => replaced,
        };
        let missed = async {
            if held || !comes_back {
                return pending().await;
            }
            sleep(USUALLY_BACK_WITHIN).await;
            tokio::select! {
                _ = self.waiting.wait_for(|waiting| *waiting > 0) => {}
                () = sleep(BACK_WITHIN) => {}
            }
        };
        tokio::select! {
            changed = valid.changed(), if held => changed.map_or(Event::SessionEnded, |()| Event::Changed),
            Ok(()) = self.session.changed(), if !held && !replaced => Event::Changed,
            () = self.replaced.cancelled(), if !held && !replaced => Event::Changed,
            again = self.acks.changed() => again.map_or(Event::SessionEnded, |()| Event::DeliveredAgain),
            () = missed => Event::Missed,
        }
    }
}

//! Whose message it is, while its call runs: ours as long as the connection stands over which it was last delivered.
//!
//! Without it the call goes on, for the broker mostly delivers again in a moment; only what must be done once waits.
//! A message that does not come back has gone to another worker. Its call makes room as soon as another needs its
//! place, and is abandoned in any case in the end.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use crate::functions::{Lease, LeaseState};
use stomp::{AckToken, Session, State};

/// How long after we are subscribed again a message takes to come back, where the broker knows that the old connection
/// is gone. What was not delivered again by then makes room.
const BACK_SOON: Duration = Duration::from_secs(1);
/// How long it may take at most: the broker has the time of two heart-beats that we promised, 50 s, to notice.
const BACK_AT_LAST: Duration = Duration::from_secs(60);

/// Says how the claim on a running call stands.
pub(super) struct LeaseKeeper<'w> {
    session: watch::Receiver<State>,
    /// Another session takes the calls of this one; it need not be connected for a message to come back.
    replaced: CancellationToken,
    acks: watch::Receiver<AckToken>,
    hold: watch::Sender<LeaseState>,
    ledger: &'w Ledger,
    /// How many wait for a place.
    waiting: watch::Receiver<usize>,
    message_id: &'w str,
}

impl<'w> LeaseKeeper<'w> {
    /// That of the call whose delivery bore `ack`, and the claim for its function; `None` where it was forgotten.
    pub(super) fn begin(
        session: &Session,
        replaced: CancellationToken,
        ledger: &'w Ledger,
        waiting: watch::Receiver<usize>,
        message_id: &'w str,
        ack: &AckToken,
    ) -> Option<(Self, Lease)> {
        let acks = ledger.acks(message_id)?;
        let (hold, claim) = Lease::new();
        // It may have come again while it waited for a place.
        let redelivered = *acks.borrow() != *ack;
        hold.send_modify(|hold| hold.deliveries += u32::from(redelivered));
        Some((Self { session: session.state(), replaced, acks, hold, ledger, waiting, message_id }, claim))
    }

    /// Keeps the claim true until it is abandoned.
    pub(super) async fn until_abandoned(mut self) {
        loop {
            let ack = self.acks.borrow_and_update().clone();
            let mut valid = ack.valid().clone();
            let held = *valid.borrow_and_update();
            self.hold.send_if_modified(|hold| std::mem::replace(&mut hold.held, held) != held);
            let replaced = self.replaced.is_cancelled();
            let connected = match *self.session.borrow_and_update() {
                // Where the session has ended, the message comes over another.
                State::Subscribed { .. } | State::Closed => true,
                // So it does where the session is to end, which may find its way to the broker barred.
                State::Connecting { .. } => replaced,
            };
            let missed = async {
                if held || !connected {
                    return pending().await;
                }
                sleep(BACK_SOON).await;
                tokio::select! {
                    _ = self.waiting.wait_for(|waiting| *waiting > 0) => {}
                    () = sleep(BACK_AT_LAST) => {}
                }
            };
            let ended = tokio::select! {
                lost = valid.changed(), if held => lost.is_err(),
                Ok(()) = self.session.changed(), if !held && !replaced => false,
                () = self.replaced.cancelled(), if !held && !replaced => false,
                again = self.acks.changed() => {
                    self.hold.send_modify(|hold| hold.deliveries += 1);
                    again.is_err()
                }
                () = missed => {
                    if self.ledger.abandon(self.message_id, &ack) {
                        return;
                    }
                    false
                }
            };
            if ended {
                // So has the session: what was not answered is left to the next worker.
                return pending().await;
            }
        }
    }
}

//! Whose message it is, while its call runs: ours as long as the connection stands over which it was last delivered.
//!
//! Without it the call goes on, for the broker mostly delivers again in a moment; only what must be done once waits.
//! A message that does not come back has gone to another worker. Its call makes room as soon as another needs its
//! place, and is abandoned in any case in the end.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::ledger::Ledger;
use crate::functions::{Claim, Hold};
use crate::stomp::{AckToken, Session, State};

/// How long after we are subscribed again a message takes to come back, where the broker knows that the old connection
/// is gone. What was not delivered again by then makes room.
const BACK_SOON: Duration = Duration::from_secs(1);
/// How long it may take at most: the broker has the time of two heart-beats, 30 s, to notice.
const BACK_AT_LAST: Duration = Duration::from_secs(60);

/// Says how the claim on a running call stands.
pub(super) struct Tenure<'w> {
    session: watch::Receiver<State>,
    acks: watch::Receiver<AckToken>,
    hold: watch::Sender<Hold>,
    ledger: &'w Ledger,
    /// How many wait for a place.
    waiting: watch::Receiver<usize>,
    message_id: &'w str,
}

impl<'w> Tenure<'w> {
    /// That of the call whose delivery bore `ack`, and the claim for its function; `None` where it was forgotten.
    pub(super) fn begin(
        session: &Session,
        ledger: &'w Ledger,
        waiting: watch::Receiver<usize>,
        message_id: &'w str,
        ack: &AckToken,
    ) -> Option<(Self, Claim)> {
        let acks = ledger.acks(message_id)?;
        let (hold, claim) = Claim::new();
        let tenure = Self { session: session.state(), acks, hold, ledger, waiting, message_id };
        // It may have come again while it waited for a place.
        let redelivered = *tenure.acks.borrow() != *ack;
        tenure.note(u32::from(redelivered));
        Some((tenure, claim))
    }

    /// Keeps the claim true until it is abandoned.
    pub(super) async fn until_abandoned(mut self) {
        loop {
            let connected = self.note(0);
            let held = self.hold.borrow().held;
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
            tokio::select! {
                changed = self.session.changed() => if changed.is_err() {
                    // The session has ended: the message goes to the next worker, and this one is about to end.
                    self.hold.send_modify(|hold| hold.held = false);
                    return pending().await;
                },
                changed = self.acks.changed() => match changed {
                    Ok(()) => { self.note(1); }
                    Err(_) => return pending().await,
                },
                () = missed => {
                    let ack = self.acks.borrow().clone();
                    if self.ledger.abandon(self.message_id, &ack) {
                        return;
                    }
                }
            }
        }
    }

    /// Notes how things are, and so many more deliveries; tells whether there is a connection.
    fn note(&self, more: u32) -> bool {
        let connection = match *self.session.borrow() {
            State::Subscribed { connection } => Some(connection),
            State::Connecting { .. } | State::Closed => None,
        };
        let held = connection == Some(self.acks.borrow().connection());
        self.hold.send_if_modified(|hold| {
            let now = Hold { held, deliveries: hold.deliveries + more };
            let changed = *hold != now;
            *hold = now;
            changed
        });
        connection.is_some()
    }
}

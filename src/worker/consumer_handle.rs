//! What a call uses of the consumer that received it.

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::metrics::GaugeGuard;
use stomp::{AckToken, Delivery, NotConfirmed, Reply, Session};

/// The session a call came over, and how its consumer is doing.
#[derive(Debug, Clone)]
pub(super) struct ConsumerHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Session,
    pub(super) soar: soar::Client,
    /// Cancelled when another session takes the calls.
    pub(super) replaced: CancellationToken,
    /// Cancelled when no more calls begin over this session.
    pub(super) closing: CancellationToken,
    /// Calls of this session that have a slot.
    pub(super) running: Gauge,
}

/// Whether a reply was sent before. A reply that failed may be why, so that it must not fail others again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It was not: it may share a transaction.
    First,
    /// It was refused, or was lost with its connection: it goes alone.
    Later,
}

/// A slot that a call runs in, and its place in the counts of running calls.
pub(super) struct RunningCall {
    _slot: OwnedSemaphorePermit,
    _counted: [GaugeGuard; 2],
}

impl ConsumerHandle {
    pub(super) fn new(shared: &Arc<Shared>, session: Session, soar: soar::Client) -> Self {
        Self {
            shared: Arc::clone(shared),
            session,
            soar,
            replaced: CancellationToken::new(),
            closing: CancellationToken::new(),
            running: Gauge::default(),
        }
    }

    /// Waits for a slot to run the delivery in. Returns `None` if the call must not run here, because the session ends
    /// first and the message goes back to the queue.
    pub(super) async fn slot(&self, delivery: &Delivery) -> Option<RunningCall> {
        let slots = &self.shared.slots;
        let slot = tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            slot = slots.acquire() => Some(slot?),
        };
        let slot = match slot {
            Some(slot) => slot,
            None if self.shared.ledger.give_back(&delivery.message_id, self.session.number()) => return None,
            // The message has come again over another session, which relies on this call.
            None => slots.acquire().await?,
        };
        let counted = [GaugeGuard::new(&self.running), self.shared.metrics.running()];
        Some(RunningCall { _slot: slot, _counted: counted })
    }

    /// Sends a final reply and its ACK over the session that issued the ACK token.
    pub(super) async fn finish(
        &self,
        ack: &AckToken,
        reply: Option<Reply>,
        attempt: Attempt,
    ) -> Result<(), NotConfirmed> {
        let session = self.shared.sessions.lock().get(&ack.session()).cloned();
        let replying = reply.is_some();
        let outcome = match session {
            Some(session) => match attempt {
                Attempt::First => session.finish(ack, reply).await,
                Attempt::Later => session.finish_alone(ack, reply).await,
            },
            None => Err(NotConfirmed::Closed),
        };
        if replying {
            self.shared.metrics.replied((&outcome).into());
        }
        outcome
    }
}

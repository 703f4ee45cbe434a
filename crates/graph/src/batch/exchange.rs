//! One batch on its way: sends its requests, and distributes their outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::debug;
use uuid::Uuid;

use crate::batch::congestion::BatchSample;
use crate::batch::gates::gate_of;
use crate::batch::payload;
use crate::change::unless_withdrawn;
use crate::error::Error;
use crate::mailbox_limiter::{MailboxGate, MailboxPermit};
use crate::request::Request;
use crate::response::Response;
use crate::transport::{Transport, is_token_rejected};

pub(super) type Outcome = Result<Response, Error>;

/// One try of a request, and the batch that carried it, by the name that the batch has in the log.
pub(crate) struct BatchedTry {
    pub(crate) outcome: Outcome,
    /// `None` where no batch carried it.
    pub(crate) batch: Option<Uuid>,
    /// Whether the batch as a whole took too long, so that the parts may succeed in smaller ones.
    pub(crate) was_too_slow: bool,
}

impl BatchedTry {
    pub(super) fn unsent(error: Error) -> Self {
        Self { outcome: Err(error), batch: None, was_too_slow: false }
    }
}

/// A request that waits for a batch.
pub(super) struct Waiting {
    pub(super) lane: u64,
    pub(super) request: Request,
    pub(super) gate: Option<Arc<MailboxGate>>,
    pub(super) outcome: oneshot::Sender<BatchedTry>,
    /// Set once: by the driver, which sends the request, or by the caller, whose change was withdrawn.
    pub(super) claimed: Arc<AtomicBool>,
    /// The largest batch that may carry it.
    pub(super) largest_batch: usize,
    /// Whether it was never sent before.
    pub(super) first_try: bool,
    /// Whether it was already sent again with a new token.
    pub(super) signed_again: bool,
}

/// What a batch leaves to the driver when it has ended.
pub(super) struct BatchResult {
    /// The requests to send again with a new token.
    pub(super) again: Vec<Waiting>,
    pub(super) sample: BatchSample,
    /// The error of the requests that were throttled.
    pub(super) throttled: Option<Error>,
    /// How many parts the batch had.
    pub(super) parts: usize,
    /// Whether the batch as a whole took too long.
    pub(super) was_too_slow: bool,
}

impl BatchResult {
    pub(super) fn nothing() -> Self {
        let sample = BatchSample::of(Instant::now());
        Self { again: Vec::new(), sample, throttled: None, parts: 0, was_too_slow: false }
    }
}

/// A request and its place in its mailbox.
pub(super) type Placed = (Waiting, Option<MailboxPermit>);

/// Sends one batch and distributes the outcomes.
pub(super) async fn send(
    transport: Arc<Transport>,
    parts: Vec<Placed>,
    sent_at: Instant,
    batch: Uuid,
) -> BatchResult {
    let parts = begin(&transport, parts).await;
    if parts.is_empty() {
        return BatchResult::nothing();
    }
    let count = parts.len();
    let mut sample = BatchSample::of(sent_at);
    let mut throttled = None;
    let mut again = Vec::new();
    let mut was_too_slow = false;
    let (outcomes, token) = match parts.as_slice() {
        [(Waiting { request, largest_batch: 1, .. }, _)] => (vec![alone(&transport, request).await], None),
        _ => match payload::exchange(&transport, parts.iter().map(|(waiting, _)| &waiting.request)).await {
            Ok((outcomes, token)) => (outcomes, Some(token)),
            // Some of the changes were withdrawn before the batch was sent.
            Err(error) if error.withdrawal().is_some() => {
                for (waiting, _) in parts {
                    waiting.claimed.store(false, Ordering::Release);
                    again.push(waiting);
                }
                return BatchResult { again, ..BatchResult::nothing() };
            }
            Err(error) if is_about_the_envelope(&error) => {
                debug!(
                    parts = count,
                    error = error.for_log(),
                    "batch refused; its requests are sent one by one"
                );
                (one_by_one(&transport, &parts).await, None)
            }
            Err(error) => {
                debug!(parts = count, error = error.for_log(), "batch failed");
                sample.call_throttled = error.backoff_hint().is_some();
                was_too_slow = count > 1 && took_too_long(&error);
                ((0..count).map(|_| Err(error.clone())).collect(), None)
            }
        },
    };
    for ((mut waiting, permit), outcome) in parts.into_iter().zip(outcomes) {
        drop(permit);
        let failure = outcome.as_ref().err().map(Error::failure);
        sample.note(waiting.first_try, failure);
        if let Err(error) = &outcome
            && error.backoff_hint().is_some()
        {
            throttled = Some(error.clone());
        }
        if let Err(error) = &outcome
            && is_token_rejected(error)
            && !waiting.signed_again
            && let Some(token) = &token
        {
            transport.discard(token);
            waiting.signed_again = true;
            waiting.claimed.store(false, Ordering::Release);
            match waiting.request.begin() {
                Ok(()) => again.push(waiting),
                // Its caller does not watch for this any more.
                Err(withdrawn) => {
                    let _ = waiting.outcome.send(BatchedTry::unsent(withdrawn));
                }
            }
        } else {
            let _ = waiting.outcome.send(BatchedTry { outcome, batch: Some(batch), was_too_slow });
        }
    }
    let elapsed_ms = sent_at.elapsed().as_millis();
    debug!(
        parts = count,
        answers = sample.answers,
        throttled = sample.throttled,
        elapsed_ms,
        "batch answered"
    );
    BatchResult { again, sample, throttled, parts: count, was_too_slow }
}

/// Begins the requests, once there is a token. Changes that were withdrawn until then are not sent.
async fn begin(transport: &Transport, parts: Vec<Placed>) -> Vec<Placed> {
    if parts.iter().all(|(waiting, _)| waiting.request.gate.is_none()) {
        return parts;
    }
    let gate = gate_of(parts.iter().map(|(waiting, _)| &waiting.request));
    let no_token = match unless_withdrawn(gate.as_ref(), transport.token()).await {
        Ok(Err(error)) => Some(error),
        // Each part is asked itself.
        Ok(Ok(_)) | Err(_) => None,
    };
    let begun = parts.into_iter().filter_map(|(waiting, permit)| {
        let may_begin = match &no_token {
            Some(error) if waiting.request.gate.is_some() => Err(error.clone()),
            _ => waiting.request.begin(),
        };
        match may_begin {
            Ok(()) => Some((waiting, permit)),
            Err(error) => {
                let _ = waiting.outcome.send(BatchedTry::unsent(error));
                None
            }
        }
    });
    begun.collect()
}

/// Whether a batch failed because Graph, or a gateway on the way, waited too long for its parts.
fn took_too_long(error: &Error) -> bool {
    error.is_silence() || matches!(error.status(), Some(502 | 504))
}

/// Whether Graph refuses the batch as such. It does not say which part is at fault, and the others can be sent alone.
fn is_about_the_envelope(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| matches!(refusal.status, 400 | 404 | 405 | 413))
}

async fn one_by_one(transport: &Transport, parts: &[Placed]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(parts.len());
    for (Waiting { request, .. }, _) in parts {
        outcomes.push(alone(transport, request).await);
    }
    outcomes
}

/// Sends a request by itself. A large answer gives up its turn: its caller takes the memory from the call's share.
async fn alone(transport: &Transport, request: &Request) -> Outcome {
    transport.exchange(request).await.map(|(response, _)| Response { memory: None, ..response })
}

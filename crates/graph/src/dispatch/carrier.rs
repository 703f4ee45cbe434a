//! Requests on their way: sends one by itself, or several in a batch, and distributes the outcomes.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::debug;
use uuid::Uuid;

use crate::batch::gates::gate_of;
use crate::batch::payload;
use crate::change::unless_withdrawn;
use crate::dispatch::admission::Ticket;
use crate::dispatch::hedge::Hedges;
use crate::dispatch::lane::{Outcome, Tried, Waiting};
use crate::dispatch::sample::Sample;
use crate::error::Error;
use crate::mailbox_limiter::MailboxPermit;
use crate::request::Request;
use crate::response::Response;
use crate::transport::{Transport, is_token_rejected};

/// What an HTTP request leaves to the driver when it has ended.
pub(super) struct Carried {
    pub(super) ticket: Ticket,
    /// The requests to send again with a new token.
    pub(super) again: Vec<Waiting>,
    pub(super) sample: Sample,
    /// The error of the requests that were throttled.
    pub(super) throttled: Option<Error>,
    /// How many parts a batch had.
    pub(super) parts: usize,
    /// Whether a batch as a whole took too long.
    pub(super) was_too_slow: bool,
}

impl Carried {
    pub(super) fn nothing(ticket: Ticket) -> Self {
        let sample = Sample::of(ticket.sent_at);
        Self { ticket, again: Vec::new(), sample, throttled: None, parts: 0, was_too_slow: false }
    }
}

/// A request and its place in its mailbox.
pub(super) type Placed = (Waiting, Option<MailboxPermit>);

/// Sends one request by itself. A read that takes unusually long may be sent a second time.
pub(super) async fn alone(
    transport: Arc<Transport>,
    hedges: Arc<Hedges>,
    (waiting, permit): Placed,
    ticket: Ticket,
) -> Carried {
    let Waiting { request, gate, first_try, outcome: caller, .. } = waiting;
    let outcome = if request.is_harmless_read() {
        let copy = async {
            let copy = hedges.copy_of(ticket.sent_at).await;
            let permit = match &gate {
                Some(gate) => Some(gate.try_enter()?),
                None => None,
            };
            // Few requests have a second copy, so the others do without its memory.
            let outcome = Box::pin(exchange(&transport, &request)).await;
            drop((permit, copy));
            Some(outcome)
        };
        first_answer(pin!(exchange(&transport, &request)), copy).await
    } else {
        exchange(&transport, &request).await
    };
    drop(permit);
    let mut sample = Sample::of(ticket.sent_at);
    sample.note(first_try, outcome.as_ref().err().map(Error::failure));
    let throttled = outcome.as_ref().err().filter(|error| error.backoff_hint().is_some()).cloned();
    let _ = caller.send(Tried::alone(outcome));
    Carried { sample, throttled, ..Carried::nothing(ticket) }
}

/// Returns the outcome of `first`, or that of its `copy` where that is an answer and comes first.
async fn first_answer(
    mut first: Pin<&mut impl Future<Output = Outcome>>,
    copy: impl Future<Output = Option<Outcome>>,
) -> Outcome {
    tokio::select! {
        biased;
        outcome = &mut first => outcome,
        copied = copy => match copied {
            Some(Ok(response)) => Ok(response),
            Some(Err(_)) | None => first.await,
        },
    }
}

/// Sends one batch and distributes the outcomes.
pub(super) async fn together(
    transport: Arc<Transport>,
    parts: Vec<Placed>,
    ticket: Ticket,
    batch: Uuid,
) -> Carried {
    let parts = begin(&transport, parts).await;
    if parts.is_empty() {
        return Carried::nothing(ticket);
    }
    let count = parts.len();
    let mut sample = Sample::of(ticket.sent_at);
    let mut throttled = None;
    let mut again = Vec::new();
    let mut was_too_slow = false;
    let (outcomes, token) = match parts.as_slice() {
        [(Waiting { request, largest_batch: 1, .. }, _)] => (vec![exchange(&transport, request).await], None),
        _ => match payload::exchange(&transport, parts.iter().map(|(waiting, _)| &waiting.request)).await {
            Ok((outcomes, token)) => (outcomes, Some(token)),
            // Some of the changes were withdrawn before the batch was sent.
            Err(error) if error.withdrawal().is_some() => {
                for (waiting, _) in parts {
                    waiting.claimed.store(false, Ordering::Release);
                    again.push(waiting);
                }
                return Carried { again, ..Carried::nothing(ticket) };
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
                    let _ = waiting.outcome.send(Tried::unsent(withdrawn));
                }
            }
        } else {
            let _ = waiting.outcome.send(Tried { outcome, batch: Some(batch), was_too_slow });
        }
    }
    let elapsed_ms = ticket.sent_at.elapsed().as_millis();
    debug!(
        parts = count,
        answers = sample.answers,
        throttled = sample.throttled,
        elapsed_ms,
        "batch answered"
    );
    Carried { ticket, again, sample, throttled, parts: count, was_too_slow }
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
                let _ = waiting.outcome.send(Tried::unsent(error));
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
        outcomes.push(exchange(transport, request).await);
    }
    outcomes
}

/// Sends a request by itself. A large answer gives up its turn: its caller takes the memory from the call's share.
async fn exchange(transport: &Transport, request: &Request) -> Outcome {
    transport.exchange(request).await.map(|(response, _)| Response { memory: None, ..response })
}

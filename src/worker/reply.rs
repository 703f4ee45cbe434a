//! Sends the final reply of a call, together with the ACK of its message, until the broker confirms both.
//!
//! Three things can prevent that: the connection breaks; the broker has no room at present; the reply is one that the
//! broker never takes, because of its size or its destination.

use std::mem;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::consumer_handle::{Attempt, ConsumerHandle};
use super::ledger::StoredReply;
use net::{Backoff, Jitter};
use soar::reply;
use stomp::{AckToken, NotConfirmed, Reply};

/// A reply of at least [`LARGE`] bytes that was lost with its connection this many times is replaced by an error.
const MAX_LOSSES: u32 = 3;

/// A reply of at least this many bytes may itself be why the broker closes the connection: brokers do that with a frame
/// over their limit (ActiveMQ's `maxFrameSize`), each time it is sent.
const LARGE: usize = 1 << 20;

/// After this many refusals the broker is offered less than the reply.
const MANY_REFUSALS: u32 = 3;

/// A reply of fewer bytes is not refused because of its size.
const SMALL: usize = 4096;

/// The waits before a reply that the broker refused is sent again.
const REFUSED: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), Jitter::Longer(0.1));

/// Sends the stored reply of a finished call, together with its ACK, until the broker confirms both or the connection
/// is lost. In the latter case the broker delivers the message again, and [`send_again`] goes on.
pub(super) async fn send(consumer: &ConsumerHandle, message_id: &str) {
    attempt(consumer, message_id, Attempt::First).await;
}

async fn attempt(consumer: &ConsumerHandle, message_id: &str, mut attempt: Attempt) {
    let ledger = &consumer.shared.ledger;
    let (mut refusals, mut replaced) = (0, false);
    while let Some((ack, reply)) = ledger.to_send(message_id) {
        let mut sent = consumer.finish(&ack, reply.clone(), attempt).await;
        if matches!(sent, Err(NotConfirmed::RefusedByBroker(_) | NotConfirmed::ConnectionLost)) {
            attempt = Attempt::Later;
        }
        if let Err(NotConfirmed::RefusedByBroker(reason)) = &sent {
            refusals += 1;
            let reason = reason.clone();
            if refusals >= MANY_REFUSALS {
                sent = send_less(consumer, message_id, &ack, reply.clone(), &reason).await;
            }
        }
        match sent {
            Ok(()) => ledger.confirmed(message_id),
            // The broker's store may be full or unavailable. The results must not be lost for that.
            Err(NotConfirmed::RefusedByBroker(reason)) => {
                warn!(message_id, reason, refusals, "the broker refused the reply; it is sent again");
                sleep(REFUSED.delay(refusals - 1)).await;
            }
            // The reply can never be a STOMP frame. Its message must neither wait nor come back indefinitely.
            Err(NotConfirmed::Refused(reason)) => {
                let replacement = if mem::replace(&mut replaced, true) {
                    error!(message_id, reason, "no reply can be sent; the message is only acknowledged");
                    None
                } else {
                    warn!(message_id, reason, "this reply cannot be sent; an error is sent instead");
                    undeliverable(reply, &reason)
                };
                ledger.finished(message_id, replacement);
            }
            Err(error) => {
                let lost = error == NotConfirmed::ConnectionLost;
                if !ledger.not_confirmed(message_id, &ack, lost) {
                    warn!(message_id, %error, "reply not confirmed; it is sent again when the message is delivered again");
                    return;
                }
            }
        }
    }
}

/// Sends the stored reply of a message that was delivered again, unless the reply seems to be what breaks the
/// connections.
pub(super) async fn send_again(consumer: &ConsumerHandle, message_id: &str, losses: u32) {
    let ledger = &consumer.shared.ledger;
    if losses >= MAX_LOSSES
        && let Some((_, Some(reply))) = ledger.to_send(message_id)
        && reply.body.len() >= LARGE
    {
        let bytes = reply.body.len();
        warn!(
            message_id,
            losses, bytes, "the connection broke each time this reply was sent; an error is sent instead"
        );
        let replacement = undeliverable(Some(reply), "the connection to the broker broke each time");
        ledger.finished(message_id, replacement);
    }
    attempt(consumer, message_id, if losses == 0 { Attempt::First } else { Attempt::Later }).await;
}

/// Acknowledges a message whose reply was confirmed before.
pub(super) async fn acknowledge(consumer: &ConsumerHandle, ack: &AckToken) {
    if let Err(error) = consumer.finish(ack, None, Attempt::First).await {
        debug!(%error, "acknowledgement not confirmed");
    }
}

/// Sends less than `reply`, which the broker refused several times: an error, if the reply may be too large, or only
/// the ACK, if nothing can be sent to its destination.
async fn send_less(
    consumer: &ConsumerHandle,
    message_id: &str,
    ack: &AckToken,
    reply: StoredReply,
    reason: &str,
) -> Result<(), NotConfirmed> {
    if concerns_destination(reason) {
        error!(message_id, reason, "no reply can be sent there; the message is only acknowledged");
        return consumer.finish(ack, None, Attempt::Later).await;
    }
    if reply.as_ref().is_none_or(|reply| reply.body.len() < SMALL) {
        return Err(NotConfirmed::RefusedByBroker(reason.to_owned()));
    }
    let replacement = undeliverable(reply, &format!("the broker refused it ({reason})"));
    let sent = consumer.finish(ack, replacement, Attempt::Later).await;
    if sent.is_ok() {
        warn!(message_id, reason, "the broker took an error in place of the reply");
    }
    sent
}

/// Whether the broker refuses everything that is sent to the destination: it is not a queue, or this account may not
/// write to it.
fn concerns_destination(reason: &str) -> bool {
    const PHRASES: [&str; 6] = [
        "not authorized",
        "invalid destination",
        "unrecognized destination",
        "does not exist",
        // A temporary queue that was deleted with its owner's connection is named by its kind and id only.
        "temp-queue:",
        "temp-topic:",
    ];
    let reason = reason.to_lowercase();
    PHRASES.iter().any(|phrase| reason.contains(phrase))
}

/// The error that SOAR gets in place of a reply that cannot be delivered.
fn undeliverable(reply: StoredReply, why: &str) -> StoredReply {
    let reply = reply?;
    let text = format!(
        "The function ended, but its reply of {} bytes could not be sent: {why}. What the function did stays done.",
        reply.body.len()
    );
    Some(Reply { body: reply::failed(&text).into(), ..reply })
}

/// The error that SOAR gets in place of results that are larger than `max_reply_mb`.
pub(super) fn too_large(max_bytes: usize) -> Bytes {
    let max_mib = max_bytes >> 20;
    error!(max_reply_mb = max_mib, "the results are larger than a reply may be; an error is sent instead");
    reply::failed(&format!(
        "The function ended, but its results are larger than a reply may be ({max_mib} MiB, max_reply_mb). What \
         the function did stays done. Ask for less: a query with more criteria, or a lower max_messages."
    ))
}

//! How the reply of a finished call gets to the broker, together with the ACK of its message, whatever stands against
//! it: a connection that breaks, a broker that has no room at present, a reply that is too large for it.

use std::time::Duration;

use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::consumer::Consumer;
use super::ledger::StoredReply;
use soar::reply;
use stomp::{AckToken, NotConfirmed, Reply};

/// A reply that was lost with its connection this many times is not tried again if it is [`LARGE`].
const MOST_LOSSES: u32 = 3;

/// Bytes of a reply from which on it may itself be why the broker closes the connection: brokers do so with a
/// frame over their limit (ActiveMQ's `maxFrameSize`), and would do it each time.
const LARGE: usize = 1 << 20;

/// After so many refusals it is no passing whim of the broker's, and it is tried whether it takes less.
const MANY_REFUSALS: u32 = 3;

/// No reply is refused for its size that is smaller, in bytes.
const SMALL: usize = 4096;

/// The longest wait before a reply that the broker refused is sent again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Consumer {
    /// Sends the stored reply of a finished delivery, together with its ACK, until the broker confirms both or
    /// the connection is lost. In the latter case the broker delivers the message again, and that brings us
    /// back here.
    pub(super) async fn reply(&self, message_id: &str) {
        let (mut refusals, mut impossible) = (0, false);
        while let Some((ack, reply)) = self.shared.ledger.to_send(message_id) {
            let mut sent = self.finish(&ack, reply.clone()).await;
            if let Err(NotConfirmed::RefusedByBroker(reason)) = &sent {
                refusals += 1;
                warn!(message_id, reason, refusals, "the broker refused the reply");
                let reason = reason.clone();
                if refusals >= MANY_REFUSALS {
                    sent = self.finish_with_less(message_id, &ack, reply.clone(), &reason).await;
                }
            }
            match sent {
                Ok(()) => self.shared.ledger.confirmed(message_id),
                // The store is full, perhaps, or what keeps it is away. What the call found must not be lost for that.
                Err(NotConfirmed::RefusedByBroker(_)) => sleep(wait(refusals)).await,
                // It cannot be a STOMP frame, nor ever will. The message must neither wait for ever nor come back for
                // ever.
                Err(NotConfirmed::Refused(reason)) => {
                    let instead = if std::mem::replace(&mut impossible, true) {
                        error!(message_id, reason, "no reply can be sent; the message is only acknowledged");
                        None
                    } else {
                        warn!(
                            message_id,
                            reason, "this reply cannot be sent; answering with an error instead"
                        );
                        cannot_be_sent(reply, &reason)
                    };
                    self.shared.ledger.finished(message_id, instead);
                }
                Err(error) => {
                    let lost = error == NotConfirmed::ConnectionLost;
                    if !self.shared.ledger.not_confirmed(message_id, &ack, lost) {
                        warn!(message_id, %error, "reply not confirmed; it is sent again when the message is delivered again");
                        return;
                    }
                }
            }
        }
    }

    /// Sends less than `reply`, which the broker refused several times: an error, where it may be for its size, or only
    /// the ACK, where nothing may be sent there.
    async fn finish_with_less(
        &self,
        message_id: &str,
        ack: &AckToken,
        reply: StoredReply,
        reason: &str,
    ) -> Result<(), NotConfirmed> {
        if is_about_the_place(reason) {
            error!(message_id, reason, "no reply can be sent there; the message is only acknowledged");
            return self.finish(ack, None).await;
        }
        if reply.as_ref().is_none_or(|reply| reply.body.len() < SMALL) {
            return Err(NotConfirmed::RefusedByBroker(reason.to_owned()));
        }
        let instead = cannot_be_sent(reply, &format!("the broker refused it ({reason})"));
        let sent = self.finish(ack, instead).await;
        if sent.is_ok() {
            warn!(message_id, reason, "the broker took an error in place of the reply");
        }
        sent
    }

    /// Sends the stored reply of a message that was delivered again, unless the reply seems to be what ends the
    /// connections.
    pub(super) async fn reply_again(&self, message_id: &str, losses: u32) {
        if losses >= MOST_LOSSES
            && let Some((_, Some(reply))) = self.shared.ledger.to_send(message_id)
            && reply.body.len() >= LARGE
        {
            let bytes = reply.body.len();
            warn!(
                message_id,
                losses,
                bytes,
                "the connection broke each time this reply was sent; answering with an error instead"
            );
            let instead = cannot_be_sent(Some(reply), "the connection to the broker broke each time");
            self.shared.ledger.finished(message_id, instead);
        }
        self.reply(message_id).await;
    }

    pub(super) async fn acknowledge(&self, ack: &AckToken) {
        if let Err(error) = self.finish(ack, None).await {
            debug!(%error, "acknowledgement not confirmed");
        }
    }
}

/// How long to wait after so many refusals.
fn wait(refusals: u32) -> Duration {
    Duration::from_secs(1 << (refusals.saturating_sub(1)).min(5)).min(LONGEST_WAIT)
}

/// Whether the broker will refuse whatever is sent there: it is no queue, or not ours to write to.
fn is_about_the_place(reason: &str) -> bool {
    // A queue that went with its owner is named with nothing else but its kind.
    const WORDS: [&str; 6] = [
        "not authorized",
        "invalid destination",
        "unrecognized destination",
        "does not exist",
        "temp-queue:",
        "temp-topic:",
    ];
    let reason = reason.to_lowercase();
    WORDS.iter().any(|words| reason.contains(words))
}

/// What SOAR gets in place of a reply it cannot get.
fn cannot_be_sent(reply: StoredReply, why: &str) -> StoredReply {
    let reply = reply?;
    let text = format!(
        "The function ended, but its reply of {} bytes could not be sent: {why}. What the function did stays done.",
        reply.body.len()
    );
    Some(Reply { body: reply::failed(&text), ..reply })
}

//! Messages, subscriptions, deliveries and acknowledgements.

use bytes::Bytes;

use stomp::{Frame, Headers, ServerCommand};

/// An order to a connection's writer.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Write this.
    Frame(Frame<ServerCommand>),
    /// Write the remaining frames, then close the connection.
    Close,
}

/// A message in a queue.
#[derive(Debug)]
pub(super) struct Message {
    /// The message's id, which never changes.
    pub(super) id: String,
    /// Its headers, without those that belong to a delivery.
    pub(super) headers: Headers,
    pub(super) body: Bytes,
    /// Whether it survives a restart of the broker.
    pub(super) persistent: bool,
    /// Whether it was delivered to a consumer that disconnected without acknowledging it.
    pub(super) redelivered: bool,
}

/// How a subscription acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckMode {
    /// When it is sent.
    Auto,
    /// Each acknowledgement covers all earlier messages.
    Client,
    /// Each message separately.
    ClientIndividual,
}

/// The contents of a SUBSCRIBE.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) queue: String,
    pub(super) mode: AckMode,
    /// The maximum number of messages delivered and not acknowledged.
    pub(super) prefetch: usize,
    /// Whether messages are delivered. A selector can be one that is never true.
    pub(super) selects: bool,
}

/// A consumer's acknowledgement of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settlement {
    /// ACK: the message is done.
    Accepted,
    /// NACK: the message becomes a dead letter.
    Refused,
}

impl Message {
    /// The MESSAGE frame that delivers it under `subscription`, to be acknowledged by `ack`.
    pub(super) fn delivery(&self, subscription: &Subscription, ack: Option<&str>) -> Frame<ServerCommand> {
        let mut frame = Frame::new(ServerCommand::Message)
            .with_header("destination", format!("/queue/{}", subscription.queue))
            .with_header("subscription", subscription.id.as_str())
            .with_header("message-id", self.id.as_str());
        if let Some(ack) = ack {
            frame = frame.with_header("ack", ack);
        }
        if self.redelivered {
            frame = frame.with_header("redelivered", "true");
        }
        for (name, value) in self.headers.iter() {
            frame.headers.push(name, value);
        }
        frame.with_body(self.body.clone())
    }
}

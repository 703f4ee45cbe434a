//! Messages, and how they are subscribed to, handed out and settled.

use bytes::Bytes;

use stomp::{Frame, Headers, ServerCommand};

/// What goes to a connection's writer.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Write this.
    Frame(Frame<ServerCommand>),
    /// Write what is left, then close the connection.
    Close,
}

/// A message in a queue.
#[derive(Debug)]
pub(super) struct Message {
    /// The same for as long as the message lives.
    pub(super) id: String,
    /// Its headers but for those which belong to a delivery.
    pub(super) headers: Headers,
    pub(super) body: Bytes,
    /// Whether it outlives the broker.
    pub(super) persistent: bool,
    /// Whether it was handed to a consumer that went away without acknowledging it.
    pub(super) redelivered: bool,
}

/// How a subscription acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckMode {
    /// With being sent.
    Auto,
    /// Each, and with it all before it.
    Client,
    /// Each for itself.
    ClientIndividual,
}

/// What a SUBSCRIBE asks for.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) queue: String,
    pub(super) mode: AckMode,
    /// Most messages handed out and not acknowledged.
    pub(super) prefetch: usize,
    /// Whether messages are selected; a selector may be one that is never true.
    pub(super) selects: bool,
}

/// What a consumer says about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settlement {
    /// ACK: done with.
    Accepted,
    /// NACK: a dead letter.
    Refused,
}

impl Message {
    /// The MESSAGE frame that hands it out under `subscription`, to be acknowledged by `ack`.
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

//! The frames a session sends.

use stomp_rs::protocol::frame::{Abort, Ack, AckMode, Begin, Commit, Connect, Send, Subscribe, Unsubscribe};

use super::session::{Reply, SessionOptions};
use super::{ClientCommand, Frame};

type ClientFrame = Frame<ClientCommand>;

fn frame(built: impl Into<stomp_rs::protocol::Frame<ClientCommand>>) -> ClientFrame {
    built.into().into()
}

fn milliseconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// The login, with the heart-beats we offer and ask for.
pub(super) fn connect(options: &SessionOptions) -> ClientFrame {
    frame(
        Connect::new("1.2", &options.host)
            .heartbeat(milliseconds(options.heart_beat.send), milliseconds(options.heart_beat.expect))
            .header("login", &options.login)
            .header("passcode", options.passcode.expose()),
    )
}

/// A subscription whose messages are acknowledged one by one, at most `prefetch` of them outstanding.
pub(super) fn subscribe(destination: &str, prefetch: u16, receipt: u64) -> ClientFrame {
    frame(
        Subscribe::new(destination, destination)
            .ack(AckMode::ClientIndividual)
            .header("activemq.prefetchSize", prefetch.to_string())
            .receipt(receipt.to_string()),
    )
}

/// A subscription that is one in every respect, but that no message is for: a selector that is never true keeps
/// them all from it (ActiveMQ's STOMP page: a prefetch of 0 is not supported).
pub(super) fn subscribe_to_nothing(destination: &str, receipt: u64) -> ClientFrame {
    subscribe(destination, 1, receipt).with_header("selector", "1=0")
}

pub(super) fn unsubscribe(destination: &str, receipt: u64) -> ClientFrame {
    frame(Unsubscribe::new(destination)).with_receipt(receipt)
}

pub(super) fn begin(transaction: u64) -> ClientFrame {
    frame(Begin::new(transaction.to_string()))
}

pub(super) fn commit(transaction: u64) -> ClientFrame {
    frame(Commit::new(transaction.to_string()))
}

pub(super) fn abort(transaction: u64) -> ClientFrame {
    frame(Abort::new(transaction.to_string()))
}

pub(super) fn ack(id: &str) -> ClientFrame {
    frame(Ack::new(id))
}

pub(super) fn disconnect() -> ClientFrame {
    // That of stomp-rs wants a transaction, which STOMP 1.2 does not have there.
    Frame::new(ClientCommand::Disconnect)
}

/// `reply` as a message that dies with the broker if that did not hand it on yet.
pub(super) fn send(reply: Reply) -> ClientFrame {
    let mut send = Send::new(reply.destination);
    if let Some(id) = reply.correlation_id {
        send = send.header("correlation-id", id);
    }
    frame(send).with_body(reply.body)
}

impl ClientFrame {
    /// Makes a message one that the broker stores, so that it outlives the broker's process.
    pub(super) fn persistent(self) -> Self {
        self.with_header("persistent", "true")
    }

    /// Asks for a RECEIPT with this number.
    pub(super) fn with_receipt(self, receipt: u64) -> Self {
        self.with_header("receipt", receipt.to_string())
    }

    /// Makes the frame part of `transaction`, if there is one.
    pub(super) fn within(self, transaction: Option<u64>) -> Self {
        match transaction {
            Some(transaction) => self.with_header("transaction", transaction.to_string()),
            None => self,
        }
    }
}

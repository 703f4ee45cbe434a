//! The frames that a session sends, made by the builders of `stomp-rs`.

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

/// CONNECT with the login, and the heart-beats that the session offers and asks for.
pub(super) fn connect(options: &SessionOptions) -> ClientFrame {
    frame(
        Connect::new("1.2", &options.host)
            .heartbeat(milliseconds(options.heart_beat.send), milliseconds(options.heart_beat.expect))
            .header("login", &options.login)
            .header("passcode", options.passcode.expose()),
    )
}

/// A subscription whose messages are acknowledged one by one, with at most `prefetch` of them outstanding.
pub(super) fn subscribe(destination: &str, prefetch: u16, receipt: u64) -> ClientFrame {
    frame(
        Subscribe::new(destination, destination)
            .ack(AckMode::ClientIndividual)
            .header("activemq.prefetchSize", prefetch.to_string())
            .receipt(receipt.to_string()),
    )
}

/// A subscription that receives no message, since its selector is never true. A prefetch of 0 would say the same, but
/// ActiveMQ does not support it for STOMP (ActiveMQ page "Stomp").
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
    // The builder of stomp-rs requires a transaction, which DISCONNECT does not have in STOMP 1.2.
    Frame::new(ClientCommand::Disconnect)
}

/// A SEND of `reply`. The broker does not store it: a message that is not delivered yet is lost with the broker's
/// process.
pub(super) fn send(reply: Reply) -> ClientFrame {
    let mut send = Send::new(reply.destination);
    if let Some(id) = reply.correlation_id {
        send = send.header("correlation-id", id);
    }
    frame(send).with_pieces(&reply.body)
}

impl ClientFrame {
    /// Asks the broker to store the message, so that it survives a restart of the broker.
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

//! The broker's ERROR frames.

use stomp::{Frame, ServerCommand};

/// The contents of an ERROR frame. ActiveMQ keeps the connection open after most of them.
#[derive(Debug)]
pub(super) struct Refusal {
    message: String,
    /// The Java exception whose trace ActiveMQ puts into the body, if any.
    exception: Option<&'static str>,
    closes: bool,
}

impl Refusal {
    /// The client has violated the protocol; the connection stays open.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exception: Some("org.apache.activemq.transport.stomp.ProtocolException"),
            closes: false,
        }
    }

    /// The client lacks the permission; the connection stays open.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self { message: message.into(), exception: None, closes: false }
    }

    /// The client may not log in, or does not send STOMP; the connection is closed.
    pub(super) fn fatal(message: impl Into<String>) -> Self {
        Self { message: message.into(), exception: None, closes: true }
    }

    /// The session has already ended.
    pub(super) fn gone() -> Self {
        Self::fatal("The connection is closed.")
    }

    /// Whether the connection is closed after the frame.
    pub(super) fn closes(&self) -> bool {
        self.closes
    }

    /// The frame, in answer to a frame that requested `receipt`.
    pub(super) fn frame(&self, receipt: Option<&str>) -> Frame<ServerCommand> {
        let mut frame = Frame::new(ServerCommand::Error).with_header("content-type", "text/plain");
        if let Some(receipt) = receipt {
            frame = frame.with_header("receipt-id", receipt);
        }
        let body = match self.exception {
            Some(class) => format!("{class}: {}\n\tat {class}.<init>(Unknown Source)\n", self.message),
            None => self.message.clone(),
        };
        frame.with_header("message", self.message.as_str()).with_body(body)
    }
}

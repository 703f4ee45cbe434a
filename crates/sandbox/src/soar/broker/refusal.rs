//! What the broker says when it does not do what it was asked to.

use stomp::{Frame, ServerCommand};

/// An ERROR frame in the making. ActiveMQ keeps the connection open after most of them.
#[derive(Debug)]
pub(super) struct Refusal {
    message: String,
    /// The Java exception whose trace ActiveMQ puts into the body, where it puts one.
    exception: Option<&'static str>,
    closes: bool,
}

impl Refusal {
    /// The client has broken the protocol; the connection lives on.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exception: Some("org.apache.activemq.transport.stomp.ProtocolException"),
            closes: false,
        }
    }

    /// The client may not do this; the connection lives on.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self { message: message.into(), exception: None, closes: false }
    }

    /// The client may not come in, or sends what is no STOMP.
    pub(super) fn fatal(message: impl Into<String>) -> Self {
        Self { message: message.into(), exception: None, closes: true }
    }

    /// The session has ended in the meantime.
    pub(super) fn gone() -> Self {
        Self::fatal("The connection is closed.")
    }

    /// Whether the connection is closed after the frame.
    pub(super) fn closes(&self) -> bool {
        self.closes
    }

    /// The frame, answering a frame that asked for `receipt`.
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

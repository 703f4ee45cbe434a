//! A message of the broker, its acknowledgement, and the reply to it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Datelike, Utc};
use tokio::sync::watch;

use crate::ServerCommand;
use crate::error::Error;
use crate::frame::{Frame, Headers};
use crate::reply_body::ReplyBody;

/// A message of the broker that waits to be acknowledged.
pub struct Delivery {
    /// The broker's id of the message; a redelivery has the same id.
    pub message_id: String,
    /// The destination it was sent to, e.g. `/queue/actions.201.fn_exchange_online`.
    pub destination: String,
    /// The destination for replies, as the broker gave it.
    pub reply_to: Option<String>,
    /// The correlation id that replies carry.
    pub correlation_id: Option<String>,
    /// The broker handed the message out before, to this process or to another worker, which may have run it. A broker
    /// that crashed may have forgotten the mark (ActiveMQ does), so its absence proves nothing then.
    pub redelivered: bool,
    /// When it was sent, by the clock of the sender or of the broker (`timestamp`), where the message says so.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the connection that it came over began to serve, by this machine's clock.
    pub serving_since: DateTime<Utc>,
    /// How the broker named the connection that it came over: `session` of its CONNECTED (STOMP 1.2), if it named it.
    pub broker_session: Option<Arc<str>>,
    /// All headers.
    pub headers: Headers,
    /// The body as it came.
    pub body: Bytes,
    /// Why the message could not be read completely, if so; the other fields hold what could be read.
    pub damage: Option<String>,
    /// The acknowledgement to name when the message is finished.
    pub ack: AckToken,
}

impl Delivery {
    /// The memory that it takes, in bytes, approximately.
    pub fn size(&self) -> usize {
        /// The memory of a delivery besides its texts.
        const ITSELF: usize = 4096;
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        self.body.len() + headers + ITSELF
    }

    /// Reads a MESSAGE frame that came over `connection`.
    pub(super) fn of(
        frame: Frame<ServerCommand>,
        connection: ConnectionId,
        serving_since: DateTime<Utc>,
        broker_session: Option<Arc<str>>,
        alive: &watch::Sender<bool>,
    ) -> Result<Self, Error> {
        let Frame { headers, body, damage, .. } = frame;
        let optional = |name: &str| headers.get(name).map(str::to_owned);
        // Without `ack` the message can neither be answered nor acknowledged.
        let ack = optional("ack")
            .ok_or_else(|| Error::Protocol("a MESSAGE frame came without `ack`".to_owned()))?;
        let needed = |name: &str| match (optional(name), &damage) {
            (Some(value), _) => Ok(value),
            // The header is among those that could not be read.
            (None, Some(_)) => Ok(ack.clone()),
            (None, None) => Err(Error::Protocol(format!("a MESSAGE frame came without `{name}`"))),
        };
        Ok(Self {
            message_id: needed("message-id")?,
            destination: needed("destination")?,
            reply_to: optional("reply-to"),
            correlation_id: optional("correlation-id"),
            redelivered: headers.get("redelivered") == Some("true"),
            sent_at: headers.get("timestamp").and_then(read_timestamp),
            serving_since,
            broker_session,
            ack: connection.token(ack.clone(), alive),
            damage,
            body,
            headers,
        })
    }
}

/// Reads milliseconds since 1970. A time far outside of any calendar counts as none, since nothing can be added to it.
fn read_timestamp(millis: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis.trim().parse().ok()?)
        .filter(|sent| (1970..=9998).contains(&sent.year()))
}

impl fmt::Debug for Delivery {
    /// Leaves out headers and body: they hold a context token, and what is investigated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message_id", &self.message_id)
            .field("destination", &self.destination)
            .field("correlation_id", &self.correlation_id)
            .field("redelivered", &self.redelivered)
            .field("ack", &self.ack)
            .finish_non_exhaustive()
    }
}

/// Identifies a connection: the number of its session in this process, and its own number in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionId {
    pub(super) session: u64,
    pub(super) connection: u64,
}

impl ConnectionId {
    /// The token of a message that came over this connection.
    fn token(self, id: String, alive: &watch::Sender<bool>) -> AckToken {
        AckToken { connection: self, id, valid: alive.subscribe() }
    }
}

/// The acknowledgement of a delivery. It is valid only on the connection that the delivery came over: when that is
/// closed, the broker delivers the message again, with another token.
#[derive(Debug, Clone)]
pub struct AckToken {
    connection: ConnectionId,
    id: String,
    valid: watch::Receiver<bool>,
}

impl PartialEq for AckToken {
    fn eq(&self, other: &Self) -> bool {
        (self.connection, &self.id) == (other.connection, &other.id)
    }
}

impl Eq for AckToken {}

impl AckToken {
    /// A token for tests of a consumer.
    #[doc(hidden)]
    pub fn of(connection: u64, id: &str) -> Self {
        Self::of_session(0, connection, id)
    }

    /// A token of one session, for tests of a consumer.
    #[doc(hidden)]
    pub fn of_session(session: u64, connection: u64, id: &str) -> Self {
        let connection = ConnectionId { session, connection };
        Self { connection, id: id.to_owned(), valid: watch::channel(true).1 }
    }

    /// The token after its connection was lost, for tests of a consumer.
    #[doc(hidden)]
    #[must_use]
    pub fn lost(self) -> Self {
        Self { valid: watch::channel(false).1, ..self }
    }

    /// Whether its connection is alive, as far as the session knows. Once it is not, the broker may have handed the
    /// message to another worker.
    pub fn valid(&self) -> &watch::Receiver<bool> {
        &self.valid
    }

    /// The number of its session; each session of the process has its own.
    pub fn session(&self) -> u64 {
        self.connection.session
    }

    /// The number of its connection within the session.
    pub fn connection(&self) -> u64 {
        self.connection.connection
    }

    pub(super) fn is_of(&self, connection: ConnectionId) -> bool {
        self.connection == connection
    }

    /// The value of the `ack` header (STOMP 1.2, "ACK").
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

/// A message to send in answer to another.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The [`Delivery::reply_to`] of the message that is answered.
    pub destination: String,
    /// The [`Delivery::correlation_id`] of that message.
    pub correlation_id: Option<String>,
    /// The text of the reply.
    pub body: ReplyBody,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("destination", &self.destination)
            .field("correlation_id", &self.correlation_id)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why the broker did not confirm something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmed {
    /// The connection that the delivery came over is closed, so nothing was sent. The broker delivers the message
    /// again.
    #[error("the connection the message came over is gone; the message comes again")]
    Stale,
    /// The connection closed before the broker confirmed. Either all is done, or the message comes again.
    #[error("the connection was lost before the broker confirmed")]
    ConnectionLost,
    /// The reply cannot be written as a STOMP frame. Nothing was done; the delivery still waits for its
    /// acknowledgement, with the same token.
    #[error("the reply cannot be sent: {0}")]
    Refused(String),
    /// The broker does not accept the reply, at present or ever. Nothing was done; the delivery still waits for its
    /// acknowledgement, with the same token.
    #[error("the broker refused the reply: {0}")]
    RefusedByBroker(String),
    /// The session has ended.
    #[error("the session with the broker has ended")]
    Closed,
}

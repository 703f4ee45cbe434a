//! The session: messages come in, replies go out, whatever happens to the connection in between.
//!
//! One task owns the socket; [`Session`] handles and the receiver of [`Delivery`]s talk to it through channels.
//! Being without a connection is a [`State`] of it, not an end: it tries again for as long as there is a handle.

mod active;
pub(super) mod driver;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::error::Failure;
use super::frame::Headers;
use super::metrics::Meters;
use net::{ProxyUrl, Secret};

/// Where to find the broker, who we are, and what we want of it.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The broker's host: name or address; the name its certificate must be made for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The proxy that leads to it.
    pub proxy: Option<ProxyUrl>,
    /// Whose certificates are believed.
    pub tls: Arc<rustls::ClientConfig>,
    /// API key id, or e-mail address.
    pub login: String,
    /// API key secret, or password.
    pub passcode: Secret,
    /// The queues to read, each once, e.g. `actions.201.fn_exchange_online`.
    pub destinations: Vec<String>,
    /// How many unacknowledged messages the broker hands out for each destination.
    pub prefetch: u16,
    /// How long to wait for a connection, and for a receipt.
    pub timeout: Duration,
    /// What we offer and ask for.
    pub heart_beat: HeartBeatOffer,
    /// How long to wait before trying again.
    pub reconnect: Backoff,
    /// What counts its connections.
    pub meters: Arc<Meters>,
}

/// The two numbers of a CONNECT's `heart-beat`; zero stands for none. For each direction the larger of the two
/// sides' numbers holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartBeatOffer {
    /// How often we can send one.
    pub send: Duration,
    /// How often we want one. After three times the agreed interval without a byte the connection is left.
    pub expect: Duration,
}

impl Default for HeartBeatOffer {
    /// Where both sides hear nothing, we must be the first to leave: a broker that leaves first hands our calls to
    /// another worker while we are still at them. We leave after three times 5 s; a broker may leave 25 s after our last
    /// beat, which is never older than a quarter of that.
    fn default() -> Self {
        Self { send: Duration::from_secs(25), expect: Duration::from_secs(5) }
    }
}

/// Waiting times between tries: doubling from `first` up to `cap`, each shortened by a random part of up to half,
/// so that many clients do not come back in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// The longest.
    pub cap: Duration,
}

impl Default for Backoff {
    /// From a quarter of a second to two: a broker that is back after an outage of any length has us back within
    /// 5 s, even when it loses the first CONNECT.
    fn default() -> Self {
        Self { first: Duration::from_millis(250), cap: Duration::from_secs(2) }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row.
    fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let full = self.first.saturating_mul(1 << doublings).min(self.cap);
        full.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// What the session is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is no connection that serves; one is being made, or waited for.
    Connecting {
        /// Failures in a row so far.
        failures: u32,
        /// The last of them, or why the connection before was left.
        last: Option<Failure>,
        /// Whether there was a connection that served.
        served: bool,
    },
    /// The broker confirmed every subscription.
    Subscribed {
        /// The connection's number; each has the next.
        connection: u64,
    },
    /// The session has ended, by [`Session::disconnect`] or because nobody holds it any more.
    Closed,
}

/// A message of the broker's that waits to be acknowledged.
pub struct Delivery {
    /// What the broker calls the message; the same when it comes again.
    pub message_id: String,
    /// Where it was sent to, e.g. `/queue/actions.201.fn_exchange_online`.
    pub destination: String,
    /// Where replies are to go, as the broker gave it.
    pub reply_to: Option<String>,
    /// What replies are to carry.
    pub correlation_id: Option<String>,
    /// The message was handed out before, to us or another worker; it may have been run, but need not. A broker that
    /// crashed may have forgotten the mark (ActiveMQ does), so its absence proves nothing then.
    pub redelivered: bool,
    /// When it was sent, by the sender's clock or the broker's (`timestamp`), where that is told.
    pub sent_at: Option<DateTime<Utc>>,
    /// Since when, by our clock, the connection it came over has been serving.
    pub serving_since: DateTime<Utc>,
    /// All of its headers.
    pub headers: Headers,
    /// Its body as it came.
    pub body: Bytes,
    /// Why the message could not be read whole, if it could not: the rest is what could be.
    pub damage: Option<String>,
    /// What to name when it is finished.
    pub ack: AckToken,
}

impl Delivery {
    /// How many bytes it holds, about.
    pub fn size(&self) -> usize {
        /// What a delivery takes beside its texts.
        const ITSELF: usize = 4096;
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        self.body.len() + headers + ITSELF
    }
}

impl fmt::Debug for Delivery {
    /// Without headers and body: they hold a context token, and what is investigated.
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

/// The acknowledgement a delivery waits for. It is worth something only on the connection the delivery came over:
/// when that is gone, the broker delivers the message again, with another.
#[derive(Debug, Clone)]
pub struct AckToken {
    session: u64,
    connection: u64,
    id: String,
    valid: watch::Receiver<bool>,
}

impl PartialEq for AckToken {
    fn eq(&self, other: &Self) -> bool {
        (self.session, self.connection, &self.id) == (other.session, other.connection, &other.id)
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
        Self { session, connection, id: id.to_owned(), valid: watch::channel(true).1 }
    }

    /// The token after its connection was lost, for tests of a consumer.
    #[doc(hidden)]
    #[must_use]
    pub fn lost(self) -> Self {
        Self { valid: watch::channel(false).1, ..self }
    }

    /// Whether its connection lives, as far as we know. Once it does not, the broker may have handed the message to
    /// somebody else.
    pub fn valid(&self) -> &watch::Receiver<bool> {
        &self.valid
    }

    /// The number of the session it belongs to; each of the process's has its own.
    pub fn session(&self) -> u64 {
        self.session
    }

    /// The number of the connection it belongs to.
    pub fn connection(&self) -> u64 {
        self.connection
    }
}

/// A message to send in answer to another.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Where to: the [`Delivery::reply_to`] of what is answered.
    pub destination: String,
    /// Its [`Delivery::correlation_id`].
    pub correlation_id: Option<String>,
    /// What to say.
    pub body: Bytes,
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

/// Why something is not known to have reached the broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmed {
    /// The connection the delivery came over is gone, so nothing was sent. The message comes again.
    #[error("the connection the message came over is gone; the message comes again")]
    Stale,
    /// The connection went before the broker confirmed. Either all is done, or the message comes again.
    #[error("the connection was lost before the broker confirmed")]
    ConnectionLost,
    /// The reply cannot be a STOMP frame. Nothing was done; the delivery still waits for its acknowledgement, with the
    /// same token.
    #[error("the reply cannot be sent: {0}")]
    Refused(String),
    /// The broker does not accept the reply, for now or for good. Nothing was done; the delivery still waits for its
    /// acknowledgement, with the same token.
    #[error("the broker refused the reply: {0}")]
    RefusedByBroker(String),
    /// The session has ended.
    #[error("the session with the broker has ended")]
    Closed,
}

/// A handle on the session. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct Session {
    number: u64,
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<State>,
}

/// What a handle asks of the task.
#[derive(Debug)]
enum Request {
    Send { reply: Reply, done: Answer },
    Finish { ack: AckToken, reply: Option<Reply>, done: Answer },
    LivenessPing(oneshot::Sender<()>),
    Disconnect { until: Instant, done: oneshot::Sender<()> },
}

type Answer = oneshot::Sender<Result<(), NotConfirmed>>;

/// How many sessions there were in this process.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// Requests that wait to be looked at; more make their callers wait.
const REQUESTS: usize = 64;

impl Session {
    /// Starts a session, which begins to connect at once. Must be called within a Tokio runtime.
    ///
    /// The receiver gets every message the broker hands out, in order. Not receiving is how to stop taking them:
    /// what was not received goes back to the queue when the session disconnects.
    pub fn start(options: SessionOptions) -> (Self, mpsc::Receiver<Delivery>) {
        let (requests, inbox) = mpsc::channel(REQUESTS);
        // One, as the task keeps the rest: it must be able to drop what a lost connection leaves behind.
        let (deliveries, received) = mpsc::channel(1);
        let (publisher, state) = watch::channel(State::Connecting { failures: 0, last: None, served: false });
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::spawn(driver::run(number, options, inbox, deliveries, publisher));
        (Self { number, requests, state }, received)
    }

    /// Its number, which [`AckToken::session`] names.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Sends `reply` without waiting for the broker's word: for status messages, which may get lost. They arrive
    /// before a final reply that is finished later.
    pub async fn send(&self, reply: Reply) -> Result<(), NotConfirmed> {
        self.ask(|done| Request::Send { reply, done }).await
    }

    /// Sends `reply` and acknowledges the delivery of `ack`, both or neither, and waits until the broker has
    /// confirmed it. Without a reply, only acknowledges.
    ///
    /// A caller that stops waiting does not stop what it asked for.
    pub async fn finish(&self, ack: &AckToken, reply: Option<Reply>) -> Result<(), NotConfirmed> {
        self.ask(|done| Request::Finish { ack: ack.clone(), reply, done }).await
    }

    /// Whether somebody is in: comes back after the session's task has shown that it goes on, and, while there is a
    /// connection, that its deliveries are received. Where one of them hangs it does not come back. False for a
    /// session that has ended; one without a connection is alive.
    pub async fn answers(&self) -> bool {
        let (opened, door) = oneshot::channel();
        self.requests.send(Request::LivenessPing(opened)).await.is_ok() && door.await.is_ok()
    }

    /// Takes leave of the broker and ends the session: what was asked before is sent first, and the broker's word
    /// for it waited for, `bound` at most. Messages that were not acknowledged go back to the queue.
    pub async fn disconnect(&self, bound: Duration) {
        let until = Instant::now() + bound;
        let (done, ended) = oneshot::channel();
        let gone = async {
            if self.requests.send(Request::Disconnect { until, done }).await.is_ok() {
                // An error means that the task has ended, which is what was asked for.
                let _ = ended.await;
            }
        };
        // The task may be held up, by a broker that takes nothing.
        let _ = timeout_at(until, gone).await;
    }

    /// The session's state, to look at or to wait for.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    async fn ask(&self, request: impl FnOnce(Answer) -> Request) -> Result<(), NotConfirmed> {
        let (done, answer) = oneshot::channel();
        self.requests.send(request(done)).await.map_err(|_| NotConfirmed::Closed)?;
        answer.await.unwrap_or(Err(NotConfirmed::Closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_their_cap_with_jitter_and_never_end() {
        let backoff = Backoff::default();
        for (failures, full_ms) in [(1, 250), (2, 500), (3, 1000), (4, 2000), (5, 2000), (u32::MAX, 2000)] {
            let full = Duration::from_millis(full_ms);
            let waits: Vec<_> = (0..100).map(|_| backoff.after(failures)).collect();
            assert!(waits.iter().all(|wait| (full / 2..=full).contains(wait)), "{failures}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "many clients must not come back in step");
        }
    }
}

//! The session with the broker: messages come in, replies go out, and a broken connection is replaced.
//!
//! One task owns the socket. [`Session`] handles and the receiver of [`Delivery`]s talk to it through channels. A
//! session without a connection is in a [`State`] of its own; it has not ended. It tries to connect as long as a handle
//! exists.

mod active;
mod delivery;
mod finishing;
mod groups;
mod options;
mod receipts;
pub(super) mod reconnect;
mod transactions;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use groups::Sharing;

pub use delivery::{AckToken, Delivery, NotConfirmed, Reply};
pub use options::{HeartBeatOffer, SessionOptions};
pub use reconnect::RECONNECT;

/// What the session does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No connection serves; the session makes one, or waits to make one.
    Connecting {
        /// Failures in a row so far.
        failures: u32,
        /// The last of them, or why the previous connection was closed.
        last: Option<Error>,
        /// Whether an earlier connection of this session served.
        served: bool,
    },
    /// The broker confirmed every subscription.
    Subscribed {
        /// The connection's number; each connection has the next.
        connection: u64,
    },
    /// The session has ended, by [`Session::disconnect`] or because the last handle was dropped.
    Closed,
}

/// A handle on the session. Clones are handles on the same session.
#[derive(Debug, Clone)]
pub struct Session {
    number: u64,
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<State>,
}

/// What a handle asks of the session's task.
#[derive(Debug)]
enum Request {
    Send { reply: Reply, done: Answer },
    Finish { ack: AckToken, reply: Option<Reply>, sharing: Sharing, done: Answer },
    LivenessPing(oneshot::Sender<()>),
    Disconnect { until: Instant, done: oneshot::Sender<()> },
}

type Answer = oneshot::Sender<Result<(), NotConfirmed>>;

/// The number of sessions that were started in this process.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// The capacity of the request channel; more requests make their callers wait.
const REQUESTS: usize = 64;

impl Session {
    /// Starts a session, which begins to connect at once. Must be called within a Tokio runtime.
    ///
    /// The receiver gets every message that the broker hands out, in order. A caller that wants no more messages stops
    /// receiving: messages that were not received go back to the queue when the session disconnects.
    pub fn start(options: SessionOptions) -> (Self, mpsc::Receiver<Delivery>) {
        let (requests, inbox) = mpsc::channel(REQUESTS);
        // A capacity of one, since the task keeps the other deliveries: it must be able to drop them when their
        // connection is lost.
        let (deliveries, received) = mpsc::channel(1);
        let (publisher, state) = watch::channel(State::Connecting { failures: 0, last: None, served: false });
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::spawn(reconnect::run(number, options, inbox, deliveries, publisher));
        (Self { number, requests, state }, received)
    }

    /// The session's number, which [`AckToken::session`] names.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Sends `reply` without waiting for a receipt: for status messages, which may get lost. They arrive before a final
    /// reply that is finished later.
    pub async fn send(&self, reply: Reply) -> Result<(), NotConfirmed> {
        self.ask(|done| Request::Send { reply, done }).await
    }

    /// Sends `reply` and acknowledges the delivery of `ack`, both or neither, and waits until the broker has
    /// confirmed it. Without a reply, only acknowledges. Calls that are finished at the same time may share a
    /// transaction.
    ///
    /// A caller that stops waiting does not cancel the request.
    pub async fn finish(&self, ack: &AckToken, reply: Option<Reply>) -> Result<(), NotConfirmed> {
        let sharing = Sharing::Shared;
        self.ask(|done| Request::Finish { ack: ack.clone(), reply, sharing, done }).await
    }

    /// Does the same in a transaction that no other call shares: for a reply that may be why an earlier attempt failed.
    pub async fn finish_alone(&self, ack: &AckToken, reply: Option<Reply>) -> Result<(), NotConfirmed> {
        let sharing = Sharing::Alone;
        self.ask(|done| Request::Finish { ack: ack.clone(), reply, sharing, done }).await
    }

    /// Liveness probe. Returns `true` after the session's task and, while connected, the receiver of deliveries have
    /// both made progress; never returns if either is stuck. Returns `false` if the session has ended. A session
    /// without a connection is alive.
    pub async fn answers(&self) -> bool {
        let (ping, pong) = oneshot::channel();
        self.requests.send(Request::LivenessPing(ping)).await.is_ok() && pong.await.is_ok()
    }

    /// Disconnects from the broker and ends the session: earlier requests are sent first and their receipts awaited,
    /// within `bound`. Messages that were not acknowledged go back to the queue.
    pub async fn disconnect(&self, bound: Duration) {
        let until = Instant::now() + bound;
        let (done, ended) = oneshot::channel();
        let disconnected = async {
            if self.requests.send(Request::Disconnect { until, done }).await.is_ok() {
                // An error means that the task has ended, which is the purpose.
                let _ = ended.await;
            }
        };
        // A broker that does not read may block the task.
        let _ = timeout_at(until, disconnected).await;
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

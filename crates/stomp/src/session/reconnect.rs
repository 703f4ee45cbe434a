//! The task of a session: connects, serves, and reconnects.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use net::{Backoff, Jitter};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::active::{ActiveConnection, End, answer, pong};
use super::delivery::ConnectionId;
use super::transactions::Transactions;
use super::{Delivery, NotConfirmed, Request, SessionOptions, State};
use crate::connection::Connection;
use crate::error::{Error, error_text};
use crate::frame::Frame;
use crate::{ServerCommand, client_frames, transport};

/// The usual waits between attempts to connect: from a quarter of a second to two seconds. After an outage of any
/// length the session is back within 5 s of the broker, even when the broker loses the first CONNECT.
pub const RECONNECT: Backoff =
    Backoff::new(Duration::from_millis(250), Duration::from_secs(2), Jitter::Shorter(0.5));

/// The wait for CONNECTED at first. Java brokers on TLS 1.3 lose the CONNECT of about one connection in twenty; another
/// connection brings the answer sooner than a longer wait.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_millis(2500);

/// The wait for CONNECTED after several connections without one: the broker may just be slow.
const SLOW_ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The time after which a second attempt to connect starts next to one that hangs.
const NEXT_ATTEMPT_AFTER: Duration = Duration::from_secs(3);

/// The most attempts to connect at the same time.
const MOST_ATTEMPTS: usize = 5;

/// The number of connections without an answer in a row that are followed by another without a wait.
const IMMEDIATE_TRIES: u32 = 3;

/// A connection that was subscribed for this long counts as good: the back-off starts from its first wait again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// The interval in which the same failure is logged again.
const REPEAT_LOG_AFTER: Duration = Duration::from_secs(60);

/// Runs the session to its end.
pub(super) async fn run(
    session: u64,
    options: SessionOptions,
    inbox: mpsc::Receiver<Request>,
    deliveries: mpsc::Sender<Delivery>,
    state: watch::Sender<State>,
) {
    let driver = Driver {
        session,
        options,
        inbox,
        deliveries,
        state,
        connections: 0,
        failures: 0,
        unanswered: 0,
        served: false,
        transactions: Transactions::new(),
        warned: false,
        logged: None,
    };
    driver.run().await;
}

struct Driver {
    /// The session's number.
    session: u64,
    options: SessionOptions,
    inbox: mpsc::Receiver<Request>,
    deliveries: mpsc::Sender<Delivery>,
    state: watch::Sender<State>,
    /// Connections that were logged in.
    connections: u64,
    /// Failures since the last good connection.
    failures: u32,
    /// How many of the latest failures were connections without an answer.
    unanswered: u32,
    /// Whether an earlier connection served.
    served: bool,
    /// Whether the broker has transactions, as far as the session knows.
    transactions: Transactions,
    /// Whether the log has the warning about the broker's heart-beats.
    warned: bool,
    /// The failure that was logged last, and when.
    logged: Option<(Error, Instant)>,
}

impl Driver {
    async fn run(mut self) {
        while let Some(failure) = self.turn().await {
            let mut wait = self.note(failure);
            if net::failpoint::is_set(format_args!("wait-before-reconnect")) {
                wait = Duration::from_secs(15);
            }
            if self.served && net::failpoint::is_set(format_args!("never-reconnect")) {
                wait = Duration::MAX;
            }
            if refusing(&mut self.inbox, sleep(wait)).await.is_none() {
                break;
            }
        }
        self.state.send_replace(State::Closed);
    }

    /// Uses one connection from beginning to end. Returns why it ended, or `None` if the session is to end.
    async fn turn(&mut self) -> Option<Error> {
        let patience = if self.unanswered <= IMMEDIATE_TRIES { ANSWER_WITHIN } else { SLOW_ANSWER_WITHIN };
        let opening = open_one(&self.options, patience.min(self.options.timeout));
        let connection = match refusing(&mut self.inbox, opening).await? {
            Ok(connection) => connection,
            Err(failure) => return Some(failure),
        };
        self.connections += 1;
        self.unanswered = 0;
        if !connection.leaves_first() && !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                broker = self.options.host,
                "with the heart-beats that the broker grants, the broker may close a dead connection before this program \
                 does, and hand its calls to another worker meanwhile; do not run several workers on one queue"
            );
        }
        let id = ConnectionId { session: self.session, connection: self.connections };
        let serving =
            ActiveConnection::new(&self.options, connection, id, &mut self.transactions, &self.state);
        let End { subscribed, failure } = serving.run(&mut self.inbox, &self.deliveries).await;
        if subscribed.is_some() {
            self.logged = None;
            self.served = true;
        }
        if subscribed.is_some_and(|since| since.elapsed() >= STABLE_AFTER) {
            self.failures = 0;
        }
        failure
    }

    /// Publishes and logs `failure`, and returns the wait before the next attempt.
    fn note(&mut self, failure: Error) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.options.metrics.failed();
        self.unanswered = match failure {
            Error::NoAnswer(_) => self.unanswered.saturating_add(1),
            _ => 0,
        };
        let wait = match self.unanswered {
            1..=IMMEDIATE_TRIES => Duration::ZERO,
            _ => self.options.reconnect.delay(self.failures - 1),
        };
        let known = |(logged, at): &(Error, Instant)| *logged == failure && at.elapsed() < REPEAT_LOG_AFTER;
        if !self.logged.as_ref().is_some_and(known) {
            tracing::warn!(failures = self.failures, "{failure}; trying again");
            self.logged = Some((failure.clone(), Instant::now()));
        }
        let (failures, served) = (self.failures, self.served);
        self.state.send_replace(State::Connecting { failures, last: Some(failure), served });
        wait
    }
}

/// Does `work` while no connection exists, and refuses every request meanwhile. `None` if the session is to end.
async fn refusing<T>(inbox: &mut mpsc::Receiver<Request>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => return Some(outcome),
            request = inbox.recv() => match request {
                Some(Request::Send { done, .. }) => answer(done, Err(NotConfirmed::ConnectionLost)),
                Some(Request::Finish { done, .. }) => answer(done, Err(NotConfirmed::Stale)),
                Some(Request::LivenessPing(ping)) => pong(ping),
                Some(Request::Disconnect { .. }) | None => return None,
            },
        }
    }
}

/// The first of several connections that is logged in. An attempt that hangs says nothing about the next: a
/// connection that a load balancer accepted while the broker was down may hang although the broker is back.
async fn open_one(
    options: &SessionOptions,
    patience: Duration,
) -> Result<Connection<transport::Stream>, Error> {
    let mut attempts = FuturesUnordered::new();
    loop {
        attempts.push(open(options, patience));
        let next = sleep(NEXT_ATTEMPT_AFTER);
        tokio::pin!(next);
        loop {
            tokio::select! {
                Some(opened) = attempts.next() => match opened {
                    Ok(connection) => return Ok(connection),
                    Err(failure) if attempts.is_empty() => return Err(failure),
                    Err(_) => {}
                },
                () = &mut next, if attempts.len() < MOST_ATTEMPTS => break,
            }
        }
    }
}

/// Opens a connection and logs in.
pub(crate) async fn open(
    options: &SessionOptions,
    patience: Duration,
) -> Result<Connection<transport::Stream>, Error> {
    let SessionOptions { host, port, proxy, tls, timeout: limit, .. } = options;
    let stream = transport::connect(host, *port, proxy.as_ref(), tls, *limit).await?;
    let mut connection = Connection::new(stream);
    connection
        .queue(client_frames::connect(options))
        .map_err(|error| Error::LoginRefused(format!("it cannot be sent: {error}")))?;
    let answer =
        timeout(patience, connection.next_frame(true)).await.map_err(|_| Error::NoAnswer(patience))??;
    match answer.command {
        ServerCommand::Connected => {
            let (send_every, expect_every) = agreed(options, &answer)?;
            connection.agree(send_every, expect_every);
            connection.broker_session = answer.header("session").map(Arc::from);
            Ok(connection)
        }
        ServerCommand::Error => Err(Error::of_login(error_text(&answer, &options.passcode))),
        ServerCommand::Message | ServerCommand::Receipt => {
            Err(Error::Protocol("the answer to CONNECT is neither CONNECTED nor ERROR".to_owned()))
        }
    }
}

/// The intervals in which to send and to expect heart-beats, zero for never, from the broker's CONNECTED (STOMP 1.2,
/// "Heart-beating").
fn agreed(options: &SessionOptions, connected: &Frame<ServerCommand>) -> Result<(Duration, Duration), Error> {
    // CONNECTED without `version` is STOMP 1.0.
    match connected.header("version").unwrap_or("1.0") {
        "1.2" => {}
        other if other.len() < 10 && other.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            return Err(Error::Version(other.to_owned()));
        }
        _ => return Err(Error::Protocol("its version is not a number".to_owned())),
    }
    let theirs = connected.header("heart-beat").unwrap_or("0,0");
    let (sends, expects) = theirs
        .split_once(',')
        .and_then(|(sends, expects)| Some((sends.trim().parse().ok()?, expects.trim().parse().ok()?)))
        .ok_or_else(|| Error::Protocol("its heart-beat header is not two numbers".to_owned()))?;
    let both = |ours: Duration, theirs: u32| match (ours.as_millis(), theirs) {
        (0, _) | (_, 0) => Duration::ZERO,
        _ => ours.max(Duration::from_millis(theirs.into())),
    };
    Ok((both(options.heart_beat.send, expects), both(options.heart_beat.expect, sends)))
}

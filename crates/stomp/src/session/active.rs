//! A connection that is logged in: subscriptions, deliveries, replies, and the receipts that confirm them.
//! [`finishing`](super::finishing) says how a call is finished.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::delivery::ConnectionId;
use super::groups::{FinishedCall, Groups};
use super::receipts::{Awaited, Receipts};
use super::transactions::{Phase, Transactions};
use super::{Answer, Delivery, NotConfirmed, Request, SessionOptions, State};
use crate::connection::{Connection, sleep_until_due};
use crate::error::{Error, error_text};
use crate::frame::Frame;
use crate::{ServerCommand, client_frames};

/// The session stops reading while deliveries that the consumer has not received hold this many bytes.
const MOST_WAITING: usize = 128 << 20;

/// An ERROR explains the end of its connection for this long; a connection that closes later has another reason.
const ERROR_EXPLAINS_CLOSE_FOR: Duration = Duration::from_secs(5);

/// A connection in use.
pub(super) struct ActiveConnection<'s, S> {
    options: &'s SessionOptions,
    pub(super) connection: Connection<S>,
    id: ConnectionId,
    /// When its use began, for the messages that come over it.
    since: DateTime<Utc>,
    /// Whether the connection is alive, for the acknowledgements that are valid only as long.
    alive: watch::Sender<bool>,
    /// Whether the broker has transactions; outlives the connection.
    pub(super) transactions: &'s mut Transactions,
    state: &'s watch::Sender<State>,
    phase: Phase,
    pub(super) receipts: Receipts,
    /// Finished calls whose transaction is not being committed yet.
    pub(super) groups: Groups,
    /// Deliveries that the consumer has not received yet.
    waiting: VecDeque<Delivery>,
    /// The text of the last ERROR without receipt, and its time. If the broker closes soon after, this is the reason.
    last_error: Option<(String, Instant)>,
    leaving: Option<Leaving>,
    /// Liveness pings that wait for an answer.
    pings: Vec<oneshot::Sender<()>>,
}

/// The request to disconnect.
struct Leaving {
    until: Instant,
    disconnect_sent: bool,
    /// Dropped with the connection; that wakes the caller of [`Session::disconnect`](super::Session::disconnect).
    _done: oneshot::Sender<()>,
}

/// How the use of a connection ended.
pub(super) struct End {
    /// When the subscriptions were confirmed, if they were.
    pub(super) subscribed: Option<Instant>,
    /// Why, or `None` if the session was asked to end.
    pub(super) failure: Option<Error>,
}

impl<'s, S: AsyncRead + AsyncWrite> ActiveConnection<'s, S> {
    pub(super) fn new(
        options: &'s SessionOptions,
        connection: Connection<S>,
        id: ConnectionId,
        transactions: &'s mut Transactions,
        state: &'s watch::Sender<State>,
    ) -> Self {
        let phase = if transactions.are_used() { Phase::Probing { error: None } } else { Phase::Subscribing };
        Self {
            options,
            connection,
            id,
            since: Utc::now(),
            alive: watch::Sender::new(true),
            transactions,
            state,
            phase,
            receipts: Receipts::default(),
            groups: Groups::default(),
            waiting: VecDeque::new(),
            last_error: None,
            leaving: None,
            pings: Vec::new(),
        }
    }

    /// Serves until the connection fails or the session is asked to end.
    pub(super) async fn run(
        mut self,
        inbox: &mut mpsc::Receiver<Request>,
        deliveries: &mpsc::Sender<Delivery>,
    ) -> End {
        let failure = match self.serve(inbox, deliveries).await {
            Ok(()) => None,
            // The session was to end anyway.
            Err(_) if self.leaving.is_some() => None,
            Err(failure @ (Error::Closed | Error::Broken(_))) => {
                let explains = |(_, at): &(String, Instant)| at.elapsed() < ERROR_EXPLAINS_CLOSE_FOR;
                let last_error = self.last_error.take().filter(explains);
                Some(last_error.map_or(failure, |(text, _)| Error::of_error(text)))
            }
            Err(failure) => Some(failure),
        };
        if let (Some(reason), true) = (self.phase.take_suspicion(), failure.is_some()) {
            self.transactions.doubt(&self.options.host, &reason);
        }
        self.alive.send_replace(false);
        self.pings.drain(..).for_each(pong);
        for (done, why) in self.groups.into_lost() {
            answer(done, Err(why));
        }
        for done in self.receipts.into_unconfirmed() {
            answer(done, Err(NotConfirmed::ConnectionLost));
        }
        let subscribed = match self.phase {
            Phase::Serving { since } => Some(since),
            Phase::Probing { .. } | Phase::Subscribing => None,
        };
        End { subscribed, failure }
    }

    async fn serve(
        &mut self,
        inbox: &mut mpsc::Receiver<Request>,
        deliveries: &mpsc::Sender<Delivery>,
    ) -> Result<(), Error> {
        self.subscribe()?;
        let most_waiting = self.most_waiting();
        loop {
            self.disconnect_when_idle()?;
            let bytes: usize = self.waiting.iter().map(Delivery::size).sum();
            let reading = self.waiting.len() < most_waiting && bytes < MOST_WAITING;
            let listening = self.leaving.is_none() && self.connection.has_room();
            let wanted = !self.waiting.is_empty() || !self.pings.is_empty();
            let delivering = self.leaving.is_none() && wanted && !deliveries.is_closed();
            let deadline = self.deadline();
            tokio::select! {
                frame = self.connection.next_frame(reading) => {
                    if self.received(frame?)?.is_break() {
                        return Ok(());
                    }
                }
                request = inbox.recv(), if listening => match request {
                    Some(request) => {
                        self.requested(request)?;
                        // Calls that end at the same time share a transaction.
                        while self.leaving.is_none()
                            && self.connection.has_room()
                            && !self.groups.fill_transaction()
                            && let Ok(request) = inbox.try_recv()
                        {
                            self.requested(request)?;
                        }
                        self.send_ready()?;
                    }
                    None => return Ok(()),
                },
                permit = deliveries.reserve(), if delivering => {
                    // A free place means that the consumer received the previous delivery.
                    if permit.is_ok() {
                        self.pings.drain(..).for_each(pong);
                    }
                    if let (Ok(permit), Some(delivery)) = (permit, self.waiting.pop_front()) {
                        permit.send(delivery);
                    }
                }
                () = sleep_until_due(deadline) => {
                    // Bytes may have been written meanwhile, which moves the deadline.
                    if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                        return Err(Error::Unconfirmed(self.options.timeout));
                    }
                }
            }
        }
    }

    /// The most deliveries that wait for the consumer: more than a broker that respects the prefetch hands out, even
    /// while acknowledgements are under way. With more than that the session stops reading.
    fn most_waiting(&self) -> usize {
        2 * (usize::from(self.options.prefetch) + 1) * self.options.destinations.len().max(1)
    }

    /// When the connection is to be closed because a receipt, or the end of a disconnect, is overdue.
    fn deadline(&mut self) -> Option<Instant> {
        let receipt = self.receipts.deadline(&mut self.connection, self.options.timeout);
        let leaving = self.leaving.as_ref().map(|leaving| leaving.until);
        [receipt, leaving].into_iter().flatten().min()
    }

    /// Requests the transaction probe and the subscriptions; receipts answer them.
    fn subscribe(&mut self) -> Result<(), Error> {
        if matches!(self.phase, Phase::Probing { .. }) {
            let transaction = self.receipts.next();
            let receipt = self.receipts.expect(Awaited::TransactionProbe { transaction });
            self.connection.queue(client_frames::begin(transaction).with_receipt(receipt))?;
        }
        for destination in &self.options.destinations {
            let receipt = self.receipts.expect(Awaited::Subscription(destination.clone()));
            self.connection.queue(client_frames::subscribe(destination, self.options.prefetch, receipt))?;
        }
        self.serve_when_subscribed();
        Ok(())
    }

    /// Enters [`Phase::Serving`] once the probe is settled and every subscription confirmed.
    fn serve_when_subscribed(&mut self) {
        if !matches!(self.phase, Phase::Subscribing) || self.receipts.any_subscription() {
            return;
        }
        self.phase = Phase::Serving { since: Instant::now() };
        self.options.metrics.subscribed();
        let connection = self.id.connection;
        let destinations = self.options.destinations.join(", ");
        tracing::info!(broker = self.options.host, connection, "subscribed to {destinations}");
        self.state.send_replace(State::Subscribed { connection });
    }

    /// Sends DISCONNECT once no receipt is open, if the session is to end.
    fn disconnect_when_idle(&mut self) -> Result<(), Error> {
        if self.receipts.is_empty()
            && let Some(leaving) = self.leaving.as_mut().filter(|leaving| !leaving.disconnect_sent)
        {
            leaving.disconnect_sent = true;
            let receipt = self.receipts.expect(Awaited::Disconnect);
            self.connection.queue(client_frames::disconnect().with_receipt(receipt))?;
        }
        Ok(())
    }

    fn requested(&mut self, request: Request) -> Result<(), Error> {
        match request {
            Request::Send { reply, done } => {
                let queued = self.connection.queue(client_frames::send(reply));
                answer(done, queued.map_err(|error| NotConfirmed::Refused(error.to_string())));
            }
            Request::Finish { ack, done, .. } if !ack.is_of(self.id) => {
                answer(done, Err(NotConfirmed::Stale));
            }
            Request::Finish { ack, reply: Some(reply), sharing, done } => {
                self.groups.add(FinishedCall { ack, reply, done }, sharing);
            }
            Request::Finish { ack, reply: None, done, .. } => self.acknowledge(&ack, done)?,
            Request::LivenessPing(ping) => self.pings.push(ping),
            Request::Disconnect { until, done } => {
                self.leaving = Some(Leaving { until, disconnect_sent: false, _done: done });
            }
        }
        Ok(())
    }

    /// Handles a frame; breaks when the broker has confirmed the DISCONNECT.
    fn received(&mut self, frame: Frame<ServerCommand>) -> Result<ControlFlow<()>, Error> {
        match frame.command {
            ServerCommand::Message => {
                self.waiting.push_back(Delivery::of(
                    frame,
                    self.id,
                    self.since,
                    self.connection.broker_session.clone(),
                    &self.alive,
                )?);
            }
            ServerCommand::Receipt => {
                // A receipt that was not asked for confirms nothing.
                if let Some(awaited) = self.receipts.take(&frame) {
                    return self.confirmed(awaited);
                }
            }
            ServerCommand::Error => return self.reported(&frame),
            ServerCommand::Connected => {
                return Err(Error::Protocol("a second CONNECTED frame came".to_owned()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Handles an ERROR. An ERROR without receipt does not end the connection here: ActiveMQ keeps it open, and any
    /// other broker closes it.
    fn reported(&mut self, frame: &Frame<ServerCommand>) -> Result<ControlFlow<()>, Error> {
        let text = error_text(frame, &self.options.passcode);
        let failure = Error::of_error(text.clone());
        if matches!(failure, Error::AuthenticationUnavailable(_)) {
            // This ERROR says nothing about the request that it names, so the receipt stays open.
            if self.receipts.named_by(frame).is_some() {
                return Err(failure);
            }
        } else if let Some(awaited) = self.receipts.take(frame) {
            return self.refused(awaited, text);
        } else {
            self.phase.suspect(&text);
        }
        tracing::warn!(broker = self.options.host, "the broker reports an error: {text}");
        self.last_error = Some((text, Instant::now()));
        Ok(ControlFlow::Continue(()))
    }

    fn confirmed(&mut self, awaited: Awaited) -> Result<ControlFlow<()>, Error> {
        match awaited {
            Awaited::TransactionProbe { transaction } => {
                self.transactions.confirm();
                self.connection.queue(client_frames::abort(transaction))?;
                self.probe_settled();
            }
            Awaited::Subscription(_) => {
                self.settle_probe();
                self.serve_when_subscribed();
            }
            Awaited::Reply { transaction, call } => self.answered(transaction, call, None)?,
            Awaited::ReplyAlone { ack, done } => self.acknowledge(&ack, done)?,
            Awaited::Finish(calls) => calls.into_iter().for_each(|done| answer(done, Ok(()))),
            Awaited::Disconnect => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn refused(&mut self, awaited: Awaited, reason: String) -> Result<ControlFlow<()>, Error> {
        match awaited {
            Awaited::TransactionProbe { .. } => {
                self.transactions.refuse(&self.options.host, &reason);
                self.probe_settled();
            }
            Awaited::Subscription(destination) => {
                return Err(Error::of_subscription(&destination, reason));
            }
            Awaited::Reply { transaction, call } => {
                self.answered(transaction, call, Some(NotConfirmed::RefusedByBroker(reason)))?;
            }
            Awaited::ReplyAlone { done, .. } => answer(done, Err(NotConfirmed::RefusedByBroker(reason))),
            Awaited::Finish(calls) => {
                // The ack ids are used up and the messages still in the queue: the broker can only deliver them again.
                for done in calls {
                    answer(done, Err(NotConfirmed::ConnectionLost));
                }
                return Err(Error::Broker(format!("it refused an acknowledgement: {reason}")));
            }
            Awaited::Disconnect => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes the probe for refused where an ERROR came, and everything that was requested after it is confirmed.
    fn settle_probe(&mut self) {
        if self.receipts.any_subscription() {
            return;
        }
        if let Some(reason) = self.phase.take_suspicion() {
            self.receipts.drop_probe();
            self.transactions.refuse(&self.options.host, &reason);
            self.probe_settled();
        }
    }

    fn probe_settled(&mut self) {
        if matches!(self.phase, Phase::Probing { .. }) {
            self.phase = Phase::Subscribing;
        }
        self.serve_when_subscribed();
    }
}

/// Gives a caller the outcome; the caller may have stopped waiting.
pub(super) fn answer(done: Answer, outcome: Result<(), NotConfirmed>) {
    let _ = done.send(outcome);
}

/// Answers a liveness ping; its sender may have stopped waiting.
pub(super) fn pong(ping: oneshot::Sender<()>) {
    let _ = ping.send(());
}

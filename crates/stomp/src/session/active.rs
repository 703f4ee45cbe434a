//! A connection that is logged in: subscriptions, deliveries, replies, and the receipts that confirm them.
//!
//! A finished call takes two steps. First `BEGIN` and the reply, with a receipt: a broker that does not want the
//! reply says so while the acknowledgement is still untouched, since ActiveMQ forgets an ack id it saw in a
//! transaction that failed. Then `ACK` and `COMMIT`, with a receipt: only now is the reply visible and the message
//! gone, both at once. Where a broker has no transactions the same steps are taken without: reply, receipt, `ACK`.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::{AckToken, Answer, Delivery, NotConfirmed, Reply, Request, SessionOptions, State};
use crate::connection::{Connection, sleep_until_due};
use crate::error::{Failure, error_text};
use crate::frame::Frame;
use crate::{ServerCommand, client_frames};

/// Nothing more is read while deliveries that nobody took hold this many bytes.
const MOST_WAITING: usize = 128 << 20;

/// A connection that is closed so long after an ERROR was closed for another reason.
const COMPLAINT_COUNTS: Duration = Duration::from_secs(5);

/// Which connection of which session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) session: u64,
    pub(super) connection: u64,
}

impl Number {
    /// The token of a message that came over it.
    fn token(self, id: String, alive: &watch::Sender<bool>) -> AckToken {
        AckToken { session: self.session, connection: self.connection, id, valid: alive.subscribe() }
    }

    fn is_of(self, ack: &AckToken) -> bool {
        (self.session, self.connection) == (ack.session, ack.connection)
    }
}

/// Whether the broker has transactions, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transactions {
    /// They are used.
    Offered {
        /// How many connections in a row ended with an ERROR before it was known whether one can be begun.
        doubts: u32,
    },
    /// The broker has none.
    Refused,
}

/// A broker that ends so many connections when a transaction is begun has none. One may end for any reason.
const MOST_DOUBTS: u32 = 2;

impl Transactions {
    fn are_used(self) -> bool {
        matches!(self, Self::Offered { .. })
    }
}

/// A connection in use.
pub(super) struct ActiveConnection<'s, S> {
    options: &'s SessionOptions,
    connection: Connection<S>,
    number: Number,
    /// When its use began, for the messages that come over it.
    since: DateTime<Utc>,
    /// Whether it lives, for the acknowledgements that are worth something only as long.
    alive: watch::Sender<bool>,
    /// Whether the broker has transactions; outlives the connection.
    transactions: &'s mut Transactions,
    state: &'s watch::Sender<State>,
    /// Receipts that were asked for and did not come, by number, so the oldest first; and what is known of how what asks
    /// for the oldest is written.
    receipts: BTreeMap<u64, (Option<InLine>, Awaited)>,
    last_receipt: u64,
    /// Deliveries that nobody took yet.
    waiting: VecDeque<Delivery>,
    subscribed: Option<Instant>,
    /// What an ERROR without receipt said, and when; if the broker closes soon after, this is why.
    last_error: Option<(String, Instant)>,
    /// What an ERROR without receipt said while the trial was open. A broker may not know how to answer what it does
    /// not know; whether it was about the trial is known once everything asked later is confirmed.
    doubt: Option<String>,
    leaving: Option<Leaving>,
    /// Who waits for a sign of life.
    pings: Vec<oneshot::Sender<()>>,
}

/// Something that is in line to be written.
#[derive(Debug, Clone, Copy)]
struct InLine {
    /// Since when, at the latest.
    since: Instant,
    /// How many bytes will have been written when it is.
    end: u64,
}

/// What a receipt confirms.
enum Awaited {
    /// That this transaction was begun, only to see whether it would be.
    TransactionProbe { transaction: u64 },
    /// A subscription to this destination.
    Subscription(String),
    /// That the broker took the reply; the acknowledgement is next.
    Reply { ack: AckToken, transaction: Option<u64>, done: Answer },
    /// That all is done.
    Finish(Answer),
    /// Our goodbye.
    Disconnect,
}

/// The wish to disconnect.
struct Leaving {
    until: Instant,
    said: bool,
    /// Dropped when the connection is gone, which is what whoever disconnects waits for.
    _done: oneshot::Sender<()>,
}

/// How the use of a connection ended.
pub(super) struct End {
    /// When the subscriptions were confirmed, if they were.
    pub(super) subscribed: Option<Instant>,
    /// Why, or `None` if the session was to end.
    pub(super) failure: Option<Failure>,
}

impl<'s, S: AsyncRead + AsyncWrite> ActiveConnection<'s, S> {
    pub(super) fn new(
        options: &'s SessionOptions,
        connection: Connection<S>,
        number: Number,
        transactions: &'s mut Transactions,
        state: &'s watch::Sender<State>,
    ) -> Self {
        Self {
            options,
            connection,
            number,
            since: Utc::now(),
            alive: watch::Sender::new(true),
            transactions,
            state,
            receipts: BTreeMap::new(),
            last_receipt: 0,
            waiting: VecDeque::new(),
            subscribed: None,
            last_error: None,
            doubt: None,
            leaving: None,
            pings: Vec::new(),
        }
    }

    /// Serves until the connection fails or the session is to end.
    pub(super) async fn run(
        mut self,
        inbox: &mut mpsc::Receiver<Request>,
        deliveries: &mpsc::Sender<Delivery>,
    ) -> End {
        let failure = match self.serve(inbox, deliveries).await {
            Ok(()) => None,
            // Whoever was leaving has left.
            Err(_) if self.leaving.is_some() => None,
            Err(failure @ (Failure::Closed | Failure::Broken(_))) => {
                let last_error = self.last_error.take().filter(|(_, at)| at.elapsed() < COMPLAINT_COUNTS);
                Some(last_error.map_or(failure, |(text, _)| Failure::of_error(text)))
            }
            Err(failure) => Some(failure),
        };
        if let (Some(reason), Transactions::Offered { doubts }) = (self.doubt.take(), &mut *self.transactions)
            && failure.is_some()
        {
            *doubts += 1;
            if *doubts >= MOST_DOUBTS {
                self.no_transactions(&reason);
            }
        }
        self.alive.send_replace(false);
        self.pings.drain(..).for_each(open_for);
        for (_, awaited) in self.receipts.into_values() {
            if let Awaited::Reply { done, .. } | Awaited::Finish(done) = awaited {
                answer(done, Err(NotConfirmed::ConnectionLost));
            }
        }
        End { subscribed: self.subscribed, failure }
    }

    async fn serve(
        &mut self,
        inbox: &mut mpsc::Receiver<Request>,
        deliveries: &mpsc::Sender<Delivery>,
    ) -> Result<(), Failure> {
        self.subscribe()?;
        let most_waiting = self.most_waiting();
        loop {
            self.say_goodbye()?;
            let bytes: usize = self.waiting.iter().map(Delivery::size).sum();
            let reading = self.waiting.len() < most_waiting && bytes < MOST_WAITING;
            let listening = self.leaving.is_none() && self.connection.has_room();
            let wanted = !self.waiting.is_empty() || !self.pings.is_empty();
            let handing_over = self.leaving.is_none() && wanted && !deliveries.is_closed();
            let (deadline, due) = self.deadline();
            tokio::select! {
                frame = self.connection.next_frame(reading) => {
                    if self.received(frame?)?.is_break() {
                        return Ok(());
                    }
                }
                request = inbox.recv(), if listening => match request {
                    Some(request) => self.requested(request)?,
                    None => return Ok(()),
                },
                permit = deliveries.reserve(), if handing_over => {
                    // There is room, so what was handed over last has been received.
                    if permit.is_ok() {
                        self.pings.drain(..).for_each(open_for);
                    }
                    if let (Ok(permit), Some(delivery)) = (permit, self.waiting.pop_front()) {
                        permit.send(delivery);
                    }
                }
                () = sleep_until_due(deadline) => {
                    // Something may have been written meanwhile.
                    if self.deadline().0.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Err(due);
                    }
                }
            }
        }
    }

    /// More deliveries than a broker that keeps to the prefetch hands out, even while acknowledgements are under
    /// way. From one that does not, nothing is read until some were taken.
    fn most_waiting(&self) -> usize {
        2 * (usize::from(self.options.prefetch) + 1) * self.options.destinations.len().max(1)
    }

    /// The next moment at which the connection is to be left, and why. A receipt is waited for from when all of what
    /// asks for it was written: a large reply takes its time on a slow line.
    fn deadline(&mut self) -> (Option<Instant>, Failure) {
        let patience = self.options.timeout;
        let queued = self.connection.queued();
        // They come in the order in which they were asked for.
        let receipt = self.receipts.values_mut().next().map(|(in_line, _)| {
            let InLine { since, end } = *in_line.get_or_insert(InLine { since: Instant::now(), end: queued });
            let written_at = self.connection.written_at(end);
            written_at.unwrap_or_else(|| self.connection.last_write().max(since)) + patience
        });
        let leaving = self.leaving.as_ref().map(|leaving| leaving.until);
        ([receipt, leaving].into_iter().flatten().min(), Failure::Unconfirmed(patience))
    }

    /// Asks for everything we want of the broker; the answers are receipts.
    fn subscribe(&mut self) -> Result<(), Failure> {
        if self.transactions.are_used() {
            let transaction = self.receipt(|transaction| Awaited::TransactionProbe { transaction });
            self.connection.queue(client_frames::begin(transaction).with_receipt(transaction))?;
        }
        for destination in &self.options.destinations {
            let receipt = self.receipt(|_| Awaited::Subscription(destination.clone()));
            self.connection.queue(client_frames::subscribe(destination, self.options.prefetch, receipt))?;
        }
        self.note_subscriptions();
        Ok(())
    }

    /// A number for a receipt of what `awaited` says. It also serves as a transaction's name.
    fn receipt(&mut self, awaited: impl FnOnce(u64) -> Awaited) -> u64 {
        self.last_receipt += 1;
        let number = self.last_receipt;
        self.receipts.insert(number, (None, awaited(number)));
        number
    }

    fn note_subscriptions(&mut self) {
        let open = |(_, awaited): &(Option<InLine>, Awaited)| {
            matches!(awaited, Awaited::TransactionProbe { .. } | Awaited::Subscription(_))
        };
        if self.subscribed.is_none() && !self.receipts.values().any(open) {
            self.subscribed = Some(Instant::now());
            self.options.meters.subscribed.increment();
            tracing::info!(
                broker = self.options.host,
                connection = self.number.connection,
                "subscribed to {}",
                self.options.destinations.join(", ")
            );
            self.state.send_replace(State::Subscribed { connection: self.number.connection });
        }
    }

    /// Says goodbye once nothing is outstanding, if we are to leave.
    fn say_goodbye(&mut self) -> Result<(), Failure> {
        if self.receipts.is_empty()
            && let Some(leaving) = self.leaving.as_mut().filter(|leaving| !leaving.said)
        {
            leaving.said = true;
            let receipt = self.receipt(|_| Awaited::Disconnect);
            self.connection.queue(client_frames::disconnect().with_receipt(receipt))?;
        }
        Ok(())
    }

    fn requested(&mut self, request: Request) -> Result<(), Failure> {
        match request {
            Request::Send { reply, done } => {
                let queued = self.connection.queue(client_frames::send(reply));
                answer(done, queued.map_err(|error| NotConfirmed::Refused(error.to_string())));
            }
            Request::Finish { ack, done, .. } if !self.number.is_of(&ack) => {
                answer(done, Err(NotConfirmed::Stale));
            }
            Request::Finish { ack, reply: Some(reply), done } => self.reply(ack, reply, done)?,
            Request::Finish { ack, reply: None, done } => self.acknowledge(&ack, None, done)?,
            Request::LivenessPing(opened) => self.pings.push(opened),
            Request::Disconnect { until, done } => {
                self.leaving = Some(Leaving { until, said: false, _done: done });
            }
        }
        Ok(())
    }

    /// The first step of finishing.
    fn reply(&mut self, ack: AckToken, reply: Reply, done: Answer) -> Result<(), Failure> {
        let receipt = self.last_receipt + 1;
        let transaction = self.transactions.are_used().then_some(receipt);
        if let Some(transaction) = transaction {
            self.connection.queue(client_frames::begin(transaction))?;
        }
        let send = client_frames::send(reply).persistent().within(transaction).with_receipt(receipt);
        match self.connection.queue(send) {
            Ok(()) => {
                self.receipt(|_| Awaited::Reply { ack, transaction, done });
                Ok(())
            }
            Err(error) => self.refuse(transaction, done, NotConfirmed::Refused(error.to_string())),
        }
    }

    /// The second step of finishing.
    fn acknowledge(&mut self, ack: &AckToken, transaction: Option<u64>, done: Answer) -> Result<(), Failure> {
        let receipt = self.receipt(|_| Awaited::Finish(done));
        let ack = client_frames::ack(&ack.id).within(transaction);
        match transaction {
            Some(transaction) => {
                self.connection.queue(ack)?;
                self.connection.queue(client_frames::commit(transaction).with_receipt(receipt))?;
            }
            None => self.connection.queue(ack.with_receipt(receipt))?,
        }
        Ok(())
    }

    fn refuse(&mut self, transaction: Option<u64>, done: Answer, why: NotConfirmed) -> Result<(), Failure> {
        if let Some(transaction) = transaction {
            self.connection.queue(client_frames::abort(transaction))?;
        }
        answer(done, Err(why));
        Ok(())
    }

    /// Takes a frame; breaks when the broker has confirmed our goodbye.
    fn received(&mut self, frame: Frame<ServerCommand>) -> Result<ControlFlow<()>, Failure> {
        match frame.command {
            ServerCommand::Message => {
                self.waiting.push_back(delivery(frame, self.number, self.since, &self.alive)?);
            }
            ServerCommand::Receipt => {
                // A receipt nobody asked for confirms nothing.
                if let Some(awaited) = self.take_awaited(&frame) {
                    return self.confirmed(awaited);
                }
            }
            ServerCommand::Error => return self.reported(&frame),
            ServerCommand::Connected => {
                return Err(Failure::Protocol("a second CONNECTED frame came".to_owned()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes an ERROR. One that is about nothing in particular does not end the connection: ActiveMQ keeps it open,
    /// and any other broker closes it.
    fn reported(&mut self, frame: &Frame<ServerCommand>) -> Result<ControlFlow<()>, Failure> {
        let text = error_text(frame, &self.options.passcode);
        let failure = Failure::of_error(text.clone());
        if matches!(failure, Failure::AuthenticationUnavailable(_)) {
            // That says nothing about what was asked, so it stays open.
            if self.awaited(frame).is_some() {
                return Err(failure);
            }
        } else if let Some(awaited) = self.take_awaited(frame) {
            return self.refused(awaited, text);
        } else if self.trial().is_some() {
            self.doubt.get_or_insert_with(|| text.clone());
        }
        tracing::warn!(broker = self.options.host, "the broker reports an error: {text}");
        self.last_error = Some((text, Instant::now()));
        Ok(ControlFlow::Continue(()))
    }

    /// The number of the receipt that `frame` names, if it is waited for.
    fn awaited(&self, frame: &Frame<ServerCommand>) -> Option<u64> {
        let number = frame.header("receipt-id")?.parse().ok()?;
        self.receipts.contains_key(&number).then_some(number)
    }

    /// What waits for the receipt that `frame` names.
    fn take_awaited(&mut self, frame: &Frame<ServerCommand>) -> Option<Awaited> {
        let number = self.awaited(frame)?;
        self.receipts.remove(&number).map(|(_, awaited)| awaited)
    }

    /// The number of the trial's receipt, if its outcome is open. It is the first thing we ask.
    fn trial(&self) -> Option<u64> {
        let (number, (_, first)) = self.receipts.first_key_value()?;
        matches!(first, Awaited::TransactionProbe { .. }).then_some(*number)
    }

    /// Takes the trial for refused where there was an ERROR, and all that was asked after it is confirmed.
    fn settle_trial(&mut self) {
        let open = |(_, awaited): &(Option<InLine>, Awaited)| matches!(awaited, Awaited::Subscription(_));
        if self.receipts.values().any(open) {
            return;
        }
        if let (Some(number), Some(reason)) = (self.trial(), self.doubt.take()) {
            self.receipts.remove(&number);
            self.no_transactions(&reason);
        }
    }

    fn no_transactions(&mut self, reason: &str) {
        *self.transactions = Transactions::Refused;
        tracing::warn!(
            broker = self.options.host,
            "the broker refuses transactions ({reason}): replies are sent, confirmed, and only then are their messages \
             acknowledged, so a reply may come twice when the connection breaks between"
        );
    }

    fn confirmed(&mut self, awaited: Awaited) -> Result<ControlFlow<()>, Failure> {
        match awaited {
            Awaited::TransactionProbe { transaction } => {
                self.doubt = None;
                *self.transactions = Transactions::Offered { doubts: 0 };
                self.connection.queue(client_frames::abort(transaction))?;
                self.note_subscriptions();
            }
            Awaited::Subscription(_) => {
                self.settle_trial();
                self.note_subscriptions();
            }
            Awaited::Reply { ack, transaction, done } => self.acknowledge(&ack, transaction, done)?,
            Awaited::Finish(done) => answer(done, Ok(())),
            Awaited::Disconnect => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn refused(&mut self, awaited: Awaited, reason: String) -> Result<ControlFlow<()>, Failure> {
        match awaited {
            Awaited::TransactionProbe { .. } => {
                self.no_transactions(&reason);
                self.note_subscriptions();
            }
            Awaited::Subscription(destination) => {
                return Err(Failure::of_subscription(&destination, reason));
            }
            Awaited::Reply { transaction, done, .. } => {
                self.refuse(transaction, done, NotConfirmed::RefusedByBroker(reason))?;
            }
            Awaited::Finish(done) => {
                // The ack id is spent and the message still there: it can only come again.
                answer(done, Err(NotConfirmed::ConnectionLost));
                return Err(Failure::Broker(format!("it refused an acknowledgement: {reason}")));
            }
            Awaited::Disconnect => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Tells whoever asked; they may have stopped waiting.
pub(super) fn answer(done: Answer, outcome: Result<(), NotConfirmed>) {
    let _ = done.send(outcome);
}

/// Shows a sign of life to whoever knocked; they may have left.
pub(super) fn open_for(pings: oneshot::Sender<()>) {
    let _ = pings.send(());
}

fn delivery(
    frame: Frame<ServerCommand>,
    connection: Number,
    serving_since: DateTime<Utc>,
    alive: &watch::Sender<bool>,
) -> Result<Delivery, Failure> {
    let Frame { headers, body, damage, .. } = frame;
    let optional = |name: &str| headers.get(name).map(str::to_owned);
    // Without it the message can only stay where it is.
    let ack =
        optional("ack").ok_or_else(|| Failure::Protocol("a MESSAGE frame came without `ack`".to_owned()))?;
    let needed = |name: &str| match (optional(name), &damage) {
        (Some(value), _) => Ok(value),
        // It is among what could not be read.
        (None, Some(_)) => Ok(ack.clone()),
        (None, None) => Err(Failure::Protocol(format!("a MESSAGE frame came without `{name}`"))),
    };
    Ok(Delivery {
        message_id: needed("message-id")?,
        destination: needed("destination")?,
        reply_to: optional("reply-to"),
        correlation_id: optional("correlation-id"),
        redelivered: headers.get("redelivered") == Some("true"),
        sent_at: headers
            .get("timestamp")
            .and_then(|millis| DateTime::from_timestamp_millis(millis.trim().parse().ok()?))
            // One that cannot be reckoned with tells no time.
            .filter(|sent| (1970..=9998).contains(&sent.year())),
        serving_since,
        ack: connection.token(ack.clone(), alive),
        damage,
        body,
        headers,
    })
}

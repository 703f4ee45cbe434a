//! The broker's memory: queues, consumers, deliveries without acknowledgement, and transactions. It uses neither
//! sockets nor clocks: a connection is a number and a channel to its writer.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tokio::sync::mpsc::UnboundedSender;

use super::Viewer;
use super::message::{AckMode, Message, Outgoing, Settlement, Subscription};
use super::refusal::Refusal;
use stomp::{Frame, ServerCommand};

/// The queue for persistent messages that a consumer refused.
pub(super) const DEAD_LETTERS: &str = "ActiveMQ.DLQ";

/// An active subscription.
#[derive(Debug)]
struct Consumer {
    session: u64,
    subscription: Subscription,
    /// How much of its prefetch is used. An acknowledgement frees it immediately, even within a transaction.
    in_hand: usize,
}

/// A delivered message.
#[derive(Debug)]
struct Delivery {
    session: u64,
    consumer: u64,
    queue: String,
    /// The message's position in its queue.
    place: u64,
    message: Message,
    /// The transaction of the session that has acknowledged it.
    settled_in: Option<(String, Settlement)>,
}

#[derive(Debug)]
struct Session {
    outbox: UnboundedSender<Outgoing>,
    deliveries: u64,
    /// The messages each open transaction will send, by its name.
    transactions: HashMap<String, Vec<(String, Message)>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// By position, so that a returned message keeps its position.
    waiting: BTreeMap<u64, Message>,
    /// In round-robin order.
    consumers: VecDeque<u64>,
}

/// All queues and their users.
#[derive(Debug, Default)]
pub(super) struct Queues {
    by_name: BTreeMap<String, Queue>,
    sessions: HashMap<u64, Session>,
    consumers: HashMap<u64, Consumer>,
    /// By the id that an ACK names.
    deliveries: HashMap<String, Delivery>,
    last_place: u64,
    last_consumer: u64,
    pub(super) viewer: Option<Viewer>,
}

impl Queues {
    /// A connection has logged in.
    pub(super) fn connect(&mut self, session: u64, outbox: UnboundedSender<Outgoing>) {
        self.sessions.insert(session, Session { outbox, deliveries: 0, transactions: HashMap::new() });
    }

    /// Whether the connection is logged in.
    pub(super) fn is_connected(&self, session: u64) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Sends a frame to a connection.
    pub(super) fn tell(&self, session: u64, frame: Frame<ServerCommand>) {
        if let Some(session) = self.sessions.get(&session) {
            // A session whose writer has ended is removed shortly.
            let _ = session.outbox.send(Outgoing::Frame(frame));
        }
    }

    /// A connection has ended: its deliveries return to their queues, marked as redelivered, and its open transactions
    /// are discarded.
    pub(super) fn disconnect(&mut self, session: u64) {
        self.sessions.remove(&session);
        let gone: Vec<u64> = self.consumers_of(|c| c.session == session);
        self.remove_consumers(&gone);
    }

    /// All connections have ended.
    pub(super) fn disconnect_all(&mut self) {
        // All together, or the returned messages of one consumer would be delivered to the next.
        self.sessions.clear();
        let all = self.consumers_of(|_| true);
        self.remove_consumers(&all);
    }

    /// The broker stops: connections and messages that are not persistent are lost. As in ActiveMQ without
    /// `persistJMSRedelivered`, the marks of redelivery are lost as well.
    pub(super) fn restart(&mut self) {
        self.disconnect_all();
        for queue in self.by_name.values_mut() {
            queue.waiting.retain(|_, message| message.persistent);
            queue.waiting.values_mut().for_each(|message| message.redelivered = false);
        }
    }

    /// Adds a consumer.
    pub(super) fn subscribe(&mut self, session: u64, subscription: Subscription) {
        self.last_consumer += 1;
        let queue = subscription.queue.clone();
        self.by_name.entry(queue.clone()).or_default().consumers.push_back(self.last_consumer);
        self.consumers.insert(self.last_consumer, Consumer { session, subscription, in_hand: 0 });
        self.dispatch(&queue);
    }

    /// Removes a consumer.
    pub(super) fn unsubscribe(&mut self, session: u64, id: &str) -> Result<(), Refusal> {
        let gone = self.consumers_of(|c| c.session == session && c.subscription.id == id);
        if gone.is_empty() {
            return Err(Refusal::protocol("No subscription matched."));
        }
        self.remove_consumers(&gone);
        Ok(())
    }

    /// Puts a message into a queue or, within a transaction, holds it until the commit.
    pub(super) fn publish(
        &mut self,
        session: u64,
        transaction: Option<&str>,
        queue: String,
        message: Message,
    ) -> Result<(), Refusal> {
        if let Some(name) = transaction {
            self.transaction(session, name)?.push((queue, message));
        } else {
            self.enqueue(&queue, message);
            self.dispatch(&queue);
        }
        Ok(())
    }

    /// Acknowledges a message, immediately or with the commit of a transaction.
    pub(super) fn settle(
        &mut self,
        session: u64,
        transaction: Option<&str>,
        ack: &str,
        settlement: Settlement,
    ) -> Result<(), Refusal> {
        if let Some(name) = transaction {
            self.transaction(session, name)?;
        }
        let known = self
            .deliveries
            .get(ack)
            .filter(|d| d.session == session && d.settled_in.is_none())
            .map(|d| (d.consumer, d.queue.clone(), d.place));
        // ActiveMQ looks the message up by its id and writes "null" for a message it did not find.
        let (consumer, queue, place) =
            known.ok_or_else(|| Refusal::protocol("Unexpected ACK received for message-id [null]"))?;
        let cumulative =
            self.consumers.get(&consumer).is_some_and(|c| c.subscription.mode == AckMode::Client);
        let acks: Vec<String> = if cumulative {
            let upto = |d: &Delivery| d.consumer == consumer && d.place <= place && d.settled_in.is_none();
            self.deliveries.iter().filter(|(_, d)| upto(d)).map(|(id, _)| id.clone()).collect()
        } else {
            vec![ack.to_owned()]
        };
        if let Some(consumer) = self.consumers.get_mut(&consumer) {
            consumer.in_hand = consumer.in_hand.saturating_sub(acks.len());
        }
        for ack in acks {
            match transaction {
                Some(name) => {
                    if let Some(delivery) = self.deliveries.get_mut(&ack) {
                        delivery.settled_in = Some((name.to_owned(), settlement));
                    }
                }
                None => self.finish(&ack, settlement),
            }
        }
        self.dispatch(&queue);
        Ok(())
    }

    /// Opens a transaction.
    pub(super) fn begin(&mut self, session: u64, name: &str) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&session) else { return Err(Refusal::gone()) };
        if session.transactions.contains_key(name) {
            return Err(Refusal::protocol(format!("The transaction was already started: {name}")));
        }
        session.transactions.insert(name.to_owned(), Vec::new());
        Ok(())
    }

    /// Carries out everything in a transaction at once.
    pub(super) fn commit(&mut self, session: u64, name: &str) -> Result<(), Refusal> {
        let sends = std::mem::take(self.transaction(session, name)?);
        self.end_transaction(session, name);
        for (ack, settlement) in self.settled_in(session, name) {
            self.finish(&ack, settlement);
        }
        let touched: Vec<String> = sends.iter().map(|(queue, _)| queue.clone()).collect();
        for (queue, message) in sends {
            self.enqueue(&queue, message);
        }
        for queue in touched {
            self.dispatch(&queue);
        }
        Ok(())
    }

    /// Discards a transaction. Messages that it acknowledged stay delivered and can be acknowledged by the same id.
    pub(super) fn abort(&mut self, session: u64, name: &str) -> Result<(), Refusal> {
        self.transaction(session, name)?;
        self.end_transaction(session, name);
        for (ack, _) in self.settled_in(session, name) {
            if let Some(delivery) = self.deliveries.get_mut(&ack) {
                delivery.settled_in = None;
                if let Some(consumer) = self.consumers.get_mut(&delivery.consumer) {
                    consumer.in_hand += 1;
                }
            }
        }
        Ok(())
    }

    /// Discards the acknowledgements of a transaction.
    pub(super) fn forget_acknowledgements(&mut self, session: u64, name: &str) {
        for (ack, _) in self.settled_in(session, name) {
            if let Some(delivery) = self.deliveries.get_mut(&ack) {
                delivery.settled_in = None;
            }
        }
    }

    /// The number of messages in a queue, delivered or not.
    pub(super) fn depth(&self, queue: &str) -> usize {
        self.by_name.get(queue).map_or(0, |q| q.waiting.len()) + self.unacknowledged(queue)
    }

    /// The number of delivered messages of a queue.
    pub(super) fn unacknowledged(&self, queue: &str) -> usize {
        self.deliveries.values().filter(|d| d.queue == queue).count()
    }

    /// The number of consumers of a queue.
    pub(super) fn consumers(&self, queue: &str) -> usize {
        self.by_name.get(queue).map_or(0, |q| q.consumers.len())
    }

    fn transaction(&mut self, session: u64, name: &str) -> Result<&mut Vec<(String, Message)>, Refusal> {
        self.sessions
            .get_mut(&session)
            .and_then(|s| s.transactions.get_mut(name))
            .ok_or_else(|| Refusal::protocol(format!("Invalid transaction id: {name}")))
    }

    fn end_transaction(&mut self, session: u64, name: &str) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.transactions.remove(name);
        }
    }

    /// The messages that a transaction has acknowledged.
    fn settled_in(&self, session: u64, name: &str) -> Vec<(String, Settlement)> {
        self.deliveries
            .iter()
            .filter(|(_, d)| d.session == session)
            .filter_map(|(ack, d)| Some((ack, d.settled_in.as_ref()?)))
            .filter(|(_, (transaction, _))| transaction == name)
            .map(|(ack, (_, settlement))| (ack.clone(), *settlement))
            .collect()
    }

    fn consumers_of(&self, wanted: impl Fn(&Consumer) -> bool) -> Vec<u64> {
        self.consumers.iter().filter(|(_, c)| wanted(c)).map(|(key, _)| *key).collect()
    }

    fn remove_consumers(&mut self, gone: &[u64]) {
        let mut touched = Vec::new();
        for key in gone {
            if let Some(consumer) = self.consumers.remove(key) {
                let name = consumer.subscription.queue;
                if let Some(queue) = self.by_name.get_mut(&name) {
                    queue.consumers.retain(|k| k != key);
                }
                touched.push(name);
            }
        }
        for (_, delivery) in self.deliveries.extract_if(|_, d| gone.contains(&d.consumer)) {
            let mut message = delivery.message;
            message.redelivered = true;
            self.by_name.entry(delivery.queue).or_default().waiting.insert(delivery.place, message);
        }
        for queue in touched {
            self.dispatch(&queue);
        }
    }

    /// Removes a delivered message permanently.
    fn finish(&mut self, ack: &str, settlement: Settlement) {
        let Some(delivery) = self.deliveries.remove(ack) else { return };
        let mut message = delivery.message;
        if settlement == Settlement::Refused && message.persistent {
            message.headers.push("original-destination", format!("/queue/{}", delivery.queue));
            message.redelivered = false;
            self.enqueue(DEAD_LETTERS, message);
            self.dispatch(DEAD_LETTERS);
        }
    }

    fn enqueue(&mut self, queue: &str, message: Message) {
        if let Some(Viewer(view)) = &self.viewer {
            view(queue, message.headers.get("correlation-id"), &message.body);
        }
        self.last_place += 1;
        self.by_name.entry(queue.to_owned()).or_default().waiting.insert(self.last_place, message);
    }

    /// Delivers waiting messages to the consumers with free prefetch, in turn.
    fn dispatch(&mut self, name: &str) {
        let Some(queue) = self.by_name.get_mut(name) else { return };
        while !queue.waiting.is_empty() {
            let takes = |c: &Consumer| c.subscription.selects && c.in_hand < c.subscription.prefetch;
            let free = |key: &u64| self.consumers.get(key).is_some_and(takes);
            let Some(turn) = queue.consumers.iter().position(free) else { return };
            queue.consumers.rotate_left(turn);
            let Some(key) = queue.consumers.pop_front() else { return };
            queue.consumers.push_back(key);
            let Some(consumer) = self.consumers.get_mut(&key) else { return };
            let Some(session) = self.sessions.get_mut(&consumer.session) else { return };
            let Some((place, message)) = queue.waiting.pop_first() else { return };
            session.deliveries += 1;
            let ack = format!("ID:sandbox-4:{}:{}", consumer.session, session.deliveries);
            let held = consumer.subscription.mode != AckMode::Auto;
            let frame = message.delivery(&consumer.subscription, held.then_some(ack.as_str()));
            let _ = session.outbox.send(Outgoing::Frame(frame));
            if held {
                consumer.in_hand += 1;
                self.deliveries.insert(
                    ack,
                    Delivery {
                        session: consumer.session,
                        consumer: key,
                        queue: name.to_owned(),
                        place,
                        message,
                        settled_in: None,
                    },
                );
            }
        }
    }
}

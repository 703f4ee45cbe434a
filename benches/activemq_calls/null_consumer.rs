//! A consumer that does nothing but what every consumer must do at the broker: it takes a message and sends what the
//! daemon sends for it, with the same guarantees.
//!
//! A reply that the broker refuses must not take the acknowledgement with it. So the consumer waits for the receipt of
//! the reply before it sends ACK and COMMIT.

use std::collections::{HashMap, VecDeque};

use stomp::{ClientCommand, Frame, ServerCommand};
use tokio::task::JoinHandle;

use crate::load::Answer;
use crate::wire::Wire;
use crate::{Queues, WORKERS};

/// How replies share transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grouping {
    /// A transaction for each reply, as soon as it is ready.
    Each,
    /// Replies that are ready while those of a transaction are being accepted share the next one, up to so many.
    Shared(usize),
}

/// Ends with this value.
pub(crate) struct NullConsumer(JoinHandle<()>);

impl Drop for NullConsumer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl NullConsumer {
    /// Subscribes with the prefetch of the daemon, and gives each message that `answer`.
    pub(crate) async fn start(mut wire: Wire, queues: &Queues, answer: Answer, grouping: Grouping) -> Self {
        wire.subscribe(&queues.actions, "client-individual", WORKERS).await;
        let consumer =
            Consumer { wire, answer, grouping, ready: VecDeque::new(), open: HashMap::new(), last: 0 };
        Self(tokio::spawn(consumer.run()))
    }
}

struct Consumer {
    wire: Wire,
    answer: Answer,
    grouping: Grouping,
    /// Messages whose reply is in no transaction yet.
    ready: VecDeque<Message>,
    /// Transactions that are not committed, by number.
    open: HashMap<u64, Transaction>,
    last: u64,
}

struct Message {
    ack: String,
    reply_to: String,
    correlation_id: String,
}

struct Transaction {
    acks: Vec<String>,
    /// How many receipts of replies are to come.
    awaited: usize,
}

impl Consumer {
    async fn run(mut self) {
        loop {
            let mut next = Some(self.wire.read().await);
            while let Some(frame) = next {
                self.received(&frame).await;
                next = self.wire.read_now();
            }
            while !self.ready.is_empty() && self.may_begin() {
                self.begin().await;
            }
            self.wire.flush().await;
        }
    }

    fn may_begin(&self) -> bool {
        self.grouping == Grouping::Each || self.open.values().all(|transaction| transaction.awaited == 0)
    }

    async fn received(&mut self, frame: &Frame<ServerCommand>) {
        let header = |name| frame.header(name).unwrap_or_default().to_owned();
        if frame.command == ServerCommand::Message {
            let (ack, reply_to) = (header("ack"), header("reply-to"));
            let message = Message { ack, reply_to, correlation_id: header("correlation-id") };
            for status in self.answer.statuses.clone() {
                self.wire.feed(send(&message).with_body(status)).await;
            }
            self.ready.push_back(message);
            return;
        }
        let receipt = header("receipt-id");
        let (kind, number) = receipt.split_once(' ').expect("a receipt of ours");
        let number = number.parse().unwrap();
        if kind == "commit" {
            self.open.remove(&number);
            return;
        }
        let transaction = self.open.get_mut(&number).expect("its transaction is open");
        transaction.awaited -= 1;
        if transaction.awaited == 0 {
            for ack in std::mem::take(&mut transaction.acks) {
                self.wire.feed(within(Frame::new(ClientCommand::Ack).with_header("id", ack), number)).await;
            }
            let commit = within(Frame::new(ClientCommand::Commit), number);
            self.wire.feed(commit.with_header("receipt", format!("commit {number}"))).await;
        }
    }

    /// Sends the replies of a transaction.
    async fn begin(&mut self) {
        self.last += 1;
        let number = self.last;
        let count = match self.grouping {
            Grouping::Each => 1,
            Grouping::Shared(most) => self.ready.len().min(most),
        };
        self.wire.feed(within(Frame::new(ClientCommand::Begin), number)).await;
        let mut acks = Vec::new();
        for message in self.ready.drain(..count).collect::<Vec<_>>() {
            let reply = within(send(&message), number)
                .with_header("persistent", "true")
                .with_header("receipt", format!("reply {number}"))
                .with_body(self.answer.reply.clone());
            self.wire.feed(reply).await;
            acks.push(message.ack);
        }
        self.open.insert(number, Transaction { acks, awaited: count });
    }
}

fn send(message: &Message) -> Frame<ClientCommand> {
    Frame::new(ClientCommand::Send)
        .with_header("destination", &message.reply_to)
        .with_header("correlation-id", &message.correlation_id)
}

fn within(frame: Frame<ClientCommand>, transaction: u64) -> Frame<ClientCommand> {
    frame.with_header("transaction", transaction.to_string())
}

//! Receipts that the session asked for and that did not come yet (STOMP 1.2, "RECEIPT").

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Answer;
use super::delivery::AckToken;
use super::groups::FinishedCall;
use crate::ServerCommand;
use crate::connection::Connection;
use crate::frame::Frame;

/// What a receipt confirms.
pub(super) enum Awaited {
    /// That the broker began this transaction, which the session does not use.
    TransactionProbe { transaction: u64 },
    /// A subscription to this destination.
    Subscription(String),
    /// That the broker accepted a reply within a transaction.
    Reply { transaction: u64, call: FinishedCall },
    /// That a broker without transactions accepted a reply; the acknowledgement is the next step.
    ReplyAlone { ack: AckToken, done: Answer },
    /// That the replies and acknowledgements of a transaction, or a single acknowledgement, are done.
    Finish(Vec<Answer>),
    /// The DISCONNECT.
    Disconnect,
}

/// The place of a request in the outgoing bytes.
#[derive(Debug, Clone, Copy)]
struct Queued {
    /// The latest time at which it was queued.
    since: Instant,
    /// The number of bytes written when the request is.
    end: u64,
}

/// The open receipts by number, which is also the order in which they were asked for. Their numbers also name
/// transactions.
#[derive(Default)]
pub(super) struct Receipts {
    open: BTreeMap<u64, (Option<Queued>, Awaited)>,
    last: u64,
}

impl Receipts {
    /// The number that the next receipt gets.
    pub(super) fn next(&self) -> u64 {
        self.last + 1
    }

    /// Adds a receipt and returns its number.
    pub(super) fn expect(&mut self, awaited: Awaited) -> u64 {
        self.last += 1;
        self.open.insert(self.last, (None, awaited));
        self.last
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a subscription is not confirmed yet.
    pub(super) fn any_subscription(&self) -> bool {
        self.open.values().any(|(_, awaited)| matches!(awaited, Awaited::Subscription(_)))
    }

    /// The number of the open receipt that `frame` names.
    pub(super) fn named_by(&self, frame: &Frame<ServerCommand>) -> Option<u64> {
        let number = frame.header("receipt-id")?.parse().ok()?;
        self.open.contains_key(&number).then_some(number)
    }

    /// Takes what waits for the receipt that `frame` names.
    pub(super) fn take(&mut self, frame: &Frame<ServerCommand>) -> Option<Awaited> {
        let number = self.named_by(frame)?;
        self.open.remove(&number).map(|(_, awaited)| awaited)
    }

    /// Drops the receipt of the transaction probe.
    pub(super) fn drop_probe(&mut self) {
        self.open.retain(|_, (_, awaited)| !matches!(awaited, Awaited::TransactionProbe { .. }));
    }

    /// When the oldest receipt is overdue. The wait counts from the time at which the whole request was written: a
    /// large reply takes its time on a slow line.
    pub(super) fn deadline<S: AsyncRead + AsyncWrite>(
        &mut self,
        connection: &mut Connection<S>,
        patience: Duration,
    ) -> Option<Instant> {
        let (queued, _) = self.open.values_mut().next()?;
        let end = connection.queued();
        let Queued { since, end } = *queued.get_or_insert(Queued { since: Instant::now(), end });
        let written_at = connection.written_at(end);
        Some(written_at.unwrap_or_else(|| connection.last_write().max(since)) + patience)
    }

    /// The calls whose reply or acknowledgement is not confirmed.
    pub(super) fn into_unconfirmed(self) -> impl Iterator<Item = Answer> {
        self.open.into_values().flat_map(|(_, awaited)| match awaited {
            Awaited::Reply { call: FinishedCall { done, .. }, .. } | Awaited::ReplyAlone { done, .. } => {
                vec![done]
            }
            Awaited::Finish(calls) => calls,
            Awaited::TransactionProbe { .. } | Awaited::Subscription(_) | Awaited::Disconnect => Vec::new(),
        })
    }
}

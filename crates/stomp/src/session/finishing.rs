//! How a connection finishes calls: replies, acknowledgements, and the transactions that hold both.
//!
//! A call is finished in two steps. First `BEGIN` and the reply, with a receipt: a broker that refuses the reply says
//! so while the acknowledgement is still unused, since ActiveMQ forgets an ack id that it saw in a transaction that
//! failed. Then `ACK` and `COMMIT`, with a receipt: only now the reply is visible and the message gone, both at once.
//! Several calls may share both steps ([`groups`](super::groups)). With a broker that has no transactions the order is
//! reply, receipt, `ACK`.

use tokio::io::{AsyncRead, AsyncWrite};

use super::active::{ActiveConnection, answer};
use super::groups::{FinishedCall, Group, Sharing};
use super::receipts::Awaited;
use super::{AckToken, Answer, NotConfirmed};
use crate::client_frames;
use crate::error::Error;

impl<S: AsyncRead + AsyncWrite> ActiveConnection<'_, S> {
    /// The first step: sends the replies of the transactions that may begin now.
    pub(super) fn send_ready(&mut self) -> Result<(), Error> {
        while let Some((calls, sharing)) = self.groups.next() {
            if self.transactions.are_used() {
                self.send_group(calls, sharing)?;
            } else {
                calls.into_iter().try_for_each(|call| self.send_alone(call))?;
            }
        }
        Ok(())
    }

    fn send_group(&mut self, calls: Vec<FinishedCall>, sharing: Sharing) -> Result<(), Error> {
        let transaction = self.receipts.next();
        if net::failpoint::is_set(format_args!("ack-before-reply")) {
            for call in &calls {
                self.connection.queue(client_frames::ack(call.ack.id()))?;
            }
        }
        self.connection.queue(client_frames::begin(transaction))?;
        let (mut sent, mut refused) = (0, Vec::new());
        for call in calls {
            let receipt = self.receipts.next();
            let send = client_frames::send(call.reply.clone()).persistent().within(Some(transaction));
            match self.connection.queue(send.with_receipt(receipt)) {
                Ok(()) => {
                    self.receipts.expect(Awaited::Reply { transaction, call });
                    sent += 1;
                }
                Err(error) => refused.push((call.done, error)),
            }
        }
        if sent > 0 {
            self.groups.sent(transaction, sent, sharing);
        } else {
            self.connection.queue(client_frames::abort(transaction))?;
        }
        for (done, error) in refused {
            answer(done, Err(NotConfirmed::Refused(error.to_string())));
        }
        Ok(())
    }

    /// Sends a reply to a broker without transactions.
    fn send_alone(&mut self, FinishedCall { ack, reply, done }: FinishedCall) -> Result<(), Error> {
        if net::failpoint::is_set(format_args!("ack-before-reply")) {
            self.connection.queue(client_frames::ack(ack.id()))?;
        }
        let send = client_frames::send(reply).persistent().with_receipt(self.receipts.next());
        match self.connection.queue(send) {
            Ok(()) => {
                self.receipts.expect(Awaited::ReplyAlone { ack, done });
            }
            Err(error) => answer(done, Err(NotConfirmed::Refused(error.to_string()))),
        }
        Ok(())
    }

    /// The broker accepted a reply within a transaction, or refused it. Once it has answered to all of them, the
    /// transaction ends.
    pub(super) fn answered(
        &mut self,
        transaction: u64,
        call: FinishedCall,
        refusal: Option<NotConfirmed>,
    ) -> Result<(), Error> {
        let Some(group) = self.groups.answered(transaction, call, refusal) else { return Ok(()) };
        if group.refused.is_empty() {
            self.commit(transaction, group.accepted)?;
        } else {
            self.abort(transaction, group)?;
        }
        self.send_ready()
    }

    /// The second step: acknowledges the messages of a transaction, and commits it.
    fn commit(&mut self, transaction: u64, calls: Vec<FinishedCall>) -> Result<(), Error> {
        if !net::failpoint::is_set(format_args!("ack-before-reply")) {
            for call in &calls {
                self.connection.queue(client_frames::ack(call.ack.id()).within(Some(transaction)))?;
            }
        }
        let receipt =
            self.receipts.expect(Awaited::Finish(calls.into_iter().map(|call| call.done).collect()));
        self.connection.queue(client_frames::commit(transaction).with_receipt(receipt))?;
        Ok(())
    }

    /// Undoes a transaction with a refused reply. The others are sent again.
    fn abort(&mut self, transaction: u64, group: Group) -> Result<(), Error> {
        self.connection.queue(client_frames::abort(transaction))?;
        for (done, refusal) in group.refused {
            answer(done, Err(refusal));
        }
        self.groups.put_back(group.accepted);
        Ok(())
    }

    /// Acknowledges a message, outside of a transaction.
    pub(super) fn acknowledge(&mut self, ack: &AckToken, done: Answer) -> Result<(), Error> {
        let receipt = self.receipts.expect(Awaited::Finish(vec![done]));
        self.connection.queue(client_frames::ack(ack.id()).with_receipt(receipt))?;
        Ok(())
    }
}

//! One delivery, from its arrival to its reply.

use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use tracing::{error, info, warn};

use super::consumer_handle::ConsumerHandle;
use super::lease_keeper::LeaseKeeper;
use super::memory_limit::{MemoryPermit, OutOfMemory};
use super::reply_queue::may_reply_to;
use super::turn::Turn;
use super::{Shared, redelivery};
use crate::functions::{Function, PriorRun};
use net::memory::Share;
use soar::{FunctionCall, reply};
use stomp::{Delivery, Reply, ReplyBody};

/// ActiveMQ refuses headers of more than 10 KiB, escapes included.
const MAX_HEADER: usize = 4096;

/// A call during whose runs this many processes ended is not run again.
const MOST_INTERRUPTIONS: u32 = 3;

/// A delivery that is new to this process, and the consumer that received it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) consumer: ConsumerHandle,
    pub(super) delivery: Delivery,
    pub(super) prior_run: PriorRun,
    /// Whether the message wants its reply where none may go; then its call is not run.
    is_foreign: bool,
    /// The memory that its answers and its reply take, until the reply is sent.
    pub(super) memory: Share,
}

impl Call {
    pub(super) fn new(consumer: ConsumerHandle, delivery: Delivery) -> Self {
        let prior_run = redelivery::prior_run(&delivery, consumer.soar.clock_difference(), Utc::now());
        let memory = consumer.shared.answers.share();
        Self { consumer, delivery, prior_run, is_foreign: false, memory }
    }

    /// Runs the call and sends its reply.
    pub(super) async fn run(mut self, memory: Result<MemoryPermit, OutOfMemory>) {
        self.drop_unsendable_headers();
        // The slot is free again before the reply is sent: a broker that takes no reply must not block the next call.
        let Some(body) = self.reply_body(memory).await else { return };
        self.store_reply(body);
        super::reply::send(&self.consumer, &self.delivery.message_id).await;
    }

    /// Removes headers that no reply can carry: ActiveMQ closes the connection over them, each time. Removes a reply
    /// destination that is not SOAR's.
    fn drop_unsendable_headers(&mut self) {
        let Delivery { reply_to, correlation_id, destination, damage, .. } = &mut self.delivery;
        let is_sendable = |destination: &String| {
            destination.len() <= MAX_HEADER && !matches!(&**destination, "/queue/" | "/topic/" | "")
        };
        if reply_to.take_if(|destination| !is_sendable(destination)).is_some() {
            warn!("the message names a reply destination that cannot be sent to the broker");
        }
        let others = self.consumer.shared.services();
        let others = &others.settings.reply_queues;
        let organisation = self.consumer.soar.org_id();
        // The destination of a message that cannot be read completely may be unknown.
        let destination = damage.is_none().then_some(&**destination);
        let is_foreign = |reply_to: &mut String| !may_reply_to(reply_to, destination, organisation, others);
        if let Some(foreign) = reply_to.take_if(is_foreign) {
            error!(
                reply_to = foreign,
                destination,
                "the message wants its reply in a queue that is not SOAR's for it (stomp_reply_queues); its call is not run"
            );
            self.is_foreign = true;
        }
        if correlation_id.take_if(|id| id.len() > MAX_HEADER).is_some() {
            warn!("the message has a correlation id that is too long for a reply; it is left out");
        }
    }

    /// Returns the body of the final reply, or `None` if this delivery needs none: its message is left to another.
    async fn reply_body(&mut self, memory: Result<MemoryPermit, OutOfMemory>) -> Option<ReplyBody> {
        let _memory = match memory {
            Ok(permit) => permit,
            // A refused call needs no slot.
            Err(full) => {
                self.may_begin()?;
                warn!(reason = %full, "call refused");
                self.consumer.shared.metrics.not_a_call();
                return Some(reply::failed(&full.to_string()).into());
            }
        };
        let shared = Arc::clone(&self.consumer.shared);
        let interruptions = self.interruptions().await;
        if interruptions >= MOST_INTERRUPTIONS {
            self.may_begin()?;
            error!(interruptions, "the process ended each time this call was in work; it is not run again");
            shared.metrics.not_a_call();
            return Some(reply::failed(&given_up(interruptions)).into());
        }
        let turn = self.turn(interruptions).await;
        let _slot = self.consumer.slot(&self.delivery).await?;
        let _turn = turn.map(|turn| turn.begin(interruptions));
        self.may_begin()?;
        if self.is_foreign {
            shared.metrics.not_a_call();
            return Some(Bytes::new().into());
        }
        let mark = shared.marks.begin(&self.delivery.message_id).await;
        let body = self.work().await;
        match (mark, &body) {
            (Some(mark), Some(_)) => mark.answered().await,
            (Some(mark), None) => mark.left().await,
            (None, _) => {}
        }
        body
    }

    /// Returns how many earlier runs of the call ended with their process.
    async fn interruptions(&self) -> u32 {
        match self.prior_run {
            PriorRun::None => 0,
            PriorRun::Possible | PriorRun::Likely => {
                self.consumer.shared.marks.interruptions(&self.delivery.message_id).await
            }
        }
    }

    /// Waits for the turn of a call that may have ended a process. Without marks, this may be any that was delivered
    /// before.
    async fn turn(&self, interruptions: u32) -> Option<Turn> {
        let Shared { marks, turns, .. } = &*self.consumer.shared;
        if interruptions == 0 && (marks.are_kept() || !self.delivery.redelivered) {
            return None;
        }
        if interruptions > 0 {
            warn!(interruptions, "a process ended while this call was in work; such calls begin one by one");
        }
        tokio::select! {
            biased;
            // The slot decides what becomes of the call.
            () = self.consumer.closing.cancelled() => None,
            turn = turns.next() => turn,
        }
    }

    /// Reads the call and runs it.
    async fn work(&mut self) -> Option<ReplyBody> {
        let size = self.delivery.body.len();
        match self.parse() {
            Ok(call) => self.run_leased(call, size).await,
            Err(reason) => {
                self.consumer.shared.metrics.not_a_call();
                Some(reply::failed(&reason).into())
            }
        }
    }

    /// Whether the message is still this worker's; `None` if the broker took it back while it waited for a slot.
    fn may_begin(&self) -> Option<()> {
        let may_begin = self.consumer.shared.ledger.may_begin(&self.delivery.message_id);
        if !may_begin {
            info!(
                "the connection was lost before the call began; the worker that gets the message next runs it"
            );
        }
        may_begin.then_some(())
    }

    /// Reads the function call from the message; an error is for the analyst.
    fn parse(&mut self) -> Result<FunctionCall, String> {
        if let Some(damage) = self.delivery.damage.take() {
            warn!(damage, "the message cannot be read");
            return Err(format!("The message of this call cannot be read, so nothing was done: {damage}."));
        }
        FunctionCall::parse(&std::mem::take(&mut self.delivery.body)).map_err(|error| {
            warn!(%error, "not a function call");
            error.to_string()
        })
    }

    /// Runs the call, whose message has `size` bytes, while it holds its message; `None` if another worker has the
    /// message.
    async fn run_leased(&self, call: FunctionCall, size: usize) -> Option<ReplyBody> {
        let function = Function::named(&call.function);
        let abandoned: Option<ReplyBody> = match LeaseKeeper::begin(&self.consumer, &self.delivery) {
            None => None,
            Some((keeper, lease)) => tokio::select! {
                biased;
                body = async {
                    // The inputs of a large message exist several times while its call runs.
                    self.memory.keep(size).await;
                    self.run_function_call(function, call, lease).await
                } => return body,
                () = keeper.until_abandoned() => None,
            },
        };
        self.consumer.shared.metrics.abandoned(function);
        warn!("abandoned: the message has gone to another worker");
        abandoned
    }

    /// Stores the final reply in the ledger, so that it survives the connection.
    fn store_reply(&self, body: ReplyBody) {
        let Delivery { message_id, reply_to, correlation_id, .. } = &self.delivery;
        let reply = reply_to.clone().map(|destination| Reply {
            destination,
            correlation_id: correlation_id.clone(),
            body,
        });
        if reply.is_none() {
            warn!("the message names no reply destination; it is only acknowledged");
        }
        self.consumer.shared.ledger.finished(message_id, reply);
    }

    pub(super) fn correlation_id(&self) -> &str {
        self.delivery.correlation_id.as_deref().unwrap_or(&self.delivery.message_id)
    }
}

/// The error for a call that is not run again.
fn given_up(interruptions: u32) -> String {
    format!(
        "The integration's process ended {interruptions} times while it was at work on this call, so the call is not \
         run again. What it had done until then stays done. Ask for less, for instance by more criteria or fewer \
         messages, or ask the operator why the process ended: its log, or that of systemd or App Host, says more."
    )
}

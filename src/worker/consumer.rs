//! The consumer of one broker session, from its first delivery to its last reply.
//!
//! While a session replaces another, both have a consumer. They share slots and ledger, so a message that is delivered
//! again over the other session is recognised.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{Instrument, debug, field, info, info_span, warn};

use super::call::Call;
use super::consumer_handle::ConsumerHandle;
use super::ledger::Admission;
use super::{Mode, Shared, reply};
use stomp::{Delivery, Session};

/// How long running calls may go on after [`Mode::Stopping`]. App Host and systemd kill a process that takes longer
/// than half a minute.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// How long a draining session holds back new messages, so that it can end and they go to its successor.
const HOLD_BACK: Duration = Duration::from_secs(1);

/// How long a draining session goes on taking new messages. A stream of long calls must not keep it indefinitely.
const DRAIN_WITHIN: Duration = Duration::from_secs(600);

/// Receives the deliveries of one session and runs a task for each.
#[derive(Debug)]
pub(super) struct Consumer {
    handle: ConsumerHandle,
    deliveries: mpsc::Receiver<Delivery>,
    mode: watch::Receiver<Mode>,
    /// The calls and replies of the deliveries.
    tasks: JoinSet<()>,
    /// Those that were still running when draining ended.
    earlier: JoinSet<()>,
}

impl Consumer {
    pub(super) fn new(
        shared: &Arc<Shared>,
        session: Session,
        soar: soar::Client,
        deliveries: mpsc::Receiver<Delivery>,
        mode: watch::Receiver<Mode>,
    ) -> Self {
        let handle = ConsumerHandle::new(shared, session, soar);
        Self { handle, deliveries, mode, tasks: JoinSet::new(), earlier: JoinSet::new() }
    }

    /// Takes deliveries until the mode changes; finishes the calls that have begun.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.handle.shared);
        let number = self.handle.session.number();
        shared.sessions.lock().insert(number, self.handle.session.clone());
        self.take_while(Mode::Serving).await;
        if self.is_draining() {
            self.handle.replaced.cancel();
            self.drain().await;
        }
        self.finish().await;
        shared.sessions.lock().remove(&number);
    }

    fn is_draining(&self) -> bool {
        *self.mode.borrow() == Mode::Draining
    }

    /// Takes deliveries while the mode is `current` and the session delivers.
    async fn take_while(&mut self, current: Mode) {
        let mut mode = self.mode.clone();
        let mut changed = pin!(changed_from(&mut mode, current));
        loop {
            tokio::select! {
                () = &mut changed => return,
                delivery = self.deliveries.recv() => match delivery {
                    Some(delivery) => self.receive(delivery),
                    None => return,
                },
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Looks for a moment in which no call runs, so that the session can end.
    ///
    /// A session cannot end before its last call does, and until then the broker goes on delivering messages over it.
    /// Those must not wait, so each round takes new ones until the calls of the round before have ended.
    async fn drain(&mut self) {
        let until = Instant::now() + DRAIN_WITHIN;
        while self.is_draining() && Instant::now() < until {
            let mut earlier = mem::take(&mut self.tasks);
            let ended = tokio::select! {
                () = self.take_while(Mode::Draining) => false,
                () = async { while earlier.join_next().await.is_some() {} } => true,
            };
            if !ended {
                self.earlier = earlier;
                return;
            }
            if self.quiesce().await {
                return;
            }
        }
    }

    /// Waits a moment for the running calls while holding new messages back. Returns whether all calls have ended; the
    /// messages that were held back then go back to the queue. Otherwise they are taken.
    async fn quiesce(&mut self) -> bool {
        let mut held_back = Vec::new();
        let until = Instant::now() + HOLD_BACK;
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(_) = self.tasks.join_next() => {}
                Some(delivery) = self.deliveries.recv() => {
                    if self.handle.shared.ledger.knows(&delivery.message_id) {
                        self.receive(delivery);
                    } else {
                        held_back.push(delivery);
                    }
                }
                () = sleep_until(until) => {
                    for delivery in held_back {
                        self.receive(delivery);
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Lets the calls that have begun end and reply: within a bound, unless the session drains.
    async fn finish(&mut self) {
        let running = self.handle.running.clone();
        self.handle.closing.cancel();
        info!(running = running.get(), "taking no more calls");
        let mut mode = self.mode.clone();
        let mut ended = pin!(self.await_replies());
        tokio::select! {
            () = &mut ended => return,
            () = changed_from(&mut mode, Mode::Draining) => {}
        }
        if timeout(STOP_WITHIN, ended).await.is_err() {
            let running = running.get();
            warn!(running, "calls did not finish in time; they stay in the queue for the next worker");
        }
    }

    /// Waits until every call has ended and replied. If the connection breaks meanwhile, a reply can be sent only
    /// when its message is delivered again, so known messages are still received. New ones stay in the queue.
    async fn await_replies(&mut self) {
        loop {
            let awaited = self.handle.shared.ledger.redelivery_awaited_until();
            if self.earlier.is_empty() && self.tasks.is_empty() && awaited.is_none() {
                return;
            }
            tokio::select! {
                Some(_) = self.earlier.join_next() => {}
                Some(_) = self.tasks.join_next() => {}
                Some(delivery) = self.deliveries.recv() => {
                    if self.handle.shared.ledger.knows(&delivery.message_id) {
                        self.receive(delivery);
                    }
                }
                () = sleep_until(awaited.unwrap_or_else(Instant::now)), if awaited.is_some() => {}
                else => return,
            }
        }
    }

    /// Starts what a delivery asks for: a new call, or the reply of one that was delivered before.
    fn receive(&mut self, delivery: Delivery) {
        let Delivery { message_id, redelivered, .. } = &delivery;
        // The connection broke while the delivery waited here. The message is delivered again, or already was, with an
        // ACK token that is valid.
        if !*delivery.ack.valid().borrow() {
            return debug!(message_id, "delivered over a connection that is lost; it is delivered again");
        }
        let handle = self.handle.clone();
        let admission = handle.shared.ledger.admit(message_id, delivery.ack.clone());
        handle.shared.metrics.delivered((&admission).into(), *redelivered);
        match admission {
            Admission::Run => self.start(delivery),
            Admission::UnderWay => debug!(message_id, "delivered again while its call is running"),
            Admission::ReplyAgain { losses } => {
                info!(
                    message_id,
                    redelivered, "delivered again after its call ended; sending the stored reply"
                );
                self.tasks
                    .spawn(async move { reply::send_again(&handle, &delivery.message_id, losses).await });
            }
            Admission::AcknowledgeAgain => {
                info!(
                    message_id,
                    redelivered, "delivered again after its reply was confirmed; acknowledging"
                );
                self.tasks.spawn(async move { reply::acknowledge(&handle, &delivery.ack).await });
            }
        }
    }

    fn start(&mut self, delivery: Delivery) {
        let span = info_span!(
            "call",
            correlation_id = delivery.correlation_id.as_deref().unwrap_or(&delivery.message_id),
            function = field::Empty,
            incident = field::Empty,
            principal = field::Empty,
            workflow = field::Empty,
            workflow_instance = field::Empty,
            playbook = field::Empty,
            playbook_id = field::Empty,
            playbook_instance = field::Empty,
        );
        // Reserved now, not when the task first runs, so that the deliveries count in the order in which they came.
        let memory = self.handle.shared.memory.reserve(delivery.size());
        let call = Call::new(self.handle.clone(), delivery);
        self.tasks.spawn(call.run(memory).instrument(span));
    }
}

/// Waits until the mode is no longer `current`, or can no longer change.
async fn changed_from(mode: &mut watch::Receiver<Mode>, current: Mode) {
    let _ = mode.wait_for(|now| *now != current).await;
}

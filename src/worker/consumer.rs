//! A shift: the work on the deliveries of one session, from the first to the last reply.
//!
//! Shifts of several sessions may be at work at once, when a session takes over from another. They share places
//! and ledger, so a message that comes again over another session than before is the same one.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Mode, Shared, Worker};
use net::metrics::{Gauge, Held};
use stomp::{AckToken, Delivery, NotConfirmed, Reply, Session};

/// How long running calls may go on after the worker was told to stop. App Host and systemd kill what takes
/// longer than half a minute.
const SHUTDOWN_BOUND: Duration = Duration::from_secs(20);

/// How long a message may wait for a session to end that hands over.
const HELD_BACK: Duration = Duration::from_secs(1);

/// How long a session that hands over goes on taking what the broker hands it. A stream of long calls must not keep it
/// for ever.
const HANDS_OVER_WITHIN: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Consumer {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Session,
    pub(super) soar: soar::Client,
    /// Another session takes the calls.
    pub(super) replaced: CancellationToken,
    /// No call begins any more.
    leaving: CancellationToken,
    /// Calls that have a place.
    running: Arc<Gauge>,
}

/// A call's place, and that it counts as running.
pub(super) struct Running {
    _place: OwnedSemaphorePermit,
    _counted: [Held; 2],
}

impl Consumer {
    pub(super) fn new(worker: &Worker, session: Session, soar: soar::Client) -> Self {
        let shared = Arc::clone(&worker.shared);
        let (replaced, leaving) = (CancellationToken::new(), CancellationToken::new());
        Self { shared, session, soar, replaced, leaving, running: Arc::default() }
    }

    /// Takes deliveries until its duty is another; what was begun then is ended and answered.
    pub(super) async fn run(self, mut deliveries: mpsc::Receiver<Delivery>, mut duty: watch::Receiver<Mode>) {
        self.sessions().insert(self.session.number(), self.session.clone());
        let (mut earlier, mut tasks) = (JoinSet::new(), JoinSet::new());
        self.serve(&mut deliveries, &mut duty, Mode::Serving, &mut tasks).await;
        if *duty.borrow() == Mode::Draining {
            self.replaced.cancel();
        }
        // Until the last call ends, this session cannot, and the broker goes on handing out messages over it. They must
        // not wait for that.
        let until = Instant::now() + HANDS_OVER_WITHIN;
        while *duty.borrow() == Mode::Draining && Instant::now() < until {
            std::mem::swap(&mut earlier, &mut tasks);
            tokio::select! {
                () = self.serve(&mut deliveries, &mut duty, Mode::Draining, &mut tasks) => break,
                () = async { while earlier.join_next().await.is_some() {} } => {}
            }
            if self.drain_quiesced(&mut deliveries, &mut tasks).await {
                break;
            }
        }
        self.leaving.cancel();
        info!(running = self.running.get(), "taking no more calls");
        let mut begun = [earlier, tasks];
        let drain = self.drain(&mut deliveries, &mut begun);
        if *duty.borrow() == Mode::Draining {
            tokio::pin!(drain);
            tokio::select! {
                () = &mut drain => {}
                () = no_longer(&mut duty, Mode::Draining) => self.within_bound(drain).await,
            }
        } else {
            self.within_bound(drain).await;
        }
        self.sessions().remove(&self.session.number());
    }

    /// Takes deliveries while its duty is `duty` and there are any.
    async fn serve(
        &self,
        deliveries: &mut mpsc::Receiver<Delivery>,
        duty: &mut watch::Receiver<Mode>,
        current: Mode,
        tasks: &mut JoinSet<()>,
    ) {
        let mut changed = std::pin::pin!(no_longer(duty, current));
        loop {
            tokio::select! {
                () = &mut changed => return,
                delivery = deliveries.recv() => match delivery {
                    Some(delivery) => self.take(delivery, tasks),
                    None => return,
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    /// Whether what runs ends in a moment when nothing new is begun. Where it does not, what came meanwhile is.
    async fn drain_quiesced(
        &self,
        deliveries: &mut mpsc::Receiver<Delivery>,
        tasks: &mut JoinSet<()>,
    ) -> bool {
        let mut held_back = Vec::new();
        let until = Instant::now() + HELD_BACK;
        while !tasks.is_empty() {
            tokio::select! {
                Some(_) = tasks.join_next() => {}
                Some(delivery) = deliveries.recv() => {
                    if self.shared.ledger.knows(&delivery.message_id) {
                        self.take(delivery, tasks);
                    } else {
                        held_back.push(delivery);
                    }
                }
                () = sleep_until(until) => {
                    for delivery in held_back {
                        self.take(delivery, tasks);
                    }
                    return false;
                }
            }
        }
        // They go back to the queue.
        true
    }

    async fn within_bound(&self, drain: impl Future<Output = ()>) {
        if timeout(SHUTDOWN_BOUND, drain).await.is_err() {
            let running = self.running.get();
            warn!(running, "calls did not finish in time; they stay in the queue for the next worker");
        }
    }

    /// Lets what runs end and reply. Deliveries are still looked at: when the connection breaks meanwhile, only
    /// the message that comes again can be answered. One that is new to us stays in the queue.
    async fn drain(
        &self,
        deliveries: &mut mpsc::Receiver<Delivery>,
        [earlier, tasks]: &mut [JoinSet<()>; 2],
    ) {
        loop {
            let awaited = self.shared.ledger.redelivery_awaited_until();
            if earlier.is_empty() && tasks.is_empty() && awaited.is_none() {
                return;
            }
            tokio::select! {
                Some(_) = earlier.join_next() => {}
                Some(_) = tasks.join_next() => {}
                Some(delivery) = deliveries.recv() => {
                    if self.shared.ledger.knows(&delivery.message_id) {
                        self.take(delivery, tasks);
                    }
                }
                () = sleep_until(awaited.unwrap_or_else(Instant::now)), if awaited.is_some() => {}
                else => return,
            }
        }
    }

    /// Waits for a place to run the delivery in; `None` where it is not to be run, because the shift ends first and
    /// the message goes back to the queue.
    pub(super) async fn place(&self, delivery: &Delivery) -> Option<Running> {
        let place = tokio::select! {
            biased;
            () = self.leaving.cancelled() => None,
            place = self.shared.places.take() => Some(place?),
        };
        let place = match place {
            Some(place) => place,
            None if self.shared.ledger.give_back(&delivery.message_id, self.session.number()) => return None,
            // It has come again over another session, which relies on us.
            None => self.shared.places.take().await?,
        };
        let counted = [&self.running, &self.shared.meters.in_flight].map(Gauge::hold);
        Some(Running { _place: place, _counted: counted })
    }

    /// Sends a final reply and its ACK over the session that the ACK is of.
    pub(super) async fn finish(&self, ack: &AckToken, reply: Option<Reply>) -> Result<(), NotConfirmed> {
        let session = self.sessions().get(&ack.session()).cloned();
        let replying = reply.is_some();
        let outcome = match session {
            Some(session) => session.finish(ack, reply).await,
            None => Err(NotConfirmed::Closed),
        };
        if replying {
            self.shared.meters.replied(&outcome);
        }
        outcome
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<u64, Session>> {
        self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the duty is not `duty` any more, or nobody is left to change it.
async fn no_longer(watched: &mut watch::Receiver<Mode>, duty: Mode) {
    let _ = watched.wait_for(|now| *now != duty).await;
}

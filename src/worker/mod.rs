//! The worker: takes deliveries, runs the calls in them side by side, and sees to it that each is answered.
//!
//! A delivery is never dropped: what is no call of ours gets an error reply and is acknowledged; a call that
//! fails, or even panics, gets an error reply and disturbs no other. The ledger says what happens when the
//! broker delivers again.

mod consumer;
mod lease_keeper;
mod ledger;
mod metrics;
mod redelivery;
mod replies;
mod slots;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, error, field, info, info_span, warn};

use crate::audit::{Initiator, Trail};
use crate::config::{CallLimits, GuardSettings, WorkerSettings};
use crate::functions::{Call, Context, Function, Inputs, Lease, Outcome, Status};
use crate::guard::Guard;
use soar::{FunctionCall, Results, reply};
use stomp::{Delivery, Reply, Session};

use consumer::Consumer;
use lease_keeper::LeaseKeeper;
use ledger::{Admission, Ledger};
pub use metrics::{Arrival, Called, Ended, Meters, Sending};
use slots::Slots;

/// Why a call failed, for each of its two readers: the log must not quote what is investigated.
struct Failed {
    for_analyst: String,
    for_log: String,
}

/// The deliveries that are worked on or wait for a place hold no more bytes than this, unless one alone does.
const MOST_HELD: usize = 512 << 20;

/// ActiveMQ takes no header over 10 KiB, escapes included.
const LONGEST_HEADER: usize = 4096;

/// The room that a delivery takes, until it is answered.
struct MemoryPermit {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What calls are worked on with. A call keeps what it began with.
#[derive(Debug, Clone)]
pub struct Services {
    /// Microsoft Graph.
    pub graph: graph::Client,
    /// How far a call goes.
    pub limits: CallLimits,
    /// What calls may change.
    pub rails: Arc<GuardSettings>,
    /// Where it is put on record.
    pub trail: Trail,
    /// How many calls at once, and what becomes of those that fail.
    pub settings: WorkerSettings,
}

/// What is asked of the work on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To take calls.
    Serving,
    /// To end: another session takes the calls now. What was begun is ended and answered, however long it takes.
    Draining,
    /// To end within a bound, the whole program with it.
    Stopping,
}

/// Works on calls, of one session or, while one takes over from another, of several at once. Clones are the same.
#[derive(Debug, Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    equipment: RwLock<Arc<Services>>,
    ledger: Ledger,
    meters: Arc<Meters>,
    places: Slots,
    /// Bytes of the deliveries that are worked on or wait for a place.
    held: AtomicUsize,
    /// The sessions that are served, by their numbers.
    sessions: Mutex<BTreeMap<u64, Session>>,
}

impl Worker {
    /// A worker that nobody gives calls to yet.
    pub fn new(equipment: Services) -> Self {
        let places = Slots::new(equipment.settings.num_workers);
        let shared = Shared {
            held: AtomicUsize::new(0),
            equipment: RwLock::new(Arc::new(equipment)),
            ledger: Ledger::default(),
            meters: Arc::default(),
            places,
            sessions: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Gives other equipment to the calls that begin from now on.
    pub fn reconfigure(&self, equipment: Services) {
        self.shared.places.resize(equipment.settings.num_workers);
        *self.shared.equipment.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(equipment);
    }

    /// What calls that begin now are worked on with.
    pub fn equipment(&self) -> Arc<Services> {
        self.shared.equipment()
    }

    /// What it counts.
    pub fn meters(&self) -> &Meters {
        &self.shared.meters
    }

    /// Takes the deliveries of `session`, whose notes and files go to `soar`, for as long as that is its duty; then
    /// lets the running calls finish and reply. What does not finish stays in the queue for the next worker.
    pub async fn serve(
        &self,
        session: Session,
        deliveries: mpsc::Receiver<Delivery>,
        soar: soar::Client,
        duty: watch::Receiver<Mode>,
    ) {
        Consumer::new(self, session, soar).run(deliveries, duty).await;
    }

    /// Lets no call begin any more, over whatever session. Those that are served are to be told to stop.
    pub fn close(&self) {
        self.shared.places.close();
    }
}

impl Shared {
    fn equipment(&self) -> Arc<Services> {
        Arc::clone(&self.equipment.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Consumer {
    fn take(&self, delivery: Delivery, tasks: &mut JoinSet<()>) {
        let Delivery { message_id, redelivered, .. } = &delivery;
        // It waited to be taken until its connection was lost. It comes again, and may have already, with an ACK that
        // is worth more.
        if !*delivery.ack.valid().borrow() {
            return debug!(message_id, "delivered over a connection that is lost by now; it comes again");
        }
        let worker = self.clone();
        let admission = self.shared.ledger.admit(message_id, delivery.ack.clone());
        self.shared.meters.delivered(&admission, *redelivered);
        match admission {
            Admission::Run => {
                let span = info_span!(
                    "call",
                    correlation_id = delivery.correlation_id.as_deref().unwrap_or(message_id),
                    function = field::Empty,
                    incident = field::Empty,
                    principal = field::Empty,
                    workflow = field::Empty,
                    workflow_instance = field::Empty,
                );
                let held = self.hold(&delivery);
                tasks.spawn(async move { worker.work(delivery, held).await }.instrument(span));
            }
            Admission::UnderWay => debug!(message_id, "delivered again while it is being worked on"),
            Admission::ReplyAgain { losses } => {
                info!(message_id, redelivered, "delivered again after it was done; sending the stored reply");
                tasks.spawn(async move { worker.reply_again(&delivery.message_id, losses).await });
            }
            Admission::AcknowledgeAgain => {
                info!(message_id, redelivered, "delivered again after it was answered; acknowledging");
                tasks.spawn(async move { worker.acknowledge(&delivery.ack).await });
            }
        }
    }

    /// Makes room for a delivery, or says why there is none. A broker that keeps to the prefetch hands out no more
    /// messages than that, but they may be large; one that does not keep to it must not fill the memory.
    fn hold(&self, delivery: &Delivery) -> Result<MemoryPermit, String> {
        let bytes = delivery.size();
        let held = MemoryPermit { shared: Arc::clone(&self.shared), bytes };
        let before = self.shared.held.fetch_add(bytes, Ordering::Relaxed);
        if before > 0 && before + bytes > MOST_HELD {
            return Err(format!(
                "The integration is at work on {} MiB of calls and takes no more before some of them end, so the \
                 function was not run. Run it again later.",
                before >> 20
            ));
        }
        Ok(held)
    }

    async fn work(&self, mut delivery: Delivery, held: Result<MemoryPermit, String>) {
        can_be_answered(&mut delivery);
        // What is refused takes no place.
        let running = if held.is_ok() { self.place(&delivery).await } else { None };
        if held.is_ok() && running.is_none() {
            return;
        }
        if !self.shared.ledger.may_begin(&delivery.message_id) {
            info!("the connection was lost before the call began; whoever gets the message again runs it");
            return;
        }
        let body = match (held, delivery.damage.take()) {
            (Err(reason), _) => {
                warn!(reason, "call refused");
                self.shared.meters.no_call();
                reply::failed(&reason)
            }
            (Ok(_held), Some(damage)) => {
                warn!(damage, "the message cannot be read");
                self.shared.meters.no_call();
                reply::failed(&format!(
                    "The message of this call cannot be read, so nothing was done: {damage}."
                ))
            }
            (Ok(_held), None) => {
                let parsed = FunctionCall::parse(&std::mem::take(&mut delivery.body));
                match parsed {
                    Ok(call) => {
                        let function = Function::named(&call.function);
                        let Some(body) = self.call(&delivery, call).await else {
                            self.shared.meters.abandoned(function);
                            warn!("abandoned: the message has gone to another worker");
                            return;
                        };
                        body
                    }
                    Err(error) => {
                        warn!(%error, "not a function call");
                        self.shared.meters.no_call();
                        reply::failed(&error.to_string())
                    }
                }
            }
        };
        let Delivery { message_id, reply_to, correlation_id, .. } = delivery;
        let reply = reply_to.map(|destination| Reply { destination, correlation_id, body });
        if reply.is_none() {
            warn!("the message says nowhere to reply to; it is only acknowledged");
        }
        self.shared.ledger.finished(&message_id, reply);
        // A broker that takes no reply must not keep the next call from its place.
        drop(running);
        self.reply(&message_id).await;
    }

    /// Runs a call as long as it is ours; returns its final reply.
    async fn call(&self, delivery: &Delivery, call: FunctionCall) -> Option<Bytes> {
        let Shared { ledger, places, .. } = &*self.shared;
        let Delivery { message_id, ack, .. } = delivery;
        let replaced = self.replaced.clone();
        let (tenure, claim) =
            LeaseKeeper::begin(&self.session, replaced, ledger, places.wanted(), message_id, ack)?;
        tokio::select! {
            biased;
            reply = self.run_call(delivery, call, claim) => Some(reply),
            () = tenure.until_abandoned() => None,
        }
    }

    /// Runs a call to its end; returns its final reply.
    async fn run_call(&self, delivery: &Delivery, call: FunctionCall, claim: Lease) -> Bytes {
        let inputs = Inputs::new(call.inputs);
        let span = Span::current();
        span.record("function", &call.function);
        span.record("incident", inputs.incident());
        span.record("principal", call.caller.principal.as_deref());
        span.record("workflow", call.caller.workflow.as_deref());
        span.record("workflow_instance", call.caller.workflow_instance);
        let Some(function) = Function::named(&call.function) else {
            warn!("unknown function");
            self.shared.meters.no_call();
            return reply::failed(&format!(
                "This integration has no function \"{}\", so nothing was done.",
                call.function
            ));
        };
        info!(redelivered = delivery.redelivered, "call started");
        let started = Instant::now();
        let equipment = self.shared.equipment();
        let asker = Initiator {
            principal: call.caller.principal,
            incident: inputs.incident(),
            workflow: call.caller.workflow,
            workflow_instance: call.caller.workflow_instance,
            correlation_id: Some(delivery.correlation_id.as_ref().unwrap_or(&delivery.message_id).clone()),
            function: Some(call.function.clone()),
        };
        let outcome = self.watch(delivery, function, &inputs, claim, &equipment, asker).await;
        let execution_time = started.elapsed();
        let elapsed_ms = execution_time.as_millis();
        self.shared.meters.ended(function, ended(&outcome), execution_time);
        match outcome {
            Ok(Outcome { success, reason, reason_for_log, content, pretty }) => {
                let said = reason_for_log.as_ref().or(reason.as_ref());
                info!(success, reason = said, elapsed_ms, "call completed");
                let results = Results {
                    success,
                    reason: reason.as_deref(),
                    content: &content,
                    pretty: pretty.as_deref(),
                    inputs: &call.raw_inputs,
                    execution_time,
                };
                let most = equipment.limits.max_reply;
                reply::completed(&results, most).unwrap_or_else(|_| too_large(most))
            }
            Err(Failed { for_analyst, for_log }) => {
                error!(error = for_log, elapsed_ms, "call failed");
                if equipment.settings.trap_exception {
                    reply::trapped(&call.function, &for_analyst)
                } else {
                    reply::failed(&for_analyst)
                }
            }
        }
    }

    /// Runs the function, and hands on its status messages meanwhile.
    async fn watch(
        &self,
        delivery: &Delivery,
        function: Function,
        inputs: &Inputs,
        claim: Lease,
        equipment: &Services,
        asker: Initiator,
    ) -> Result<Outcome, Failed> {
        let (status, mut statuses) = Status::channel();
        let call = Call {
            id: delivery.message_id.clone(),
            asked_at: delivery.sent_at,
            before: redelivery::before(delivery),
        };
        let context = Context {
            graph: equipment.graph.clone(),
            sink: self.soar.clone().into(),
            call,
            lease: claim,
            guard: Guard::new(Arc::clone(&equipment.rails), equipment.trail.clone(), asker),
            limits: equipment.limits,
            status,
        };
        let run = async {
            let ended = AssertUnwindSafe(function.run(&context, inputs)).catch_unwind().await;
            // Nobody is left to say anything, so the other half ends when it has told all.
            drop(context);
            ended
        };
        // Side by side: a broker that is slow to take a status must not hold up the work.
        let tell = async {
            while let Some(text) = statuses.recv().await {
                self.tell(delivery, &text).await;
            }
        };
        let (ended, ()) = tokio::join!(run, tell);
        let Ok(outcome) = ended else {
            // The log has noted where.
            let for_analyst = "An error in the integration itself ended the function; its log says more. What it \
                               had done until then is not known.";
            return Err(Failed {
                for_analyst: for_analyst.to_owned(),
                for_log: "the function panicked".to_owned(),
            });
        };
        outcome.map_err(|error| Failed { for_analyst: error.to_string(), for_log: error.for_log() })
    }

    /// Sends a status message. It may get lost with a connection; the final reply may not.
    async fn tell(&self, delivery: &Delivery, text: &str) {
        info!(status = text, "progress");
        if let Some(destination) = &delivery.reply_to {
            let status = Reply {
                destination: destination.clone(),
                correlation_id: delivery.correlation_id.clone(),
                body: reply::status(text),
            };
            if let Err(error) = self.session.send(status).await {
                debug!(%error, "status message not sent");
            }
        }
    }
}

/// Takes from a delivery what no answer may carry: ActiveMQ closes the connection over it, each time.
fn can_be_answered(delivery: &mut Delivery) {
    let Delivery { reply_to, correlation_id, .. } = delivery;
    let is_fit =
        |place: &String| place.len() <= LONGEST_HEADER && !matches!(&**place, "/queue/" | "/topic/" | "");
    if reply_to.take_if(|place| !is_fit(place)).is_some() {
        warn!("the message wants its answer somewhere that cannot be named to the broker");
    }
    if correlation_id.take_if(|id| id.len() > LONGEST_HEADER).is_some() {
        warn!("the message has a correlation id that is too long for an answer; it is left out");
    }
}

fn ended(outcome: &Result<Outcome, Failed>) -> Ended {
    match outcome {
        Ok(Outcome { success: true, .. }) => Ended::Succeeded,
        Ok(Outcome { success: false, .. }) => Ended::Unsuccessful,
        Err(_) => Ended::Failed,
    }
}

/// What SOAR gets in place of results that no reply may carry.
fn too_large(most: usize) -> Bytes {
    let most = most >> 20;
    error!(
        max_reply_mb = most,
        "the results are larger than a reply may be; answering with an error instead"
    );
    reply::failed(&format!(
        "The function ended, but its results are larger than a reply may be ({most} MiB, max_reply_mb). What \
         the function did stays done. Ask for less: a query with more criteria, or a lower max_messages."
    ))
}

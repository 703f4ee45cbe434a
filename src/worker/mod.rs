//! The worker: receives deliveries, runs their calls concurrently, and makes sure that each one gets a reply.
//!
//! ```text
//!  Worker      what all sessions share: services, ledger, slots, memory budget, metrics
//!   └ Consumer   one broker session, from the first delivery to the last reply
//!      └ Call      one delivery, from its arrival to its reply
//!         └ LeaseKeeper   knows whether the call still holds its message
//! ```
//!
//! No delivery is dropped. A message that is not a call for this integration gets an error reply and is acknowledged.
//! A call that fails, or panics, gets an error reply and does not disturb the others. The `ledger` decides what
//! happens when the broker delivers a message again. A call that was in work when a process ended begins when it is its
//! `turn`; the `call_marks` count how often that was.

mod call;
mod call_marks;
mod consumer;
mod consumer_handle;
mod function_run;
pub mod fuzzing;
mod lease_keeper;
mod ledger;
mod memory_limit;
mod metrics;
mod redelivery;
mod reply;
mod reply_queue;
mod slots;
mod termination;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, watch};

use crate::audit::Trail;
use crate::config::{CallLimits, WorkerSettings};
use crate::guard::{ChangePolicy, DeletionCount};
use net::Secret;
use net::memory::Budget;
use stomp::{Delivery, Session};

pub use call_marks::{CallMarks, settle_marks};
use consumer::Consumer;
use ledger::Ledger;
use memory_limit::MemoryBudget;
pub use metrics::{CallOutcome, DeliveryAction, GaugeGuard, Metrics, ReplyOutcome};
use slots::Slots;
use turn::Turns;

/// What a call uses. A call keeps the services that it began with.
#[derive(Debug, Clone)]
pub struct Services {
    /// Microsoft Graph.
    pub graph: graph::Client,
    /// The limits of a call.
    pub limits: CallLimits,
    /// The password of ZIP files for attachments.
    pub zip_password: Option<Secret>,
    /// What calls may change at the moment. A change of it holds for running calls, too.
    pub policy: ChangePolicy,
    /// Where changes are recorded.
    pub trail: Trail,
    /// The deletions of the last hour.
    pub deletions: DeletionCount,
    /// How many calls run at once, and how failed calls are reported.
    pub settings: WorkerSettings,
}

/// What the consumer of a session has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Take calls.
    Serving,
    /// End, because another session takes the calls now. Calls that have begun finish and reply, however long they
    /// take.
    Draining,
    /// End within a bound, because the program ends.
    Stopping,
}

/// Runs calls, of one session or, while a session replaces another, of several. Clones share their state.
#[derive(Debug, Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

/// What the consumers of all sessions share.
#[derive(Debug)]
struct Shared {
    services: RwLock<Arc<Services>>,
    ledger: Ledger,
    metrics: Metrics,
    slots: Slots,
    memory: MemoryBudget,
    /// The memory for answers and replies.
    answers: Budget,
    /// The calls in work, and those that ended with a process.
    marks: CallMarks,
    /// The turns of calls that ended with a process.
    turns: Turns,
    /// The sessions that are being served, by number.
    sessions: Mutex<BTreeMap<u64, Session>>,
}

impl Worker {
    /// Creates a worker that serves no session yet, and keeps `marks` of the calls in work.
    pub fn new(services: Services, marks: CallMarks) -> Self {
        let shared = Shared {
            slots: Slots::new(services.settings.num_workers),
            services: RwLock::new(Arc::new(services)),
            ledger: Ledger::default(),
            metrics: Metrics::default(),
            memory: MemoryBudget::default(),
            answers: Budget::default(),
            marks,
            turns: Turns::default(),
            sessions: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Replaces the services for the calls that begin from now on.
    pub fn reconfigure(&self, services: Services) {
        self.shared.slots.resize(services.settings.num_workers);
        *self.shared.services.write() = Arc::new(services);
    }

    /// The services of calls that begin now.
    pub fn services(&self) -> Arc<Services> {
        self.shared.services()
    }

    /// The metrics of calls and replies.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Takes the deliveries of `session` while `mode` is [`Mode::Serving`]; then lets the running calls finish and
    /// reply. A message whose call does not finish stays in the queue for the next worker. Notes and files go to
    /// `soar`.
    pub async fn serve(
        &self,
        session: Session,
        deliveries: mpsc::Receiver<Delivery>,
        soar: soar::Client,
        mode: watch::Receiver<Mode>,
    ) {
        Consumer::new(&self.shared, session, soar, deliveries, mode).run().await;
    }

    /// Lets no call and no change begin from now on, over any session. The caller sets the mode of each session to
    /// [`Mode::Stopping`] as well.
    pub fn close(&self) {
        self.shared.slots.close();
        self.services().policy.stop();
    }
}

impl Shared {
    fn services(&self) -> Arc<Services> {
        Arc::clone(&self.services.read())
    }
}

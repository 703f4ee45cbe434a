//! The scheduler of `$batch` calls: requests of many callers, sent together, several batches side by side.
//!
//! One task, the driver, holds the requests that wait. Callers hand it single requests through a [`Lane`] and get
//! single outcomes; they do not see which requests share a batch. Lanes take turns, and the [`CongestionWindow`]
//! decides how many batches may be under way. A request that waits for the window does not use up its retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, info_span, warn};
use uuid::Uuid;

use crate::batch::congestion::{BatchSample, CongestionWindow, Decision};
use crate::batch::fair_queue::FairQueue;
use crate::batch::gates::gate_of;
use crate::batch::payload;
use crate::batch::size::BatchSize;
use crate::change::unless_withdrawn;
use crate::error::{Error, ErrorKind};
use crate::mailbox_limiter::{MailboxGate, MailboxPermit};
use crate::request::Request;
use crate::response::Response;
use crate::retry::Policy;
use crate::transport::{Transport, is_token_rejected};

/// How long a batch that is not full waits for more requests. A round trip takes far longer.
const LINGER: Duration = Duration::from_millis(2);

type Outcome = Result<Response, Error>;

/// One try of a request, and the batch that carried it, by the name that the batch has in the log.
pub(crate) struct BatchedTry {
    pub(crate) outcome: Outcome,
    /// `None` where no batch carried it.
    pub(crate) batch: Option<Uuid>,
    /// Whether the batch as a whole took too long, so that the parts may succeed in smaller ones.
    pub(crate) was_too_slow: bool,
}

impl BatchedTry {
    fn unsent(error: Error) -> Self {
        Self { outcome: Err(error), batch: None, was_too_slow: false }
    }
}

/// A request that waits for a batch.
struct Waiting {
    lane: u64,
    request: Request,
    gate: Option<Arc<MailboxGate>>,
    outcome: oneshot::Sender<BatchedTry>,
    /// Set once: by the driver, which sends the request, or by the caller, whose change was withdrawn.
    claimed: Arc<AtomicBool>,
    /// The largest batch that may carry it.
    largest_batch: usize,
    /// Whether it was never sent before.
    first_try: bool,
    /// Whether it was already sent again with a new token.
    signed_again: bool,
}

enum Message {
    Request(Waiting),
    /// A request outside of the batches was throttled, and Graph asked for this wait.
    Throttled(Option<Duration>),
}

/// The state of the batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchState {
    /// How many batches may be under way now.
    pub window: usize,
    /// How many batches are under way.
    pub under_way: usize,
    /// How many requests wait for a place in a batch.
    pub waiting: usize,
    /// Graph asked to send no batch before this time, which may be over by now.
    pub paused_until: Option<Instant>,
}

/// The entrance to the driver.
#[derive(Debug)]
pub(crate) struct Batches {
    inbox: mpsc::UnboundedSender<Message>,
    lanes: AtomicU64,
    started: Instant,
    state: watch::Receiver<BatchState>,
}

/// One caller's queue at the driver. Lanes are served in turn.
#[derive(Debug, Clone)]
pub struct Lane {
    id: u64,
    inbox: mpsc::UnboundedSender<Message>,
    started: Instant,
}

impl Batches {
    /// Starts the driver, with batches of `size` parts and at most `side_by_side` of them at once.
    pub(crate) fn start(transport: Arc<Transport>, policy: Policy, size: usize, side_by_side: usize) -> Self {
        let (inbox, messages) = mpsc::unbounded_channel();
        let window = CongestionWindow::new(policy, size, side_by_side);
        let open = BatchState { window: window.size(), under_way: 0, waiting: 0, paused_until: None };
        let (publisher, state) = watch::channel(open);
        let driver = Driver {
            transport,
            size: BatchSize::new(size),
            window,
            state: publisher,
            waiting: FairQueue::default(),
            blocked: FuturesUnordered::new(),
            in_flight: JoinSet::new(),
            partial_since: None,
        };
        tokio::spawn(driver.run(messages));
        Self { inbox, lanes: AtomicU64::new(0), started: Instant::now(), state }
    }

    pub(crate) fn state(&self) -> watch::Receiver<BatchState> {
        self.state.clone()
    }

    pub(crate) fn lane(&self) -> Lane {
        let id = self.lanes.fetch_add(1, Ordering::Relaxed);
        Lane { id, inbox: self.inbox.clone(), started: self.started }
    }

    /// Informs the driver that a request outside of the batches was throttled.
    pub(crate) fn throttled(&self, wait: Option<Duration>) {
        let _ = self.inbox.send(Message::Throttled(wait));
    }
}

impl Lane {
    /// Sends `request` once, in some batch. Dropping the future removes the request from those that wait, and so does
    /// the withdrawal of its change.
    pub(crate) async fn send_once(
        &self,
        request: Request,
        gate: Option<Arc<MailboxGate>>,
        slow_batches: u32,
        first_try: bool,
    ) -> BatchedTry {
        let change = request.gate.clone();
        let queued = async {
            match &gate {
                Some(gate) => gate.queue().await,
                None => None,
            }
        };
        let _queued = match unless_withdrawn(change.as_ref(), queued).await {
            Ok(queued) => queued,
            Err(withdrawn) => return BatchedTry::unsent(withdrawn),
        };
        let (outcome, mut received) = oneshot::channel();
        let claimed = Arc::new(AtomicBool::new(false));
        let waiting = Waiting {
            lane: self.id,
            request,
            gate: gate.clone(),
            outcome,
            claimed: Arc::clone(&claimed),
            largest_batch: BatchSize::after(slow_batches),
            first_try,
            signed_again: false,
        };
        let ending = || {
            let reason = "the program is ending".to_owned();
            BatchedTry::unsent(ErrorKind::Unreachable { reason, sent: false }.into())
        };
        if self.inbox.send(Message::Request(waiting)).is_err() {
            return ending();
        }
        match unless_withdrawn(change.as_ref(), &mut received).await {
            Ok(tried) => tried.unwrap_or_else(|_| ending()),
            Err(withdrawn) if !claimed.swap(true, Ordering::AcqRel) => BatchedTry::unsent(withdrawn),
            // It is under way.
            Err(_) => received.await.unwrap_or_else(|_| ending()),
        }
    }

    /// Returns when to send a request again that is to `wait`: a little later than asked for, at a moment that other
    /// requests choose too, so that requests from many batches are sent again in few.
    pub(crate) fn again_after(&self, wait: Duration) -> Instant {
        let due = self.started.elapsed() + wait;
        let step = 1_u128 << (wait.as_millis().max(4) / 2).ilog2();
        let millis = due.as_millis().div_ceil(step) * step;
        self.started + u64::try_from(millis).map_or(due, Duration::from_millis)
    }
}

/// What a batch leaves to the driver when it has ended.
struct BatchResult {
    /// The requests to send again with a new token.
    again: Vec<Waiting>,
    sample: BatchSample,
    /// The error of the requests that were throttled.
    throttled: Option<Error>,
    /// How many parts the batch had.
    parts: usize,
    /// Whether the batch as a whole took too long.
    was_too_slow: bool,
}

impl BatchResult {
    fn nothing() -> Self {
        let sample = BatchSample::of(Instant::now());
        Self { again: Vec::new(), sample, throttled: None, parts: 0, was_too_slow: false }
    }
}

struct Driver {
    transport: Arc<Transport>,
    size: BatchSize,
    window: CongestionWindow,
    waiting: FairQueue<Waiting>,
    /// Requests whose mailbox had no free place when it was their turn.
    blocked: FuturesUnordered<BoxFuture<'static, Waiting>>,
    in_flight: JoinSet<BatchResult>,
    state: watch::Sender<BatchState>,
    /// Since when there is something to send, but no full batch.
    partial_since: Option<Instant>,
}

impl Driver {
    /// Runs until every [`Lane`] and the [`Batches`] are dropped.
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let mut arrived = Vec::new();
        let mut wake = None;
        loop {
            tokio::select! {
                count = inbox.recv_many(&mut arrived, 1024) => {
                    if count == 0 {
                        return;
                    }
                    for message in arrived.drain(..) {
                        match message {
                            Message::Request(waiting) => self.waiting.push(waiting.lane, waiting),
                            Message::Throttled(wait) => self.window.throttled_outside(wait, Instant::now()),
                        }
                    }
                }
                Some(returned) = self.in_flight.join_next() => {
                    // A batch that panicked has dropped its requests, and with them their callers' channels.
                    self.finish(returned.unwrap_or_else(|_| BatchResult::nothing()));
                }
                Some(free) = self.blocked.next(), if !self.blocked.is_empty() => {
                    self.waiting.push_front(free.lane, free);
                }
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            let now = Instant::now();
            wake = self.send_ready(now);
            self.publish(now);
        }
    }

    fn publish(&self, now: Instant) {
        let state = BatchState {
            window: self.window.size(),
            under_way: self.in_flight.len(),
            waiting: self.waiting.len() + self.blocked.len(),
            paused_until: self.window.paused_until(now),
        };
        self.state.send_if_modified(|known| std::mem::replace(known, state) != state);
    }

    /// Sends all batches that may be sent. Returns when to check again, if no event comes before.
    fn send_ready(&mut self, now: Instant) -> Option<Instant> {
        while self.waiting.len() > 0 {
            if !self.window.has_room(self.in_flight.len(), now) {
                self.partial_since = None;
                return self.window.paused_until(now);
            }
            let until = *self.partial_since.get_or_insert(now) + LINGER;
            if self.waiting.len() < self.size.get() && now < until {
                return Some(until);
            }
            self.send(now);
        }
        self.partial_since = None;
        None
    }

    fn send(&mut self, now: Instant) {
        let mut size = self.size.get();
        let mut parts = Vec::with_capacity(size);
        while parts.len() < size
            && let Some(waiting) = self.waiting.pop()
        {
            if waiting.outcome.is_closed() {
                continue;
            }
            if waiting.largest_batch <= parts.len() {
                self.waiting.push_front(waiting.lane, waiting);
                break;
            }
            size = size.min(waiting.largest_batch);
            let permit = waiting.gate.as_ref().map(MailboxGate::try_enter);
            if permit.as_ref().is_some_and(Option::is_none) {
                self.block(waiting);
            } else if !waiting.claimed.swap(true, Ordering::AcqRel) {
                parts.push((waiting, permit.flatten()));
            }
        }
        if !parts.is_empty() {
            self.window.sent();
            // Several calls share a batch. Its name links their log lines to the batch's own.
            let batch = Uuid::new_v4();
            let sent = send(Arc::clone(&self.transport), parts, now, batch);
            self.in_flight.spawn(sent.instrument(info_span!(parent: Span::none(), "batch", %batch)));
        }
    }

    /// Sets a request aside until its mailbox has a free place.
    fn block(&mut self, waiting: Waiting) {
        self.blocked.push(Box::pin(async move {
            if let Some(gate) = &waiting.gate {
                let _permit = gate.enter().await;
            }
            waiting
        }));
    }

    fn finish(&mut self, result: BatchResult) {
        let BatchResult { again, sample, throttled, parts, was_too_slow } = result;
        if was_too_slow {
            self.size.took_too_long(parts);
        } else if sample.answers > 0 {
            self.size.came_in_time();
        }
        for waiting in again {
            self.waiting.push_front(waiting.lane, waiting);
        }
        let decision = self.window.answered(sample, Instant::now());
        if decision == Decision::GiveUp
            && let Some(error) = throttled
        {
            let waiting = self.waiting.len();
            warn!(
                waiting,
                error = error.for_log(),
                "Graph throttles all requests; those that wait are given up"
            );
            while let Some(waiting) = self.waiting.pop() {
                let _ = waiting.outcome.send(BatchedTry::unsent(error.clone().given_up()));
            }
        }
    }
}

/// A request and its place in its mailbox.
type Placed = (Waiting, Option<MailboxPermit>);

/// Sends one batch and distributes the outcomes.
async fn send(transport: Arc<Transport>, parts: Vec<Placed>, sent_at: Instant, batch: Uuid) -> BatchResult {
    let parts = begin(&transport, parts).await;
    if parts.is_empty() {
        return BatchResult::nothing();
    }
    let count = parts.len();
    let mut sample = BatchSample::of(sent_at);
    let mut throttled = None;
    let mut again = Vec::new();
    let mut was_too_slow = false;
    let (outcomes, token) = match parts.as_slice() {
        [(Waiting { request, largest_batch: 1, .. }, _)] => (vec![alone(&transport, request).await], None),
        _ => match payload::exchange(&transport, parts.iter().map(|(waiting, _)| &waiting.request)).await {
            Ok((outcomes, token)) => (outcomes, Some(token)),
            // Some of the changes were withdrawn before the batch was sent.
            Err(error) if error.withdrawal().is_some() => {
                for (waiting, _) in parts {
                    waiting.claimed.store(false, Ordering::Release);
                    again.push(waiting);
                }
                return BatchResult { again, ..BatchResult::nothing() };
            }
            Err(error) if is_about_the_envelope(&error) => {
                debug!(
                    parts = count,
                    error = error.for_log(),
                    "batch refused; its requests are sent one by one"
                );
                (one_by_one(&transport, &parts).await, None)
            }
            Err(error) => {
                debug!(parts = count, error = error.for_log(), "batch failed");
                sample.call_throttled = error.backoff_hint().is_some();
                was_too_slow = count > 1 && took_too_long(&error);
                ((0..count).map(|_| Err(error.clone())).collect(), None)
            }
        },
    };
    for ((mut waiting, permit), outcome) in parts.into_iter().zip(outcomes) {
        drop(permit);
        let failure = outcome.as_ref().err().map(Error::failure);
        sample.note(waiting.first_try, failure);
        if let Err(error) = &outcome
            && error.backoff_hint().is_some()
        {
            throttled = Some(error.clone());
        }
        if let Err(error) = &outcome
            && is_token_rejected(error)
            && !waiting.signed_again
            && let Some(token) = &token
        {
            transport.discard(token);
            waiting.signed_again = true;
            waiting.claimed.store(false, Ordering::Release);
            match waiting.request.begin() {
                Ok(()) => again.push(waiting),
                // Its caller does not watch for this any more.
                Err(withdrawn) => {
                    let _ = waiting.outcome.send(BatchedTry::unsent(withdrawn));
                }
            }
        } else {
            let _ = waiting.outcome.send(BatchedTry { outcome, batch: Some(batch), was_too_slow });
        }
    }
    let elapsed_ms = sent_at.elapsed().as_millis();
    debug!(
        parts = count,
        answers = sample.answers,
        throttled = sample.throttled,
        elapsed_ms,
        "batch answered"
    );
    BatchResult { again, sample, throttled, parts: count, was_too_slow }
}

/// Begins the requests, once there is a token. Changes that were withdrawn until then are not sent.
async fn begin(transport: &Transport, parts: Vec<Placed>) -> Vec<Placed> {
    if parts.iter().all(|(waiting, _)| waiting.request.gate.is_none()) {
        return parts;
    }
    let gate = gate_of(parts.iter().map(|(waiting, _)| &waiting.request));
    let no_token = match unless_withdrawn(gate.as_ref(), transport.token()).await {
        Ok(Err(error)) => Some(error),
        // Each part is asked itself.
        Ok(Ok(_)) | Err(_) => None,
    };
    let begun = parts.into_iter().filter_map(|(waiting, permit)| {
        let may_begin = match &no_token {
            Some(error) if waiting.request.gate.is_some() => Err(error.clone()),
            _ => waiting.request.begin(),
        };
        match may_begin {
            Ok(()) => Some((waiting, permit)),
            Err(error) => {
                let _ = waiting.outcome.send(BatchedTry::unsent(error));
                None
            }
        }
    });
    begun.collect()
}

/// Whether a batch failed because Graph, or a gateway on the way, waited too long for its parts.
fn took_too_long(error: &Error) -> bool {
    error.is_silence() || matches!(error.status(), Some(502 | 504))
}

/// Whether Graph refuses the batch as such. It does not say which part is at fault, and the others can be sent alone.
fn is_about_the_envelope(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| matches!(refusal.status, 400 | 404 | 405 | 413))
}

async fn one_by_one(transport: &Transport, parts: &[Placed]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(parts.len());
    for (Waiting { request, .. }, _) in parts {
        outcomes.push(alone(transport, request).await);
    }
    outcomes
}

/// Sends a request by itself. A large answer gives up its turn: its caller takes the memory from the call's share.
async fn alone(transport: &Transport, request: &Request) -> Outcome {
    transport.exchange(request).await.map(|(response, _)| Response { memory: None, ..response })
}

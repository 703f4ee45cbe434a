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
use tracing::{Instrument, Span, info_span, warn};
use uuid::Uuid;

use crate::batch::congestion::{CongestionWindow, Decision};
use crate::batch::exchange::{self, BatchResult, BatchedTry, Waiting};
use crate::batch::fair_queue::FairQueue;
use crate::batch::size::BatchSize;
use crate::change::unless_withdrawn;
use crate::error::ErrorKind;
use crate::mailbox_limiter::MailboxGate;
use crate::request::Request;
use crate::retry::Policy;
use crate::transport::Transport;

/// How long a batch that is not full waits for more requests. A round trip takes far longer.
const LINGER: Duration = Duration::from_millis(2);

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
            let sent = exchange::send(Arc::clone(&self.transport), parts, now, batch);
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

//! The scheduler of `$batch` calls: requests of many callers, sent together, several batches side by side.
//!
//! One task, the driver, holds what waits. Callers hand it single requests through a [`Lane`] and get single
//! answers; what shares a batch with what is nobody else's concern. Lanes take turns, and the [`CongestionWindow`] says
//! how many batches may be under way. What waits for the window uses up none of its retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, info_span, warn};
use uuid::Uuid;

use crate::batch::congestion::{BatchSample, CongestionWindow, Decision};
use crate::batch::fair_queue::FairQueue;
use crate::batch::payload::{self, Part};
use crate::error::Error;
use crate::mailbox_limiter::MailboxGate;
use crate::response::Answer;
use crate::retry::Policy;
use crate::transport::Transport;

/// How long a batch that is not full waits for more to come. A round trip takes far longer.
const LINGER: Duration = Duration::from_millis(2);

type Outcome = Result<Answer, Error>;

/// What became of one try, and the batch that it went with, by the name that the batch's lines of the log bear.
pub(crate) struct Tried {
    pub(crate) outcome: Outcome,
    /// `None` where it went with none.
    pub(crate) batch: Option<Uuid>,
}

impl Tried {
    fn without_batch(error: Error) -> Self {
        Self { outcome: Err(error), batch: None }
    }
}

struct Waiting {
    lane: u64,
    part: Part,
    gate: Option<Arc<MailboxGate>>,
    answer: oneshot::Sender<Tried>,
    /// Whether it was never sent before.
    first_try: bool,
    /// Whether it was sent again for a new token already.
    signed_again: bool,
}

enum Message {
    Part(Waiting),
    /// A request outside of the batches was throttled, and asked for this wait.
    Throttled(Option<Duration>),
}

/// How the batches stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchState {
    /// How many may be under way at once at present.
    pub window: usize,
    /// How many are.
    pub under_way: usize,
    /// How many requests wait for a place in one.
    pub waiting: usize,
    /// Until when none is sent, by Graph's word; that may be over by now.
    pub paused_until: Option<Instant>,
}

/// The driver's door.
#[derive(Debug)]
pub(crate) struct Batches {
    inbox: mpsc::UnboundedSender<Message>,
    lanes: AtomicU64,
    started: Instant,
    state: watch::Receiver<BatchState>,
}

/// One caller's line before the door. Lanes are served in turn.
#[derive(Debug, Clone)]
pub struct Lane {
    id: u64,
    inbox: mpsc::UnboundedSender<Message>,
    started: Instant,
}

impl Batches {
    /// Starts the driver: batches of `size` parts, at most `side_by_side` of them at once.
    pub(crate) fn start(service: Arc<Transport>, policy: Policy, size: usize, side_by_side: usize) -> Self {
        let (inbox, messages) = mpsc::unbounded_channel();
        let window = CongestionWindow::new(policy, size, side_by_side);
        let open = BatchState { window: window.size(), under_way: 0, waiting: 0, paused_until: None };
        let (publisher, state) = watch::channel(open);
        let driver = Driver {
            service,
            size,
            window,
            state: publisher,
            waiting: FairQueue::default(),
            held_up: FuturesUnordered::new(),
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

    /// Tells the driver that a request outside of the batches was throttled.
    pub(crate) fn throttled(&self, wait: Option<Duration>) {
        let _ = self.inbox.send(Message::Throttled(wait));
    }
}

impl Lane {
    /// One try of `part` in some batch. Dropping the future takes the part out of what waits.
    pub(crate) async fn once(&self, part: Part, gate: Option<Arc<MailboxGate>>, first_try: bool) -> Tried {
        let _in_line = match &gate {
            Some(gate) => gate.queue().await,
            None => None,
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { lane: self.id, part, gate, answer, first_try, signed_again: false };
        let gone = || Error::Unreachable { reason: "the program is ending".to_owned(), sent: false };
        if self.inbox.send(Message::Part(waiting)).is_err() {
            return Tried::without_batch(gone());
        }
        answered.await.unwrap_or_else(|_| Tried::without_batch(gone()))
    }

    /// When to send something again that shall `wait`: a little later than asked for, at a moment that others
    /// choose too. What came back in many batches then goes out again in few.
    pub(crate) fn again_after(&self, wait: Duration) -> Instant {
        let due = self.started.elapsed() + wait;
        let step = 1_u128 << (wait.as_millis().max(4) / 2).ilog2();
        let millis = due.as_millis().div_ceil(step) * step;
        self.started + u64::try_from(millis).map_or(due, Duration::from_millis)
    }
}

/// A batch that came back.
struct Returned {
    /// What wants to be sent again with a new token.
    again: Vec<Waiting>,
    news: BatchSample,
    /// What the throttled ones were told.
    throttled: Option<Error>,
}

impl Returned {
    fn nothing() -> Self {
        Self { again: Vec::new(), news: BatchSample::of(Instant::now()), throttled: None }
    }
}

struct Driver {
    service: Arc<Transport>,
    size: usize,
    window: CongestionWindow,
    waiting: FairQueue<Waiting>,
    /// Those whose mailbox was busy when it was their turn.
    held_up: FuturesUnordered<BoxFuture<'static, Waiting>>,
    in_flight: JoinSet<Returned>,
    state: watch::Sender<BatchState>,
    /// Since when there is something to send, but no full batch.
    partial_since: Option<Instant>,
}

impl Driver {
    /// Runs until every [`Lane`] and the [`Batches`] are gone.
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
                            Message::Part(waiting) => self.waiting.push(waiting.lane, waiting),
                            Message::Throttled(wait) => self.window.throttled_outside(wait, Instant::now()),
                        }
                    }
                }
                Some(returned) = self.in_flight.join_next() => {
                    // A batch that panicked has let go of its callers; there is nothing to take back.
                    self.take_back(returned.unwrap_or_else(|_| Returned::nothing()));
                }
                Some(free) = self.held_up.next(), if !self.held_up.is_empty() => {
                    self.waiting.push_front(free.lane, free);
                }
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            let now = Instant::now();
            wake = self.send_what_may_go(now);
            self.publish(now);
        }
    }

    fn publish(&self, now: Instant) {
        let state = BatchState {
            window: self.window.size(),
            under_way: self.in_flight.len(),
            waiting: self.waiting.len() + self.held_up.len(),
            paused_until: self.window.paused_until(now),
        };
        self.state.send_if_modified(|known| std::mem::replace(known, state) != state);
    }

    /// Sends all batches that may go; returns when to look again, if no event brings it about.
    fn send_what_may_go(&mut self, now: Instant) -> Option<Instant> {
        while self.waiting.len() > 0 {
            if !self.window.has_room(self.in_flight.len(), now) {
                self.partial_since = None;
                return self.window.paused_until(now);
            }
            let until = *self.partial_since.get_or_insert(now) + LINGER;
            if self.waiting.len() < self.size && now < until {
                return Some(until);
            }
            self.send(now);
        }
        self.partial_since = None;
        None
    }

    fn send(&mut self, now: Instant) {
        let mut parts = Vec::with_capacity(self.size);
        while parts.len() < self.size
            && let Some(waiting) = self.waiting.pop()
        {
            if waiting.answer.is_closed() {
                continue;
            }
            let place = waiting.gate.as_ref().map(|gate| gate.try_enter());
            if place.as_ref().is_some_and(Option::is_none) {
                self.hold_up(waiting);
            } else {
                parts.push((waiting, place.flatten()));
            }
        }
        if !parts.is_empty() {
            self.window.sent();
            // A batch belongs to several calls; by this name their parts' lines find its own.
            let batch = Uuid::new_v4();
            let sent = send(Arc::clone(&self.service), parts, now, batch);
            self.in_flight.spawn(sent.instrument(info_span!(parent: Span::none(), "batch", %batch)));
        }
    }

    /// Sets aside what has no place in its mailbox, until there is one.
    fn hold_up(&mut self, waiting: Waiting) {
        self.held_up.push(Box::pin(async move {
            if let Some(gate) = &waiting.gate {
                let _free_again = gate.enter().await;
            }
            waiting
        }));
    }

    fn take_back(&mut self, Returned { again, news, throttled }: Returned) {
        for waiting in again {
            self.waiting.push_front(waiting.lane, waiting);
        }
        let verdict = self.window.answered(news, Instant::now());
        if verdict == Decision::GiveUp
            && let Some(error) = throttled
        {
            warn!(
                waiting = self.waiting.len(),
                error = error.for_log(),
                "Graph throttles everything; what waits is given up"
            );
            while let Some(waiting) = self.waiting.pop() {
                let _ = waiting.answer.send(Tried::without_batch(error.clone().given_up()));
            }
        }
    }
}

type Placed = (Waiting, Option<OwnedSemaphorePermit>);

/// Sends one batch and hands out its answers.
async fn send(service: Arc<Transport>, parts: Vec<Placed>, sent_at: Instant, batch: Uuid) -> Returned {
    let count = parts.len();
    let mut news = BatchSample::of(sent_at);
    let mut throttled = None;
    let mut again = Vec::new();
    let exchanged = payload::exchange(&service, parts.iter().map(|(waiting, _)| &waiting.part)).await;
    let (answers, token) = match exchanged {
        Ok((answers, token)) => (answers, Some(token)),
        Err(error) if is_about_the_envelope(&error) => {
            debug!(parts = count, error = error.for_log(), "batch refused; its requests go one by one");
            (one_by_one(&service, &parts).await, None)
        }
        Err(error) => {
            debug!(parts = count, error = error.for_log(), "batch failed");
            news.call_throttled = error.failure().backoff_hint().is_some();
            (vec![Err(error); count], None)
        }
    };
    for ((mut waiting, place), answer) in parts.into_iter().zip(answers) {
        drop(place);
        let failure = answer.as_ref().err().map(Error::failure);
        news.note(waiting.first_try, failure);
        if let Err(error) = &answer
            && error.failure().backoff_hint().is_some()
        {
            throttled = Some(error.clone());
        }
        if let Err(Error::Refused(refusal)) = &answer
            && refusal.status == 401
            && !waiting.signed_again
            && let Some(token) = &token
        {
            service.discard(token);
            waiting.signed_again = true;
            again.push(waiting);
        } else {
            let _ = waiting.answer.send(Tried { outcome: answer, batch: Some(batch) });
        }
    }
    let elapsed_ms = sent_at.elapsed().as_millis();
    debug!(parts = count, answers = news.answers, throttled = news.throttled, elapsed_ms, "batch answered");
    Returned { again, news, throttled }
}

/// Graph does not take the batch as such. It does not say which part is at fault, and the others can go alone.
fn is_about_the_envelope(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| matches!(refusal.status, 400 | 404 | 405 | 413))
}

async fn one_by_one(service: &Transport, parts: &[Placed]) -> Vec<Outcome> {
    let mut answers = Vec::with_capacity(parts.len());
    for (Waiting { part, .. }, _) in parts {
        answers.push(
            service.exchange(&part.method, &part.path, part.body.clone()).await.map(|(answer, _)| answer),
        );
    }
    answers
}

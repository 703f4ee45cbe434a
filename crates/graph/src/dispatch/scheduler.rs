//! The scheduler of requests to Graph: many callers share one window of requests at work.
//!
//! One task, the driver, holds the requests that wait. A large piece of work hands it single requests through a
//! [`Lane`] and gets single outcomes; it does not see whether a request travels by itself or in a batch. Lanes take
//! turns. A lone request asks for a [`Place`] only, and gets the next one that becomes free. [`Admission`] decides what
//! may be sent. A request that waits for the window does not use up its retries.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{Instrument, Span, info_span, warn};
use uuid::Uuid;

use crate::batch::size::BatchSize;
use crate::dispatch::admission::{Admission, Limits, Ticket};
use crate::dispatch::carrier::{self, Carried, Placed};
use crate::dispatch::choice::{Kind, Way};
use crate::dispatch::fair_queue::FairQueue;
use crate::dispatch::hedge::Hedges;
use crate::dispatch::lane::{Lane, Message, Place, Tried, Waiting};
use crate::dispatch::window::Decision;
use crate::mailbox_limiter::MailboxGate;
use crate::request::Request;
use crate::request_state::RequestState;
use crate::retry::Policy;
use crate::transport::Transport;

/// How long a batch that is not full waits for more requests. A round trip takes far longer.
const LINGER: Duration = Duration::from_millis(2);

/// The entrance to the driver.
#[derive(Debug)]
pub(crate) struct Scheduler {
    inbox: mpsc::UnboundedSender<Message>,
    lanes: AtomicU64,
    started: Instant,
    state: watch::Receiver<RequestState>,
}

impl Scheduler {
    /// Starts the driver, with batches of at most `size` parts.
    pub(crate) fn start(transport: Arc<Transport>, policy: Policy, size: usize, limits: Limits) -> Self {
        let (inbox, messages) = mpsc::unbounded_channel();
        let started = Instant::now();
        let admission = Admission::new(policy, limits, started);
        let window = admission.window().size();
        let open = RequestState { window, ..RequestState::default() };
        let (publisher, state) = watch::channel(open);
        let driver = Driver {
            transport,
            size: BatchSize::new(size),
            admission,
            hedges: Arc::new(Hedges::new(limits.requests)),
            state: publisher,
            lone: VecDeque::new(),
            waiting: FairQueue::default(),
            blocked: FuturesUnordered::new(),
            in_flight: FuturesUnordered::new(),
            partial_since: None,
        };
        tokio::spawn(driver.run(messages));
        Self { inbox, lanes: AtomicU64::new(0), started, state }
    }

    pub(crate) fn state(&self) -> watch::Receiver<RequestState> {
        self.state.clone()
    }

    pub(crate) fn lane(&self) -> Lane {
        let id = self.lanes.fetch_add(1, Ordering::Relaxed);
        Lane { id, inbox: self.inbox.clone(), started: self.started }
    }

    /// Waits for the place of a lone request.
    pub(crate) async fn enter(&self, request: &Request) -> Place {
        Place::enter(&self.inbox, request).await
    }
}

struct Driver {
    transport: Arc<Transport>,
    size: BatchSize,
    admission: Admission,
    hedges: Arc<Hedges>,
    /// Lone requests that wait for a place.
    lone: VecDeque<(Kind, oneshot::Sender<Ticket>)>,
    waiting: FairQueue<Waiting>,
    /// Requests whose mailbox had no free place when it was their turn.
    blocked: FuturesUnordered<BoxFuture<'static, Waiting>>,
    in_flight: FuturesUnordered<BoxFuture<'static, Carried>>,
    state: watch::Sender<RequestState>,
    /// Since when there is something to send, but no full batch.
    partial_since: Option<Instant>,
}

impl Driver {
    /// Runs until every [`Lane`] and the [`Scheduler`] are dropped.
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
                        self.receive(message);
                    }
                }
                Some(carried) = self.in_flight.next() => {
                    self.finish(carried);
                    // Those that have ended meanwhile need no turn of their own.
                    while let Some(Some(carried)) = self.in_flight.next().now_or_never() {
                        self.finish(carried);
                    }
                }
                Some(free) = self.blocked.next(), if !self.blocked.is_empty() => {
                    self.waiting.push_front(free.lane, free);
                }
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            let now = Instant::now();
            self.admit_lone(now);
            wake = self.send_ready(now);
            self.publish(now);
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Request(waiting) => self.waiting.push(waiting.lane, waiting),
            Message::Enter(kind, granted) => self.lone.push_back((kind, granted)),
            Message::Leave(ticket, sample) => {
                // What waits in lanes is not given up because of a lone request.
                let _ = self.admission.end(ticket, sample, Instant::now());
            }
        }
    }

    fn publish(&self, now: Instant) {
        let state = RequestState {
            window: self.admission.window().size(),
            at_work: self.admission.at_work(),
            waiting: self.lone.len() + self.waiting.len() + self.blocked.len(),
            accepted: self.admission.accepted(),
            paused_until: self.admission.window().paused_until(now),
        };
        self.state.send_if_modified(|known| std::mem::replace(known, state) != state);
        let used = state.at_work + state.waiting + self.hedges.under_way();
        self.hedges.update(state.window.saturating_sub(used), self.admission.reads());
    }

    /// Gives free places to lone requests.
    fn admit_lone(&mut self, now: Instant) {
        while let Some((kind, granted)) = self.lone.pop_front() {
            if granted.is_closed() {
                continue;
            }
            if !self.admission.has_room_for_lone(now) {
                self.lone.push_front((kind, granted));
                return;
            }
            let ticket = self.admission.begin_lone(kind, now);
            if granted.send(ticket).is_err() {
                self.admission.cancel(ticket);
            }
        }
    }

    /// Sends all that may be sent. Returns when to check again, if no event comes before.
    fn send_ready(&mut self, now: Instant) -> Option<Instant> {
        let kind = self.waiting.first().map(Waiting::kind);
        let gathers_until = kind.and_then(|kind| self.admission.gathers_until(kind, now));
        while self.lone.is_empty()
            && let Some(first) = self.waiting.first()
        {
            let size = self.size.get().min(first.largest_batch);
            let is_http2 = self.transport.is_http2();
            let way = self.admission.way(first.kind(), self.waiting.len(), size, is_http2);
            if way == Way::Single && gathers_until.is_some() {
                return gathers_until;
            }
            let waiting = self.waiting.len();
            let parts = self.admission.room(way, size.min(waiting), waiting, now);
            if parts == 0 {
                self.partial_since = None;
                return self.admission.next_change(now);
            }
            if way == Way::Batch && waiting < size {
                let until = *self.partial_since.get_or_insert(now) + LINGER;
                if now < until {
                    return Some(until);
                }
            }
            self.send(way, parts, now);
        }
        self.partial_since = None;
        if self.lone.is_empty() {
            self.admission.emptied();
        }
        self.admission.next_change(now)
    }

    fn send(&mut self, way: Way, parts: usize, now: Instant) {
        let parts = self.take(parts);
        let Some((first, _)) = parts.first() else { return };
        let (kind, span) = (first.kind(), first.span.clone());
        let ticket = self.admission.begin(way, kind, parts.len(), now);
        let transport = Arc::clone(&self.transport);
        match way {
            Way::Single => {
                let hedges = Arc::clone(&self.hedges);
                if let Some(part) = parts.into_iter().next() {
                    self.carry(ticket, carrier::alone(transport, hedges, part, ticket), span);
                }
            }
            Way::Batch => {
                // Several calls share a batch. Its name links their log lines to the batch's own.
                let batch = Uuid::new_v4();
                let sent = carrier::together(transport, parts, ticket, batch);
                self.carry(ticket, sent, info_span!(parent: Span::none(), "batch", %batch));
            }
        }
    }

    /// Lets `sent` run. If it panics, its requests are dropped, and with them their callers' channels.
    fn carry(&mut self, ticket: Ticket, sent: impl Future<Output = Carried> + Send + 'static, span: Span) {
        let sent = AssertUnwindSafe(sent).catch_unwind();
        let sent = sent.map(move |carried| carried.unwrap_or_else(|_| Carried::nothing(ticket)));
        self.in_flight.push(Box::pin(sent.instrument(span)));
    }

    /// Takes up to `size` requests from the queue whose mailboxes have a free place.
    fn take(&mut self, mut size: usize) -> Vec<Placed> {
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
        parts
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

    /// Takes in what has ended.
    fn finish(&mut self, carried: Carried) {
        let Carried { ticket, again, sample, throttled, parts, was_too_slow } = carried;
        if was_too_slow {
            self.size.took_too_long(parts);
        } else if ticket.way == Way::Batch && sample.answers > 0 {
            self.size.came_in_time();
        }
        for waiting in again {
            self.waiting.push_front(waiting.lane, waiting);
        }
        let decision = self.admission.end(ticket, sample, Instant::now());
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
                let _ = waiting.outcome.send(Tried::unsent(error.clone().given_up()));
            }
        }
    }
}

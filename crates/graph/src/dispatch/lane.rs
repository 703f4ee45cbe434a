//! The callers' side of the scheduler: lanes for pieces of work, and places for lone requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::Span;
use uuid::Uuid;

use crate::batch::size::BatchSize;
use crate::change::unless_withdrawn;
use crate::dispatch::admission::Ticket;
use crate::dispatch::choice::Kind;
use crate::dispatch::sample::Sample;
use crate::error::{Error, ErrorKind};
use crate::mailbox_limiter::MailboxGate;
use crate::request::Request;
use crate::response::Response;

/// A lone request waits no longer for a place: what is under way may be stuck in slow mailboxes.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

pub(super) type Outcome = Result<Response, Error>;

/// What the driver is sent.
pub(super) enum Message {
    Request(Waiting),
    /// A lone request waits for a place.
    Enter(Kind, oneshot::Sender<Ticket>),
    /// A lone request has ended.
    Leave(Ticket, Sample),
}

/// One try of a request.
pub(crate) struct Tried {
    pub(crate) outcome: Outcome,
    /// The batch that carried it, by the name that it has in the log.
    pub(crate) batch: Option<Uuid>,
    /// Whether the batch as a whole took too long, so that the parts may succeed in smaller ones.
    pub(crate) was_too_slow: bool,
}

impl Tried {
    pub(crate) fn alone(outcome: Outcome) -> Self {
        Self { outcome, batch: None, was_too_slow: false }
    }

    pub(super) fn unsent(error: Error) -> Self {
        Self::alone(Err(error))
    }
}

/// A request that waits to be sent.
pub(super) struct Waiting {
    pub(super) lane: u64,
    pub(super) request: Request,
    pub(super) gate: Option<Arc<MailboxGate>>,
    pub(super) outcome: oneshot::Sender<Tried>,
    /// Set once: by the driver, which sends the request, or by the caller, whose change was withdrawn.
    pub(super) claimed: Arc<AtomicBool>,
    /// The largest batch that may carry it.
    pub(super) largest_batch: usize,
    /// Whether it was never sent before.
    pub(super) first_try: bool,
    /// Whether it was already sent again with a new token.
    pub(super) signed_again: bool,
    /// Where its log lines belong when it is sent by itself.
    pub(super) span: Span,
}

impl Waiting {
    pub(super) fn kind(&self) -> Kind {
        kind_of(&self.request)
    }
}

pub(super) fn kind_of(request: &Request) -> Kind {
    if request.is_change() { Kind::Change } else { Kind::Read }
}

/// One caller's queue at the driver. Lanes are served in turn.
#[derive(Debug, Clone)]
pub struct Lane {
    pub(super) id: u64,
    pub(super) inbox: mpsc::UnboundedSender<Message>,
    pub(super) started: Instant,
}

impl Lane {
    /// Sends `request` once, by itself or in some batch. Dropping the future removes the request from those that wait,
    /// and so does the withdrawal of its change.
    pub(crate) async fn send_once(
        &self,
        request: Request,
        gate: Option<Arc<MailboxGate>>,
        slow_batches: u32,
        first_try: bool,
    ) -> Tried {
        let change = request.gate.clone();
        let queued = async {
            match &gate {
                Some(gate) => gate.queue().await,
                None => None,
            }
        };
        let _queued = match unless_withdrawn(change.as_ref(), queued).await {
            Ok(queued) => queued,
            Err(withdrawn) => return Tried::unsent(withdrawn),
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
            span: Span::current(),
        };
        let ending = || {
            let reason = "the program is ending".to_owned();
            Tried::unsent(ErrorKind::Unreachable { reason, sent: false }.into())
        };
        if self.inbox.send(Message::Request(waiting)).is_err() {
            return ending();
        }
        match unless_withdrawn(change.as_ref(), &mut received).await {
            Ok(tried) => tried.unwrap_or_else(|_| ending()),
            Err(withdrawn) if !claimed.swap(true, Ordering::AcqRel) => Tried::unsent(withdrawn),
            // It is under way.
            Err(_) => received.await.unwrap_or_else(|_| ending()),
        }
    }

    /// Returns when to send a request again that is to `wait` and was in a batch: a little later than asked for, at a
    /// moment that other requests choose too, so that requests from many batches are sent again in few.
    pub(crate) fn again_after(&self, wait: Duration) -> Instant {
        let due = self.started.elapsed() + wait;
        let step = 1_u128 << (wait.as_millis().max(4) / 2).ilog2();
        let millis = due.as_millis().div_ceil(step) * step;
        self.started + u64::try_from(millis).map_or(due, Duration::from_millis)
    }
}

/// The place of a lone request, which is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    inbox: mpsc::UnboundedSender<Message>,
    /// `None` where there was no place in time.
    ticket: Option<Ticket>,
    sample: Option<Sample>,
}

impl Place {
    /// Waits for a place, ahead of all lanes.
    pub(super) async fn enter(inbox: &mpsc::UnboundedSender<Message>, request: &Request) -> Self {
        let (granted, ticket) = oneshot::channel();
        let sent = inbox.send(Message::Enter(kind_of(request), granted));
        let ticket = match sent {
            Ok(()) => timeout(LONGEST_WAIT, ticket).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        Self { inbox: inbox.clone(), ticket, sample: None }
    }

    /// Records the outcome of the request.
    pub(crate) fn note<T>(&mut self, first_try: bool, outcome: &Result<T, Error>) {
        if let Some(ticket) = self.ticket {
            let sample = self.sample.get_or_insert(Sample::of(ticket.sent_at));
            sample.note(first_try, outcome.as_ref().err().map(Error::failure));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let sample = self.sample.take().unwrap_or_else(|| Sample::of(ticket.sent_at));
            // The driver is gone only when the program ends.
            let _ = self.inbox.send(Message::Leave(ticket, sample));
        }
    }
}

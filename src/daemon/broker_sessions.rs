//! The sessions with the broker: the one in service, those that drain, and the one that is being opened.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::or_never;
use super::subscription::{BrokerTarget, SignedIn, Subscription};
use crate::exit_code::Failure;
use crate::worker::{Mode, Worker};
use stomp::State;

/// How long closing a connection to the broker may take.
const DISCONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Opens, promotes and drains sessions; the worker serves each in a task of its own.
pub(super) struct BrokerSessions {
    worker: Worker,
    metrics: Arc<stomp::Metrics>,
    in_service: Option<ServedSession>,
    draining: Vec<ServedSession>,
    opening: Option<BoxFuture<'static, Opened>>,
    tasks: JoinSet<()>,
}

/// A session that the worker serves.
struct ServedSession {
    signed_in: SignedIn,
    state: watch::Receiver<State>,
    mode: watch::Sender<Mode>,
}

/// A new subscription; `None` if it would equal the one in service.
type Opened = Result<Option<Subscription>, Failure>;

/// A change that the daemon has to act on.
#[allow(clippy::large_enum_variant)] // one of these exists at a time
pub(super) enum SessionEvent {
    /// The subscription that was being opened is there. Only the first one of the process can fail.
    Opened(Opened),
    /// The task of a session has ended.
    Ended,
}

impl BrokerSessions {
    pub(super) fn new(worker: Worker, metrics: Arc<stomp::Metrics>) -> Self {
        Self { worker, metrics, in_service: None, draining: Vec::new(), opening: None, tasks: JoinSet::new() }
    }

    /// Starts to open a subscription to `target`, in place of one that was being opened.
    pub(super) fn open(&mut self, target: BrokerTarget) {
        let metrics = Arc::clone(&self.metrics);
        let in_service = self.in_service.as_ref().map(|session| session.signed_in.clone());
        self.opening = Some(match in_service {
            None => async { Subscription::first(target, metrics).await.map(Some) }.boxed(),
            in_service => async { Ok(Subscription::next(target, in_service, metrics).await) }.boxed(),
        });
    }

    /// Starts to open a subscription in place of one that has ended. It is tried until it succeeds.
    pub(super) fn reopen(&mut self, target: BrokerTarget) {
        let metrics = Arc::clone(&self.metrics);
        self.opening = Some(async { Ok(Subscription::next(target, None, metrics).await) }.boxed());
    }

    /// Waits for the next change. May be dropped and called again.
    pub(super) async fn next_event(&mut self) -> SessionEvent {
        tokio::select! {
            opened = or_never(&mut self.opening) => {
                self.opening = None;
                SessionEvent::Opened(opened)
            }
            Some(_) = self.tasks.join_next() => SessionEvent::Ended,
        }
    }

    /// Puts a subscription into service. Returns whether it replaces another, which drains from now on.
    pub(super) fn promote(&mut self, next: Subscription) -> bool {
        let Subscription { signed_in, session, deliveries } = next;
        let (mode, watched) = watch::channel(Mode::Serving);
        let (worker, soar, state) = (self.worker.clone(), signed_in.soar.clone(), session.state());
        self.tasks.spawn(async move {
            worker.serve(session.clone(), deliveries, soar, watched).await;
            session.disconnect(DISCONNECT_WITHIN).await;
        });
        let previous = self.in_service.replace(ServedSession { signed_in, state, mode });
        let replaces = previous.is_some();
        if let Some(previous) = previous {
            previous.mode.send_replace(Mode::Draining);
            self.draining.push(previous);
        }
        replaces
    }

    /// Forgets sessions whose task has ended. Returns whether the one in service is among them.
    pub(super) fn forget_ended(&mut self) -> bool {
        self.draining.retain(|session| !session.has_ended());
        self.in_service.take_if(|session| session.has_ended()).is_some()
    }

    /// Ends every session; running calls finish within the worker's bound.
    pub(super) async fn stop(&mut self) {
        self.opening = None;
        for session in self.draining.iter().chain(&self.in_service) {
            session.mode.send_replace(Mode::Stopping);
        }
        while self.tasks.join_next().await.is_some() {}
    }

    /// Whether a session is in service, connected or not.
    pub(super) fn is_serving(&self) -> bool {
        self.in_service.is_some()
    }

    /// Whether the session in service is subscribed at present.
    pub(super) fn is_subscribed(&self) -> bool {
        let subscribed =
            |session: &ServedSession| matches!(*session.state.borrow(), State::Subscribed { .. });
        self.in_service.as_ref().is_some_and(subscribed)
    }

    /// Whether the session in service was opened with another target.
    pub(super) fn serves_other_than(&self, target: &BrokerTarget) -> bool {
        self.in_service.as_ref().is_some_and(|session| session.signed_in.target != *target)
    }
}

impl ServedSession {
    fn has_ended(&self) -> bool {
        self.mode.is_closed()
    }
}

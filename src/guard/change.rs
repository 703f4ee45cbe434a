//! A change that may be made, until it is withdrawn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{BoxFuture, pending};
use tokio::sync::watch;

use super::RefusalCode;
use super::policy::InForce;
use super::stop::StopReason;
use crate::audit::{ActOutcome, PendingAction};
use graph::{ChangeGate, ChangePermit, Withdrawal};

/// A change in a mailbox that the guard rails allow, and whose intent is on record.
#[derive(Debug)]
#[must_use = "its outcome is on record as unknown otherwise"]
pub struct Change {
    action: PendingAction,
    gate: Arc<Gate>,
}

impl ChangePermit for Change {
    fn gate(&self) -> Arc<dyn ChangeGate> {
        Arc::clone(&self.gate) as Arc<dyn ChangeGate>
    }
}

impl Change {
    pub(super) fn new(action: PendingAction, gate: Gate) -> Self {
        Self { action, gate: Arc::new(gate) }
    }

    /// Permission to remove what this change has left unfinished, also where the change itself is withdrawn.
    pub fn undo(&self) -> Undo {
        Undo(())
    }

    /// Puts the outcome on record, with the error if there is one.
    pub fn end(self, outcome: ActOutcome, error: Option<&str>) {
        self.action.end(outcome, error);
    }

    /// Puts on record how the request to Graph ended.
    pub fn end_with<T>(self, result: &Result<T, graph::Error>) {
        self.action.end_with(result);
    }
}

/// Permission to remove what an unfinished change has left in a mailbox. It is not withdrawn.
#[derive(Debug)]
pub struct Undo(());

impl ChangePermit for Undo {
    fn gate(&self) -> Arc<dyn ChangeGate> {
        Arc::new(AlwaysOpen)
    }
}

#[derive(Debug)]
struct AlwaysOpen;

impl ChangeGate for AlwaysOpen {
    fn begin(&self) -> Result<(), Withdrawal> {
        Ok(())
    }

    fn withdrawn(&self) -> BoxFuture<'_, Withdrawal> {
        Box::pin(pending())
    }
}

/// What a call's changes have in common.
#[derive(Debug, Clone)]
pub(super) struct CallState {
    /// Why no change of this call may begin any more.
    stopped: watch::Sender<Option<StopReason>>,
    /// Whether a change was begun.
    has_begun: Arc<AtomicBool>,
    /// Whether a change was stopped because the process ends.
    is_cut_short: Arc<AtomicBool>,
}

impl Default for CallState {
    fn default() -> Self {
        Self { stopped: watch::Sender::new(None), has_begun: Arc::default(), is_cut_short: Arc::default() }
    }
}

impl CallState {
    /// Lets no change of the call begin any more.
    pub(super) fn stop(&self, reason: StopReason) {
        self.stopped.send_if_modified(|stopped| {
            let is_first = stopped.is_none();
            stopped.get_or_insert(reason);
            is_first
        });
    }

    /// Why no change of the call may begin, if that is so. The first reason stays, also where a hold is released.
    pub(super) fn stop_reason(&self, in_force: &InForce) -> Option<StopReason> {
        let known = self.stopped.borrow().clone();
        let reason = known.or_else(|| in_force.stop_reason().inspect(|reason| self.stop(reason.clone())));
        if reason == Some(StopReason::Stopping) {
            self.is_cut_short.store(true, Ordering::Release);
        }
        reason
    }

    /// Waits until no change of the call may begin any more.
    pub(super) async fn stopped(&self, in_force: watch::Receiver<InForce>) -> StopReason {
        self.first(in_force, |in_force| self.stop_reason(in_force)).await
    }

    /// Waits until `look` finds something, at each change of the policy or of the call's state.
    async fn first<T>(
        &self,
        mut in_force: watch::Receiver<InForce>,
        look: impl Fn(&InForce) -> Option<T>,
    ) -> T {
        let mut stopped = self.stopped.subscribe();
        loop {
            if let Some(found) = look(&in_force.borrow_and_update()) {
                return found;
            }
            let changed = tokio::select! {
                changed = in_force.changed() => changed,
                changed = stopped.changed() => changed,
            };
            // The senders are gone, so nothing changes any more.
            if changed.is_err() {
                pending::<()>().await;
            }
        }
    }

    /// Whether the end of the process kept a change of the call from beginning.
    pub(super) fn is_cut_short(&self) -> bool {
        self.is_cut_short.load(Ordering::Acquire)
    }

    /// Whether a change of the call was begun.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }
}

/// Decides whether changes that were permitted may still be sent.
#[derive(Debug)]
pub(super) struct Gate {
    in_force: watch::Receiver<InForce>,
    call: CallState,
    /// The version of the rails that permitted the changes.
    version: u64,
}

impl Gate {
    pub(super) fn new(in_force: watch::Receiver<InForce>, call: CallState, version: u64) -> Self {
        Self { in_force, call, version }
    }

    fn withdrawal(&self, in_force: &InForce) -> Option<Withdrawal> {
        match self.call.stop_reason(in_force) {
            Some(reason) => Some(reason.withdrawal()),
            None => (in_force.version != self.version).then(rails_changed),
        }
    }
}

/// The withdrawal of a change that has to be permitted again.
fn rails_changed() -> Withdrawal {
    let phrase = "the guard rails changed before it was sent".into();
    Withdrawal { code: RefusalCode::RailsChanged.text(), phrase }
}

impl ChangeGate for Gate {
    fn begin(&self) -> Result<(), Withdrawal> {
        if let Some(withdrawal) = self.withdrawal(&self.in_force.borrow()) {
            return Err(withdrawal);
        }
        // Before another look, so that after a stop no change begins as long as this is unset.
        self.call.has_begun.store(true, Ordering::Release);
        self.withdrawal(&self.in_force.borrow()).map_or(Ok(()), Err)
    }

    fn withdrawn(&self) -> BoxFuture<'_, Withdrawal> {
        let in_force = self.in_force.clone();
        Box::pin(self.call.first(in_force, |in_force| self.withdrawal(in_force)))
    }
}

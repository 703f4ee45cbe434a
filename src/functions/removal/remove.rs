//! Removes one message, however it is to go.

use super::delete;
use super::gone::removed_before;
use super::order::{Before, CHANGED_IDENTITY, Failed, Order, Removal, Removed, RemovedBy, Removing};
use crate::audit::ActOutcome;
use crate::functions::context::Context;
use crate::functions::outcome::NotDone;
use crate::guard::{Authorization, Change, Mailbox};
use graph::{self, Dispatch, Expected, MessageState, Path, Request};

/// Removes one message within the guard rails, and completes the audit record.
pub(in crate::functions) async fn remove(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    order: &Order<'_>,
) -> Result<Removed, NotDone> {
    let state = if order.removal == Removal::Quarantine || order.expected.is_some() {
        let (address, folder) = (mailbox.address(), order.folder);
        Some(graph::read_state(&context.graph, dispatch, address, folder, order.id).await)
    } else {
        None
    };
    let record = order.record(state.as_ref().and_then(|state| state.as_ref().ok()));
    match context.guard.authorize_change(mailbox, record).await? {
        Authorization::Change(act) => {
            let removing = Removing { context, dispatch, mailbox, order, act: &act };
            let removed = removing.run(state).await;
            end(act, &removed);
            removed.map_err(|failed| match failed {
                Failed::Graph(error) => delete::explain(error, order.removal),
                Failed::NotDone(not_done) => not_done,
            })
        }
        Authorization::DryRun(rehearsal) => {
            let there = if let Some(state) = state {
                if let (Some(expected), Ok(state)) = (order.expected, &state)
                    && !expected.is_of(state)
                {
                    rehearsal.end_with(&Ok(()));
                    return Err(changed_identity());
                }
                state.map(drop)
            } else {
                let path = Path::message(mailbox.address(), order.folder, order.id);
                look(context, dispatch, mailbox, path.map_err(graph::Error::from)).await
            };
            rehearsal.end_with(&there);
            there.map_err(NotDone::from).and(Err(NotDone::DryRun))
        }
    }
}

impl Removing<'_> {
    async fn run(&self, state: Option<Result<MessageState, graph::Error>>) -> Result<Removed, Failed> {
        let state = match state.transpose() {
            Ok(state) => state,
            // What an earlier run has moved into quarantine is still found by its id: that of a plan is immutable.
            Err(error) if self.order.removal == Removal::Quarantine && self.order.expected.is_some() => {
                return Err(error.into());
            }
            Err(error) => return Ok(Removed::by(removed_before(self.context, error, false)?)),
        };
        if let (Some(expected), Some(state)) = (self.order.expected, &state)
            && !expected.is_of(state)
        {
            return Err(changed_identity().into());
        }
        let (address, order) = (self.mailbox.address(), self.order);
        let path = Path::message(address, order.folder, order.id).map_err(graph::Error::from)?;
        match (delete::request(path, order.removal, self.act), state) {
            (None, Some(state)) => self.quarantine(state).await,
            (None, None) => {
                let read = graph::read_state(&self.context.graph, self.dispatch, address, None, order.id);
                self.quarantine(read.await?).await
            }
            (Some(request), state) => {
                let by = self.delete(request).await?;
                Ok(Removed { by, before: state.map(|state| self.before_deletion(state)) })
            }
        }
    }

    /// What the message was like before it was removed for the job. Where the job moved it into quarantine first, its mark
    /// says so.
    fn before_deletion(&self, state: MessageState) -> Before {
        match &state.mark {
            Some(mark) if mark.job == self.order.job && mark.to == state.folder => {
                Before::of_mark(mark.clone(), state)
            }
            _ => Before { state, is_marked: false },
        }
    }
}

fn changed_identity() -> NotDone {
    NotDone::Refused { code: CHANGED_IDENTITY, why: "Another message has the id by now.".to_owned() }
}

fn end(act: Change, removed: &Result<Removed, Failed>) {
    match removed {
        Ok(Removed { by: RemovedBy::ThisRun, .. }) => act.end(ActOutcome::Done, None),
        Ok(Removed { by: RemovedBy::EarlierRun, .. }) => {
            act.end(ActOutcome::Done, Some("an earlier run moved it into quarantine"));
        }
        Ok(Removed { by: RemovedBy::Presumed, .. }) => {
            let why = "it was not there; an earlier run of the call may have deleted it";
            act.end(ActOutcome::Gone, Some(why));
        }
        Err(Failed::Graph(error) | Failed::NotDone(NotDone::Graph(error))) => {
            act.end_with(&Err::<(), _>(error.clone()));
        }
        Err(Failed::NotDone(NotDone::Refused { why, .. })) => act.end(ActOutcome::NotDone, Some(why)),
        Err(Failed::NotDone(NotDone::DryRun | NotDone::RailsChanged { .. })) => {
            act.end(ActOutcome::NotDone, Some("the guard rails changed before it was sent"));
        }
    }
}

/// Checks that a message exists.
pub(in crate::functions) async fn look(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    path: Result<Path, graph::Error>,
) -> Result<(), graph::Error> {
    let request = Request::get(path?.option("$select", "id")).in_mailbox(mailbox.address());
    let request = request.expecting(Expected::Entity);
    context.graph.send_by(dispatch, &request).await.map(drop).map_err(|failed| failed.error)
}

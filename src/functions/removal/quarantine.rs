//! Moves a message into the quarantine of its mailbox.
//!
//! The message is marked first, and then moved. Where a run ends between the two, the next one moves the message. A
//! message that is in the quarantine with the mark of the job was moved there for the job.

use tracing::warn;

use super::folder::quarantine_folder;
use super::order::{ALREADY_IN_QUARANTINE, Before, Failed, Removed, RemovedBy, Removing};
use crate::functions::move_once::move_once;
use graph::{self, MessageState, mark_message, move_message, read_state};

impl Removing<'_> {
    /// Moves the message, which is in `state`, into quarantine.
    pub(super) async fn quarantine(&self, mut state: MessageState) -> Result<Removed, Failed> {
        let Self { context, dispatch, mailbox, .. } = self;
        let folder = quarantine_folder(context, dispatch, mailbox, None).await?;
        if state.folder == folder {
            return self.is_there(state);
        }
        let mut is_marked = self.mark(&state, &folder).await?;
        let moved = match self.move_to(&state.id, &folder).await {
            // Either the message or the folder is gone.
            Err(error) if error.is_no_folder() => {
                let still = read_state(&context.graph, dispatch, mailbox.address(), None, &state.id).await;
                if still.is_err() {
                    return Err(error.into());
                }
                let folder = quarantine_folder(context, dispatch, mailbox, Some(&folder)).await?;
                is_marked = self.mark(&state, &folder).await?;
                self.move_to(&state.id, &folder).await
            }
            moved => moved,
        };
        state.id = moved?.id;
        Ok(Removed { by: RemovedBy::ThisRun, before: Some(Before { state, is_marked }) })
    }

    /// The message is in quarantine already.
    fn is_there(&self, state: MessageState) -> Result<Removed, Failed> {
        let Some(mark) = state.mark.clone().filter(|mark| mark.job == self.order.job) else {
            let why = "The message is in quarantine already, by another call.";
            return Err(Failed::refused(ALREADY_IN_QUARANTINE, why));
        };
        Ok(Removed { by: RemovedBy::EarlierRun, before: Some(Before::of_mark(mark, state)) })
    }

    /// Marks the message. A message that cannot be marked goes into quarantine all the same: Graph may come to refuse
    /// changes of received mail.
    async fn mark(&self, state: &MessageState, folder: &str) -> Result<bool, Failed> {
        let Self { context, dispatch, mailbox, order, act } = self;
        let mark = state.mark_for(order.job, folder);
        if state.mark.as_ref().is_some_and(|known| known.says_same(&mark)) {
            return Ok(true);
        }
        match mark_message(&context.graph, dispatch, mailbox.address(), &state.id, &mark, *act).await {
            Ok(()) => Ok(true),
            Err(error) if error.withdrawal().is_some() || error.is_for_all() => Err(error.into()),
            Err(error) => {
                warn!(message_id = state.id, error = error.for_log(), "the message cannot be marked");
                Ok(false)
            }
        }
    }

    async fn move_to(&self, id: &str, folder: &str) -> Result<MessageState, graph::Error> {
        move_once(self.context, || self.request_move(id, folder), || self.find_in(id, folder)).await
    }

    async fn request_move(&self, id: &str, folder: &str) -> Result<MessageState, graph::Error> {
        let Self { context, dispatch, mailbox, act, .. } = self;
        move_message(&context.graph, dispatch, mailbox.address(), (id, None), folder, *act).await
    }

    /// Finds the message in `folder`. A lookup that fails finds nothing, and the log says why.
    async fn find_in(&self, id: &str, folder: &str) -> Option<MessageState> {
        let Self { context, dispatch, mailbox, .. } = self;
        match read_state(&context.graph, dispatch, mailbox.address(), None, id).await {
            Ok(state) => (state.folder == folder).then_some(state),
            Err(error) => {
                let error = error.for_log();
                warn!(message_id = id, error, "could not look up where the message is");
                None
            }
        }
    }
}

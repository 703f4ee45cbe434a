//! Finds out where a removed message is.

use super::place::{Asking, MailboxPlaces};
use super::wanted::{Place, Wanted};
use graph::{MessageState, read_state};

/// The folders in which deleted messages are (Graph page "mailFolder resource type").
pub(super) const DELETED_ITEMS: &str = "deleteditems";
pub(super) const RECOVERABLE_ITEMS: &str = "recoverableitemsdeletions";

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    Quarantine,
    DeletedItems,
    RecoverableItems,
    /// Where the removal did not put it.
    Elsewhere(Elsewhere),
}

/// Where a message is that is not where the removal put it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    Folder,
    /// Its owner deleted it.
    RecoverableItems,
    /// It is in quarantine on behalf of another job.
    OtherQuarantine,
}

/// Looks for messages in one mailbox.
#[derive(Clone, Copy)]
pub(super) struct Finder<'a> {
    pub(super) asking: Asking<'a>,
    pub(super) places: &'a MailboxPlaces,
}

impl Finder<'_> {
    /// Finds the message; `None` if it is not there.
    pub(super) async fn find(
        &self,
        wanted: &Wanted,
    ) -> Result<Option<(MessageState, Whereabouts)>, graph::Error> {
        let id = &wanted.id;
        if let Some(state) = &wanted.state {
            let whereabouts = self.of(state, wanted).await?;
            return Ok(Some((state.clone(), whereabouts)));
        }
        let deleted_to =
            [(RECOVERABLE_ITEMS, Whereabouts::RecoverableItems), (DELETED_ITEMS, Whereabouts::DeletedItems)];
        let deleted_to = match wanted.place {
            Place::Recoverable => &deleted_to[..1],
            Place::Deleted => &deleted_to[..],
            Place::Quarantine | Place::Unknown => &[],
        };
        for (folder, whereabouts) in deleted_to {
            if let Some(state) = self.look(Some(folder), id).await? {
                return Ok(Some((state, *whereabouts)));
            }
        }
        if !deleted_to.is_empty() {
            let state = self.look(None, id).await?;
            return Ok(state.map(|state| (state, Whereabouts::Elsewhere(Elsewhere::Folder))));
        }
        if let Some(state) = self.look(None, id).await? {
            let whereabouts = self.of(&state, wanted).await?;
            return Ok(Some((state, whereabouts)));
        }
        let whereabouts = match wanted.place {
            Place::Quarantine => Whereabouts::Elsewhere(Elsewhere::RecoverableItems),
            Place::Recoverable | Place::Deleted | Place::Unknown => Whereabouts::RecoverableItems,
        };
        Ok(self.look(Some(RECOVERABLE_ITEMS), id).await?.map(|state| (state, whereabouts)))
    }

    /// Where a message is that any program finds.
    async fn of(&self, state: &MessageState, wanted: &Wanted) -> Result<Whereabouts, graph::Error> {
        if let Some(mark) = &state.mark
            && mark.to == state.folder
        {
            let is_other = wanted.job.as_ref().is_some_and(|job| *job != mark.job);
            let other = Whereabouts::Elsewhere(Elsewhere::OtherQuarantine);
            return Ok(if is_other { other } else { Whereabouts::Quarantine });
        }
        if state.mark.is_none() && matches!(wanted.place, Place::Quarantine | Place::Unknown) {
            if wanted.place == Place::Unknown && self.look(Some(DELETED_ITEMS), &wanted.id).await?.is_some() {
                return Ok(Whereabouts::DeletedItems);
            }
            if self.places.is_quarantine(self.asking, &state.folder).await? {
                return Ok(Whereabouts::Quarantine);
            }
        }
        Ok(Whereabouts::Elsewhere(Elsewhere::Folder))
    }

    /// The message, in one folder or in any that Graph looks into.
    async fn look(&self, folder: Option<&str>, id: &str) -> Result<Option<MessageState>, graph::Error> {
        let Asking { context, dispatch, mailbox } = self.asking;
        match read_state(&context.graph, dispatch, mailbox.address(), folder, id).await {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.is_no_folder() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

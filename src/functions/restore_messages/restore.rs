//! Restores one message: moves it back, and sets what is different of it.
//!
//! What is different is set before the move, where that is possible. So a message that is in its folder is restored
//! completely, and a later run leaves it alone, whatever its owner has done with it since.

use tracing::warn;

use super::fate::{Fate, Restored, changed, marked_changes};
use super::find::{DELETED_ITEMS, Elsewhere, Finder, RECOVERABLE_ITEMS, Whereabouts};
use super::place::{Asking, INBOX, MailboxPlaces};
use super::wanted::{Origin, Place, Wanted};
use crate::audit::{Act, ActOutcome, AuditRecord};
use crate::functions::move_once::move_once;
use crate::functions::outcome::NotDone;
use crate::functions::report;
use crate::guard::{Authorization, Change};
use graph::{Mark, MessageState, StateChange, change_state, move_message, read_state};

/// Restores the message within the guard rails, and completes the audit record.
pub(super) async fn restore(
    asking: Asking<'_>,
    places: &MailboxPlaces,
    wanted: &Wanted,
) -> Result<Restored, NotDone> {
    let finder = Finder { asking, places };
    let Some((state, whereabouts)) = finder.find(wanted).await? else {
        return Ok(Restored::new(Fate::NotFound).because("it was purged, or its owner deleted it for good"));
    };
    let meeting = state.meeting.clone();
    let mut restored = restore_found(asking, places, wanted, (state, whereabouts)).await?;
    if let Some(state) = &mut restored.state {
        places.conceal(asking, state).await;
    }
    Ok(Restored { meeting, ..restored })
}

async fn restore_found(
    asking: Asking<'_>,
    places: &MailboxPlaces,
    wanted: &Wanted,
    (state, whereabouts): (MessageState, Whereabouts),
) -> Result<Restored, NotDone> {
    let marked = Origin::marked(&state, wanted.job.as_deref());
    let origin = match wanted.place {
        // Files of an incident can be edited.
        Place::Quarantine => marked.or_else(|| wanted.origin.clone()),
        Place::Recoverable | Place::Deleted | Place::Unknown => wanted.origin.clone().or(marked),
    };
    if let Whereabouts::Elsewhere(elsewhere) = whereabouts {
        return Ok(leave(asking, places, state, elsewhere, origin.as_ref()).await?);
    }
    let target = origin.as_ref().map_or(INBOX, |origin| &origin.folder);
    if state.folder == target {
        return Ok(Restored::new(Fate::AlreadyRestored).found(state));
    }
    let record = AuditRecord {
        message_id: Some(state.id.clone()),
        origin: Some(state.folder.clone()),
        destination: Some(target.to_owned()),
        ..AuditRecord::new(Act::RestoreMessage)
    };
    match asking.context.guard.authorize_change(asking.mailbox, record).await? {
        Authorization::Change(act) => {
            let moving = Moving { asking, places, act: &act, state: &state, whereabouts };
            let restored = moving.back(origin.as_ref()).await;
            end(act, &restored);
            Ok(restored?)
        }
        Authorization::DryRun(rehearsal) => {
            rehearsal.end_with(&Ok(()));
            Err(NotDone::DryRun)
        }
    }
}

/// A message that is not where the removal put it stays where it is.
async fn leave(
    asking: Asking<'_>,
    places: &MailboxPlaces,
    state: MessageState,
    elsewhere: Elsewhere,
    origin: Option<&Origin>,
) -> Result<Restored, graph::Error> {
    let why = match elsewhere {
        Elsewhere::RecoverableItems => "its owner deleted it; it is in Recoverable Items",
        Elsewhere::OtherQuarantine => "it is in quarantine on behalf of another call",
        Elsewhere::Folder if origin.is_some_and(|origin| origin.folder == state.folder) => {
            let changed = marked_changes(state.mark.as_ref());
            return Ok(Restored { changed, ..Restored::new(Fate::AlreadyRestored) }.found(state));
        }
        Elsewhere::Folder => {
            // A message whose folder is gone was restored to the Inbox.
            if places.inbox(asking).await? == state.folder
                && match origin {
                    Some(origin) => !places.has(asking, &origin.folder).await?,
                    None => true,
                }
            {
                return Ok(Restored::new(Fate::AlreadyRestored).found(state).because("in the Inbox"));
            }
            if origin.is_some() {
                "its owner has moved it to another folder"
            } else {
                "it is in its mailbox, and not removed as far as is known"
            }
        }
    };
    let moved = Restored { changed: vec!["moved"], ..Restored::new(Fate::NotTouched) };
    Ok(moved.found(state).because(why))
}

/// The restoration of one message that is permitted and on record.
struct Moving<'a> {
    asking: Asking<'a>,
    places: &'a MailboxPlaces,
    act: &'a Change,
    state: &'a MessageState,
    whereabouts: Whereabouts,
}

impl Moving<'_> {
    async fn back(&self, origin: Option<&Origin>) -> Result<Restored, graph::Error> {
        let Asking { context, dispatch, mailbox } = self.asking;
        let set = async |change: &StateChange, mark: Option<&Mark>, id: &str| {
            change_state(&context.graph, dispatch, mailbox.address(), id, change, mark, self.act).await
        };
        let difference = origin.map(|origin| origin.difference(self.state)).unwrap_or_default();
        let mut changed_by_owner = marked_changes(self.state.mark.as_ref());
        changed_by_owner.extend(changed(&difference));
        changed_by_owner.sort_unstable();
        changed_by_owner.dedup();
        // The mark keeps what is set back, for a later run to report it.
        let changes = changed_by_owner.iter().map(|what| (*what).to_owned());
        let mark = self.state.mark.as_ref().map(|mark| mark.with_changes(changes.collect()));
        // What is in Recoverable Items cannot be changed.
        if !difference.is_empty()
            && self.whereabouts != Whereabouts::RecoverableItems
            && let Err(error) = set(&difference, mark.as_ref(), &self.state.id).await
        {
            if error.withdrawal().is_some() || error.is_for_all() {
                return Err(error);
            }
            warn!(message_id = self.state.id, error = error.for_log(), "the message cannot be changed yet");
        }
        let folder = origin.map(|origin| origin.folder.as_str());
        let first = match folder {
            Some(folder) => match self.to(folder).await {
                // In doubt, the message may be in its folder already.
                Err(error) if error.is_no_folder() && !error.is_indeterminate() => None,
                moved => Some(moved?),
            },
            None => None,
        };
        let (fate, moved) = match first {
            Some(moved) => (Fate::Restored, moved),
            None => match self.to(INBOX).await {
                Err(error) if error.is_item_gone() => {
                    return Ok(Restored::new(Fate::NotFound)
                        .because("it was moved or deleted while it was being restored"));
                }
                moved => (Fate::RestoredToInbox, moved?),
            },
        };
        let mut restored = Restored { changed: changed_by_owner, ..Restored::new(fate) };
        if fate == Fate::RestoredToInbox {
            let gone = "the folder that it was in is gone";
            let unknown = "the folder that it was in is not known";
            restored = restored.because(if folder.is_some() { gone } else { unknown });
        }
        let left = origin.map(|origin| origin.difference(&moved)).unwrap_or_default();
        if !left.is_empty()
            && let Err(error) = set(&left, None, &moved.id).await
        {
            restored.is_partial = true;
            let what = changed(&left).join(", ");
            restored = restored.because(format!("{what} could not be undone: {}", report::in_words(&error)));
        }
        Ok(restored.found(moved))
    }

    async fn to(&self, folder: &str) -> Result<MessageState, graph::Error> {
        let Asking { context, dispatch, mailbox } = self.asking;
        let from = match self.whereabouts {
            Whereabouts::DeletedItems => DELETED_ITEMS,
            Whereabouts::RecoverableItems => RECOVERABLE_ITEMS,
            Whereabouts::Quarantine | Whereabouts::Elsewhere(_) => &self.state.folder,
        };
        let message = (self.state.id.as_str(), Some(from));
        let request = || move_message(&context.graph, dispatch, mailbox.address(), message, folder, self.act);
        move_once(context, request, || self.find_in(folder)).await
    }

    /// Finds the message in `folder`. A lookup that fails finds nothing, and the log says why.
    async fn find_in(&self, folder: &str) -> Option<MessageState> {
        let Asking { context, dispatch, mailbox } = self.asking;
        let found = async {
            let folder = if folder == INBOX { self.places.inbox(self.asking).await? } else { folder };
            let id = &self.state.id;
            let state = read_state(&context.graph, dispatch, mailbox.address(), None, id).await?;
            Ok::<_, graph::Error>((state.folder == folder).then_some(state))
        };
        match found.await {
            Ok(found) => found,
            Err(error) => {
                let error = error.for_log();
                warn!(message_id = self.state.id, error, "could not look up where the message is");
                None
            }
        }
    }
}

fn end(act: Change, restored: &Result<Restored, graph::Error>) {
    match restored {
        Ok(Restored { fate: Fate::NotFound, .. }) => {
            act.end(ActOutcome::Gone, Some("it was not there any more"));
        }
        Ok(Restored { fate: Fate::RestoredToInbox, .. }) => {
            act.end(ActOutcome::Done, Some("to the Inbox; its folder is gone or not known"));
        }
        other => act.end_with(other),
    }
}

//! Removes one calendar entry.

use std::sync::OnceLock;

use tracing::warn;

use super::fate::MeetingFate;
use super::record::Kept;
use super::transfer::exported;
use crate::audit::{Act, ActOutcome, AuditRecord};
use crate::functions::call::PriorRun;
use crate::functions::context::Context;
use crate::functions::outcome::NotDone;
use crate::guard::{Authorization, Change, Mailbox};
use graph::{CalendarEntry, DeletedEntry, Dispatch, MeetingMark, delete_entry, mark_meeting, read_entry};

/// The messages that get a mark of what their entry was, and on whose behalf it is removed.
#[derive(Debug, Clone, Copy)]
pub(in crate::functions) struct Marking<'a> {
    pub(in crate::functions) job: &'a str,
    pub(in crate::functions) messages: &'a [&'a str],
}

/// What is kept of an entry before its removal.
#[derive(Debug, Clone, Copy)]
pub(in crate::functions) enum Keeping<'a> {
    /// It is on record already.
    Nothing,
    /// Its export where that is possible, and a mark on its messages.
    Everything {
        marking: Option<Marking<'a>>,
        kept: &'a Kept,
        /// Has the export, whatever becomes of the removal.
        exported: &'a OnceLock<String>,
    },
}

/// What became of an entry.
#[derive(Debug)]
pub(in crate::functions) struct Removed {
    pub(in crate::functions) fate: MeetingFate,
    /// The entry as it was right before its removal, where it was there.
    pub(in crate::functions) entry: Option<CalendarEntry>,
}

/// Removes the entry with this id within the guard rails, and completes the audit record. It is read once more before:
/// its owner may have answered, and the organizer's own entry is never touched.
pub(in crate::functions) async fn remove_entry(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    id: &str,
    keeping: Keeping<'_>,
) -> Result<Removed, NotDone> {
    let mut entry = match read_entry(&context.graph, dispatch, mailbox.address(), id).await {
        Ok(entry) => entry,
        Err(error) if error.is_item_gone() => {
            // It was there a moment ago, or an earlier run of the call listed it.
            let by_us = context.run_elsewhere() == PriorRun::Likely;
            let fate = if by_us { MeetingFate::AlreadyRemoved } else { MeetingFate::NoEntry };
            return Ok(Removed { fate, entry: None });
        }
        Err(error) => return Err(error.into()),
    };
    if matches!(keeping, Keeping::Nothing) {
        entry.body = None;
    }
    if entry.is_organizer {
        return Ok(Removed { fate: MeetingFate::Organizer, entry: Some(entry) });
    }
    let record = AuditRecord { event_id: Some(entry.id.clone()), ..AuditRecord::new(Act::RemoveMeeting) };
    match context.guard.authorize_change(mailbox, record).await? {
        Authorization::Change(act) => {
            let marking = match keeping {
                Keeping::Nothing => None,
                Keeping::Everything { marking, kept, exported: export } => {
                    if export.get().is_none()
                        && let Some(exported) = exported(context, dispatch, mailbox, id, kept).await
                    {
                        export.get_or_init(|| exported);
                    }
                    marking
                }
            };
            let removed = remove(context, dispatch, mailbox, &entry, marking, &act).await;
            match &removed {
                Ok(DeletedEntry::WasGone) => act.end(ActOutcome::Gone, Some("it was not there any more")),
                other => act.end_with(other),
            }
            let fate = match removed? {
                DeletedEntry::ByUs => MeetingFate::Removed,
                DeletedEntry::WasGone => MeetingFate::NoEntry,
            };
            Ok(Removed { fate, entry: Some(entry) })
        }
        Authorization::DryRun(rehearsal) => {
            rehearsal.end_with(&Ok(()));
            Err(NotDone::DryRun)
        }
    }
}

async fn remove(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    entry: &CalendarEntry,
    marking: Option<Marking<'_>>,
    act: &Change,
) -> Result<DeletedEntry, graph::Error> {
    let (graph, address) = (&context.graph, mailbox.address());
    if let Some(Marking { job, messages }) = marking {
        let mark = MeetingMark::of(entry, job);
        for message in messages {
            match mark_meeting(graph, dispatch, address, message, &mark, act).await {
                Ok(_) => {}
                Err(error) if error.withdrawal().is_some() || error.is_for_all() => return Err(error),
                // The entry goes all the same: Graph may come to refuse changes of received mail.
                Err(error) => {
                    let error = error.for_log();
                    warn!(message_id = message, error, "the message cannot be marked");
                }
            }
        }
    }
    delete_entry(graph, dispatch, address, &entry.id, act).await
}

//! Brings a removed calendar entry back: as an appointment of the calendar's owner, without attendees, so nothing is
//! sent. What Graph cannot give back are the organizer, the attendees, the answer, and updates by the organizer.

use std::sync::Arc;

use serde::Serialize;
use tracing::{info, warn};
use uuid::Uuid;

use super::record::{RemovedMeeting, RemovedMeetings};
use super::times::in_original_zone;
use super::transfer::can_transfer;
use crate::audit::{Act, AuditRecord};
use crate::functions::context::Context;
use crate::functions::move_once::move_once;
use crate::functions::outcome::NotDone;
use crate::functions::zone::is_zone_refused;
use crate::guard::{Authorization, Change, Mailbox};
use graph::{
    Dispatch, EntryDetails, EntryText, MeetingMark, NewEntry, create_entry, entries_of_meeting, import_entry,
    message_text, restored_entries,
};

/// A removed entry that is to come back.
#[derive(Debug, Clone)]
pub(in crate::functions) struct WantedMeeting {
    pub(in crate::functions) mailbox: String,
    /// The directory's id of the mailbox, where it is known.
    pub(in crate::functions) mailbox_id: Option<String>,
    pub(in crate::functions) uid: String,
    /// How the calendar's owner had answered.
    pub(in crate::functions) response: String,
    pub(in crate::functions) details: EntryDetails,
    /// Its text, where it was kept.
    pub(in crate::functions) text: Option<Arc<EntryText>>,
    /// All of it, as Exchange exported it.
    pub(in crate::functions) exported: Option<String>,
    /// Messages that have the text.
    pub(in crate::functions) messages: Vec<String>,
}

/// What became of an entry that was to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::functions) enum MeetingRestored {
    /// It is as it was, with organizer, attendees and answer.
    RestoredInFull,
    /// An appointment took its place.
    Restored,
    /// The same, without its text, which is not known.
    RestoredWithoutText,
    /// The meeting is in the calendar, or an appointment took its place before.
    AlreadyThere,
}

impl WantedMeeting {
    /// The entries that were removed, or may have been.
    pub(in crate::functions) fn all(removed: RemovedMeetings) -> Vec<Self> {
        let RemovedMeetings { meetings, texts } = removed;
        // Many entries have the same text.
        let texts: Vec<Arc<EntryText>> = texts.into_iter().map(Arc::new).collect();
        let wanted = |meeting: RemovedMeeting| Self {
            mailbox: meeting.mailbox,
            mailbox_id: meeting.mailbox_id.filter(|id| !id.is_empty()),
            uid: meeting.ical_uid,
            response: meeting.response,
            details: meeting.details,
            text: meeting.text.and_then(|text| texts.get(text).cloned()),
            exported: meeting.exported,
            messages: meeting.messages,
        };
        meetings.into_iter().map(wanted).collect()
    }

    /// The entry that the mark on the message `id` names.
    pub(in crate::functions) fn marked(
        mailbox: &str,
        mailbox_id: Option<&str>,
        id: &str,
        mark: MeetingMark,
    ) -> Self {
        Self {
            mailbox: mailbox.to_owned(),
            mailbox_id: mailbox_id.map(str::to_owned),
            uid: mark.uid,
            response: mark.response,
            details: mark.details,
            text: None,
            exported: None,
            messages: vec![id.to_owned()],
        }
    }

    /// The name by which the mailbox is asked for.
    pub(in crate::functions) fn mailbox_name(&self) -> &str {
        self.mailbox_id.as_deref().unwrap_or(&self.mailbox)
    }
}

/// Brings the entry back within the guard rails, and completes the audit record.
pub(in crate::functions) async fn restore_meeting(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    wanted: &WantedMeeting,
) -> Result<MeetingRestored, NotDone> {
    let (graph, address) = (&context.graph, mailbox.address());
    let is_there = async || -> Result<bool, graph::Error> {
        Ok(!entries_of_meeting(graph, dispatch, address, &wanted.uid).await?.is_empty()
            || !restored_entries(graph, dispatch, address, &wanted.uid).await?.is_empty())
    };
    if is_there().await? {
        return Ok(MeetingRestored::AlreadyThere);
    }
    let text = match &wanted.text {
        Some(text) => Some(Arc::clone(text)),
        None => text_of(context, dispatch, mailbox, &wanted.messages).await?.map(Arc::new),
    };
    let record = AuditRecord { event_id: Some(wanted.uid.clone()), ..AuditRecord::new(Act::RestoreMeeting) };
    match context.guard.authorize_change(mailbox, record).await? {
        Authorization::Change(act) => {
            if let Some(exported) = &wanted.exported
                && can_transfer(context).await
            {
                let import = || import_entry(graph, dispatch, address, exported, &act);
                let imported =
                    move_once(context, import, async || is_there().await.unwrap_or(false).then_some(()));
                let imported = imported.await;
                match &imported {
                    // An appointment is the next best.
                    Err(error)
                        if !error.is_indeterminate()
                            && !error.is_for_all()
                            && error.withdrawal().is_none() =>
                    {
                        warn!(error = error.for_log(), "the calendar entry cannot be imported");
                    }
                    ended => {
                        act.end_with(ended);
                        imported?;
                        return Ok(MeetingRestored::RestoredInFull);
                    }
                }
            }
            let mut created = create(context, dispatch, mailbox, wanted, text.as_deref(), &act).await;
            if let Err(error) = &created
                && (error.is_indeterminate() || error.refusal().is_some_and(|refusal| refusal.status == 409))
                && is_there().await.unwrap_or(false)
            {
                created = Ok(());
            }
            act.end_with(&created);
            created?;
            let is_whole = text.is_some();
            Ok(if is_whole { MeetingRestored::Restored } else { MeetingRestored::RestoredWithoutText })
        }
        Authorization::DryRun(rehearsal) => {
            rehearsal.end_with(&Ok(()));
            Err(NotDone::DryRun)
        }
    }
}

/// The text of the first of the messages that is there.
async fn text_of(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    messages: &[String],
) -> Result<Option<EntryText>, graph::Error> {
    for id in messages {
        match message_text(&context.graph, dispatch, mailbox.address(), id).await {
            Ok(text) => return Ok(Some(text)),
            Err(error) if error.is_for_all() => return Err(error),
            Err(error) => {
                warn!(message_id = id, error = error.for_log(), "the text of the meeting cannot be read");
            }
        }
    }
    Ok(None)
}

/// Creates the appointment; in Graph's own times, if it does not accept the organizer's zone.
async fn create(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    wanted: &WantedMeeting,
    text: Option<&EntryText>,
    act: &Change,
) -> Result<(), graph::Error> {
    let WantedMeeting { uid, details, .. } = wanted;
    let name = format!("{} {uid}", wanted.mailbox_name().to_lowercase());
    let transaction_id = Uuid::new_v5(&context.call.reference(), name.as_bytes());
    let post = async |times| {
        let new = NewEntry { uid, transaction_id, details, times, text };
        create_entry(&context.graph, dispatch, mailbox.address(), &new, act).await.map(drop)
    };
    let own = || [details.start.clone(), details.end.clone()];
    let Some(times) = in_original_zone(details) else { return post(own()).await };
    match post(times).await {
        Err(error) if is_zone_refused(&error) => {
            info!(error = error.for_log(), "time zone refused; restoring the meeting in UTC");
            post(own()).await
        }
        created => created,
    }
}

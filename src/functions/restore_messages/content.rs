//! The content of the result, as workflows and scripts read it.

use serde::Serialize;

use super::fate::{Fate, Restored};
use super::meetings::{Meeting, MeetingFate, Meetings};
use super::sources::Found;
use super::wanted::Wanted;

/// The content of the result.
#[derive(Serialize)]
pub(super) struct Content<'a> {
    incident_id: Option<i64>,
    /// The plan's digest, or the reference of the call that deleted, where the messages were asked for by it.
    job: Option<&'a str>,
    messages: usize,
    #[serde(flatten)]
    pub(super) counts: Counts,
    mailboxes_looked_into: usize,
    mailboxes_not_looked_into: Vec<NotLookedInto<'a>>,
    /// Whether messages of the job may be missing.
    complete: bool,
    /// How many calendar entries are back, by this call and by an earlier one.
    meetings_restored: usize,
    meetings_already_there: usize,
    results: Vec<Entry<'a>>,
    calendars: Vec<CalendarEntry<'a>>,
}

/// A calendar entry that was removed, and what became of it.
#[derive(Serialize)]
struct CalendarEntry<'a> {
    email_address: &'a str,
    mailbox_id: Option<&'a str>,
    ical_uid: &'a str,
    subject: Option<&'a str>,
    /// How the calendar's owner had answered.
    response: &'a str,
    fate: MeetingFate,
    code: &'a str,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct NotLookedInto<'a> {
    email_address: &'a str,
    reason: &'a str,
}

/// A message, and what became of it.
#[derive(Serialize)]
struct Entry<'a> {
    email_address: &'a str,
    mailbox_id: Option<&'a str>,
    id: &'a str,
    fate: Fate,
    /// The id of the folder that it is in.
    folder_id: Option<&'a str>,
    /// What its owner has changed since the removal.
    changed: &'a [&'static str],
    /// Whether read state, flag or categories could not be set as they were.
    partial: bool,
    code: &'a str,
    reason: Option<&'a str>,
}

/// How many messages have which fate. They add up to all messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    #[serde(rename = "messages_restored")]
    pub(super) restored: usize,
    #[serde(rename = "messages_restored_to_inbox")]
    pub(super) restored_to_inbox: usize,
    #[serde(rename = "messages_already_restored")]
    pub(super) already_restored: usize,
    #[serde(rename = "messages_not_touched")]
    pub(super) not_touched: usize,
    #[serde(rename = "messages_not_found")]
    pub(super) not_found: usize,
    #[serde(rename = "messages_refused")]
    pub(super) refused: usize,
    #[serde(rename = "messages_failed")]
    pub(super) failed: usize,
    #[serde(rename = "messages_in_doubt")]
    pub(super) in_doubt: usize,
    #[serde(rename = "messages_not_reached")]
    pub(super) not_reached: usize,
    #[serde(rename = "messages_dry_run")]
    pub(super) dry_run: usize,
}

impl Counts {
    fn of(all: &[Restored]) -> Self {
        let mut counts = Self::default();
        for restored in all {
            *match restored.fate {
                Fate::Restored => &mut counts.restored,
                Fate::RestoredToInbox => &mut counts.restored_to_inbox,
                Fate::AlreadyRestored => &mut counts.already_restored,
                Fate::NotTouched => &mut counts.not_touched,
                Fate::NotFound => &mut counts.not_found,
                Fate::Refused => &mut counts.refused,
                Fate::Failed => &mut counts.failed,
                Fate::InDoubt => &mut counts.in_doubt,
                Fate::NotReached => &mut counts.not_reached,
                Fate::DryRun => &mut counts.dry_run,
            } += 1;
        }
        counts
    }

    /// How many are back, by this call or an earlier one.
    pub(super) fn back(self) -> usize {
        self.restored + self.restored_to_inbox + self.already_restored
    }
}

impl<'a> Content<'a> {
    pub(super) fn of(
        incident_id: Option<i64>,
        job: Option<&'a str>,
        found: &'a Found,
        all: &'a [Restored],
        meetings: &'a Meetings,
    ) -> Self {
        let calendar_entry = |meeting: &'a Meeting| CalendarEntry {
            email_address: &meeting.wanted.mailbox,
            mailbox_id: meeting.wanted.mailbox_id.as_deref(),
            ical_uid: &meeting.wanted.uid,
            subject: meeting.wanted.details.subject.as_deref(),
            response: &meeting.wanted.response,
            fate: meeting.fate,
            code: &meeting.code,
            reason: meeting.reason.as_deref(),
        };
        let not_looked_into = found.not_looked_into.iter();
        let entry = |(wanted, restored): (&'a Wanted, &'a Restored)| Entry {
            email_address: &wanted.mailbox,
            mailbox_id: wanted.mailbox_id.as_deref(),
            id: &wanted.id,
            fate: restored.fate,
            folder_id: restored.folder.as_deref(),
            changed: &restored.changed,
            partial: restored.is_partial,
            code: &restored.code,
            reason: restored.reason.as_deref(),
        };
        Self {
            incident_id,
            job,
            messages: found.wanted.len(),
            counts: Counts::of(all),
            mailboxes_looked_into: found.looked_into,
            mailboxes_not_looked_into: not_looked_into
                .map(|(email_address, reason)| NotLookedInto { email_address, reason })
                .collect(),
            complete: found.is_complete(),
            meetings_restored: meetings.restored(),
            meetings_already_there: meetings.back() - meetings.restored(),
            calendars: meetings.all.iter().map(calendar_entry).collect(),
            results: found.wanted.iter().zip(all).map(entry).collect(),
        }
    }
}

impl Found {
    /// Whether no message can be missing.
    pub(super) fn is_complete(&self) -> bool {
        self.not_looked_into.is_empty() && self.missing.is_empty()
    }
}

//! The content of the result, as workflows and scripts read it.

use serde::Serialize;

use super::Wish;
use super::fate::Mailbox;
use super::find::Found;
use crate::functions::meetings::{MeetingDealt, MeetingFate, RemovedMeeting, RemovedMeetings};

/// The content of the result.
#[derive(Serialize)]
pub(super) struct Content<'a> {
    incident_id: Option<i64>,
    ical_uids: &'a [String],
    /// How many mailboxes were listed, and looked into.
    mailboxes: usize,
    mailboxes_looked_into: usize,
    /// How many of the meetings are in no calendar, and in how many there is one still, or may be.
    mailboxes_without_meeting: usize,
    mailboxes_open: usize,
    meetings_found: usize,
    meetings_removed: usize,
    meetings_accepted: usize,
    meetings_tentative: usize,
    meetings_organizer: usize,
    meetings_dry_run: usize,
    /// Whether no entry of the meetings is left in the mailboxes that were asked for, apart from those of organizers.
    pub(super) complete: bool,
    incomplete_because: &'a [String],
    calendars: Vec<InMailbox<'a>>,
    /// The entries that were removed, for their return.
    #[serde(flatten)]
    meetings: RemovedMeetings,
}

/// A mailbox, and what became of the meetings in its calendar.
#[derive(Serialize)]
struct InMailbox<'a> {
    email_address: &'a str,
    mailbox_id: Option<&'a str>,
    fate: MeetingFate,
    code: &'a str,
    reason: Option<&'a str>,
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    event_id: Option<&'a str>,
    ical_uid: &'a str,
    subject: Option<&'a str>,
    /// How the calendar's owner had answered.
    response: &'a str,
    fate: MeetingFate,
    code: &'a str,
    reason: Option<&'a str>,
}

impl<'a> Content<'a> {
    pub(super) fn of(
        wish: &'a Wish,
        found: &'a Found,
        mailboxes: &'a [Mailbox<'a>],
        dealt: &[MeetingDealt],
    ) -> Self {
        let with = |fate: MeetingFate| dealt.iter().filter(|dealt| dealt.fate == fate).count();
        let count = |is: fn(&Mailbox<'_>) -> bool| mailboxes.iter().filter(|mailbox| is(mailbox)).count();
        let [meetings_accepted, meetings_tentative] = found.meetings.answered();
        let mut meetings = found.meetings.for_result();
        let is_kept =
            |meeting: &RemovedMeeting| meeting.fate.is_removed() || meeting.fate == MeetingFate::InDoubt;
        meetings.meetings.retain(is_kept);
        Self {
            incident_id: wish.incident,
            ical_uids: &wish.uids,
            mailboxes: mailboxes.len(),
            mailboxes_looked_into: found.mailboxes.iter().filter(|one| one.failure.is_none()).count(),
            mailboxes_without_meeting: count(|one| {
                matches!(one.dealt.fate, MeetingFate::NoEntry | MeetingFate::NoMailbox)
            }),
            mailboxes_open: count(|one| one.dealt.fate.is_open()),
            meetings_found: found.meetings.meetings.len(),
            meetings_removed: found.meetings.removed(),
            meetings_accepted,
            meetings_tentative,
            meetings_organizer: with(MeetingFate::Organizer),
            meetings_dry_run: with(MeetingFate::DryRun),
            complete: found.missing.is_empty()
                && mailboxes
                    .iter()
                    .all(|one| one.dealt.fate.is_settled() && one.dealt.fate != MeetingFate::DryRun),
            incomplete_because: &found.missing,
            calendars: mailboxes.iter().map(in_mailbox).collect(),
            meetings,
        }
    }
}

fn in_mailbox<'a>(mailbox: &'a Mailbox<'a>) -> InMailbox<'a> {
    let entry = |(meeting, dealt): &(&'a RemovedMeeting, &'a MeetingDealt)| Entry {
        event_id: meeting.event_id.as_deref(),
        ical_uid: &meeting.ical_uid,
        subject: meeting.details.subject.as_deref(),
        response: &meeting.response,
        fate: dealt.fate,
        code: &dealt.code,
        reason: dealt.reason.as_deref(),
    };
    InMailbox {
        email_address: mailbox.name,
        mailbox_id: mailbox.id,
        fate: mailbox.dealt.fate,
        code: &mailbox.dealt.code,
        reason: mailbox.dealt.reason.as_deref(),
        entries: mailbox.entries.iter().map(entry).collect(),
    }
}

//! The calendar entries that go with the messages of a plan.

use super::identity::identity;
use super::wish::{Action, Wish};
use crate::functions::meetings::{Invitation, MeetingFate, MeetingsOfMessages, RemovedMeetings};
use crate::functions::plan::{OutcomeMessage, Plan, PlannedMessage, RemovalOutcome};
use crate::functions::report::{ByReason, Heading, Message, counted};

const NOT_REMOVED: Heading = Heading { text: "Calendar entries not removed", is_urgent: true };

/// The entries of the plan's invitations, if they are to go as well.
pub(super) fn of_plan<'a>(wish: &Wish, plan: &'a Plan, job: &'a str) -> MeetingsOfMessages<'a> {
    let is_wanted = |planned: &&PlannedMessage| wish.with_meetings && planned.is_invitation;
    let invitations = plan.messages().iter().filter(is_wanted).map(|planned| Invitation {
        mailbox_id: &planned.mailbox_id,
        mailbox: &planned.mailbox,
        id: &planned.id,
        identity: identity(planned),
    });
    MeetingsOfMessages::new(job, wish.action != Action::Purge, invitations)
}

/// Adds to each message what became of its entry, and returns the entries that were removed.
pub(super) fn add_fates(
    meetings: MeetingsOfMessages<'_>,
    messages: &mut [OutcomeMessage],
) -> RemovedMeetings {
    let (mut fates, removed) = meetings.finish();
    for message in messages {
        let key = (message.mailbox_id.clone(), message.id.clone());
        if let Some(dealt) = fates.remove(&key) {
            message.meeting = Some(dealt.fate);
            message.meeting_reason = dealt.reason;
        }
    }
    removed
}

/// What has to be known of the entries, if they were to go as well: what is left comes first.
pub(super) fn sentences(outcome: &RemovalOutcome) -> Vec<String> {
    let with = |wanted: MeetingFate| {
        outcome.messages.iter().filter(move |message| message.meeting == Some(wanted)).count()
    };
    let mut sentences = Vec::new();
    if outcome.messages.iter().all(|message| message.meeting.is_none()) {
        return sentences;
    }
    let open = outcome.open_meetings().count();
    if open > 0 {
        let (are, them) = if open == 1 { ("is", "it") } else { ("are", "them") };
        sentences.push(format!(
            "The calendar entries of {} {are} there still, or may be. What keeps {them} is below.",
            counted(open, "message")
        ));
    }
    let would = with(MeetingFate::DryRun);
    if would > 0 {
        sentences
            .push(format!("The calendar entries of {} would have been removed.", counted(would, "message")));
    }
    // A dry run may have been switched on in the middle.
    if would == 0 || outcome.meetings.removed() > 0 {
        sentences.push(capitalised(&format!("{}.", outcome.meetings.phrase())));
    }
    let without = with(MeetingFate::NoEntry) + with(MeetingFate::NoMessage);
    if without > 0 {
        let no_more = "had none any more: their owners removed them, or the messages were gone";
        sentences.push(format!("{} {no_more}.", counted(without, "invitation")));
    }
    sentences
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), characters.as_str()))
}

/// Adds why the entry of a message is there still.
pub(super) fn add_reason(by_reason: &mut ByReason, message: &OutcomeMessage, planned: &PlannedMessage) {
    if message.meeting.is_some_and(MeetingFate::is_open) {
        let reason = message.meeting_reason.clone().unwrap_or_default();
        let title = Message::planned(planned, "").title();
        by_reason.add(NOT_REMOVED, reason, &planned.mailbox, Some(title));
    }
}

/// Whether nothing is left to do about the entry of a message. That of a purged message cannot be looked up again.
pub(super) fn is_settled(message: &OutcomeMessage, action: Action) -> bool {
    action == Action::Purge || message.meeting.is_none_or(MeetingFate::is_settled)
}

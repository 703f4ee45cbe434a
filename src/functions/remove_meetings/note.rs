//! What a removal of meetings reports: the note for the incident, and the reason.

use std::time::Duration;

use super::Wish;
use super::fate::Mailbox;
use super::find::Found;
use crate::functions::meetings::{MeetingDealt, MeetingFate};
use crate::functions::report::{ByReason, Heading, Label, Report, counted, thousands};
use crate::guard::{Refusal, StopReason};
use net::untrusted::text::excerpt;

const NOT_REMOVED: Heading = Heading { text: "Not removed", is_urgent: true };
/// So many names are in a list of the note.
const NAMED: usize = 10;
/// So many characters of a name are shown.
const LONGEST: usize = 120;

/// The removal of meetings.
pub(super) struct Removal<'a> {
    pub(super) wish: &'a Wish,
    pub(super) found: &'a Found,
    pub(super) mailboxes: &'a [Mailbox<'a>],
    pub(super) dealt: &'a [MeetingDealt],
    /// Why nothing was removed.
    pub(super) refused: Option<&'a Refusal>,
    pub(super) stopped: Option<&'a StopReason>,
}

impl Removal<'_> {
    fn with(&self, fate: MeetingFate) -> usize {
        self.dealt.iter().filter(|dealt| dealt.fate == fate).count()
    }

    /// The note.
    pub(super) fn report(&self, took: Duration) -> Report<'static> {
        let (label, outcome) = self.first_line();
        let mut by_reason = ByReason::default();
        for mailbox in self.mailboxes.iter().filter(|mailbox| mailbox.dealt.fate.is_open()) {
            let reason = mailbox.dealt.reason.clone().unwrap_or_default();
            by_reason.add(NOT_REMOVED, reason, mailbox.name, None);
        }
        let named = |fate: fn(&str) -> bool| {
            let removed = self.found.meetings.meetings.iter().filter(|one| one.fate.is_removed());
            names(removed.filter(|one| fate(&one.response)).map(|one| one.mailbox.as_str()))
        };
        let subjects = self.found.meetings.meetings.iter();
        let mut subjects: Vec<String> = subjects
            .map(|one| format!("“{}”", excerpt(one.details.subject.as_deref().unwrap_or_default(), LONGEST)))
            .collect();
        subjects.sort();
        subjects.dedup();
        Report {
            label,
            outcome,
            sentences: self.sentences(),
            lists: vec![
                ("Meetings", names(subjects.iter().map(String::as_str))),
                ("Had been accepted by", named(|response| response == "accepted")),
                ("Had been accepted tentatively by", named(|response| response == "tentativelyAccepted")),
                (
                    "Removed without an answer for",
                    named(|response| !["accepted", "tentativelyAccepted"].contains(&response)),
                ),
            ],
            failures: by_reason.into_failures(),
            took,
            ..Report::default()
        }
    }

    fn first_line(&self) -> (Label, String) {
        let mailboxes = counted(self.mailboxes.len(), "mailbox");
        let would = self.with(MeetingFate::DryRun);
        if would > 0 && self.found.meetings.removed() == 0 {
            let line = format!("{} would have been removed; nothing was changed", entries(would));
            return (Label::DryRun, format!("{line}, in {mailboxes}"));
        }
        if self.stopped == Some(&StopReason::OnHold) && self.found.meetings.removed() == 0 {
            return (Label::OnHold, format!("nothing removed, {} left", entries(self.dealt.len())));
        }
        let open = self.mailboxes.iter().filter(|mailbox| mailbox.dealt.fate.is_open()).count();
        let left = match open {
            0 => String::new(),
            some => format!("; {} not done", counted(some, "mailbox")),
        };
        let is_complete = open == 0 && would == 0 && self.found.missing.is_empty();
        let label = if is_complete { Label::Complete } else { Label::Incomplete };
        let rehearsed = match would {
            0 => String::new(),
            some => format!("; {} would have been removed", entries(some)),
        };
        (label, format!("{}, in {mailboxes}{left}{rehearsed}", self.found.meetings.phrase()))
    }

    /// The reason: what is left comes first.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.refused.iter().map(|refused| refused.why.clone()).collect();
        if let (Some(reason), None) = (self.stopped, self.refused) {
            sentences.push(format!("Stopped: {}.", reason.phrase()));
        }
        sentences.extend(self.found.missing.clone());
        let open = |fate| self.mailboxes.iter().filter(|mailbox| mailbox.dealt.fate == fate).count();
        for (fate, what) in [
            (MeetingFate::Failed, "could not be looked into, or its meeting not be removed"),
            (MeetingFate::InDoubt, "is in doubt: the meeting may have been removed"),
            (MeetingFate::Refused, "is kept by a guard rail"),
            (MeetingFate::NotReached, "had no turn"),
        ] {
            if let count @ 1.. = open(fate) {
                sentences.push(format!(
                    "{} of {}: {what}.",
                    thousands(count),
                    counted(self.mailboxes.len(), "mailbox")
                ));
            }
        }
        if let count @ 1.. = self.with(MeetingFate::Organizer) {
            let own = "of an organizer not touched: a removal would send cancellations";
            sentences.push(format!("{} {own}.", entries(count)));
        }
        if let count @ 1.. = self.with(MeetingFate::DryRun) {
            sentences.push(format!("Dry run: {} would have been removed (dry_run).", entries(count)));
        }
        if self.found.meetings.meetings.is_empty() {
            let meetings = counted(self.wish.uids.len(), "meeting");
            let looked_into = self.found.mailboxes.iter().filter(|one| one.failure.is_none()).count();
            sentences.push(format!(
                "No entry of the {meetings} was found in {}.",
                counted(looked_into, "mailbox")
            ));
        }
        sentences
    }
}

/// "1 calendar entry", "31 calendar entries"
fn entries(count: usize) -> String {
    counted(count, "calendar entry")
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let mut shown: Vec<String> = names.iter().take(NAMED).map(|name| excerpt(name, LONGEST)).collect();
    if let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) {
        shown.push(format!("and {} more", thousands(more)));
    }
    shown
}

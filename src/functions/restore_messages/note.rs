//! What a restoration says of its result: the report for the incident, and the reason.

use std::time::Duration;

use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::content::Counts;
use super::fate::{Fate, Restored};
use super::meetings::Meetings;
use super::sources::Found;
use super::wanted::Wanted;
use crate::functions::report::{ByReason, Heading, Label, Message, Report, Section, counted, thousands};
use crate::guard::StopReason;

/// What was restored, and why not everything.
pub(super) struct Restoration<'a> {
    pub(super) found: &'a Found,
    pub(super) all: &'a [Restored],
    pub(super) meetings: &'a Meetings,
    pub(super) counts: Counts,
    pub(super) stopped: Option<&'a StopReason>,
}

impl Restoration<'_> {
    /// The report for note and files.
    pub(super) fn report(&self, took: Duration) -> Report<'static> {
        let (label, outcome) = self.first_line();
        let mut sections = [
            (Fate::Restored, "Restored"),
            (Fate::RestoredToInbox, "Restored to the Inbox"),
            (Fate::AlreadyRestored, "Restored before"),
            (Fate::DryRun, "Would have been restored"),
        ]
        .map(|(fate, heading)| {
            (fate, Section { heading: Some(heading), messages: Vec::new(), has_links: false })
        });
        let mut by_reason = ByReason::default();
        let mut others = Vec::new();
        for (wanted, restored) in self.found.wanted.iter().zip(self.all) {
            let status = status(restored.fate);
            let reason = restored.reason.clone().unwrap_or_default();
            let message = Message::read(&wanted.mailbox, &raw(wanted, restored), status).because(&reason);
            if restored.is_partial {
                let heading = Heading { text: "Restored, but not as it was", is_urgent: true };
                by_reason.add(heading, reason.clone(), &wanted.mailbox, Some(message.title()));
            }
            if !restored.changed.is_empty() && restored.fate != Fate::NotTouched {
                let heading =
                    Heading { text: "Changed by the owner since the removal, and undone", is_urgent: false };
                by_reason.add(heading, restored.changed.join(", "), &wanted.mailbox, Some(message.title()));
            }
            let section = sections.iter_mut().find(|(fate, _)| *fate == restored.fate);
            if let Some((_, section)) = section {
                section.messages.push(message);
            } else {
                let heading = Heading { text: status, is_urgent: true };
                by_reason.add(heading, reason, &wanted.mailbox, Some(message.title()));
                others.push(message);
            }
        }
        self.meetings.add_reasons(&mut by_reason);
        let heading = Heading { text: "Not looked into", is_urgent: true };
        for (mailbox, reason) in &self.found.not_looked_into {
            by_reason.add(heading, reason.clone(), mailbox, None);
        }
        Report {
            label,
            outcome,
            sentences: self.sentences(),
            sections: sections.into_iter().map(|(_, section)| section).collect(),
            other_messages: others,
            failures: by_reason.into_failures(),
            took,
            ..Report::default()
        }
    }

    /// "34 messages restored, 2 to the Inbox, 3 restored before; 1 not touched"
    fn first_line(&self) -> (Label, String) {
        let Counts { restored, restored_to_inbox: to_inbox, already_restored, dry_run, .. } = self.counts;
        let all = self.all.len();
        if all == 0 && !self.meetings.all.is_empty() {
            let label = if self.meetings.are_complete() { Label::Complete } else { Label::Incomplete };
            let restored = counted(self.meetings.restored(), "calendar entry");
            return (label, format!("{restored} restored"));
        }
        let rest: Vec<String> = self
            .not_back()
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", thousands(count)))
            .collect();
        let rest = if rest.is_empty() { String::new() } else { format!("; {}", rest.join(", ")) };
        if dry_run > 0 && restored + to_inbox == 0 {
            let would =
                format!("{} of {} would have been restored", thousands(dry_run), counted(all, "message"));
            return (Label::DryRun, format!("{would}{rest}; nothing was changed"));
        }
        if self.stopped.is_some_and(|reason| *reason == StopReason::OnHold) && self.counts.back() == 0 {
            return (Label::OnHold, format!("nothing restored, {} left", counted(all, "message")));
        }
        let messages = match restored + to_inbox {
            0 => "no message".to_owned(),
            some => counted(some, "message"),
        };
        let inbox = match to_inbox {
            0 => String::new(),
            some => format!(", {} of them to the Inbox", thousands(some)),
        };
        let before = match already_restored {
            0 => String::new(),
            some => format!(", {} restored before", thousands(some)),
        };
        let is_partial = self.all.iter().any(|restored| restored.is_partial);
        let is_complete = rest.is_empty()
            && dry_run == 0
            && !is_partial
            && self.found.is_complete()
            && self.meetings.are_complete();
        let label = if is_complete { Label::Complete } else { Label::Incomplete };
        (label, format!("{messages} restored{inbox}{before}{rest}"))
    }

    fn not_back(&self) -> [(usize, &'static str); 6] {
        let counts = self.counts;
        [
            (counts.not_touched, "not touched"),
            (counts.not_found, "not found"),
            (counts.refused, "refused"),
            (counts.failed, "failed"),
            (counts.in_doubt, "in doubt"),
            (counts.not_reached, "not tried"),
        ]
    }

    /// What has to be known besides the numbers.
    fn sentences(&self) -> Vec<String> {
        let mut sentences = self.found.missing.clone();
        if let Some(reason) = self.stopped {
            sentences.push(format!("Stopped: {}.", reason.phrase()));
        }
        sentences.extend(self.meetings.sentences());
        if self.found.wanted.is_empty() && self.meetings.all.is_empty() && self.found.is_complete() {
            sentences.push(self.nothing());
        }
        sentences
    }

    fn nothing(&self) -> String {
        match self.found.looked_into {
            0 => "The result lists no message that was removed.".to_owned(),
            mailboxes => format!("No message of this job was found in {}.", counted(mailboxes, "mailbox")),
        }
    }

    /// The reason: what is not as it was, and why.
    pub(super) fn reason(&self) -> Vec<String> {
        let mut sentences = self.sentences();
        if !self.found.not_looked_into.is_empty() {
            let mailboxes = counted(self.found.not_looked_into.len(), "mailbox");
            sentences.push(format!("{mailboxes} could not be looked into."));
        }
        if let [restored] = self.all {
            sentences.extend(restored.reason.as_ref().map(|reason| one(restored.fate, reason)));
            return sentences;
        }
        let all = counted(self.all.len(), "message");
        let mut not_back: Vec<String> = self
            .not_back()
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", thousands(count)))
            .collect();
        if self.counts.dry_run > 0 {
            not_back.push(format!("{} would have been restored (dry_run)", thousands(self.counts.dry_run)));
        }
        if !not_back.is_empty() {
            sentences.push(format!("Of {all}: {}.", not_back.join(", ")));
        }
        if self.counts.restored_to_inbox > 0 {
            sentences.push(format!(
                "{} went to the Inbox, because the folder is gone or not known.",
                thousands(self.counts.restored_to_inbox)
            ));
        }
        let partial = self.all.iter().filter(|restored| restored.is_partial).count();
        if partial > 0 {
            let what = "read state, flag or categories could not be set as they were";
            sentences.push(format!("Of {}, {what}.", counted(partial, "message")));
        }
        sentences
    }
}

/// The reason for one message.
fn one(fate: Fate, reason: &str) -> String {
    match fate {
        Fate::DryRun => {
            "Dry run: this would have restored the message. Nothing was changed (dry_run).".to_owned()
        }
        Fate::Restored | Fate::AlreadyRestored => format!("The message is back: {reason}."),
        Fate::RestoredToInbox => format!("The message is in the Inbox: {reason}."),
        Fate::NotFound => format!("The message was not found: {reason}."),
        _ => format!("The message was not restored: {reason}."),
    }
}

fn status(fate: Fate) -> &'static str {
    match fate {
        Fate::Restored => "Restored",
        Fate::RestoredToInbox => "Restored to the Inbox",
        Fate::AlreadyRestored => "Restored before",
        Fate::NotTouched => "Not touched",
        Fate::NotFound => "Not found",
        Fate::Refused | Fate::Failed => "Not restored",
        Fate::InDoubt => "May have been restored",
        Fate::NotReached => "Not tried",
        Fate::DryRun => "Would have been restored",
    }
}

/// The message as it was found, or as a query listed it.
fn raw(wanted: &Wanted, restored: &Restored) -> Box<RawValue> {
    let object = match (restored.state.as_ref().or(wanted.state.as_ref()), &wanted.listed) {
        (Some(state), _) => json!({
            "id": wanted.id, "subject": state.subject, "from": state.from,
            "receivedDateTime": state.received, "internetMessageId": state.internet_message_id,
        }),
        (None, Some(listed)) => return listed.clone(),
        (None, None) => json!({"id": wanted.id}),
    };
    to_raw_value(&object).unwrap_or_default()
}

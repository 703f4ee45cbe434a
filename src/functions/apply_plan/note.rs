//! What the analyst reads of an application: the note for the incident, and the reason.

use std::time::Duration;

use super::fate::OUT_OF_TIME;
use super::meetings;
use super::wish::{Action, Wish};
use crate::functions::permissions::Permissions;
use crate::functions::plan::{Arrival, Fate, OutcomeMessage, Plan, RemovalOutcome};
use crate::functions::report::{ByReason, Heading, Label, Message, Report, Section, counted, thousands};
use crate::guard::StopReason;
use net::untrusted::text::excerpt;

const NOT_REMOVED: Heading = Heading { text: "Not removed", is_urgent: true };
const GONE: Heading = Heading { text: "Already gone", is_urgent: false };
/// So many arrivals and mailboxes are named in the note.
const NAMED: usize = 10;
/// So many characters of a name are shown.
const LONGEST: usize = 120;

/// The application of a plan.
pub(super) struct Application<'a> {
    pub(super) plan: &'a Plan,
    pub(super) wish: &'a Wish,
    pub(super) outcome: &'a RemovalOutcome,
    pub(super) stopped: Option<&'a StopReason>,
    pub(super) permissions: Permissions,
}

impl Application<'_> {
    fn count(&self, fate: Fate) -> usize {
        self.outcome.count(fate)
    }

    fn removed(&self) -> usize {
        self.count(Fate::Removed) + self.count(Fate::AlreadyRemoved)
    }

    fn total(&self) -> usize {
        self.outcome.messages.len()
    }

    /// How many messages are there still, or may be.
    fn left(&self) -> usize {
        let rehearsed = if self.is_dry_run() { self.count(Fate::DryRun) } else { 0 };
        self.total() - self.removed() - self.count(Fate::Gone) - rehearsed
    }

    /// Whether the whole call was a dry run: the setting may be switched on in the middle.
    fn is_dry_run(&self) -> bool {
        let is_changed = self.removed() > 0 || self.outcome.meetings.removed() > 0;
        self.count(Fate::DryRun) > 0 && !is_changed
    }

    /// The note.
    pub(super) fn report(&self, took: Duration) -> Report<'static> {
        let (label, outcome) = self.first_line();
        let mut by_reason = ByReason::default();
        let (mut removed, mut rehearsed) = (Vec::new(), Vec::new());
        for (message, planned) in self.outcome.messages.iter().zip(self.plan.messages()) {
            meetings::add_reason(&mut by_reason, message, planned);
            match message.fate {
                Fate::Removed | Fate::AlreadyRemoved => {
                    removed.push(Message::planned(planned, status(self.wish.action)));
                }
                Fate::DryRun => rehearsed.push(Message::planned(planned, "Would have been removed")),
                fate => {
                    let heading = if fate == Fate::Gone { GONE } else { NOT_REMOVED };
                    let title = Message::planned(planned, "").title();
                    by_reason.add(heading, reason(message), &planned.mailbox, Some(title));
                }
            }
        }
        let heading = match self.wish.action {
            Action::Quarantine => "In quarantine",
            Action::Delete => "Deleted",
            Action::Purge => "Purged",
        };
        Report {
            label,
            outcome,
            sentences: self.sentences(),
            lists: vec![("Plan", self.facts()), ("Arrived since, not touched", self.arrivals())],
            sections: vec![
                Section { heading: Some(heading), messages: removed, has_links: false },
                Section { heading: Some("Would have been removed"), messages: rehearsed, has_links: false },
            ],
            failures: by_reason.into_failures(),
            rest: Some("see the file of the outcome".to_owned()),
            took,
            ..Report::default()
        }
    }

    fn first_line(&self) -> (Label, String) {
        let total = counted(self.total(), "message");
        let participle = self.wish.action.participle();
        if self.is_dry_run() {
            let would = thousands(self.count(Fate::DryRun));
            let line = format!("{would} of {total} would have been {participle}; nothing was changed");
            return (Label::DryRun, line);
        }
        let gone = match self.count(Fate::Gone) {
            0 => String::new(),
            gone => format!(", {} already gone", thousands(gone)),
        };
        let (mut label, left) = match self.left() {
            0 => (Label::Complete, String::new()),
            left => (Label::Incomplete, format!(", {} not removed", thousands(left))),
        };
        if self.outcome.open_meetings().next().is_some() {
            label = Label::Incomplete;
        }
        let removed = if self.removed() == 0 { "none".to_owned() } else { thousands(self.removed()) };
        (label, format!("{removed} of {total} of the plan {participle}{gone}{left}"))
    }

    fn facts(&self) -> Vec<String> {
        let name = |name: &str| excerpt(name, LONGEST);
        let approved = self.outcome.approved_by.as_deref().map_or("not named".to_owned(), name);
        vec![
            format!("Digest: {}", self.outcome.plan_digest),
            format!("Made by: {}", name(self.plan.facts().created_by.shown())),
            format!("Approved by: {approved}"),
            format!("Applied by: {}", name(self.outcome.applied_by.shown())),
        ]
    }

    fn arrivals(&self) -> Vec<String> {
        let line = |arrival: &Arrival| {
            format!("{}, received {}", excerpt(&arrival.mailbox, LONGEST), arrival.received)
        };
        let mut lines: Vec<String> = self.outcome.arrivals.iter().take(NAMED).map(line).collect();
        if let Some(more) = self.outcome.arrivals.len().checked_sub(NAMED).filter(|more| *more > 0) {
            lines.push(format!("and {} more", thousands(more)));
        }
        lines
    }

    /// The reason: what was not removed, what counts as removed though this run did not do it, and what arrived since.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        let total = counted(self.total(), "message");
        let unfinished = if let Some(reason) = self.stopped {
            let left = self.count(Fate::NotReached);
            let tried = thousands(self.total() - left);
            sentences.push(format!("Stopped after {tried} of {total}: {}.", reason.phrase()));
            left
        } else {
            self.outcome.messages.iter().filter(|one| one.code == OUT_OF_TIME).count()
        };
        if self.stopped.is_none() && unfinished > 0 {
            let left = thousands(unfinished);
            sentences.push(format!("{left} of {total} were not finished in time (call_timeout)."));
        }
        if self.is_dry_run() {
            let would = thousands(self.count(Fate::DryRun));
            let participle = self.wish.action.participle();
            sentences.push(format!("Dry run: {would} of {total} would have been {participle} (dry_run)."));
        } else if self.left() > unfinished {
            sentences.push(format!(
                "{} of {total} were not removed.{}",
                thousands(self.left()),
                self.needs()
            ));
        }
        if !self.outcome.settled && !self.is_dry_run() {
            sentences.push(
                "The plan can be applied again for what is left, with the same digest, until it expires."
                    .to_owned(),
            );
        }
        sentences.extend(meetings::sentences(self.outcome));
        sentences.extend(self.special());
        sentences.extend(self.changed());
        sentences.extend(self.since());
        sentences
    }

    /// What has to be known of messages that are not simply removed or left.
    fn special(&self) -> impl Iterator<Item = String> {
        let lines = [
            (Fate::AlreadyRemoved, "removed already, by an earlier run or application, or are in quarantine"),
            (Fate::Gone, "not found any more, so not removed by this call"),
            (Fate::ChangedIdentity, "not touched: another message has the id by now"),
            (Fate::InDoubt, "in doubt: they may have been removed"),
        ];
        let total = counted(self.total(), "message");
        let rehearsed = if self.is_dry_run() { 0 } else { self.count(Fate::DryRun) };
        let rehearsed = (rehearsed, "left, since a dry run was switched on meanwhile (dry_run)");
        let counts = lines.map(|(fate, what)| (self.count(fate), what)).into_iter();
        counts.chain([rehearsed]).filter(|(count, _)| *count > 0).map(move |(count, what)| {
            let were = if count == 1 { "was" } else { "were" };
            format!("{} of {total} {were} {what}.", thousands(count))
        })
    }

    /// What owners have done to the messages since the plan was made.
    fn changed(&self) -> Option<String> {
        let count = |what: &str| {
            let has = |message: &&OutcomeMessage| message.changed.iter().any(|one| one == what);
            self.outcome.messages.iter().filter(has).count()
        };
        let phrases = [("moved", "moved"), ("read", "read"), ("unread", "marked as unread")];
        let phrases: Vec<String> = phrases
            .into_iter()
            .filter(|(what, _)| count(what) > 0)
            .map(|(what, phrase)| format!("{} {phrase}", thousands(count(what))))
            .collect();
        (!phrases.is_empty())
            .then(|| format!("Since the plan was made, their owners had {}.", phrases.join(", ")))
    }

    /// What arrived since the query looked.
    fn since(&self) -> impl Iterator<Item = String> {
        let arrived = match self.outcome.arrivals.len() {
            0 => None,
            some => Some(format!(
                "{} like those of the plan arrived since the query; {} not touched. Query again and make a new plan.",
                counted(some, "message"),
                if some == 1 { "it was" } else { "they were" }
            )),
        };
        let unseen = match self.outcome.not_looked_into.len() {
            0 => None,
            some => {
                Some(format!("Whether more arrived since is not known for {}.", counted(some, "mailbox")))
            }
        };
        arrived.into_iter().chain(unseen)
    }

    /// Names the permission, if a missing one is the likely reason.
    fn needs(&self) -> String {
        let is_denied = |message: &&OutcomeMessage| {
            let codes = ["ErrorAccessDenied", "Authorization_RequestDenied", "AccessDenied"];
            message.fate == Fate::Failed && codes.contains(&message.code.as_str())
        };
        if self.outcome.messages.iter().any(|message| is_denied(&message)) {
            return format!(
                " The Entra application needs the application permission {}, with admin consent, and access to the \
                 mailboxes.",
                self.permissions
            );
        }
        String::new()
    }
}

fn reason(message: &OutcomeMessage) -> String {
    message.reason.clone().unwrap_or_default()
}

fn status(action: Action) -> &'static str {
    match action {
        Action::Quarantine => "Quarantined",
        Action::Delete | Action::Purge => "Deleted",
    }
}

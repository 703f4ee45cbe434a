//! What a deletion says of its result: the report for the incident, and the reason.

use std::time::Duration;

use serde_json::value::RawValue;

use super::content::{Content, Counts, DRY_RUN, Failure, Fates, InMailbox};
use super::ended::Ended;
use crate::functions::error::Needs;
use crate::functions::outcome::NotDone;
use crate::functions::permissions::Permissions;
use crate::functions::removal::{Removed, RemovedBy};
use crate::functions::report::{ByReason, Heading, Label, Message, Report, Section, counted, thousands};

const NOT_DELETED: Heading = Heading { text: "Not deleted", is_urgent: true };
const ALREADY_GONE: Heading = Heading { text: "Already gone", is_urgent: true };

/// What became of the messages, and why.
pub(super) struct Deletion<'a> {
    pub(super) content: &'a Content<'a>,
    pub(super) fates: &'a Fates<'a>,
    /// Why not all messages were tried.
    pub(super) ended_by: Option<&'a Ended>,
    pub(super) is_dry_run: bool,
    pub(super) permissions: Permissions,
}

impl Deletion<'_> {
    /// How many messages a dry run would have deleted.
    fn rehearsed(&self) -> usize {
        self.fates.values().filter(|fate| matches!(fate, Err(NotDone::DryRun))).count()
    }

    /// The report for note and files.
    pub(super) fn report(&self, took: Duration) -> Report<'_> {
        let content = self.content;
        let (label, outcome) = self.first_line();
        let mut by_reason = ByReason::default();
        let mut rehearsed = Vec::new();
        let mut not_deleted = Vec::new();
        for failure in &content.failures {
            let Failure { email_address, listed, in_words, already_gone, code, .. } = failure;
            if *code == DRY_RUN {
                rehearsed.push(Message::read(email_address, listed, "Would have been deleted"));
                continue;
            }
            let (heading, status) =
                if *already_gone { (ALREADY_GONE, "Gone") } else { (NOT_DELETED, "Not deleted") };
            let message = Message::read(email_address, listed, status).because(in_words);
            // The first lines name the reason of all messages that were not tried.
            let is_known = self.ended_by.is_some_and(|ended_by| ended_by.is_reason(code));
            let reason = if is_known { String::new() } else { in_words.clone() };
            by_reason.add(heading, reason, email_address, Some(message.title()));
            not_deleted.push(message);
        }
        let mut failures = by_reason.into_failures();
        failures.sort_by_key(|it| it.heading == ALREADY_GONE.text);
        let sections = vec![
            Section { heading: Some("Deleted"), messages: self.deleted(), has_links: false },
            Section { heading: Some("Would have been deleted"), messages: rehearsed, has_links: true },
        ];
        let line = |mailbox: &InMailbox<'_>| {
            format!("{}: {} deleted", mailbox.email_address, thousands(mailbox.deleted_list.len()))
        };
        Report {
            label,
            outcome,
            sentences: self.first_sentences(),
            sections,
            other_messages: not_deleted,
            failures,
            file_only: vec![
                ("Mailboxes", content.delete_results.iter().map(line).collect()),
                ("Messages that were not deleted, in full", content.failures.iter().map(in_full).collect()),
            ],
            took,
            ..Report::default()
        }
    }

    fn first_line(&self) -> (Label, String) {
        let Counts { deleted, already_gone, not_deleted } = self.content.counts;
        let all = self.content.counts.listed();
        let gone = match already_gone {
            0 => String::new(),
            gone => format!(", {} already gone", thousands(gone)),
        };
        if self.ended_by.is_some_and(Ended::is_held) {
            return (Label::OnHold, format!("nothing deleted, {} left", counted(all, "message")));
        }
        if self.is_rehearsal() {
            let would = match (all, self.rehearsed()) {
                (0, _) => "no message was listed".to_owned(),
                (_, would) => format!("{} would have been deleted", share(would, all)),
            };
            return (Label::DryRun, format!("{would}{gone}; nothing was changed"));
        }
        let not_deleted = match not_deleted {
            0 => String::new(),
            some => format!(", {} not deleted", thousands(some)),
        };
        let label = if not_deleted.is_empty() { Label::Complete } else { Label::Incomplete };
        (label, format!("{} deleted{gone}{not_deleted}", some(deleted)))
    }

    /// Whether the whole call was a dry run.
    fn is_rehearsal(&self) -> bool {
        (self.is_dry_run || self.rehearsed() > 0)
            && self.content.counts.deleted == 0
            && self.ended_by.is_none()
    }

    fn deleted(&self) -> Vec<Message> {
        let in_mailbox = |mailbox: &InMailbox<'_>| -> Vec<Message> {
            let read = |raw: &&RawValue| Message::read(mailbox.email_address, raw, "Deleted");
            mailbox.deleted_list.iter().map(read).collect()
        };
        self.content.delete_results.iter().flat_map(in_mailbox).collect()
    }

    /// What has to be known first, besides the numbers.
    fn first_sentences(&self) -> Vec<String> {
        let mut sentences: Vec<_> = self.ended_by.map(Ended::in_report).into_iter().collect();
        if sentences.is_empty() && self.content.counts.deleted > 0 {
            sentences.extend(self.rehearsal());
        }
        let needs = self.needs();
        if !needs.is_empty() {
            sentences.push(needs.trim_start().to_owned());
        }
        sentences.extend(self.by_earlier_run());
        sentences.extend(self.in_quarantine());
        sentences
    }

    /// Says that a dry run deleted nothing, or nothing more.
    fn rehearsal(&self) -> Option<String> {
        let counts = self.content.counts;
        let all = counted(counts.listed(), "message");
        match (self.rehearsed(), counts.deleted) {
            (would, 0) if self.is_rehearsal() => Some(format!(
                "Dry run: {} would have been deleted. Nothing was changed (dry_run).",
                share(would, counts.listed())
            )),
            (0, _) => None,
            (would, _) => Some(format!(
                "Stopped after {} of {all}: a dry run was switched on (dry_run); {} more would have been deleted.",
                thousands(self.fates.len() - would),
                thousands(would)
            )),
        }
    }

    /// Names the permission, if a missing one is the likely reason.
    fn needs(&self) -> String {
        let errors = self.fates.values().filter_map(|fate| fate.as_ref().err()?.graph());
        let mut needs = errors.map(|error| Needs(self.permissions, error).to_string());
        needs.find(|sentence| !sentence.is_empty()).unwrap_or_default()
    }

    fn by_earlier_run(&self) -> Option<String> {
        let before = self
            .fates
            .values()
            .filter(|fate| matches!(fate, Ok(Removed { by: RemovedBy::Presumed, .. })))
            .count();
        (before > 0).then(|| {
            format!(
                "Of the messages that count as deleted, {} were not there any more: this call may have been run before. \
                 If it was not, another user or a rule has moved or deleted them.",
                thousands(before)
            )
        })
    }

    /// Says that messages went into quarantine, and how they come back.
    fn in_quarantine(&self) -> Option<String> {
        let all = self.content.delete_results.iter().flat_map(|mailbox| &mailbox.quarantined_list);
        let first = all.clone().next()?;
        let without_mark = match all.filter(|message| !message.is_marked).count() {
            0 => String::new(),
            some => format!(
                " {} could not be marked with the folder {} in, so keep this result: only it has the folder.",
                counted(some, "message"),
                if some == 1 { "it was" } else { "they were" }
            ),
        };
        Some(format!(
            "Deleted messages are in quarantine, a hidden folder of their mailbox. Restore Messages moves them back \
             (job {}).{without_mark}",
            first.job
        ))
    }

    /// The reason: what was not deleted, and what counts as deleted though this run did not do it.
    pub(super) fn sentences(&self) -> Vec<String> {
        let Counts { already_gone, not_deleted, .. } = self.content.counts;
        let all = counted(self.content.counts.listed(), "message");
        let mut sentences = Vec::new();
        sentences.extend(self.ended_by.map(Ended::in_full).or_else(|| self.rehearsal()));
        let is_explained = self.ended_by.is_some() || self.rehearsed() > 0;
        if not_deleted > 0 && !is_explained {
            let places = places(&self.content.failures);
            let needs = self.needs();
            sentences
                .push(format!("{} of {all} could not be deleted{places}.{needs}", thousands(not_deleted)));
        }
        if already_gone > 0 {
            let were = if already_gone == 1 { "was" } else { "were" };
            sentences.push(format!(
                "{} of {all} {were} already gone: not found, so not deleted by this call.",
                thousands(already_gone)
            ));
        }
        sentences.extend(self.by_earlier_run());
        sentences
    }
}

/// "none of 3 messages", "2 of 3 messages"
fn share(some: usize, all: usize) -> String {
    let some = if some == 0 { "none".to_owned() } else { thousands(some) };
    format!("{some} of {}", counted(all, "message"))
}

/// "no message", "1 message", "1,500 messages"
fn some(messages: usize) -> String {
    if messages == 0 { "no message".to_owned() } else { counted(messages, "message") }
}

fn in_full(failure: &Failure<'_>) -> String {
    let status = failure.status_code.map(|status| format!(" (HTTP status {status})")).unwrap_or_default();
    let Failure { email_address, id, code, message, already_gone, .. } = failure;
    let ended = if *already_gone { "was already gone" } else { "was not deleted" };
    let code = if code.is_empty() { String::new() } else { format!("{code}: ") };
    format!("Message {id} of {email_address} {ended}: {code}{message}{status}")
}

/// So many mailboxes are named in a sentence.
const NAMED: usize = 10;

/// Where messages are that could not be deleted: how many in which mailbox, with the code of the first of them.
fn places(failures: &[Failure<'_>]) -> String {
    let mut places: Vec<(&str, &str, usize)> = Vec::new();
    for failure in failures.iter().filter(|failure| !failure.already_gone) {
        match places.last_mut().filter(|(address, ..)| *address == failure.email_address) {
            Some((.., count)) => *count += 1,
            None => places.push((failure.email_address, failure.code, 1)),
        }
    }
    let named = places.iter().take(NAMED).map(|(address, code, count)| {
        let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
        format!("{} in {address}{code}", thousands(*count))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    match places.len() {
        0 => String::new(),
        mailboxes if mailboxes > NAMED => {
            format!(": {named}, and more in {}", counted(mailboxes - NAMED, "other mailbox"))
        }
        _ => format!(": {named}"),
    }
}

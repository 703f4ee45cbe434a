//! What was not done, by reason.

use std::collections::HashMap;

use super::document::{Document, Line, Span};
use super::{GROUPS_IN_NOTE, NAMES_IN_NOTE, counted, thousands};
use graph::Meaning;
use net::untrusted::text::excerpt;

/// A note has at most so many subjects of a mailbox.
const SUBJECTS_IN_NOTE: usize = 4;
/// So many characters of an address are shown in a note.
const ADDRESS_IN_NOTE: usize = 120;

/// What was not done for one reason.
#[derive(Debug)]
pub(in crate::functions) struct Failures {
    /// "Not deleted"
    pub(in crate::functions) heading: &'static str,
    /// The rest of the heading: "the mailbox is protected". Empty if the first lines of the report have the reason.
    pub(in crate::functions) reason: String,
    /// The mailboxes, each with the subjects of its messages and their numbers where these are known.
    pub(in crate::functions) mailboxes: Vec<(String, Vec<(String, usize)>)>,
    /// Whether a reader has to know it before the messages.
    pub(in crate::functions) is_urgent: bool,
}

/// What was not done, while it is grouped.
#[derive(Debug, Default)]
pub(in crate::functions) struct ByReason {
    all: Vec<Failures>,
    places: HashMap<(&'static str, String), usize>,
}

impl ByReason {
    /// Adds a mailbox, or a message of it.
    pub(in crate::functions) fn add(
        &mut self,
        heading: Heading,
        reason: String,
        mailbox: &str,
        subject: Option<String>,
    ) {
        let Heading { text, is_urgent } = heading;
        let place = *self.places.entry((text, reason)).or_insert_with_key(|(_, reason)| {
            self.all.push(Failures {
                heading: text,
                reason: reason.clone(),
                mailboxes: Vec::new(),
                is_urgent,
            });
            self.all.len() - 1
        });
        let Some(failures) = self.all.get_mut(place) else { return };
        if failures.mailboxes.last().is_none_or(|(last, _)| last != mailbox) {
            failures.mailboxes.push((mailbox.to_owned(), Vec::new()));
        }
        let (Some((_, subjects)), Some(subject)) = (failures.mailboxes.last_mut(), subject) else { return };
        match subjects.last_mut().filter(|(last, _)| *last == subject) {
            Some((_, number)) => *number += 1,
            None => subjects.push((subject, 1)),
        }
    }

    /// What was not done; the reason that concerns most mailboxes comes first.
    pub(in crate::functions) fn into_failures(mut self) -> Vec<Failures> {
        self.all.sort_by_key(|failures| std::cmp::Reverse(failures.mailboxes.len()));
        self.all
    }
}

/// A heading over what was not done.
#[derive(Debug, Clone, Copy)]
pub(in crate::functions) struct Heading {
    /// "Not deleted"
    pub(in crate::functions) text: &'static str,
    /// Whether a reader has to know it before the messages.
    pub(in crate::functions) is_urgent: bool,
}

/// Shows what was not done; in a note, not all of it.
pub(super) fn show(document: &mut Document, all: &[&Failures], is_note: bool) {
    let most = if is_note { GROUPS_IN_NOTE } else { usize::MAX };
    if !all.is_empty() {
        document.gap();
    }
    for failures in all.iter().take(most) {
        failures.show(document, is_note);
    }
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        document.plain(format!("… and {}.", counted(more, "other reason")));
    }
}

impl Failures {
    fn show(&self, document: &mut Document, is_note: bool) {
        let (names, subjects) =
            if is_note { (NAMES_IN_NOTE, SUBJECTS_IN_NOTE) } else { (usize::MAX, usize::MAX) };
        let address = |address: &str| {
            if is_note { excerpt(address, ADDRESS_IN_NOTE) } else { address.to_owned() }
        };
        let more = self.mailboxes.len().saturating_sub(names);
        if self.mailboxes.iter().all(|(_, subjects)| subjects.is_empty()) {
            let mut named: Vec<_> = self.mailboxes.iter().take(names).map(|(it, _)| address(it)).collect();
            if more > 0 {
                named.push(format!("and {} more", thousands(more)));
            }
            let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
            document.line([
                Span::Bold(format!("{}: ", self.heading)),
                Span::Plain(format!("{}{named}", self.reason)),
            ]);
            return;
        }
        let heading = format!("{}: {}", self.heading, self.reason);
        document.line([Span::Bold(heading.trim_end().to_owned())]);
        let line = |(mailbox, of_mailbox): &(String, Vec<(String, usize)>)| -> Line {
            let mut shown: Vec<_> = of_mailbox.iter().take(subjects).map(subject).collect();
            if let Some(more) = of_mailbox.len().checked_sub(subjects).filter(|more| *more > 0) {
                shown.push(format!("and {} more", thousands(more)));
            }
            vec![Span::Plain(format!("{}: {}", address(mailbox), shown.join(", ")))]
        };
        let mut lines: Vec<_> = self.mailboxes.iter().take(names).map(line).collect();
        if more > 0 {
            lines.push(vec![Span::Plain(format!("… and {}", counted(more, "other mailbox")))]);
        }
        document.list(lines);
    }
}

/// "“Your invoice”", "“Your invoice” (3 messages)"
fn subject((subject, number): &(String, usize)) -> String {
    if *number == 1 { subject.clone() } else { format!("{subject} ({})", counted(*number, "message")) }
}

/// Says in few words why Graph did not do something; the same words for the same reason, so that it can be grouped.
pub(in crate::functions) fn in_words(error: &graph::Error) -> String {
    let code = error.refusal().map_or("", |refusal| refusal.code.as_str());
    let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
    let words = match error.meaning() {
        Some(Meaning::Policy) => format!("a policy in Exchange Online keeps this integration out{code}"),
        Some(Meaning::Forbidden | Meaning::TokenRejected | Meaning::MailboxUnauthorized) => {
            format!("access was denied{code}")
        }
        Some(Meaning::NoMailbox) => format!("there is no mailbox{code}"),
        Some(Meaning::NoFolder) => format!("there is no such folder{code}"),
        Some(Meaning::NoItem) => format!("not found{code}"),
        Some(Meaning::Throttled) => format!("Microsoft Graph asked for fewer requests for too long{code}"),
        Some(_) => {
            let status = error.status().map(|status| format!("HTTP status {status}")).unwrap_or_default();
            format!("Microsoft Graph answered {status}{code}")
        }
        None => error.kind().to_string().trim_end_matches('.').to_owned(),
    };
    let may_have = if error.is_indeterminate() { "; it may have been carried out all the same" } else { "" };
    format!("{words}{may_have}")
}

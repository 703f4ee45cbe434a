//! What the analyst reads of a plan: the note for the incident, and the reason.

use std::time::Duration;

use super::freeze::Frozen;
use crate::functions::plan::{Count, Plan, PlannedMessage};
use crate::functions::report::{ByReason, Heading, Label, Report, counted, thousands};
use net::untrusted::text::excerpt;

const NOT_READ: Heading = Heading { text: "Not in the plan", is_urgent: true };
const GONE: Heading = Heading { text: "Not in the plan", is_urgent: false };
/// So many mailboxes, folders and days are in the note; the file has all.
const NAMED: usize = 5;
/// So many messages are shown as samples.
const SAMPLES: usize = 10;
/// So many characters of a subject or a folder are shown.
const LONGEST: usize = 120;

/// The note.
pub(super) fn report(plan: &Plan, frozen: &Frozen, took: Duration) -> Report<'static> {
    let (facts, counts) = (plan.facts(), plan.counts());
    let mut sentences = facts.incomplete_because.clone();
    sentences.push(
        "Nothing was removed: this is a plan. Its digest stands for exactly these messages.".to_owned(),
    );
    let mut by_reason = ByReason::default();
    for left_out in &frozen.left_out {
        let heading = if left_out.is_gone { GONE } else { NOT_READ };
        by_reason.add(heading, left_out.reason.clone(), &left_out.mailbox, None);
    }
    let facts_of_the_plan = vec![
        format!("Digest: {}", plan.digest()),
        format!("File: {}", plan.file_name()),
        format!("Made by: {}", excerpt(facts.created_by.shown(), LONGEST)),
        format!("Can be applied until: {}", facts.expires),
        format!("The query looked until: {}", facts.looked_until),
        format!("By mailbox: {}", named(&counts.mailboxes)),
        format!("By folder: {}", named(&counts.folders)),
        format!("By day of reception (UTC): {}", named(&counts.days)),
    ];
    Report {
        label: if facts.incomplete_because.is_empty() { Label::Complete } else { Label::Incomplete },
        outcome: outcome(plan),
        sentences,
        lists: vec![("Plan", facts_of_the_plan), ("Samples", samples(plan.messages()))],
        failures: by_reason.into_failures(),
        took,
        ..Report::default()
    }
}

/// "removal plan of 412 messages in 405 mailboxes, 3 of them invitations"
fn outcome(plan: &Plan) -> String {
    let counts = plan.counts();
    let invitations = match counts.invitations {
        0 => String::new(),
        1 => ", 1 of them an invitation".to_owned(),
        some => format!(", {} of them invitations", thousands(some)),
    };
    let messages = counted(counts.messages, "message");
    let mailboxes = counted(plan.mailboxes().len(), "mailbox");
    format!("removal plan of {messages} in {mailboxes}{invitations}")
}

/// "Inbox 409, Junk Email 3"
fn named(counts: &[Count]) -> String {
    let part = |count: &Count| format!("{} {}", excerpt(&count.name, LONGEST), thousands(count.messages));
    let mut parts: Vec<String> = counts.iter().take(NAMED).map(part).collect();
    if let Some(others) = counts.get(NAMED..).filter(|others| !others.is_empty()) {
        let messages = others.iter().map(|count| count.messages).sum();
        parts.push(format!("{} others {}", thousands(others.len()), thousands(messages)));
    }
    parts.join(", ")
}

/// Messages from all over the plan: it is in the order of the mailboxes.
fn samples(messages: &[PlannedMessage]) -> Vec<String> {
    let shown = messages.len().min(SAMPLES);
    let nth = |sample: usize| sample * messages.len() / shown.max(1);
    (0..shown).filter_map(|sample| messages.get(nth(sample))).map(sample).collect()
}

fn sample(message: &PlannedMessage) -> String {
    let subject = match message.subject.trim() {
        "" => "(no subject)".to_owned(),
        subject => format!("“{}”", excerpt(subject, LONGEST)),
    };
    let folder = message.folder.as_deref().unwrap_or("an unknown folder");
    format!(
        "{subject} from {}, received {}, in {} of {}{}{}",
        excerpt(&message.sender, LONGEST),
        message.received,
        excerpt(folder, LONGEST),
        excerpt(&message.mailbox, LONGEST),
        if message.is_read { ", read" } else { ", unread" },
        if message.is_invitation { ", an invitation" } else { "" }
    )
}

/// The reason: why messages may be missing, and what is not in the plan.
pub(super) fn sentences(plan: &Plan, frozen: &Frozen) -> Vec<String> {
    let mut sentences = plan.facts().incomplete_because.clone();
    sentences.extend(gone(frozen));
    sentences
}

/// Says that there is nothing to plan.
pub(super) fn nothing_to_plan(frozen: &Frozen) -> String {
    let mut sentences = vec!["No plan was made: there is no message to remove.".to_owned()];
    sentences.extend(frozen.incomplete_because.iter().cloned());
    sentences.extend(gone(frozen));
    sentences.join(" ")
}

fn gone(frozen: &Frozen) -> Option<String> {
    let gone: usize = frozen.left_out.iter().filter(|one| one.is_gone).map(|one| one.messages).sum();
    let were = if gone == 1 { "was" } else { "were" };
    (gone > 0).then(|| format!("{} {were} not found any more and not in the plan.", counted(gone, "message")))
}

//! What a trace says of its result: the report for the incident, and the reason.

use std::fmt::Write;
use std::time::Duration;

use uuid::Uuid;

use super::query::Query;
use super::shown::Shown;
use super::table;
use crate::functions::outcome::Trouble;
use crate::functions::report::{Label, Message, Report, Section, counted, thousands};
use graph::{Coverage, Gap, GapReason, TraceRow, TraceStatus};

/// What the message trace does not know (Graph page "exchangeMessageTrace resource type").
const NOT_KNOWN: &str = "The message trace shows a mail some minutes after it was sent. It does not have drafts, imported \
                         messages, copies that a user made, and what became of a message after its delivery. The sender \
                         is that of the envelope.";

/// The headings over rows, and which statuses are under each.
const HEADINGS: [(&str, &str); 9] = [
    ("delivered", "Delivered"),
    ("filteredAsSpam", "Filtered as spam"),
    ("quarantined", "In quarantine"),
    ("failed", "Not delivered"),
    ("pending", "Under way"),
    ("gettingStatus", "Status not known yet"),
    ("expanded", "Lists, whose members have entries of their own"),
    ("recalled", "Recalled"),
    ("", "With another status"),
];

/// Whether rows may be missing in the result. The remarks mention the last minutes in any case.
pub(super) fn is_incomplete(shown: &Shown, coverage: &Coverage) -> bool {
    shown.not_shown() > 0 || gaps(coverage).next().is_some()
}

fn gaps(coverage: &Coverage) -> impl Iterator<Item = &Gap> {
    coverage.gaps.iter().filter(|gap| gap.reason != GapReason::TooRecent)
}

/// The report for note and file.
pub(super) fn report(
    query: &Query,
    shown: &Shown,
    coverage: &Coverage,
    took: Duration,
    reference: Uuid,
) -> Report<'static> {
    let section = |(status, heading): (&str, &'static str)| Section {
        heading: Some(heading),
        messages: rows_of(shown, status).map(|row| Message::traced(row, heading)).collect(),
        has_links: false,
    };
    let mut remarks: Vec<String> =
        coverage.searched.iter().map(|span| format!("Looked at: {span}.")).collect();
    remarks.push(NOT_KNOWN.to_owned());
    let (mut sentences, troubles) = reason(shown, coverage);
    sentences.extend(troubles.into_iter().map(|trouble| trouble.for_analyst));
    Report {
        label: if is_incomplete(shown, coverage) { Label::Incomplete } else { Label::Complete },
        outcome: outcome(shown),
        sentences,
        looked_for: Some(query.phrase()),
        criteria: query.described(),
        sections: HEADINGS.into_iter().map(section).collect(),
        remarks,
        table: Some(table::of(&shown.rows, reference)),
        took,
        ..Report::default()
    }
}

/// The rows with this status; with an empty one, those that no other heading has.
fn rows_of<'a>(shown: &'a Shown, status: &'a str) -> impl Iterator<Item = &'a TraceRow> {
    shown.rows.iter().filter(move |row| match &row.status {
        TraceStatus::Unknown(_) => status.is_empty(),
        known => known.name() == status,
    })
}

/// "1 message for 12 recipients: 9 delivered, 2 quarantined, 1 failed"
fn outcome(shown: &Shown) -> String {
    let mut outcome = if shown.rows.is_empty() {
        "no message found in the message trace".to_owned()
    } else {
        let counts: Vec<String> = shown
            .by_status()
            .into_iter()
            .map(|(status, count)| format!("{} {}", thousands(count), in_words(status)))
            .collect();
        format!(
            "{} for {}: {}",
            counted(shown.messages(), "message"),
            counted(shown.recipients(), "recipient"),
            counts.join(", ")
        )
    };
    if shown.not_shown() > 0 {
        let _ = write!(outcome, "; {} not shown", counted(shown.not_shown(), "entry"));
    }
    outcome
}

fn in_words(status: &TraceStatus) -> &str {
    match status {
        TraceStatus::FilteredAsSpam => "filtered as spam",
        TraceStatus::GettingStatus => "not known yet",
        TraceStatus::Expanded => "expanded (lists)",
        other => other.name(),
    }
}

/// The reason: what an analyst has to know of the result before it is used.
pub(super) fn reason(shown: &Shown, coverage: &Coverage) -> (Vec<String>, Vec<Trouble>) {
    let mut sentences = Vec::new();
    let mut troubles = Vec::new();
    for gap in gaps(coverage) {
        let sentence = format!("Not looked at completely: {}.", gap.to_string().trim_end_matches('.'));
        match gap.reason {
            // Graph's own words may quote the criteria.
            GapReason::Failed(_) => troubles.push(Trouble {
                for_analyst: sentence,
                for_log: format!("Not looked at completely: {}: a request failed.", gap.span),
            }),
            _ => sentences.push(sentence),
        }
    }
    if shown.refused > 0 {
        sentences.push(format!(
            "{} not shown: the settings of this integration do not allow to read the mailbox of the sender or recipient \
             (mailboxes_denied_reading).",
            are(shown.refused)
        ));
    }
    if shown.unidentified > 0 {
        sentences.push(format!(
            "{} not shown, because whose mailbox it is could not be found out (mailboxes_denied_reading).",
            are(shown.unidentified)
        ));
    }
    (sentences, troubles)
}

/// "1 entry is", "2 entries are"
fn are(entries: usize) -> String {
    format!("{} {}", counted(entries, "entry"), if entries == 1 { "is" } else { "are" })
}

//! The lines of the audit trail, as JSON objects without a line end.

use std::fmt::Write as _;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use super::record::{ActOutcome, AuditRecord, Initiator};
use crate::config::{Deletion, GuardSettings, Patterns};

/// The outcome of an intent: the act may begin.
pub(super) const BEGUN: &str = "begun";

/// An act and its outcome, or its intent.
#[derive(Serialize)]
struct ActLine<'a> {
    time: String,
    #[serde(flatten)]
    record: &'a AuditRecord,
    /// The acts, where the line is the intent of several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    batch: Vec<Part<'a>>,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    dry_run: bool,
    #[serde(flatten)]
    initiator: &'a Initiator,
}

/// One of several acts.
#[derive(Serialize)]
struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mailbox: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mailbox_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
}

/// The guard rails in force.
#[derive(Serialize)]
struct RailsLine<'a> {
    time: String,
    act: &'static str,
    version: &'static str,
    max_deletions: usize,
    max_deletions_per_hour: Option<usize>,
    max_plan_messages: usize,
    plan_lifetime: u64,
    four_eyes: bool,
    approval_required: bool,
    mailboxes_allowed: Option<Vec<String>>,
    mailboxes_denied: Vec<String>,
    mailboxes_denied_reading: Vec<String>,
    deletion: &'static str,
    dry_run: bool,
    hold: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    removed: &'a [String],
}

/// All changes are on hold, or not any more.
#[derive(Serialize)]
struct HoldLine {
    time: String,
    act: &'static str,
    signal: &'static str,
}

/// Replaces lines that are in the log only.
#[derive(Serialize)]
struct LeftOutLine {
    time: String,
    act: &'static str,
    count: usize,
}

/// The line of an intent for the acts in `records`, which have the same kind and destination.
pub(super) fn of_intent(
    intent: &str,
    records: &[&AuditRecord],
    dry_run: bool,
    initiator: &Initiator,
) -> String {
    let line = |record, batch| {
        let (time, intent) = (now(), Some(intent));
        json(&ActLine { time, record, batch, outcome: BEGUN, intent, error: None, dry_run, initiator })
    };
    match records {
        [] => String::new(),
        [record] => line(record, Vec::new()),
        [first, ..] => {
            let common =
                AuditRecord { destination: first.destination.clone(), ..AuditRecord::new(first.act) };
            let parts = records.iter().map(|record| Part {
                mailbox: record.mailbox.as_deref(),
                mailbox_id: record.mailbox_id.as_deref(),
                message_id: record.message_id.as_deref(),
                origin: record.origin.as_deref(),
            });
            line(&common, parts.collect())
        }
    }
}

/// The line of an outcome; `intent` names the line before the act, if there was one.
pub(super) fn of_outcome(
    intent: Option<&str>,
    record: &AuditRecord,
    outcome: ActOutcome,
    error: Option<&str>,
    dry_run: bool,
    initiator: &Initiator,
) -> String {
    let outcome = outcome.text(record.act);
    let batch = Vec::new();
    json(&ActLine { time: now(), record, batch, outcome: &outcome, intent, error, dry_run, initiator })
}

pub(super) fn of_rails(rails: &GuardSettings, removed: &[String]) -> String {
    json(&RailsLine {
        time: now(),
        act: "guard rails in force",
        version: env!("CARGO_PKG_VERSION"),
        max_deletions: rails.max_deletions,
        max_deletions_per_hour: rails.max_deletions_per_hour,
        max_plan_messages: rails.max_plan_messages,
        plan_lifetime: rails.plan_lifetime.as_secs(),
        four_eyes: rails.four_eyes,
        approval_required: rails.approval_required,
        mailboxes_allowed: rails.allowed.as_ref().map(Patterns::texts),
        mailboxes_denied: rails.denied.texts(),
        mailboxes_denied_reading: rails.denied_reading.texts(),
        deletion: match rails.deletion {
            Deletion::Recoverable => "recoverable",
            Deletion::DeletedItems => "deleted_items",
            Deletion::Permanent => "permanent",
            Deletion::Quarantine => "quarantine",
        },
        dry_run: rails.dry_run,
        hold: rails.hold,
        removed,
    })
}

/// After a signal, all changes are on hold, or not any more.
pub(super) fn of_hold(hold: bool, signal: &'static str) -> String {
    json(&HoldLine { time: now(), act: if hold { "changes on hold" } else { "hold released" }, signal })
}

pub(super) fn of_left_out(count: usize) -> String {
    json(&LeftOutLine { time: now(), act: "lines left out", count })
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Returns `line` as JSON in ASCII. A reader's charset or a mark of text direction cannot change what
/// ASCII says.
fn json(line: &impl Serialize) -> String {
    let json = serde_json::to_string(line).unwrap_or_default();
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            text.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

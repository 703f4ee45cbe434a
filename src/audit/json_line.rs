//! The lines of the audit trail, as JSON.

use std::fmt::Write as _;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use super::record::{AuditRecord, Initiator};
use crate::config::{Deletion, GuardSettings, Patterns};

/// An act and its outcome.
#[derive(Serialize)]
struct ActLine<'a> {
    time: String,
    #[serde(flatten)]
    record: &'a AuditRecord,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    dry_run: bool,
    #[serde(flatten)]
    initiator: &'a Initiator,
}

/// The guard rails in force.
#[derive(Serialize)]
struct RailsLine {
    time: String,
    act: &'static str,
    version: &'static str,
    max_deletions: Option<usize>,
    mailboxes_allowed: Option<Vec<String>>,
    mailboxes_denied: Vec<String>,
    deletion: &'static str,
    dry_run: bool,
}

/// Replaces lines that are in the log only.
#[derive(Serialize)]
struct LeftOutLine {
    time: String,
    act: &'static str,
    count: usize,
}

pub(super) fn of_act(
    record: &AuditRecord,
    outcome: &str,
    error: Option<&str>,
    dry_run: bool,
    initiator: &Initiator,
) -> String {
    json(&ActLine { time: now(), record, outcome, error, dry_run, initiator })
}

pub(super) fn of_rails(rails: &GuardSettings) -> String {
    json(&RailsLine {
        time: now(),
        act: "guard rails in force",
        version: env!("CARGO_PKG_VERSION"),
        max_deletions: rails.max_deletions,
        mailboxes_allowed: rails.allowed.as_ref().map(Patterns::texts),
        mailboxes_denied: rails.denied.texts(),
        deletion: match rails.deletion {
            Deletion::Recoverable => "recoverable",
            Deletion::DeletedItems => "deleted_items",
            Deletion::Permanent => "permanent",
        },
        dry_run: rails.dry_run,
    })
}

pub(super) fn of_left_out(count: usize) -> String {
    json(&LeftOutLine { time: now(), act: "lines left out", count })
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Returns `line` as JSON in ASCII, with a line end. A reader's charset or a mark of text direction cannot change what
/// ASCII says.
fn json(line: &impl Serialize) -> String {
    let json = serde_json::to_string(line).unwrap_or_default();
    let mut text = String::with_capacity(json.len() + 1);
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
    text.push('\n');
    text
}

//! The content of a trace's result: who received which message. The copies are looked up in the mailboxes.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::source::{Found, Source};
use crate::functions::inputs::LONGEST_WORD;
use crate::functions::listed::not_of_the_form;
use crate::functions::plan::Stamp;
use crate::functions::report::counted;
use graph::Copies;
use net::untrusted::json::Bounded;

/// Statuses of rows without a copy in a mailbox: the message was not delivered, or has rows of its own for the members
/// of a list (Graph page "exchangeMessageTrace resource type").
const WITHOUT_COPY: [&str; 3] = ["failed", "quarantined", "expanded"];
/// Rows of a trace.
const MOST_ROWS: usize = 200_000;

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    trace_results: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Content {
    complete: bool,
    #[serde(default)]
    not_searched: Vec<IgnoredAny>,
    #[serde(default)]
    rows_not_shown: usize,
    #[serde(default)]
    searched: Vec<Span>,
    trace_results: Bounded<Row, MOST_ROWS>,
}

#[derive(Deserialize)]
struct Span {
    to: Stamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    message_id: String,
    recipient_address: String,
    status: String,
}

/// Whether the JSON is the content of a trace.
pub(super) fn is_trace(text: &str) -> bool {
    let is_object = text.trim_start().starts_with('{');
    is_object && serde_json::from_str(text).is_ok_and(|head: Head| head.trace_results.is_some())
}

pub(super) fn parse(text: &str) -> Result<Source, String> {
    let content: Content = serde_json::from_str(text).map_err(|error| not_of_the_form(&error))?;
    let mut incomplete_because = Vec::new();
    if !content.not_searched.is_empty() {
        let times = counted(content.not_searched.len(), "period");
        incomplete_because.push(format!("The trace did not look at {times} completely."));
    }
    if content.rows_not_shown > 0 {
        let entries = counted(content.rows_not_shown, "entry");
        incomplete_because.push(format!("The trace does not show {entries}."));
    }
    if incomplete_because.is_empty() && !content.complete {
        incomplete_because.push("The trace says that it is incomplete.".to_owned());
    }
    Ok(Source {
        found: Found::Traced(copies(content.trace_results.0)?),
        incomplete_because,
        looked_until: content.searched.iter().map(|span| span.to).max(),
    })
}

/// Each recipient that may have copies, with their Message-IDs, in the order of the rows.
fn copies(rows: Vec<Row>) -> Result<Vec<Copies>, String> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<Copies> = Vec::new();
    for Row { message_id, recipient_address, status } in rows {
        if message_id.len() > LONGEST_WORD || recipient_address.len() > LONGEST_WORD {
            return Err("a row has a text that is longer than any address or Message-ID".to_owned());
        }
        let has_copy = !WITHOUT_COPY.iter().any(|one| status.eq_ignore_ascii_case(one));
        if message_id.trim().is_empty() || recipient_address.trim().is_empty() || !has_copy {
            continue;
        }
        let place = *places.entry(recipient_address.to_lowercase()).or_insert_with(|| {
            all.push(Copies { recipient: recipient_address, user_id: None, message_ids: Vec::new() });
            all.len() - 1
        });
        if let Some(copies) = all.get_mut(place)
            && !copies.message_ids.contains(&message_id)
        {
            copies.message_ids.push(message_id);
        }
    }
    Ok(all)
}

//! The content of a trace's result.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::note::is_incomplete;
use super::query::Query;
use super::shown::Shown;
use graph::{Coverage, Gap, Span, TraceRow};

/// The content of a trace's result, as workflows and scripts read it.
#[derive(Serialize)]
pub(super) struct Content<'a> {
    incident_id: Option<i64>,
    exo_query_output_format: &'a [String],
    /// Whether everything that was asked for was looked at, and is shown.
    complete: bool,
    not_searched: Vec<NotSearched>,
    rows_not_shown: usize,
    searched: Vec<Searched>,
    messages_found: usize,
    recipients_found: usize,
    status_counts: BTreeMap<&'a str, usize>,
    trace_results: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Searched {
    from: String,
    to: String,
}

#[derive(Serialize)]
struct NotSearched {
    #[serde(flatten)]
    span: Searched,
    reason: String,
}

/// A row, by the names that Graph has for its parts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: &'a str,
    message_id: &'a str,
    sender_address: &'a str,
    recipient_address: &'a str,
    received_date_time: String,
    subject: &'a str,
    size: Option<u64>,
    #[serde(rename = "fromIP")]
    from_ip: &'a str,
    #[serde(rename = "toIP")]
    to_ip: &'a str,
    status: &'a str,
}

impl<'a> Content<'a> {
    pub(super) fn of(query: &'a Query, shown: &'a Shown, coverage: &Coverage) -> Self {
        Self {
            incident_id: query.incident,
            exo_query_output_format: &query.output.chosen,
            complete: !is_incomplete(shown, coverage),
            not_searched: coverage.gaps.iter().map(NotSearched::of).collect(),
            rows_not_shown: shown.not_shown(),
            searched: coverage.searched.iter().map(Searched::of).collect(),
            messages_found: shown.messages(),
            recipients_found: shown.recipients(),
            status_counts: shown
                .by_status()
                .into_iter()
                .map(|(status, count)| (status.name(), count))
                .collect(),
            trace_results: shown.rows.iter().map(Row::of).collect(),
        }
    }
}

impl Searched {
    fn of(span: &Span) -> Self {
        Self { from: stamp(span.from), to: stamp(span.to) }
    }
}

impl NotSearched {
    fn of(gap: &Gap) -> Self {
        Self { span: Searched::of(&gap.span), reason: gap.reason.to_string() }
    }
}

impl<'a> Row<'a> {
    fn of(row: &'a TraceRow) -> Self {
        Self {
            id: &row.id,
            message_id: &row.message_id,
            sender_address: &row.sender,
            recipient_address: &row.recipient,
            received_date_time: stamp(row.received),
            subject: &row.subject,
            size: row.size,
            from_ip: &row.from_ip,
            to_ip: &row.to_ip,
            status: row.status.name(),
        }
    }
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

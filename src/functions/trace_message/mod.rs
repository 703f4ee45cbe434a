//! `exchange_online_trace_message`: looks up in the tenant's message trace who received a message, and what became of
//! it.

mod content;
mod note;
mod query;
mod shown;
mod table;

use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use super::permissions::{TRACE_MESSAGES, Use};
use super::report::Output;
use super::spec::{INCIDENT, Input, InputKind, Spec, Timeout};
use crate::audit::{Act, AuditRecord};
use content::Content;
use graph::{IndexLimits, Trace, TraceError, message_trace};
use query::Query;
use shown::Shown;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_trace_message",
    summary: "Looks up who received a message, and what became of it, in the tenant's message trace.",
    inputs: &[
        INCIDENT,
        Input::optional("exo_internet_message_id", InputKind::Text, "criterion: Message-IDs"),
        Input::optional(
            "exo_email_address_sender",
            InputKind::Text,
            "criterion: addresses of senders, or domains such as @example.com",
        ),
        Input::optional(
            "exo_recipient",
            InputKind::Text,
            "criterion: addresses of recipients, or domains such as @example.com",
        ),
        Input::optional(
            "exo_message_subject",
            InputKind::Text,
            "criterion: texts in the subject, one a line",
        ),
        Input::optional(
            "exo_start_date",
            InputKind::DateTime,
            "only messages received at this time or later",
        ),
        Input::optional(
            "exo_end_date",
            InputKind::DateTime,
            "only messages received at this time or earlier",
        ),
        Input::required(
            "exo_query_output_format",
            InputKind::MultiSelect(Output::LABELS),
            "where the results are shown",
        ),
    ],
    uses: &[Use::always(&[TRACE_MESSAGES])],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

/// The trace ends this long before the call does, so that its result is not lost.
const LONGEST_MARGIN: Duration = Duration::from_secs(10);

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let query = Query::read(inputs, &context.sink)?;
    query.check().map_err(Error::refused)?;

    let started = Instant::now();
    let call_timeout = context.limits.call_timeout;
    let limits = IndexLimits::until(started + call_timeout - LONGEST_MARGIN.min(call_timeout / 10));
    context.status.say("Looking into the message trace");
    let on_record = context.guard.begin_search(record(&query, None));
    let trace = message_trace(&context.graph, &query.criteria, limits).await;
    let known = trace.as_ref().map_err(|error| error.error().clone());
    on_record.end(&record(&query, known.as_ref().ok().copied()), &known);
    let Trace { rows, coverage, requests } = trace.map_err(failed)?;
    let shown = Shown::of(context, rows)
        .await
        .map_err(|source| Error::graph("find out whose messages were traced", SPEC.permissions(), source))?;
    info!(rows = shown.rows.len(), not_shown = shown.not_shown(), requests, "message trace ended");

    let content = Content::of(&query, &shown, &coverage);
    let mut outcome = Outcome::done(&content)?;
    let written = if query.output.needs_incident() {
        let reference = context.call.reference();
        let report = note::report(&query, &shown, &coverage, started.elapsed(), reference);
        report.write(context, query.incident, &query.output, "exo-trace-results").await
    } else {
        Vec::new()
    };
    let (sentences, mut troubles) = note::reason(&shown, &coverage);
    troubles.extend(written);
    outcome.because(sentences, troubles);
    Ok(outcome)
}

/// What the audit trail says of a trace: whose mail, and by what kinds of criteria.
fn record(query: &Query, trace: Option<&Trace>) -> AuditRecord {
    let recipients = &query.criteria.recipients;
    AuditRecord {
        searched: Some(if recipients.is_empty() { "all".to_owned() } else { recipients.join(", ") }),
        messages: trace.map(|trace| trace.rows.len()),
        criteria: query.described().into_iter().map(|(kind, _)| kind).collect(),
        ..AuditRecord::new(Act::TraceMessages)
    }
}

fn failed(error: TraceError) -> Error {
    match error.remedy() {
        // Graph's own words are left out: they may quote the criteria, and this text goes to the log as well.
        Some(remedy) => Error::refused(format!(
            "Could not trace messages: {remedy} {}.",
            error.error().for_log().trim_end_matches('.')
        )),
        None => Error::graph("trace messages", SPEC.permissions(), error.into_error()),
    }
}

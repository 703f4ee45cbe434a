//! `exchange_online_query_emails`: finds messages in one mailbox, in some, or in those of a whole tenant.

mod content;
mod note;
mod query;
mod reconciliation;
mod strategy;

use chrono::{SubsecRound, Utc};
use tokio::time::Instant;
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use super::permissions::{HUNT, READ_MAIL, READ_USERS, Use};
use super::report::Output;
use super::spec::{INCIDENT, Input, InputKind, Spec, Timeout};
use crate::audit::{Act, AuditRecord};
use content::Content;
use graph::{Search, SearchScope};
use strategy::{Found, NotFound};

pub(super) use query::Query;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_query_emails",
    summary: "Finds messages in one mailbox, some, or all of the tenant; at least one criterion is required.",
    inputs: &[
        INCIDENT,
        Input::required(
            "exo_email_address",
            InputKind::Text,
            "mailboxes: addresses separated by commas, \"all\", or \"all:\" and the beginning of a user name",
        ),
        Input::optional("exo_mail_folders", InputKind::Text, "id or name of the one folder to search"),
        Input::optional(
            "exo_email_address_sender",
            InputKind::Text,
            "criterion: address of the sender, or a domain as @evil.example",
        ),
        Input::optional("exo_start_date", InputKind::DateTime, "criterion: received at this time or later"),
        Input::optional("exo_end_date", InputKind::DateTime, "criterion: received at this time or earlier"),
        Input::optional(
            "exo_has_attachments",
            InputKind::Boolean,
            "criterion: with attachments (yes) or without (no)",
        ),
        Input::optional("exo_message_subject", InputKind::Text, "criterion: text in the subject"),
        Input::optional("exo_message_body", InputKind::Text, "criterion: text in the body"),
        Input::optional("exo_internet_message_id", InputKind::Text, "criterion: Message-IDs"),
        Input::optional("exo_network_message_id", InputKind::Text, "criterion: network message ids"),
        Input::optional(
            "exo_recipient",
            InputKind::Text,
            "criterion: recipients, or domains as @evil.example",
        ),
        Input::optional(
            "exo_attachment_name",
            InputKind::Text,
            "criterion: names of attached files, one a line; * stands for any text",
        ),
        Input::optional("exo_attachment_sha256", InputKind::Text, "criterion: SHA-256 of attached files"),
        Input::optional(
            "exo_url",
            InputKind::Text,
            "criterion: URLs in the body, their beginnings, or hosts",
        ),
        Input::optional(
            "exo_header",
            InputKind::Text,
            "criterion: internet headers as Name: value, one a line; * stands for any text",
        ),
        Input::optional(
            "exo_include_recoverable",
            InputKind::Boolean,
            "also among messages removed from Deleted Items (yes)",
        ),
        Input::optional(
            "exo_search_strategy",
            InputKind::Select(query::STRATEGIES),
            "how messages are found: auto, mailboxes, trace or hunting",
        ),
        Input::required(
            "exo_query_output_format",
            InputKind::MultiSelect(Output::LABELS),
            "where the results are shown",
        ),
    ],
    uses: &[Use::always(&[READ_MAIL]), OVER_ALL_USERS, Use::when("by advanced hunting", &[READ_MAIL, HUNT])],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

const OVER_ALL_USERS: Use = Use::when("over all users", &[READ_MAIL, READ_USERS]);

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let query = Query::read(inputs, &context.sink)?;
    query.check().map_err(Error::refused)?;

    let (started, began) = (Instant::now(), Utc::now().trunc_subsecs(0));
    let on_record = context.guard.begin_search(record(&query, None));
    let found = strategy::find(context, &query).await;
    let failure = found.as_ref().err().map(|not_found| not_found.source.clone());
    on_record
        .end(&record(&query, found.as_ref().ok().map(|found| &found.search)), &failure.map_or(Ok(()), Err));
    let found = found.map_err(|NotFound { why, source }| match why {
        Some(why) => Error::index(format!("search the messages of {}", query.asked), why, source),
        None => failed(&query, source),
    })?;
    log(&found);
    if let Some(source) = found_nothing_by_failure(&found.search) {
        return Err(failed(&query, source.clone()));
    }

    let written = if query.output.needs_incident() {
        let report = note::report(&query, &found, started.elapsed());
        report.write(context, query.incident, &query.output, "exo-query-results").await
    } else {
        Vec::new()
    };
    // After the report, whose memory it can take.
    let content = Content::of(&query, &found, began);
    let mut outcome = Outcome::done_long(&content, content.about_bytes())?;
    outcome.success = !no_mailbox_was_found(&query, &found.search);
    outcome.because(note::sentences(&query, &found), written);
    Ok(outcome)
}

/// What the audit trail says of a search: whose mailboxes, and by what kinds of criteria.
fn record(query: &Query, search: Option<&Search>) -> AuditRecord {
    AuditRecord {
        searched: Some(query.asked.clone()),
        mailboxes: search.map(|search| search.counts.searched),
        messages: search.map(Search::messages),
        criteria: query.described().into_iter().skip(1).map(|(kind, _)| kind).collect(),
        ..AuditRecord::new(Act::SearchMailboxes)
    }
}

fn log(found: &Found) {
    if let Some(reconciliation) = &found.reconciliation {
        info!(deliveries = %reconciliation, "every delivery that the index knows is accounted for");
    }
    let search = &found.search;
    let counts = search.counts;
    info!(
        listed = counts.listed(),
        searched = counts.searched,
        without_mailbox = counts.without_mailbox,
        failed = counts.failed,
        left_out = counts.left_out,
        messages = search.messages(),
        "search ended; every user listed is accounted for"
    );
}

fn failed(query: &Query, source: graph::Error) -> Error {
    let permissions = match query.scope {
        SearchScope::Tenant { .. } => OVER_ALL_USERS.permissions,
        SearchScope::Listed(_) => SPEC.permissions(),
    };
    Error::graph(format!("search the messages of {}", query.asked), permissions, source)
}

/// Returns why a search found nothing, where it reached no mailbox, or where Graph did not apply the filter to as many
/// mailboxes as it found messages in. Such a search must not look as if there was nothing, or nothing else, to find.
fn found_nothing_by_failure(search: &Search) -> Option<&graph::Error> {
    let with_messages = search.mailboxes.iter().filter(|mailbox| !mailbox.messages.is_empty()).count();
    let ignored: Vec<_> = search.failures().filter(|failure| failure.is_filter_not_applied()).collect();
    if !ignored.is_empty() && ignored.len() >= with_messages {
        return ignored.first().copied();
    }
    // One message that cannot be compared may be chance; where there is more of that than of results, it is not.
    let undecided: Vec<_> = search.failures().filter(|failure| failure.is_undecided()).collect();
    if undecided.len() > with_messages.max(1) {
        return undecided.first().copied();
    }
    if search.counts.searched > 0 || with_messages > 0 {
        return None;
    }
    let is_answer =
        |failure: &graph::Error| failure.is_no_mailbox() || failure.is_no_folder() || failure.is_undecided();
    search.failures().find(|failure| !is_answer(failure))
}

/// Whether mailboxes were asked for by name and none of them was found: "not found", as with every other function.
fn no_mailbox_was_found(query: &Query, search: &Search) -> bool {
    let is_missing = |failure: &graph::Error| !failure.is_undecided();
    let nothing = search
        .mailboxes
        .iter()
        .all(|mailbox| mailbox.failure.as_ref().is_some_and(is_missing) && mailbox.messages.is_empty());
    matches!(query.scope, SearchScope::Listed(_)) && nothing
}

//! `exchange_online_query_emails`: finds messages in one mailbox, in some, or in those of a whole tenant.

use std::fmt;

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::incident_sink::IncidentSink;
use super::inputs::{InputError, Inputs, Reader, Reason};
use super::outcome::Outcome;
use super::permissions::{READ_MAIL, READ_USERS, Use};
use super::progress::Progress;
use super::report::{Output, Report};
use super::spec::{INCIDENT, Input, InputKind, Spec, Timeout};
use graph::{self, Criteria, Limit, Search, SearchScope};

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
        Input::optional("exo_email_address_sender", InputKind::Text, "criterion: address of the sender"),
        Input::optional("exo_start_date", InputKind::DateTime, "criterion: received at this time or later"),
        Input::optional("exo_end_date", InputKind::DateTime, "criterion: received at this time or earlier"),
        Input::optional(
            "exo_has_attachments",
            InputKind::Boolean,
            "criterion: with attachments (yes) or without (no)",
        ),
        Input::optional("exo_message_subject", InputKind::Text, "criterion: text in the subject"),
        Input::optional("exo_message_body", InputKind::Text, "criterion: text in the body"),
        Input::required(
            "exo_query_output_format",
            InputKind::MultiSelect(OUTPUTS),
            "where the results are shown",
        ),
    ],
    uses: &[Use::always(&[READ_MAIL]), OVER_ALL_USERS],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

const OVER_ALL_USERS: Use = Use::when("over all users", &[READ_MAIL, READ_USERS]);

/// Where results can be shown.
const OUTPUTS: &[&str] = &["Exchange Online data table", "Incident attachment", "Incident note"];

/// What is asked for.
pub(super) struct Query {
    /// `None` only where the call was made without an incident.
    incident: Option<i64>,
    whom: SearchScope,
    /// `exo_email_address` as it was typed.
    asked: String,
    criteria: Criteria,
    output: Output,
}

impl Query {
    pub(super) fn read(inputs: &Inputs, sink: &IncidentSink) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let asked = reader.required_words("exo_email_address");
        let query = Self {
            incident: reader.incident(sink.needs_incident()),
            whom: search_scope(&mut reader, &asked),
            asked,
            output: Output { chosen: reader.required_choices("exo_query_output_format", OUTPUTS) },
            criteria: Criteria {
                folder: reader.folder("exo_mail_folders"),
                sender: reader.sender("exo_email_address_sender"),
                received_from: reader.time("exo_start_date"),
                received_to: reader.end_time("exo_end_date"),
                has_attachments: reader.flag("exo_has_attachments"),
                subject: reader.criterion("exo_message_subject"),
                body: reader.criterion("exo_message_body"),
            },
        };
        let Criteria { received_from, received_to, .. } = &query.criteria;
        if received_to.is_some_and(|to| received_from.is_some_and(|from| to < from)) {
            reader.refuse("exo_end_date", Reason::Before("exo_start_date"));
        }
        reader.finish()?;
        Ok(query)
    }

    /// What was asked for, for the report: everything that was given, `false` included.
    pub(super) fn described(&self) -> Vec<(&'static str, String)> {
        let criteria = &self.criteria;
        let time = |time: &chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let given = [
            ("Email address", Some(self.asked.clone())),
            ("Mail folder", criteria.folder.clone()),
            ("Sender", criteria.sender.clone()),
            ("Received from", criteria.received_from.as_ref().map(time)),
            ("Received to", criteria.received_to.as_ref().map(time)),
            ("Has attachments", criteria.has_attachments.map(|has| has.to_string())),
            ("Message subject", criteria.subject.clone()),
            ("Message body", criteria.body.clone()),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Reads `exo_email_address`: `all`, `all:` with the beginning of a name, or a list.
fn search_scope(reader: &mut Reader<'_>, asked: &str) -> SearchScope {
    let lower = asked.to_ascii_lowercase();
    if matches!(lower.as_str(), "all" | "all user" | "all users") {
        return SearchScope::Tenant { prefix: String::new() };
    }
    if lower.starts_with("all:") {
        // Four characters are taken off, not every a and l: "all:alice" means Alice.
        return SearchScope::Tenant { prefix: asked[4..].trim().to_owned() };
    }
    let mut listed: Vec<String> = Vec::new();
    for address in reader.mailboxes("exo_email_address", asked) {
        if !listed.iter().any(|other| other.eq_ignore_ascii_case(&address)) {
            listed.push(address);
        }
    }
    SearchScope::Listed(listed)
}

#[derive(Serialize)]
struct Content<'a> {
    incident_id: Option<i64>,
    exo_query_output_format: &'a [String],
    email_results: Vec<InMailbox<'a>>,
    #[serde(flatten)]
    users: Users,
    messages_found: usize,
    limit_reached: Option<&'static str>,
    not_searched: Vec<NotSearched<'a>>,
}

/// What became of the users that were listed. The other numbers add up to the first.
#[derive(Serialize)]
struct Users {
    #[serde(rename = "users_listed")]
    listed: usize,
    #[serde(rename = "users_searched")]
    searched: usize,
    #[serde(rename = "users_without_mailbox")]
    without_mailbox: usize,
    /// Not searched, or not to the end.
    #[serde(rename = "users_failed")]
    failed: usize,
    /// Not needed any more when a limit was reached.
    #[serde(rename = "users_left_out")]
    left_out: usize,
}

impl Users {
    fn of(search: &Search) -> Self {
        let without_mailbox = search.failures().filter(|failure| is_no_mailbox(failure)).count();
        let failures = search.failures().count();
        Self {
            listed: search.mailboxes.len() + search.left_out,
            searched: search.mailboxes.len() - failures,
            without_mailbox,
            failed: failures - without_mailbox,
            left_out: search.left_out,
        }
    }
}

impl fmt::Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listed, searched, without_mailbox, failed, left_out } = self;
        let listed = counted(*listed, "user");
        write!(
            f,
            "Of {listed} listed: {searched} searched, {without_mailbox} without a mailbox, {failed} failed, \
             {left_out} left out."
        )
    }
}

#[derive(Serialize)]
struct InMailbox<'a> {
    email_address: &'a str,
    status_code: u16,
    email_list: &'a [Box<RawValue>],
}

#[derive(Serialize)]
struct NotSearched<'a> {
    email_address: &'a str,
    status_code: Option<u16>,
    code: &'a str,
    message: String,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let query = Query::read(inputs, &context.sink)?;
    if query.criteria.is_empty() {
        return Err(Error::Refused(
            "At least one search criterion is required: exo_email_address_sender, exo_start_date, exo_end_date, \
             exo_has_attachments, exo_message_subject or exo_message_body. (A mail folder only limits the search.)"
                .to_owned(),
        ));
    }
    if query.criteria.body.as_ref().is_some_and(|body| !body.contains(char::is_alphanumeric)) {
        return Err(Error::Refused(
            "The input \"exo_message_body\" holds no word to search for, and would find every message."
                .to_owned(),
        ));
    }

    let started = Instant::now();
    context.status.say(match &query.whom {
        SearchScope::Listed(list) if list.len() > 1 => {
            format!("Searching the messages of {} mailboxes", list.len())
        }
        _ => format!("Searching the messages of {}", query.asked),
    });
    let mut pace = context.status.every_few_seconds();
    let search = graph::search(
        &context.graph,
        query.whom.clone(),
        &query.criteria,
        context.limits.max_users,
        context.limits.max_messages,
        |search| {
            let graph::Progress { done, mailboxes: total, listing: more, messages } = search;
            pace.say(Progress { done, total, more, found: Some(messages) }, || search.to_string());
        },
    );
    let search = search.await.map_err(|source| failed(&query, source))?;
    let users = Users::of(&search);
    info!(
        listed = users.listed,
        searched = users.searched,
        without_mailbox = users.without_mailbox,
        failed = users.failed,
        left_out = users.left_out,
        messages = search.mailboxes.iter().map(|mailbox| mailbox.messages.len()).sum::<usize>(),
        "search ended; every user listed is accounted for"
    );
    if let Some(source) = nothing_could_be_searched(&search) {
        return Err(failed(&query, source.clone()));
    }

    let content = content(&query, &search, users);
    let mut outcome = Outcome::done(&content)?;
    outcome.success = !no_mailbox_was_found(&query, &search);
    let report = report(&query, &search, &content, started);
    let written = report.write(context, query.incident, &query.output, "exo-query-results").await;
    outcome.because(sentences(&query, &search), written);
    Ok(outcome)
}

fn failed(query: &Query, source: graph::Error) -> Error {
    let permissions = match query.whom {
        SearchScope::Tenant { .. } => OVER_ALL_USERS.permissions,
        SearchScope::Listed(_) => SPEC.permissions(),
    };
    Error::Graph { attempt: format!("search the messages of {}", query.asked), permissions, source }
}

/// A search that reached no mailbox found nothing because it failed, and must not look as if there was nothing
/// to find.
fn nothing_could_be_searched(search: &Search) -> Option<&graph::Error> {
    if search.mailboxes.iter().any(|mailbox| mailbox.failure.is_none() || !mailbox.messages.is_empty()) {
        return None;
    }
    search.failures().find(|failure| !is_not_found(failure))
}

/// Who names mailboxes of which none was found has no answer: 404, as with every other function.
fn no_mailbox_was_found(query: &Query, search: &Search) -> bool {
    let nothing =
        search.mailboxes.iter().all(|mailbox| mailbox.failure.is_some() && mailbox.messages.is_empty());
    matches!(query.whom, SearchScope::Listed(_)) && nothing
}

/// Graph says that there is no such mailbox, or none it can look into.
fn is_no_mailbox(error: &graph::Error) -> bool {
    // An item that is not found is the folder, in a mailbox that is there.
    is_not_found(error) && error.refusal().is_some_and(|refusal| refusal.code != "ErrorItemNotFound")
}

fn is_not_found(error: &graph::Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 404)
}

fn content<'a>(query: &'a Query, search: &'a Search, users: Users) -> Content<'a> {
    let everybody = matches!(query.whom, SearchScope::Tenant { .. });
    let listed = search
        .mailboxes
        .iter()
        .filter(|mailbox| !mailbox.messages.is_empty() || mailbox.failure.is_none() && !everybody);
    Content {
        incident_id: query.incident,
        exo_query_output_format: &query.output.chosen,
        email_results: listed
            .map(|mailbox| InMailbox {
                email_address: &mailbox.address,
                status_code: 200,
                email_list: &mailbox.messages,
            })
            .collect(),
        users,
        messages_found: search.mailboxes.iter().map(|mailbox| mailbox.messages.len()).sum(),
        limit_reached: search.limit.map(|limit| match limit {
            Limit::Messages => "max_messages",
            Limit::Users => "max_users",
        }),
        not_searched: search
            .mailboxes
            .iter()
            .filter_map(|mailbox| Some((mailbox, mailbox.failure.as_ref()?)))
            .map(|(mailbox, failure)| NotSearched {
                email_address: &mailbox.address,
                status_code: failure.refusal().map(|refusal| refusal.status),
                code: failure.refusal().map_or("", |refusal| &refusal.code),
                message: failure
                    .refusal()
                    .map_or_else(|| failure.to_string(), |refusal| refusal.message.clone()),
            })
            .collect(),
    }
}

fn report(query: &Query, search: &Search, content: &Content<'_>, started: Instant) -> Report {
    let mut totals = vec![
        format!(
            "{} found in {}.",
            counted(content.messages_found, "message"),
            counted(content.users.searched, "mailbox"),
        ),
        content.users.to_string(),
    ];
    match search.limit {
        None => {}
        Some(Limit::Messages) => totals
            .push("The search ended at the limit of messages (max_messages); there may be more.".to_owned()),
        Some(Limit::Users) => totals.push(
            "The search ended at the limit of mailboxes (max_users); there are more mailboxes.".to_owned(),
        ),
    }
    Report {
        title: "Exchange Online: results of the message query",
        criteria: query.described(),
        totals,
        counted: "found",
        mailboxes: content
            .email_results
            .iter()
            .map(|mailbox| (mailbox.email_address.to_owned(), mailbox.email_list.len()))
            .collect(),
        failures: search
            .mailboxes
            .iter()
            .filter_map(|mailbox| {
                let failure = mailbox.failure.as_ref()?;
                Some(format!("{} could not be searched: {failure}", mailbox.address))
            })
            .collect(),
        took: started.elapsed(),
    }
}

fn sentences(query: &Query, search: &Search) -> Vec<String> {
    let failures = Users::of(search).failed;
    let mut sentences = Vec::new();
    if failures > 0 {
        sentences.push(format!("{} could not be searched; see not_searched.", counted(failures, "mailbox")));
    }
    let no_mailbox: Vec<_> = search
        .mailboxes
        .iter()
        .filter(|mailbox| mailbox.failure.as_ref().is_some_and(is_no_mailbox))
        .map(|mailbox| mailbox.address.as_str())
        .collect();
    // Who types an address wants to know that it was wrong; a tenant is full of users without a mailbox.
    if matches!(query.whom, SearchScope::Listed(_)) && !no_mailbox.is_empty() {
        sentences.push(format!("No mailbox was found for {}.", no_mailbox.join(", ")));
    }
    sentences
}

/// "1 message", "2 mailboxes"
pub(super) fn counted(number: usize, what: &str) -> String {
    let plural = match (number, what.ends_with('x')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{number} {what}{plural}")
}

//! `exchange_online_delete_messages_from_query_results`: deletes every message that an earlier query listed.
//!
//! Each message ends as deleted or as not deleted with a reason; no failure keeps the others from being tried.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::context::Context;
use super::delete_email::{Deleted, delete};
use super::error::{Error, Needs};
use super::incident_sink::IncidentSink;
use super::inputs::{Inputs, LONGEST_WORD, label};
use super::outcome::{NotDone, Outcome};
use super::permissions::{CHANGE_MAIL, Use};
use super::progress::Progress;
use super::query_emails::counted;
use super::report::{Output, Report};
use super::spec::{Input, InputKind, Spec, Timeout};
use crate::guard::{Mailbox, Refusal, RefusalCode};
use net::untrusted::json;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_delete_messages_from_query_results",
    summary: "Deletes every message that a message query found.",
    inputs: &[Input::required(
        "exo_query_messages_results",
        InputKind::Text,
        "results of a message query: the JSON text of its content (raw)",
    )],
    uses: &[Use::always(&[CHANGE_MAIL])],
    changes_mailbox: true,
    // It accounts for every message, including those that it did not reach in time.
    timeout: Timeout::Report,
};

/// How many deletions may be under way at once, those that wait for their mailbox or a `Retry-After` included.
const UNDER_WAY: usize = 1000;

/// No query's results hold more values: a message has some twelve, and a reply takes no more than 96 MiB.
const MOST_VALUES: usize = 4_000_000;

/// What is to be deleted.
#[derive(Debug)]
pub(super) struct Order {
    incident: Option<i64>,
    output: Output,
    mailboxes: Vec<Listed>,
}

/// One entry of the query's `email_results`.
#[derive(Debug)]
struct Listed {
    address: String,
    messages: Vec<Message>,
}

/// A message as the query listed it.
#[derive(Debug)]
struct Message {
    id: String,
    raw: Box<RawValue>,
}

/// The query's content, or, from older workflows, only its `email_results`.
#[derive(Deserialize)]
struct QueryContent {
    #[serde(default)]
    incident_id: Value,
    #[serde(default)]
    exo_query_output_format: Value,
    email_results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    email_address: String,
    email_list: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

/// What accounting for the messages may take, about, in bytes, and what one message takes in addition to its
/// mailbox's address.
const MOST_WEIGHT: usize = 512 << 20;
const BESIDE_ADDRESS: usize = 200;

impl Order {
    /// Reads the query's JSON. All of it is checked before anything is deleted.
    pub(super) fn parse(text: &str, sink: &IncidentSink) -> Result<Self, Error> {
        let refused = |what: &str| {
            Error::Refused(format!(
                "The input \"exo_query_messages_results\" is not the result of a message query: {what}. Nothing \
                 was deleted."
            ))
        };
        if json::values(text) > MOST_VALUES {
            return Err(refused(&format!("it holds more than {MOST_VALUES} values")));
        }
        let content = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map(|email_results| QueryContent {
                incident_id: Value::Null,
                exo_query_output_format: Value::Null,
                email_results,
            })
        } else {
            serde_json::from_str(text)
        };
        // The parser's own words may quote the text, and that is mail.
        let content = content.map_err(|error| {
            refused(&format!("line {}, column {} is not of the expected form", error.line(), error.column()))
        })?;
        let order = Self {
            incident: content.incident_id.as_i64(),
            output: Output { chosen: chosen(&content.exo_query_output_format) },
            mailboxes: content
                .email_results
                .into_iter()
                .map(Listed::new)
                .collect::<Result<_, _>>()
                .map_err(refused)?,
        };
        // Each failure names its mailbox.
        let weight = |listed: &Listed| listed.messages.len() * (listed.address.len() + BESIDE_ADDRESS);
        if order.mailboxes.iter().map(weight).sum::<usize>() > MOST_WEIGHT {
            return Err(refused("it is too large to be accounted for, message by message"));
        }
        if order.output.needs_incident() && order.incident.is_none() && sink.needs_incident() {
            return Err(refused("a note or an attachment is asked for, but it names no incident_id"));
        }
        Ok(order)
    }
}

fn chosen(format: &Value) -> Vec<String> {
    match format {
        Value::Array(choices) => choices.iter().filter_map(label).collect(),
        one => label(one).into_iter().collect(),
    }
}

impl Listed {
    fn new(entry: Entry) -> Result<Self, &'static str> {
        if entry.email_address.trim().is_empty() {
            return Err("an entry names no mailbox (email_address)");
        }
        if entry.email_address.len() > LONGEST_WORD {
            return Err("an entry's email_address is longer than any address");
        }
        let messages = entry.email_list.into_iter().map(|raw| {
            let Identified { id } =
                serde_json::from_str(raw.get()).map_err(|_| "a message in it has no id")?;
            if json::is_too_deep(raw.get()) {
                Err("a message in it is nested too deep")
            } else if id.len() > LONGEST_WORD {
                Err("a message in it has an id that is longer than any")
            } else if id.trim().is_empty() {
                Err("a message in it has an empty id")
            } else {
                Ok(Message { id, raw })
            }
        });
        Ok(Self { messages: messages.collect::<Result<_, _>>()?, address: entry.email_address })
    }
}

/// A message: its mailbox, in lower case, and its id.
type Key<'a> = (Arc<str>, &'a str);

/// What became of each message.
type Fates<'a> = HashMap<Key<'a>, Result<Deleted, NotDone>>;

#[derive(Serialize)]
struct Content<'a> {
    incident_id: Option<i64>,
    exo_query_output_format: &'a [String],
    delete_results: Vec<InMailbox<'a>>,
    failures: Vec<Failure<'a>>,
}

#[derive(Serialize)]
struct InMailbox<'a> {
    email_address: &'a str,
    deleted_list: Vec<&'a RawValue>,
    not_deleted_list: Vec<&'a RawValue>,
}

#[derive(Serialize)]
struct Failure<'a> {
    email_address: &'a str,
    id: &'a str,
    status_code: Option<u16>,
    code: &'a str,
    message: String,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let until = Instant::now() + context.limits.call_timeout;
    let mut reader = inputs.read();
    let text = reader.required_text("exo_query_messages_results");
    reader.finish()?;
    let order = Order::parse(&text, &context.sink)?;
    drop(text);

    let started = Instant::now();
    let unique = order.unique();
    let (fates, too_many) = match context.guard.authorize_deletions(unique.len()) {
        Ok(()) => (delete_all(context, unique, until).await, None),
        Err(Refusal { code, why }) => (none(&unique, code), Some(why)),
    };
    let content = content(&order, &fates);
    let deleted: usize = content.delete_results.iter().map(|mailbox| mailbox.deleted_list.len()).sum();
    if deleted == 0
        && let Some(source) = failures(&fates).find(|error| error.is_for_all())
    {
        let attempt = "delete any of the messages".to_owned();
        return Err(Error::Graph { attempt, permissions: SPEC.permissions(), source: source.clone() });
    }

    let failed = content.failures.len();
    info!(
        listed = deleted + failed,
        deleted,
        not_deleted = failed,
        mailboxes = content.delete_results.len(),
        "deletion ended; every message listed is accounted for"
    );
    let mut outcome = Outcome::done(&content)?;
    outcome.success = deleted > 0 || failed == 0;
    let report = report(&content, deleted, started);
    let written = report.write(context, order.incident, &order.output, "exo-delete-results").await;
    let not_deleted = (failed > 0).then(|| {
        let all = counted(deleted + failed, "message");
        let needs = failures(&fates).find_map(|error| {
            Some(Needs(SPEC.permissions(), error).to_string()).filter(|sentence| !sentence.is_empty())
        });
        let would = fates.values().filter(|fate| matches!(fate, Err(NotDone::DryRun))).count();
        if would > 0 {
            return format!(
                "Dry run: {would} of {all} would have been deleted. Nothing was changed (dry_run)."
            );
        }
        format!("{failed} of {all} could not be deleted; see failures.{}", needs.unwrap_or_default())
    });
    let before = fates.values().filter(|fate| matches!(fate, Ok(Deleted::PriorRun))).count();
    let before = (before > 0).then(|| {
        format!(
            "Of the messages that count as deleted, {before} were not there any more: this call may have been run \
             before. If it was not, somebody else has moved or deleted them."
        )
    });
    outcome.because(too_many.or(not_deleted).into_iter().chain(before).collect(), written);
    Ok(outcome)
}

impl Order {
    /// Each message once, with the address of its mailbox.
    fn unique(&self) -> Vec<(Key<'_>, &str)> {
        let mut places: Vec<(usize, &Listed, Arc<str>, &Message)> = Vec::new();
        for listed in &self.mailboxes {
            let address: Arc<str> = listed.address.to_lowercase().into();
            let messages = listed.messages.iter().enumerate();
            places.extend(messages.map(|(place, message)| (place, listed, Arc::clone(&address), message)));
        }
        // A mailbox takes only a few requests at once, so the first of each go first, then the second of each.
        places.sort_by_key(|(place, ..)| *place);
        let mut seen = HashSet::with_capacity(places.len());
        let mut unique = Vec::with_capacity(places.len());
        for (_, listed, address, message) in places {
            let key = (address, message.id.as_str());
            if seen.insert(key.clone()) {
                unique.push((key, listed.address.as_str()));
            }
        }
        unique
    }
}

/// What Graph said of those that it did not delete.
fn failures<'f>(fates: &'f Fates<'_>) -> impl Iterator<Item = &'f graph::Error> {
    fates.values().filter_map(|fate| fate.as_ref().err()?.graph())
}

/// No message is deleted, since there are too many.
fn none<'a>(unique: &[(Key<'a>, &str)], code: RefusalCode) -> Fates<'a> {
    let why = "one call may not delete so many (max_deletions)";
    let refused = || NotDone::Refused { code: code.text(), why: why.to_owned() };
    unique.iter().map(|(key, _)| (key.clone(), Err(refused()))).collect()
}

/// Deletes the messages, the mailboxes side by side, as far as it gets `until` then.
async fn delete_all<'a>(context: &Context, unique: Vec<(Key<'a>, &'a str)>, until: Instant) -> Fates<'a> {
    let total = unique.len();
    context.status.say(format!("Deleting {}", counted(total, "message")));
    let mut pace = context.status.every_few_seconds();
    let route = context.graph.batched();
    // Each mailbox is let pass, or not, once.
    let mailboxes: HashMap<Arc<str>, OnceCell<Result<Mailbox, NotDone>>> =
        unique.iter().map(|((mailbox, _), _)| (mailbox.clone(), OnceCell::new())).collect();
    let mut begun = 0;
    let mut under_way = FuturesUnordered::new();
    let mut fates: Fates<'a> = HashMap::with_capacity(total);
    loop {
        while under_way.len() < UNDER_WAY
            && let Some((key, mailbox)) = unique.get(begun)
        {
            begun += 1;
            under_way.push(async {
                let fate = async {
                    let authorize = || async {
                        Ok(context.guard.authorize_mailbox(&context.graph, &route, mailbox).await?)
                    };
                    let mailbox =
                        mailboxes[&key.0].get_or_init(authorize).await.as_ref().map_err(Clone::clone)?;
                    delete(context, &route, mailbox, None, key.1).await
                };
                (key.clone(), fate.await)
            });
        }
        let Ok(Some((key, fate))) = timeout_at(until, under_way.next()).await else { break };
        fates.insert(key, fate);
        let progress = Progress { done: fates.len(), total, more: false, found: None };
        pace.say(progress, || format!("Dealt with {} of {total} messages", fates.len()));
    }
    drop(under_way);
    // Without an end to the time, there are none of these.
    for (nth, (key, _)) in unique.iter().enumerate() {
        if !fates.contains_key(key) {
            fates.insert(
                key.clone(),
                Err(graph::Error::from(graph::ErrorKind::OutOfTime { begun: nth < begun }).into()),
            );
        }
    }
    fates
}

fn content<'a>(order: &'a Order, fates: &'a Fates<'a>) -> Content<'a> {
    let mut failures = Vec::new();
    let mut delete_results = Vec::with_capacity(order.mailboxes.len());
    for listed in &order.mailboxes {
        let address: Arc<str> = listed.address.to_lowercase().into();
        let mut mailbox = InMailbox {
            email_address: &listed.address,
            deleted_list: Vec::new(),
            not_deleted_list: Vec::new(),
        };
        for message in &listed.messages {
            match fates.get(&(Arc::clone(&address), message.id.as_str())) {
                Some(Ok(_)) => mailbox.deleted_list.push(&*message.raw),
                fate => {
                    mailbox.not_deleted_list.push(&*message.raw);
                    let error = fate.and_then(|fate| fate.as_ref().err());
                    failures.extend(error.map(|error| Failure::new(&listed.address, &message.id, error)));
                }
            }
        }
        delete_results.push(mailbox);
    }
    Content {
        incident_id: order.incident,
        exo_query_output_format: &order.output.chosen,
        delete_results,
        failures,
    }
}

impl<'a> Failure<'a> {
    fn new(email_address: &'a str, id: &'a str, not_done: &'a NotDone) -> Self {
        let (status_code, code, message) = match not_done {
            NotDone::Graph(error) => match error.refusal() {
                Some(refusal) => {
                    let message = match (error.is_indeterminate(), refusal.message.trim_end_matches('.')) {
                        (false, _) => refusal.message.clone(),
                        (true, "") => "It may have been deleted all the same".to_owned(),
                        (true, said) => format!("{said}. It may have been deleted all the same"),
                    };
                    (Some(refusal.status), refusal.code.as_str(), message)
                }
                None => (None, "", error.to_string()),
            },
            NotDone::DryRun => (None, "DryRun", "it would have been (dry_run)".to_owned()),
            NotDone::Refused { code, why } => (None, *code, why.clone()),
        };
        Self { email_address, id, status_code, code, message }
    }
}

fn report(content: &Content<'_>, deleted: usize, started: Instant) -> Report {
    let failure = |failure: &Failure<'_>| {
        let status = failure.status_code.map(|status| format!(" (HTTP status {status})")).unwrap_or_default();
        let Failure { email_address, id, code, message, .. } = failure;
        format!("Message {id} of {email_address} was not deleted: {code} {message}{status}")
    };
    Report {
        title: "Exchange Online: results of the deletion",
        criteria: Vec::new(),
        totals: vec![
            format!("{} deleted.", counted(deleted, "message")),
            format!("{} not deleted.", counted(content.failures.len(), "message")),
        ],
        counted: "deleted",
        mailboxes: content
            .delete_results
            .iter()
            .map(|mailbox| (mailbox.email_address.to_owned(), mailbox.deleted_list.len()))
            .collect(),
        failures: content.failures.iter().map(failure).collect(),
        took: started.elapsed(),
    }
}

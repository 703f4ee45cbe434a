//! Which messages are to be deleted: the result of a query, read and checked.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::functions::error::Error;
use crate::functions::incident_sink::IncidentSink;
use crate::functions::inputs::{LONGEST_WORD, label};
use crate::functions::report::Output;
use net::untrusted::json;

/// No query's results hold more values: a message has some sixteen, and a reply takes at most 96 MiB.
const MOST_VALUES: usize = 4_000_000;

/// The messages that are to be deleted.
#[derive(Debug)]
pub(in crate::functions) struct Order {
    pub(super) incident: Option<i64>,
    pub(super) output: Output,
    pub(super) mailboxes: Vec<Listed>,
}

/// One entry of the query's `email_results`.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) address: String,
    pub(super) messages: Vec<Message>,
}

/// A message as the query listed it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) raw: Box<RawValue>,
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
    /// Null for a mailbox that was not found. It must not be missing.
    #[serde(deserialize_with = "Option::deserialize")]
    email_list: Option<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

/// The memory that accounting for the messages may take, in bytes; and what it takes for one message in addition to
/// its mailbox's address.
const MOST_WEIGHT: usize = 512 << 20;
const MESSAGE_OVERHEAD: usize = 200;

impl Order {
    /// Reads the query's JSON. All of it is checked before anything is deleted.
    pub(in crate::functions) fn parse(text: &str, sink: &IncidentSink) -> Result<Self, Error> {
        let refused = |what: &str| {
            Error::refused(format!(
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
        // The parser's own message may quote the text, which is mail.
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
        let weight = |listed: &Listed| listed.messages.len() * (listed.address.len() + MESSAGE_OVERHEAD);
        if order.mailboxes.iter().map(weight).sum::<usize>() > MOST_WEIGHT {
            return Err(refused("it is too large to be accounted for, message by message"));
        }
        if order.output.needs_incident() && order.incident.is_none() && sink.needs_incident() {
            return Err(refused("a note or an attachment is asked for, but it names no incident_id"));
        }
        Ok(order)
    }

    /// Returns each message once, with the address of its mailbox.
    pub(super) fn unique(&self) -> Vec<(Key<'_>, &str)> {
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
        let messages = entry.email_list.unwrap_or_default().into_iter().map(|raw| {
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
pub(super) type Key<'a> = (Arc<str>, &'a str);

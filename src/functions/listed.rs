//! The messages that an earlier query listed: its content as JSON text, read and checked.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::inputs::{LONGEST_WORD, label};
use net::untrusted::json;

/// No query's results hold more values: a message has some sixteen, and a reply takes at most 96 MiB.
const MOST_VALUES: usize = 4_000_000;
/// The memory that accounting for the messages may take, in bytes; and what it takes for one message in addition to
/// its mailbox's address.
const MOST_WEIGHT: usize = 512 << 20;
const MESSAGE_OVERHEAD: usize = 200;

/// What a query listed.
#[derive(Debug)]
pub(super) struct QueryResults {
    pub(super) incident: Option<i64>,
    /// The choices of `exo_query_output_format`.
    pub(super) chosen: Vec<String>,
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

impl QueryResults {
    /// Reads the query's JSON, and checks all of it.
    ///
    /// # Errors
    /// Says what is wrong, in words that follow a colon.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        check_size(text)?;
        let content = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map(|email_results| QueryContent {
                incident_id: Value::Null,
                exo_query_output_format: Value::Null,
                email_results,
            })
        } else {
            serde_json::from_str(text)
        };
        let content = content.map_err(|error| not_of_the_form(&error))?;
        let results = Self {
            incident: content.incident_id.as_i64(),
            chosen: chosen(&content.exo_query_output_format),
            mailboxes: content
                .email_results
                .into_iter()
                .map(Listed::new)
                .collect::<Result<_, _>>()
                .map_err(str::to_owned)?,
        };
        // Each failure names its mailbox.
        let weight = |listed: &Listed| listed.messages.len() * (listed.address.len() + MESSAGE_OVERHEAD);
        if results.mailboxes.iter().map(weight).sum::<usize>() > MOST_WEIGHT {
            return Err("it is too large to be accounted for, message by message".to_owned());
        }
        Ok(results)
    }
}

/// Refuses a text with more values than results have.
pub(super) fn check_size(text: &str) -> Result<(), String> {
    if json::values(text) > MOST_VALUES {
        return Err(format!("it holds more than {MOST_VALUES} values"));
    }
    Ok(())
}

/// Says where the text is not of the expected form. The parser's own message may quote the text, which is mail.
pub(super) fn not_of_the_form(error: &serde_json::Error) -> String {
    format!("line {}, column {} is not of the expected form", error.line(), error.column())
}

fn chosen(format: &Value) -> Vec<String> {
    match format {
        Value::Array(choices) => choices.iter().filter_map(label).collect(),
        one => label(one).into_iter().collect(),
    }
}

impl Listed {
    /// The messages that a search found in the mailbox at `address`.
    pub(super) fn found(address: String, messages: Vec<Box<RawValue>>) -> Option<Self> {
        let entry = Entry { email_address: address, email_list: Some(messages) };
        Self::new(entry).ok()
    }

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

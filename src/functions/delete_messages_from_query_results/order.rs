//! Which messages are to be deleted: the result of a query.

use std::collections::HashSet;
use std::sync::Arc;

use crate::functions::error::Error;
use crate::functions::incident_sink::IncidentSink;
use crate::functions::listed::{Listed, Message, QueryResults};
use crate::functions::report::Output;

/// The messages that are to be deleted.
#[derive(Debug)]
pub(in crate::functions) struct Order {
    pub(super) incident: Option<i64>,
    pub(super) output: Output,
    pub(super) mailboxes: Vec<Listed>,
}

impl Order {
    /// Reads the query's JSON. All of it is checked before anything is deleted.
    pub(in crate::functions) fn parse(text: &str, sink: &IncidentSink) -> Result<Self, Error> {
        let refused = |what: &str| {
            Error::refused(format!(
                "The input \"exo_query_messages_results\" is not the result of a message query: {what}. Nothing \
                 was deleted."
            ))
        };
        let QueryResults { incident, chosen, mailboxes } =
            QueryResults::parse(text).map_err(|what| refused(&what))?;
        let order = Self { incident, output: Output { chosen }, mailboxes };
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

/// A message: its mailbox, in lower case, and its id.
pub(super) type Key<'a> = (Arc<str>, &'a str);

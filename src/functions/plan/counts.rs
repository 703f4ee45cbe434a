//! How many messages of a plan are where.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PlannedMessage;

/// The messages of a plan by mailbox, folder and day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::functions) struct Counts {
    pub(in crate::functions) messages: usize,
    pub(in crate::functions) mailboxes: Vec<Count>,
    pub(in crate::functions) folders: Vec<Count>,
    /// The days of reception, UTC, in order.
    pub(in crate::functions) days: Vec<Count>,
    pub(in crate::functions) invitations: usize,
}

/// A number of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::functions) struct Count {
    pub(in crate::functions) name: String,
    pub(in crate::functions) messages: usize,
}

/// The name of a folder that could not be read.
const UNKNOWN: &str = "(unknown folder)";

impl Counts {
    pub(super) fn of(messages: &[PlannedMessage]) -> Self {
        let largest_first = |mut counts: Vec<Count>| {
            counts.sort_by_key(|count| Reverse(count.messages));
            counts
        };
        let day = |one: &PlannedMessage| one.received.get(..10).unwrap_or(&one.received).to_owned();
        let folder = |one: &PlannedMessage| one.folder.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        Self {
            messages: messages.len(),
            mailboxes: largest_first(counted_by(messages, |one| one.mailbox.clone())),
            folders: largest_first(counted_by(messages, folder)),
            days: counted_by(messages, day),
            invitations: messages.iter().filter(|one| one.is_invitation).count(),
        }
    }
}

/// The numbers by name, in order of the names.
fn counted_by(messages: &[PlannedMessage], name: impl Fn(&PlannedMessage) -> String) -> Vec<Count> {
    let mut counts = BTreeMap::new();
    for message in messages {
        *counts.entry(name(message)).or_insert(0) += 1;
    }
    counts.into_iter().map(|(name, messages)| Count { name, messages }).collect()
}

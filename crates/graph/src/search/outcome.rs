//! What a search reports: while it runs, and at its end.

use std::fmt;

use serde_json::value::RawValue;

use crate::error::Error;

/// The bound that ended a search early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `max_messages`
    Messages,
    /// `max_users`
    Users,
}

/// The progress of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Mailboxes whose search has ended.
    pub done: usize,
    /// Mailboxes known so far.
    pub mailboxes: usize,
    /// Whether more mailboxes may become known.
    pub listing: bool,
    /// Messages found.
    pub messages: usize,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = if self.listing { "at least " } else { "" };
        let Self { done, mailboxes, messages, .. } = self;
        write!(f, "Searched {done} of {known}{mailboxes} mailboxes, {messages} messages found")
    }
}

/// The result of one mailbox.
#[derive(Debug)]
pub struct MailboxResult {
    /// Its address, as listed.
    pub address: String,
    /// The messages found in it.
    pub messages: Vec<Box<RawValue>>,
    /// Why it could not be searched, or not completely.
    pub failure: Option<Error>,
}

/// The result of a search.
#[derive(Debug)]
pub struct Search {
    /// The mailboxes that were searched, or tried, in the order of the list.
    pub mailboxes: Vec<MailboxResult>,
    /// The bound that ended it early.
    pub limit: Option<Limit>,
    /// Mailboxes left out because of that bound: those that follow the last of [`mailboxes`](Self::mailboxes) on
    /// its page of the list. Whether a further page was fetched before the bound was reached depends on timing, so
    /// the mailboxes on it count as not listed.
    pub left_out: usize,
}

impl Search {
    /// Why mailboxes were not searched, or not completely.
    pub fn failures(&self) -> impl Iterator<Item = &Error> {
        self.mailboxes.iter().filter_map(|mailbox| mailbox.failure.as_ref())
    }
}

//! What a search reports: while it runs, and at its end.

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

/// The result of one mailbox.
#[derive(Debug)]
pub struct MailboxResult {
    /// Its address, as listed.
    pub address: String,
    /// The messages found in it.
    pub messages: Vec<Box<RawValue>>,
    /// Why it could not be searched, or not completely.
    pub failure: Option<Error>,
    /// Whether the directory has no user with this address.
    pub is_unknown_address: bool,
    /// Whether it holds more than was taken from it, because of a limit.
    pub is_cut: bool,
}

/// A user without a mailbox that can be searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithoutMailbox {
    /// The principal name.
    pub address: String,
    /// Graph's code.
    pub code: String,
}

/// The numbers of the mailboxes. They add up to the number of those that were listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Searched to the end.
    pub searched: usize,
    /// Users without a mailbox.
    pub without_mailbox: usize,
    /// Not searched, or not completely.
    pub failed: usize,
    /// Left out because of a limit: those that follow the last mailbox on its page of the list. Whether a further page
    /// was fetched before the limit was reached depends on timing, so the mailboxes on it count as not listed.
    pub left_out: usize,
}

impl Counts {
    /// All mailboxes that were listed.
    pub fn listed(&self) -> usize {
        self.searched + self.without_mailbox + self.failed + self.left_out
    }
}

/// The result of a search.
#[derive(Debug)]
pub struct Search {
    /// Mailboxes in the order of the list: those that were asked for by name; of a tenant's, those with messages or a
    /// failure. At most 10,000 failures are named.
    pub mailboxes: Vec<MailboxResult>,
    /// The first 1,000 of the tenant's users without a mailbox.
    pub without_mailbox: Vec<WithoutMailbox>,
    /// How many mailboxes there were.
    pub counts: Counts,
    /// The bound that ended it early.
    pub limit: Option<Limit>,
    /// Why there may be users that were not listed.
    pub listing_failure: Option<Error>,
}

impl Search {
    /// How many messages were found.
    pub fn messages(&self) -> usize {
        self.mailboxes.iter().map(|mailbox| mailbox.messages.len()).sum()
    }

    /// Why mailboxes were not searched, or not completely.
    pub fn failures(&self) -> impl Iterator<Item = &Error> {
        self.mailboxes.iter().filter_map(|mailbox| mailbox.failure.as_ref())
    }
}

//! The results of one search in mailbox order, and when there are enough of them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use futures_util::future::AbortHandle;

use super::mailbox_hits::MailboxHits;
use super::mailbox_list::MailboxList;
use super::outcome::{Limit, MailboxResult, Progress, Search};
use crate::error::Error;

/// The results, with a slot for each mailbox in order.
pub(super) struct Results {
    addresses: Vec<String>,
    found: Vec<Option<MailboxHits>>,
    max_messages: usize,
    /// Messages found so far, in any mailbox.
    messages: usize,
    /// Mailboxes whose search has ended.
    done: usize,
    /// The searches of all mailboxes before this one have ended…
    settled: usize,
    /// …and they hold so many messages.
    settled_messages: usize,
}

impl Results {
    pub(super) fn new(max_messages: usize) -> Self {
        Self {
            addresses: Vec::new(),
            found: Vec::new(),
            max_messages,
            messages: 0,
            done: 0,
            settled: 0,
            settled_messages: 0,
        }
    }

    /// Adds a slot for `address`; returns its index, and how many messages can still be needed from the mailbox.
    pub(super) fn open(&mut self, address: String) -> (usize, usize) {
        self.addresses.push(address);
        self.found.push(None);
        (self.addresses.len() - 1, self.max_messages.saturating_sub(self.settled_messages).max(1))
    }

    /// The address of the mailbox at `index`.
    pub(super) fn address(&self, index: usize) -> &str {
        &self.addresses[index]
    }

    /// Whether the mailboxes that have not been started cannot matter any more.
    pub(super) fn enough(&self) -> bool {
        self.messages >= self.max_messages
    }

    /// Fills a slot, and ends the searches of mailboxes that come too late in the order to matter.
    pub(super) fn close(
        &mut self,
        index: usize,
        found: MailboxHits,
        aborts: &mut HashMap<usize, AbortHandle>,
    ) -> Result<ControlFlow<()>, Error> {
        if let Some(error) = found.failure.as_ref().filter(|error| error.is_for_all()) {
            return Err(error.clone());
        }
        self.messages += found.messages.len();
        self.done += 1;
        self.found[index] = Some(found);
        while let Some(Some(found)) = self.found.get(self.settled) {
            self.settled += 1;
            self.settled_messages += found.messages.len();
        }
        if !self.enough() {
            return Ok(ControlFlow::Continue(()));
        }
        let mut messages = 0;
        let last = self.found.iter().position(|found| {
            messages += found.as_ref().map_or(0, |found| found.messages.len());
            messages >= self.max_messages
        });
        let last = last.unwrap_or(self.found.len());
        aborts.retain(|&index, abort| {
            let needed = index <= last;
            if !needed {
                abort.abort();
            }
            needed
        });
        Ok(if self.settled > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    pub(super) fn progress(&self, waiting: usize, listing: bool) -> Progress {
        Progress {
            done: self.done,
            mailboxes: self.addresses.len() + waiting,
            listing,
            messages: self.messages.min(self.max_messages),
        }
    }

    /// The results in order, cut at the bound. `unsearched` says that mailboxes were left out.
    pub(super) fn finish(self, unsearched: bool, list: &MailboxList) -> Search {
        let mut left = self.max_messages;
        let mut more = unsearched;
        let mut mailboxes = Vec::with_capacity(self.addresses.len());
        for (address, found) in self.addresses.into_iter().zip(self.found) {
            let Some(MailboxHits { mut messages, more: more_here, failure }) = found.filter(|_| left > 0)
            else {
                more = true;
                continue;
            };
            more |= more_here || messages.len() > left;
            messages.truncate(left);
            left -= messages.len();
            mailboxes.push(MailboxResult { address, messages, failure });
        }
        let limit = match (left, list.cut) {
            (0, _) if more || list.cut => Some(Limit::Messages),
            (_, true) => Some(Limit::Users),
            _ => None,
        };
        let left_out = limit.map_or(0, |_| list.rest_of_page(mailboxes.len()));
        Search { mailboxes, limit, left_out }
    }
}

//! The results of one search in mailbox order, and when there are enough of them.
//!
//! A search of a tenant keeps what it found, not the mailboxes in which it found nothing: there may be half a million.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use futures_util::future::AbortHandle;

use super::byte_budget::ByteBudget;
use super::mailbox_hits::MailboxHits;
use super::mailbox_list::MailboxList;
use super::outcome::{Counts, Limit, MailboxResult, Progress, Search, WithoutMailbox};
use crate::error::Error;

/// So many users without a mailbox are named. A large tenant has hundreds of thousands of them: guests, rooms, accounts
/// without a licence.
const MOST_WITHOUT_MAILBOX: usize = 1000;
/// So many failures of a tenant search are named. More of them have one cause.
const MOST_FAILURES: usize = 10_000;

/// The results, with a slot for each mailbox whose search has begun and is not settled.
pub(super) struct Results {
    max_messages: usize,
    settled: Settled,
    /// The mailboxes after those that are settled, in order.
    slots: VecDeque<Slot>,
    /// Messages found so far, in any mailbox.
    messages: usize,
    /// Mailboxes whose search has ended.
    done: usize,
}

/// A mailbox whose turn has not come: a mailbox before it is still being searched.
enum Slot {
    Open,
    /// Its search has ended without a result.
    Empty,
    Found(Box<(String, MailboxHits)>),
}

/// The results of the first mailboxes, up to the first whose search has not ended.
#[derive(Default)]
struct Settled {
    /// Whether each mailbox is named, since each was asked for by name.
    names_all: bool,
    mailboxes: Vec<MailboxResult>,
    without_mailbox: Vec<WithoutMailbox>,
    counts: Counts,
    /// How many mailboxes these are.
    number: usize,
    messages: usize,
    /// Whether a mailbox holds more than was taken from it.
    more: bool,
}

impl Results {
    /// No results. `names_all` says that each mailbox was asked for by name.
    pub(super) fn new(max_messages: usize, names_all: bool) -> Self {
        let settled = Settled { names_all, ..Settled::default() };
        Self { max_messages, settled, slots: VecDeque::new(), messages: 0, done: 0 }
    }

    /// Adds a slot; returns its index, and how many messages can still be needed from the mailbox.
    pub(super) fn open(&mut self) -> (usize, usize) {
        self.slots.push_back(Slot::Open);
        let needed = self.max_messages.saturating_sub(self.settled.messages).max(1);
        (self.settled.number + self.slots.len() - 1, needed)
    }

    /// Whether the mailboxes that have not been started cannot matter any more.
    pub(super) fn enough(&self) -> bool {
        self.messages >= self.max_messages
    }

    /// Fills a slot, and ends the searches of mailboxes that come too late in the order to matter.
    pub(super) fn close(
        &mut self,
        (index, name, mut hits): (usize, String, MailboxHits),
        budget: &ByteBudget,
        aborts: &mut HashMap<usize, AbortHandle>,
    ) -> Result<ControlFlow<()>, Error> {
        if let Some(error) = hits.failure.as_ref().filter(|error| error.is_for_all()) {
            return Err(error.clone());
        }
        // It may wait here for a mailbox before it, with many others.
        hits.failure = hits.failure.map(Error::without_body);
        self.messages += hits.messages.len();
        self.done += 1;
        let is_empty = hits.messages.is_empty() && hits.failure.is_none();
        let slot = index.checked_sub(self.settled.number).and_then(|place| self.slots.get_mut(place));
        if let Some(slot) = slot {
            *slot = if is_empty && !self.settled.names_all {
                Slot::Empty
            } else {
                Slot::Found(Box::new((name, hits)))
            };
        }
        while self.settled.messages < self.max_messages
            && self.slots.front().is_some_and(|slot| !matches!(slot, Slot::Open))
            && let Some(ended) = self.slots.pop_front()
        {
            self.settled.take(ended, self.max_messages, budget)?;
        }
        if self.settled.messages >= self.max_messages {
            return Ok(ControlFlow::Break(()));
        }
        if self.enough() {
            let last = self.last_needed();
            aborts.retain(|&index, abort| {
                let needed = index <= last;
                if !needed {
                    abort.abort();
                }
                needed
            });
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The index of the mailbox with which there are enough messages.
    fn last_needed(&self) -> usize {
        let mut messages = self.settled.messages;
        let place = self.slots.iter().position(|slot| {
            if let Slot::Found(found) = slot {
                messages += found.1.messages.len();
            }
            messages >= self.max_messages
        });
        self.settled.number + place.unwrap_or(self.slots.len())
    }

    pub(super) fn progress(&self, waiting: usize, listing: bool) -> Progress {
        Progress {
            done: self.done,
            mailboxes: self.settled.number + self.slots.len() + waiting,
            listing,
            messages: self.messages.min(self.max_messages),
        }
    }

    /// The results in order, cut at the bound. `unsearched` says that mailboxes were left out.
    pub(super) fn finish(self, unsearched: bool, list: &MailboxList) -> Search {
        let Settled { mailboxes, without_mailbox, mut counts, number, messages, more, .. } = self.settled;
        let more = more || unsearched || !self.slots.is_empty() || list.cut;
        let limit = match (messages >= self.max_messages, list.cut) {
            (true, _) if more => Some(Limit::Messages),
            (_, true) => Some(Limit::Users),
            _ => None,
        };
        counts.left_out = limit.map_or(0, |_| list.rest_of_page(number));
        Search { mailboxes, without_mailbox, counts, limit, listing_failure: list.failure() }
    }
}

impl Settled {
    /// Takes the next mailbox. What names it is counted in `budget`; its messages are already.
    fn take(&mut self, slot: Slot, max_messages: usize, budget: &ByteBudget) -> Result<(), Error> {
        self.number += 1;
        let Slot::Found(found) = slot else {
            self.counts.searched += 1;
            return Ok(());
        };
        let (address, MailboxHits { mut messages, more, failure, is_unknown_address }) = *found;
        let left = max_messages - self.messages;
        let is_cut = more || messages.len() > left;
        self.more |= is_cut;
        messages.truncate(left);
        self.messages += messages.len();
        let is_without_mailbox = failure.as_ref().is_some_and(Error::is_no_mailbox);
        match failure {
            None => self.counts.searched += 1,
            Some(_) if is_without_mailbox => self.counts.without_mailbox += 1,
            Some(_) => self.counts.failed += 1,
        }
        if is_without_mailbox && !self.names_all {
            if self.without_mailbox.len() < MOST_WITHOUT_MAILBOX {
                let code = failure.as_ref().and_then(Error::refusal).map(|refusal| refusal.code.clone());
                let code = code.unwrap_or_default();
                budget.take(address.len() + code.len())?;
                self.without_mailbox.push(WithoutMailbox { address, code });
            }
            return Ok(());
        }
        let is_named = self.names_all || !messages.is_empty() || self.counts.failed <= MOST_FAILURES;
        if is_named {
            budget.take(address.len() + failure.as_ref().map_or(0, Error::size))?;
            self.mailboxes.push(MailboxResult { address, messages, failure, is_unknown_address, is_cut });
        }
        Ok(())
    }
}

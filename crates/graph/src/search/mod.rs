//! One search through many mailboxes: listing and searching side by side, results in mailbox order, and every
//! mailbox accounted for.

pub(crate) mod criteria;
pub(crate) mod mailbox;
pub(crate) mod users;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::ControlFlow;

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, BoxFuture, abortable};
use futures_util::stream::FuturesUnordered;
use serde_json::value::RawValue;

use crate::client::{Client, Dispatch};
use crate::error::Error;
use crate::search::criteria::Criteria;
use crate::search::mailbox::{ByteBudget, MailboxHits, search_mailbox};
use crate::search::users::UserPages;

/// How many mailboxes may be under way at once, those that wait for their `Retry-After` included: many more
/// than the batches carry, so that who waits holds nobody up.
const UNDER_WAY: usize = 1000;
/// The next page of users is fetched when fewer than these are still to be begun, so that a search that ends early
/// has not listed the whole tenant.
const FEW_LEFT: usize = 500;
/// A list of at most this many mailboxes is asked one by one, without the detour through `$batch`.
const FEW: usize = 4;

/// Whose mailboxes are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchScope {
    /// These.
    Listed(Vec<String>),
    /// Every user of the tenant whose principal name begins so; every user where it is empty.
    Tenant {
        /// The beginning of the principal name.
        prefix: String,
    },
}

/// The bound that ended a search early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `max_messages`
    Messages,
    /// `max_users`
    Users,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Mailboxes done with.
    pub done: usize,
    /// Mailboxes known so far.
    pub mailboxes: usize,
    /// Whether more mailboxes may become known.
    pub listing: bool,
    /// Messages found.
    pub messages: usize,
}

/// What became of one mailbox.
#[derive(Debug)]
pub struct MailboxResult {
    /// Its address, as listed.
    pub address: String,
    /// The messages found in it.
    pub messages: Vec<Box<RawValue>>,
    /// Why it could not be searched, or not to its end.
    pub failure: Option<Error>,
}

/// What came of a search.
#[derive(Debug)]
pub struct Search {
    /// The mailboxes that were searched, or tried, in the order of the list.
    pub mailboxes: Vec<MailboxResult>,
    /// The bound that ended it early.
    pub limit: Option<Limit>,
    /// Mailboxes left out because of that bound: those that follow the last of [`mailboxes`](Self::mailboxes) on
    /// its page of the list. Whether a further page was fetched before the bound was reached is a matter of luck,
    /// so what stands there counts as not listed.
    pub left_out: usize,
}

impl Search {
    /// Why mailboxes were not searched, or not to their end.
    pub fn failures(&self) -> impl Iterator<Item = &Error> {
        self.mailboxes.iter().filter_map(|mailbox| mailbox.failure.as_ref())
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = if self.listing { "at least " } else { "" };
        let Self { done, mailboxes, messages, .. } = self;
        write!(f, "Searched {done} of {known}{mailboxes} mailboxes, {messages} messages found")
    }
}

/// Searches the mailboxes of `whom`, at most `max_users` of them, for at most `max_messages` messages over all,
/// which are the first in mailbox order. `progress` is called whenever a mailbox is done.
///
/// # Errors
/// When the users cannot be listed, or something fails that concerns every request.
pub async fn search(
    client: &Client,
    whom: SearchScope,
    criteria: &Criteria,
    max_users: usize,
    max_messages: usize,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Search, Error> {
    let mut roll = MailboxList::new(client, whom, max_users);
    let route = if roll.is_short() { Dispatch::Single } else { client.batched() };
    let mut results = Results::new(max_messages);
    let mut waiting = VecDeque::new();
    let room = ByteBudget::default();
    let mut under_way = FuturesUnordered::new();
    let mut aborts = HashMap::new();
    waiting.extend(roll.start());
    loop {
        while under_way.len() < UNDER_WAY
            && !results.enough()
            && let Some(mailbox) = waiting.pop_front()
        {
            let (index, needed) = results.open(mailbox);
            let mailbox = results.addresses[index].clone();
            let (route, criteria, room) = (&route, criteria, &room);
            let (task, abort) = abortable(async move {
                (index, search_mailbox(client, route, &mailbox, criteria, needed, room).await)
            });
            aborts.insert(index, abort);
            under_way.push(task);
        }
        let step = tokio::select! {
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                // What was aborted is not needed.
                done.ok().map_or(Ok(ControlFlow::Continue(())), |(index, found)| {
                    aborts.remove(&index);
                    results.close(index, found, &mut aborts)
                })
            }
            page = roll.next(), if waiting.len() < FEW_LEFT && roll.has_more() && !results.enough() => page.map(|page| {
                waiting.extend(page);
                ControlFlow::Continue(())
            }),
            else => Ok(ControlFlow::Break(())),
        }?;
        progress(results.progress(waiting.len(), roll.has_more() && !results.enough()));
        if step.is_break() {
            break;
        }
    }
    let unsearched = !waiting.is_empty() || roll.has_more();
    Ok(results.finish(unsearched, &roll))
}

/// A page of users.
type Page = Result<Vec<String>, Error>;

/// The list of mailboxes, as far as it is known.
struct MailboxList {
    listed: Vec<String>,
    pages: Option<UserPages>,
    /// A page that is being fetched. It is kept here so that waiting for something else does not lose it.
    fetching: Option<BoxFuture<'static, (UserPages, Page)>>,
    left: usize,
    /// Whether there were more than `max_users`.
    cut: bool,
    /// How many mailboxes were listed by the end of each page, those beyond `max_users` included.
    page_ends: Vec<usize>,
}

impl MailboxList {
    fn new(client: &Client, whom: SearchScope, max_users: usize) -> Self {
        let (listed, pages) = match whom {
            SearchScope::Listed(listed) => (listed, None),
            SearchScope::Tenant { prefix } => (Vec::new(), Some(UserPages::new(client, &prefix))),
        };
        Self { listed, pages, fetching: None, left: max_users, cut: false, page_ends: Vec::new() }
    }

    fn is_short(&self) -> bool {
        self.pages.is_none() && self.listed.len() <= FEW
    }

    /// What is known without asking.
    fn start(&mut self) -> Vec<String> {
        let listed = std::mem::take(&mut self.listed);
        self.admit(listed)
    }

    fn has_more(&self) -> bool {
        self.fetching.is_some() || self.pages.as_ref().is_some_and(UserPages::has_more)
    }

    /// The next page. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Vec<String>, Error> {
        if let Some(mut pages) = self.pages.take() {
            self.fetching = Some(Box::pin(async move {
                let page = pages.next().await;
                (pages, page)
            }));
        }
        let Some(fetching) = &mut self.fetching else { return Ok(Vec::new()) };
        let (pages, page) = fetching.await;
        self.fetching = None;
        self.pages = Some(pages);
        let page = page?;
        let admitted = self.admit(page);
        if self.left == 0 && self.has_more() {
            // Whether the rest of the listing is empty would cost a request to know.
            self.cut = true;
            self.pages = None;
        }
        Ok(admitted)
    }

    fn admit(&mut self, mut mailboxes: Vec<String>) -> Vec<String> {
        self.page_ends.push(self.page_ends.last().unwrap_or(&0) + mailboxes.len());
        self.cut |= mailboxes.len() > self.left;
        mailboxes.truncate(self.left);
        self.left -= mailboxes.len();
        if self.cut {
            self.pages = None;
        }
        mailboxes
    }

    /// How many mailboxes follow the first `searched` on the page that the last of these stands on.
    fn rest_of_page(&self, searched: usize) -> usize {
        let end = self.page_ends.iter().find(|end| **end >= searched);
        end.map_or(0, |end| end - searched)
    }
}

/// The results, a place for each mailbox in order.
struct Results {
    addresses: Vec<String>,
    found: Vec<Option<MailboxHits>>,
    max_messages: usize,
    /// Messages found so far, in any mailbox.
    messages: usize,
    done: usize,
    /// All mailboxes before this one are done with…
    settled: usize,
    /// …and hold so many messages.
    settled_messages: usize,
}

impl Results {
    fn new(max_messages: usize) -> Self {
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

    /// Makes a place for `address`; returns it, and how many messages can still be needed from it.
    fn open(&mut self, address: String) -> (usize, usize) {
        self.addresses.push(address);
        self.found.push(None);
        (self.addresses.len() - 1, self.max_messages.saturating_sub(self.settled_messages).max(1))
    }

    /// Whether mailboxes that come after all those begun cannot matter any more.
    fn enough(&self) -> bool {
        self.messages >= self.max_messages
    }

    /// Fills a place. Ends the search of mailboxes that come too late in the order to matter.
    fn close(
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

    fn progress(&self, waiting: usize, listing: bool) -> Progress {
        Progress {
            done: self.done,
            mailboxes: self.addresses.len() + waiting,
            listing,
            messages: self.messages.min(self.max_messages),
        }
    }

    /// The results in order, cut at the bound. `unsearched`: mailboxes were left out.
    fn finish(self, unsearched: bool, roll: &MailboxList) -> Search {
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
        let limit = match (left, roll.cut) {
            (0, _) if more || roll.cut => Some(Limit::Messages),
            (_, true) => Some(Limit::Users),
            _ => None,
        };
        let left_out = limit.map_or(0, |_| roll.rest_of_page(mailboxes.len()));
        Search { mailboxes, limit, left_out }
    }
}

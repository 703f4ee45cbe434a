//! One search through many mailboxes: users are listed while mailboxes are searched, results are in mailbox order,
//! and every mailbox is accounted for.

mod byte_budget;
pub(crate) mod criteria;
pub(crate) mod days;
mod directory;
mod folder_names;
mod known_users;
mod mailbox;
mod mailbox_hits;
mod mailbox_list;
mod mailboxes;
pub(crate) mod message;
mod name_range;
mod outcome;
pub(crate) mod page;
pub(crate) mod policy;
mod results;
mod scope;
mod senders;
mod shown;
mod slice;
mod target;
mod user_list;
pub(crate) mod users;

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::abortable;
use futures_util::stream::FuturesUnordered;

use crate::client::{Client, Dispatch};
use crate::error::{Error, ErrorKind};
use byte_budget::ByteBudget;
use criteria::Criteria;
use folder_names::name_folders;
use mailbox::search_mailbox;
use mailbox_hits::MailboxHits;
use mailbox_list::MailboxList;
use policy::ReadPolicy;
use results::Results;
use target::Target;

pub use mailboxes::{Mailboxes, list_mailboxes};
pub use outcome::{Counts, Limit, MailboxResult, Progress, Search, WithoutMailbox};
pub use scope::{Copies, SearchScope};

/// How many mailboxes are searched at once, those that wait for their `Retry-After` included. This is many more than
/// the batches carry, so that a mailbox that waits does not delay the others.
const UNDER_WAY: usize = 1000;
/// The next page of users is fetched when fewer than these still wait, so that a search that ends early has not
/// listed the whole tenant.
const FEW_LEFT: usize = 500;

/// Searches the mailboxes of `scope`, at most `max_users` of them, for at most `max_messages` messages altogether,
/// which are the first in mailbox order. `progress` is called whenever the search of a mailbox ends.
///
/// # Errors
/// When the users cannot be listed, or something fails that concerns every request.
pub async fn search(
    client: &Client,
    scope: SearchScope,
    criteria: &Criteria,
    max_users: usize,
    max_messages: usize,
    progress: impl FnMut(Progress) + Send,
) -> Result<Search, Error> {
    search_within(client, scope, criteria, (max_users, max_messages), None, progress).await
}

/// Searches as [`search`] does, but only the mailboxes that `policy` allows. `limits` are `max_users` and
/// `max_messages`. A mailbox that may not be read counts as failed.
///
/// # Errors
/// Those of [`search`].
pub async fn search_within(
    client: &Client,
    scope: SearchScope,
    criteria: &Criteria,
    limits: (usize, usize),
    policy: Option<&dyn ReadPolicy>,
    progress: impl FnMut(Progress) + Send,
) -> Result<Search, Error> {
    let (max_users, max_messages) = limits;
    let mailboxes = MailboxList::new(client, scope, max_users);
    run(client, mailboxes, criteria, max_messages, policy, progress).await
}

/// Looks up the copies that an index of mail says recipients got, in mailboxes that `policy` allows. Each mailbox is
/// searched for its own Message-IDs, by the other `criteria`. At most `max_messages` are found.
///
/// # Errors
/// Those of [`search`].
pub async fn look_up_copies(
    client: &Client,
    copies: Vec<Copies>,
    criteria: &Criteria,
    max_messages: usize,
    policy: Option<&dyn ReadPolicy>,
    progress: impl FnMut(Progress) + Send,
) -> Result<Search, Error> {
    run(client, MailboxList::of_recipients(copies), criteria, max_messages, policy, progress).await
}

async fn run(
    client: &Client,
    mut mailboxes: MailboxList,
    criteria: &Criteria,
    max_messages: usize,
    policy: Option<&dyn ReadPolicy>,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Search, Error> {
    let dispatch = if mailboxes.is_short() { Dispatch::Single } else { client.bulk() };
    let mut results = Results::new(max_messages, mailboxes.is_by_name());
    let mut waiting = VecDeque::new();
    let budget = ByteBudget::default();
    let mut under_way = FuturesUnordered::new();
    let mut aborts = HashMap::new();
    waiting.extend(mailboxes.start());
    loop {
        while under_way.len() < UNDER_WAY
            && !results.enough()
            && let Some(mailbox) = waiting.pop_front()
        {
            let (index, needed) = results.open();
            let (dispatch, criteria, budget) = (&dispatch, criteria, &budget);
            let (task, abort) = abortable(async move {
                let (mailbox, mut hits) =
                    search_one(client, dispatch, mailbox, policy, criteria, (needed, budget)).await;
                let names_folders = mailbox.message_ids.is_some() || criteria.names_folders();
                if names_folders && !hits.messages.is_empty() {
                    hits.messages = name_folders(client, dispatch, &mailbox, hits.messages).await;
                }
                (index, mailbox.name, hits)
            });
            aborts.insert(index, abort);
            under_way.push(task);
        }
        let listing = mailboxes.has_more() && !results.enough();
        let lacks_mailboxes = listing && waiting.is_empty() && under_way.len() < UNDER_WAY;
        let since = Instant::now();
        let step = tokio::select! {
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                // The result of an aborted search is not needed.
                done.ok().map_or(Ok(ControlFlow::Continue(())), |(index, name, hits)| {
                    aborts.remove(&index);
                    results.close((index, name, hits), &budget, &mut aborts)
                })
            }
            page = mailboxes.next(), if listing && waiting.len() < FEW_LEFT => page.map(|page| {
                waiting.extend(page);
                ControlFlow::Continue(())
            }),
            else => Ok(ControlFlow::Break(())),
        }?;
        if lacks_mailboxes {
            client.metrics().users_waited(since.elapsed());
        }
        progress(results.progress(waiting.len(), mailboxes.has_more() && !results.enough()));
        if step.is_break() {
            break;
        }
    }
    let unsearched = !waiting.is_empty() || mailboxes.has_more();
    Ok(results.finish(unsearched, &mailboxes))
}

/// Searches one mailbox, if `policy` allows. An address that was typed is asked for as it is; if that finds no mailbox,
/// it may be another address of one, so it is asked for by the id that the directory knows for it.
async fn search_one(
    client: &Client,
    dispatch: &Dispatch,
    mut mailbox: Target,
    policy: Option<&dyn ReadPolicy>,
    criteria: &Criteria,
    (needed, budget): (usize, &ByteBudget),
) -> (Target, MailboxHits) {
    if mailbox.is_unusable {
        let failure = Some(ErrorKind::UnusableName.into());
        return (mailbox, MailboxHits { failure, ..MailboxHits::default() });
    }
    if let Some(policy) = policy {
        match policy.authorize(client, dispatch, mailbox.user()).await {
            Ok(id) => mailbox.id = Some(id),
            Err(error) => {
                let is_recipient = mailbox.message_ids.is_some() && error.is_no_mailbox();
                let is_unknown_address = is_recipient && is_unknown_address(client, &mailbox.name).await;
                let failure = Some(error);
                return (mailbox, MailboxHits { failure, is_unknown_address, ..MailboxHits::default() });
            }
        }
    }
    let copies = mailbox.message_ids.as_ref().map(|ids| criteria.with_message_ids(ids));
    let criteria = copies.as_ref().unwrap_or(criteria);
    let mut hits = search_mailbox(client, dispatch, &mailbox, criteria, needed, budget).await;
    let is_unknown = hits.failure.as_ref().is_some_and(Error::is_no_mailbox);
    if !is_unknown || mailbox.id.is_some() || !mailbox.name.contains('@') {
        return (mailbox, hits);
    }
    // Where the directory cannot be asked, the answer of Exchange stands.
    let known = directory::id_of(client, &mailbox.name).await;
    if mailbox.message_ids.is_some() && matches!(known, Ok(None)) {
        hits.is_unknown_address = is_unknown_address(client, &mailbox.name).await;
    }
    mailbox.id = known.unwrap_or_default();
    if mailbox.id.is_none() {
        return (mailbox, hits);
    }
    let hits = search_mailbox(client, dispatch, &mailbox, criteria, needed, budget).await;
    (mailbox, hits)
}

/// Whether the directory has no user with this address or name.
async fn is_unknown_address(client: &Client, name: &str) -> bool {
    matches!(directory::id_of(client, name).await, Ok(None))
        && matches!(directory::has_user(client, name).await, Ok(false))
}

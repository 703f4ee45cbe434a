//! Puts the results of two searches together.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use graph::{Limit, Search};

#[derive(Deserialize)]
struct Identified {
    id: String,
}

/// The id of a message.
pub(super) fn id_of(message: &RawValue) -> Option<String> {
    serde_json::from_str::<Identified>(message.get()).ok().map(|message| message.id)
}

/// Adds what `other`, a search of all mailboxes, found to `search`. A message that both found counts once: ids are
/// unique in the tenant. There are at most `max_messages` then.
pub(super) fn merge(search: &mut Search, other: Search, max_messages: usize) {
    let mut known: HashSet<String> = search
        .mailboxes
        .iter()
        .flat_map(|mailbox| &mailbox.messages)
        .filter_map(|message| id_of(message))
        .collect();
    let mut room = max_messages.saturating_sub(known.len());
    for mut mailbox in other.mailboxes {
        mailbox.messages.retain(|message| id_of(message).is_none_or(|id| known.insert(id)));
        if mailbox.messages.len() > room {
            mailbox.messages.truncate(room);
            search.limit = Some(Limit::Messages);
        }
        room -= mailbox.messages.len();
        let place =
            search.mailboxes.iter_mut().find(|one| one.address.eq_ignore_ascii_case(&mailbox.address));
        match place {
            Some(one) => {
                one.messages.append(&mut mailbox.messages);
                one.failure = one.failure.take().or(mailbox.failure);
            }
            None if mailbox.messages.is_empty() && mailbox.failure.is_none() => {}
            None => search.mailboxes.push(mailbox),
        }
    }
    // A search of all mailboxes includes those of the recipients. A mailbox that failed in one of the two has failed.
    let failed = search.counts.failed.max(other.counts.failed);
    if other.counts.listed() >= search.counts.listed() {
        search.counts = other.counts;
    }
    let is_failure = |failure: &&graph::Error| !failure.is_no_mailbox();
    let failed = search.failures().filter(is_failure).count().max(failed);
    let counts = &mut search.counts;
    let more = failed.saturating_sub(counts.failed);
    counts.failed += more;
    counts.searched = counts.searched.saturating_sub(more);
    search.without_mailbox.extend(other.without_mailbox);
    search.limit = search.limit.or(other.limit);
    search.listing_failure = search.listing_failure.take().or(other.listing_failure);
}

//! The mail that went through the tenant: one passage for each message and recipient, which stays when the copy in the
//! mailbox is moved or deleted. Message trace and advanced hunting show it.

mod deliver;
mod delivery;
mod passage;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::faults::Quota;
use super::state::State;

pub use self::deliver::Copy;
pub use self::delivery::{Click, Delivery, Fate, PostDeliveryEvent, Recipient};
pub(super) use self::passage::{Passage, Recorded};

/// What went through the tenant since its start.
#[derive(Debug, Default)]
pub(super) struct MailFlow {
    pub(super) passages: Vec<Arc<Recorded>>,
    /// The members of distribution lists, by the list's address in lower case.
    pub(super) lists: HashMap<String, Vec<String>>,
    pub(super) clicks: Vec<Click>,
    pub(super) post_delivery: Vec<PostDeliveryEvent>,
    pub(super) trace_requests: Requests,
    pub(super) hunting_queries: Requests,
}

/// The requests that count against a quota.
#[derive(Debug, Default)]
pub(super) struct Requests(VecDeque<Instant>);

impl Requests {
    /// Counts a request. Returns `false` if the quota is used up.
    pub(super) fn admit(&mut self, quota: Quota) -> bool {
        let now = Instant::now();
        while self.0.front().is_some_and(|at| now.duration_since(*at) >= quota.within) {
            self.0.pop_front();
        }
        let admitted = self.0.len() < quota.requests;
        if admitted {
            self.0.push_back(now);
        }
        admitted
    }
}

/// The passages from one time to another, in milliseconds since 1970 and both included, that pass a test. Those that
/// the seed defines come from `mailboxes` only.
pub(super) fn passages<'a>(
    state: &'a State,
    (from, to): (i64, i64),
    mailboxes: Range<u32>,
    test: impl Fn(&Passage<'a>) -> bool,
) -> Vec<Passage<'a>> {
    let base = &state.base;
    let seconds = (from.div_euclid(1_000) + i64::from(from.rem_euclid(1_000) > 0), to.div_euclid(1_000));
    let mut found: Vec<Passage<'a>> = mailboxes
        .filter(|number| base.directory.has_mailbox(*number))
        .flat_map(|number| {
            let origins = base.generator.origins_between(number, seconds.0, seconds.1);
            origins.map(move |origin| Passage::Original { base, mailbox: number, origin })
        })
        .filter(|passage| test(passage))
        .collect();
    let recorded = state.changes().flow.passages.clone();
    found.extend(
        recorded
            .into_iter()
            .filter(|recorded| (from..=to).contains(&(recorded.mail.received * 1_000)))
            .map(Passage::Recorded)
            .filter(|passage| test(passage)),
    );
    found
}

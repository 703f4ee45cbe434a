//! One more look at each mailbox of the plan: what arrived since the query looked, and is like a message of the plan.
//! It is reported, and not touched: its removal was not approved.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::functions::call::CLOCKS_APART;
use crate::functions::context::Context;
use crate::functions::plan::{Arrival, Plan};
use graph::{Dispatch, NewerMessage};

/// How many mailboxes are looked into at once.
const UNDER_WAY: usize = 200;
/// So many arrivals are reported.
const MOST: usize = 10_000;

/// What arrived since.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub(super) arrivals: Vec<Arrival>,
    /// Mailboxes that were not looked into, or not completely.
    pub(super) not_looked_into: Vec<String>,
}

impl Arrivals {
    /// No mailbox was looked into.
    pub(super) fn not_looked_for(plan: &Plan) -> Self {
        let mut all: Vec<String> =
            plan.mailboxes().into_iter().map(|(_, mailbox)| mailbox.to_owned()).collect();
        all.sort();
        Self { arrivals: Vec::new(), not_looked_into: all }
    }
}

/// What messages of the plan are known by.
struct Traits<'a> {
    ids: HashSet<(&'a str, &'a str)>,
    message_ids: HashSet<&'a str>,
    /// Senders, in lower case, and subjects.
    senders: HashSet<(String, &'a str)>,
}

impl<'a> Traits<'a> {
    fn of(plan: &'a Plan) -> Self {
        let all = || plan.messages().iter();
        let with_sender = all().filter(|one| !one.sender.is_empty());
        Self {
            ids: all().map(|one| (one.mailbox_id.as_str(), one.id.as_str())).collect(),
            message_ids: all()
                .map(|one| one.internet_message_id.as_str())
                .filter(|id| !id.is_empty())
                .collect(),
            senders: with_sender.map(|one| (one.sender.to_lowercase(), one.subject.as_str())).collect(),
        }
    }

    /// Whether a message of this mailbox is like one of the plan, and not in it.
    fn has_like(&self, mailbox: &str, newer: &NewerMessage) -> bool {
        let is_planned = self.ids.contains(&(mailbox, newer.id.as_str()));
        let is_copy = newer.internet_message_id.as_deref().is_some_and(|id| self.message_ids.contains(id));
        let subject = newer.subject.as_deref().unwrap_or_default();
        let is_alike = || self.senders.contains(&(newer.author().to_lowercase(), subject));
        !is_planned && (is_copy || is_alike())
    }
}

/// Looks into the mailboxes, until this moment.
pub(super) async fn look(context: &Context, plan: &Plan, until: Instant) -> Arrivals {
    let traits = Traits::of(plan);
    let margin = TimeDelta::from_std(CLOCKS_APART).unwrap_or_default();
    let since = plan.facts().looked_until.time() - margin;
    let dispatch = &context.graph.bulk();
    let looks: Vec<_> = plan
        .mailboxes()
        .into_iter()
        .map(|(id, mailbox)| async move {
            let newer = timeout_at(until, newer(context, dispatch, id, since)).await;
            (id, mailbox, newer.ok().and_then(Result::ok))
        })
        .collect();
    let mut looks = stream::iter(looks).buffer_unordered(UNDER_WAY);
    let mut found = Arrivals::default();
    while let Some((id, mailbox, newer)) = looks.next().await {
        let Some(newer) = newer else {
            found.not_looked_into.push(mailbox.to_owned());
            continue;
        };
        let alike = newer.into_iter().filter(|newer| traits.has_like(id, newer));
        found.arrivals.extend(alike.map(|newer| Arrival {
            mailbox_id: id.to_owned(),
            mailbox: mailbox.to_owned(),
            id: newer.id,
            received: newer.received_date_time.unwrap_or_default(),
        }));
    }
    found.arrivals.sort_by(|a, b| (&a.mailbox, &a.received, &a.id).cmp(&(&b.mailbox, &b.received, &b.id)));
    found.arrivals.truncate(MOST);
    found.not_looked_into.sort();
    found
}

async fn newer(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &str,
    since: DateTime<Utc>,
) -> Result<Vec<NewerMessage>, graph::Error> {
    context.guard.authorize_reading(&context.graph, dispatch, mailbox).await?;
    graph::newer_messages(&context.graph, dispatch, mailbox, since).await
}

//! Finds messages by an index of the tenant's mail: the rows say who got them, and the copies are looked up in the
//! mailboxes of those. Every row ends with one fate.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tracing::info;

use super::clicks::Clicks;
use super::mailboxes::Mailboxes;
use super::merge::id_of;
use super::rest::Rest;
use super::{Found, NotFound, Source, SpanText, Strategy, Task, reporting};
use crate::functions::query_emails::reconciliation::{LookedUp, Reconciliation, Row, Seen};
use crate::functions::report::counted;
use graph::{Copies, Coverage, Criteria, Error, Indicators, RecoverableItems, Search};

/// A mailbox may state another time for a copy than the index for its delivery: it is asked for so much more…
const ASKED_MORE: TimeDelta = TimeDelta::days(1);
/// …and a copy beyond the time that was asked for counts if it is so near to a delivery.
const NEAR: TimeDelta = TimeDelta::minutes(15);
/// How many owners of addresses are looked up at once.
const AT_ONCE: usize = 100;

/// An index of mail.
pub(super) trait Index: Send + Sync {
    /// Its name in results.
    const NAME: &'static str;
    /// How many days it keeps its rows.
    const DAYS: i64;

    /// Whether it knows a property that the criteria are about, so that its rows are fewer than all mail.
    fn knows(&self, criteria: &Criteria) -> bool;

    /// The rows that meet those of the criteria that it knows.
    ///
    /// # Errors
    /// It cannot be used.
    fn rows<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Rows, Unusable>>;

    /// Who clicked on the links that are looked for, where it knows.
    fn clicks<'a>(&'a self, _: Task<'a>) -> BoxFuture<'a, Option<Clicks>> {
        Box::pin(std::future::ready(None))
    }
}

/// The rows of an index, and the time that it looked at.
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) coverage: Coverage,
}

/// Why an index cannot be used.
pub(super) struct Unusable {
    /// For the analyst, with what can be done.
    pub(super) why: String,
    /// The failure of a request.
    pub(super) source: Error,
}

/// Finds messages by an index alone.
pub(super) struct Indexed<I>(pub(super) I);

impl<I: Index> Strategy for Indexed<I> {
    fn find<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Found, NotFound>> {
        Box::pin(async move {
            if !self.0.knows(&task.query.criteria) {
                let mut found = Mailboxes.find(task).await?;
                found.sources = Source::instead(I::NAME, "it knows none of these criteria", task);
                return Ok(found);
            }
            let Unusable { why, source } = match self.0.rows(task).await {
                Ok(rows) => {
                    let rest = Rest::of(&task.query.criteria, &rows.coverage.gaps, I::DAYS, Utc::now());
                    let mut found = look_up(&self.0, task, rows).await?;
                    for source in &mut found.sources {
                        source.not_answered_for = rest.iter().map(Rest::sentence).collect();
                    }
                    return Ok(found);
                }
                Err(unusable) => unusable,
            };
            Err(NotFound { why: Some(why), source })
        })
    }
}

/// Looks the rows' copies up.
pub(super) async fn look_up<I: Index>(index: &I, task: Task<'_>, answer: Rows) -> Result<Found, Error> {
    let Task { context, query, .. } = task;
    let Rows { rows, coverage } = answer;
    let (max_users, max_messages) = (context.limits.max_users, context.limits.max_messages);
    let hidden = hidden(task, &rows).await?;
    let mut copies = copies(&rows);
    copies.retain(|copies| !hidden.contains(&copies.recipient.to_lowercase()));
    let recipients = copies.len();
    copies.truncate(max_users);
    context.status.say(format!(
        "{} in the {}; looking into {}",
        counted(rows.len(), "row"),
        I::NAME,
        counted(copies.len(), "mailbox")
    ));
    info!(index = I::NAME, rows = rows.len(), recipients, "an index of mail answered");
    let criteria = criteria_of_copies(&query.criteria);
    let mut search = look_into(task, copies.clone(), &criteria, max_messages).await?;
    keep_near(&mut search, &query.criteria, &rows);
    let mut seen = Seen::new(hidden);
    seen.add(&search, LookedUp::ByCriteria);
    // What is not found may be there all the same: in another folder, or with another property. It is no result.
    let missing: Vec<Copies> = copies.into_iter().filter_map(|copies| seen.missing(copies)).collect();
    let elsewhere = look_into(task, missing, &criteria_of_ids(), usize::MAX).await?;
    seen.add(&elsewhere, LookedUp::ById);
    let reconciliation = Reconciliation::of(I::NAME, rows, &seen);
    if recipients > max_users {
        search.limit = Some(graph::Limit::Users);
        search.counts.left_out += recipients - max_users;
    }
    // A recipient without a mailbox has its fate; it is not a mailbox that the analyst named.
    search.mailboxes.retain(|mailbox| !mailbox.failure.as_ref().is_some_and(Error::is_no_mailbox));
    // Two addresses of one mailbox have the same copies.
    let mut known = HashSet::new();
    for mailbox in &mut search.mailboxes {
        mailbox.messages.retain(|message| id_of(message).is_none_or(|id| known.insert(id)));
    }
    let source = Source {
        name: I::NAME,
        answered_for: coverage.searched.iter().map(SpanText::from).collect(),
        not_answered_for: Vec::new(),
    };
    let clicks = index.clicks(task).await;
    Ok(Found { search, sources: vec![source], reconciliation: Some(reconciliation), clicks })
}

/// The recipients, in lower case, whose mail this integration must not read, or whose owner cannot be found out.
async fn hidden(task: Task<'_>, rows: &[Row]) -> Result<HashSet<String>, Error> {
    let context = task.context;
    if context.guard.read_policy().is_none() {
        return Ok(HashSet::new());
    }
    let recipients: HashSet<String> = rows.iter().map(|row| row.recipient.to_lowercase()).collect();
    let route = context.graph.bulk();
    let checked = stream::iter(recipients).map(|recipient| {
        let route = &route;
        async move {
            let authorized = context.guard.authorize_showing(&context.graph, route, &recipient).await;
            (recipient, authorized)
        }
    });
    let mut checked = checked.buffer_unordered(AT_ONCE);
    let mut hidden = HashSet::new();
    while let Some((recipient, authorized)) = checked.next().await {
        match authorized {
            Ok(()) => {}
            Err(error) if error.is_for_all() => return Err(error),
            Err(_) => drop(hidden.insert(recipient)),
        }
    }
    Ok(hidden)
}

/// Takes out the copies that were received at another time than was asked for, and not near to a delivery either: a
/// sender can use a Message-ID again.
fn keep_near(search: &mut Search, criteria: &Criteria, rows: &[Row]) {
    let mut deliveries: HashMap<(String, &str), Vec<DateTime<Utc>>> = HashMap::new();
    for row in rows {
        let key = (row.recipient.to_lowercase(), row.message_id.as_str());
        deliveries.entry(key).or_default().push(row.received);
    }
    let is_asked_for = |time: DateTime<Utc>| {
        criteria.received_from.is_none_or(|from| time.timestamp() >= from.timestamp())
            && criteria.received_to.is_none_or(|to| time <= to)
    };
    for mailbox in &mut search.mailboxes {
        let recipient = mailbox.address.to_lowercase();
        mailbox.messages.retain(|message| {
            let Ok(copy) = serde_json::from_str::<Received>(message.get()) else { return false };
            let near = deliveries.get(&(recipient.clone(), copy.internet_message_id.as_str()));
            let is_near =
                |time: DateTime<Utc>| near.into_iter().flatten().any(|at| (*at - time).abs() <= NEAR);
            let time = DateTime::parse_from_rfc3339(&copy.received_date_time).ok();
            time.is_some_and(|time| is_asked_for(time.to_utc()) || is_near(time.to_utc()))
        });
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    internet_message_id: String,
    received_date_time: String,
}

async fn look_into(
    task: Task<'_>,
    copies: Vec<Copies>,
    criteria: &Criteria,
    max_messages: usize,
) -> Result<Search, Error> {
    let context = task.context;
    let policy = context.guard.read_policy();
    graph::look_up_copies(
        &context.graph,
        copies,
        criteria,
        max_messages,
        policy,
        reporting(context, "mailbox"),
    )
    .await
}

/// Each recipient that may have copies, with their Message-IDs, in the order of the rows.
fn copies(rows: &[Row]) -> Vec<Copies> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<Copies> = Vec::new();
    for row in rows.iter().filter(|row| row.delivery.may_be_in_mailbox() && !row.message_id.is_empty()) {
        let place = *places.entry(row.recipient.to_lowercase()).or_insert_with(|| {
            all.push(Copies {
                recipient: row.recipient.clone(),
                user_id: row.user_id.clone(),
                message_ids: Vec::new(),
            });
            all.len() - 1
        });
        if let Some(copies) = all.get_mut(place)
            && !copies.message_ids.contains(&row.message_id)
        {
            copies.message_ids.push(row.message_id.clone());
        }
    }
    all
}

/// The criteria for the copies, which are results: those of the query, with Message-IDs of each mailbox's own.
fn criteria_of_copies(criteria: &Criteria) -> Criteria {
    let widened =
        |time: Option<DateTime<Utc>>, by: TimeDelta| time.and_then(|time| time.checked_add_signed(by));
    Criteria {
        received_from: widened(criteria.received_from, -ASKED_MORE),
        received_to: widened(criteria.received_to, ASKED_MORE),
        indicators: Indicators { message_ids: Vec::new(), ..criteria.indicators.clone() },
        ..criteria.clone()
    }
}

/// The criteria for what became of the others.
fn criteria_of_ids() -> Criteria {
    Criteria { recoverable: RecoverableItems::WhereNotFound, ..Criteria::default() }
}

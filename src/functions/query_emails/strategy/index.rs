//! Finds messages by an index of the tenant's mail: the rows say who got them, and the copies are looked up in the
//! mailboxes of those. Every row ends with one fate.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use tracing::info;

use super::clicks::Clicks;
use super::{Found, NotFound, Source, SpanText, Strategy, Task, reporting};
use crate::functions::query_emails::reconciliation::{LookedUp, Reconciliation, Row, Seen};
use crate::functions::report::{counted, thousands};
use graph::{Copies, Coverage, Criteria, Error, Indicators, RecoverableItems, Search};

/// The mailbox may have taken a message some time before or after the index says.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::days(1);

/// An index of mail.
pub(super) trait Index: Send + Sync {
    /// Its name in results.
    const NAME: &'static str;

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
            let Unusable { why, source } = match self.0.rows(task).await {
                Ok(rows) => return Ok(look_up(&self.0, task, rows).await?),
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
    let mut copies = copies(&rows);
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
    let looked_up = look_into(task, copies.clone(), &criteria, max_messages).await?;
    let mut seen = Seen::default();
    seen.add(&looked_up, LookedUp::ByCriteria);
    // A copy that is not found may be there and differ in another criterion.
    if is_more_than_ids(&criteria) {
        let missing: Vec<Copies> = copies.into_iter().filter_map(|copies| seen.missing(copies)).collect();
        let bare = criteria_of_ids();
        let again = look_into(task, missing, &bare, usize::MAX).await?;
        seen.add(&again, LookedUp::ById);
    }
    let reconciliation = Reconciliation::of(I::NAME, rows, &seen);
    let source = Source {
        name: I::NAME,
        answered_for: coverage.searched.iter().map(SpanText::from).collect(),
        not_answered_for: coverage.gaps.iter().map(ToString::to_string).collect(),
    };
    let mut search = looked_up;
    if recipients > max_users {
        search.limit = Some(graph::Limit::Users);
        search.counts.left_out += recipients - max_users;
        context
            .status
            .say(format!("{} more recipients are not looked up", thousands(recipients - max_users)));
    }
    // A recipient without a mailbox has its fate; it is not a mailbox that the analyst named.
    search.mailboxes.retain(|mailbox| !mailbox.failure.as_ref().is_some_and(Error::is_no_mailbox));
    let clicks = index.clicks(task).await;
    Ok(Found { search, sources: vec![source], reconciliation: Some(reconciliation), clicks })
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

/// The criteria for the copies. The index has compared the network message id, which older messages may lack, and times
/// differ a little.
fn criteria_of_copies(criteria: &Criteria) -> Criteria {
    let widened =
        |time: Option<DateTime<Utc>>, by: TimeDelta| time.and_then(|time| time.checked_add_signed(by));
    Criteria {
        received_from: widened(criteria.received_from, -CLOCKS_DIFFER),
        received_to: widened(criteria.received_to, CLOCKS_DIFFER),
        recoverable: RecoverableItems::WhereNothingElse,
        indicators: Indicators {
            recipients: Vec::new(),
            message_ids: Vec::new(),
            ..criteria.indicators.clone()
        },
        ..criteria.clone()
    }
}

fn criteria_of_ids() -> Criteria {
    Criteria { recoverable: RecoverableItems::WhereNothingElse, ..Criteria::default() }
}

/// Whether the copies are compared with more than their Message-IDs.
fn is_more_than_ids(criteria: &Criteria) -> bool {
    *criteria != criteria_of_ids()
}

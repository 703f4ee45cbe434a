//! Chooses the sources by the criteria and the permissions, and searches mailboxes for what an index cannot know.

use chrono::Utc;
use futures_util::future::BoxFuture;
use tracing::warn;

use super::hunting::Hunting;
use super::index::{Index, look_up};
use super::mailboxes::{self, Mailboxes};
use super::merge::merge;
use super::rest::Rest;
use super::trace::MessageTrace;
use super::{Found, NotFound, Source, SpanText, Strategy, Task};
use graph::{Criteria, HUNTING_PERMISSION, TRACE_PERMISSION};

/// Uses an index where the criteria and the permissions allow it; otherwise searches the mailboxes.
pub(super) struct Auto;

impl Strategy for Auto {
    fn find<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Found, NotFound>> {
        Box::pin(async move {
            let criteria = &task.query.criteria;
            // A query by the older criteria alone sends what it always sent.
            if criteria.indicators.is_empty() {
                return Mailboxes.find(task).await;
            }
            let roles = task.context.graph.claims().await?.map(|claims| claims.roles).unwrap_or_default();
            // The trace knows 90 days, but only the envelope's sender: it is sure for a Message-ID only.
            if !criteria.indicators.message_ids.is_empty() && roles.contains(TRACE_PERMISSION) {
                return by_index(task, MessageTrace).await;
            }
            if Hunting.knows(criteria) && roles.contains(HUNTING_PERMISSION) {
                return by_index(task, Hunting).await;
            }
            Mailboxes.find(task).await
        })
    }
}

/// Finds by an index, and searches the mailboxes for the rest.
async fn by_index<I: Index>(task: Task<'_>, index: I) -> Result<Found, NotFound> {
    let now = Utc::now();
    let rows = match index.rows(task).await {
        Ok(rows) => rows,
        Err(unusable) => {
            warn!(index = I::NAME, error = unusable.source.for_log(), "the mailboxes are searched instead");
            let mut found = Mailboxes.find(task).await?;
            found.sources = Source::instead(I::NAME, &unusable.why, task);
            return Ok(found);
        }
    };
    let rest = Rest::of(&task.query.criteria, &rows.coverage.gaps, I::DAYS, now);
    let mut found = look_up(&index, task, rows).await?;
    // Two searches of all mailboxes would take longer than one for the whole time.
    let criteria = &task.query.criteria;
    let part = match rest.as_slice() {
        [] => return Ok(found),
        [only] => Criteria { received_from: only.from, received_to: only.to, ..criteria.clone() },
        _ => criteria.clone(),
    };
    let search = mailboxes::search(task, &part).await?;
    merge(&mut found.search, search, task.context.limits.max_messages);
    // The mailboxes have answered for what the index could not.
    for source in &mut found.sources {
        source.not_answered_for.clear();
    }
    found.sources.push(Source {
        name: Source::MAILBOXES,
        answered_for: vec![SpanText::of(&part)],
        not_answered_for: Vec::new(),
    });
    Ok(found)
}

//! Chooses the sources by the criteria and the permissions, and searches mailboxes for what an index cannot know.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use tracing::warn;

use super::hunting::Hunting;
use super::index::{Index, look_up};
use super::mailboxes::{self, Mailboxes};
use super::merge::merge;
use super::trace::MessageTrace;
use super::{Found, NotFound, Source, SpanText, Strategy, Task};
use graph::{Criteria, Gap, HUNTING_PERMISSION, TRACE_PERMISSION};

/// A message can be missing in an index for so long after its delivery: 5 to 10 minutes are usual (Microsoft page
/// "Message trace in the modern Exchange admin center").
const INDEX_LAG: TimeDelta = TimeDelta::minutes(15);

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
            found.sources = vec![
                Source { name: I::NAME, answered_for: Vec::new(), not_answered_for: vec![unusable.why] },
                Source {
                    name: Source::MAILBOXES,
                    answered_for: vec![SpanText::of(&task.query.criteria)],
                    not_answered_for: Vec::new(),
                },
            ];
            return Ok(found);
        }
    };
    let rest =
        spans_of_the_rest(&task.query.criteria, &rows.coverage.gaps, rows.coverage.searched.first(), now);
    let mut found = look_up(&index, task, rows).await?;
    if rest.is_empty() {
        return Ok(found);
    }
    let mut answered_for = Vec::new();
    for (from, to) in rest {
        let part = Criteria { received_from: from, received_to: to, ..task.query.criteria.clone() };
        let search = mailboxes::search(task, &part).await?;
        answered_for.push(SpanText::of(&part));
        merge(&mut found.search, search, task.context.limits.max_messages);
    }
    // The mailboxes have answered for what the index could not.
    for source in &mut found.sources {
        source.not_answered_for.clear();
    }
    found.sources.push(Source { name: Source::MAILBOXES, answered_for, not_answered_for: Vec::new() });
    Ok(found)
}

type Bounds = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The times that were asked for and that the index does not answer for.
fn spans_of_the_rest(
    criteria: &Criteria,
    gaps: &[Gap],
    oldest: Option<&graph::Span>,
    now: DateTime<Utc>,
) -> Vec<Bounds> {
    let (from, to) = (criteria.received_from, criteria.received_to);
    let recent = now - INDEX_LAG;
    let mut spans: Vec<Bounds> = Vec::new();
    // Without a beginning, the index begins with the oldest that it knows.
    if from.is_none()
        && let Some(oldest) = oldest
    {
        spans.push((None, Some(oldest.from)));
    }
    for Gap { span, .. } in gaps {
        spans.push((Some(span.from), Some(span.to)));
    }
    if to.is_none_or(|to| to > recent) {
        spans.push((Some(from.map_or(recent, |from| from.max(recent))), to));
    }
    spans.retain(|(from, to)| from.is_none_or(|from| to.is_none_or(|to| from <= to)));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use graph::{GapReason, Span};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minute * 60, 0).unwrap()
    }

    fn rest(from: Option<i64>, to: Option<i64>, gaps: &[(i64, i64)]) -> Vec<(Option<i64>, Option<i64>)> {
        let criteria =
            Criteria { received_from: from.map(at), received_to: to.map(at), ..Criteria::default() };
        let gaps: Vec<Gap> = gaps
            .iter()
            .map(|(from, to)| Gap {
                span: Span { from: at(*from), to: at(*to) },
                reason: GapReason::OutOfTime,
            })
            .collect();
        let known = Span { from: at(-1000), to: at(0) };
        let minutes = |time: Option<DateTime<Utc>>| time.map(|time| (time - at(0)).num_minutes());
        let spans = spans_of_the_rest(&criteria, &gaps, Some(&known), at(0));
        spans.into_iter().map(|(from, to)| (minutes(from), minutes(to))).collect()
    }

    #[test]
    fn mailboxes_are_searched_for_what_the_index_does_not_know() {
        assert_eq!(rest(Some(-500), Some(-100), &[]), []);
        assert_eq!(rest(Some(-500), None, &[]), [(Some(-15), None)]);
        assert_eq!(rest(Some(-5), Some(0), &[]), [(Some(-5), Some(0))]);
        assert_eq!(rest(None, Some(-100), &[]), [(None, Some(-1000))]);
        assert_eq!(rest(Some(-500), Some(-100), &[(-300, -200)]), [(Some(-300), Some(-200))]);
    }
}

//! Message trace: who received a message, in one request instead of one for each mailbox (Graph pages "List
//! messageTraces", "exchangeMessageTrace resource type"). Global cloud only.
//!
//! The service was measured to accept `or`, `in` and `ne` and to ignore them. So a request has one value for each
//! property, and every row is checked again.

mod criteria;
mod error;
mod row;

use std::collections::HashSet;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use net::untrusted::json::Bounded;
use serde::Deserialize;
use tokio::time::timeout_at;
use tracing::debug;

use self::criteria::Filter;
use self::row::Raw;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::expected::Expected;
use crate::index::IndexLimits;
use crate::index::coverage::{Coverage, GapReason, Span, cut};
use crate::links::{Following, Links};
use crate::path::Path;
use crate::request::Request;

pub use self::criteria::TraceCriteria;
pub use self::error::TraceError;
pub use self::row::{TraceRow, TraceStatus};

/// The permission that a message trace needs.
pub const TRACE_PERMISSION: &str = "ExchangeMessageTrace.Read.All";

/// How long rows are kept.
const DAYS: i64 = 90;
/// The longest span of one request.
const LONGEST_SPAN: TimeDelta = TimeDelta::days(10);
/// Graph refuses a span that ends in the future or begins too early, by its own clock.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(60);
/// How many requests of one trace are under way at once.
const AT_ONCE: usize = 4;
/// The most rows on a page: Graph's limit.
const LARGEST_PAGE: usize = 5_000;
/// No trace has more pages.
const MOST_PAGES: usize = 1_000;

/// What a trace found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// The rows that match, newest first: one for each message and recipient.
    pub rows: Vec<TraceRow>,
    /// The time that was looked at.
    pub coverage: Coverage,
    /// How many requests it took.
    pub requests: usize,
}

/// A page of rows.
#[derive(Deserialize)]
pub(crate) struct Page {
    value: Bounded<Raw, { 2 * LARGEST_PAGE }>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

/// The rows of one request for a span, with its further pages.
#[derive(Default)]
struct Found {
    rows: Vec<TraceRow>,
    unreadable: usize,
    requests: usize,
    has_more: bool,
}

/// Looks up the rows that match `criteria`. What the trace cannot look at, because it is too old, because time runs out
/// or because a request fails, is a gap in the result.
///
/// # Errors
/// When the trace cannot be used at all, or no request succeeded.
pub async fn message_trace(
    client: &Client,
    criteria: &TraceCriteria,
    limits: IndexLimits,
) -> Result<Trace, TraceError> {
    let now = Utc::now().trunc_subsecs(0);
    let known = (now - TimeDelta::days(DAYS) + CLOCKS_DIFFER, now - CLOCKS_DIFFER);
    let mut trace = Trace::default();
    let asked = (criteria.from, criteria.to);
    let Some(span) = cut(asked, known, DAYS, &mut trace.coverage) else { return Ok(trace) };
    let spans = windows(span);
    let filters = criteria.filters();
    // The newest time first: what is looked for is mostly recent.
    let tasks: Vec<(Span, Filter)> =
        spans.iter().flat_map(|span| filters.iter().map(|filter| (*span, filter.clone()))).collect();
    let mut runs = stream::iter(tasks.into_iter().map(|(span, filter)| async move {
        let run = timeout_at(limits.until, read(client, criteria, &filter, span, limits)).await;
        (span, run)
    }))
    .buffered(AT_ONCE);
    let mut seen = HashSet::new();
    let mut complete: Vec<(Span, usize)> = spans.iter().map(|span| (*span, 0)).collect();
    let mut failed = None;
    while let Some((span, run)) = runs.next().await {
        let found = match run {
            Err(_) => {
                trace.coverage.miss(span, GapReason::OutOfTime);
                continue;
            }
            Ok(Err(error)) => {
                let error = TraceError::of(error);
                if error.is_final() {
                    return Err(error);
                }
                debug!(error = error.for_log(), "a part of the message trace failed");
                trace.coverage.miss(span, GapReason::Failed(error.to_string()));
                failed = Some(error);
                continue;
            }
            Ok(Ok(found)) => found,
        };
        trace.requests += found.requests;
        let mut rows = found.rows;
        rows.retain(|row| seen.insert((row.id.clone(), row.recipient.to_lowercase())));
        let room = limits.most_rows.saturating_sub(trace.rows.len());
        if found.has_more || rows.len() > room {
            rows.truncate(room);
            trace.coverage.miss(span, GapReason::TooManyRows(limits.most_rows));
        } else if found.unreadable > 0 {
            trace.coverage.miss(span, GapReason::Unreadable(found.unreadable));
        } else if let Some((_, done)) = complete.iter_mut().find(|(window, _)| *window == span) {
            *done += 1;
        }
        client.memory().keep(rows.iter().map(TraceRow::size).sum()).await;
        trace.rows.extend(rows);
    }
    // A span was looked at only if this was so for every value.
    for (span, _) in complete.into_iter().filter(|(_, done)| *done == filters.len()) {
        trace.coverage.add(span);
    }
    match failed {
        Some(error) if trace.requests == 0 => return Err(error),
        _ => {}
    }
    trace.rows.sort_by(|a, b| (b.received, &a.id, &a.recipient).cmp(&(a.received, &b.id, &b.recipient)));
    Ok(trace)
}

/// Asks for one row, to find out whether the trace can be used.
///
/// # Errors
/// It cannot.
pub async fn probe_message_trace(client: &Client) -> Result<(), TraceError> {
    client.enter_trace().await;
    let request = Request::get(Path::message_traces().option("$top", "1")).expecting(Expected::List);
    client.send(&request).await.map(drop).map_err(TraceError::of)
}

/// Divides a span into windows that one request may ask for, the newest first. Neighbours share a moment.
fn windows(span: Span) -> Vec<Span> {
    let mut windows = Vec::new();
    let mut to = span.to;
    loop {
        let from = (to - LONGEST_SPAN).max(span.from);
        windows.push(Span { from, to });
        if from <= span.from {
            return windows;
        }
        to = from;
    }
}

/// Reads the rows of a window, page by page.
async fn read(
    client: &Client,
    criteria: &TraceCriteria,
    filter: &Filter,
    span: Span,
    limits: IndexLimits,
) -> Result<Found, Error> {
    let top = limits.page.clamp(1, LARGEST_PAGE);
    let first = Path::message_traces().option("$filter", &filter.text(span)).option("$top", &top.to_string());
    let mut links = Links::from(&first);
    let mut next = first;
    let mut found = Found::default();
    loop {
        if found.requests == MOST_PAGES {
            return Err(ErrorKind::TooManyPages(MOST_PAGES).into());
        }
        client.enter_trace().await;
        let request = Request::get(next).expecting(Expected::List).preferring("include-unknown-enum-members");
        let page: Page = client.send(&request).await?.parse()?;
        found.requests += 1;
        let is_empty = page.value.0.is_empty();
        for raw in page.value.0 {
            match raw.row() {
                Some(row) if criteria.matches(&row) => found.rows.push(row),
                Some(_) => {}
                None => found.unreadable += 1,
            }
        }
        if found.rows.len() > limits.most_rows {
            found.has_more = true;
            return Ok(found);
        }
        next = match links.follow(client, page.next.as_deref())? {
            Following::Page(next) => next,
            Following::Loop if !is_empty => return Err(ErrorKind::PagesRepeat.into()),
            Following::Loop | Following::End => return Ok(found),
        };
    }
}

/// Reads a page as it comes from outside, for the fuzzers.
pub(crate) fn read_page(page: Page) -> usize {
    let rows = page.value.0.into_iter().filter_map(Raw::row);
    rows.filter(|row| TraceCriteria::default().matches(row)).count()
}

/// Returns the first moment that the trace knows at `now`.
pub fn oldest_traced(now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::days(DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_span_without_a_gap() {
        let to = DateTime::from_timestamp(1_772_359_200, 0).unwrap();
        for (days, count) in [(0, 1), (3, 1), (10, 1), (11, 2), (90, 9)] {
            let span = Span { from: to - TimeDelta::days(days), to };
            let windows = windows(span);
            assert_eq!(windows.len(), count, "{days} days");
            assert_eq!((windows[0].to, windows[count - 1].from), (span.to, span.from));
            assert!(windows.windows(2).all(|pair| pair[1].to == pair[0].from));
            assert!(windows.iter().all(|window| window.to - window.from <= LONGEST_SPAN));
        }
    }
}

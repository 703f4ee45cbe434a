//! Advanced hunting: the mail of the last 30 days in one query, where the tenant has Defender for Office 365 (Graph
//! page "security: runHuntingQuery"; Defender pages of the tables).

mod criteria;
mod error;
pub(crate) mod kql;
mod row;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::Hash;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use net::untrusted::json::Bounded;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout_at;

use crate::client::Client;
use crate::error::Error;
use crate::expected::Expected;
use crate::index::IndexLimits;
use crate::index::coverage::{Coverage, GapReason, Span, cut};
use crate::path::Path;
use crate::request::Request;

use self::row::{RawClick, RawEvent};

pub use self::criteria::{ClickCriteria, HuntingCriteria};
pub use self::error::HuntingError;
pub use self::row::{MailEvent, UrlClick};

/// The permission that hunting needs.
pub const HUNTING_PERMISSION: &str = "ThreatHunting.Read.All";

/// How long events are kept.
const DAYS: i64 = 30;
/// Defender returns no more rows of one query.
const MOST_ROWS: usize = 100_000;
/// A query may take three minutes. This is that time in units of the usual time for an answer.
const ROUNDS: u32 = 4;

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunt<T> {
    /// The rows that match, oldest first.
    pub rows: Vec<T>,
    /// The time that was looked at.
    pub coverage: Coverage,
    /// How many requests it took.
    pub requests: usize,
}

/// The rows of one query.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Answer<T> {
    #[serde(alias = "Results")]
    results: Bounded<T, MOST_ROWS>,
}

/// A row as it comes.
trait Raw: DeserializeOwned {
    type Row;
    type Key: Eq + Hash;

    /// The row; `None` if it lacks what every row has.
    fn row(self) -> Option<Self::Row>;
    fn time(row: &Self::Row) -> DateTime<Utc>;
    /// What makes a row the same as another.
    fn key(row: &Self::Row) -> Self::Key;
    /// About how many bytes it takes.
    fn size(row: &Self::Row) -> usize;
}

/// Finds mail by `criteria`: a row for each message and recipient. What the query cannot look at is a gap.
///
/// # Errors
/// When hunting cannot be used, or the first request fails.
pub async fn hunt_mail(
    client: &Client,
    criteria: &HuntingCriteria,
    limits: IndexLimits,
) -> Result<Hunt<MailEvent>, HuntingError> {
    let asked = (criteria.from, criteria.to);
    let matches = |row: &MailEvent| criteria.matches(row);
    hunt::<RawEvent>(client, asked, limits, |span, most| criteria.query(span, most), matches).await
}

/// Finds who clicked on a link. What the query cannot look at is a gap in the result.
///
/// # Errors
/// Those of [`hunt_mail`].
pub async fn hunt_clicks(
    client: &Client,
    criteria: &ClickCriteria,
    limits: IndexLimits,
) -> Result<Hunt<UrlClick>, HuntingError> {
    let asked = (criteria.from, criteria.to);
    hunt::<RawClick>(client, asked, limits, |span, most| criteria.query(span, most), |_| true).await
}

/// Runs `query` as often as the rows of the span need: each query has the oldest rows that are not known yet.
async fn hunt<R: Raw>(
    client: &Client,
    asked: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    limits: IndexLimits,
    query: impl Fn(Span, usize) -> String,
    matches: impl Fn(&R::Row) -> bool,
) -> Result<Hunt<R::Row>, HuntingError> {
    let now = Utc::now();
    let mut hunt = Hunt { rows: Vec::new(), coverage: Coverage::default(), requests: 0 };
    let known = (now - TimeDelta::days(DAYS), now);
    let Some(mut span) = cut(asked, known, DAYS, &mut hunt.coverage) else { return Ok(hunt) };
    let page = limits.page.clamp(1, MOST_ROWS);
    let mut seen = HashSet::new();
    let mut unreadable = 0;
    let whole = span;
    let reason = loop {
        let answer = match timeout_at(limits.until, run::<R>(client, &query(span, page))).await {
            Err(_) => break Some(GapReason::OutOfTime),
            Ok(Err(error)) => {
                let error = HuntingError::of(error);
                if hunt.requests == 0 {
                    return Err(error);
                }
                break Some(GapReason::Failed(error.to_string()));
            }
            Ok(Ok(answer)) => answer,
        };
        hunt.requests += 1;
        let rows_in_answer = answer.len();
        let mut newest = None;
        for row in answer {
            let Some(row) = row.row() else {
                unreadable += 1;
                continue;
            };
            newest = newest.max(Some(R::time(&row)));
            if seen.insert(R::key(&row)) && matches(&row) {
                client.memory().keep(R::size(&row)).await;
                hunt.rows.push(row);
            }
        }
        if hunt.rows.len() > limits.most_rows {
            hunt.rows.truncate(limits.most_rows);
            break Some(GapReason::TooManyRows(limits.most_rows));
        }
        if rows_in_answer < page {
            break None;
        }
        // The rows of one moment cannot be divided.
        match newest.filter(|newest| *newest > span.from) {
            Some(newest) => span.from = newest,
            None => break Some(GapReason::TooManyRows(page)),
        }
    };
    if unreadable > 0 {
        hunt.coverage.miss(whole, GapReason::Unreadable(unreadable));
    }
    match reason {
        Some(reason) => {
            if whole.from < span.from {
                hunt.coverage.add(Span { from: whole.from, to: span.from });
            }
            hunt.coverage.miss(span, reason);
        }
        None if unreadable == 0 => hunt.coverage.add(whole),
        None => {}
    }
    Ok(hunt)
}

async fn run<R: Raw>(client: &Client, query: &str) -> Result<Vec<R>, Error> {
    let request = Request::query(Path::hunting_query(), body(query)).lasting(ROUNDS);
    let answer: Answer<R> = client.send(&request.expecting(Expected::Object)).await?.parse()?;
    Ok(answer.results.0)
}

/// The body of a query, in ASCII: other characters need a charset in the content type and are lost without it.
fn body(query: &str) -> Bytes {
    let json = serde_json::json!({"Query": query, "Timespan": format!("P{DAYS}D")}).to_string();
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii.into()
}

/// Reads an answer as it comes from outside, for the fuzzers.
pub(crate) fn read_answer(body: &str) -> usize {
    let events = serde_json::from_str::<Answer<RawEvent>>(body).map(|answer| answer.results.0);
    let clicks = serde_json::from_str::<Answer<RawClick>>(body).map(|answer| answer.results.0);
    events.into_iter().flatten().filter_map(Raw::row).count()
        + clicks.into_iter().flatten().filter_map(Raw::row).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_ascii_and_means_the_same() {
        let body = body("where Subject == \"ä 🎉 \\\"\"");
        assert!(body.is_ascii());
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(read["Query"], "where Subject == \"ä 🎉 \\\"\"");
        assert_eq!(read["Timespan"], "P30D");
    }
}

//! What a message query looks for, how Graph is asked for it, and whether an answer is what was meant (Graph pages
//! "List messages", "Use the $search query parameter").

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;

use crate::path::{InvalidSegment, Path, literal};

/// What every message of a result holds.
const SELECT: &str = "id,subject,sender,hasAttachments,receivedDateTime,webLink";
/// The most messages Graph puts on one page.
const LARGEST_PAGE: usize = 1000;

/// How many messages are asked for at a time, at least, where it is for us to find those that match among them.
const PAGE_TO_CHECK: usize = 250;

/// What is looked for. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// Only in this folder: a well-known name or an id. It limits the search and is no criterion of its own.
    pub folder: Option<String>,
    /// The sender's address.
    pub sender: Option<String>,
    /// Received at this time or later.
    pub received_from: Option<DateTime<Utc>>,
    /// Received at this time or earlier.
    pub received_to: Option<DateTime<Utc>>,
    /// With, or without, attachments.
    pub has_attachments: Option<bool>,
    /// Text that occurs in the subject.
    pub subject: Option<String>,
    /// Words of the body.
    pub body: Option<String>,
}

impl Criteria {
    /// Whether nothing is asked for: every message would match.
    pub fn is_empty(&self) -> bool {
        Self { folder: None, ..self.clone() } == Self::default()
    }

    /// The address of the first page of at most `page` matching messages of `mailbox`, of those `days` where it
    /// is a `$search`.
    pub(crate) fn path(&self, mailbox: &str, days: Days, page: usize) -> Result<Path, InvalidSegment> {
        let path = Path::messages(mailbox, self.folder.as_deref())?;
        // Where few of what is found may be what was asked for, small pages would be many.
        let page = if self.is_checked_here() { page.max(PAGE_TO_CHECK) } else { page };
        let top = page.clamp(1, LARGEST_PAGE).to_string();
        Ok(match &self.body {
            // Graph refuses $filter beside $search. The sender is checked again, and that is `from`.
            Some(body) => path
                .option("$select", &format!("{SELECT}{}", if self.sender.is_some() { ",from" } else { "" }))
                .option("$top", &top)
                .option("$search", &format!("\"{}\"", self.kql(body, days))),
            None => path.option("$select", SELECT).option("$top", &top).option("$filter", &self.filter()),
        })
    }

    /// Whether a `$search` leaves criteria to us that it cannot express.
    fn is_checked_here(&self) -> bool {
        self.body.is_some() && (self.subject.is_some() || self.has_attachments == Some(false))
    }

    /// The OData filter. The received time comes first: Graph wants it so where it sorts by it.
    fn filter(&self) -> String {
        let time = |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let terms = [
            self.received_from.as_ref().map(|from| format!("receivedDateTime ge {}", time(from))),
            self.received_to.as_ref().map(|to| format!("receivedDateTime le {}", time(to))),
            self.sender.as_ref().map(|sender| format!("from/emailAddress/address eq {}", literal(sender))),
            self.has_attachments.map(|has| format!("hasAttachments eq {has}")),
            self.subject.as_ref().map(|subject| format!("contains(subject,{})", literal(subject))),
        ];
        terms.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    /// The days a `$search` looks at. They are widened by one each way, since nobody says in which time zone
    /// Graph counts them; [`Criteria::are_met_by`] checks the exact times.
    pub(crate) fn days(&self) -> Days {
        let widened = |time: DateTime<Utc>, days| {
            let day = time.date_naive();
            day.checked_add_signed(TimeDelta::days(days)).unwrap_or(day)
        };
        Days {
            first: self.received_from.map(|from| widened(from, -1)),
            last: self.received_to.map(|to| widened(to, 1)),
        }
    }

    /// The search text. Beside the body it holds what KQL expresses without losing a match. The subject is left
    /// out since KQL finds only whole words. [`Criteria::are_met_by`] checks all of it exactly.
    fn kql(&self, body: &str, days: Days) -> String {
        let terms = [
            Some(format!("body:{}", phrase(body))),
            self.sender.as_ref().map(|sender| format!("from:{}", phrase(sender))),
            days.first.map(|first| format!("received>={first}")),
            days.last.map(|last| format!("received<={last}")),
            self.has_attachments.filter(|has| *has).map(|_| "hasattachments:true".to_owned()),
        ];
        terms.into_iter().flatten().collect::<Vec<_>>().join(" AND ")
    }

    /// Whether `message` is one that was asked for, as far as it can tell. The body was Graph's to check.
    pub(crate) fn are_met_by(&self, message: &Checked<'_>) -> bool {
        let same = |wanted: &str, person: &Option<Person<'_>>| {
            let email = person.as_ref().and_then(|person| person.email.as_ref());
            let address = email.and_then(|email| email.address.as_deref());
            address.is_some_and(|address| address.to_lowercase() == wanted.to_lowercase())
        };
        self.sender.as_ref().is_none_or(|sender| same(sender, &message.from))
            && self.received_from.is_none_or(|from| message.received.is_some_and(|at| at >= from))
            && self.received_to.is_none_or(|to| message.received.is_some_and(|at| at <= to))
            && self.has_attachments.is_none_or(|has| message.has_attachments == Some(has))
            && self.subject.as_ref().is_none_or(|wanted| {
                let subject = message.subject.as_deref().unwrap_or_default();
                subject.to_lowercase().contains(&wanted.to_lowercase())
            })
    }
}

/// A phrase of a `$search`, in escaped quotes. What KQL knows no escape for is taken out: quotes, backslashes
/// and control characters.
fn phrase(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if matches!(c, '"' | '\\') || c.is_control() { ' ' } else { c }).collect();
    format!("\\\"{}\\\"", plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What of a message the criteria are checked against.
#[derive(Deserialize)]
pub(crate) struct Checked<'a> {
    #[serde(borrow)]
    from: Option<Person<'a>>,
    #[serde(rename = "receivedDateTime", deserialize_with = "time", default)]
    pub(crate) received: Option<DateTime<Utc>>,
    #[serde(rename = "hasAttachments")]
    has_attachments: Option<bool>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Person<'a> {
    #[serde(borrow, rename = "emailAddress")]
    email: Option<Email<'a>>,
}

#[derive(Deserialize)]
struct Email<'a> {
    #[serde(borrow)]
    address: Option<Cow<'a, str>>,
}

fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text: Option<Cow<'_, str>> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| Some(DateTime::parse_from_rfc3339(&text).ok()?.with_timezone(&Utc))))
}

/// A range of days, both ends included; open where an end is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) first: Option<NaiveDate>,
    pub(crate) last: Option<NaiveDate>,
}

impl Days {
    /// The range in two, the later days first, cut at `middle` or as near to it as both get a day at least;
    /// `None` where it is one day.
    pub(crate) fn split(self, middle: NaiveDate) -> Option<[Self; 2]> {
        let middle = self.first.map_or(middle, |first| middle.max(first));
        let last = self.last.and_then(|last| last.pred_opt());
        let middle = last.map_or(middle, |last| middle.min(last));
        if self.first.is_some_and(|first| middle < first) {
            return None;
        }
        let later = Self { first: Some(middle.succ_opt()?), ..self };
        Some([later, Self { last: Some(middle), ..self }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
    }

    fn days(first: Option<u32>, last: Option<u32>) -> Days {
        Days { first: first.map(day), last: last.map(day) }
    }

    #[test]
    fn a_range_is_cut_without_a_gap_until_it_is_one_day() {
        let cut = |first, last, middle| days(first, last).split(day(middle));
        assert_eq!(cut(None, None, 5), Some([days(Some(6), None), days(None, Some(5))]));
        assert_eq!(cut(Some(1), Some(9), 5), Some([days(Some(6), Some(9)), days(Some(1), Some(5))]));
        // Each half has a day at least, wherever the middle was meant to be.
        assert_eq!(cut(Some(1), Some(9), 20), Some([days(Some(9), Some(9)), days(Some(1), Some(8))]));
        assert_eq!(cut(Some(4), Some(9), 1), Some([days(Some(5), Some(9)), days(Some(4), Some(4))]));
        assert_eq!(cut(None, Some(9), 9), Some([days(Some(9), Some(9)), days(None, Some(8))]));
        assert_eq!(cut(Some(4), None, 4), Some([days(Some(5), None), days(Some(4), Some(4))]));
        assert_eq!(cut(Some(4), Some(4), 4), None);
    }
}

//! The criteria of a message query: how Graph is asked for them, and whether a message meets them (Graph pages
//! "List messages", "Use the $search query parameter").

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};

use super::days::Days;
use super::message::{Checked, is_x500};
use crate::path::{InvalidSegment, Path, literal};

/// The properties of each message of a result.
const SELECT: &str =
    "id,subject,sender,from,hasAttachments,receivedDateTime,webLink,internetMessageId,parentFolderId,isRead";
/// The most messages Graph puts on one page.
const LARGEST_PAGE: usize = 1000;

/// The smallest page where this program has to find the matching messages among those that Graph returns.
const PAGE_TO_CHECK: usize = 250;

/// The criteria of a message query. A message matches if it meets all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// Only in this folder: a well-known name or an id. It limits the search and is not a criterion of its own.
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
    /// Whether there is no criterion, so that every message would match.
    pub fn is_empty(&self) -> bool {
        Self { folder: None, ..self.clone() } == Self::default()
    }

    /// The path of the first page of at most `page` messages of `mailbox` that match and were received on `days`.
    pub(crate) fn path(&self, mailbox: &str, days: Days, page: usize) -> Result<Path, InvalidSegment> {
        let path = Path::messages(mailbox, self.folder.as_deref())?
            .option("$select", SELECT)
            .option("$top", &page.to_string());
        Ok(match &self.body {
            // Graph refuses $filter together with $search.
            Some(body) => path.option("$search", &format!("\"{}\"", self.kql(body, days))),
            None => path.option("$filter", &self.filter(days)),
        })
    }

    /// The size of the pages that a search for `needed` messages begins with.
    pub(crate) fn page_size(&self, needed: usize) -> usize {
        // Where few of the messages found may match, small pages would be many.
        let needed = if self.is_checked_here() { needed.max(PAGE_TO_CHECK) } else { needed };
        needed.clamp(1, LARGEST_PAGE)
    }

    /// Whether there are criteria that a `$search` cannot express.
    fn is_checked_here(&self) -> bool {
        self.body.is_some() && (self.subject.is_some() || self.has_attachments == Some(false))
    }

    /// The OData filter. The received time comes first: Graph wants it so where it sorts by it.
    fn filter(&self, days: Days) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        // The days are never narrower than the times that were asked for, unless the search was divided. The end of a
        // day is the beginning of the next: a message that stands in both halves is dropped once.
        let from = self.received_from.max(days.first.map(midnight));
        let end = days.last.and_then(|last| last.succ_opt()).map(midnight);
        let to = self.received_to.into_iter().chain(end).min();
        let terms = [
            from.map(|from| format!("receivedDateTime ge {}", time(from))),
            to.map(|to| format!("receivedDateTime le {}", time(to))),
            self.sender.as_ref().map(|sender| format!("from/emailAddress/address eq {}", literal(sender))),
            self.has_attachments.map(|has| format!("hasAttachments eq {has}")),
            self.subject.as_ref().map(|subject| format!("contains(subject,{})", literal(subject))),
        ];
        terms.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    /// The days on which a search looks. They are widened by one each way, since the time zone in which Graph counts the
    /// days of a `$search` is not documented; [`Criteria::check`] compares the exact times.
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

    /// The search text. Next to the body it holds what KQL expresses without losing a match. The subject is left
    /// out, since KQL finds only whole words.
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

    /// Compares `message` with all criteria but the body, which only Graph can check.
    pub(crate) fn check(&self, message: &Checked<'_>) -> Verdict {
        let verdicts = [
            self.sender.as_ref().map(|wanted| check_sender(wanted, message)),
            // Graph shows no fractions of a second.
            self.received_from.map(|from| check_time(message, |at| at.timestamp() >= from.timestamp())),
            self.received_to.map(|to| check_time(message, |at| at <= to)),
            self.has_attachments.map(|wanted| match message.has_attachments {
                Some(has) => Verdict::of(has.unwrap_or(false) == wanted),
                None => Verdict::Unknown,
            }),
            self.subject.as_ref().map(|wanted| match &message.subject {
                Some(subject) => check_subject(wanted, subject.as_deref().unwrap_or_default()),
                None => Verdict::Unknown,
            }),
        ];
        verdicts.into_iter().flatten().max().unwrap_or(Verdict::Matches)
    }

    /// Whether `message` meets all criteria but the subject.
    pub(crate) fn differs_in_subject_only(&self, message: &Checked<'_>) -> bool {
        self.subject.is_some() && Self { subject: None, ..self.clone() }.check(message) != Verdict::Differs
    }
}

/// The result of the comparison of a message with the criteria. The worst verdict is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// The message meets them.
    Matches,
    /// The message does not have a property that a criterion is about, or only Exchange can compare it.
    Unknown,
    /// The message does not meet one of them.
    Differs,
}

impl Verdict {
    fn of(matches: bool) -> Self {
        if matches { Self::Matches } else { Self::Differs }
    }
}

fn check_sender(wanted: &str, message: &Checked<'_>) -> Verdict {
    match (&message.from, message.sender()) {
        (None, _) => Verdict::Unknown,
        // Exchange knows which address that is; this program does not.
        (_, Some(address)) if is_x500(address) => Verdict::Unknown,
        (_, address) => {
            Verdict::of(address.is_some_and(|address| address.to_lowercase() == wanted.to_lowercase()))
        }
    }
}

fn check_time(message: &Checked<'_>, holds: impl FnOnce(DateTime<Utc>) -> bool) -> Verdict {
    match message.received {
        None => Verdict::Unknown,
        Some(received) => Verdict::of(received.is_some_and(holds)),
    }
}

/// Exchange compares subjects without regard to case. Whether it ignores accents is not documented. So a subject that
/// agrees in its ASCII letters, digits and marks is taken to be a match where either text has other characters.
fn check_subject(wanted: &str, subject: &str) -> Verdict {
    let folded = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    if folded(subject).contains(&folded(wanted)) {
        return Verdict::Matches;
    }
    if wanted.is_ascii() && subject.is_ascii() {
        return Verdict::Differs;
    }
    if is_like(&folded(wanted), &folded(subject)) { Verdict::Unknown } else { Verdict::Differs }
}

/// Whether `wanted` occurs in `subject` if a character outside of ASCII may stand for any letter.
fn is_like(wanted: &str, subject: &str) -> bool {
    let [wanted, subject] = [wanted, subject].map(|text| text.chars().collect::<Vec<_>>());
    let same = |(a, b): (&char, &char)| {
        a == b || (!a.is_ascii() && b.is_alphabetic()) || (!b.is_ascii() && a.is_alphabetic())
    };
    subject.windows(wanted.len().max(1)).any(|part| part.iter().zip(&wanted).all(same))
}

/// A phrase of a `$search`, in escaped quotes. Characters without an escape in KQL are taken out: quotes,
/// backslashes and control characters.
fn phrase(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if matches!(c, '"' | '\\') || c.is_control() { ' ' } else { c }).collect();
    format!("\\\"{}\\\"", plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(criteria: &Criteria, message: &Value) -> Verdict {
        let message = serde_json::value::to_raw_value(message).unwrap();
        criteria.check(&Checked::read(&message).unwrap())
    }

    fn from(address: &Value) -> Value {
        json!({"from": {"emailAddress": {"name": "B", "address": address}}})
    }

    #[test]
    fn sender_is_compared_without_case() {
        let criteria = Criteria { sender: Some("it@example.org".to_owned()), ..Criteria::default() };
        assert_eq!(check(&criteria, &from(&json!("IT@Example.org"))), Verdict::Matches);
        for other in
            [from(&json!("b@example.org")), from(&Value::Null), json!({"from": null}), json!({"from": {}})]
        {
            assert_eq!(check(&criteria, &other), Verdict::Differs, "{other}");
        }
        for unknown in [json!({}), from(&json!("/O=EXCHANGELABS/OU=X/CN=0A1B"))] {
            assert_eq!(check(&criteria, &unknown), Verdict::Unknown, "{unknown}");
        }
    }

    #[test]
    fn subject_is_compared_as_exchange_may_do() {
        let subject = |wanted: &str, subject: &Value| {
            let criteria = Criteria { subject: Some(wanted.to_owned()), ..Criteria::default() };
            check(&criteria, &json!({"subject": subject}))
        };
        assert_eq!(subject("invoice 7", &json!("Your INVOICE  7")), Verdict::Matches);
        assert_eq!(subject("STRASSE \u{c4}", &json!("strasse \u{e4}")), Verdict::Matches);
        assert_eq!(subject("resume", &json!("My r\u{e9}sum\u{e9}")), Verdict::Unknown);
        assert_eq!(subject("resume", &json!("Rechnung \u{e4}")), Verdict::Differs);
        assert_eq!(subject("invoice", &json!("lunch")), Verdict::Differs);
        assert_eq!(subject("invoice", &Value::Null), Verdict::Differs);
    }

    #[test]
    fn time_is_compared_to_the_second() {
        let at = |text: &str| Some(DateTime::parse_from_rfc3339(text).unwrap().to_utc());
        let criteria = Criteria {
            received_from: at("2026-03-01T10:00:00.700Z"),
            received_to: at("2026-03-01T11:00:00Z"),
            ..Criteria::default()
        };
        let received = |text: &str| check(&criteria, &json!({"receivedDateTime": text}));
        assert_eq!(received("2026-03-01T10:00:00Z"), Verdict::Matches);
        assert_eq!(received("2026-03-01T11:00:00Z"), Verdict::Matches);
        assert_eq!(received("2026-03-01T09:59:59Z"), Verdict::Differs);
        assert_eq!(received("2026-03-01T11:00:01Z"), Verdict::Differs);
        assert_eq!(check(&criteria, &json!({})), Verdict::Unknown);
    }

    #[test]
    fn divided_search_narrows_the_times_that_were_asked_for() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day);
        let criteria = Criteria {
            received_from: DateTime::from_timestamp(1_772_359_200, 0),
            has_attachments: Some(true),
            ..Criteria::default()
        };
        let all = criteria.filter(criteria.days());
        assert_eq!(all, "receivedDateTime ge 2026-03-01T10:00:00Z and hasAttachments eq true");
        let divided = criteria.filter(Days { first: day(4), last: day(7) });
        assert_eq!(
            divided,
            "receivedDateTime ge 2026-03-04T00:00:00Z and receivedDateTime le 2026-03-08T00:00:00Z and \
             hasAttachments eq true"
        );
    }
}

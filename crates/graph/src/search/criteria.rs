//! The criteria of a message query: how Graph is asked for them, and whether a message meets them (Graph pages
//! "List messages", "Use the $search query parameter").

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::days::Days;
use super::message::{Checked, Person};
use crate::path::{InvalidSegment, Path, literal};

/// The properties of each message of a result.
const SELECT: &str = "id,subject,sender,hasAttachments,receivedDateTime,webLink";
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

    /// The address of the first page of at most `page` matching messages of `mailbox`, of those `days` where it
    /// is a `$search`.
    pub(crate) fn path(&self, mailbox: &str, days: Days, page: usize) -> Result<Path, InvalidSegment> {
        let path = Path::messages(mailbox, self.folder.as_deref())?;
        // Where few of the messages found may match, small pages would be many.
        let page = if self.is_checked_here() { page.max(PAGE_TO_CHECK) } else { page };
        let top = page.clamp(1, LARGEST_PAGE).to_string();
        Ok(match &self.body {
            // Graph refuses $filter together with $search. The sender is checked again, which takes `from`.
            Some(body) => path
                .option("$select", &format!("{SELECT}{}", if self.sender.is_some() { ",from" } else { "" }))
                .option("$top", &top)
                .option("$search", &format!("\"{}\"", self.kql(body, days))),
            None => path.option("$select", SELECT).option("$top", &top).option("$filter", &self.filter()),
        })
    }

    /// Whether there are criteria that a `$search` cannot express.
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

    /// The days a `$search` looks at. They are widened by one each way, since the time zone in
    /// which Graph counts them is not documented; [`Criteria::are_met_by`] checks the exact times.
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
    /// out, since KQL finds only whole words. [`Criteria::are_met_by`] checks all of it exactly.
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

    /// Whether `message` meets the criteria, apart from the body, which only Graph can check.
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

/// A phrase of a `$search`, in escaped quotes. Characters without an escape in KQL are taken out: quotes,
/// backslashes and control characters.
fn phrase(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if matches!(c, '"' | '\\') || c.is_control() { ' ' } else { c }).collect();
    format!("\\\"{}\\\"", plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

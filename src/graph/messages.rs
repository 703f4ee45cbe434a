//! The message query: what is looked for, how Graph is asked, and what of its answer is really meant (Graph
//! pages "List messages", "Use the $search query parameter").

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Client, Request, Route};
use super::error::Error;
use super::path::{InvalidSegment, Path, literal};

/// What every message of a result holds.
const SELECT: &str = "id,subject,sender,hasAttachments,receivedDateTime,webLink";
/// The most messages Graph puts on one page.
const LARGEST_PAGE: usize = 1000;
/// A search has no more hits than this; Graph ends it there without a word ("Use the $search query parameter").
const MOST_HITS: usize = 1000;
/// A mailbox that goes on for longer goes on for ever. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 1000;

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

    /// The address of the first page of at most `page` matching messages of `mailbox`. A search goes back in time
    /// from `until`.
    fn path(&self, mailbox: &str, page: usize, until: Option<DateTime<Utc>>) -> Result<Path, InvalidSegment> {
        let path = Path::messages(mailbox, self.folder.as_deref())?;
        let top = page.clamp(1, LARGEST_PAGE).to_string();
        Ok(match &self.body {
            // Graph refuses $filter beside $search. The sender is checked again, and that is `from`.
            Some(body) => path
                .option("$select", &format!("{SELECT}{}", if self.sender.is_some() { ",from" } else { "" }))
                .option("$top", &top)
                .option("$search", &format!("\"{}\"", self.kql(body, until))),
            None => path.option("$select", SELECT).option("$top", &top).option("$filter", &self.filter()),
        })
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

    /// The search text. Beside the body it holds what KQL expresses without losing a match: its days are
    /// widened by one each way for time zones, and the subject is left out since KQL finds only whole words.
    /// [`Criteria::holds`] checks all of it exactly.
    fn kql(&self, body: &str, until: Option<DateTime<Utc>>) -> String {
        let day = |time: DateTime<Utc>| time.format("%Y-%m-%d").to_string();
        let a_day = TimeDelta::days(1);
        let terms = [
            Some(format!("body:{}", phrase(body))),
            self.sender.as_ref().map(|sender| format!("from:{}", phrase(sender))),
            self.received_from
                .map(|from| format!("received>={}", day(from.checked_sub_signed(a_day).unwrap_or(from)))),
            until.map(|to| format!("received<={}", day(to.checked_add_signed(a_day).unwrap_or(to)))),
            self.has_attachments.filter(|has| *has).map(|_| "hasattachments:true".to_owned()),
        ];
        terms.into_iter().flatten().collect::<Vec<_>>().join(" AND ")
    }

    /// Whether `message` is one that was asked for, as far as it can tell. The body was Graph's to check.
    fn holds(&self, message: &Checked<'_>) -> bool {
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
struct Checked<'a> {
    #[serde(borrow)]
    from: Option<Person<'a>>,
    #[serde(rename = "receivedDateTime", deserialize_with = "time", default)]
    received: Option<DateTime<Utc>>,
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

/// What was found in one mailbox.
#[derive(Debug, Default)]
pub struct Found {
    /// The messages, as Graph wrote them.
    pub messages: Vec<Box<RawValue>>,
    /// Whether the mailbox may hold more: the search ended because there were enough.
    pub more: bool,
    /// Why the search of this mailbox did not come to its end. What was found until then stands.
    pub failure: Option<Error>,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Box<RawValue>>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Searches one mailbox for at most `needed` messages.
pub async fn search_mailbox(
    client: &Client,
    route: &Route,
    mailbox: &str,
    criteria: &Criteria,
    needed: usize,
) -> Found {
    let mut found = Found::default();
    found.failure = collect(client, route, mailbox, criteria, needed, &mut found).await.err();
    found
}

async fn collect(
    client: &Client,
    route: &Route,
    mailbox: &str,
    criteria: &Criteria,
    needed: usize,
    found: &mut Found,
) -> Result<(), Error> {
    let mut until = criteria.received_to;
    let mut next = Some(criteria.path(mailbox, needed, until)?);
    // A mailbox changes while it is read, and a message may stand on two pages then.
    let mut seen = HashSet::new();
    let mut pages = 0;
    let mut hits = Hits::default();
    while let Some(path) = next {
        if pages == MOST_PAGES {
            return Err(Error::TooManyPages(MOST_PAGES));
        }
        pages += 1;
        let request = Request::get(path).in_mailbox(mailbox);
        let answer = client.send_by(route, &request).await.map_err(|failed| failed.error)?.answer;
        let page: Page = answer.parse()?;
        next = page.next.map(|link| client.next_page(&link)).transpose()?;
        for message in page.value {
            if found.messages.len() == needed {
                found.more = true;
                return Ok(());
            }
            let checked = criteria.body.is_none()
                || serde_json::from_str::<Checked<'_>>(message.get()).is_ok_and(|message| {
                    hits.count(&message);
                    criteria.holds(&message)
                });
            let id =
                serde_json::from_str::<Identified<'_>>(message.get()).map(|message| message.id.into_owned());
            if checked && id.is_ok_and(|id| seen.insert(id)) {
                found.messages.push(message);
            }
        }
        if found.messages.len() == needed && next.is_some() {
            found.more = true;
            return Ok(());
        }
        if next.is_none() && hits.number >= MOST_HITS {
            // Newest come first, so what is missing is older.
            let oldest =
                hits.oldest.filter(|at| until.is_none_or(|until| at.date_naive() < until.date_naive()));
            until = Some(oldest.ok_or(Error::TooManyHits(MOST_HITS))?);
            next = Some(criteria.path(mailbox, needed, until)?);
            hits = Hits::default();
        }
    }
    Ok(())
}

/// What a search brought, before it was checked.
#[derive(Default)]
struct Hits {
    number: usize,
    oldest: Option<DateTime<Utc>>,
}

impl Hits {
    fn count(&mut self, message: &Checked<'_>) {
        self.number += 1;
        self.oldest = self.oldest.into_iter().chain(message.received).min();
    }
}

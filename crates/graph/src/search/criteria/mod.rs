//! The criteria of a message query: how Graph is asked for them, and whether a message meets them (Graph pages
//! "List messages", "Use the $search query parameter").

mod address_match;
mod attached;
mod check;
mod indicators;
mod url_match;
mod wildcard;

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};

use super::days::Days;
use crate::attachments;
use crate::path::{InvalidSegment, Path, literal};

pub use address_match::AddressMatch;
pub(crate) use check::{Match, Met, Verdict};
pub use indicators::{HeaderMatch, Indicators};
pub use url_match::UrlMatch;
pub use wildcard::Wildcard;

/// The properties of each message of a result.
const SELECT: &str =
    "id,subject,sender,from,hasAttachments,receivedDateTime,webLink,internetMessageId,parentFolderId,isRead";
/// The most messages Graph puts on one page.
const LARGEST_PAGE: usize = 1000;
/// The largest page of messages with their headers or the names of their attachments…
const LARGEST_PAGE_WITH_DETAILS: usize = 100;
/// …and with their bodies. Graph answers a large page of bodies with 504 (docs-contrib issue 6538).
const LARGEST_PAGE_WITH_BODIES: usize = 50;
/// So many Message-IDs are asked for in one request. How many conditions Exchange accepts is not documented; the
/// directory accepts 15.
const MESSAGE_IDS_AT_ONCE: usize = 15;
/// The folder of messages that were removed from *Deleted Items*. A list of all messages does not reach it.
pub(crate) const RECOVERABLE_ITEMS: &str = "recoverableitemsdeletions";

/// The smallest page where this program has to find the matching messages among those that Graph returns.
const PAGE_TO_CHECK: usize = 250;

/// The criteria of a message query. A message matches if it meets all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// Only in this folder: a well-known name or an id. It limits the search and is not a criterion of its own.
    pub folder: Option<String>,
    /// The sender's address, or its domain.
    pub sender: Option<AddressMatch>,
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
    /// What the message is known by.
    pub indicators: Indicators,
    /// Whether messages that were removed from *Deleted Items* count. It is not a criterion of its own.
    pub recoverable: RecoverableItems,
}

/// Whether the messages that were removed from *Deleted Items* are searched, too: those in *Recoverable Items*.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecoverableItems {
    /// They are not.
    #[default]
    Excluded,
    /// They are.
    Included,
    /// They are, for the Message-IDs that were not found elsewhere.
    WhereNotFound,
}

/// What is asked for at once in one mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Part<'a> {
    folder: Option<&'a str>,
    message_ids: Vec<&'a str>,
    /// Whether it is about *Recoverable Items*, which a mailbox may lack.
    pub(crate) is_recoverable: bool,
}

impl Part<'_> {
    /// Leaves out the Message-IDs that were found. `None` if none are left.
    pub(crate) fn without(mut self, found: &HashSet<String>) -> Option<Self> {
        let had_any = !self.message_ids.is_empty();
        self.message_ids.retain(|id| !found.contains(*id));
        (!had_any || !self.message_ids.is_empty()).then_some(self)
    }
}

impl Criteria {
    /// Whether there is no criterion, so that every message would match.
    pub fn is_empty(&self) -> bool {
        Self { folder: None, recoverable: RecoverableItems::Excluded, ..self.clone() } == Self::default()
    }

    /// Whether results name the folders of their messages. It takes further requests, which a search by the older
    /// criteria alone does not send.
    pub(crate) fn names_folders(&self) -> bool {
        !self.indicators.is_empty() || self.recoverable != RecoverableItems::Excluded
    }

    /// These criteria for the copies with these Message-IDs.
    pub(crate) fn with_message_ids(&self, ids: &[String]) -> Self {
        let mut criteria = self.clone();
        criteria.indicators.message_ids = ids.to_vec();
        criteria
    }

    /// What has to be asked for in each mailbox, one after the other.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let folder = self.folder.as_deref();
        let recoverable = self.recoverable != RecoverableItems::Excluded && folder != Some(RECOVERABLE_ITEMS);
        let folders = [Some((folder, false)), recoverable.then_some((Some(RECOVERABLE_ITEMS), true))];
        let ids = &self.indicators.message_ids;
        let ids: Vec<&[String]> =
            if ids.is_empty() { vec![&[]] } else { ids.chunks(MESSAGE_IDS_AT_ONCE).collect() };
        let ids = if self.is_search() { &ids[..1] } else { &ids };
        let part = |(folder, is_recoverable)| {
            ids.iter().map(move |ids| Part {
                folder,
                message_ids: ids.iter().map(String::as_str).collect(),
                is_recoverable,
            })
        };
        folders.into_iter().flatten().flat_map(part).collect()
    }

    /// The path of the first page of at most `page` messages of a part that match and were received on `days`.
    pub(crate) fn path(
        &self,
        mailbox: &str,
        part: &Part<'_>,
        days: Days,
        page: usize,
    ) -> Result<Path, InvalidSegment> {
        let path = Path::messages(mailbox, part.folder)?
            .option("$select", &self.select())
            .option("$top", &page.to_string());
        let path = if self.indicators.needs_attachments() {
            path.option("$expand", &format!("attachments($select={})", attachments::SELECT))
        } else {
            path
        };
        if self.is_search() {
            // Graph refuses $filter together with $search.
            return Ok(path.option("$search", &format!("\"{}\"", self.kql(days))));
        }
        let filter = self.filter(part, days);
        Ok(if filter.is_empty() { path } else { path.option("$filter", &filter) })
    }

    /// The properties that are asked for: those of a result, and those that are compared.
    fn select(&self) -> String {
        let indicators = &self.indicators;
        let compared = [
            (!indicators.recipients.is_empty()).then_some("toRecipients,ccRecipients,bccRecipients"),
            indicators.needs_headers().then_some("internetMessageHeaders"),
            (!indicators.urls.is_empty()).then_some("body"),
        ];
        std::iter::once(SELECT).chain(compared.into_iter().flatten()).collect::<Vec<_>>().join(",")
    }

    /// Whether the messages are looked up in Exchange's search index. A `$filter` knows neither words nor recipients nor
    /// the domain of a sender; where there is a Message-ID, it finds fewer messages than the index.
    pub(crate) fn is_search(&self) -> bool {
        let is_domain = matches!(self.sender, Some(AddressMatch::Domain(_)));
        let by_index = is_domain || !self.indicators.recipients.is_empty();
        self.body.is_some() || by_index && self.indicators.message_ids.is_empty()
    }

    /// The size of the pages that a search for `needed` messages begins with.
    pub(crate) fn page_size(&self, needed: usize) -> usize {
        // Where few of the messages found may match, small pages would be many.
        let needed = if self.is_checked_here() { needed.max(PAGE_TO_CHECK) } else { needed };
        let largest = if !self.indicators.urls.is_empty() {
            LARGEST_PAGE_WITH_BODIES
        } else if self.indicators.needs_headers() || self.indicators.needs_attachments() {
            LARGEST_PAGE_WITH_DETAILS
        } else {
            LARGEST_PAGE
        };
        needed.clamp(1, largest)
    }

    /// Whether there are criteria that the request does not express.
    fn is_checked_here(&self) -> bool {
        let beyond_ids = Indicators { message_ids: Vec::new(), ..self.indicators.clone() };
        !beyond_ids.is_empty()
            || self.is_search() && (self.subject.is_some() || self.has_attachments == Some(false))
    }

    /// The OData filter. The received time comes first: Graph wants it so where it sorts by it.
    fn filter(&self, part: &Part<'_>, days: Days) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        // The days are never narrower than the times that were asked for, unless the search was divided. The end of a
        // day is the beginning of the next: a message that stands in both halves is dropped once.
        let from = self.received_from.max(days.first.map(midnight));
        let end = days.last.and_then(|last| last.succ_opt()).map(midnight);
        let to = self.received_to.into_iter().chain(end).min();
        let sender = match &self.sender {
            Some(AddressMatch::Address(address)) => Some(address),
            Some(AddressMatch::Domain(_)) | None => None,
        };
        let ids = part.message_ids.iter().map(|id| format!("internetMessageId eq {}", literal(id)));
        let ids: Vec<_> = ids.collect();
        let terms = [
            from.map(|from| format!("receivedDateTime ge {}", time(from))),
            to.map(|to| format!("receivedDateTime le {}", time(to))),
            match ids.as_slice() {
                [] => None,
                [id] => Some(id.clone()),
                several => Some(format!("({})", several.join(" or "))),
            },
            sender.map(|sender| format!("from/emailAddress/address eq {}", literal(sender))),
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

    /// The search text. It holds what KQL expresses without losing a match. The subject is left out, since KQL finds
    /// only whole words, and so are names of attachments: whether the index knows those of attached messages is not
    /// documented.
    fn kql(&self, days: Days) -> String {
        let recipients = self.indicators.recipients.iter();
        let recipients: Vec<_> =
            recipients.map(|one| format!("recipients:{}", phrase(one.words()))).collect();
        let terms = [
            self.body.as_ref().map(|body| format!("body:{}", phrase(body))),
            self.sender.as_ref().map(|sender| format!("from:{}", phrase(sender.words()))),
            match recipients.as_slice() {
                [] => None,
                [one] => Some(one.clone()),
                several => Some(format!("({})", several.join(" OR "))),
            },
            days.first.map(|first| format!("received>={first}")),
            days.last.map(|last| format!("received<={last}")),
            self.has_attachments.filter(|has| *has).map(|_| "hasattachments:true".to_owned()),
        ];
        terms.into_iter().flatten().collect::<Vec<_>>().join(" AND ")
    }
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
    use super::*;

    #[test]
    fn divided_search_narrows_the_times_that_were_asked_for() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day);
        let criteria = Criteria {
            received_from: DateTime::from_timestamp(1_772_359_200, 0),
            has_attachments: Some(true),
            ..Criteria::default()
        };
        let part = &criteria.parts()[0];
        let all = criteria.filter(part, criteria.days());
        assert_eq!(all, "receivedDateTime ge 2026-03-01T10:00:00Z and hasAttachments eq true");
        let divided = criteria.filter(part, Days { first: day(4), last: day(7) });
        assert_eq!(
            divided,
            "receivedDateTime ge 2026-03-04T00:00:00Z and receivedDateTime le 2026-03-08T00:00:00Z and \
             hasAttachments eq true"
        );
    }
}

//! The search of one mailbox: page by page, and where Graph cuts a `$search` off, day by day.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{NaiveDate, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Client, Dispatch, Request};
use crate::error::Error;
use crate::search::criteria::{Checked, Criteria, Days};
use net::untrusted::json::{self, Bounded};

/// A mailbox that goes on for longer goes on for ever. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 1000;
/// Graph ends a `$search` after this many hits, without a word (Graph page "Use the $search query parameter").
const MOST_HITS: usize = 1000;

/// Graph puts no more than 1,000 messages on a page.
const MOST_ON_PAGE: usize = 10_000;
/// A search, through however many mailboxes, holds no more bytes of messages than this.
const MOST_FOUND: usize = 512 << 20;

/// What a message takes beside its text.
const BESIDE_MESSAGE: usize = 256;

/// How many bytes of messages one search may still take in, over all its mailboxes.
#[derive(Debug)]
pub(crate) struct ByteBudget(AtomicUsize);

impl Default for ByteBudget {
    fn default() -> Self {
        Self(AtomicUsize::new(MOST_FOUND))
    }
}

impl ByteBudget {
    fn take(&self, bytes: usize) -> Result<(), Error> {
        let enough = |left: usize| left.checked_sub(bytes);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough);
        taken.map(drop).map_err(|_| Error::TooMuchFound(MOST_FOUND >> 20))
    }
}

/// What was found in one mailbox.
#[derive(Debug, Default)]
pub(crate) struct MailboxHits {
    /// The messages, as Graph wrote them.
    pub(crate) messages: Vec<Box<RawValue>>,
    /// Whether the mailbox may hold more: the search ended because there were enough.
    pub(crate) more: bool,
    /// Why the search of this mailbox did not come to its end. What was found until then stands.
    pub(crate) failure: Option<Error>,
}

#[derive(Deserialize)]
pub(crate) struct Page {
    pub(crate) value: Bounded<Box<RawValue>, MOST_ON_PAGE>,
    #[serde(rename = "@odata.nextLink")]
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Identified<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Searches one mailbox for at most `needed` messages, as far as there is `room` for them.
pub(crate) async fn search_mailbox(
    client: &Client,
    route: &Dispatch,
    mailbox: &str,
    criteria: &Criteria,
    needed: usize,
    room: &ByteBudget,
) -> MailboxHits {
    let mut found = MailboxHits::default();
    found.failure = collect(client, route, mailbox, criteria, needed, room, &mut found).await.err();
    found
}

async fn collect(
    client: &Client,
    route: &Dispatch,
    mailbox: &str,
    criteria: &Criteria,
    needed: usize,
    room: &ByteBudget,
    found: &mut MailboxHits,
) -> Result<(), Error> {
    let mut search =
        MailboxSearch { client, route, mailbox, criteria, needed, room, seen: HashSet::new(), pages: 0 };
    let mut capped = None;
    // Ranges of days yet to be searched, the latest on top.
    let mut ranges = vec![criteria.days()];
    while let Some(days) = ranges.pop() {
        match search.range(days, found).await? {
            Ended::Complete => {}
            Ended::Enough => {
                found.more = true;
                return Ok(());
            }
            Ended::Capped { middle } => match days.split(middle) {
                Some([later, earlier]) => ranges.extend([earlier, later]),
                None => {
                    capped.get_or_insert(middle);
                }
            },
        }
    }
    capped.map_or(Ok(()), |day| Err(Error::SearchCapped { day }))
}

/// How the search of one range of days ended.
enum Ended {
    Complete,
    /// There is more than was needed.
    Enough,
    /// Graph cut it off; half of the hits it gave are of this day or later.
    Capped {
        middle: NaiveDate,
    },
}

/// The search of one mailbox under way.
struct MailboxSearch<'a> {
    client: &'a Client,
    route: &'a Dispatch,
    mailbox: &'a str,
    criteria: &'a Criteria,
    needed: usize,
    room: &'a ByteBudget,
    /// A mailbox changes while it is read, and a message may stand on two pages then; and ranges that were cut
    /// off are searched again in parts.
    seen: HashSet<String>,
    pages: usize,
}

impl MailboxSearch<'_> {
    async fn range(&mut self, days: Days, found: &mut MailboxHits) -> Result<Ended, Error> {
        let searching = self.criteria.body.is_some();
        let mut next = Some(self.criteria.path(self.mailbox, days, self.needed - found.messages.len())?);
        let mut hits = Vec::new();
        while let Some(path) = next {
            if self.pages == MOST_PAGES {
                return Err(Error::TooManyPages(MOST_PAGES));
            }
            self.pages += 1;
            let request = Request::get(path).in_mailbox(self.mailbox);
            let done = self.client.send_by(self.route, &request).await.map_err(|failed| failed.error)?;
            let page: Page = done.answer.parse()?;
            drop(done);
            next = page.next.map(|link| self.client.next_page(&link)).transpose()?;
            for message in page.value.0 {
                if json::is_too_deep(message.get()) {
                    let what = "a message in it is nested too deep";
                    return Err(Error::NotAnAnswer { status: 200, what, request_id: None });
                }
                if searching {
                    let Ok(checked) = serde_json::from_str::<Checked<'_>>(message.get()) else { continue };
                    hits.push(checked.received.map(|received| received.date_naive()));
                    if !self.criteria.are_met_by(&checked) {
                        continue;
                    }
                }
                let Ok(Identified { id }) = serde_json::from_str(message.get()) else { continue };
                if self.seen.contains(id.as_ref()) {
                    continue;
                }
                if found.messages.len() == self.needed {
                    return Ok(Ended::Enough);
                }
                self.room.take(message.get().len() + BESIDE_MESSAGE)?;
                self.seen.insert(id.into_owned());
                found.messages.push(message);
            }
            if found.messages.len() == self.needed && next.is_some() {
                return Ok(Ended::Enough);
            }
        }
        if !searching || hits.len() < MOST_HITS {
            return Ok(Ended::Complete);
        }
        if found.messages.len() == self.needed {
            return Ok(Ended::Enough);
        }
        hits.sort_unstable();
        let middle = hits[hits.len() / 2].or(days.last).unwrap_or_else(|| Utc::now().date_naive());
        Ok(Ended::Capped { middle })
    }
}

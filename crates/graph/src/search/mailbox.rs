//! The search of one mailbox: page by page, and where Graph cuts a `$search` off, day by day.

use std::collections::HashSet;

use chrono::{NaiveDate, Utc};

use super::byte_budget::ByteBudget;
use super::criteria::Criteria;
use super::days::Days;
use super::mailbox_hits::MailboxHits;
use super::message::Checked;
use super::page::{Identified, Page};
use crate::client::{Client, Dispatch};
use crate::error::{Error, ErrorKind};
use crate::expected::Expected;
use crate::request::Request;
use net::untrusted::json;

/// A mailbox with more pages is taken to have no end. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 1000;
/// Graph ends a `$search` after this many hits without saying so (Graph page "Use the $search query parameter").
const MOST_HITS: usize = 1000;

/// The memory that a message takes in addition to its text, in bytes.
const MESSAGE_OVERHEAD: usize = 256;

/// Searches one mailbox for at most `needed` messages, as far as the `budget` allows.
pub(super) async fn search_mailbox(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    criteria: &Criteria,
    needed: usize,
    budget: &ByteBudget,
) -> MailboxHits {
    let mut found = MailboxHits::default();
    found.failure = collect(client, dispatch, mailbox, criteria, needed, budget, &mut found).await.err();
    found
}

async fn collect(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &str,
    criteria: &Criteria,
    needed: usize,
    budget: &ByteBudget,
    found: &mut MailboxHits,
) -> Result<(), Error> {
    let mut search =
        MailboxSearch { client, dispatch, mailbox, criteria, needed, budget, seen: HashSet::new(), pages: 0 };
    let mut capped = None;
    // Ranges of days that are still to be searched, the latest on top.
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
    capped.map_or(Ok(()), |day| Err(ErrorKind::SearchCapped { day }.into()))
}

/// How the search of one range of days ended.
enum Ended {
    Complete,
    /// There are more messages than needed.
    Enough,
    /// Graph cut it off; half of the hits that it returned are of this day or later.
    Capped {
        middle: NaiveDate,
    },
}

/// The search of one mailbox under way.
struct MailboxSearch<'a> {
    client: &'a Client,
    dispatch: &'a Dispatch,
    mailbox: &'a str,
    criteria: &'a Criteria,
    needed: usize,
    budget: &'a ByteBudget,
    /// The ids of the messages found. A mailbox changes while it is read, so a message may be on two pages, and
    /// ranges that were cut off are searched again in parts.
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
                return Err(ErrorKind::TooManyPages(MOST_PAGES).into());
            }
            self.pages += 1;
            let request = Request::get(path).in_mailbox(self.mailbox).expecting(Expected::Entities);
            let completed = self.client.send_by(self.dispatch, &request).await?;
            let page: Page = completed.response.parse()?;
            drop(completed);
            next = page.next.map(|link| self.client.next_page(&link)).transpose()?;
            for message in page.value.0 {
                if json::is_too_deep(message.get()) {
                    let what = "a message in it is nested too deep";
                    return Err(ErrorKind::NotAnAnswer { status: 200, what }.into());
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
                self.budget.take(message.get().len() + MESSAGE_OVERHEAD)?;
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

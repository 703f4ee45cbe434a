//! The search of one mailbox, slice by slice: a range of days, read page by page. A mailbox that cannot answer a slice
//! is asked for smaller ones; a `$search` that Graph cuts off continues below its oldest hit.

use std::collections::HashSet;
use std::ops::ControlFlow;

use chrono::{NaiveDate, Utc};
use serde_json::value::RawValue;

use super::byte_budget::ByteBudget;
use super::criteria::{Criteria, Met, Part, RecoverableItems, Verdict};
use super::mailbox_hits::MailboxHits;
use super::message::Checked;
use super::page::Page;
use super::senders::without_x500;
use super::shown::with_matches;
use super::slice::{Slice, Spans};
use super::target::Target;
use crate::attachments::MessageAttachments;
use crate::client::{Client, Dispatch};
use crate::error::{Error, ErrorKind};
use crate::expected::Expected;
use crate::failure::Failure;
use crate::links::{Following, Links};
use crate::path::Path;
use crate::request::{Request, WHOLE_HTML};
use crate::response::Memory;
use crate::retry::RetrySafety;
use net::untrusted::json;

/// A mailbox with more pages is taken to have no end. Pages may be empty while Graph looks for matches.
const MOST_PAGES: usize = 1000;
/// Graph ends a `$search` without saying so: after 1,000 hits by the page "Use the $search query parameter", but 250
/// and 275 have been seen (microsoft-graph-docs issue 6665). A search that ends with fewer hits was not cut off.
const FEWEST_HITS_OF_CAP: usize = 250;
/// A mailbox that failed so many pages, each of them twice, is given up…
const MOST_FAILED_PAGES: usize = 30;
/// …or so many where it has not answered a single one.
const MOST_FAILED_AT_START: usize = 10;
/// So many pages are asked for smaller without a wait in between.
const SMALLER_AT_ONCE: usize = 4;
/// The memory that a message takes in addition to its text, in bytes.
const MESSAGE_OVERHEAD: usize = 256;
/// Graph's ids have some 150 bytes.
const LONGEST_ID: usize = 4096;

/// Searches one mailbox for at most `needed` messages, as far as the `budget` allows.
pub(super) async fn search_mailbox(
    client: &Client,
    dispatch: &Dispatch,
    mailbox: &Target,
    criteria: &Criteria,
    needed: usize,
    budget: &ByteBudget,
) -> MailboxHits {
    let mut search = MailboxSearch {
        client,
        dispatch,
        mailbox,
        criteria,
        needed,
        budget,
        seen: HashSet::new(),
        pages: 0,
        failed_pages: 0,
        most_hits: 0,
        undecided: 0,
        found_ids: HashSet::new(),
        hits: MailboxHits::default(),
    };
    let failure = search.run().await.err();
    let mut hits = search.hits;
    if let Some(error) = failure {
        if error.is_filter_not_applied() {
            // What Graph returned by chance is not a result.
            hits.messages.clear();
        }
        hits.failure = Some(error);
    }
    hits
}

/// How the search of one slice ended.
enum Ended {
    /// Everything was read.
    Complete,
    /// There are more messages than needed.
    Enough,
    /// Pages may be missing.
    Incomplete(Error),
    /// Graph may have cut the search off.
    Capped(Cap),
}

/// A `$search` that ended with as many hits as a search that was cut off.
struct Cap {
    oldest: NaiveDate,
    hits: usize,
}

/// A message on a page, compared with the criteria.
struct Entry {
    id: String,
    /// Its Message-ID, where Message-IDs are looked for.
    message_id: Option<String>,
    received: Option<NaiveDate>,
    verdict: Verdict,
    /// The indicators that it meets, attachments aside.
    met: Met,
    message: Box<RawValue>,
}

/// A page on which every message is what was asked for.
struct CheckedPage {
    entries: Vec<Entry>,
    next: Option<String>,
    /// The memory of the page, until its messages are kept or dropped.
    memory: Option<Memory>,
}

/// The search of one mailbox under way.
struct MailboxSearch<'a> {
    client: &'a Client,
    dispatch: &'a Dispatch,
    mailbox: &'a Target,
    criteria: &'a Criteria,
    needed: usize,
    budget: &'a ByteBudget,
    /// The ids of the messages that were read. A mailbox changes meanwhile, so a message may be on two pages, and
    /// slices overlap.
    seen: HashSet<String>,
    pages: usize,
    failed_pages: usize,
    /// The most hits of one `$search` in this mailbox: Graph does not cut off at fewer.
    most_hits: usize,
    /// Messages that only Exchange can compare with the criteria.
    undecided: usize,
    /// The Message-IDs of the messages that were found.
    found_ids: HashSet<String>,
    hits: MailboxHits,
}

impl MailboxSearch<'_> {
    async fn run(&mut self) -> Result<(), Error> {
        let mut incomplete = None;
        for part in self.criteria.parts() {
            let is_rest = part.is_recoverable && self.criteria.recoverable == RecoverableItems::WhereNotFound;
            let is_recoverable = part.is_recoverable;
            let Some(part) = (if is_rest { part.without(&self.found_ids) } else { Some(part) }) else {
                continue;
            };
            match self.search_part(&part).await {
                Ok(ControlFlow::Continue(why)) => incomplete = incomplete.or(why),
                Ok(ControlFlow::Break(())) => {
                    self.hits.more = true;
                    return Ok(());
                }
                Err(why) if is_recoverable && why.is_no_folder() => {}
                Err(why) => return Err(why),
            }
        }
        if self.undecided > 0 {
            incomplete.get_or_insert(ErrorKind::Undecided(self.undecided).into());
        }
        incomplete.map_or(Ok(()), Err)
    }

    /// Searches one part. Returns why it may be incomplete, or `Break` where there are more messages than needed.
    async fn search_part(&mut self, part: &Part<'_>) -> Result<ControlFlow<(), Option<Error>>, Error> {
        let mut incomplete = None;
        // The slices that are still to be searched, the latest on top.
        let mut slices = vec![Slice::whole(self.criteria.days(), self.criteria.page_size(self.needed))];
        let mut spans = Spans::default();
        let today = Utc::now().date_naive();
        while let Some(slice) = slices.pop() {
            if let Some(halves) = slice.halves_unasked(spans, today) {
                slices.extend(halves);
                continue;
            }
            let before = self.seen.len();
            let ended = self.search(part, slice).await;
            let is_new = self.seen.len() > before;
            let days = slice.days.number(today);
            if ended.is_ok() {
                spans.answered = spans.answered.max(days);
            }
            match ended {
                Ok(Ended::Complete) => {}
                Ok(Ended::Enough) => return Ok(ControlFlow::Break(())),
                Ok(Ended::Incomplete(why)) => drop(incomplete.get_or_insert(why)),
                Ok(Ended::Capped(cap)) => {
                    self.most_hits = self.most_hits.max(cap.hits);
                    if let Some(day) = slice.days.last.filter(|last| *last <= cap.oldest)
                        && cap.hits == self.most_hits
                    {
                        incomplete.get_or_insert(ErrorKind::SearchCapped { hits: cap.hits, day }.into());
                    }
                    slices.extend(slice.below(cap.oldest, is_new));
                }
                Err(why) if why.is_about_size() => {
                    self.failed_pages += 1;
                    let smaller = slice.smaller(today);
                    if smaller.len() > 1 {
                        spans.failed = Some(spans.failed.map_or(days, |failed| failed.min(days)));
                    }
                    if smaller.is_empty() {
                        // This day cannot be read, but others may be.
                        incomplete.get_or_insert(why);
                    } else if self.gives_up() {
                        return Err(why);
                    } else {
                        self.wait_after_failures().await;
                        slices.extend(smaller);
                    }
                }
                Err(why) => return Err(why),
            }
        }
        Ok(ControlFlow::Continue(incomplete))
    }

    /// Whether the mailbox has answered at least one page.
    fn has_answered(&self) -> bool {
        self.pages > self.failed_pages
    }

    fn gives_up(&self) -> bool {
        self.failed_pages >= if self.has_answered() { MOST_FAILED_PAGES } else { MOST_FAILED_AT_START }
    }

    /// Where smaller pages do not help and no page has come, Graph as such may be in trouble, so each further request
    /// waits longer.
    async fn wait_after_failures(&self) {
        if !self.has_answered()
            && let Some(further) = self.failed_pages.checked_sub(SMALLER_AT_ONCE + 1)
            && let Some(wait) = self.client.waits().nth(further)
        {
            tokio::time::sleep(wait).await;
        }
    }

    async fn search(&mut self, part: &Part<'_>, slice: Slice) -> Result<Ended, Error> {
        let is_search = self.criteria.is_search();
        let mut path = self.criteria.path(self.mailbox.user(), part, slice.days, slice.page)?;
        let mut links = Links::from(&path);
        // The days of all hits of a `$search`.
        let mut days = Vec::new();
        loop {
            let CheckedPage { entries, next, memory: _memory } = self.page(path).await?;
            let is_empty = entries.is_empty();
            let following = links.follow(self.client, next.as_deref())?;
            for Entry { id, message_id, received, verdict, met, message } in entries {
                // A `$filter` was applied to every message on the page. The hits of a `$search` are more than were
                // asked for: KQL compares words and days.
                if is_search {
                    days.push(received);
                }
                if !self.seen.insert(id.clone()) {
                    continue;
                }
                match (is_search, verdict) {
                    (true, Verdict::Differs) => continue,
                    (true, Verdict::Unknown) | (false, Verdict::Differs) => {
                        self.undecided += 1;
                        continue;
                    }
                    _ => {}
                }
                let message = match self.matched(&id, met, message).await {
                    Met::All(message) => message,
                    Met::NotAll => continue,
                    Met::Unknown => {
                        self.undecided += 1;
                        continue;
                    }
                };
                if self.is_full() {
                    return Ok(Ended::Enough);
                }
                self.found_ids.extend(message_id);
                let size = message.get().len() + MESSAGE_OVERHEAD;
                self.budget.take(size)?;
                self.client.memory().keep(size).await;
                self.hits.messages.push(without_x500(message));
            }
            path = match following {
                Following::Page(_) if self.is_full() => return Ok(Ended::Enough),
                Following::Page(next) => next,
                Following::Loop if !is_empty => return Ok(Ended::Incomplete(ErrorKind::PagesRepeat.into())),
                Following::Loop | Following::End => break,
            };
        }
        if days.len() < FEWEST_HITS_OF_CAP {
            return Ok(Ended::Complete);
        }
        if self.is_full() {
            return Ok(Ended::Enough);
        }
        let oldest = days.iter().flatten().min().copied().or(slice.days.last);
        let oldest = oldest.unwrap_or_else(|| Utc::now().date_naive());
        Ok(Ended::Capped(Cap { oldest, hits: days.len() }))
    }

    /// Compares the attachments of a message, and returns it as a result shows it.
    async fn matched(&self, id: &str, met: Met, message: Box<RawValue>) -> Met<Box<RawValue>> {
        if self.criteria.indicators.is_empty() {
            return Met::All(message);
        }
        let met = match met {
            Met::All(matches) => {
                let reader =
                    MessageAttachments { client: self.client, mailbox: self.mailbox.user(), message: id };
                self.criteria.indicators.met_by_attachments(reader, &message, matches).await
            }
            other => other,
        };
        met.map(|matches| with_matches(message, &matches))
    }

    fn is_full(&self) -> bool {
        self.hits.messages.len() == self.needed
    }

    /// Reads one page on which every message is what was asked for.
    async fn page(&mut self, path: Path) -> Result<CheckedPage, Error> {
        let request = Request::get(path).in_mailbox(&self.mailbox.name).retry_size_once();
        let mut request = request.expecting(Expected::Entities);
        if !self.criteria.indicators.urls.is_empty() {
            request = request.preferring(WHOLE_HTML);
        }
        let mut tries = self.client.tries(RetrySafety::Harmless);
        loop {
            if self.pages == MOST_PAGES {
                return Err(ErrorKind::TooManyPages(MOST_PAGES).into());
            }
            self.pages += 1;
            self.client.memory().ready().await;
            let mut response = self.client.send_by(self.dispatch, &request).await?.response;
            let repeated = tries.retries() > 0;
            let memory = response.memory.take();
            let checked = response.parse().and_then(|page| self.checked(page, repeated));
            // What Graph answers wrongly twice, it does not answer better the third time.
            if checked.is_err()
                && !repeated
                && let Some(wait) = tries.after(Failure::Unknown)
            {
                tokio::time::sleep(wait).await;
                continue;
            }
            return checked.map(|checked| CheckedPage { memory, ..checked });
        }
    }

    fn checked(&self, page: Page, repeated: bool) -> Result<CheckedPage, Error> {
        let is_lone = repeated && page.value.0.len() == 1 && page.next.is_none();
        let entries = page.value.0.into_iter().map(|message| self.entry(message, is_lone));
        Ok(CheckedPage { entries: entries.collect::<Result<_, _>>()?, next: page.next, memory: None })
    }

    fn entry(&self, message: Box<RawValue>, is_lone: bool) -> Result<Entry, Error> {
        if json::is_too_deep(message.get()) {
            return Err(not_an_answer("a message in it is nested too deep"));
        }
        let checked = Checked::read(&message).map_err(not_an_answer)?;
        let verdict = self.criteria.check(&checked);
        // By which rules Exchange compares subjects is not documented. So one message with another subject, listed
        // twice, does not prove that the filter was ignored; it does not count as found either.
        let is_other_subject = is_lone && self.criteria.differs_in_subject_only(&checked);
        if !self.criteria.is_search() && verdict == Verdict::Differs && !is_other_subject {
            return Err(ErrorKind::FilterNotApplied.into());
        }
        let received = checked.received_at().map(|received| received.date_naive());
        let met = self.criteria.met(&checked);
        let has_ids = !self.criteria.indicators.message_ids.is_empty();
        let message_id = checked.message_id().filter(|_| has_ids).map(str::to_owned);
        match checked.id() {
            None => Err(not_an_answer("a message in it has no id")),
            Some(id) if id.len() > LONGEST_ID => {
                Err(not_an_answer("a message in it has an id that is longer than any"))
            }
            Some(id) => Ok(Entry { id: id.into_owned(), message_id, received, verdict, met, message }),
        }
    }
}

fn not_an_answer(what: &'static str) -> Error {
    ErrorKind::NotAnAnswer { status: 200, what }.into()
}

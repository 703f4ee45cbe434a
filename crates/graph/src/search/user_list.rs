//! The tenant's users: the whole list page by page, and in a large tenant parts of it at the same time.
//!
//! The pages of one list can only be read one after another, and half a million users are 501 pages. So from the
//! fifth page on, several lists are read at once: the whole list, and parts of it by the first characters of the name.
//! Each is one page ahead. The pages are taken in turn, one of each list, so the order of the users depends on the
//! tenant alone.
//!
//! When all parts are read, the directory's count shows whether they had all users. If it differs, the whole list is
//! read to its end, as it is where Graph does not count. So a part that fails can be dropped.

use std::collections::VecDeque;
use std::future::Future;

use tokio::task::JoinHandle;
use tracing::{Instrument, debug};

use super::known_users::KnownUsers;
use super::name_range::NameRange;
use super::target::Target;
use super::users::{PAGE_SIZE, UserPages, count};
use crate::client::Client;
use crate::error::Error;

/// So many pages of a list are read before it is read in parts. Smaller tenants have no other requests.
const PAGES_ALONE: usize = 4;
/// Parts are read if more pages than these follow.
const PAGES_WORTH_PARTS: usize = 8;
/// About so many parts there are, and each takes a request if it is empty.
const REQUESTS_OF_PARTS: usize = 40;
/// So many lists are read at once. Pages of 300 ms make about 270 requests in 10 s, of one resource unit each; the
/// smallest tenant has 3,500 units (Graph page "Microsoft Graph service-specific throttling limits").
const LISTS_AT_ONCE: usize = 8;
/// So often a part is read in parts itself.
const MOST_SPLITS: usize = 100;
/// So many parts may fail before the whole list is read alone.
const MOST_FAILED: usize = 3;

/// A page of users.
type Page = Result<Vec<Target>, Error>;

/// The tenant's users, as far as they are listed.
#[derive(Debug)]
pub(super) struct UserList {
    client: Client,
    range: NameRange,
    /// The whole list, unless it has ended, and the parts that are being read.
    lists: Vec<List>,
    /// The list whose page comes next.
    turn: usize,
    /// The parts that are still to be read.
    parts: VecDeque<NameRange>,
    known: KnownUsers,
    stage: Stage,
    /// How many users are wanted.
    most: usize,
    /// Whether the whole list began again before its end, so that users may be missing.
    repeats: bool,
}

#[derive(Debug)]
enum Stage {
    /// Only the whole list is read, and nothing ahead.
    Whole { may_count: bool },
    /// The tenant may be large.
    Counting(Task<Option<usize>>),
    /// Parts are read.
    Parts(Parts),
    /// All parts are read. The count before them was another number than that of the users in them.
    CountingAgain(Task<Option<usize>>),
    /// The whole list is read to its end.
    Rest,
}

#[derive(Debug)]
struct Parts {
    /// How many users there are.
    count: usize,
    splits: usize,
    failed: usize,
    /// Whether a user has no usable name, so that only the whole list shows the user.
    needs_whole: bool,
}

/// One list of users.
#[derive(Debug)]
struct List {
    /// The part; the whole list has none.
    part: Option<NameRange>,
    /// The list while no page is being fetched.
    idle: Option<UserPages>,
    fetching: Option<Task<(UserPages, Page)>>,
    pages_read: usize,
}

impl UserList {
    /// The users whose principal name begins with `prefix`, at most about `most` of them.
    pub(super) fn new(client: &Client, prefix: &str, most: usize) -> Self {
        let range = NameRange::starting_with(prefix);
        let whole = List::new(None, UserPages::new(client, range.clone()));
        Self {
            client: client.clone(),
            range,
            lists: vec![whole],
            turn: 0,
            parts: VecDeque::new(),
            known: KnownUsers::default(),
            stage: Stage::Whole { may_count: true },
            most,
            repeats: false,
        }
    }

    /// Whether there may be more users.
    pub(super) fn has_more(&self) -> bool {
        !self.lists.is_empty() || matches!(self.stage, Stage::CountingAgain(_))
    }

    /// Whether users may be missing, since the list began again before its end.
    pub(super) fn repeats(&self) -> bool {
        self.repeats
    }

    /// The next users; none after the last one. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Page {
        loop {
            self.begin();
            match &mut self.stage {
                Stage::Counting(counting) => {
                    let count = counting.end().await;
                    self.begin_parts(count);
                }
                Stage::CountingAgain(counting) => {
                    let count = counting.end().await;
                    self.end_parts(count);
                }
                Stage::Whole { .. } | Stage::Parts(_) | Stage::Rest => {}
            }
            let Some(list) = self.lists.get_mut(self.turn) else { return Ok(Vec::new()) };
            let (pages, page) = list.page().await;
            let users =
                if list.part.is_some() { self.take_part(pages, page) } else { self.take(pages, page)? };
            if matches!(self.stage, Stage::Parts(_) | Stage::CountingAgain(_) | Stage::Rest) {
                self.begin();
            }
            if !users.is_empty() || self.lists.is_empty() {
                return Ok(users);
            }
        }
    }

    /// Begins to fetch the next page of each list, and to count the users of a tenant that may be large.
    fn begin(&mut self) {
        let is_long = self.lists.iter().any(|list| list.pages_read == PAGES_ALONE);
        let is_wanted = self.most.saturating_sub(self.known.len()) > PAGES_WORTH_PARTS * PAGE_SIZE;
        if is_long && is_wanted && matches!(self.stage, Stage::Whole { may_count: true }) {
            self.stage = Stage::Counting(self.count());
        }
        self.lists.iter_mut().for_each(List::begin);
    }

    fn count(&self) -> Task<Option<usize>> {
        let (client, range) = (self.client.clone(), self.range.clone());
        Task::start(async move {
            let counted = count(&client, &range).await;
            counted
                .inspect_err(|error| debug!(error = error.for_log(), "users not counted"))
                .unwrap_or_default()
        })
    }

    /// Begins to read parts if the tenant has so many users that these are worth their requests.
    fn begin_parts(&mut self, count: Option<usize>) {
        let count = count.unwrap_or_default();
        if count.saturating_sub(self.known.len()) <= PAGES_WORTH_PARTS * PAGE_SIZE {
            self.stage = Stage::Whole { may_count: false };
            return;
        }
        self.stage = Stage::Parts(Parts { count, splits: 0, failed: 0, needs_whole: false });
        self.parts = self.range.split().into();
        self.fill();
        self.begin();
    }

    /// Ends the list if its users are as many as the directory counts now. The directory's index can lag, and users come
    /// and go meanwhile.
    fn end_parts(&mut self, count: Option<usize>) {
        self.stage = Stage::Rest;
        if count == Some(self.known.len()) {
            self.lists.clear();
            self.repeats = false;
        } else {
            debug!(listed = self.known.len(), count, "users counted differ, reading the whole list");
        }
    }

    /// Takes a page of the whole list.
    fn take(&mut self, pages: UserPages, page: Page) -> Page {
        self.repeats |= pages.repeats;
        let (repeats, has_more) = (pages.repeats, pages.has_more());
        let list = &mut self.lists[self.turn];
        list.idle = Some(pages);
        list.pages_read += 1;
        let mut users = page?;
        users.retain(|user| user.is_unusable || self.known.add(user));
        if has_more {
            self.turn = (self.turn + 1) % self.lists.len();
        } else if repeats {
            // The parts may have what it does not show.
            self.remove();
        } else {
            self.lists.clear();
            self.parts.clear();
            self.stage = Stage::Rest;
        }
        Ok(users)
    }

    /// Takes a page of a part.
    fn take_part(&mut self, pages: UserPages, page: Page) -> Vec<Target> {
        self.lists[self.turn].pages_read += 1;
        let is_worth_parts = self.is_worth_parts();
        let Stage::Parts(parts) = &mut self.stage else { return Vec::new() };
        let list = &mut self.lists[self.turn];
        let mut users = match page {
            Ok(users) => users,
            Err(error) => {
                debug!(error = error.for_log(), "a part of the list of users is left to the whole list");
                parts.failed += 1;
                if parts.failed > MOST_FAILED {
                    self.parts.clear();
                    self.lists.retain(|list| list.part.is_none());
                    self.turn = 0;
                    self.stage = Stage::Rest;
                } else {
                    self.remove();
                }
                return Vec::new();
            }
        };
        parts.needs_whole |= users.iter().any(|user| user.is_unusable);
        users.retain(|user| !user.is_unusable && self.known.add(user));
        if !pages.has_more() {
            self.remove();
        } else if is_worth_parts && let Some(part) = &list.part {
            parts.splits += 1;
            self.parts = part.split().into();
            self.remove();
            self.fill();
        } else {
            list.idle = Some(pages);
            self.turn = (self.turn + 1) % self.lists.len();
        }
        users
    }

    /// Whether the part whose turn it is would be read sooner in parts itself: these have all of its users again, and
    /// more requests, but several at once. The users that are not listed yet are taken to be spread evenly.
    fn is_worth_parts(&self) -> bool {
        let read = self.lists[self.turn].pages_read;
        let idle = LISTS_AT_ONCE.saturating_sub(self.lists.len());
        let Stage::Parts(Parts { count, splits, .. }) = self.stage else { return false };
        if !self.parts.is_empty() || idle == 0 || read < PAGES_ALONE || splits >= MOST_SPLITS {
            return false;
        }
        let under_way = self.lists.iter().filter(|list| list.part.is_some()).count();
        let left = count.saturating_sub(self.known.len()) / PAGE_SIZE / under_way.max(1);
        let in_parts = (read + left + REQUESTS_OF_PARTS) / (idle + 1);
        in_parts * 3 < left * 2
    }

    /// Ends the list whose turn it is, and begins the next part in its place.
    fn remove(&mut self) {
        if let Some(part) = self.parts.pop_front() {
            self.lists[self.turn] = self.list_of(part);
            self.turn += 1;
        } else {
            self.lists.remove(self.turn);
        }
        if self.turn >= self.lists.len() {
            self.turn = 0;
        }
        if self.lists.iter().any(|list| list.part.is_some()) {
            return;
        }
        if let Stage::Parts(Parts { count, needs_whole, .. }) = self.stage {
            if needs_whole || self.known.len() == count {
                self.end_parts((!needs_whole).then_some(count));
            } else {
                self.stage = Stage::CountingAgain(self.count());
            }
        }
    }

    /// Begins parts until as many lists are read as may be at once.
    fn fill(&mut self) {
        while self.lists.len() < LISTS_AT_ONCE
            && let Some(part) = self.parts.pop_front()
        {
            let list = self.list_of(part);
            self.lists.push(list);
        }
    }

    fn list_of(&self, part: NameRange) -> List {
        let pages = UserPages::new(&self.client, part.clone());
        List::new(Some(part), pages)
    }
}

impl List {
    fn new(part: Option<NameRange>, pages: UserPages) -> Self {
        Self { part, idle: Some(pages), fetching: None, pages_read: 0 }
    }

    /// Begins to fetch the next page, unless that has begun.
    fn begin(&mut self) {
        if let Some(mut pages) = self.idle.take() {
            self.fetching = Some(Task::start(async move {
                let page = pages.next().await;
                (pages, page)
            }));
        }
    }

    /// The page that is being fetched. Dropping the future loses nothing.
    async fn page(&mut self) -> (UserPages, Page) {
        self.begin();
        match &mut self.fetching {
            Some(fetching) => {
                let fetched = fetching.end().await;
                self.fetching = None;
                fetched
            }
            // A list is idle or fetches a page.
            None => std::future::pending().await,
        }
    }
}

/// A task of its own, so that it goes on while its owner does something else. It ends with its owner.
#[derive(Debug)]
struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    fn start(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work.in_current_span()))
    }

    /// Waits for its end, which is reported once. Dropping the future loses nothing.
    async fn end(&mut self) -> T {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Only the end of the runtime cancels it, which ends this task as well.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

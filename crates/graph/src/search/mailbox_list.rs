//! The mailboxes of one search: a list, or the tenant's users page by page, both ended at `max_users`.

use super::scope::{Copies, SearchScope};
use super::target::Target;
use super::user_list::UserList;
use crate::client::Client;
use crate::error::{Error, ErrorKind};

/// A list of at most this many mailboxes is asked one by one, without the detour through `$batch`.
const FEW: usize = 4;

/// The list of mailboxes, as far as it is known.
pub(super) struct MailboxList {
    listed: Vec<Target>,
    users: Option<UserList>,
    /// Whether the list of users began again before its end.
    repeats: bool,
    /// How many mailboxes may still be admitted.
    left: usize,
    /// Whether there were more than `max_users`.
    pub(super) cut: bool,
    /// How many mailboxes were listed by the end of each page, those beyond `max_users` included.
    page_ends: Vec<usize>,
}

impl MailboxList {
    pub(super) fn new(client: &Client, scope: SearchScope, max_users: usize) -> Self {
        match scope {
            SearchScope::Listed(listed) => {
                Self::of(listed.into_iter().map(Target::typed).collect(), None, max_users)
            }
            SearchScope::Tenant { prefix } => {
                Self::of(Vec::new(), Some(UserList::new(client, &prefix, max_users)), max_users)
            }
        }
    }

    /// The mailboxes of recipients.
    pub(super) fn of_recipients(copies: Vec<Copies>) -> Self {
        Self::of(copies.into_iter().map(Target::of_recipient).collect(), None, usize::MAX)
    }

    fn of(listed: Vec<Target>, users: Option<UserList>, max_users: usize) -> Self {
        Self { listed, users, repeats: false, left: max_users, cut: false, page_ends: Vec::new() }
    }

    pub(super) fn is_short(&self) -> bool {
        self.users.is_none() && self.listed.len() <= FEW
    }

    /// The mailboxes that are known without a request.
    pub(super) fn start(&mut self) -> Vec<Target> {
        let listed = std::mem::take(&mut self.listed);
        self.admit(listed)
    }

    pub(super) fn has_more(&self) -> bool {
        self.users.as_ref().is_some_and(UserList::has_more)
    }

    /// The next page. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Vec<Target>, Error> {
        let Some(users) = &mut self.users else { return Ok(Vec::new()) };
        let page = users.next().await;
        self.repeats = users.repeats();
        let admitted = self.admit(page?);
        if self.left == 0 && self.has_more() {
            // To know whether the rest of the list is empty would cost a request.
            self.cut = true;
            self.users = None;
        }
        Ok(admitted)
    }

    fn admit(&mut self, mut mailboxes: Vec<Target>) -> Vec<Target> {
        self.page_ends.push(self.page_ends.last().unwrap_or(&0) + mailboxes.len());
        self.cut |= mailboxes.len() > self.left;
        mailboxes.truncate(self.left);
        self.left -= mailboxes.len();
        if self.cut {
            self.users = None;
        }
        mailboxes
    }

    /// Whether each mailbox was asked for by name.
    pub(super) fn is_by_name(&self) -> bool {
        self.users.is_none()
    }

    /// Why there may be more users than were listed.
    pub(super) fn failure(&self) -> Option<Error> {
        self.repeats.then(|| ErrorKind::PagesRepeat.into())
    }

    /// How many mailboxes follow the first `searched` on the page that holds the last of these.
    pub(super) fn rest_of_page(&self, searched: usize) -> usize {
        let end = self.page_ends.iter().find(|end| **end >= searched);
        end.map_or(0, |end| end - searched)
    }
}

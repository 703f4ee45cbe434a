//! The mailboxes of a scope, without a search.

use super::mailbox_list::MailboxList;
use super::scope::SearchScope;
use super::target::Target;
use crate::client::Client;
use crate::error::Error;

/// The mailboxes of a scope.
#[derive(Debug)]
pub struct Mailboxes {
    /// The names, each with the directory's id where it is known.
    pub named: Vec<(String, Option<String>)>,
    /// Whether there are more than were asked for.
    pub is_cut: bool,
    /// Why there may be more than are listed.
    pub failure: Option<Error>,
}

/// Lists the mailboxes of `scope`, at most `max_users` of them.
///
/// # Errors
/// The users cannot be listed.
pub async fn list_mailboxes(
    client: &Client,
    scope: SearchScope,
    max_users: usize,
) -> Result<Mailboxes, Error> {
    let mut list = MailboxList::new(client, scope, max_users);
    let mut targets = list.start();
    while list.has_more() {
        targets.extend(list.next().await?);
    }
    let named = targets.into_iter().filter(|target| !target.is_unusable);
    let named = named.map(|Target { name, id, .. }| (name, id)).collect();
    Ok(Mailboxes { named, is_cut: list.cut, failure: list.failure() })
}

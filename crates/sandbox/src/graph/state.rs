//! A tenant's state: what the seed defines, and what changed since, behind one lock that is held briefly.

use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::base::Base;
use super::changes::{Changes, MailboxChanges};
use super::folder::Folder;
use super::generate::Origin;
use super::identifier::{Key, Named};
use super::message::{Item, Message, Text};
use super::refusal::Refusal;

/// A tenant's state, shared by all requests.
#[derive(Debug)]
pub(super) struct State {
    pub(super) base: Base,
    changes: Mutex<Changes>,
}

impl State {
    pub(super) fn new(base: Base) -> Self {
        Self { base, changes: Mutex::default() }
    }

    pub(super) fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock()
    }

    /// The mailbox of a user, as Exchange finds it.
    pub(super) fn mailbox(&self, user: &str) -> Result<u32, Refusal> {
        let number = self.base.directory.find(user).ok_or_else(|| Refusal::invalid_user(user))?;
        if self.base.directory.has_mailbox(number) {
            return Ok(number);
        }
        let mut changes = self.changes();
        let times = changes.refused.entry(number).or_default();
        *times += 1;
        Err(Refusal::no_mailbox(user, number as usize + *times))
    }

    /// The folder that a request names, if it names one.
    pub(super) fn folder(&self, mailbox: u32, name: Option<&str>) -> Result<Option<Folder>, Refusal> {
        name.map(|name| self.folder_named(mailbox, name)).transpose()
    }

    /// The folder that has this well-known name or id.
    pub(super) fn folder_named(&self, mailbox: u32, name: &str) -> Result<Folder, Refusal> {
        Folder::named(name, self.base.ids, mailbox)?
            .filter(|folder| !(folder.is_optional() && mailbox.is_multiple_of(2)))
            .ok_or_else(|| {
                if mailbox.is_multiple_of(4) {
                    Refusal::folder_not_found()
                } else {
                    Refusal::item_not_found()
                }
            })
    }

    /// The messages of a mailbox or of one of its folders, newest first. Recoverable messages are listed only in their
    /// own folder.
    pub(super) fn items(&self, mailbox: u32, folder: Option<Folder>) -> Vec<Item> {
        let generator = &self.base.generator;
        let changes = self.changes();
        let own = changes.mailboxes.get(&mailbox);
        let now = Instant::now();
        let mut items: Vec<Item> = generator
            .origins(mailbox)
            .filter(|origin| !own.is_some_and(|own| own.gone.contains(&Key::Original(*origin))))
            .map(|origin| self.original(mailbox, origin, own))
            .chain(own.into_iter().flat_map(|own| own.added.values().cloned()))
            .filter(|item| item.listed_from.is_none_or(|from| from <= now))
            .filter(|item| match folder {
                Some(folder) => item.folder == folder,
                None => item.folder != Folder::RECOVERABLE,
            })
            .collect();
        drop(changes);
        items.sort_by_key(|item| (std::cmp::Reverse(item.received), item.key));
        items
    }

    /// One message, in any folder, or only in `folder`.
    pub(super) fn item(&self, mailbox: u32, folder: Option<Folder>, id: &str) -> Result<Item, Refusal> {
        self.item_in(&self.changes(), mailbox, folder, id)
    }

    /// Like [`State::item`], for a caller that already holds the lock.
    pub(super) fn item_in(
        &self,
        changes: &Changes,
        mailbox: u32,
        folder: Option<Folder>,
        id: &str,
    ) -> Result<Item, Refusal> {
        let own = changes.mailboxes.get(&mailbox);
        let named = self.base.ids.named(mailbox, id).map_err(|_| Refusal::malformed_id())?;
        let item = match named.ok_or_else(Refusal::item_not_found)? {
            Named::Place(key) => self.item_at(mailbox, key, own),
            Named::Root(root) => self.item_at(mailbox, root, own).or_else(|| moved(root, folder, own?)),
        };
        item.filter(|item| folder.is_none_or(|folder| item.folder == folder))
            .ok_or_else(Refusal::item_not_found)
    }

    /// The message that lies at `key`.
    fn item_at(&self, mailbox: u32, key: Key, own: Option<&MailboxChanges>) -> Option<Item> {
        match key {
            Key::Added(number) => own?.added.get(&number).cloned(),
            Key::Original(origin) => {
                let gone = own.is_some_and(|own| own.gone.contains(&key));
                let exists = !gone && self.base.generator.exists(mailbox, origin);
                exists.then(|| self.original(mailbox, origin, own))
            }
        }
    }

    /// A message that is still where the seed put it.
    fn original(&self, mailbox: u32, origin: Origin, own: Option<&MailboxChanges>) -> Item {
        let generator = &self.base.generator;
        let key = Key::Original(origin);
        Item {
            key,
            root: key,
            received: generator.received(mailbox, origin),
            folder: generator.folder(mailbox, origin),
            text: Text::Original(origin),
            properties: own.map(|own| own.properties(key)).unwrap_or_default(),
            since: None,
            listed_from: None,
        }
    }

    /// A message as a response shows it, with its default id.
    pub(super) fn look<'a>(&'a self, mailbox: u32, item: &'a Item) -> Message<'a> {
        Message { base: &self.base, mailbox, item }
    }
}

/// The message whose first place was `root` and which was moved since. Recoverable Items are not part of `/messages`,
/// so a deleted message is only found where the request names that folder.
fn moved(root: Key, folder: Option<Folder>, own: &MailboxChanges) -> Option<Item> {
    let now = Instant::now();
    let found =
        own.added.values().find(|item| item.root == root && item.listed_from.is_none_or(|from| from <= now));
    found.filter(|item| item.folder != Folder::RECOVERABLE || folder == Some(Folder::RECOVERABLE)).cloned()
}

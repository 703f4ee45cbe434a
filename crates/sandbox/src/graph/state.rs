//! A tenant's state: what the seed defines, and what changed since, behind one lock that is held briefly.

use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::base::Base;
use super::calendar::associated;
use super::changes::{Changes, MailboxChanges};
use super::folder::Folder;
use super::generate::Origin;
use super::identifier::{Key, Named};
use super::message::{Item, Message, Text};
use super::refusal::Refusal;
use super::view::View;

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
        self.folder_named_in(&self.changes(), mailbox, name)
    }

    /// Like [`State::folder_named`], for a caller that already holds the lock.
    pub(super) fn folder_named_in(
        &self,
        changes: &Changes,
        mailbox: u32,
        name: &str,
    ) -> Result<Folder, Refusal> {
        changes.folders(mailbox).named(name, self.base.ids)?.ok_or_else(|| {
            if mailbox.is_multiple_of(4) { Refusal::folder_not_found() } else { Refusal::item_not_found() }
        })
    }

    /// The messages of a mailbox or of one of its folders, newest first. Recoverable messages are listed only in their
    /// own folder. Those in hidden folders are listed with the others: "List messages" includes Clutter, which the
    /// example of "List mailFolders" shows as hidden; no page excludes hidden folders.
    pub(super) fn items(&self, mailbox: u32, folder: Option<Folder>) -> Vec<Item> {
        self.items_in(&self.changes(), mailbox, folder)
    }

    /// Like [`State::items`], for a caller that already holds the lock.
    pub(super) fn items_in(&self, changes: &Changes, mailbox: u32, folder: Option<Folder>) -> Vec<Item> {
        let own = changes.mailboxes.get(&mailbox);
        let folders = changes.folders(mailbox);
        let hidden: Vec<Folder> = if changes.hidden_folders_unlisted {
            folders.all().map(|(folder, _)| folder).filter(|folder| folders.is_hidden(*folder)).collect()
        } else {
            Vec::new()
        };
        let mut items = self.all_items(mailbox, own);
        items.retain(|item| match folder {
            Some(folder) => item.folder == folder,
            None => item.folder != Folder::RECOVERABLE && !hidden.contains(&item.folder),
        });
        items
    }

    /// The messages in all folders of a mailbox, newest first.
    pub(super) fn all_items(&self, mailbox: u32, own: Option<&MailboxChanges>) -> Vec<Item> {
        let generator = &self.base.generator;
        let now = Instant::now();
        let mut items: Vec<Item> = generator
            .origins(mailbox)
            .filter(|origin| !own.is_some_and(|own| own.gone.contains(&Key::Original(*origin))))
            .map(|origin| self.original(mailbox, origin, own))
            .chain(own.into_iter().flat_map(|own| own.added.values().cloned()))
            .filter(|item| item.listed_from.is_none_or(|from| from <= now))
            .collect();
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
        let (item, named) = self.item_anywhere(changes, mailbox, id)?;
        let is_found = match folder {
            Some(folder) => item.folder == folder,
            // Recoverable Items are not part of `/messages`. Graph does not document whether the immutable id of a
            // deleted message finds it there without the folder.
            None => {
                matches!(named, Named::Place(_))
                    || item.folder != Folder::RECOVERABLE
                    || changes.recoverable_by_id
            }
        };
        if is_found { Ok(item) } else { Err(Refusal::item_not_found()) }
    }

    /// One message in any folder, and how the id names it.
    pub(super) fn item_anywhere(
        &self,
        changes: &Changes,
        mailbox: u32,
        id: &str,
    ) -> Result<(Item, Named), Refusal> {
        let own = changes.mailboxes.get(&mailbox);
        let named = self.base.ids.named(mailbox, id).map_err(|_| Refusal::malformed_id())?;
        let named = named.ok_or_else(Refusal::item_not_found)?;
        let item = match named {
            Named::Place(key) => self.item_at(mailbox, key, own),
            Named::Root(root) => self.item_at(mailbox, root, own).or_else(|| moved(root, own?)),
        };
        Ok((item.ok_or_else(Refusal::item_not_found)?, named))
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
            marks: own.map(|own| own.marks(key)).unwrap_or_default(),
            since: None,
            listed_from: None,
        }
    }

    /// Appends a message as JSON, with `context` as `@odata.context` if the message is the whole response.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        mailbox: u32,
        item: &Item,
        view: &View,
        context: Option<&str>,
    ) {
        let event =
            if view.expand.event { associated(self, &self.changes(), mailbox, item, view.ids) } else { None };
        self.look(mailbox, item).write(out, view, context, event.as_ref());
    }

    /// A message as a response shows it, with its default id.
    pub(super) fn look<'a>(&'a self, mailbox: u32, item: &'a Item) -> Message<'a> {
        Message { base: &self.base, mailbox, item }
    }
}

/// The message whose first place was `root` and which was moved since.
fn moved(root: Key, own: &MailboxChanges) -> Option<Item> {
    let now = Instant::now();
    let found =
        own.added.values().find(|item| item.root == root && item.listed_from.is_none_or(|from| from <= now));
    found.cloned()
}

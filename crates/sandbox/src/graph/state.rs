//! What a tenant is made of (never changes) and what happened to it since (one lock, held for short).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::base::Base;
use super::changes::Changes;
use super::folder::Folder;
use super::identifier::{self, Key};
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
        // A panic elsewhere leaves nothing half done here that another request could not live with.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mailbox of a user, as Exchange finds it.
    pub(super) fn mailbox(&self, user: &str) -> Result<u32, Refusal> {
        let number = self.base.directory.find(user).ok_or_else(|| {
            Refusal::new(404, "ErrorInvalidUser", format!("The requested user '{user}' is invalid."))
        })?;
        if self.base.directory.has_mailbox(number) {
            Ok(number)
        } else {
            Err(Refusal::new(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            ))
        }
    }

    /// The folder a request names, if it names one.
    pub(super) fn folder(&self, mailbox: u32, name: Option<&str>) -> Result<Option<Folder>, Refusal> {
        name.map(|name| Folder::named(name, self.base.generator.seed, mailbox)).transpose()
    }

    /// The messages of a mailbox or of one of its folders, newest first. What can be recovered only is listed
    /// only where it lies.
    pub(super) fn items(&self, mailbox: u32, folder: Option<Folder>) -> Vec<Item> {
        let generator = &self.base.generator;
        let changes = self.changes();
        let own = changes.mailboxes.get(&mailbox);
        let now = Instant::now();
        let mut items: Vec<Item> = generator
            .origins(mailbox)
            .filter(|origin| !own.is_some_and(|own| own.gone.contains(&Key::Original(*origin))))
            .map(|origin| Item {
                key: Key::Original(origin),
                received: generator.received(mailbox, origin),
                folder: generator.folder(mailbox, origin),
                text: Text::Original(origin),
                properties: own.map(|own| own.properties(Key::Original(origin))).unwrap_or_default(),
                listed_from: None,
            })
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

    /// One message, wherever it lies, or in the folder named.
    pub(super) fn item(&self, mailbox: u32, folder: Option<Folder>, id: &str) -> Result<Item, Refusal> {
        self.item_in(&self.changes(), mailbox, folder, id)
    }

    /// Like [`State::item`], for who holds the lock already and is about to change something.
    pub(super) fn item_in(
        &self,
        changes: &Changes,
        mailbox: u32,
        folder: Option<Folder>,
        id: &str,
    ) -> Result<Item, Refusal> {
        let generator = &self.base.generator;
        let key = identifier::message_key(generator.seed, mailbox, id)
            .map_err(|_| Refusal::malformed_id())?
            .ok_or_else(Refusal::item_not_found)?;
        let own = changes.mailboxes.get(&mailbox);
        let item = match key {
            Key::Added(number) => own.and_then(|own| own.added.get(&number).cloned()),
            Key::Original(origin) => {
                let gone = own.is_some_and(|own| own.gone.contains(&key));
                (!gone && generator.exists(mailbox, origin)).then(|| Item {
                    key,
                    received: generator.received(mailbox, origin),
                    folder: generator.folder(mailbox, origin),
                    text: Text::Original(origin),
                    properties: own.map(|own| own.properties(key)).unwrap_or_default(),
                    listed_from: None,
                })
            }
        };
        item.filter(|item| folder.is_none_or(|folder| item.folder == folder))
            .ok_or_else(Refusal::item_not_found)
    }

    pub(super) fn look<'a>(&'a self, mailbox: u32, item: &'a Item) -> Message<'a> {
        Message { base: &self.base, mailbox, item }
    }
}

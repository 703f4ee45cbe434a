//! What a tenant is made of (never changes) and what happened to it since (one lock, held for short).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answer::Refusal;
use super::directory::Directory;
use super::folder::Folder;
use super::generate::Generator;
use super::identifier::{self, Key};
use super::message::{Item, Message, Text, Written};
use super::upload::Session;

/// What the seed says.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) directory: Directory,
    pub(super) generator: Generator,
    /// `https://127.0.0.1:PORT`
    pub(super) origin: String,
    /// `https://127.0.0.1:PORT/v1.0`
    pub(super) root: String,
    /// The length of a message's MIME form, where it is set for all.
    pub(super) mime_bytes: Option<u64>,
}

/// What happened since: only what differs from the seed is kept.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) mailboxes: HashMap<u32, MailboxChanges>,
    pub(super) deleted: Vec<Deleted>,
    pub(super) moved: Vec<Moved>,
    pub(super) sent: Vec<super::SentMail>,
    pub(super) users_deleted: Vec<String>,
    pub(super) sessions: HashMap<String, Session>,
    /// Organizer and time zone, where it differs from what the seed says.
    pub(super) time_zones: HashMap<u32, Option<String>>,
    pub(super) mime_bytes: HashMap<(u32, Key), u64>,
    pub(super) written: u64,
    /// How long it takes until what was sent is listed in Sent Items.
    pub(super) sent_items_lag: Duration,
}

/// What happened to one mailbox.
#[derive(Debug, Default)]
pub(super) struct MailboxChanges {
    gone: HashSet<Key>,
    added: BTreeMap<u32, Item>,
    next: u32,
    /// Extended properties of messages that lie where the seed put them.
    marked: HashMap<Key, Vec<(String, String)>>,
    pub(super) events: Vec<super::calendar::Event>,
}

/// A message that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Whose mailbox: the userPrincipalName.
    pub mailbox: String,
    /// The id it had.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// Whether it was by `permanentDelete`, after which nobody can recover it.
    pub permanently: bool,
}

/// A message that was moved to another folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Whose mailbox: the userPrincipalName.
    pub mailbox: String,
    /// The id it had.
    pub id: String,
    /// The id it has now.
    pub new_id: String,
    /// The well-known name of the folder it lies in now.
    pub folder: &'static str,
}

impl MailboxChanges {
    /// Puts a message into the mailbox, under a key of its own.
    pub(super) fn add(&mut self, received: i64, folder: Folder, text: Text) -> Item {
        let properties = match &text {
            Text::Written(written) => written.properties.clone(),
            Text::Original(_) => Vec::new(),
        };
        let key = Key::Added(self.next);
        let item = Item { key, received, folder, text, properties, listed_from: None };
        self.added.insert(self.next, item.clone());
        self.next += 1;
        item
    }

    pub(super) fn remove(&mut self, key: Key) {
        match key {
            Key::Added(number) => {
                self.added.remove(&number);
            }
            Key::Original(_) => {
                self.gone.insert(key);
            }
        }
    }

    /// Sets an extended property of a message.
    pub(super) fn mark(&mut self, key: Key, id: String, value: String) {
        let properties = match key {
            Key::Added(number) => self.added.get_mut(&number).map(|item| &mut item.properties),
            Key::Original(_) => Some(self.marked.entry(key).or_default()),
        };
        if let Some(properties) = properties {
            properties.retain(|(known, _)| *known != id);
            properties.push((id, value));
        }
    }

    /// Lets lists show a message that was put here from a moment on only.
    pub(super) fn list_from(&mut self, key: Key, from: Instant) {
        if let Key::Added(number) = key
            && let Some(item) = self.added.get_mut(&number)
        {
            item.listed_from = Some(from);
        }
    }

    fn properties(&self, key: Key) -> Vec<(String, String)> {
        self.marked.get(&key).cloned().unwrap_or_default()
    }

    /// Changes a message that was written here.
    pub(super) fn edit(&mut self, key: Key, change: impl FnOnce(&mut Written)) {
        if let Key::Added(number) = key
            && let Some(Item { text: Text::Written(written), .. }) = self.added.get_mut(&number)
        {
            change(Arc::make_mut(written));
        }
    }
}

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

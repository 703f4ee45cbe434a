//! What happened to a tenant since its start. Only what differs from the seed is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::calendar::{Calendar, Outgoing};
use super::folder::Folder;
use super::folders::{FolderChanges, Folders};
use super::identifier::Key;
use super::mail_flow::MailFlow;
use super::mailbox_items::ImportSession;
use super::marks::Marks;
use super::message::{Item, Text, Written};
use super::options::{Address, Attachment};

/// What happened since the start.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) mailboxes: HashMap<u32, MailboxChanges>,
    pub(super) deleted: Vec<Deleted>,
    pub(super) moved: Vec<Moved>,
    pub(super) sent: Vec<SentMail>,
    /// All that mailboxes sent.
    pub(super) outbox: Vec<Outgoing>,
    pub(super) users_deleted: Vec<String>,
    pub(super) sessions: HashMap<String, UploadSession>,
    /// Sessions that import items, by their tokens.
    pub(super) imports: HashMap<String, ImportSession>,
    /// The time zones that differ from those that the seed defines.
    pub(super) time_zones: HashMap<u32, Option<String>>,
    pub(super) mime_bytes: HashMap<(u32, Key), u64>,
    /// How often each user without a mailbox was asked for mail.
    pub(super) refused: HashMap<u32, usize>,
    pub(super) written: u64,
    /// How long it takes until sent mail appears in Sent Items.
    pub(super) sent_items_lag: Duration,
    /// Whether `/messages` leaves out what is in hidden folders.
    pub(super) hidden_folders_unlisted: bool,
    /// Whether an id finds a message in Recoverable Items, although the request does not name that folder.
    pub(super) recoverable_by_id: bool,
    /// The mail that went through the tenant since the start.
    pub(super) flow: MailFlow,
}

impl Changes {
    /// The folders of a mailbox.
    pub(super) fn folders(&self, mailbox: u32) -> Folders<'_> {
        Folders { mailbox, changes: self.mailboxes.get(&mailbox).map(|own| &own.folders) }
    }
}

impl Changes {
    /// Forgets what happened to messages and events. Numbers of messages, events and folders are not used again.
    pub(super) fn forget(&mut self) {
        self.mailboxes.values_mut().for_each(MailboxChanges::forget);
        self.deleted.clear();
        self.moved.clear();
        self.sent.clear();
        self.outbox.clear();
        self.sessions.clear();
        self.imports.clear();
        self.mime_bytes.clear();
        self.flow.passages.clear();
        self.flow.clicks.clear();
        self.flow.post_delivery.clear();
    }
}

/// What happened to one mailbox.
#[derive(Debug, Default)]
pub(super) struct MailboxChanges {
    pub(super) gone: HashSet<Key>,
    pub(super) added: BTreeMap<u32, Item>,
    next: u32,
    /// What was changed in messages that are still where the seed put them.
    marked: HashMap<Key, Marks>,
    pub(super) folders: FolderChanges,
    pub(super) calendar: Calendar,
}

/// A message that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The mailbox owner's userPrincipalName.
    pub mailbox: String,
    /// The default id it had.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// Whether it was deleted by `permanentDelete`, after which it cannot be recovered.
    pub permanently: bool,
}

/// A message that was moved to another folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The mailbox owner's userPrincipalName.
    pub mailbox: String,
    /// The default id it had.
    pub id: String,
    /// The default id it has now.
    pub new_id: String,
    /// The well-known name of the folder it was in, or the folder's display name.
    pub from: &'static str,
    /// The well-known name of the folder it is in now, or the folder's display name.
    pub folder: &'static str,
}

impl MailboxChanges {
    fn forget(&mut self) {
        self.gone.clear();
        self.added.clear();
        self.marked.clear();
        self.calendar.clear();
    }

    /// Adds a message to the mailbox.
    pub(super) fn add(&mut self, received: i64, folder: Folder, text: Text) -> Item {
        self.add_from(received, folder, text, None)
    }

    /// Adds a message that is in its folder from a moment on.
    pub(super) fn add_from(
        &mut self,
        received: i64,
        folder: Folder,
        text: Text,
        listed_from: Option<Instant>,
    ) -> Item {
        let marks = match &text {
            Text::Written(written) => Marks { properties: written.properties.clone(), ..Marks::default() },
            Text::Original(_) => Marks::default(),
        };
        let key = self.next_key();
        let since = Some(Instant::now());
        self.put(Item { key, root: key, received, folder, text, marks, since, listed_from })
    }

    /// Moves a message to a folder. It gets a new default id and keeps its immutable one.
    pub(super) fn relocate(&mut self, item: Item, folder: Folder) -> Item {
        self.remove(item.key);
        let key = self.next_key();
        self.put(Item { key, folder, ..item })
    }

    fn next_key(&mut self) -> Key {
        self.next += 1;
        Key::Added(self.next - 1)
    }

    fn put(&mut self, item: Item) -> Item {
        if let Key::Added(number) = item.key {
            self.added.insert(number, item.clone());
        }
        item
    }

    pub(super) fn remove(&mut self, key: Key) {
        match key {
            Key::Added(number) => {
                self.added.remove(&number);
            }
            Key::Original(_) => {
                self.marked.remove(&key);
                self.gone.insert(key);
            }
        }
    }

    /// Changes the marks of a message.
    pub(super) fn mark(&mut self, key: Key, change: impl FnOnce(&mut Marks)) {
        let marks = match key {
            Key::Added(number) => self.added.get_mut(&number).map(|item| &mut item.marks),
            Key::Original(_) => Some(self.marked.entry(key).or_default()),
        };
        if let Some(marks) = marks {
            change(marks);
        }
    }

    pub(super) fn marks(&self, key: Key) -> Marks {
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

/// An upload session: an attachment whose ranges arrive one after the other.
#[derive(Debug)]
pub(super) struct UploadSession {
    pub(super) mailbox: u32,
    pub(super) draft: Key,
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) size: u64,
    pub(super) received: Vec<u8>,
    pub(super) token: String,
    pub(super) since: Instant,
}

/// A mail that left the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMail {
    /// The userPrincipalName of the sending mailbox's owner.
    pub mailbox: String,
    /// Its subject.
    pub subject: String,
    /// The recipients.
    pub to: Vec<Address>,
    /// Whether the body is HTML.
    pub html: bool,
    /// The body.
    pub body: String,
    /// The attachments.
    pub attachments: Vec<Attachment>,
    /// Whether a copy is in Sent Items.
    pub saved_to_sent_items: bool,
}

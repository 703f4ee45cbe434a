//! What happened to a tenant since its start. Only what differs from the seed is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::folder::Folder;
use super::identifier::Key;
use super::mail_flow::MailFlow;
use super::message::{Item, Text, Written};
use super::options::{Address, Attachment};

/// What happened since the start.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) mailboxes: HashMap<u32, MailboxChanges>,
    pub(super) deleted: Vec<Deleted>,
    pub(super) moved: Vec<Moved>,
    pub(super) sent: Vec<SentMail>,
    pub(super) users_deleted: Vec<String>,
    pub(super) sessions: HashMap<String, UploadSession>,
    /// The time zones that differ from those that the seed defines.
    pub(super) time_zones: HashMap<u32, Option<String>>,
    pub(super) mime_bytes: HashMap<(u32, Key), u64>,
    /// How often each user without a mailbox was asked for mail.
    pub(super) refused: HashMap<u32, usize>,
    pub(super) written: u64,
    /// How long it takes until sent mail appears in Sent Items.
    pub(super) sent_items_lag: Duration,
    /// The mail that went through the tenant since the start.
    pub(super) flow: MailFlow,
}

/// What happened to one mailbox.
#[derive(Debug, Default)]
pub(super) struct MailboxChanges {
    pub(super) gone: HashSet<Key>,
    pub(super) added: BTreeMap<u32, Item>,
    next: u32,
    /// Extended properties of messages that are still where the seed put them.
    marked: HashMap<Key, Vec<(String, String)>>,
    pub(super) events: Vec<Event>,
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
    /// The well-known name of the folder it was in.
    pub from: &'static str,
    /// The well-known name of the folder it is in now.
    pub folder: &'static str,
}

impl MailboxChanges {
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
        let properties = match &text {
            Text::Written(written) => written.properties.clone(),
            Text::Original(_) => Vec::new(),
        };
        let key = self.next_key();
        let since = Some(Instant::now());
        self.put(Item { key, root: key, received, folder, text, properties, since, listed_from })
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

    pub(super) fn properties(&self, key: Key) -> Vec<(String, String)> {
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

/// An event in a user's calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The id Graph gave it.
    pub id: String,
    /// The client's key that prevents a second creation, if it sent one.
    pub transaction_id: Option<String>,
    /// The event object as Graph shows it, without `@odata.context`.
    pub object: Value,
    /// The object it was created from, with the times and zones of the request.
    pub asked: Map<String, Value>,
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

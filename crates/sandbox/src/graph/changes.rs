//! What happened to a tenant since its start. Only what differs from the seed is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::folder::Folder;
use super::identifier::Key;
use super::message::{Item, Text, Written};
use super::options::{Address, Attachment};

/// What happened since: only what differs from the seed is kept.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) mailboxes: HashMap<u32, MailboxChanges>,
    pub(super) deleted: Vec<Deleted>,
    pub(super) moved: Vec<Moved>,
    pub(super) sent: Vec<SentMail>,
    pub(super) users_deleted: Vec<String>,
    pub(super) sessions: HashMap<String, UploadSession>,
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
    pub(super) gone: HashSet<Key>,
    pub(super) added: BTreeMap<u32, Item>,
    next: u32,
    /// Extended properties of messages that lie where the seed put them.
    marked: HashMap<Key, Vec<(String, String)>>,
    pub(super) events: Vec<Event>,
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
    /// The client's key against repeated creation, if it sent one.
    pub transaction_id: Option<String>,
    /// The event object as Graph shows it, without `@odata.context`.
    pub object: Value,
    /// What it was created from.
    pub(super) asked: Map<String, Value>,
}

/// An upload session: an attachment of which some ranges have arrived.
#[derive(Debug)]
pub(super) struct UploadSession {
    pub(super) mailbox: u32,
    pub(super) draft: Key,
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) size: u64,
    pub(super) received: Vec<u8>,
    pub(super) token: String,
}

/// A mail that left the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMail {
    /// Whose mailbox sent it: the userPrincipalName.
    pub mailbox: String,
    /// Its subject.
    pub subject: String,
    /// To whom.
    pub to: Vec<Address>,
    /// Whether the body is HTML.
    pub html: bool,
    /// The body.
    pub body: String,
    /// The files with it.
    pub attachments: Vec<Attachment>,
    /// Whether it lies in Sent Items now.
    pub saved_to_sent_items: bool,
}

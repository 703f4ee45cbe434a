//! What the tenant holds: the truth that tests compare a client's answers with, and how tests change it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::changes::Event;
use super::changes::SentMail;
use super::changes::{Deleted, Moved};
use super::directory::User;
use super::folder::Folder;
use super::generate::Origin;
use super::identifier::{Key, message_id, message_key};
use super::message::{Item, Text, Written};
use super::mime;
use super::options::{Address, NewMessage};
use super::state::State;
use super::tenant::Tenant;

/// A message as it is in a mailbox now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its id.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// Who sent it; a draft has no sender.
    pub from: Option<Address>,
    /// When it was received.
    pub received: DateTime<Utc>,
    /// Whether files came with it.
    pub has_attachments: bool,
    /// The well-known name of its folder.
    pub folder: &'static str,
    /// Its body as plain text.
    pub text: String,
}

/// A planted mail: where it was when the tenant started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// The userPrincipalName of the mailbox's owner.
    pub mailbox: String,
    /// The message's id.
    pub id: String,
}

/// What the tenant holds: the truth to measure a client's answers by.
impl Tenant {
    fn state(&self) -> &State {
        &self.shared.state
    }

    /// All users, in the order in which Graph lists them.
    pub fn users(&self) -> Vec<User> {
        let directory = &self.state().base.directory;
        directory.numbers().map(|number| directory.user(number)).collect()
    }

    /// The userPrincipalNames of all users with a mailbox, in the order in which Graph lists them.
    pub fn mailboxes(&self) -> Vec<String> {
        let with_mailbox = self.users().into_iter().filter(|user| user.has_mailbox);
        with_mailbox.map(|user| user.user_principal_name).collect()
    }

    fn mailbox(&self, user: &str) -> Option<u32> {
        self.state().mailbox(user).ok()
    }

    fn stored(&self, mailbox: u32, item: &Item) -> StoredMessage {
        let message = self.state().look(mailbox, item);
        StoredMessage {
            id: message.id(),
            subject: message.subject().into_owned(),
            from: message.from(),
            received: DateTime::from_timestamp(item.received, 0).unwrap_or_default(),
            has_attachments: message.has_attachments(),
            folder: item.folder.name(),
            text: message.text().into_owned(),
        }
    }

    /// A mailbox's messages, newest first, recoverable ones left out; empty if there is no such mailbox.
    pub fn messages(&self, user: &str) -> Vec<StoredMessage> {
        let Some(mailbox) = self.mailbox(user) else { return Vec::new() };
        self.state().items(mailbox, None).iter().map(|item| self.stored(mailbox, item)).collect()
    }

    /// One message, in whichever folder, the recoverable ones included.
    pub fn message(&self, user: &str, id: &str) -> Option<StoredMessage> {
        let mailbox = self.mailbox(user)?;
        let item = self.state().item(mailbox, None, id).ok()?;
        Some(self.stored(mailbox, &item))
    }

    /// Where the phish lay at the start, in the order of the mailboxes, each mailbox's newest first.
    pub fn planted(&self) -> Vec<Planted> {
        let base = &self.state().base;
        let copies = base.generator.phish.as_ref().map_or(0, |phish| phish.copies);
        let mut planted = Vec::new();
        for &number in &base.generator.infected {
            let mailbox = base.directory.user(number).user_principal_name;
            planted.extend((0..copies).map(|copy| Planted {
                mailbox: mailbox.clone(),
                id: message_id(base.generator.seed, number, Key::Original(Origin::Phish(copy))),
            }));
        }
        planted
    }

    /// What was deleted by `DELETE …/messages/{id}` or for good, in that order.
    pub fn deleted(&self) -> Vec<Deleted> {
        self.state().changes().deleted.clone()
    }

    /// What was moved by `POST …/move`, in that order.
    pub fn moved(&self) -> Vec<Moved> {
        self.state().changes().moved.clone()
    }

    /// What was sent, in that order.
    pub fn sent_mail(&self) -> Vec<SentMail> {
        self.state().changes().sent.clone()
    }

    /// The events in a user's calendar, in the order of their creation.
    pub fn events(&self, user: &str) -> Vec<Event> {
        let Some(mailbox) = self.mailbox(user) else { return Vec::new() };
        let changes = self.state().changes();
        changes.mailboxes.get(&mailbox).map(|changed| changed.events.clone()).unwrap_or_default()
    }

    /// Whom somebody tried to delete by `DELETE /users/{user}`: must stay empty, whatever is asked of a client.
    pub fn users_deleted(&self) -> Vec<String> {
        self.state().changes().users_deleted.clone()
    }

    /// Puts a message into a mailbox, and gives its id; `None` if there is no such mailbox or folder.
    pub fn add_message(&self, user: &str, message: NewMessage) -> Option<String> {
        let mailbox = self.mailbox(user)?;
        let state = self.state();
        let folder = Folder::named(&message.folder, state.base.generator.seed, mailbox).ok()?;
        let owner = state.base.directory.user(mailbox);
        let mut changes = state.changes();
        changes.written += 1;
        let written = Written {
            subject: message.subject,
            from: Some(message.from),
            to: vec![Address::new(owner.display_name, owner.mail.unwrap_or(owner.user_principal_name))],
            html: message.html,
            body: message.body,
            attachments: message.attachments,
            number: changes.written,
            ..Written::default()
        };
        let text = Text::Written(Arc::new(written));
        let received = message.received.timestamp();
        let item = changes.mailboxes.entry(mailbox).or_default().add(received, folder, text);
        Some(message_id(state.base.generator.seed, mailbox, item.key))
    }

    /// Lets what is sent from now on be listed that much later: Exchange files it when it gets to it.
    pub fn set_sent_items_lag(&self, lag: Duration) {
        self.state().changes().sent_items_lag = lag;
    }

    /// Sets the time zone of a mailbox; `None` is a mailbox that has none. False if there is no such mailbox.
    pub fn set_time_zone(&self, user: &str, zone: Option<&str>) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        self.state().changes().time_zones.insert(mailbox, zone.map(str::to_owned));
        true
    }

    /// Makes a message's MIME form this many bytes long, but not shorter than its content needs. False if there
    /// is no such message.
    pub fn set_mime_bytes(&self, user: &str, id: &str, bytes: u64) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        let Ok(Some(key)) = message_key(self.state().base.generator.seed, mailbox, id) else { return false };
        self.state().changes().mime_bytes.insert((mailbox, key), bytes);
        true
    }

    /// A message's MIME form, as `GET …/$value` sends it.
    pub fn mime(&self, user: &str, id: &str) -> Option<Vec<u8>> {
        let mailbox = self.mailbox(user)?;
        let item = self.state().item(mailbox, None, id).ok()?;
        Some(mime::chunks(self.state(), mailbox, &item).flatten().collect())
    }
}

//! What the tenant holds: the truth that tests compare a client's answers with, and how tests change it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::calendar::{self, Event};
use super::changes::SentMail;
use super::changes::{Deleted, Moved};
use super::directory::User;
use super::faults::MailboxFault;
use super::folder::Folder;
use super::generate::Origin;
use super::identifier::Key;
use super::mail_flow::Recorded;
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
    /// The sender. A draft has no sender.
    pub from: Option<Address>,
    /// When it was received.
    pub received: DateTime<Utc>,
    /// Its Message-ID, if it has one.
    pub internet_message_id: Option<String>,
    /// Defender's id of the message, which its copies share.
    pub network_message_id: String,
    /// Whether it has attachments that are not inline.
    pub has_attachments: bool,
    /// The well-known name of its folder, or the folder's display name.
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

/// What the tenant holds.
impl Tenant {
    pub(super) fn state(&self) -> &State {
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

    pub(super) fn mailbox(&self, user: &str) -> Option<u32> {
        let directory = &self.state().base.directory;
        directory.find(user).filter(|number| directory.has_mailbox(*number))
    }

    fn stored(&self, mailbox: u32, item: &Item) -> StoredMessage {
        let folder = self.state().changes().folders(mailbox).name(item.folder);
        let message = self.state().look(mailbox, item);
        StoredMessage {
            id: message.own_id(),
            subject: message.subject().into_owned(),
            from: message.from(),
            received: DateTime::from_timestamp(item.received, 0).unwrap_or_default(),
            internet_message_id: message.internet_message_id().map(std::borrow::Cow::into_owned),
            network_message_id: message.network_message_id().into_owned(),
            has_attachments: message.has_attachments(),
            folder,
            text: message.text().into_owned(),
        }
    }

    /// The messages of a mailbox, newest first, without the recoverable ones. Empty if the mailbox does not exist.
    pub fn messages(&self, user: &str) -> Vec<StoredMessage> {
        let Some(mailbox) = self.mailbox(user) else { return Vec::new() };
        self.state().items(mailbox, None).iter().map(|item| self.stored(mailbox, item)).collect()
    }

    /// One message in any folder, including the recoverable ones.
    pub fn message(&self, user: &str, id: &str) -> Option<StoredMessage> {
        let mailbox = self.mailbox(user)?;
        let item = self.state().item(mailbox, None, id).ok()?;
        Some(self.stored(mailbox, &item))
    }

    /// Where the phishing mail was at the start, in the order of the mailboxes, newest first in each mailbox.
    pub fn planted(&self) -> Vec<Planted> {
        let base = &self.state().base;
        let copies = base.generator.phish.as_ref().map_or(0, |phish| phish.copies);
        let mut planted = Vec::new();
        for &number in &base.generator.infected {
            let mailbox = base.directory.user(number).user_principal_name;
            planted.extend((0..copies).map(|copy| Planted {
                mailbox: mailbox.clone(),
                id: base.own_id(number, Key::Original(Origin::Phish(copy))),
            }));
        }
        planted
    }

    /// The messages that were deleted, by `DELETE …/messages/{id}` or permanently, in that order.
    pub fn deleted(&self) -> Vec<Deleted> {
        self.state().changes().deleted.clone()
    }

    /// The messages that were moved by `POST …/move`, in that order.
    pub fn moved(&self) -> Vec<Moved> {
        self.state().changes().moved.clone()
    }

    /// The mails that were sent, in that order.
    pub fn sent_mail(&self) -> Vec<SentMail> {
        self.state().changes().sent.clone()
    }

    /// The events in a user's calendar, in the order of their creation.
    pub fn events(&self, user: &str) -> Vec<Event> {
        let Some(mailbox) = self.mailbox(user) else { return Vec::new() };
        let changes = self.state().changes();
        changes
            .mailboxes
            .get(&mailbox)
            .map(|own| own.calendar.events().cloned().collect())
            .unwrap_or_default()
    }

    /// The users in requests `DELETE /users/{user}`. A client never means such a request, so this must stay empty.
    pub fn users_deleted(&self) -> Vec<String> {
        self.state().changes().users_deleted.clone()
    }

    /// Adds a message to a mailbox, and returns its id. `None` if the mailbox or folder does not exist.
    pub fn add_message(&self, user: &str, message: NewMessage) -> Option<String> {
        let mailbox = self.mailbox(user)?;
        let state = self.state();
        let folder = state.folder_named(mailbox, &message.folder).ok()?;
        let owner = state.base.directory.user(mailbox);
        let mut changes = state.changes();
        changes.written += 1;
        let received = message.received.timestamp();
        let meeting = message.meeting.clone().filter(|_| folder.is_of_incoming_mail());
        let mut written = Written::of(message, changes.written);
        written.meeting =
            meeting.map(|meeting| Arc::new(calendar::process(&state.base, &mut changes, mailbox, meeting)));
        if written.to.is_empty() {
            let address = owner.mail.unwrap_or(owner.user_principal_name);
            written.to.push(Address::new(owner.display_name, address));
        }
        let text = Text::Written(Arc::new(written));
        let item = changes.mailboxes.entry(mailbox).or_default().add(received, folder, text);
        if folder.is_of_incoming_mail() {
            let passage = Recorded::of_message(&state.look(mailbox, &item));
            changes.flow.passages.push(Arc::new(passage));
        }
        Some(state.base.own_id(mailbox, item.key))
    }

    /// Returns messages and calendars to what the seed defines, and forgets what was sent, delivered, moved and
    /// deleted, so that a run of hours does not fill the memory. Folders stay. No id is used again. Meant for a moment
    /// without requests.
    pub fn forget_changes(&self) {
        self.state().changes().forget();
    }

    /// The id of the mailbox's hidden folder. `None` if the mailbox does not exist.
    pub fn hidden_folder(&self, user: &str) -> Option<String> {
        let mailbox = self.mailbox(user)?;
        Some(Folder::HIDDEN.id(self.state().base.ids, mailbox))
    }

    /// Sets how much later sent mail appears in Sent Items: Exchange files it asynchronously.
    pub fn set_sent_items_lag(&self, lag: Duration) {
        self.state().changes().sent_items_lag = lag;
    }

    /// Sets the time zone of a mailbox; `None` is a mailbox without a time zone. Returns `false` if the mailbox does
    /// not exist.
    pub fn set_time_zone(&self, user: &str, zone: Option<&str>) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        self.state().changes().time_zones.insert(mailbox, zone.map(str::to_owned));
        true
    }

    /// Sets the length of a message's MIME form in bytes. It is never shorter than its content needs. Returns `false`
    /// if the message does not exist.
    pub fn set_mime_bytes(&self, user: &str, id: &str, bytes: u64) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        let Ok(item) = self.state().item(mailbox, None, id) else { return false };
        self.state().changes().mime_bytes.insert((mailbox, item.root), bytes);
        true
    }

    /// The immutable id of the message that `id` names.
    pub fn immutable_id(&self, user: &str, id: &str) -> Option<String> {
        let mailbox = self.mailbox(user)?;
        let item = self.state().item(mailbox, None, id).ok()?;
        Some(self.state().look(mailbox, &item).immutable_id())
    }

    /// Makes a mailbox fail until [`super::Faults::clear`]. Returns `false` if the mailbox does not exist.
    pub fn fail_mailbox(&self, user: &str, fault: MailboxFault) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        self.shared.faults.fail_mailbox(mailbox, fault);
        true
    }

    /// Lists a user a second time, on another page or at the end of the same one, until [`super::Faults::clear`]
    /// (microsoft-graph-docs-contrib issue 6786). Returns `false` if there is no such user.
    pub fn list_twice(&self, user: &str) -> bool {
        let Some(number) = self.state().base.directory.find(user) else { return false };
        self.shared.faults.list_twice(number);
        true
    }

    /// A message's MIME form, as `GET …/$value` sends it.
    pub fn mime(&self, user: &str, id: &str) -> Option<Vec<u8>> {
        let mailbox = self.mailbox(user)?;
        let item = self.state().item(mailbox, None, id).ok()?;
        Some(mime::chunks(self.state(), mailbox, &item).flatten().collect())
    }
}

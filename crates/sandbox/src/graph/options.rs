//! What a tenant is made of: how many mailboxes, how much in them, and the mail that is to be found.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

/// How a tenant is made. The same options make the same tenant, to the last message id.
#[derive(Debug, Clone)]
pub struct TenantOptions {
    /// Where everything random comes from.
    pub seed: u64,
    /// Users who have a mailbox.
    pub mailboxes: usize,
    /// Users beside them who have none: unlicensed members and guests. Their mail answers
    /// 404 `MailboxNotEnabledForRESTAPI`.
    pub users_without_mailbox: usize,
    /// Messages in each mailbox, beside the planted ones.
    pub messages_per_mailbox: u32,
    /// What the tenant takes for now: the newest message is a little older.
    pub now: DateTime<Utc>,
    /// The mail that is to be found, if any.
    pub phish: Option<Phish>,
    /// How many bytes a message's MIME form has, where [`super::Tenant::set_mime_bytes`] said nothing else;
    /// `None` is what its content needs, some kilobytes.
    pub mime_bytes: Option<u64>,
    /// How many requests are remembered; the oldest are forgotten first.
    pub requests_kept: usize,
}

impl Default for TenantOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            mailboxes: 50,
            users_without_mailbox: 3,
            messages_per_mailbox: 40,
            now: DateTime::from_timestamp(1_772_442_000, 0).unwrap_or_default(),
            phish: Some(Phish::default()),
            mime_bytes: None,
            requests_kept: 200_000,
        }
    }
}

/// A mail that was sent to some of the mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phish {
    /// In how many mailboxes it lies; spread evenly, at most all.
    pub mailboxes: usize,
    /// How many times in each.
    pub copies: u32,
    /// Who seems to have sent it.
    pub sender: Address,
    /// Its subject.
    pub subject: String,
    /// Its text, without the link.
    pub text: String,
    /// Where it wants the reader to go.
    pub link: String,
    /// How long before the tenant's now it came; each copy some minutes earlier than the one before.
    pub age: TimeDelta,
}

impl Default for Phish {
    fn default() -> Self {
        Self {
            mailboxes: 7,
            copies: 1,
            sender: Address::new("IT Service Desk", "it-service@c0ntoso-support.example"),
            subject: "Action required: your mailbox password expires today".into(),
            text: "Your mailbox password expires in 2 hours. Keep your current password by confirming your \
                   account at the credential renewal portal."
                .into(),
            link: "https://c0ntoso-support.example/renew?session=8f2e&step=1".into(),
            age: TimeDelta::hours(30),
        }
    }
}

/// A mail address with the name beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The display name.
    pub name: String,
    /// `local@domain`.
    pub address: String,
}

impl Address {
    /// `name <address>`.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self { name: name.into(), address: address.into() }
    }
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The file's name.
    pub name: String,
    /// Its MIME type.
    pub content_type: String,
    /// Its bytes.
    pub content: Bytes,
}

/// A message to put into a mailbox while the tenant runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its subject.
    pub subject: String,
    /// Who sent it.
    pub from: Address,
    /// When it came.
    pub received: DateTime<Utc>,
    /// Whether the body is HTML.
    pub html: bool,
    /// The body.
    pub body: String,
    /// The files with it.
    pub attachments: Vec<Attachment>,
    /// The well-known name of the folder it lies in.
    pub folder: String,
}

//! The options of a tenant: the number of mailboxes, their content, and the phishing mail.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::MeetingMessage;

/// The options of a tenant. The same options create the same tenant, including all message ids.
#[derive(Debug, Clone)]
pub struct TenantOptions {
    /// The seed of all random content.
    pub seed: u64,
    /// The number of users with a mailbox.
    pub mailboxes: usize,
    /// The number of further users without a mailbox: unlicensed members and guests. Requests for their mail are
    /// answered with all the codes that the service uses for them, in turn: one user gets different ones at different
    /// times (microsoft-graph-docs-contrib issue 4340).
    pub users_without_mailbox: usize,
    /// What the principal names of the users begin with, in turn, before a name as usual. Nothing if it is empty.
    pub name_starts: Vec<String>,
    /// The number of messages in each mailbox, without the planted ones.
    pub messages_per_mailbox: u32,
    /// The tenant's present time. The newest message is slightly older.
    pub now: DateTime<Utc>,
    /// The phishing mail to be found, if any.
    pub phish: Option<Phish>,
    /// The length of a message's MIME form in bytes, unless [`super::Tenant::set_mime_bytes`] sets another one. `None`
    /// is the length that the content needs, some kilobytes.
    pub mime_bytes: Option<u64>,
    /// How many requests are recorded. The oldest are dropped first.
    pub requests_kept: usize,
    /// The characters of ids.
    pub id_alphabet: IdAlphabet,
    /// Whether [`super::Tenant`]'s own methods, which a test calls, name messages by their immutable ids, as a client
    /// that asks Graph for those does. Otherwise they name messages by their default ids.
    pub immutable_ids_in_methods: bool,
    /// Whether the tenant speaks HTTP/1.1 only, as behind a proxy that inspects TLS.
    pub http1_only: bool,
}

/// The characters of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdAlphabet {
    /// Letters, digits, `-`, `_` and `=`, as in Graph's default ids.
    #[default]
    UrlSafe,
    /// Half of the mailboxes use `+` and `/` instead of `-` and `_`, as ids from Exchange Web Services do.
    Mixed,
}

impl Default for TenantOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            mailboxes: 50,
            users_without_mailbox: 3,
            name_starts: Vec::new(),
            messages_per_mailbox: 40,
            now: DateTime::from_timestamp(1_772_442_000, 0).unwrap_or_default(),
            phish: Some(Phish::default()),
            mime_bytes: None,
            requests_kept: 200_000,
            id_alphabet: IdAlphabet::UrlSafe,
            immutable_ids_in_methods: false,
            http1_only: false,
        }
    }
}

/// A phishing mail that was sent to some of the mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phish {
    /// The number of mailboxes that have it, spread evenly over the tenant.
    pub mailboxes: usize,
    /// The number of copies in each of these mailboxes.
    pub copies: u32,
    /// The apparent sender.
    pub sender: Address,
    /// Its subject.
    pub subject: String,
    /// Its text, without the link.
    pub text: String,
    /// The link that it asks the reader to follow.
    pub link: String,
    /// Its age at the tenant's present time. Each copy is some minutes older than the one before.
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

/// A mail address with a display name.
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

/// What is attached to a message (Graph page "attachment resource type").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// What it is.
    pub content: Content,
    /// The Content-ID by which the HTML body shows it, if it is inline.
    pub content_id: Option<String>,
}

/// The kinds of attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A `fileAttachment`.
    File {
        /// Its MIME type.
        content_type: String,
        /// Its bytes.
        bytes: Bytes,
    },
    /// An `itemAttachment`: another message, with its own attachments.
    Message(Box<NewMessage>),
    /// A `referenceAttachment`: a link to a file in the cloud. Version 1.0 of Graph does not show where it leads.
    Link,
}

impl Attachment {
    /// A file.
    pub fn file(name: impl Into<String>, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let content = Content::File { content_type: content_type.into(), bytes: bytes.into() };
        Self { name: name.into(), content, content_id: None }
    }

    /// Another message, called by its subject as Outlook calls it.
    pub fn message(message: NewMessage) -> Self {
        let name = message.subject.clone();
        Self { name, content: Content::Message(Box::new(message)), content_id: None }
    }

    /// A link to a file in the cloud.
    pub fn link(name: impl Into<String>) -> Self {
        Self { name: name.into(), content: Content::Link, content_id: None }
    }

    /// Shows the attachment within the body, by this Content-ID.
    #[must_use]
    pub fn inline(self, content_id: impl Into<String>) -> Self {
        Self { content_id: Some(content_id.into()), ..self }
    }

    /// The bytes of a file; other attachments have none.
    pub fn bytes(&self) -> Bytes {
        match &self.content {
            Content::File { bytes, .. } => bytes.clone(),
            Content::Message(_) | Content::Link => Bytes::new(),
        }
    }
}

/// The Message-ID of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MessageId {
    /// Unique.
    #[default]
    Generated,
    /// This one, with its angle brackets if it has any: the sender chooses it.
    Own(String),
    /// None.
    Absent,
}

/// A message to put into a mailbox while the tenant runs, or to attach to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its subject.
    pub subject: String,
    /// The sender.
    pub from: Address,
    /// The recipients. If there are none, the mailbox's owner.
    pub to: Vec<Address>,
    /// The recipients of copies.
    pub cc: Vec<Address>,
    /// When it was received.
    pub received: DateTime<Utc>,
    /// Its Message-ID.
    pub message_id: MessageId,
    /// Further headers, as (name, value). One with the name of a generated header replaces it.
    pub headers: Vec<(String, String)>,
    /// Whether the body is HTML.
    pub html: bool,
    /// The body.
    pub body: String,
    /// The attachments.
    pub attachments: Vec<Attachment>,
    /// The well-known name of its folder.
    pub folder: String,
    /// What it says about a meeting. The calendar is brought up to date as the message arrives.
    pub meeting: Option<MeetingMessage>,
}

impl Default for NewMessage {
    fn default() -> Self {
        Self {
            subject: String::new(),
            from: Address::new("Eve", "eve@elsewhere.example"),
            to: Vec::new(),
            cc: Vec::new(),
            received: TenantOptions::default().now,
            message_id: MessageId::Generated,
            headers: Vec::new(),
            html: false,
            body: String::new(),
            attachments: Vec::new(),
            folder: "inbox".to_owned(),
            meeting: None,
        }
    }
}

//! What a test says about mail that went through the tenant.

use chrono::{DateTime, Utc};

use crate::graph::calendar::MeetingMessage;
use crate::graph::options::{Address, Attachment};

/// A mail that arrives for several recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The Message-ID, with its angle brackets.
    pub message_id: String,
    /// The sender in the header.
    pub from: Address,
    /// The sender of the envelope, where it differs.
    pub envelope_from: Option<String>,
    /// The subject.
    pub subject: String,
    /// When it arrived.
    pub received: DateTime<Utc>,
    /// Whether the body is HTML.
    pub html: bool,
    /// The body.
    pub body: String,
    /// The URLs in the body, as Defender extracts them.
    pub urls: Vec<String>,
    /// The attachments.
    pub attachments: Vec<Attachment>,
    /// Internet headers, besides those of every mail.
    pub headers: Vec<(String, String)>,
    /// The IP address of the server that sent it.
    pub from_ip: String,
    /// What it says about a meeting. The recipients' calendars are brought up to date as it arrives.
    pub meeting: Option<MeetingMessage>,
    /// The recipients. A distribution list stands for its members.
    pub recipients: Vec<Recipient>,
}

impl Delivery {
    /// A plain mail without recipients.
    pub fn new(message_id: &str, from: Address, subject: &str, received: DateTime<Utc>) -> Self {
        Self {
            message_id: message_id.to_owned(),
            from,
            envelope_from: None,
            subject: subject.to_owned(),
            received,
            html: false,
            body: "Please read this.".to_owned(),
            urls: Vec::new(),
            attachments: Vec::new(),
            headers: Vec::new(),
            from_ip: "203.0.113.25".to_owned(),
            meeting: None,
            recipients: Vec::new(),
        }
    }

    /// A message about a meeting, from its organizer, without recipients.
    pub fn of_meeting(message_id: &str, message: MeetingMessage, received: DateTime<Utc>) -> Self {
        let plain = Self::new(message_id, message.meeting.organizer.clone(), &message.subject(), received);
        Self { body: message.meeting.body.clone(), meeting: Some(message), ..plain }
    }

    /// The same mail for these recipients, in whose inboxes it arrives.
    #[must_use]
    pub fn to<A: AsRef<str>>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        let inbox = |address: A| Recipient { address: address.as_ref().to_owned(), fate: Fate::INBOX };
        self.recipients.extend(addresses.into_iter().map(inbox));
        self
    }

    /// The same mail for one more recipient, with this fate.
    #[must_use]
    pub fn with(mut self, address: &str, fate: Fate) -> Self {
        self.recipients.push(Recipient { address: address.to_owned(), fate });
        self
    }
}

/// A recipient of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address as the sender wrote it: that of a mailbox, an alias, a guest, a list, or one outside.
    pub address: String,
    /// What happens to the mail.
    pub fate: Fate,
}

/// What happens to a mail for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Delivered. If the recipient has a mailbox, a copy is in the folder with this well-known name.
    Delivered(&'static str),
    /// Delivered to a mailbox that Graph does not reach: on-premises, an archive, a group.
    DeliveredElsewhere,
    /// Delivered to the folder for junk.
    FilteredAsSpam,
    /// Held in quarantine.
    Quarantined,
    /// Not deliverable.
    Failed,
    /// Under way.
    Pending,
    /// Not known yet.
    GettingStatus,
}

impl Fate {
    /// Delivered to the inbox.
    pub const INBOX: Self = Self::Delivered("inbox");

    /// The status of a row of the message trace.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Delivered(_) | Self::DeliveredElsewhere => "delivered",
            Self::FilteredAsSpam => "filteredAsSpam",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::GettingStatus => "gettingStatus",
        }
    }

    /// The well-known name of the folder that gets a copy.
    pub(super) fn folder(self) -> Option<&'static str> {
        match self {
            Self::Delivered(folder) => Some(folder),
            Self::FilteredAsSpam => Some("junkemail"),
            Self::DeliveredElsewhere
            | Self::Quarantined
            | Self::Failed
            | Self::Pending
            | Self::GettingStatus => None,
        }
    }
}

/// A click on a link in a mail (the table `UrlClickEvents`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    /// When.
    pub at: DateTime<Utc>,
    /// The principal name of the user.
    pub user: String,
    /// The link.
    pub url: String,
    /// The Message-ID of the mail.
    pub message_id: String,
    /// `ClickAllowed`, `ClickBlocked`, …
    pub action: &'static str,
    /// Whether the user went on in spite of a warning.
    pub clicked_through: bool,
}

/// What Defender did to a mail after its delivery (the table `EmailPostDeliveryEvents`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostDeliveryEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The Message-ID of the mail.
    pub message_id: String,
    /// The address of the recipient.
    pub recipient: String,
    /// `Moved to quarantine`, …
    pub action: &'static str,
    /// `Phish ZAP`, `Malware ZAP`, …
    pub action_type: &'static str,
}

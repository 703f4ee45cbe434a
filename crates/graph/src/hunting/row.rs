//! Rows of the tables of mail, as they come and as they are kept.

use chrono::{DateTime, Utc};
use net::untrusted::json::BoundedText;
use serde::Deserialize;

use super::Raw;

/// Longer texts are not kept, in bytes.
const LONGEST: usize = 8_192;

type Text = BoundedText<LONGEST>;

/// A message for one recipient (the table `EmailEvents`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailEvent {
    /// When the mail arrived.
    pub time: DateTime<Utc>,
    /// Defender's id of the message, which is its id in the message trace, too.
    pub network_message_id: String,
    /// The Message-ID.
    pub message_id: String,
    /// The sender in the header.
    pub sender: String,
    /// The sender of the envelope.
    pub envelope_sender: String,
    /// The recipient, lists expanded.
    pub recipient: String,
    /// The recipient's id in the directory; empty where there is none.
    pub recipient_object_id: String,
    /// The subject.
    pub subject: String,
    /// `Delivered`, `Junked`, `Blocked`, `Replaced`.
    pub delivery_action: String,
    /// Where it was delivered to, as far as Defender knows now.
    pub latest_delivery_location: String,
}

impl MailEvent {
    pub(super) const COLUMNS: &'static str = "Timestamp, NetworkMessageId, InternetMessageId, SenderFromAddress, \
        SenderMailFromAddress, RecipientEmailAddress, RecipientObjectId, Subject, DeliveryAction, LatestDeliveryLocation";
}

/// A click on a link (the table `UrlClickEvents`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlClick {
    /// When.
    pub time: DateTime<Utc>,
    /// The principal name of the user.
    pub user: String,
    /// The link.
    pub url: String,
    /// `ClickAllowed`, `ClickBlocked`, …
    pub action: String,
    /// Whether the user went on to the link in spite of a warning.
    pub clicked_through: Option<bool>,
    /// Defender's id of the message; empty where the link was not in a mail.
    pub network_message_id: String,
}

impl UrlClick {
    pub(super) const COLUMNS: &'static str =
        "Timestamp, AccountUpn, Url, ActionType, IsClickedThrough, NetworkMessageId";
}

/// A row of `EmailEvents`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawEvent {
    timestamp: Option<Text>,
    network_message_id: Option<Text>,
    internet_message_id: Option<Text>,
    sender_from_address: Option<Text>,
    sender_mail_from_address: Option<Text>,
    recipient_email_address: Option<Text>,
    recipient_object_id: Option<Text>,
    subject: Option<Text>,
    delivery_action: Option<Text>,
    latest_delivery_location: Option<Text>,
}

/// A row of `UrlClickEvents`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawClick {
    timestamp: Option<Text>,
    account_upn: Option<Text>,
    url: Option<Text>,
    action_type: Option<Text>,
    is_clicked_through: Option<Truth>,
    network_message_id: Option<Text>,
}

/// A truth value, which some tables write as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Truth {
    Boolean(bool),
    Number(i64),
    Other(serde::de::IgnoredAny),
}

fn text(text: Option<Text>) -> Option<String> {
    text.map_or(Some(String::new()), Text::into_text)
}

fn time(value: Option<Text>) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(value?.text()?).ok()?.to_utc())
}

impl Raw for RawEvent {
    type Row = MailEvent;
    type Key = (String, String);

    fn row(self) -> Option<MailEvent> {
        Some(MailEvent {
            time: time(self.timestamp)?,
            network_message_id: text(self.network_message_id)?,
            message_id: text(self.internet_message_id)?,
            sender: text(self.sender_from_address)?,
            envelope_sender: text(self.sender_mail_from_address)?,
            recipient: text(self.recipient_email_address)?,
            recipient_object_id: text(self.recipient_object_id)?,
            subject: text(self.subject)?,
            delivery_action: text(self.delivery_action)?,
            latest_delivery_location: text(self.latest_delivery_location)?,
        })
    }

    fn time(row: &MailEvent) -> DateTime<Utc> {
        row.time
    }

    fn key(row: &MailEvent) -> (String, String) {
        (row.network_message_id.clone(), row.recipient.to_lowercase())
    }

    fn size(row: &MailEvent) -> usize {
        let texts = [&row.message_id, &row.sender, &row.envelope_sender, &row.recipient, &row.subject];
        size_of::<MailEvent>() + 100 + texts.iter().map(|text| text.len()).sum::<usize>()
    }
}

impl Raw for RawClick {
    type Row = UrlClick;
    type Key = (DateTime<Utc>, String, String, String);

    fn row(self) -> Option<UrlClick> {
        Some(UrlClick {
            time: time(self.timestamp)?,
            user: text(self.account_upn)?,
            url: text(self.url)?,
            action: text(self.action_type)?,
            clicked_through: match self.is_clicked_through {
                Some(Truth::Boolean(truth)) => Some(truth),
                Some(Truth::Number(number)) => Some(number != 0),
                Some(Truth::Other(_)) | None => None,
            },
            network_message_id: text(self.network_message_id)?,
        })
    }

    fn time(row: &UrlClick) -> DateTime<Utc> {
        row.time
    }

    fn key(row: &UrlClick) -> Self::Key {
        (row.time, row.user.clone(), row.url.clone(), row.network_message_id.clone())
    }

    fn size(row: &UrlClick) -> usize {
        size_of::<UrlClick>() + 100 + row.url.len() + row.user.len()
    }
}

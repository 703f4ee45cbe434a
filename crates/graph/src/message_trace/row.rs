//! A row of the message trace, as it comes and as it is kept.

use std::fmt;

use chrono::{DateTime, Utc};
use net::untrusted::json::BoundedText;
use serde::Deserialize;

/// Longer texts are not kept, in bytes. A subject has at most 998 characters in one line (RFC 5322, 2.1.1).
const LONGEST: usize = 4_096;

type Text = BoundedText<LONGEST>;

/// A message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRow {
    /// The id of the message in the trace, which is Defender's network message id. Unique together with the recipient.
    pub id: String,
    /// The sender of the envelope.
    pub sender: String,
    /// The recipient, as the sender wrote the address.
    pub recipient: String,
    /// The Message-ID, with its angle brackets.
    pub message_id: String,
    /// When Exchange Online received the message.
    pub received: DateTime<Utc>,
    /// The subject.
    pub subject: String,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The IP address that it came from.
    pub from_ip: String,
    /// The IP address that it went to.
    pub to_ip: String,
    /// What happened to it.
    pub status: TraceStatus,
}

/// What happened to a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceStatus {
    /// Delivered to the mailbox, or to another server.
    Delivered,
    /// Delivered to the junk folder, or dropped as spam.
    FilteredAsSpam,
    /// Held in quarantine.
    Quarantined,
    /// Not deliverable.
    Failed,
    /// Under way.
    Pending,
    /// Not known yet.
    GettingStatus,
    /// The recipient is a list. Its members have rows.
    Expanded,
    /// Recalled by the sender.
    Recalled,
    /// Another status, as Graph wrote it.
    Unknown(String),
}

impl TraceStatus {
    const KNOWN: [(&'static str, Self); 8] = [
        ("delivered", Self::Delivered),
        ("filteredAsSpam", Self::FilteredAsSpam),
        ("quarantined", Self::Quarantined),
        ("failed", Self::Failed),
        ("pending", Self::Pending),
        ("gettingStatus", Self::GettingStatus),
        ("expanded", Self::Expanded),
        ("recalled", Self::Recalled),
    ];

    fn of(text: &str) -> Self {
        let known = Self::KNOWN.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map_or_else(|| Self::Unknown(text.chars().take(100).collect()), |(_, status)| status)
    }

    /// The name that Graph has for it.
    pub fn name(&self) -> &str {
        if let Self::Unknown(name) = self {
            return name;
        }
        Self::KNOWN.iter().find(|(_, status)| status == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for TraceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A row as Graph writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Raw {
    id: Option<Text>,
    sender_address: Option<Text>,
    recipient_address: Option<Text>,
    message_id: Option<Text>,
    received_date_time: Option<Text>,
    subject: Option<Text>,
    size: Option<serde_json::Number>,
    #[serde(rename = "fromIP")]
    from_ip: Option<Text>,
    #[serde(rename = "toIP")]
    to_ip: Option<Text>,
    status: Option<Text>,
}

impl Raw {
    /// The row; `None` if it has no recipient or no time, or a text in it is longer than any can be.
    pub(super) fn row(self) -> Option<TraceRow> {
        let text = |text: Option<Text>| text.map_or(Some(String::new()), Text::into_text);
        let needed = |value: Option<Text>| text(value).filter(|text| !text.is_empty());
        Some(TraceRow {
            id: text(self.id)?,
            sender: text(self.sender_address)?,
            recipient: needed(self.recipient_address)?,
            message_id: text(self.message_id)?,
            received: DateTime::parse_from_rfc3339(&needed(self.received_date_time)?).ok()?.to_utc(),
            subject: text(self.subject)?,
            size: self.size.and_then(|size| size.as_u64()),
            from_ip: text(self.from_ip)?,
            to_ip: text(self.to_ip)?,
            status: TraceStatus::of(&text(self.status)?),
        })
    }
}

impl TraceRow {
    /// About how many bytes the row takes.
    pub(super) fn size(&self) -> usize {
        let texts = [
            &self.id,
            &self.sender,
            &self.recipient,
            &self.message_id,
            &self.subject,
            &self.from_ip,
            &self.to_ip,
        ];
        size_of::<Self>() + texts.iter().map(|text| text.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_in_any_case_and_kept_if_unknown() {
        for (name, status) in TraceStatus::KNOWN {
            assert_eq!(TraceStatus::of(&name.to_uppercase()), status);
            assert_eq!(status.name(), name);
        }
        assert_eq!(TraceStatus::of("lost"), TraceStatus::Unknown("lost".to_owned()));
    }

    #[test]
    fn row_needs_a_recipient_and_a_time() {
        let row = |json: serde_json::Value| serde_json::from_value::<Raw>(json).unwrap().row();
        let whole =
            serde_json::json!({"recipientAddress": "a@b", "receivedDateTime": "2026-03-01T10:00:00Z"});
        assert_eq!(row(whole.clone()).unwrap().recipient, "a@b");
        for name in ["recipientAddress", "receivedDateTime"] {
            let mut part = whole.clone();
            part[name] = serde_json::Value::Null;
            assert!(row(part).is_none(), "{name}");
        }
        let mut long = whole;
        long["subject"] = "x".repeat(5_000).into();
        assert!(row(long).is_none());
    }
}

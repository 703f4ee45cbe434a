//! An attachment as Graph lists it.

use net::untrusted::json::Bounded;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{MOST_NAME, bounded};

/// The properties that a list of attachments is asked for. A list shows the properties of the base type only.
pub const SELECT: &str = "id,name,contentType,size,isInline";

/// A message with more attachments is not read. Exchange allows 250 to be added to one.
pub(super) const MOST: usize = 1_000;

/// What an attachment is (Graph page "attachment resource type").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `fileAttachment`
    File,
    /// `itemAttachment`: a message, an event or a contact.
    Message,
    /// `referenceAttachment`: a link to a file in the cloud, without content.
    Link,
    /// Another kind, or none that is named.
    Other,
}

/// An attachment as Graph lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its id, for a request for its content.
    pub id: String,
    /// Its name, or none.
    pub name: String,
    /// Its MIME type as the sender states it, if there is one.
    pub content_type: Option<String>,
    /// Its size in bytes as Exchange counts it, which is more than the content.
    pub size: Option<u64>,
    /// Whether it is shown within the body.
    pub is_inline: bool,
    /// What it is.
    pub kind: Kind,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    #[serde(rename = "@odata.type")]
    odata_type: Option<String>,
    id: String,
    name: Option<String>,
    content_type: Option<String>,
    size: Option<f64>,
    is_inline: Option<bool>,
}

impl From<Entry> for Attachment {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size is a whole number")]
    fn from(entry: Entry) -> Self {
        let kind = match entry.odata_type.as_deref().map(|kind| kind.trim_start_matches('#')) {
            Some("microsoft.graph.fileAttachment") => Kind::File,
            Some("microsoft.graph.itemAttachment") => Kind::Message,
            Some("microsoft.graph.referenceAttachment") => Kind::Link,
            _ => Kind::Other,
        };
        Self {
            id: entry.id,
            name: bounded(&entry.name.unwrap_or_default(), MOST_NAME),
            content_type: entry.content_type.map(|kind| bounded(&kind, MOST_NAME)),
            size: entry.size.filter(|size| *size >= 0.0).map(|size| size as u64),
            is_inline: entry.is_inline.unwrap_or(false),
            kind,
        }
    }
}

/// The attachments that `$expand=attachments` shows with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// Those that are shown.
    pub attachments: Vec<Attachment>,
    /// Whether there are no others. If there may be, the message's own list has them.
    pub is_complete: bool,
}

#[derive(Deserialize)]
struct Message {
    attachments: Option<Bounded<Entry, MOST>>,
    #[serde(rename = "attachments@odata.nextLink")]
    next: Option<String>,
}

impl Expanded {
    /// Reads the attachments of a message that was requested with `$expand=attachments`.
    pub fn of(message: &RawValue) -> Self {
        let read = serde_json::from_str::<Message>(message.get()).ok();
        let Some(Message { attachments: Some(attachments), next }) = read else {
            return Self { attachments: Vec::new(), is_complete: false };
        };
        let attachments = attachments.0.into_iter().map(Attachment::from).collect();
        Self { attachments, is_complete: next.is_none_or(|link| link.is_empty()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Expanded {
        Expanded::of(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn expanded_attachments_are_complete_only_if_all_are_shown() {
        let entry =
            r##"{"@odata.type": "#microsoft.graph.itemAttachment", "id": "a", "size": 3.0, "x": {}}"##;
        let all = expanded(&format!(r#"{{"attachments": [{entry}]}}"#));
        let attachment = &all.attachments[0];
        assert!(all.is_complete && attachment.kind == Kind::Message && attachment.size == Some(3));
        assert!(expanded(r#"{"attachments": []}"#).is_complete);
        for unsure in [
            "{}",
            r#"{"attachments": null}"#,
            r#"{"attachments": [{}]}"#,
            &format!(r#"{{"attachments": [{entry}], "attachments@odata.nextLink": "https://x"}}"#),
        ] {
            assert!(!expanded(unsure).is_complete, "{unsure}");
        }
    }
}

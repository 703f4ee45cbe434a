//! A message on a page: the properties that the criteria are checked against.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;
use url::Url;

use crate::urls;

/// A property of a message: `None` where the message does not have it, `Some(None)` where it is null.
#[allow(clippy::option_option)] // serde tells the two apart in this way
type Property<T> = Option<Option<T>>;

/// The properties of a message that the criteria are checked against.
#[derive(Deserialize)]
pub(crate) struct Checked<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    error: Option<IgnoredAny>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) from: Property<Person<'a>>,
    #[serde(rename = "receivedDateTime", default, deserialize_with = "time")]
    pub(super) received: Property<DateTime<Utc>>,
    #[serde(rename = "hasAttachments", default, deserialize_with = "present")]
    pub(super) has_attachments: Property<bool>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) subject: Property<Cow<'a, str>>,
    #[serde(borrow, rename = "internetMessageId", default, deserialize_with = "present")]
    pub(super) message_id: Property<Cow<'a, str>>,
    #[serde(borrow, rename = "toRecipients", default)]
    to: Option<Vec<Person<'a>>>,
    #[serde(borrow, rename = "ccRecipients", default)]
    cc: Option<Vec<Person<'a>>>,
    #[serde(borrow, rename = "bccRecipients", default)]
    bcc: Option<Vec<Person<'a>>>,
    #[serde(borrow, rename = "internetMessageHeaders", default)]
    headers: Option<Vec<Header<'a>>>,
    #[serde(borrow, default)]
    body: Option<Body<'a>>,
}

/// An internet header.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
}

/// The body.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "contentType")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

/// A sender.
#[derive(Deserialize)]
pub(super) struct Person<'a> {
    #[serde(borrow, rename = "emailAddress")]
    pub(super) email: Option<Email<'a>>,
}

/// A name and an address.
#[derive(Deserialize)]
pub(super) struct Email<'a> {
    #[serde(borrow)]
    pub(super) address: Option<Cow<'a, str>>,
}

impl<'a> Checked<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// Says what is wrong with it: it is an error instead of a message, or it cannot be read.
    pub(crate) fn read(message: &'a RawValue) -> Result<Self, &'static str> {
        let checked: Self = serde_json::from_str(message.get())
            .map_err(|_| "an entry of the list is not of the form of a message")?;
        if checked.error.is_some() {
            return Err("an entry of the list is an error instead of a message");
        }
        Ok(checked)
    }

    /// Its id. Some services in front of Graph write numbers as ids.
    pub(crate) fn id(&self) -> Option<Cow<'a, str>> {
        let text = self.id?.get();
        let id = if text.starts_with('"') { serde_json::from_str(text).ok()? } else { Cow::Borrowed(text) };
        Some(id).filter(|id| !id.trim().is_empty() && id != "null")
    }

    /// When it was received, where it says so.
    pub(super) fn received_at(&self) -> Option<DateTime<Utc>> {
        self.received.flatten()
    }

    /// Its Message-ID.
    pub(super) fn message_id(&self) -> Option<&str> {
        self.message_id.as_ref()?.as_deref()
    }

    /// The addresses of the recipients that it names.
    pub(super) fn recipients(&self) -> Vec<&str> {
        let lists = [&self.to, &self.cc, &self.bcc].into_iter().flatten();
        lists.flatten().filter_map(|person| person.email.as_ref()?.address.as_deref()).collect()
    }

    /// Its internet headers. Exchange keeps none of a message that was sent from the mailbox.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.headers.iter().flatten();
        headers
            .filter_map(|header| Some((header.name.as_deref()?, header.value.as_deref().unwrap_or_default())))
    }

    /// The URLs in its body, and whether these are all.
    pub(super) fn urls(&self) -> (Vec<Url>, bool) {
        let Some(Body { kind, content: Some(content) }) = &self.body else {
            return (Vec::new(), self.body.is_some());
        };
        let is_text = kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("text"));
        let found = if is_text { urls::in_text(content) } else { urls::in_html(content) };
        (found.urls.iter().filter_map(|url| Url::parse(url).ok()).collect(), found.complete)
    }

    /// The address of its sender, where it names one.
    pub(super) fn sender(&self) -> Option<&str> {
        self.from.as_ref()?.as_ref()?.email.as_ref()?.address.as_deref()
    }
}

/// Whether `address` is an X.500 name: how Exchange writes the senders of its own organization in some messages.
pub(super) fn is_x500(address: &str) -> bool {
    address.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("/o="))
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Property<DateTime<Utc>>, D::Error> {
    let text: Option<Cow<'_, str>> = Option::deserialize(deserializer)?;
    Ok(Some(text.and_then(|text| Some(DateTime::parse_from_rfc3339(&text).ok()?.with_timezone(&Utc)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Option<String>, bool), &'static str> {
        let message: Box<RawValue> = serde_json::from_str(text).unwrap();
        Checked::read(&message).map(|checked| (checked.id().map(Cow::into_owned), checked.subject.is_some()))
    }

    #[test]
    fn error_in_list_is_not_a_message() {
        assert!(read(r#"{"error": {"code": "ErrorInvalidIdMalformed"}}"#).is_err());
        assert!(read(r#"{"id": "a", "hasAttachments": "perhaps"}"#).is_err());
        assert!(read("7").is_err());
    }

    #[test]
    fn id_is_text_or_number() {
        assert_eq!(read(r#"{"id": "a", "subject": null}"#), Ok((Some("a".to_owned()), true)));
        assert_eq!(read(r#"{"id": 17}"#), Ok((Some("17".to_owned()), false)));
        for none in ["{}", r#"{"id": null}"#, r#"{"id": " "}"#] {
            assert_eq!(read(none), Ok((None, false)), "{none}");
        }
    }
}

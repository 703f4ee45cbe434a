//! What of a message the criteria are checked against.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// The properties of a message that the criteria are checked against.
#[derive(Deserialize)]
pub(crate) struct Checked<'a> {
    #[serde(borrow)]
    pub(super) from: Option<Person<'a>>,
    #[serde(rename = "receivedDateTime", deserialize_with = "time", default)]
    pub(super) received: Option<DateTime<Utc>>,
    #[serde(rename = "hasAttachments")]
    pub(super) has_attachments: Option<bool>,
    #[serde(borrow)]
    pub(super) subject: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct Person<'a> {
    #[serde(borrow, rename = "emailAddress")]
    pub(super) email: Option<Email<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Email<'a> {
    #[serde(borrow)]
    pub(super) address: Option<Cow<'a, str>>,
}

fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text: Option<Cow<'_, str>> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| Some(DateTime::parse_from_rfc3339(&text).ok()?.with_timezone(&Utc))))
}

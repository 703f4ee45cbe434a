//! The parts that a mail and a meeting share in Graph's JSON: recipients, an HTML body, and lists as people type them.

use serde::{Deserialize, Serialize};

/// Reads a list as people type it: separated by commas, without blanks and empty entries.
pub fn listed(list: Option<String>) -> Vec<String> {
    let list = list.unwrap_or_default();
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// Graph's `recipient`.
#[derive(Serialize)]
pub struct Recipient {
    #[serde(rename = "emailAddress")]
    email: Email,
}

#[derive(Serialize)]
struct Email {
    address: String,
}

impl Recipient {
    /// Creates the recipient with this address.
    pub fn new(address: &str) -> Self {
        Self { email: Email { address: address.to_owned() } }
    }
}

/// Graph's `recipient`, as an answer has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Correspondent {
    email_address: Option<EmailAddress>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct EmailAddress {
    address: Option<String>,
}

impl Correspondent {
    /// The address, where Graph names one.
    pub fn address(&self) -> Option<&str> {
        self.email_address.as_ref()?.address.as_deref()
    }
}

/// Graph's `itemBody`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body<'a> {
    content_type: &'static str,
    content: &'a str,
}

impl<'a> Body<'a> {
    /// Creates a body in HTML.
    pub fn html(content: &'a str) -> Self {
        Self { content_type: "HTML", content }
    }

    /// A body of plain text: the reader sees its line ends and angle brackets.
    pub fn text(content: &'a str) -> Self {
        Self { content_type: "Text", content }
    }
}

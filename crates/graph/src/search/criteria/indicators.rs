//! What a message is known by, beyond sender, dates and words: identifiers, recipients, attachments, links, headers.

use std::fmt;

use super::address_match::AddressMatch;
use super::url_match::UrlMatch;
use super::wildcard::Wildcard;
use crate::attachments::Sha256;

/// The header that holds the identifier by which Defender knows a message.
pub(super) const NETWORK_MESSAGE_ID: &str = "X-MS-Exchange-Organization-Network-Message-Id";

/// What a message is known by. A message has to meet each list that is not empty, by at least one of its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indicators {
    /// The Message-ID, with its angle brackets. The sender chooses it: it may be anything.
    pub message_ids: Vec<String>,
    /// The identifier that Exchange gives to a message that it transports.
    pub network_message_ids: Vec<String>,
    /// Recipients, as the message names them. It does not name those of its blind copies.
    pub recipients: Vec<AddressMatch>,
    /// Names of attached files.
    pub attachment_names: Vec<Wildcard>,
    /// SHA-256 of attached files.
    pub attachment_digests: Vec<Sha256>,
    /// Links in the body.
    pub urls: Vec<UrlMatch>,
    /// Internet headers.
    pub headers: Vec<HeaderMatch>,
}

impl Indicators {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the headers of a message have to be looked at.
    pub(super) fn needs_headers(&self) -> bool {
        !self.headers.is_empty() || !self.network_message_ids.is_empty()
    }

    /// Whether the attachments of a message have to be looked at.
    pub(crate) fn needs_attachments(&self) -> bool {
        !self.attachment_names.is_empty() || !self.attachment_digests.is_empty()
    }
}

/// An internet header and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMatch {
    name: String,
    value: Wildcard,
}

impl HeaderMatch {
    /// Reads `Name: value`. Returns `None` where there is no name (RFC 5322, section 2.2).
    pub fn new(text: &str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        let name = name.trim();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        is_name.then(|| Self { name: name.to_owned(), value: Wildcard::new(value.trim()) })
    }

    /// A header whose value is one of the Exchange identifiers.
    pub(super) fn network_message_id(id: &str) -> Self {
        Self { name: NETWORK_MESSAGE_ID.to_owned(), value: Wildcard::new(id) }
    }

    /// Whether it is this header. Line ends and blanks in the value count as one blank.
    pub(super) fn matches(&self, name: &str, value: &str) -> bool {
        name.eq_ignore_ascii_case(&self.name)
            && self.value.matches(&value.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for HeaderMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_compared_by_name_and_value() {
        let mailer = HeaderMatch::new("x-mailer:  PHPMailer *").unwrap();
        assert!(mailer.matches("X-Mailer", "PHPMailer\r\n 6.1"));
        assert!(!mailer.matches("X-Mailer", "PHPMailer") && !mailer.matches("X-Mailer2", "PHPMailer 6"));
        assert!(HeaderMatch::new("no header").is_none() && HeaderMatch::new(": x").is_none());
    }
}

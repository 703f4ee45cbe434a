//! What hunting looks for, and its queries.

use chrono::{DateTime, Utc};

use super::kql::{Condition, Query};
use super::row::MailEvent;
use crate::index::coverage::Span;
use crate::index::matching::{any, bracketed, is_address, is_in_subject, is_message_id, is_of};

/// What a search for mail looks for. A row has to meet all properties that have values, and one of the values of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HuntingCriteria {
    /// Message-IDs, with or without their angle brackets.
    pub message_ids: Vec<String>,
    /// Defender's ids of messages.
    pub network_message_ids: Vec<String>,
    /// Addresses of senders, and domains that begin with `@`: the header's or the envelope's.
    pub senders: Vec<String>,
    /// Addresses of recipients, lists expanded, and domains that begin with `@`.
    pub recipients: Vec<String>,
    /// Texts that occur in the subject.
    pub subjects: Vec<String>,
    /// Texts that occur in a URL of the mail.
    pub urls: Vec<String>,
    /// SHA-256 hashes of attachments, in hexadecimal digits.
    pub attachment_sha256: Vec<String>,
    /// Names of attachments.
    pub attachment_names: Vec<String>,
    /// Received at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Received at this time or earlier.
    pub to: Option<DateTime<Utc>>,
}

/// What a search for clicks looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClickCriteria {
    /// Texts that occur in the URL.
    pub urls: Vec<String>,
    /// Defender's ids of messages.
    pub network_message_ids: Vec<String>,
    /// Clicked at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Clicked at this time or earlier.
    pub to: Option<DateTime<Utc>>,
}

fn texts(values: &[String]) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

impl HuntingCriteria {
    /// Whether there is no criterion but the time, so that every message would match.
    pub fn is_empty(&self) -> bool {
        Self { from: None, to: None, ..self.clone() } == Self::default()
    }

    /// The query for the oldest `most` rows of a span.
    pub(super) fn query(&self, span: Span, most: usize) -> String {
        let message_ids: Vec<String> = self.message_ids.iter().map(|id| bracketed(id)).collect();
        let (domains, senders): (Vec<&str>, Vec<&str>) =
            texts(&self.senders).into_iter().partition(|sender| sender.starts_with('@'));
        let bare_domains: Vec<&str> = domains.iter().map(|domain| domain.trim_start_matches('@')).collect();
        let (recipient_domains, recipients): (Vec<&str>, Vec<&str>) =
            texts(&self.recipients).into_iter().partition(|recipient| recipient.starts_with('@'));
        let urls = (!self.urls.is_empty())
            .then(|| Query::of("EmailUrlInfo").any(&[Condition::Contains("Url", texts(&self.urls))]));
        let has_files = !self.attachment_sha256.is_empty() || !self.attachment_names.is_empty();
        let files = has_files.then(|| {
            Query::of("EmailAttachmentInfo")
                .any(&[Condition::InAnyCase("SHA256", texts(&self.attachment_sha256))])
                .any(&[Condition::InAnyCase("FileName", texts(&self.attachment_names))])
        });
        Query::of("EmailEvents")
            .within(span)
            .any(&[Condition::In("InternetMessageId", texts(&message_ids))])
            .any(&[Condition::InAnyCase("NetworkMessageId", texts(&self.network_message_ids))])
            .any(&[
                Condition::InAnyCase("SenderFromAddress", senders.clone()),
                Condition::InAnyCase("SenderMailFromAddress", senders),
                Condition::InAnyCase("SenderFromDomain", bare_domains.clone()),
                Condition::InAnyCase("SenderMailFromDomain", bare_domains),
            ])
            .any(&[
                Condition::InAnyCase("RecipientEmailAddress", recipients),
                Condition::EndsWith("RecipientEmailAddress", recipient_domains),
            ])
            .any(&[Condition::Contains("Subject", texts(&self.subjects))])
            .of_messages_in(urls)
            .of_messages_in(files)
            .oldest(MailEvent::COLUMNS, most)
    }

    /// Whether a row meets those criteria that it has the values for.
    pub(super) fn matches(&self, row: &MailEvent) -> bool {
        any(&self.message_ids, &row.message_id, is_message_id)
            && any(&self.network_message_ids, &row.network_message_id, is_address)
            && (any(&self.senders, &row.sender, is_of) || any(&self.senders, &row.envelope_sender, is_of))
            && any(&self.recipients, &row.recipient, is_of)
            && any(&self.subjects, &row.subject, is_in_subject)
            && self.from.is_none_or(|from| row.time >= from)
            && self.to.is_none_or(|to| row.time <= to)
    }
}

impl ClickCriteria {
    /// The query for the oldest `most` rows of a span.
    pub(super) fn query(&self, span: Span, most: usize) -> String {
        Query::of("UrlClickEvents")
            .within(span)
            .any(&[Condition::Contains("Url", texts(&self.urls))])
            .any(&[Condition::InAnyCase("NetworkMessageId", texts(&self.network_message_ids))])
            .oldest(super::row::UrlClick::COLUMNS, most)
    }
}

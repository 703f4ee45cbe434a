//! The file of a plan: its canonical form, and the strict reader.

use serde::{Deserialize, Serialize};

use super::{Author, Count, Counts, Facts, Plan, PlannedMessage, Stamp};
use crate::functions::inputs::LONGEST_WORD;
use graph::attachments::Sha256;
use net::untrusted::json::Bounded;

/// A larger file, in bytes, is not a plan.
pub(in crate::functions) const LARGEST: u64 = 96 << 20;
/// No plan holds more messages.
const MOST: usize = 100_000;
const FORMAT: &str = "fn-exchange-online removal plan";
const VERSION: u32 = 1;

/// The canonical form. Order of keys, of messages and of counts is fixed, and there is no white space.
#[derive(Serialize)]
struct Canonical<'a> {
    format: &'static str,
    version: u32,
    incident_id: i64,
    reference: &'a str,
    created: Stamp,
    expires: Stamp,
    created_by: &'a Author,
    complete: bool,
    incomplete_because: &'a [String],
    looked_until: Stamp,
    messages: &'a [PlannedMessage],
    counts: &'a Counts,
    /// Absent where the digest itself is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Sha256>,
}

impl<'a> Canonical<'a> {
    fn of(facts: &'a Facts, messages: &'a [PlannedMessage], counts: &'a Counts) -> Self {
        Self {
            format: FORMAT,
            version: VERSION,
            incident_id: facts.incident,
            reference: &facts.reference,
            created: facts.created,
            expires: facts.expires,
            created_by: &facts.created_by,
            complete: facts.incomplete_because.is_empty(),
            incomplete_because: &facts.incomplete_because,
            looked_until: facts.looked_until,
            messages,
            counts,
            digest: None,
        }
    }
}

/// The same, as it is read. What follows from the rest is read and not used: the canonical form is compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    incident_id: i64,
    reference: String,
    created: Stamp,
    expires: Stamp,
    created_by: Author,
    #[serde(rename = "complete")]
    _complete: bool,
    incomplete_because: Bounded<String, 1000>,
    looked_until: Stamp,
    messages: Bounded<PlannedMessage, MOST>,
    #[serde(rename = "counts")]
    _counts: DocumentCounts,
    #[serde(rename = "digest")]
    _digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentCounts {
    #[serde(rename = "messages")]
    _messages: usize,
    #[serde(rename = "mailboxes")]
    _mailboxes: Bounded<Count, MOST>,
    #[serde(rename = "folders")]
    _folders: Bounded<Count, MOST>,
    #[serde(rename = "days")]
    _days: Bounded<Count, MOST>,
    #[serde(rename = "invitations")]
    _invitations: usize,
}

/// Why a file cannot be used as a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::functions) enum Unusable {
    /// It is larger than any plan.
    #[error("it is larger than a removal plan can be")]
    TooLarge,
    /// It is not of a plan's form.
    #[error("it is not a removal plan: line {line}, column {column} is not of the expected form")]
    NotAPlan {
        /// The position of the first error.
        line: usize,
        /// The position of the first error.
        column: usize,
    },
    /// It says that it is something else, or is of another version.
    #[error("it is not a removal plan of a version that this program reads")]
    OtherFormat,
    /// It differs from what this program wrote.
    #[error("it was changed after it was written: its content and its digest do not belong together")]
    Changed,
}

pub(super) fn digest(
    facts: &Facts,
    messages: &[PlannedMessage],
    counts: &Counts,
) -> serde_json::Result<Sha256> {
    Ok(Sha256::of(&serde_json::to_vec(&Canonical::of(facts, messages, counts))?))
}

impl Plan {
    /// The bytes of the file.
    ///
    /// # Errors
    /// The plan cannot be written as JSON.
    pub(in crate::functions) fn bytes(&self) -> serde_json::Result<Vec<u8>> {
        let canonical = Canonical::of(&self.facts, &self.messages, &self.counts);
        serde_json::to_vec(&Canonical { digest: Some(self.digest), ..canonical })
    }

    /// Reads a plan from the bytes of its file. Any byte that this program would not have written there is an error.
    pub(in crate::functions) fn read(bytes: &[u8]) -> Result<Self, Unusable> {
        if bytes.len() as u64 > LARGEST {
            return Err(Unusable::TooLarge);
        }
        // The parser's own message may quote the text, which is mail.
        let not_a_plan = |error: serde_json::Error| {
            let says_another = serde_json::from_slice::<Head>(bytes)
                .is_ok_and(|head| head.format != FORMAT || head.version != VERSION);
            let (line, column) = (error.line(), error.column());
            if says_another { Unusable::OtherFormat } else { Unusable::NotAPlan { line, column } }
        };
        let document: Document = serde_json::from_slice(bytes).map_err(not_a_plan)?;
        if document.format != FORMAT || document.version != VERSION {
            return Err(Unusable::OtherFormat);
        }
        let facts = Facts {
            incident: document.incident_id,
            reference: document.reference,
            created: document.created,
            expires: document.expires,
            created_by: document.created_by,
            incomplete_because: document.incomplete_because.0,
            looked_until: document.looked_until,
        };
        let plan = Self::new(facts, document.messages.0).map_err(|_| Unusable::Changed)?;
        let is_canonical = plan.bytes().is_ok_and(|canonical| canonical == bytes);
        let has_words_only = plan.messages.iter().all(PlannedMessage::has_words_only);
        if is_canonical && has_words_only { Ok(plan) } else { Err(Unusable::Changed) }
    }
}

/// What says which format a file has.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl PlannedMessage {
    /// Whether ids and names have a length that these have.
    fn has_words_only(&self) -> bool {
        let ids = [&self.mailbox_id, &self.mailbox, &self.id, &self.folder_id];
        ids.iter().all(|id| !id.is_empty() && id.len() <= LONGEST_WORD)
            && [&self.internet_message_id, &self.received, &self.sender, &self.subject]
                .iter()
                .all(|text| text.len() <= LONGEST_WORD)
    }
}

//! A removal plan: the exact messages that are to be approved and removed, frozen in a file of the incident.
//!
//! The [digest](Plan::digest) is the SHA-256 of the plan's canonical form, so an approval of it is bound to each
//! message. A file is [read](Plan::read) only if it is, byte for byte, what this program writes for what it says.

mod counts;
mod file;
mod files;
mod outcome;
mod state;
mod time;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

pub(super) use counts::{Count, Counts};
pub(super) use file::{LARGEST, Unusable};
pub(super) use files::{Files, is_since};
pub(super) use outcome::{Arrival, Fate, OutcomeMessage, RemovalOutcome};
pub(super) use state::{Folders, MessageState, folder_name};
pub(super) use time::Stamp;

use crate::audit::Initiator;
use graph::attachments::Sha256;

/// So many digits of the digest are in the names of files.
const IN_NAME: usize = 12;
/// The beginning of the names of plans.
pub(super) const PREFIX: &str = "exo-removal-plan-";

/// The messages that are to be removed, frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    facts: Facts,
    /// By mailbox and id, each once.
    messages: Vec<PlannedMessage>,
    counts: Counts,
    digest: Sha256,
}

/// What a plan says besides its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) incident: i64,
    /// The reference of the call that made it.
    pub(super) reference: String,
    pub(super) created: Stamp,
    pub(super) expires: Stamp,
    pub(super) created_by: Author,
    /// Why messages may be missing, in sentences; none where the plan is complete.
    pub(super) incomplete_because: Vec<String>,
    /// The time up to which the query looked.
    pub(super) looked_until: Stamp,
}

/// The person or key that made a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Author {
    pub(super) name: String,
    pub(super) display_name: String,
}

/// A message as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedMessage {
    /// The directory's id of the mailbox.
    pub(super) mailbox_id: String,
    /// The mailbox as the results name it.
    pub(super) mailbox: String,
    /// The immutable id.
    pub(super) id: String,
    pub(super) internet_message_id: String,
    /// The time of reception as Graph writes it.
    pub(super) received: String,
    pub(super) sender: String,
    pub(super) folder_id: String,
    /// The folder's name, where it could be read.
    pub(super) folder: Option<String>,
    /// The beginning of the subject.
    pub(super) subject: String,
    pub(super) is_read: bool,
    /// Whether it invites to a meeting, updates or cancels one.
    pub(super) is_invitation: bool,
}

impl Plan {
    /// Freezes `messages`. One that is listed twice counts once.
    ///
    /// # Errors
    /// The plan cannot be written as JSON.
    pub(super) fn new(facts: Facts, mut messages: Vec<PlannedMessage>) -> serde_json::Result<Self> {
        messages.sort_by(|a, b| (&a.mailbox_id, &a.id).cmp(&(&b.mailbox_id, &b.id)));
        messages.dedup_by(|a, b| (&a.mailbox_id, &a.id) == (&b.mailbox_id, &b.id));
        let counts = Counts::of(&messages);
        let digest = file::digest(&facts, &messages, &counts)?;
        Ok(Self { facts, messages, counts, digest })
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn messages(&self) -> &[PlannedMessage] {
        &self.messages
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The SHA-256 of the canonical form.
    pub(super) fn digest(&self) -> Sha256 {
        self.digest
    }

    /// The name of the plan's file.
    pub(super) fn file_name(&self) -> String {
        file_name(self.digest)
    }

    /// The ids of the mailboxes, each once, in order.
    pub(super) fn mailboxes(&self) -> Vec<(&str, &str)> {
        let mut seen = HashSet::new();
        let mailboxes = self.messages.iter().map(|one| (one.mailbox_id.as_str(), one.mailbox.as_str()));
        mailboxes.filter(|(id, _)| seen.insert(*id)).collect()
    }
}

impl Author {
    pub(super) fn of(initiator: &Initiator) -> Self {
        let text = |name: &Option<String>| name.clone().unwrap_or_default();
        Self { name: text(&initiator.principal), display_name: text(&initiator.display_name) }
    }

    /// Whether `name` may be this person: the name or the display name, without regard to case and blanks.
    pub(super) fn may_be(&self, name: &str) -> bool {
        let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let wanted = folded(name);
        [&self.name, &self.display_name]
            .into_iter()
            .any(|own| !own.trim().is_empty() && folded(own) == wanted)
    }

    /// Whether SOAR gave no name.
    pub(super) fn is_unknown(&self) -> bool {
        self.name.trim().is_empty() && self.display_name.trim().is_empty()
    }

    /// The name to show.
    pub(super) fn shown(&self) -> &str {
        [self.display_name.as_str(), self.name.as_str()]
            .into_iter()
            .find(|name| !name.trim().is_empty())
            .unwrap_or("an unknown caller")
    }
}

/// The first digits of a digest, as file names have them.
pub(super) fn short(digest: Sha256) -> String {
    let mut digits = digest.to_string();
    digits.truncate(IN_NAME);
    digits
}

/// The name of the file that holds the plan with this digest.
pub(super) fn file_name(digest: Sha256) -> String {
    format!("{PREFIX}{}.json", short(digest))
}

#[cfg(test)]
mod tests;

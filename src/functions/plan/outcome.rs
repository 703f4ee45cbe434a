//! The file that says what became of each message of a plan: what a restoration needs to know.

use serde::{Deserialize, Serialize};

use super::{Author, Stamp, short};
use crate::functions::meetings::{MeetingFate, RemovedMeeting, RemovedMeetings};
use graph::attachments::Sha256;
use graph::{EntryText, Flag};
use net::untrusted::json::Bounded;

/// The beginning of the names of outcomes.
const PREFIX: &str = "exo-removal-outcome-";
const FORMAT: &str = "fn-exchange-online removal outcome";
const VERSION: u32 = 1;
/// No plan holds more messages.
const MOST: usize = 100_000;

/// What became of the messages of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::functions) struct RemovalOutcome {
    pub(in crate::functions) incident_id: i64,
    pub(in crate::functions) plan_digest: String,
    /// The reference of the call.
    pub(in crate::functions) reference: String,
    /// `quarantine`, `delete` or `purge`.
    pub(in crate::functions) action: String,
    pub(in crate::functions) approved_by: Option<String>,
    pub(in crate::functions) applied_by: Author,
    pub(in crate::functions) ended: Stamp,
    /// Whether nothing is left to do, so that the plan cannot be applied again.
    pub(in crate::functions) settled: bool,
    /// Every message of the plan, in its order.
    pub(in crate::functions) messages: Vec<OutcomeMessage>,
    /// The calendar entries that were removed along with the messages.
    #[serde(flatten)]
    pub(in crate::functions) meetings: RemovedMeetings,
    /// What arrived since the query looked, as far as the mailboxes were looked into. It was not touched.
    pub(in crate::functions) arrivals: Vec<Arrival>,
    /// The mailboxes that were not looked into for arrivals.
    pub(in crate::functions) not_looked_into: Vec<String>,
}

/// A message of the plan, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::functions) struct OutcomeMessage {
    pub(in crate::functions) mailbox_id: String,
    pub(in crate::functions) mailbox: String,
    pub(in crate::functions) id: String,
    pub(in crate::functions) fate: Fate,
    /// The folder that it was in right before its removal; the one of the plan where that is not known.
    pub(in crate::functions) folder_id: String,
    pub(in crate::functions) folder: Option<String>,
    pub(in crate::functions) is_read: bool,
    pub(in crate::functions) flag: Option<Flag>,
    pub(in crate::functions) categories: Vec<String>,
    /// Whether the same is on the message.
    pub(in crate::functions) marked: bool,
    /// What its owner has done since the plan was made: `moved`, `read`, `unread`.
    pub(in crate::functions) changed: Vec<String>,
    /// The kind of the reason, for scripts.
    pub(in crate::functions) code: String,
    /// Why it was not removed, or by what else.
    pub(in crate::functions) reason: Option<String>,
    /// What became of the calendar entry, where it was to go as well.
    pub(in crate::functions) meeting: Option<MeetingFate>,
    /// Why that, in few words.
    #[serde(default)]
    pub(in crate::functions) meeting_reason: Option<String>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::functions) enum Fate {
    /// This call removed it.
    Removed,
    /// It is removed, by an earlier run of the call, an earlier application of the plan, or another quarantine.
    AlreadyRemoved,
    /// Another message is under its id now; it was not touched.
    ChangedIdentity,
    /// It is not there any more, and was not removed by the plan as far as is known.
    Gone,
    /// A guard rail keeps it.
    Refused,
    /// It is still there.
    Failed,
    /// It may have been removed.
    InDoubt,
    /// A dry run: it would have been removed.
    DryRun,
    /// The call ended before its turn.
    NotReached,
}

impl Fate {
    /// Whether the plan has nothing left to do about the message.
    pub(in crate::functions) fn is_settled(self) -> bool {
        matches!(self, Self::Removed | Self::AlreadyRemoved | Self::ChangedIdentity | Self::Gone)
    }
}

/// A message that arrived since the query looked, and is like one of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::functions) struct Arrival {
    pub(in crate::functions) mailbox_id: String,
    pub(in crate::functions) mailbox: String,
    pub(in crate::functions) id: String,
    pub(in crate::functions) received: String,
}

/// The file as it is written.
#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    version: u32,
    #[serde(flatten)]
    outcome: &'a RemovalOutcome,
}

/// The file as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    incident_id: i64,
    plan_digest: String,
    reference: String,
    action: String,
    approved_by: Option<String>,
    applied_by: Author,
    ended: Stamp,
    settled: bool,
    messages: Bounded<OutcomeMessage, MOST>,
    #[serde(default)]
    meetings: Option<Bounded<RemovedMeeting, MOST>>,
    #[serde(default)]
    meeting_texts: Option<Bounded<EntryText, MOST>>,
    arrivals: Bounded<Arrival, MOST>,
    not_looked_into: Bounded<String, MOST>,
}

impl RemovalOutcome {
    /// A larger file, in bytes, is not an outcome.
    pub(in crate::functions) const LARGEST: u64 = 128 << 20;

    /// The bytes of the file.
    ///
    /// # Errors
    /// The outcome cannot be written as JSON.
    pub(in crate::functions) fn bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Written { format: FORMAT, version: VERSION, outcome: self })
    }

    /// The beginning of the names of the files with outcomes of the plan with this digest.
    pub(in crate::functions) fn prefix(plan: Sha256) -> String {
        format!("{PREFIX}{}-", short(plan))
    }

    /// Whether a file of this name may hold an outcome of some plan.
    pub(in crate::functions) fn is_named(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// Reads an outcome from the bytes of its file; `None` if they are something else.
    pub(in crate::functions) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() as u64 > Self::LARGEST {
            return None;
        }
        let document: Document = serde_json::from_slice(bytes).ok()?;
        if document.format != FORMAT || document.version != VERSION {
            return None;
        }
        Some(Self {
            incident_id: document.incident_id,
            plan_digest: document.plan_digest,
            reference: document.reference,
            action: document.action,
            approved_by: document.approved_by,
            applied_by: document.applied_by,
            ended: document.ended,
            settled: document.settled,
            messages: document.messages.0,
            meetings: RemovedMeetings::of(document.meetings, document.meeting_texts),
            arrivals: document.arrivals.0,
            not_looked_into: document.not_looked_into.0,
        })
    }

    /// The messages whose calendar entry is there still, or may be.
    pub(in crate::functions) fn open_meetings(&self) -> impl Iterator<Item = &OutcomeMessage> {
        self.messages.iter().filter(|message| message.meeting.is_some_and(MeetingFate::is_open))
    }

    /// How many messages have this fate.
    pub(in crate::functions) fn count(&self, fate: Fate) -> usize {
        self.messages.iter().filter(|message| message.fate == fate).count()
    }
}

//! What is removed, how, and what became of it.

use serde::{Deserialize, Serialize};

pub(in crate::functions) use crate::config::Deletion as Removal;

use crate::audit::{Act, AuditRecord};
use crate::functions::context::Context;
use crate::functions::outcome::NotDone;
use crate::guard::{Change, Mailbox};
use graph::{self, Dispatch, Flag, Mark, MeetingMessage, MessageState};
use net::untrusted::text::beginning;

/// The choices of `exo_removal_action`.
pub(in crate::functions) const ACTIONS: &[&str] = &[QUARANTINE_ACTION, "Delete", "Purge"];
/// The choice that moves a message into quarantine.
pub(in crate::functions) const QUARANTINE_ACTION: &str = "Quarantine";

/// The code of a message that is in quarantine on behalf of another job.
pub(in crate::functions) const ALREADY_IN_QUARANTINE: &str = "AlreadyInQuarantine";
/// The code of a message that is not the expected one.
pub(in crate::functions) const CHANGED_IDENTITY: &str = "ChangedIdentity";

/// What a message under an id has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::functions) struct Identity {
    /// Its `Message-ID`.
    pub(in crate::functions) internet_message_id: Option<String>,
    /// When it was received, as Graph writes it.
    pub(in crate::functions) received: Option<String>,
}

impl Identity {
    /// So many bytes of a `Message-ID` are compared: a plan does not hold more.
    pub(in crate::functions) const LONGEST_MESSAGE_ID: usize = 2000;

    pub(super) fn is_of(&self, state: &MessageState) -> bool {
        self.is(state.internet_message_id.as_deref(), state.received.as_deref())
    }

    pub(in crate::functions) fn is_of_meeting(&self, message: &MeetingMessage) -> bool {
        self.is(message.internet_message_id.as_deref(), message.received.as_deref())
    }

    fn is(&self, internet_message_id: Option<&str>, received: Option<&str>) -> bool {
        let beginning = |id| beginning(id, Self::LONGEST_MESSAGE_ID);
        self.internet_message_id.as_deref().map(beginning) == internet_message_id.map(beginning)
            && self.received.as_deref() == received
    }
}

/// The message that is to be removed, and how.
#[derive(Debug, Clone, Copy)]
pub(in crate::functions) struct Order<'a> {
    /// The folder that the message is in, if the call names it.
    pub(in crate::functions) folder: Option<&'a str>,
    pub(in crate::functions) id: &'a str,
    pub(in crate::functions) removal: Removal,
    /// On whose behalf it goes into quarantine: a plan's digest, or the reference of the call.
    pub(in crate::functions) job: &'a str,
    /// What the message has to be. Where it is given, the message's state is read before any removal.
    pub(in crate::functions) expected: Option<&'a Identity>,
}

impl Order<'_> {
    pub(super) fn record(&self, state: Option<&MessageState>) -> AuditRecord {
        let (act, destination) = match self.removal {
            Removal::Recoverable => (Act::DeleteMessage, None),
            Removal::DeletedItems => (Act::DeleteMessage, Some("deleteditems")),
            Removal::Permanent => (Act::DeleteMessage, Some("permanently")),
            Removal::Quarantine => (Act::QuarantineMessage, Some("quarantine")),
        };
        AuditRecord {
            message_id: Some(self.id.to_owned()),
            origin: state.map(|state| state.folder.clone()),
            destination: destination.map(str::to_owned),
            ..AuditRecord::new(act)
        }
    }
}

/// Which run removed a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::functions) enum RemovedBy {
    /// This one.
    ThisRun,
    /// An earlier one: the message is in quarantine with the mark of the job.
    EarlierRun,
    /// An earlier one, as far as is known: the message does not exist, and there may have been an earlier run.
    Presumed,
}

/// A message that was removed.
#[derive(Debug, Clone)]
pub(in crate::functions) struct Removed {
    pub(in crate::functions) by: RemovedBy,
    /// The message before its removal, where it was read.
    pub(in crate::functions) before: Option<Before>,
}

/// A message before its removal.
#[derive(Debug, Clone)]
pub(in crate::functions) struct Before {
    /// Where it was, and what its owner can change.
    pub(in crate::functions) state: MessageState,
    /// Whether the same is on the message.
    pub(in crate::functions) is_marked: bool,
}

/// A message that is in quarantine, in the content of a result: all that its restoration takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::functions) struct Quarantined {
    /// The id of the message.
    pub(in crate::functions) id: String,
    /// The id by which it was listed, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::functions) listed_id: Option<String>,
    /// The plan's digest, or the reference of the call.
    pub(in crate::functions) job: String,
    /// The id of the folder it was in.
    pub(in crate::functions) folder: String,
    pub(in crate::functions) is_read: bool,
    #[serde(default)]
    pub(in crate::functions) flag: Option<Flag>,
    #[serde(default)]
    pub(in crate::functions) categories: Vec<String>,
    /// Whether the same is on the message.
    #[serde(default)]
    pub(in crate::functions) is_marked: bool,
}

impl Before {
    /// A message that is in quarantine, as its mark says that it was before.
    pub(super) fn of_mark(mark: Mark, state: MessageState) -> Self {
        let state = MessageState {
            folder: mark.folder,
            is_read: mark.read,
            flag: mark.flag,
            categories: mark.categories.unwrap_or_else(|| state.categories.clone()),
            ..state
        };
        Self { state, is_marked: true }
    }

    /// The entry of a result for the message that was listed as `id`.
    pub(in crate::functions) fn quarantined(&self, id: &str, job: &str) -> Quarantined {
        let Self { state, is_marked } = self;
        Quarantined {
            id: state.id.clone(),
            listed_id: (state.id != id).then(|| id.to_owned()),
            job: job.to_owned(),
            folder: state.folder.clone(),
            is_read: state.is_read,
            flag: state.flag.clone(),
            categories: state.categories.clone(),
            is_marked: *is_marked,
        }
    }
}

impl Removed {
    pub(in crate::functions) fn by(by: RemovedBy) -> Self {
        Self { by, before: None }
    }
}

/// Why a message was not removed.
pub(super) enum Failed {
    Graph(graph::Error),
    NotDone(NotDone),
}

impl From<graph::Error> for Failed {
    fn from(error: graph::Error) -> Self {
        Self::Graph(error)
    }
}

impl From<NotDone> for Failed {
    fn from(not_done: NotDone) -> Self {
        Self::NotDone(not_done)
    }
}

impl Failed {
    pub(super) fn refused(code: &'static str, why: &str) -> Self {
        Self::NotDone(NotDone::Refused { code, why: why.to_owned() })
    }
}

/// The removal of one message that is permitted and on record.
pub(super) struct Removing<'a> {
    pub(super) context: &'a Context,
    pub(super) dispatch: &'a Dispatch,
    pub(super) mailbox: &'a Mailbox,
    pub(super) order: &'a Order<'a>,
    pub(super) act: &'a Change,
}

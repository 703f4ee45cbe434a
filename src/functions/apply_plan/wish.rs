//! What an application asks for.

use crate::functions::inputs::{InputError, Inputs};
use crate::functions::removal::{ACTIONS, Removal};
use graph::attachments::Sha256;

/// What becomes of the messages of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// They go to a hidden folder of their mailbox.
    Quarantine,
    /// They go to Recoverable Items.
    Delete,
    /// They are purged.
    Purge,
}

impl Action {
    fn of(option: &str) -> Self {
        match option {
            "Delete" => Self::Delete,
            "Purge" => Self::Purge,
            // The least that can be done.
            _ => Self::Quarantine,
        }
    }

    /// The name in results and files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Delete => "delete",
            Self::Purge => "purge",
        }
    }

    /// "moved to quarantine"
    pub(super) fn participle(self) -> &'static str {
        match self {
            Self::Quarantine => "moved to quarantine",
            Self::Delete => "deleted",
            Self::Purge => "purged",
        }
    }

    /// How a message is removed.
    pub(super) fn removal(self) -> Removal {
        match self {
            Self::Quarantine => Removal::Quarantine,
            Self::Delete => Removal::Recoverable,
            Self::Purge => Removal::Permanent,
        }
    }
}

/// What an application asks for.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) incident: i64,
    pub(super) digest: Sha256,
    /// The name or number of the plan's file.
    pub(super) attachment: Option<String>,
    /// How many messages the approval is for.
    pub(super) expected: i64,
    pub(super) action: Action,
    pub(super) approved_by: Option<String>,
    /// Whether calendar entries go with their invitations.
    pub(super) with_meetings: bool,
}

impl Wish {
    pub(super) fn read(inputs: &Inputs) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let wish = Self {
            incident: reader.incident(true).unwrap_or_default(),
            digest: reader.required_digest("exo_plan_digest"),
            attachment: reader.word("exo_plan_attachment"),
            expected: reader.required_number("exo_expected_messages"),
            action: Action::of(reader.required_choice_of("exo_removal_action", ACTIONS)),
            approved_by: reader.word("exo_approved_by"),
            with_meetings: reader.flag("exo_include_meetings").unwrap_or(false),
        };
        reader.finish()?;
        Ok(wish)
    }
}

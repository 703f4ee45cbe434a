//! Why a change is not made.

use std::fmt;

use crate::audit::AuditError;

/// A change that is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind, for scripts.
    pub code: RefusalCode,
    /// The reason, as a sentence.
    pub why: String,
}

/// The kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCode {
    /// `mailboxes_allowed` or `mailboxes_denied` forbids the mailbox.
    MailboxRefused,
    /// The owner of the mailbox could not be found out.
    MailboxNotIdentified,
    /// More messages are listed than `max_deletions`.
    TooManyDeletions,
    /// More messages are listed than `max_deletions_per_hour` leaves.
    TooManyDeletionsPerHour,
    /// A plan holds more messages than `max_plan_messages`.
    PlanTooLarge,
    /// Messages are deleted by an approved plan only.
    ApprovalRequired,
    /// The audit trail cannot be written.
    NotOnRecord,
    /// All changes are on hold.
    OnHold,
    /// The process ends.
    Stopping,
    /// The workflow or playbook was ended in SOAR.
    Terminated,
    /// The guard rails changed after the change was allowed and before it was sent.
    RailsChanged,
}

impl RefusalCode {
    /// The text in results.
    pub fn text(self) -> &'static str {
        match self {
            Self::MailboxRefused => "MailboxRefused",
            Self::MailboxNotIdentified => "MailboxNotIdentified",
            Self::TooManyDeletions => "TooManyDeletions",
            Self::TooManyDeletionsPerHour => "TooManyDeletionsPerHour",
            Self::PlanTooLarge => "PlanTooLarge",
            Self::ApprovalRequired => "ApprovalRequired",
            Self::NotOnRecord => "NotOnRecord",
            Self::OnHold => "OnHold",
            Self::Stopping => "Stopping",
            Self::Terminated => "Terminated",
            Self::RailsChanged => "RailsChanged",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<AuditError> for Refusal {
    fn from(AuditError { reason, .. }: AuditError) -> Self {
        Self {
            code: RefusalCode::NotOnRecord,
            why: format!(
                "Nothing was changed, since it could not be put on record: the audit trail (audit_file) cannot be \
                 written ({reason})."
            ),
        }
    }
}

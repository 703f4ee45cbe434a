//! Why no change of a call may begin any more.

use graph::Withdrawal;

use super::{Refusal, RefusalCode};

/// Why the changes of a call have been stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// An operator has put all changes on hold.
    OnHold,
    /// The process ends.
    Stopping,
    /// The workflow or playbook that called the function was ended in SOAR. Holds a phrase that says which.
    Terminated(String),
    /// The call's list is longer than what may be deleted since a reload.
    TooMany {
        /// Which limit it is.
        code: RefusalCode,
        /// Says so.
        phrase: String,
    },
}

impl StopReason {
    pub(super) fn code(&self) -> RefusalCode {
        match self {
            Self::OnHold => RefusalCode::OnHold,
            Self::Stopping => RefusalCode::Stopping,
            Self::Terminated(_) => RefusalCode::Terminated,
            Self::TooMany { code, .. } => *code,
        }
    }

    /// The reason, to be read after a colon.
    pub fn phrase(&self) -> &str {
        match self {
            Self::OnHold => "all changes are on hold (hold)",
            Self::Stopping => "the integration is being stopped",
            Self::Terminated(phrase) | Self::TooMany { phrase, .. } => phrase,
        }
    }

    /// The refusal of a change that was stopped.
    pub fn refusal(&self) -> Refusal {
        let why = format!("Not done: {}.", self.phrase());
        Refusal { code: self.code(), why }
    }

    pub(super) fn withdrawal(&self) -> Withdrawal {
        Withdrawal { code: self.code().text(), phrase: self.phrase().into() }
    }
}

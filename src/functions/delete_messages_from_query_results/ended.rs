//! Why a deletion did not try all messages.

use crate::functions::report::{counted, thousands};
use crate::guard::{Refusal, RefusalCode, StopReason};

/// Why a call did not try all messages.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was stopped.
    Stopped {
        reason: StopReason,
        /// The number of messages that it tried.
        tried: usize,
        total: usize,
        /// An earlier run of the call may have deleted some.
        may_have_run: bool,
    },
    /// It lists more messages than may be deleted.
    TooMany(Refusal),
}

impl Ended {
    /// Whether all changes were on hold before the call deleted anything.
    pub(super) fn is_held(&self) -> bool {
        matches!(self, Self::Stopped { reason: StopReason::OnHold, tried: 0, .. })
    }

    /// Whether this is why a message with that code was not deleted.
    pub(super) fn is_reason(&self, code: &str) -> bool {
        let own = match self {
            Self::Stopped { reason, .. } => reason.refusal().code,
            Self::TooMany(refusal) => refusal.code,
        };
        own.text() == code
    }

    /// The sentence for the reason, where nothing else is shown.
    pub(super) fn in_full(&self) -> String {
        match self {
            Self::Stopped { .. } if self.is_held() => {
                self.with_prior_run("An administrator has stopped all changes: they are on hold (hold).")
            }
            Self::Stopped { reason, tried, total, .. } => self.with_prior_run(&format!(
                "Stopped after {} of {}: {}.",
                thousands(*tried),
                counted(*total, "message"),
                reason.phrase()
            )),
            Self::TooMany(refusal) => refusal.why.clone(),
        }
    }

    /// The sentence for a report, whose first line has the numbers.
    pub(super) fn in_report(&self) -> String {
        match self {
            Self::Stopped { .. } if self.is_held() => self.with_prior_run(
                "An administrator has stopped all changes (hold). Run this again when the hold has ended.",
            ),
            Self::Stopped { reason, .. } => self.with_prior_run(&format!("Stopped: {}.", reason.phrase())),
            Self::TooMany(refusal) => refusal.why.clone(),
        }
    }

    fn with_prior_run(&self, sentence: &str) -> String {
        match self {
            Self::Stopped { may_have_run: true, .. } => {
                format!("{sentence} An earlier run of this call may have deleted some.")
            }
            _ => sentence.to_owned(),
        }
    }
}

/// Says in few words why one of too many messages was not deleted.
pub(super) fn too_many(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::TooManyDeletionsPerHour => {
            "all calls of an hour may not delete so many (max_deletions_per_hour)"
        }
        RefusalCode::ApprovalRequired => "messages are deleted by an approved plan only (approval_required)",
        _ => "one call may not delete so many (max_deletions)",
    }
}

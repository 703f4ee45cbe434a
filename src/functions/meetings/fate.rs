//! What became of a calendar entry.

use serde::{Deserialize, Serialize};

use crate::functions::outcome::NotDone;
use crate::functions::report;
use crate::guard::RefusalCode;
use graph::ErrorKind;

/// What became of a calendar entry, or of the entry of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::functions) enum MeetingFate {
    /// There is none, or none any more: its owner removed it, or the message does not make one.
    NoEntry,
    /// There is no mailbox.
    NoMailbox,
    /// This call removed it.
    Removed,
    /// An earlier run of the call, or an earlier application of the plan, removed it.
    AlreadyRemoved,
    /// A dry run: it would have been removed.
    DryRun,
    /// The message is not there, so its entry could not be looked up.
    NoMessage,
    /// The mailbox's owner invited. It was not touched.
    Organizer,
    /// A guard rail keeps it.
    Refused,
    /// The call ended before its turn.
    NotReached,
    /// It is still there, or could not be looked up.
    Failed,
    /// It may have been removed.
    InDoubt,
}

impl MeetingFate {
    /// Whether it was removed, now or before.
    pub(in crate::functions) fn is_removed(self) -> bool {
        matches!(self, Self::Removed | Self::AlreadyRemoved)
    }

    /// Whether an analyst has to see to it: it is there still, or may be.
    pub(in crate::functions) fn is_open(self) -> bool {
        matches!(self, Self::Organizer | Self::Refused | Self::NotReached | Self::Failed | Self::InDoubt)
    }

    /// Whether nothing is left to do about it.
    pub(in crate::functions) fn is_settled(self) -> bool {
        !self.is_open() || self == Self::Organizer
    }
}

/// What became of a calendar entry, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::functions) struct MeetingDealt {
    pub(in crate::functions) fate: MeetingFate,
    /// The kind of the reason, for scripts.
    pub(in crate::functions) code: String,
    /// Why, in few words.
    pub(in crate::functions) reason: Option<String>,
}

impl MeetingDealt {
    pub(in crate::functions) fn new(fate: MeetingFate) -> Self {
        let reason = match fate {
            MeetingFate::Organizer => {
                Some("the mailbox's owner is the organizer; its removal would send cancellations".to_owned())
            }
            MeetingFate::InDoubt => Some("the call ended while it was being removed".to_owned()),
            _ => None,
        };
        Self { fate, code: String::new(), reason }
    }

    /// Why an entry was not removed.
    pub(in crate::functions) fn not_done(not_done: &NotDone) -> Self {
        let with = |fate, code: &str, reason: &str| Self {
            fate,
            code: code.to_owned(),
            reason: Some(reason.to_owned()),
        };
        match not_done {
            NotDone::DryRun => Self { code: "DryRun".to_owned(), ..Self::new(MeetingFate::DryRun) },
            NotDone::RailsChanged { in_doubt } => {
                let fate = if *in_doubt { MeetingFate::InDoubt } else { MeetingFate::Refused };
                with(fate, RefusalCode::RailsChanged.text(), "the guard rails kept changing")
            }
            NotDone::Refused { code, why } => {
                let is = |known: RefusalCode| known.text() == *code;
                let ends = [
                    RefusalCode::OnHold,
                    RefusalCode::Stopping,
                    RefusalCode::Terminated,
                    RefusalCode::PlanTooLarge,
                    RefusalCode::TooManyDeletionsPerHour,
                ];
                let fate =
                    if ends.into_iter().any(is) { MeetingFate::NotReached } else { MeetingFate::Refused };
                if is(RefusalCode::MailboxRefused) {
                    let why = "the mailbox is protected (mailboxes_allowed, mailboxes_denied; ask your administrator)";
                    return with(fate, code, why);
                }
                with(fate, code, why.trim_start_matches("Not done: ").trim_end_matches('.'))
            }
            NotDone::Graph(error) => {
                let code = error.refusal().map_or("", |refusal| refusal.code.as_str());
                match error.kind() {
                    ErrorKind::OutOfTime { begun: false } => {
                        with(MeetingFate::NotReached, "OutOfTime", "the call ran out of time")
                    }
                    _ if error.is_indeterminate() => {
                        with(MeetingFate::InDoubt, code, &report::in_words(error))
                    }
                    _ => with(MeetingFate::Failed, code, &report::in_words(error)),
                }
            }
        }
    }
}

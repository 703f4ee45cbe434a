//! What became of one message, and why.

use crate::functions::outcome::NotDone;
use crate::functions::plan::{Fate, OutcomeMessage, PlannedMessage};
use crate::functions::removal::{ALREADY_IN_QUARANTINE, Before, CHANGED_IDENTITY, Removed, RemovedBy};
use crate::functions::report;
use crate::guard::RefusalCode;
use graph::ErrorKind;

/// Codes of what ends a call before all of its messages had their turn.
const ENDS: [RefusalCode; 5] = [
    RefusalCode::OnHold,
    RefusalCode::Stopping,
    RefusalCode::Terminated,
    RefusalCode::PlanTooLarge,
    RefusalCode::TooManyDeletionsPerHour,
];
/// The code of a message whose removal was not finished in time.
pub(super) const OUT_OF_TIME: &str = "OutOfTime";

/// What became of a message, before it is put into the words of a result.
#[derive(Debug)]
pub(super) struct Dealt {
    fate: Fate,
    code: String,
    reason: Option<String>,
    before: Option<Before>,
}

impl Dealt {
    pub(super) fn new(removed: Result<Removed, NotDone>) -> Self {
        match removed {
            Ok(Removed { by, before }) => {
                let (fate, reason) = match by {
                    RemovedBy::ThisRun => (Fate::Removed, None),
                    RemovedBy::EarlierRun => {
                        (Fate::AlreadyRemoved, Some("in quarantine already, by this plan".to_owned()))
                    }
                    RemovedBy::Presumed => {
                        let reason = "not there any more; an earlier run or application may have removed it";
                        (Fate::AlreadyRemoved, Some(reason.to_owned()))
                    }
                };
                Self { fate, code: String::new(), reason, before }
            }
            Err(NotDone::DryRun) => Self::without(Fate::DryRun, "DryRun", None),
            Err(NotDone::RailsChanged { in_doubt }) => {
                let fate = if in_doubt { Fate::InDoubt } else { Fate::Refused };
                let reason = "the guard rails kept changing".to_owned();
                Self::without(fate, RefusalCode::RailsChanged.text(), Some(reason))
            }
            Err(NotDone::Refused { code, why }) => Self::refused(code, &why),
            Err(NotDone::Graph(error)) => Self::failed(&error),
        }
    }

    fn without(fate: Fate, code: impl Into<String>, reason: Option<String>) -> Self {
        Self { fate, code: code.into(), reason, before: None }
    }

    fn refused(code: &'static str, why: &str) -> Self {
        let is = |known: RefusalCode| known.text() == code;
        let (fate, reason) = match code {
            ALREADY_IN_QUARANTINE => {
                (Fate::AlreadyRemoved, "in quarantine already, by another call".to_owned())
            }
            CHANGED_IDENTITY => {
                (Fate::ChangedIdentity, "another message has its id by now; it was not touched".to_owned())
            }
            _ if ENDS.into_iter().any(is) => (Fate::NotReached, phrase(why)),
            _ if is(RefusalCode::MailboxRefused) => (
                Fate::Refused,
                "the mailbox is protected (mailboxes_allowed, mailboxes_denied; ask your administrator)"
                    .to_owned(),
            ),
            _ => (Fate::Refused, phrase(why)),
        };
        Self::without(fate, code, Some(reason))
    }

    fn failed(error: &graph::Error) -> Self {
        let code = error.refusal().map_or("", |refusal| refusal.code.as_str()).to_owned();
        if let ErrorKind::OutOfTime { begun } = *error.kind() {
            let (fate, reason) = if begun {
                (Fate::InDoubt, "the call ran out of time; it may have been removed")
            } else {
                (Fate::NotReached, "the call ran out of time")
            };
            return Self::without(fate, OUT_OF_TIME, Some(reason.to_owned()));
        }
        let fate = if error.is_indeterminate() {
            Fate::InDoubt
        } else if error.is_item_gone() {
            return Self::without(Fate::Gone, code, Some("not found any more".to_owned()));
        } else {
            Fate::Failed
        };
        Self::without(fate, code, Some(report::in_words(error)))
    }

    /// Puts it into the words of a result.
    pub(super) fn of(self, planned: &PlannedMessage) -> OutcomeMessage {
        let Self { fate, code, reason, before } = self;
        let mut message = OutcomeMessage {
            mailbox_id: planned.mailbox_id.clone(),
            mailbox: planned.mailbox.clone(),
            id: planned.id.clone(),
            fate,
            folder_id: planned.folder_id.clone(),
            folder: planned.folder.clone(),
            is_read: planned.is_read,
            flag: None,
            categories: Vec::new(),
            marked: false,
            changed: Vec::new(),
            code,
            reason,
            meeting: None,
            meeting_reason: None,
        };
        if let Some(Before { state, is_marked }) = before {
            if state.folder != planned.folder_id {
                message.changed.push("moved".to_owned());
                (message.folder_id, message.folder) = (state.folder, None);
            }
            if state.is_read != planned.is_read {
                message.changed.push(if state.is_read { "read" } else { "unread" }.to_owned());
                message.is_read = state.is_read;
            }
            message.flag = state.flag;
            message.categories = state.categories;
            message.marked = is_marked;
        }
        message
    }
}

/// The sentence of a refusal in few words.
fn phrase(why: &str) -> String {
    why.trim_start_matches("Not done: ")
        .trim_start_matches("Nothing was removed: ")
        .trim_end_matches('.')
        .to_owned()
}

//! What became of a message that was to be restored.

use serde::Serialize;

use crate::functions::outcome::NotDone;
use crate::functions::report;
use crate::guard::RefusalCode;
use graph::{ErrorKind, Mark, MeetingMark, MessageState, StateChange};

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    /// It is in the folder that it was in.
    Restored,
    /// It is in the Inbox, because its folder is gone or not known.
    RestoredToInbox,
    /// It was restored before.
    AlreadyRestored,
    /// It is not where the removal put it.
    NotTouched,
    NotFound,
    /// A guard rail keeps it where it is.
    Refused,
    Failed,
    /// It may have been restored.
    InDoubt,
    /// The call ended before its turn.
    NotReached,
    /// A dry run: it would have been restored.
    DryRun,
}

/// What became of a message, and what there is to say of it.
#[derive(Debug)]
pub(super) struct Restored {
    pub(super) fate: Fate,
    /// The id of the folder that it is in, where that is known.
    pub(super) folder: Option<String>,
    /// What its owner has changed since the removal: `read`, `unread`, `flag`, `categories`, `moved`.
    pub(super) changed: Vec<&'static str>,
    /// Whether read state, flag or categories could not be set as they were.
    pub(super) is_partial: bool,
    /// The kind of the reason, for scripts.
    pub(super) code: String,
    /// Why, in few words.
    pub(super) reason: Option<String>,
    /// The message, where it was found.
    pub(super) state: Option<MessageState>,
    /// What its calendar entry was that was removed along with it.
    pub(super) meeting: Option<Box<MeetingMark>>,
}

impl Restored {
    pub(super) fn new(fate: Fate) -> Self {
        let (changed, code) = (Vec::new(), String::new());
        Self {
            fate,
            folder: None,
            changed,
            is_partial: false,
            code,
            reason: None,
            state: None,
            meeting: None,
        }
    }

    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// The message in `state`.
    pub(super) fn found(self, state: MessageState) -> Self {
        Self { folder: Some(state.folder.clone()), state: Some(state), ..self }
    }

    /// Why a message was not restored.
    pub(super) fn not_done(not_done: &NotDone) -> Self {
        let with = |fate, code: &str, reason: &str| {
            Self { code: code.to_owned(), ..Self::new(fate) }.because(reason)
        };
        match not_done {
            NotDone::DryRun => with(Fate::DryRun, "DryRun", "a dry run was switched on (dry_run)"),
            NotDone::RailsChanged { in_doubt } => {
                let fate = if *in_doubt { Fate::InDoubt } else { Fate::Refused };
                with(fate, RefusalCode::RailsChanged.text(), "the guard rails kept changing")
            }
            NotDone::Refused { code, why } => {
                let is = |known: RefusalCode| known.text() == *code;
                let ends = [RefusalCode::OnHold, RefusalCode::Stopping, RefusalCode::Terminated];
                if ends.into_iter().any(is) {
                    return with(Fate::NotReached, code, phrase(why));
                }
                let why = if is(RefusalCode::MailboxRefused) {
                    "the mailbox is protected (mailboxes_allowed, mailboxes_denied; ask your administrator)"
                } else {
                    phrase(why)
                };
                with(Fate::Refused, code, why)
            }
            NotDone::Graph(error) => {
                let code = error.refusal().map_or("", |refusal| refusal.code.as_str());
                match error.kind() {
                    ErrorKind::OutOfTime { begun: false } => {
                        with(Fate::NotReached, "OutOfTime", "the call ran out of time")
                    }
                    _ if error.is_indeterminate() => with(Fate::InDoubt, code, &report::in_words(error)),
                    _ => with(Fate::Failed, code, &report::in_words(error)),
                }
            }
        }
    }
}

/// The sentence of a refusal in few words.
fn phrase(why: &str) -> &str {
    why.trim_start_matches("Not done: ").trim_end_matches('.')
}

/// What the owner of a message had changed, as its mark says of an earlier restoration.
pub(super) fn marked_changes(mark: Option<&Mark>) -> Vec<&'static str> {
    const KNOWN: [&str; 4] = ["read", "unread", "flag", "categories"];
    let changed = mark.map_or(&[][..], |mark| &mark.changed);
    KNOWN.into_iter().filter(|known| changed.iter().any(|changed| changed == known)).collect()
}

/// What the owner of a message has changed, if setting `change` undoes it.
pub(super) fn changed(change: &StateChange) -> Vec<&'static str> {
    let read = change.is_read.map(|was_read| if was_read { "unread" } else { "read" });
    let flag = change.flag.as_ref().map(|_| "flag");
    let categories = change.categories.as_ref().map(|_| "categories");
    [read, flag, categories].into_iter().flatten().collect()
}

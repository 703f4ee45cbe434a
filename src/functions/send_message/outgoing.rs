//! One mail on its way: in which mailbox, under which tag, and whether it was sent already.

use tracing::info;

use super::LOOK_UP;
use super::message::Mail;
use crate::audit::PendingAction;
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::outcome::Outcome;
use crate::functions::permissions::Permissions;
use crate::guard::Mailbox;
use graph::{self, CallTag, Dispatch, Effect, Path, Request, SendError};

/// Maximum number of rounds in which unsent drafts of the call are removed.
const MAX_CLEANUPS: usize = 5;

/// How sending a mail ended.
pub(super) enum Ended {
    /// Graph accepted the mail.
    Sent,
    /// The sender has no mailbox; the outcome says so.
    NoMailbox(Outcome),
}

/// A mail on its way.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) context: &'a Context,
    pub(super) mail: &'a Mail,
    /// The sender's mailbox.
    pub(super) from: &'a Mailbox,
    /// The tag on every copy of the mail, the same in each run of the call.
    pub(super) tag: &'a CallTag,
    pub(super) act: &'a PendingAction,
}

impl Outgoing<'_> {
    /// Looks up whether the mail was sent, and removes drafts of it that were not.
    pub(super) async fn find_sent(self) -> Result<Option<Ended>, Error> {
        let Self { context, mail, from, tag, .. } = self;
        let not_looked_up = |source| Error::NotLookedUp {
            mail: format!("a message from {}", mail.sender),
            permissions: LOOK_UP,
            source,
        };
        // A draft may be sent between the lookup and its removal, so only a lookup without drafts is conclusive.
        for _ in 0..MAX_CLEANUPS {
            let found = match tag.find(&context.graph, from.address(), None).await {
                Ok(found) => found,
                Err(source) if source.refusal().is_some_and(|refusal| refusal.status == 404) => {
                    return self.no_mailbox(self.failed(LOOK_UP, source)).map(Some);
                }
                Err(source) => return Err(not_looked_up(source)),
            };
            if found.iter().any(|message| !message.is_draft) {
                return Ok(Some(Ended::Sent));
            }
            if found.is_empty() {
                return Ok(None);
            }
            for draft in found {
                info!(mailbox = mail.sender, message_id = draft.id, "removing an unsent draft of this call");
                match self.remove_draft(&draft.id).await {
                    Err(SendError { error, .. }) if !error.is_item_gone() => {
                        return Err(not_looked_up(error));
                    }
                    _ => {}
                }
            }
        }
        Err(Error::Refused(format!(
            "Another run of this call seems to be sending the message from {}; it was not sent by this one.",
            mail.sender
        )))
    }

    /// Turns a missing mailbox into an answer; other failures stay failures.
    pub(super) fn no_mailbox(self, error: Error) -> Result<Ended, Error> {
        Outcome::not_found(error, &format!("The mailbox {}", self.mail.sender)).map(Ended::NoMailbox)
    }

    pub(super) async fn remove_draft(self, id: &str) -> Result<(), SendError> {
        let request = self.removal(id).map_err(|error| SendError { error, repeated: false })?;
        self.context.graph.send_by(&Dispatch::Single, &request).await.map(drop)
    }

    /// The request that removes a draft.
    pub(super) fn removal(self, id: &str) -> Result<Request, graph::Error> {
        let path = Path::message(self.from.address(), None, id)?;
        Ok(Request::delete(path, self.act).in_mailbox(self.from.address()))
    }

    /// The mail may have been sent.
    pub(super) fn in_doubt(self, source: graph::Error) -> Error {
        Error::InDoubt { attempt: self.attempt(), source: source.with_effect(Effect::NotApplied) }
    }

    /// The mail was not sent.
    pub(super) fn failed(self, permissions: Permissions, source: graph::Error) -> Error {
        Error::Graph { attempt: self.attempt(), permissions, source }
    }

    fn attempt(self) -> String {
        format!("send a message from {}", self.mail.sender)
    }
}

/// Whether a request that failed with `source` may have been carried out. Throttled requests have been seen to be.
pub(super) fn may_be_done(source: &graph::Error) -> bool {
    source.is_indeterminate() || source.backoff_hint().is_some()
}

//! One mail on its way: in which mailbox, under which tag, and whether it was sent already.

use chrono::TimeDelta;
use tracing::info;

use super::LOOK_UP;
use super::message::Mail;
use crate::functions::context::Context;
use crate::functions::error::{Error, ErrorKind};
use crate::functions::outcome::Outcome;
use crate::functions::permissions::Permissions;
use crate::guard::{Change, Mailbox};
use graph::{self, CallTag, Dispatch, Effect, Path, Request, SendError, TaggedMessage};

/// Maximum number of rounds in which unsent drafts of the call are removed.
const MAX_CLEANUPS: usize = 5;

/// The folder of unsent mails.
const DRAFTS: &str = "drafts";
/// The folders that a mail passes, in this order: a mail that moves on during a lookup is found in the next folder.
const FOLDERS: [&str; 3] = [DRAFTS, "outbox", "sentitems"];
/// How far Exchange's clock may be behind that of SOAR.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(10);

/// The copies of a mail in the sender's mailbox.
#[derive(Default)]
struct Copies {
    /// Ids of the drafts that were not sent.
    drafts: Vec<String>,
    /// Whether a copy was sent.
    sent: bool,
}

impl Copies {
    fn add(&mut self, found: Vec<TaggedMessage>) {
        let (drafts, sent): (Vec<_>, Vec<_>) = found.into_iter().partition(|message| message.is_draft);
        self.drafts.extend(drafts.into_iter().map(|draft| draft.id));
        self.sent |= !sent.is_empty();
    }
}

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
    pub(super) act: &'a Change,
}

impl Outgoing<'_> {
    /// Looks up whether the mail was sent, and removes drafts of it that were not.
    pub(super) async fn find_sent(self) -> Result<Option<Ended>, Error> {
        let sender = &self.mail.sender;
        let not_looked_up = |source| {
            let mail = format!("a message from {sender}");
            ErrorKind::NotLookedUp { mail, permissions: LOOK_UP, source }.into()
        };
        // A draft may be sent between the lookup and its removal, so only a lookup without drafts is conclusive.
        for _ in 0..MAX_CLEANUPS {
            let Copies { drafts, sent } = match self.find_copies().await {
                Ok(copies) => copies,
                Err(source) if is_not_found(&source) => {
                    return self.no_mailbox(self.failed(LOOK_UP, source)).map(Some);
                }
                Err(source) => return Err(not_looked_up(source)),
            };
            if sent {
                return Ok(Some(Ended::Sent));
            }
            if drafts.is_empty() {
                return Ok(None);
            }
            for id in drafts {
                info!(mailbox = sender, message_id = id, "removing an unsent draft of this call");
                match self.remove_draft(&id).await {
                    Err(SendError { error, .. }) if !error.is_item_gone() => {
                        return Err(not_looked_up(error));
                    }
                    _ => {}
                }
            }
        }
        Err(Error::refused(format!(
            "Another run of this call seems to be sending the message from {sender}; it was not sent by this one."
        )))
    }

    /// Finds the copies of the mail since the time of the call.
    async fn find_copies(self) -> Result<Copies, graph::Error> {
        let Self { context, from, tag, .. } = self;
        let since = context.call.asked_at.map(|asked_at| asked_at - CLOCK_DIFFERENCE);
        let mut copies = Copies::default();
        for folder in FOLDERS {
            match tag.find(&context.graph, from.address(), Some(folder), since).await {
                Ok(found) if folder == DRAFTS => copies.add(found),
                Ok(found) => copies.sent |= !found.is_empty(),
                // The mailbox lacks the folder, or does not exist.
                Err(error) if is_not_found(&error) => {
                    copies.add(tag.find(&context.graph, from.address(), None, since).await?);
                    return Ok(copies);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(copies)
    }

    /// Turns a missing mailbox into an answer; other failures stay failures.
    pub(super) fn no_mailbox(self, error: Error) -> Result<Ended, Error> {
        Outcome::not_found(error, &format!("The mailbox {}", self.mail.sender)).map(Ended::NoMailbox)
    }

    pub(super) async fn remove_draft(self, id: &str) -> Result<(), SendError> {
        let request = self.removal(id).map_err(|error| SendError { error, repeated: false })?;
        self.context.graph.send_by(&Dispatch::Single, &request).await.map(drop)
    }

    /// The request that removes a draft. The address names the folder, so that the request cannot remove the copy in
    /// Sent Items, which has the same immutable id.
    pub(super) fn removal(self, id: &str) -> Result<Request, graph::Error> {
        let path = Path::message(self.from.address(), Some(DRAFTS), id)?;
        Ok(Request::delete(path, &self.act.undo()).in_mailbox(self.from.address()))
    }

    /// The mail may have been sent.
    pub(super) fn in_doubt(self, source: graph::Error) -> Error {
        ErrorKind::NotSentAgain { attempt: self.attempt(), source: source.with_effect(Effect::NotApplied) }
            .into()
    }

    /// The mail was not sent.
    pub(super) fn failed(self, permissions: Permissions, source: graph::Error) -> Error {
        Error::graph(self.attempt(), permissions, source)
    }

    fn attempt(self) -> String {
        format!("send a message from {}", self.mail.sender)
    }
}

fn is_not_found(error: &graph::Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 404)
}

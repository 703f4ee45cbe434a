//! Deletes a message with one request.

use bytes::Bytes;
use serde_json::json;

use super::gone::removed_before;
use super::order::{Failed, Removal, RemovedBy, Removing};
use crate::functions::outcome::NotDone;
use crate::guard::Change;
use graph::{self, ErrorKind, Path, Request};

impl Removing<'_> {
    /// Deletes the message with `request`.
    pub(super) async fn delete(&self, request: Request) -> Result<RemovedBy, Failed> {
        let Self { context, dispatch, mailbox, .. } = self;
        let request = request.in_mailbox(mailbox.address());
        match context.graph.send_by(dispatch, &request).await {
            Ok(_) => Ok(RemovedBy::ThisRun),
            Err(failed) => Ok(removed_before(context, failed.error, failed.repeated)?),
        }
    }
}

/// The request that deletes the message at `path`; `None` for a removal that takes several. Each may be sent twice: the
/// second one finds no message.
pub(super) fn request(path: Path, removal: Removal, act: &Change) -> Option<Request> {
    Some(match removal {
        Removal::Recoverable => Request::delete(path, act),
        Removal::DeletedItems => {
            let body = json!({"destinationId": "deleteditems"}).to_string();
            Request::post(path.then("move"), body.into(), act).idempotent()
        }
        Removal::Permanent => Request::post(path.then("permanentDelete"), Bytes::new(), act).idempotent(),
        Removal::Quarantine => return None,
    })
}

/// Explains a failed deletion where Graph's own words would not help.
pub(super) fn explain(error: graph::Error, removal: Removal) -> NotDone {
    if removal == Removal::Permanent && is_unknown_action(&error) {
        return NotDone::Refused {
            code: "PermanentDeleteNotOffered",
            why: format!(
                "The message was not deleted: this Microsoft Graph seems not to offer permanentDelete ({}). Set \
                 deletion to recoverable or deleted_items.",
                error.for_log()
            ),
        };
    }
    error.into()
}

/// Whether Graph does not know the action in the address. `permanentDelete` exists in the global cloud only; the others
/// refuse its address. Refusals that concern the message come from Exchange, and their codes begin with `Error`. A 404
/// may also say that there is no mailbox.
fn is_unknown_action(error: &graph::Error) -> bool {
    const NO_MAILBOX: [&str; 5] = [
        "MailboxNotEnabledForRESTAPI",
        "MailboxNotSupportedForRESTAPI",
        "MailboxNotHostedInExchangeOnline",
        "ResourceNotFound",
        "Request_ResourceNotFound",
    ];
    match error.refusal() {
        Some(refusal) => {
            matches!(refusal.status, 400 | 404 | 405 | 501)
                && !refusal.code.starts_with("Error")
                && !NO_MAILBOX.contains(&&*refusal.code)
        }
        None => matches!(error.kind(), ErrorKind::NotAnAnswer { status: 404, .. }),
    }
}

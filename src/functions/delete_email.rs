//! `exchange_online_delete_email`: deletes one message.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::call::PriorRun;
use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_MAIL, Use};
use super::spec::{FOLDER, MAILBOX, MESSAGE, Spec, Timeout};
use crate::audit::{Act, ActOutcome, AuditRecord};
use crate::config::Deletion;
use crate::guard::{Authorization, Change, Mailbox};
use graph::{self, Dispatch, ErrorKind, Expected, Path, Request, SendError};

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_delete_email",
    summary: "Deletes one message.",
    inputs: &[MAILBOX, MESSAGE, FOLDER],
    uses: &[Use::always(&[CHANGE_MAIL])],
    changes_mailbox: true,
    timeout: Timeout::Abort,
};

#[derive(Serialize)]
struct Content {
    value: bool,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let mailbox = reader.required_mailbox("exo_email_address");
    let id = reader.required_id("exo_messages_id");
    let folder = reader.folder("exo_mailfolders_id");
    reader.finish()?;

    context.status.say(format!("Deleting a message of {mailbox}"));
    let deleted = async {
        context.guard.authorize_deletions(1)?;
        let (mailbox, folder, id) = (&mailbox, folder.as_deref(), &id);
        under_current_rails(context, |context| async move {
            let (graph, route) = (&context.graph, &Dispatch::Single);
            let mailbox = context.guard.authorize_mailbox(graph, route, mailbox).await?;
            delete(&context, route, &mailbox, folder, id).await
        })
        .await
    };
    match deleted.await {
        Ok(Deleted::Now) => Outcome::done(&Content { value: true }),
        Ok(Deleted::PriorRun) => {
            let mut outcome = Outcome::done(&Content { value: true })?;
            outcome.reason = Some(format!(
                "Message {id} of mailbox {mailbox} was not there any more. It counts as deleted, because an earlier run \
                 of this call may have deleted it."
            ));
            Ok(outcome)
        }
        Err(not_done) => {
            let done = format!("deleted message {id} of mailbox {mailbox}");
            not_done.outcome(&done, json!({"value": false}), |source| {
                let attempt = format!("delete message {id} of mailbox {mailbox}");
                let what = format!("Message {id} of mailbox {mailbox}");
                Outcome::not_found_in(&mailbox, Error::graph(attempt, SPEC.permissions(), source), &what)
            })
        }
    }
}

/// Which run of the call deleted a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleted {
    /// This one.
    Now,
    /// An earlier one, as far as is known: the message does not exist, and there may have been an earlier run.
    PriorRun,
}

/// Deletes one message, to where `deletion` says, and completes the audit record.
pub(super) async fn delete(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    folder: Option<&str>,
    id: &str,
) -> Result<Deleted, NotDone> {
    let deletion = context.guard.deletion();
    let record = AuditRecord {
        message_id: Some(id.to_owned()),
        destination: match deletion {
            Deletion::Recoverable => None,
            Deletion::DeletedItems => Some("deleteditems".to_owned()),
            Deletion::Permanent => Some("permanently".to_owned()),
        },
        ..AuditRecord::new(Act::DeleteMessage)
    };
    let path = || Path::message(mailbox.address(), folder, id).map_err(graph::Error::from);
    match context.guard.authorize_change(mailbox, record).await? {
        Authorization::Change(act) => {
            let deleted = async {
                let request = request(path()?, deletion, &act).in_mailbox(mailbox.address());
                match context.graph.send_by(dispatch, &request).await {
                    Ok(_) => Ok(Deleted::Now),
                    Err(failed) => deleted_before(context, failed),
                }
            };
            let deleted = deleted.await;
            match &deleted {
                Ok(Deleted::PriorRun) => act.end(
                    ActOutcome::Gone,
                    Some("it was not there; an earlier run of the call may have deleted it"),
                ),
                other => act.end_with(other),
            }
            deleted.map_err(|error| explain(error, deletion))
        }
        Authorization::DryRun(rehearsal) => {
            let there = look(context, dispatch, mailbox, path()).await;
            rehearsal.end_with(&there);
            there.map_err(NotDone::from).and(Err(NotDone::DryRun))
        }
    }
}

/// The request that deletes the message at `path`. Each may be sent twice: the second one finds no message.
fn request(path: Path, deletion: Deletion, act: &Change) -> Request {
    match deletion {
        Deletion::Recoverable => Request::delete(path, act),
        Deletion::DeletedItems => {
            let body = json!({"destinationId": "deleteditems"}).to_string();
            Request::post(path.then("move"), body.into(), act).idempotent()
        }
        Deletion::Permanent => Request::post(path.then("permanentDelete"), Bytes::new(), act).idempotent(),
    }
}

/// Decides whether a message whose deletion failed was deleted by this call before.
///
/// A message that does not exist counts as deleted only if an attempt of this call can have deleted it: an earlier
/// request of this run, or an earlier run that the broker indicates. That a run cannot be ruled out is not enough: a
/// message that its owner removed must not be reported as deleted. Otherwise it is not found.
fn deleted_before(
    context: &Context,
    SendError { error, repeated }: SendError,
) -> Result<Deleted, graph::Error> {
    if net::failpoint::is_set(format_args!("report-gone-messages")) {
        return Err(error);
    }
    match (is_gone(&error), repeated) {
        (true, true) => Ok(Deleted::Now),
        (true, false) if context.run_elsewhere() == PriorRun::Likely => Ok(Deleted::PriorRun),
        _ => Err(error),
    }
}

/// Whether the message does not exist, or lies in Recoverable Items, where a deleted message goes and from where Graph
/// does not delete it (Graph page "Delete message").
fn is_gone(error: &graph::Error) -> bool {
    error.is_item_gone() || error.refusal().is_some_and(|refusal| refusal.code == "ErrorCannotDeleteObject")
}

/// Checks that a message exists.
pub(super) async fn look(
    context: &Context,
    dispatch: &Dispatch,
    mailbox: &Mailbox,
    path: Result<Path, graph::Error>,
) -> Result<(), graph::Error> {
    let request = Request::get(path?.option("$select", "id")).in_mailbox(mailbox.address());
    let request = request.expecting(Expected::Entity);
    context.graph.send_by(dispatch, &request).await.map(drop).map_err(|failed| failed.error)
}

/// Explains a failed deletion where Graph's own words would not help.
fn explain(error: graph::Error, deletion: Deletion) -> NotDone {
    if deletion == Deletion::Permanent && is_unknown_action(&error) {
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

//! `exchange_online_delete_email`: deletes one message.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::{NotDone, Outcome};
use super::permissions::{CHANGE_MAIL, Use};
use super::spec::{FOLDER, MAILBOX, MESSAGE, Spec, Timeout};
use crate::audit::{Act, ActOutcome, AuditRecord, PendingAction};
use crate::config::Deletion;
use crate::guard::{Authorization, Mailbox};
use graph::{self, Dispatch, Path, Request, SendError};

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
        let mailbox = context.guard.authorize_mailbox(&context.graph, &Dispatch::Single, &mailbox).await?;
        delete(context, &Dispatch::Single, &mailbox, folder.as_deref(), &id).await
    };
    match deleted.await {
        Ok(Deleted::Now) => Outcome::done(&Content { value: true }),
        Ok(Deleted::PriorRun) => {
            let mut outcome = Outcome::done(&Content { value: true })?;
            outcome.reason = Some(format!(
                "Message {id} of mailbox {mailbox} was not there any more. It counts as deleted, since this call may \
                 have been run before; if it was not, somebody else has moved or deleted the message."
            ));
            Ok(outcome)
        }
        Err(not_done) => {
            let done = format!("deleted message {id} of mailbox {mailbox}");
            not_done.outcome(&done, json!({"value": false}), |source| {
                let attempt = format!("delete message {id} of mailbox {mailbox}");
                let what = format!("Message {id} of mailbox {mailbox}");
                Outcome::not_found(Error::Graph { attempt, permissions: SPEC.permissions(), source }, &what)
            })
        }
    }
}

/// How a message came to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleted {
    /// By this run of the call.
    Now,
    /// By an earlier run of the call, as it seems: it was gone, and there may have been one.
    PriorRun,
}

/// Deletes one message, to where the settings say, and puts what became of it on record.
pub(super) async fn delete(
    context: &Context,
    route: &Dispatch,
    mailbox: &Mailbox,
    folder: Option<&str>,
    id: &str,
) -> Result<Deleted, NotDone> {
    let record = AuditRecord {
        message_id: Some(id.to_owned()),
        destination: match context.guard.deletion() {
            Deletion::Recoverable => None,
            Deletion::DeletedItems => Some("deleteditems".to_owned()),
            Deletion::Permanent => Some("permanently".to_owned()),
        },
        ..AuditRecord::new(Act::DeleteMessage)
    };
    let path = || Path::message(mailbox.address(), folder, id).map_err(graph::Error::from);
    match context.guard.authorize_change(mailbox, record)? {
        Authorization::PendingAction(act) => {
            let deleted = async {
                let request = request(path()?, context.guard.deletion(), &act).in_mailbox(mailbox.address());
                carry_out(context, route, &request).await
            };
            let deleted = deleted.await;
            match &deleted {
                Ok(Deleted::PriorRun) => act.end(
                    ActOutcome::Gone,
                    Some("it was not there; an earlier run of the call may have deleted it"),
                ),
                other => act.end_with(other),
            }
            deleted.map_err(|error| unless_unknown(error, context.guard.deletion()))
        }
        Authorization::DryRun(rehearsal) => {
            let there = look(context, route, mailbox, path()).await;
            rehearsal.end_with(&there);
            there.map_err(NotDone::Graph).and(Err(NotDone::DryRun))
        }
    }
}

/// What deletes the message at `path`. Each may be sent twice: the second finds nothing.
fn request(path: Path, deletion: Deletion, act: &PendingAction) -> Request {
    match deletion {
        Deletion::Recoverable => Request::delete(path, act),
        Deletion::DeletedItems => {
            let body = json!({"destinationId": "deleteditems"}).to_string();
            Request::post(path.then("move"), body.into(), act).idempotent()
        }
        Deletion::Permanent => Request::post(path.then("permanentDelete"), Bytes::new(), act).idempotent(),
    }
}

async fn carry_out(context: &Context, route: &Dispatch, request: &Request) -> Result<Deleted, graph::Error> {
    match context.graph.send_by(route, request).await {
        Ok(_) => Ok(Deleted::Now),
        Err(failed) if net::failpoint::is_set(format_args!("report-gone-messages")) => Err(failed.error),
        // A request that was answered "try again" may have been carried out all the same. Then the message is gone,
        // and that is what was asked for.
        Err(SendError { error, repeated: true }) if error.is_item_gone() => Ok(Deleted::Now),
        // So may an earlier run of the call.
        Err(SendError { error, .. }) if error.is_item_gone() && context.may_have_been_run() => {
            Ok(Deleted::PriorRun)
        }
        Err(failed) => Err(failed.error),
    }
}

/// Looks whether a message is there.
pub(super) async fn look(
    context: &Context,
    route: &Dispatch,
    mailbox: &Mailbox,
    path: Result<Path, graph::Error>,
) -> Result<(), graph::Error> {
    let request = Request::get(path?.option("$select", "id")).in_mailbox(mailbox.address());
    context.graph.send_by(route, &request).await.map(drop).map_err(|failed| failed.error)
}

/// A cloud without `permanentDelete` knows no such part of an address, and says so with these statuses. What is wrong
/// with a message, Exchange says, and its codes begin with `Error`. A 404 is about the mailbox or the message, which is
/// not there, or about a mailbox without a licence.
fn unless_unknown(error: graph::Error, deletion: Deletion) -> NotDone {
    let is_unknown = error.refusal().is_some_and(|refusal| {
        matches!(refusal.status, 400 | 405 | 501) && !refusal.code.starts_with("Error")
    });
    if deletion != Deletion::Permanent || !is_unknown {
        return NotDone::Graph(error);
    }
    NotDone::Refused {
        code: "PermanentDeleteNotOffered",
        why: format!(
            "The message was not deleted: this Microsoft Graph seems not to offer permanentDelete ({}). Set \
             deletion to recoverable or deleted_items.",
            error.for_log()
        ),
    }
}

//! `exchange_online_delete_email`: deletes one message.

use serde::Serialize;
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use crate::graph::{self, Failed, Path, Request, Route};

pub(super) const PERMISSION: &str = "Mail.ReadWrite";

#[derive(Serialize)]
struct Content {
    value: bool,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let mailbox = reader.required_word("exo_email_address");
    let id = reader.required_word("exo_messages_id");
    let folder = reader.word("exo_mailfolders_id");
    reader.finish()?;

    context.status.say(format!("Deleting a message of {mailbox}"));
    match delete(context, &Route::Alone, &mailbox, folder.as_deref(), &id).await {
        Ok(()) => Outcome::done(&Content { value: true }),
        Err(source) => {
            let attempt = format!("delete message {id} of mailbox {mailbox}");
            let what = format!("Message {id} of mailbox {mailbox}");
            Outcome::not_found(Error::Graph { attempt, permission: PERMISSION, source }, &what)
        }
    }
}

/// Deletes one message and puts what became of it on record.
pub(super) async fn delete(
    context: &Context,
    route: &Route,
    mailbox: &str,
    folder: Option<&str>,
    id: &str,
) -> Result<(), graph::Error> {
    let outcome = async {
        let request = Request::delete(Path::message(mailbox, folder, id)?).in_mailbox(mailbox);
        match context.graph.send_by(route, &request).await {
            Ok(_) => Ok(()),
            // A request that was answered "try again" may have been carried out all the same, and so may an earlier
            // run of the call. Then the message is gone, and that is what was asked for.
            Err(Failed { error: graph::Error::Refused(refusal), repeated })
                if refusal.code == "ErrorItemNotFound" && (repeated || context.may_have_been_run()) =>
            {
                Ok(())
            }
            Err(failed) => Err(failed.error),
        }
    }
    .await;
    match &outcome {
        Ok(()) => info!(target: "audit", mailbox, message_id = id, outcome = "deleted", "delete message"),
        Err(error) => {
            info!(target: "audit", mailbox, message_id = id, outcome = "not deleted", error = error.for_log(), "delete message");
        }
    }
    outcome
}

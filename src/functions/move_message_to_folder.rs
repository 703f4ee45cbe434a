//! `exchange_online_move_message_to_folder`: moves one message. The move gives it a new id.
//!
//! Who knows only the old id cannot tell a message that was moved from one that is gone. So the message gets the
//! call's mark first, by which it can be found in the folder it was to go to: when the answer to the move was lost,
//! or an earlier run of the call moved it.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::{info, warn};

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::once::look_for;
use super::outcome::Outcome;
use crate::graph::{self, Failed, Mark, Path, Request, Route};

const PERMISSION: &str = "Mail.ReadWrite";

#[derive(Deserialize)]
struct Moved {
    id: String,
    #[serde(rename = "webLink")]
    web_link: Option<String>,
}

#[derive(Serialize)]
struct Content {
    new_message_id: String,
    new_web_link: Option<String>,
}

/// The message, and where it is to go.
struct Order {
    mailbox: String,
    id: String,
    folder: Option<String>,
    destination: String,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let order = Order {
        mailbox: reader.required_word("exo_email_address"),
        id: reader.required_word("exo_messages_id"),
        folder: reader.word("exo_mailfolders_id"),
        destination: reader.required_choice("exo_destination_mailfolder_id"),
    };
    reader.finish()?;

    let Order { mailbox, id, destination, .. } = &order;
    context.status.say(format!("Moving a message of {mailbox} to {destination}"));
    let moved = order.carry_out(context).await;
    let (outcome, error) = match &moved {
        Ok(_) => ("moved", None),
        Err(error) => ("not moved", Some(error.for_log())),
    };
    info!(target: "audit", mailbox, message_id = id, destination, outcome, error, "move message");
    match moved {
        Ok(Moved { id, web_link }) => Outcome::done(&Content { new_message_id: id, new_web_link: web_link }),
        Err(source) => {
            let attempt = format!("move message {id} of mailbox {mailbox} to {destination}");
            let what = format!("Message {id} of mailbox {mailbox}, or the folder {destination},");
            Outcome::not_found(Error::Graph { attempt, permission: PERMISSION, source }, &what)
        }
    }
}

impl Order {
    /// Moves the message, or finds it moved.
    async fn carry_out(&self, context: &Context) -> Result<Moved, graph::Error> {
        let mark = Mark::of(context.call.reference());
        let Failed { error, repeated } = match self.move_marked(context, &mark).await {
            Ok(moved) => return Ok(moved),
            Err(failed) => failed,
        };
        let tried = repeated || error.leaves_open();
        if !(tried || context.may_have_been_run()) {
            return Err(error);
        }
        match look_for(context, tried, || self.find_moved(context, &mark)).await {
            Ok(Some(moved)) => Ok(moved),
            Ok(None) => Err(error),
            Err(look) => {
                let look = look.for_log();
                warn!(
                    mailbox = self.mailbox,
                    message_id = self.id,
                    look,
                    "could not look where the message is"
                );
                Err(error)
            }
        }
    }

    async fn move_marked(&self, context: &Context, mark: &Mark) -> Result<Moved, Failed> {
        let path = || {
            Path::message(&self.mailbox, self.folder.as_deref(), &self.id)
                .map_err(|error| Failed { error: error.into(), repeated: false })
        };
        let marking = json!({"singleValueExtendedProperties": [mark]}).to_string();
        let request = Request::patch(path()?, marking.into()).in_mailbox(&self.mailbox);
        match context.graph.send_by(&Route::Alone, &request).await {
            Ok(_) => {}
            // What stands against the mark need not stand against the move.
            Err(Failed { error: graph::Error::Refused(refusal), .. })
                if matches!(refusal.status, 400 | 409 | 412) =>
            {
                let error = graph::Error::Refused(refusal).for_log();
                warn!(
                    mailbox = self.mailbox,
                    message_id = self.id,
                    error,
                    "moving a message that takes no mark"
                );
            }
            Err(failed) => return Err(failed),
        }
        let body = json!({"destinationId": self.destination}).to_string();
        // Once moved, the message has another id, so a second try can find nothing to move.
        let request =
            Request::post(path()?.then("move"), body.into()).harmless_twice().in_mailbox(&self.mailbox);
        let done = context.graph.send_by(&Route::Alone, &request).await?;
        done.answer.parse::<Moved>().map_err(|error| Failed { error, repeated: done.repeated })
    }

    /// Looks in the folder it was to go to.
    async fn find_moved(&self, context: &Context, mark: &Mark) -> Result<Option<Moved>, graph::Error> {
        let found = mark.find(&context.graph, &self.mailbox, Some(&self.destination)).await?;
        let moved = found.into_iter().find(|message| message.id != self.id);
        Ok(moved.map(|message| {
            info!(mailbox = self.mailbox, message_id = self.id, "an earlier try moved the message");
            Moved { id: message.id, web_link: message.web_link }
        }))
    }
}

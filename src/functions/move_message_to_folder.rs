//! `exchange_online_move_message_to_folder`: moves one message. The move gives it a new id.

use std::fmt::Write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use crate::graph::{Failed, Path, Request, Route};

const PERMISSION: &str = "Mail.ReadWrite";

#[derive(Serialize)]
struct Move<'a> {
    #[serde(rename = "destinationId")]
    destination: &'a str,
}

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

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let mailbox = reader.required_word("exo_email_address");
    let id = reader.required_word("exo_messages_id");
    let folder = reader.word("exo_mailfolders_id");
    let destination = reader.required_choice("exo_destination_mailfolder_id");
    reader.finish()?;

    context.status.say(format!("Moving a message of {mailbox} to {destination}"));
    let body = Bytes::from(serde_json::to_vec(&Move { destination: &destination })?);
    let moved = async {
        let path = Path::message(&mailbox, folder.as_deref(), &id)
            .map_err(|error| Failed { error: error.into(), repeated: false })?
            .then("move");
        // Once moved, the message has another id, so a second try can find nothing to move.
        let request = Request::post(path, body).harmless_twice().in_mailbox(&mailbox);
        let done = context.graph.send_by(&Route::Alone, &request).await?;
        done.answer.parse::<Moved>().map_err(|error| Failed { error, repeated: done.repeated })
    }
    .await;
    let (outcome, error) = match &moved {
        Ok(_) => ("moved", None),
        Err(failed) => ("not moved", Some(failed.error.for_log())),
    };
    info!(target: "audit", mailbox, message_id = id, destination, outcome, error, "move message");
    match moved {
        Ok(Moved { id, web_link }) => Outcome::done(&Content { new_message_id: id, new_web_link: web_link }),
        Err(Failed { error: source, repeated }) => {
            let attempt = format!("move message {id} of mailbox {mailbox} to {destination}");
            let what = format!("Message {id} of mailbox {mailbox}, or the folder {destination},");
            let permission = PERMISSION;
            let mut outcome = Outcome::not_found(Error::Graph { attempt, permission, source }, &what)?;
            if repeated && let Some(reason) = &mut outcome.reason {
                // A request that was answered "try again" may have been carried out all the same.
                let _ = write!(
                    reason,
                    " It may have been moved by an earlier try, whose answer was lost: look for it in {destination}."
                );
            }
            Ok(outcome)
        }
    }
}

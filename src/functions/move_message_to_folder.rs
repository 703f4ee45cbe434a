//! `exchange_online_move_message_to_folder`: moves one message. The move gives it a new id.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use crate::graph::{Path, Request};

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
        let path = Path::message(&mailbox, folder.as_deref(), &id)?.then("move");
        // Once moved, the message has another id, so a second try can find nothing to move.
        let request = Request::post(path, body).harmless_twice().in_mailbox(&mailbox);
        context.graph.send(&request).await?.parse::<Moved>()
    }
    .await;
    let (outcome, error) = match &moved {
        Ok(_) => ("moved", None),
        Err(error) => ("not moved", Some(error.to_string())),
    };
    info!(target: "audit", mailbox, message_id = id, destination, outcome, error, "move message");
    match moved {
        Ok(Moved { id, web_link }) => Outcome::done(&Content { new_message_id: id, new_web_link: web_link }),
        Err(source) => {
            let attempt = format!("move message {id} of mailbox {mailbox} to {destination}");
            let what = format!("Message {id} of mailbox {mailbox}, or the folder {destination},");
            let permission = PERMISSION;
            Outcome::not_found(Error::Graph { attempt, permission, source }, &what)
        }
    }
}

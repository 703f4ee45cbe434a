//! `exchange_online_move_message_to_folder`: moves one message to another folder of its mailbox.
//!
//! The message itself is not changed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::{info, warn};

use super::context::Context;
use super::error::Error;
use super::inputs::{InputError, Inputs, Reader, Reason};
use super::move_once::move_once;
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_MAIL, Use};
use super::removal::look;
use super::spec::{FOLDER, Input, InputKind, MAILBOX, MESSAGE, Spec, Timeout};
use crate::audit::{Act, AuditRecord};
use crate::guard::{Authorization, Change, Mailbox};
use graph::{self, CallTag, Dispatch, Effect, Expected, FolderSearch, Path, Request, WELL_KNOWN_FOLDERS};

const DESTINATION: &str = "exo_destination_mailfolder_id";
const CUSTOM_DESTINATION: &str = "exo_custom_folder_name";

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_move_message_to_folder",
    summary: "Moves one message to another folder of its mailbox.",
    inputs: &[
        MAILBOX,
        MESSAGE,
        FOLDER,
        Input::optional(
            DESTINATION,
            InputKind::Select(WELL_KNOWN_FOLDERS),
            "well-known folder the message goes to; this or exo_custom_folder_name is required",
        ),
        Input::optional(
            CUSTOM_DESTINATION,
            InputKind::Text,
            "name or path of the folder the message goes to, such as Inbox/Phishing",
        ),
    ],
    uses: &[Use::always(&[CHANGE_MAIL])],
    changes_mailbox: true,
    timeout: Timeout::Abort,
};

/// The message, and the folder it is to go to.
struct Move {
    /// The mailbox, as the call names it.
    mailbox: String,
    id: String,
    /// The folder that the message is in, if the call names it.
    folder: Option<String>,
    destination: Destination,
}

/// The folder that a message is to go to.
enum Destination {
    /// A well-known name, or an id.
    Folder(String),
    /// A name or path, which is looked up in the mailbox.
    Custom(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Folder(name) | Self::Custom(name)) = self;
        f.write_str(name)
    }
}

impl Destination {
    fn read(reader: &mut Reader<'_>) -> Self {
        match (reader.chosen_folder(DESTINATION), reader.folder(CUSTOM_DESTINATION)) {
            (Some(_), Some(_)) => reader.refuse(CUSTOM_DESTINATION, Reason::BothAreSet(DESTINATION)),
            (None, None) => reader.refuse(DESTINATION, Reason::NeitherIsSet(CUSTOM_DESTINATION)),
            (Some(folder), None) => return Self::Folder(folder),
            (None, Some(name))
                if WELL_KNOWN_FOLDERS.iter().any(|known| known.eq_ignore_ascii_case(&name)) =>
            {
                return Self::Folder(name);
            }
            (None, Some(name)) => return Self::Custom(name),
        }
        Self::Folder(String::new())
    }
}

impl Move {
    fn read(inputs: &Inputs) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let order = Self {
            mailbox: reader.required_mailbox("exo_email_address"),
            id: reader.required_id("exo_messages_id"),
            folder: reader.folder("exo_mailfolders_id"),
            destination: Destination::read(&mut reader),
        };
        reader.finish()?;
        Ok(order)
    }
}

#[derive(Serialize)]
struct Content {
    new_message_id: String,
    new_web_link: Option<String>,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let order = Move::read(inputs)?;
    let Move { mailbox, id, destination, .. } = &order;
    context.status.say(format!("Moving a message of {mailbox} to {destination}"));
    match under_current_rails(context, |context| authorize_and_move(context, &order)).await {
        Ok(Ok(Moved { id, web_link })) => {
            Outcome::done(&Content { new_message_id: id, new_web_link: web_link })
        }
        Ok(Err(NoDestination(reason))) => Ok(Outcome::without_content(reason)),
        Err(not_done) => {
            let done = format!("moved message {id} of mailbox {mailbox} to {destination}");
            let content = json!({"new_message_id": null, "new_web_link": null});
            not_done.outcome(&done, content, |source| {
                let attempt = format!("move message {id} of mailbox {mailbox} to {destination}");
                let what = format!("Message {id} of mailbox {mailbox}, or the folder {destination},");
                let error = Error::graph(attempt, SPEC.permissions(), source);
                Outcome::not_found_in(mailbox, error, &what).or_else(Outcome::refused)
            })
        }
    }
}

/// The mailbox has no such folder, or several. Holds a sentence.
struct NoDestination(String);

/// Returns the id or the well-known name of the destination, or a sentence that says why there is none.
async fn find_destination(
    context: &Context,
    mailbox: &Mailbox,
    order: &Move,
) -> Result<Result<String, String>, graph::Error> {
    let name = match &order.destination {
        Destination::Folder(folder) => return Ok(Ok(folder.clone())),
        Destination::Custom(name) => name,
    };
    let owner = &order.mailbox;
    Ok(match graph::find_mail_folder(&context.graph, mailbox.address(), name).await? {
        FolderSearch::Found(id) => Ok(id),
        FolderSearch::Missing => {
            Err(format!("Folder '{name}' was not found in mailbox {owner}. The message was not moved."))
        }
        FolderSearch::Ambiguous(paths) => Err(format!(
            "Mailbox {owner} has several folders '{name}': {}. The message was not moved. Give the path.",
            paths.join(", ")
        )),
    })
}

/// Moves the message within the guard rails, and completes the audit record.
async fn authorize_and_move(context: Context, order: &Move) -> Result<Result<Moved, NoDestination>, NotDone> {
    let record = AuditRecord {
        message_id: Some(order.id.clone()),
        destination: Some(order.destination.to_string()),
        ..AuditRecord::new(Act::MoveMessage)
    };
    let mailbox = context.guard.authorize_mailbox(&context.graph, &Dispatch::Single, &order.mailbox).await?;
    let destination = match find_destination(&context, &mailbox, order).await? {
        Ok(destination) => destination,
        Err(reason) => return Ok(Err(NoDestination(reason))),
    };
    let context = &context;
    match context.guard.authorize_change(&mailbox, record).await? {
        Authorization::Change(act) => {
            let moved =
                Mover { context, order, mailbox: &mailbox, destination: &destination }.move_once(&act).await;
            act.end_with(&moved);
            Ok(Ok(moved?))
        }
        Authorization::DryRun(rehearsal) => {
            let path = Path::message(mailbox.address(), order.folder.as_deref(), &order.id);
            let there = look(context, &Dispatch::Single, &mailbox, path.map_err(graph::Error::from)).await;
            rehearsal.end_with(&there);
            there?;
            Err(NotDone::DryRun)
        }
    }
}

/// The message where it is after the move.
#[derive(Deserialize)]
struct Moved {
    id: String,
    #[serde(rename = "webLink")]
    web_link: Option<String>,
}

/// Moves one message of one mailbox.
struct Mover<'a> {
    context: &'a Context,
    order: &'a Move,
    mailbox: &'a Mailbox,
    /// The well-known name or the id of the folder.
    destination: &'a str,
}

impl Mover<'_> {
    /// Moves the message, unless it is in its destination already.
    async fn move_once(&self, act: &Change) -> Result<Moved, graph::Error> {
        if self.context.may_have_been_run()
            && let Some(moved) = self.find_moved().await
        {
            return Ok(moved);
        }
        move_once(self.context, || self.request_move(act), || self.find_moved()).await
    }

    async fn request_move(&self, act: &Change) -> Result<Moved, graph::Error> {
        let Self { context, order, mailbox, destination } = self;
        let path = Path::message(mailbox.address(), order.folder.as_deref(), &order.id)?.then("move");
        let body = json!({"destinationId": destination}).to_string();
        let request = Request::post(path, body.into(), act)
            .expecting(Expected::Entity)
            .retry_if_unsent()
            .in_mailbox(mailbox.address());
        let response = context.graph.send(&request).await?;
        // Graph moved the message, whatever is wrong with its answer.
        response.parse().map_err(|error| error.with_effect(Effect::Indeterminate))
    }

    /// Finds the message in its destination. A lookup that fails finds nothing, and the log says why.
    async fn find_moved(&self) -> Option<Moved> {
        let Self { order, .. } = self;
        if net::failpoint::is_set(format_args!("skip-lookup: the moved message")) {
            return None;
        }
        let found = match self.find_by_id().await {
            Err(error) if is_not_found(&error) => self.find_by_tag().await,
            found => found,
        };
        match found {
            Ok(Some(moved)) => {
                info!(mailbox = order.mailbox, message_id = order.id, "the message is in its destination");
                Some(moved)
            }
            Ok(None) => None,
            Err(error) if is_not_found(&error) => None,
            Err(error) => {
                warn!(
                    mailbox = order.mailbox,
                    message_id = order.id,
                    error = error.for_log(),
                    "could not look up where the message is"
                );
                None
            }
        }
    }

    async fn find_by_id(&self) -> Result<Option<Moved>, graph::Error> {
        #[derive(Deserialize)]
        struct Place {
            #[serde(rename = "parentFolderId")]
            folder: String,
            #[serde(flatten)]
            message: Moved,
        }
        #[derive(Deserialize)]
        struct Folder {
            id: String,
        }
        let Self { context, order, mailbox, destination } = self;
        let read = |path: Path| Request::get(path).expecting(Expected::Entity).in_mailbox(mailbox.address());
        let path = Path::message(mailbox.address(), None, &order.id)?;
        let path = path.option("$select", "id,parentFolderId,webLink");
        let place: Place = context.graph.send(&read(path)).await?.parse()?;
        let path = Path::mail_folder(mailbox.address(), destination)?.option("$select", "id");
        let destination: Folder = context.graph.send(&read(path)).await?.parse()?;
        Ok((place.folder == destination.id).then_some(place.message))
    }

    /// Finds a message whose id did not survive the move. Version 2.0 tagged each message before it moved it.
    async fn find_by_tag(&self) -> Result<Option<Moved>, graph::Error> {
        let Self { context, order, mailbox, destination } = self;
        let tag = CallTag::of(context.call.reference());
        let found = tag.find(&context.graph, mailbox.address(), Some(destination), None).await?;
        let moved = found.into_iter().find(|message| message.id != order.id);
        Ok(moved.map(|message| Moved { id: message.id, web_link: message.web_link }))
    }
}

fn is_not_found(error: &graph::Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 404)
}

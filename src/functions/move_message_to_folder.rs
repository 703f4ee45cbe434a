//! `exchange_online_move_message_to_folder`: moves one message to another folder of its mailbox.
//!
//! The message itself is not changed. Its immutable id survives the move (Graph page "Obtain immutable identifiers for
//! Outlook resources"), so one request shows where the message is: after an attempt with an unknown outcome, and when
//! an earlier run of the call may have moved it.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;
use tracing::{info, warn};

use super::context::Context;
use super::delete_email::look;
use super::error::Error;
use super::idempotency::may_have_been_applied;
use super::inputs::{InputError, Inputs, WELL_KNOWN_FOLDERS};
use super::outcome::{NotDone, Outcome};
use super::permissions::{CHANGE_MAIL, Use};
use super::spec::{FOLDER, Input, InputKind, MAILBOX, MESSAGE, Spec, Timeout};
use crate::audit::{Act, AuditRecord, PendingAction};
use crate::guard::{Authorization, Mailbox};
use graph::{self, CallTag, Dispatch, Effect, Expected, Path, Request};

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_move_message_to_folder",
    summary: "Moves one message to a well-known folder.",
    inputs: &[
        MAILBOX,
        MESSAGE,
        FOLDER,
        Input::required(
            "exo_destination_mailfolder_id",
            InputKind::Select(WELL_KNOWN_FOLDERS),
            "folder the message goes to",
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
    destination: String,
}

impl Move {
    fn read(inputs: &Inputs) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let order = Self {
            mailbox: reader.required_mailbox("exo_email_address"),
            id: reader.required_id("exo_messages_id"),
            folder: reader.folder("exo_mailfolders_id"),
            destination: reader.required_folder("exo_destination_mailfolder_id"),
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
    match authorize_and_move(context, &order).await {
        Ok(Moved { id, web_link }) => Outcome::done(&Content { new_message_id: id, new_web_link: web_link }),
        Err(not_done) => {
            let done = format!("moved message {id} of mailbox {mailbox} to {destination}");
            let content = json!({"new_message_id": null, "new_web_link": null});
            not_done.outcome(&done, content, |source| {
                let attempt = format!("move message {id} of mailbox {mailbox} to {destination}");
                let what = format!("Message {id} of mailbox {mailbox}, or the folder {destination},");
                Outcome::not_found(Error::graph(attempt, SPEC.permissions(), source), &what)
            })
        }
    }
}

/// Moves the message within the guard rails, and completes the audit record.
async fn authorize_and_move(context: &Context, order: &Move) -> Result<Moved, NotDone> {
    let record = AuditRecord {
        message_id: Some(order.id.clone()),
        destination: Some(order.destination.clone()),
        ..AuditRecord::new(Act::MoveMessage)
    };
    let mailbox = context.guard.authorize_mailbox(&context.graph, &Dispatch::Single, &order.mailbox).await?;
    match context.guard.authorize_change(&mailbox, record)? {
        Authorization::PendingAction(act) => {
            let moved = Mover { context, order, mailbox: &mailbox }.move_once(&act).await;
            act.end_with(&moved);
            Ok(moved?)
        }
        Authorization::DryRun(rehearsal) => {
            let path = Path::message(mailbox.address(), order.folder.as_deref(), &order.id);
            let there = look(context, &Dispatch::Single, &mailbox, path.map_err(graph::Error::from)).await;
            rehearsal.end_with(&there);
            there.map_err(NotDone::Graph).and(Err(NotDone::DryRun))
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
}

impl Mover<'_> {
    /// Moves the message, unless it is in its destination already.
    async fn move_once(&self, act: &PendingAction) -> Result<Moved, graph::Error> {
        if self.context.may_have_been_run()
            && let Some(moved) = self.find_moved().await
        {
            return Ok(moved);
        }
        let (mut indeterminate, mut repeats) = (false, 0);
        loop {
            let error = match self.request_move(act).await {
                Ok(moved) => return Ok(moved),
                Err(error) => error,
            };
            indeterminate |= error.is_indeterminate();
            let repeatable = may_have_been_applied(&error);
            if !repeatable && !error.is_item_gone() {
                return Err(with_doubt(error, indeterminate));
            }
            // Graph has answered "not found" to moves that it had carried out (msgraph-sdk-php issue 285).
            if let Some(moved) = self.find_moved().await {
                return Ok(moved);
            }
            let named = error.backoff_hint().and_then(|hint| hint.named);
            let wait = self.context.graph.again_after(named, repeats).filter(|_| repeatable);
            let Some(wait) = wait else {
                // A message that is gone may have been moved by an earlier run and by its owner after that.
                let moved_on = error.is_item_gone() && self.context.may_have_been_run();
                return Err(with_doubt(error, indeterminate || moved_on));
            };
            repeats += 1;
            sleep(wait).await;
        }
    }

    async fn request_move(&self, act: &PendingAction) -> Result<Moved, graph::Error> {
        let Self { context, order, mailbox } = self;
        let path = Path::message(mailbox.address(), order.folder.as_deref(), &order.id)?.then("move");
        let body = json!({"destinationId": order.destination}).to_string();
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
        let Self { context, order, mailbox } = self;
        let read = |path: Path| Request::get(path).expecting(Expected::Entity).in_mailbox(mailbox.address());
        let path = Path::message(mailbox.address(), None, &order.id)?;
        let path = path.option("$select", "id,parentFolderId,webLink");
        let place: Place = context.graph.send(&read(path)).await?.parse()?;
        let path = Path::mail_folder(mailbox.address(), &order.destination)?.option("$select", "id");
        let destination: Folder = context.graph.send(&read(path)).await?.parse()?;
        Ok((place.folder == destination.id).then_some(place.message))
    }

    /// Finds a message whose id did not survive the move. Version 2.0 tagged each message before it moved it.
    async fn find_by_tag(&self) -> Result<Option<Moved>, graph::Error> {
        let Self { context, order, mailbox } = self;
        let tag = CallTag::of(context.call.reference());
        let found = tag.find(&context.graph, mailbox.address(), Some(&order.destination), None).await?;
        let moved = found.into_iter().find(|message| message.id != order.id);
        Ok(moved.map(|message| Moved { id: message.id, web_link: message.web_link }))
    }
}

fn is_not_found(error: &graph::Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 404)
}

fn with_doubt(error: graph::Error, indeterminate: bool) -> graph::Error {
    if indeterminate { error.with_effect(Effect::Indeterminate) } else { error }
}

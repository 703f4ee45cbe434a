//! `exchange_online_move_message_to_folder`: moves one message. The move gives it a new id.
//!
//! Who knows only the old id cannot tell a message that was moved from one that is gone. So the message gets the
//! call's mark first, by which it can be found in the folder it was to go to: when the answer to the move was lost,
//! or an earlier run of the call moved it.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::{info, warn};

use super::context::Context;
use super::delete_email::look;
use super::error::Error;
use super::idempotency::{LOOKUP_DELAYS, look_for};
use super::inputs::{Inputs, WELL_KNOWN_FOLDERS};
use super::outcome::{NotDone, Outcome};
use super::permissions::{CHANGE_MAIL, Use};
use super::spec::{FOLDER, Input, InputKind, MAILBOX, MESSAGE, Spec, Timeout};
use crate::audit::{Act, AuditRecord, PendingAction};
use crate::guard::{Authorization, Mailbox};
use graph::{self, CallTag, Dispatch, Effect, Expected, Path, Request, SendError};

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_move_message_to_folder",
    summary: "Moves one message to a well-known folder; it gets a new id there.",
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
    /// As it was named.
    mailbox: String,
    id: String,
    folder: Option<String>,
    destination: String,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let order = Order {
        mailbox: reader.required_mailbox("exo_email_address"),
        id: reader.required_id("exo_messages_id"),
        folder: reader.folder("exo_mailfolders_id"),
        destination: reader.required_folder("exo_destination_mailfolder_id"),
    };
    reader.finish()?;

    let Order { mailbox, id, destination, .. } = &order;
    context.status.say(format!("Moving a message of {mailbox} to {destination}"));
    match order.carry_out(context).await {
        Ok(Moved { id, web_link }) => Outcome::done(&Content { new_message_id: id, new_web_link: web_link }),
        Err(not_done) => {
            let done = format!("moved message {id} of mailbox {mailbox} to {destination}");
            let content = json!({"new_message_id": null, "new_web_link": null});
            not_done.outcome(&done, content, |source| {
                let attempt = format!("move message {id} of mailbox {mailbox} to {destination}");
                let what = format!("Message {id} of mailbox {mailbox}, or the folder {destination},");
                Outcome::not_found(Error::Graph { attempt, permissions: SPEC.permissions(), source }, &what)
            })
        }
    }
}

impl Order {
    async fn carry_out(&self, context: &Context) -> Result<Moved, NotDone> {
        let record = AuditRecord {
            message_id: Some(self.id.clone()),
            destination: Some(self.destination.clone()),
            ..AuditRecord::new(Act::MoveMessage)
        };
        let mailbox =
            context.guard.authorize_mailbox(&context.graph, &Dispatch::Single, &self.mailbox).await?;
        match context.guard.authorize_change(&mailbox, record)? {
            Authorization::PendingAction(act) => {
                let moved = Move { order: self, mailbox: &mailbox, act: &act }.carry_out(context).await;
                act.end_with(&moved);
                Ok(moved?)
            }
            Authorization::DryRun(rehearsal) => {
                let path = Path::message(mailbox.address(), self.folder.as_deref(), &self.id);
                let there =
                    look(context, &Dispatch::Single, &mailbox, path.map_err(graph::Error::from)).await;
                rehearsal.end_with(&there);
                there.map_err(NotDone::Graph).and(Err(NotDone::DryRun))
            }
        }
    }
}

/// A message on its way.
struct Move<'a> {
    order: &'a Order,
    mailbox: &'a Mailbox,
    act: &'a PendingAction,
}

impl Move<'_> {
    /// Moves the message, or finds it moved.
    async fn carry_out(&self, context: &Context) -> Result<Moved, graph::Error> {
        let mark = CallTag::of(context.call.reference());
        let SendError { error, repeated } = match self.move_marked(context, &mark).await {
            Ok(moved) => return Ok(moved),
            Err(failed) => failed,
        };
        let tried = repeated || error.is_indeterminate();
        let skipped = net::failpoint::is_set(format_args!("skip-lookup: the moved message"));
        if skipped || !(tried || context.may_have_been_run()) {
            return Err(error);
        }
        // A message that is gone may have been moved by an earlier run, and have gone on from there.
        let unsure = |error: graph::Error| {
            let gone_before = context.may_have_been_run() && error.is_item_gone();
            if gone_before { error.with_effect(Effect::Indeterminate) } else { error }
        };
        match look_for(context, tried, LOOKUP_DELAYS.into_iter(), || self.find_moved(context, &mark)).await {
            Ok(Some(moved)) => Ok(moved),
            Ok(None) => Err(unsure(error)),
            Err(look) => {
                let look = look.for_log();
                warn!(
                    mailbox = self.order.mailbox,
                    message_id = self.order.id,
                    look,
                    "could not look where the message is"
                );
                Err(unsure(error))
            }
        }
    }

    async fn move_marked(&self, context: &Context, mark: &CallTag) -> Result<Moved, SendError> {
        let Self { order, act, .. } = *self;
        let path = || {
            Path::message(self.mailbox.address(), order.folder.as_deref(), &order.id)
                .map_err(|error| SendError { error: error.into(), repeated: false })
        };
        let marking = json!({"singleValueExtendedProperties": [mark]}).to_string();
        let request = Request::patch(path()?, marking.into(), act).in_mailbox(self.mailbox.address());
        match context.graph.send_by(&Dispatch::Single, &request).await {
            Ok(_) => {}
            // What stands against the mark need not stand against the move.
            Err(SendError { error, .. })
                if error.refusal().is_some_and(|refusal| matches!(refusal.status, 400 | 409 | 412)) =>
            {
                warn!(
                    mailbox = order.mailbox,
                    message_id = order.id,
                    error = error.for_log(),
                    "moving a message that takes no mark"
                );
            }
            Err(SendError { error, repeated }) => {
                let error = error.with_effect(Effect::NotApplied);
                return Err(SendError { error, repeated });
            }
        }
        let body = json!({"destinationId": order.destination}).to_string();
        // Once moved, the message has another id, so a second try can find nothing to move.
        let request = Request::post(path()?.then("move"), body.into(), act)
            .expecting(Expected::Entity)
            .idempotent()
            .in_mailbox(self.mailbox.address());
        let sent = context.graph.send_by(&Dispatch::Single, &request).await?;
        sent.response.parse::<Moved>().map_err(|error| SendError { error, repeated: sent.repeated })
    }

    /// Looks in the folder it was to go to.
    async fn find_moved(&self, context: &Context, mark: &CallTag) -> Result<Option<Moved>, graph::Error> {
        let Self { order, mailbox, .. } = self;
        let found = mark.find(&context.graph, mailbox.address(), Some(&order.destination), None).await?;
        let moved = found.into_iter().find(|message| message.id != order.id);
        Ok(moved.map(|message| {
            info!(mailbox = order.mailbox, message_id = order.id, "an earlier try moved the message");
            Moved { id: message.id, web_link: message.web_link }
        }))
    }
}

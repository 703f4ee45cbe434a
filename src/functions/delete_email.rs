//! `exchange_online_delete_email`: deletes one message.

use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_MAIL, Use};
use super::removal::{ACTIONS, Order, QUARANTINE_ACTION, Quarantined, Removal, Removed, RemovedBy, remove};
use super::spec::{FOLDER, Input, InputKind, MAILBOX, MESSAGE, Spec, Timeout};
use crate::guard::RefusalCode;
use graph::Dispatch;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_delete_email",
    summary: "Deletes one message.",
    inputs: &[
        MAILBOX,
        MESSAGE,
        FOLDER,
        Input::optional(
            "exo_removal_action",
            InputKind::Select(ACTIONS),
            "Quarantine moves the message there; otherwise it ends where the setting deletion says",
        ),
    ],
    uses: &[Use::always(&[CHANGE_MAIL])],
    changes_mailbox: true,
    timeout: Timeout::Abort,
};

#[derive(Serialize)]
struct Content {
    value: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined: Option<Quarantined>,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let mailbox = reader.required_mailbox("exo_email_address");
    let id = reader.required_id("exo_messages_id");
    let folder = reader.folder("exo_mailfolders_id");
    let chosen = reader.choice_of("exo_removal_action", ACTIONS);
    reader.finish()?;
    let is_quarantine = chosen == Some(QUARANTINE_ACTION);
    if chosen.is_some() && !is_quarantine {
        return Err(Error::refused(
            "The message was not deleted: of exo_removal_action only Quarantine can be chosen here. Where else a \
             deletion ends is a setting (deletion).",
        ));
    }

    context.status.say(format!("Deleting a message of {mailbox}"));
    let job = context.call.reference().to_string();
    let deleted = async {
        context.guard.authorize_deletions(1)?;
        let (mailbox, folder, id, job) = (&mailbox, folder.as_deref(), &id, &job);
        under_current_rails(context, |context| async move {
            let (graph, route) = (&context.graph, &Dispatch::Single);
            let mailbox = context.guard.authorize_mailbox(graph, route, mailbox).await?;
            let removal = if is_quarantine { Removal::Quarantine } else { context.guard.deletion() };
            let order = Order { folder, id, removal, job, expected: None };
            remove(&context, route, &mailbox, &order).await
        })
        .await
    };
    match deleted.await {
        Ok(Removed { by, before }) => {
            let quarantined = before.map(|before| before.quarantined(&id, &job));
            let mut outcome = Outcome::done(&Content { value: true, quarantined })?;
            if by == RemovedBy::Presumed {
                outcome.reason = Some(format!(
                    "Message {id} of mailbox {mailbox} was not there any more. It counts as deleted, because an \
                     earlier run of this call may have deleted it."
                ));
            }
            Ok(outcome)
        }
        // It is an answer, so that a script shows what to do.
        Err(NotDone::Refused { code, why }) if code == RefusalCode::ApprovalRequired.text() => {
            let error = json!({"code": code, "message": &why});
            let mut outcome = Outcome::done(&json!({"value": false, "error": error}))?;
            (outcome.success, outcome.reason) = (false, Some(why));
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

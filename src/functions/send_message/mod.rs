//! `exchange_online_send_message`: sends a mail, with attachments of the incident if asked to.
//!
//! A mail that fits into one request goes by `sendMail` (Graph page "user: sendMail"), a larger one as a [`draft`].
//!
//! Graph has no key that makes sending repeatable. So every mail carries the call's tag, by which it can be found in
//! the sender's mailbox. It is looked up before a call runs that may have run before, and before a mail is sent again
//! after an attempt with an unknown outcome.

mod draft;
mod message;
mod outgoing;

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::json;

pub(super) use self::message::Mail;
use self::message::{FileAttachment, SendMail};
use self::outgoing::{Ended, Outgoing};
use super::context::Context;
use super::error::Error;
use super::idempotency::{Visibility, ensure_once, may_have_been_applied};
use super::inputs::Inputs;
use super::outcome::{NotDone, Outcome, under_current_rails};
use super::permissions::{CHANGE_MAIL, Permissions, READ_MAIL, SEND_MAIL, Use};
use super::spec::{Input, InputKind, Spec, Timeout};
use crate::audit::{Act, ActOutcome, AuditRecord};
use crate::guard::{Authorization, Change, Mailbox};
use graph::{self, CallTag, Dispatch, Effect, Path, Request};
use soar::Attachment;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_send_message",
    summary: "Sends a mail, with attachments of the incident if asked to.",
    inputs: &[
        Input::required("exo_email_address", InputKind::Text, "address of the sender"),
        Input::required(
            "exo_recipients",
            InputKind::Text,
            "addresses of the recipients, separated by commas",
        ),
        Input::optional("exo_message_subject", InputKind::Text, "subject"),
        Input::optional("exo_message_body", InputKind::Text, "text, as HTML"),
        Input::optional(
            "exo_attachment_names",
            InputKind::Text,
            "names of the incident's attachments to send, separated by commas",
        ),
        Input::optional(
            "incident_id",
            InputKind::Number,
            "number of the incident; required with exo_attachment_names",
        ),
    ],
    uses: &[Use::always(&[SEND_MAIL]), LARGE, Use::when("after a lost answer", &[SEND_MAIL, READ_MAIL])],
    changes_mailbox: true,
    timeout: Timeout::Abort,
};

/// A mail that is too large for one request.
const LARGE: Use = Use::when("over 4 MB", &[SEND_MAIL, CHANGE_MAIL]);
/// What looking up a mail needs.
const LOOK_UP: Permissions = Permissions(&[READ_MAIL]);
/// Graph refuses requests of 4 MB or more; the rest is left for headers.
const LARGEST_REQUEST: u64 = 3_900_000;
/// Attachments of this size or more go by upload session. In a single request their Base64 form would come too close to
/// the limit of 4 MB; sessions take attachments from 2,097,152 bytes on (measured, msgraph-sdk-java pull request 52).
const SMALLEST_IN_SESSION: u64 = 2_900_000;

#[derive(Serialize)]
struct Content {
    value: bool,
    failed_attachments: Option<Vec<String>>,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mail = Mail::read(inputs)?;
    context.status.say(format!("Sending a message from {}", mail.sender));
    let (attachments, missing) = mail.attachments(context).await?;
    let failed_attachments = (!missing.is_empty()).then_some(missing);
    let record = AuditRecord {
        recipients: mail.recipients.clone(),
        attachments: Some(attachments.len()),
        ..AuditRecord::new(Act::SendMessage)
    };
    let (sent, with, record) = (&mail, &attachments, &record);
    let ended = under_current_rails(context, |context| async move {
        let from = context.guard.authorize_mailbox(&context.graph, &Dispatch::Single, &sent.sender).await?;
        match context.guard.authorize_change(&from, record.clone()).await? {
            Authorization::Change(act) => withdrawn(send_once(&context, sent, &from, act, with).await),
            Authorization::DryRun(rehearsal) => {
                rehearsal.end();
                Err(NotDone::DryRun)
            }
        }
    });
    match ended.await {
        Ok(Ok(Ended::Sent)) => Outcome::done(&Content { value: true, failed_attachments }),
        Ok(Ok(Ended::NoMailbox(not_found))) => Ok(not_found),
        Ok(Err(error)) => Err(error),
        Err(not_done) => {
            let done = format!("sent a message from {} to {}", mail.sender, mail.recipients.join(", "));
            let content = json!({"value": false, "failed_attachments": failed_attachments});
            not_done.outcome(&done, content, |source| {
                let attempt = format!("send a message from {}", mail.sender);
                let what = format!("The mailbox {}", mail.sender);
                Outcome::not_found(Error::graph(attempt, SPEC.permissions(), source), &what)
            })
        }
    }
}

/// Tells a mail that was withdrawn from one that failed.
fn withdrawn(sent: Result<Ended, Error>) -> Result<Result<Ended, Error>, NotDone> {
    let Err(error) = sent else { return Ok(sent) };
    let effect = if error.is_indeterminate() { Effect::Indeterminate } else { Effect::NotApplied };
    match error.graph_error().filter(|source| source.withdrawal().is_some()) {
        Some(source) => match source.clone().with_effect(effect).into() {
            // The error says more of an earlier try.
            NotDone::Graph(_) => Ok(Err(error)),
            not_done => Err(not_done),
        },
        None => Ok(Err(error)),
    }
}

/// Sends the mail at most once, and completes the audit record.
async fn send_once(
    context: &Context,
    mail: &Mail,
    from: &Mailbox,
    act: Change,
    attachments: &[Attachment],
) -> Result<Ended, Error> {
    let tag = CallTag::of(context.call.reference());
    let outgoing = Outgoing { context, mail, from, tag: &tag, act: &act };
    // Whether an attempt may have sent the mail, and whether one was throttled.
    let (indeterminate, throttled) = (AtomicBool::new(false), AtomicBool::new(false));
    let attempt = || async {
        let sent = send(outgoing, attachments, throttled.load(Ordering::Relaxed)).await;
        if let Err(error) = &sent {
            indeterminate.fetch_or(error.is_indeterminate(), Ordering::Relaxed);
            throttled.fetch_or(error.is_throttling(), Ordering::Relaxed);
        }
        sent
    };
    let lookup = || outgoing.find_sent();
    let mut sent = ensure_once(context, "the mail", Visibility::Eventual, lookup, attempt).await;
    let indeterminate = indeterminate.into_inner();
    if let Ok(Ended::NoMailbox(not_found)) = &mut sent
        && indeterminate
    {
        let reason = not_found.reason.get_or_insert_default();
        reason.push_str(" An earlier try may have sent the message all the same.");
    }
    let (outcome, error) = match &sent {
        Ok(Ended::Sent) => (ActOutcome::Done, None),
        Ok(Ended::NoMailbox(not_found)) => {
            let outcome = if indeterminate { ActOutcome::Unknown } else { ActOutcome::NotDone };
            (outcome, not_found.reason.clone())
        }
        Err(error) if error.is_indeterminate() => (ActOutcome::Unknown, Some(error.for_log())),
        Err(error) => (ActOutcome::NotDone, Some(error.for_log())),
    };
    act.end(outcome, error.as_deref());
    sent
}

/// Sends the mail by `sendMail` where it fits into one request, else as a draft. A mail that was throttled goes as a
/// draft where the application may create one: should that be throttled as well, its fate is known at once.
async fn send(
    outgoing: Outgoing<'_>,
    attachments: &[Attachment],
    was_throttled: bool,
) -> Result<Ended, Error> {
    let Outgoing { context, mail, from, tag, act } = outgoing;
    let bare = serde_json::to_vec(&SendMail::new(mail.message(tag, Vec::new())))?.len();
    // Base64 turns three bytes into four.
    let encoded: u64 =
        attachments.iter().map(|attachment| attachment.size.unwrap_or(u64::MAX / 4096) / 3 * 4 + 1024).sum();
    if encoded + bare as u64 > LARGEST_REQUEST {
        return draft::send(outgoing, attachments).await;
    }
    if was_throttled && let Some(sent) = draft::send_if_allowed(outgoing, attachments).await {
        return sent;
    }
    let mut encoded = Vec::with_capacity(attachments.len());
    for attachment in attachments {
        encoded.push(FileAttachment::new(attachment, &mail.read_attachment(context, attachment).await?));
    }
    let body = serde_json::to_vec(&SendMail::new(mail.message(tag, encoded)))?;
    let sent = async {
        let path = Path::user(from.address())?.then("sendMail");
        let mut request = Request::post(path, body.into(), act).in_mailbox(from.address());
        if !net::failpoint::is_set(format_args!("repeat-throttled-mail")) {
            request = request.retry_if_unsent();
        }
        context.graph.send(&request).await
    };
    match sent.await {
        Ok(_) => Ok(Ended::Sent),
        Err(source) if may_have_been_applied(&source) => Err(outgoing.in_doubt(source)),
        Err(source) => outgoing.no_mailbox(outgoing.failed(SPEC.permissions(), source)),
    }
}

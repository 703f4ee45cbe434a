//! `exchange_online_send_message`: sends a mail, with attachments of the incident if asked to.
//!
//! What fits into one request goes by `sendMail` (Graph page "user: sendMail"). What does not goes as a [`draft`].
//!
//! Graph has no key that makes sending repeatable, so every mail bears the call's mark, by which it can be found in
//! the sender's mailbox: before a call is run that may have been run before, and before a mail is sent again of
//! which it is not known whether it was sent.

mod draft;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::json;
use tracing::info;

use super::context::Context;
use super::error::Error;
use super::guard::{Authorization, Mailbox, NotDone};
use super::idempotency::{Visibility, once};
use super::inputs::{InputError, Inputs};
use super::outcome::Outcome;
use crate::audit::{AuditRecord, PendingAction};
use graph::models::{Body, Recipient, listed};
use graph::{self, CallTag, Dispatch, Failed, Path, Request};
use soar::Attachment;

const PERMISSION: &str = "Mail.Send";
const PERMISSION_TO_LOOK: &str = "Mail.Read (or Mail.ReadWrite)";
/// How often unsent drafts of the call are removed until none is left.
const MOST_CLEARINGS: usize = 5;
/// Graph takes requests of less than 4 MB; some of that is not ours to count.
const LARGEST_REQUEST: u64 = 3_900_000;
/// An attachment from this size on takes an upload session, and a smaller one is not taken by it.
pub(super) const SMALLEST_IN_SESSION: u64 = 3 << 20;

/// The mail that is asked for.
pub(super) struct Mail {
    pub(super) sender: String,
    recipients: Vec<String>,
    subject: String,
    body: String,
    attachment_names: Vec<String>,
    pub(super) incident: Option<i64>,
}

impl Mail {
    pub(super) fn read(inputs: &Inputs) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let mut attachment_names = listed(reader.words("exo_attachment_names"));
        let mut seen = HashSet::new();
        attachment_names.retain(|name| seen.insert(name.clone()));
        let incident = if attachment_names.is_empty() {
            reader.number("incident_id")
        } else {
            Some(reader.required_number("incident_id"))
        };
        let mail = Self {
            sender: reader.required_word("exo_email_address"),
            recipients: listed(Some(reader.required_words("exo_recipients"))),
            subject: reader.text("exo_message_subject").unwrap_or_default(),
            body: reader.text("exo_message_body").unwrap_or_default(),
            attachment_names,
            incident,
        };
        reader.finish()?;
        Ok(mail)
    }

    pub(super) fn message(&self, mark: &CallTag, attachments: Vec<FileAttachment>) -> Message<'_> {
        Message {
            subject: &self.subject,
            body: Body::html(&self.body),
            to_recipients: self.recipients.iter().map(|address| Recipient::new(address)).collect(),
            single_value_extended_properties: [mark.clone()],
            attachments,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SendMail<'a> {
    message: Message<'a>,
    save_to_sent_items: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message<'a> {
    subject: &'a str,
    body: Body<'a>,
    to_recipients: Vec<Recipient>,
    single_value_extended_properties: [CallTag; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<FileAttachment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileAttachment {
    #[serde(rename = "@odata.type")]
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    content_bytes: String,
}

impl FileAttachment {
    pub(super) fn new(attachment: &Attachment, content: &[u8]) -> Self {
        Self {
            kind: "#microsoft.graph.fileAttachment",
            name: attachment.name.clone(),
            content_type: attachment.content_type.clone(),
            content_bytes: BASE64_STANDARD.encode(content),
        }
    }
}

#[derive(Serialize)]
struct Content {
    value: bool,
    failed_attachments: Option<Vec<String>>,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mail = Mail::read(inputs)?;
    if mail.recipients.is_empty() {
        return Err(Error::Refused(
            "The input \"exo_recipients\" holds no address; nothing was sent.".to_owned(),
        ));
    }
    context.status.say(format!("Sending a message from {}", mail.sender));
    let (attachments, missing) = attachments(context, &mail).await?;
    let mark = CallTag::of(context.call.reference());
    let failed_attachments = (!missing.is_empty()).then_some(missing);
    let deed = AuditRecord {
        act: "send message",
        recipients: mail.recipients.clone(),
        attachments: Some(attachments.len()),
        ..AuditRecord::default()
    };
    let allowed = async {
        let mailbox = context.guard.mailbox(&context.graph, &Dispatch::Single, &mail.sender).await?;
        let leave = context.guard.begin(&mailbox, deed)?;
        Ok((mailbox, leave))
    };
    let not_done = |not_done: NotDone| {
        let done = format!("sent a message from {} to {}", mail.sender, mail.recipients.join(", "));
        let content = json!({"value": false, "failed_attachments": failed_attachments});
        let what = format!("The mailbox {}", mail.sender);
        not_done.answer(&done, content, |source| Outcome::not_found(failed(&mail, PERMISSION, source), &what))
    };
    let (from, act) = match allowed.await {
        Ok((mailbox, Authorization::PendingAction(act))) => (mailbox, act),
        Ok((_, Authorization::DryRun(rehearsal))) => {
            rehearsal.end("would be sent", None);
            return not_done(NotDone::DryRun);
        }
        Err(refused) => return not_done(refused),
    };
    let post = Post { context, mail: &mail, from: &from, mark: &mark, act: &act };
    // Whether a try may have sent it.
    let open = AtomicBool::new(false);
    let send = || async {
        let sent = post.send(&attachments).await;
        if sent.as_ref().is_err_and(Error::is_indeterminate) {
            open.store(true, Ordering::Relaxed);
        }
        sent
    };
    let mut sent = once(context, "the mail", Visibility::Eventual, || post.was_sent(), send).await;
    if let Ok(Ended::NoMailbox(not_found)) = &mut sent
        && open.load(Ordering::Relaxed)
    {
        let reason = not_found.reason.get_or_insert_default();
        reason.push_str(" An earlier try may have sent the message all the same.");
    }
    let (outcome, error) = match &sent {
        Ok(Ended::Sent) => ("sent", None),
        Ok(Ended::NoMailbox(not_found)) => {
            let outcome = if open.load(Ordering::Relaxed) { "unknown" } else { "not sent" };
            (outcome, not_found.reason.clone())
        }
        Err(error) if error.is_indeterminate() || matches!(error, Error::NotLookedUp { .. }) => {
            ("unknown", Some(error.for_log()))
        }
        Err(error) => ("not sent", Some(error.for_log())),
    };
    act.end(outcome, error.as_deref());
    match sent? {
        Ended::Sent => Outcome::done(&Content { value: true, failed_attachments }),
        Ended::NoMailbox(not_found) => Ok(not_found),
    }
}

/// The incident's attachments of the names that were asked for, and the names it has none of.
async fn attachments(context: &Context, mail: &Mail) -> Result<(Vec<Attachment>, Vec<String>), Error> {
    let (Some(incident), false) = (mail.incident, mail.attachment_names.is_empty()) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let mut there = context.casebook.attachments(incident).await?;
    let mut found = Vec::new();
    let mut missing = Vec::new();
    let most = context.limits.max_attachment;
    for name in &mail.attachment_names {
        match there.iter().position(|attachment| attachment.name == *name) {
            Some(place) if there[place].size.is_some_and(|size| size > most) => {
                let why = format!("is larger than {} MiB (max_attachment_mb); nothing was sent.", most >> 20);
                return Err(Error::Attachment { name: name.clone(), why });
            }
            Some(place) => found.push(there.remove(place)),
            None => missing.push(name.clone()),
        }
    }
    Ok((found, missing))
}

/// What became of a mail.
pub(super) enum Ended {
    Sent,
    NoMailbox(Outcome),
}

/// A mail on its way.
#[derive(Clone, Copy)]
pub(super) struct Post<'a> {
    pub(super) context: &'a Context,
    pub(super) mail: &'a Mail,
    /// The sender's mailbox.
    pub(super) from: &'a Mailbox,
    pub(super) mark: &'a CallTag,
    pub(super) act: &'a PendingAction,
}

impl Post<'_> {
    /// Looks whether the mail was sent. A draft of it that nobody sent yet is removed.
    pub(super) async fn was_sent(self) -> Result<Option<Ended>, Error> {
        let Self { context, mail, from, mark, act } = self;
        let not_looked_up = |source| Error::NotLookedUp {
            mail: format!("a message from {}", mail.sender),
            permission: PERMISSION_TO_LOOK,
            source,
        };
        // A draft may be sent between the look and its removal, so only a look that shows none has the last word.
        for _ in 0..MOST_CLEARINGS {
            let found = match mark.find(&context.graph, from.address(), None).await {
                Ok(found) => found,
                Err(source) if source.refusal().is_some_and(|refusal| refusal.status == 404) => {
                    return self.no_mailbox(failed(mail, PERMISSION_TO_LOOK, source)).map(Some);
                }
                Err(source) => return Err(not_looked_up(source)),
            };
            if found.iter().any(|message| !message.is_draft) {
                return Ok(Some(Ended::Sent));
            }
            if found.is_empty() {
                return Ok(None);
            }
            for draft in found {
                info!(
                    mailbox = mail.sender,
                    message_id = draft.id,
                    "removing a draft of this call that was not sent"
                );
                match remove_draft(context, from, &draft.id, act).await {
                    Err(Failed { error, .. }) if !error.is_item_gone() => return Err(not_looked_up(error)),
                    _ => {}
                }
            }
        }
        Err(Error::Refused(format!(
            "Another run of this call seems to be sending the message from {}; it was not sent by this one.",
            mail.sender
        )))
    }

    /// What is answered where there is no such mailbox; other failures stay.
    pub(super) fn no_mailbox(self, error: Error) -> Result<Ended, Error> {
        Outcome::not_found(error, &format!("The mailbox {}", self.mail.sender)).map(Ended::NoMailbox)
    }

    async fn send(self, attachments: &[Attachment]) -> Result<Ended, Error> {
        let Self { context, mail, from, mark, act } = self;
        let save_to_sent_items = true;
        let message = mail.message(mark, Vec::new());
        let bare = serde_json::to_vec(&SendMail { message, save_to_sent_items })?.len();
        // Base64 makes four bytes of three.
        let encoded: u64 = attachments
            .iter()
            .map(|attachment| attachment.size.unwrap_or(u64::MAX / 4096) / 3 * 4 + 1024)
            .sum();
        if encoded + bare as u64 > LARGEST_REQUEST {
            return draft::send(self, attachments).await;
        }
        let mut encoded = Vec::with_capacity(attachments.len());
        for attachment in attachments {
            encoded.push(FileAttachment::new(attachment, &read(context, mail, attachment).await?));
        }
        let message = mail.message(mark, encoded);
        let body = serde_json::to_vec(&SendMail { message, save_to_sent_items })?;
        let sent = async {
            let path = Path::user(from.address())?.then("sendMail");
            let request = Request::post(path, body.into(), act).retry_if_unsent().in_mailbox(from.address());
            context.graph.send(&request).await
        };
        match sent.await {
            Ok(_) => Ok(Ended::Sent),
            Err(source) if may_be_done(&source) => Err(in_doubt(mail, source)),
            Err(source) => self.no_mailbox(failed(mail, PERMISSION, source)),
        }
    }
}

/// Whether a request that failed so may have been carried out: a throttled one has been seen to be.
pub(super) fn may_be_done(source: &graph::Error) -> bool {
    source.is_indeterminate() || source.backoff_hint().is_some()
}

pub(super) async fn remove_draft(
    context: &Context,
    mailbox: &Mailbox,
    id: &str,
    act: &PendingAction,
) -> Result<(), Failed> {
    let request = removal(mailbox, id, act).map_err(|error| Failed { error, repeated: false })?;
    context.graph.send_by(&Dispatch::Single, &request).await.map(drop)
}

/// What removes a draft.
pub(super) fn removal(mailbox: &Mailbox, id: &str, act: &PendingAction) -> Result<Request, graph::Error> {
    Ok(Request::delete(Path::message(mailbox.address(), None, id)?, act).in_mailbox(mailbox.address()))
}

/// It may have been sent.
pub(super) fn in_doubt(mail: &Mail, source: graph::Error) -> Error {
    Error::InDoubt { attempt: format!("send a message from {}", mail.sender), source: source.without_doubt() }
}

pub(super) fn failed(mail: &Mail, permission: &'static str, source: graph::Error) -> Error {
    Error::Graph { attempt: format!("send a message from {}", mail.sender), permission, source }
}

/// The bytes of an attachment that is small. More than SOAR said there are, or, where it said nothing, than a small
/// one has, are not taken.
pub(super) async fn read(context: &Context, mail: &Mail, attachment: &Attachment) -> Result<Bytes, Error> {
    let incident = mail.incident.unwrap_or_default();
    let most = attachment.size.unwrap_or(SMALLEST_IN_SESSION);
    let mut bytes = Vec::new();
    let mut stream = context.casebook.attachment_contents(incident, attachment.id).await?;
    while let Some(piece) = stream.try_next().await.map_err(Error::NotRead)? {
        if (bytes.len() + piece.len()) as u64 > most {
            let why = format!("is larger than SOAR says ({most} bytes); the message was not sent.");
            return Err(Error::Attachment { name: attachment.name.clone(), why });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

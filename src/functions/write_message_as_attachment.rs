//! `exchange_online_write_message_as_attachment`: saves the MIME form of a message as a file of an incident or a task.
//! The message streams from Graph to SOAR and is never held in memory.

use std::pin::pin;

use futures_util::TryStreamExt;
use serde::Serialize;

use super::attached_content::{AttachedContent, within_limit};
use super::context::Context;
use super::error::Error;
use super::idempotency::{Visibility, ensure_once};
use super::incident_sink::MESSAGE_TYPE;
use super::inputs::Inputs;
use super::outcome::Outcome;
use super::permissions::{READ_MAIL, Use};
use super::spec::{INCIDENT, Input, InputKind, MAILBOX, MESSAGE, Spec, Timeout};
use crate::audit::{Act, AuditRecord};
use graph::{self, Dispatch, Download, Path, Request, repeat_download};
use soar::Target;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_write_message_as_attachment",
    summary: "Writes a message, as an .eml file, to an attachment of an incident or task.",
    inputs: &[
        INCIDENT,
        Input::optional(
            "task_id",
            InputKind::Number,
            "number of the task that gets the file, instead of the incident",
        ),
        MAILBOX,
        MESSAGE,
        Input::optional(
            "exo_attachment_name",
            InputKind::Text,
            "name of the file [default: message-ADDRESS-ID.eml]",
        ),
    ],
    uses: &[Use::always(&[READ_MAIL])],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

#[derive(Serialize)]
struct Content<'a> {
    attachment_name: &'a str,
}

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let incident = reader.incident(context.sink.needs_incident());
    let task = reader.number("task_id");
    let mailbox = reader.required_mailbox("exo_email_address");
    let id = reader.required_id("exo_messages_id");
    let name = reader.word("exo_attachment_name").unwrap_or_else(|| default_name(&mailbox, &id));
    reader.finish()?;
    let name = soar::file_name(&name);
    // A sink without incidents ignores the target.
    let target = task.map_or(Target::Incident(incident.unwrap_or_default()), Target::Task);

    context.status.say(format!("Writing a message of {mailbox} to an attachment"));
    let copy = MessageCopy { context, mailbox: &mailbox, id: &id, target, name: &name };
    match ensure_once(context, "the attachment", Visibility::Immediate, || copy.find(), || copy.write()).await
    {
        Ok(kept) => Outcome::done(&Content { attachment_name: &kept }),
        Err(error) => Outcome::not_found_in(&mailbox, error, &format!("Message {id} of mailbox {mailbox}")),
    }
}

/// The name of the file where the call gives none. Ids hold slashes, and a file system must be able to store the name
/// (Microsoft page "Naming Files, Paths, and Namespaces").
fn default_name(mailbox: &str, id: &str) -> String {
    format!("message-{mailbox}-{id}.eml").replace(['<', '>', ':', '"', '/', '\\', '|', '?', '*'], "_")
}

/// A copy of a message, as a file.
struct MessageCopy<'a> {
    context: &'a Context,
    mailbox: &'a str,
    id: &'a str,
    target: Target,
    name: &'a str,
}

impl MessageCopy<'_> {
    async fn open(&self) -> Result<Download, graph::Error> {
        let Context { graph, guard, .. } = self.context;
        let opened = async {
            let owner = guard.authorize_reading(graph, &Dispatch::Single, self.mailbox).await?;
            let path = Path::message(owner.address(), None, self.id)?.then("$value");
            graph.open(&Request::get(path).in_mailbox(owner.address())).await
        };
        let opened = opened.await;
        guard.record_reading(self.mailbox, self.id, &opened);
        opened
    }

    fn failed(&self, source: graph::Error) -> Error {
        let attempt = format!("read message {} of mailbox {}", self.id, self.mailbox);
        Error::graph(attempt, SPEC.permissions(), source)
    }

    /// Writes the file, and returns its name.
    async fn write(&self) -> Result<String, Error> {
        let record = AuditRecord {
            mailbox: Some(self.mailbox.to_owned()),
            message_id: Some(self.id.to_owned()),
            target: Some(self.target.to_string()),
            ..AuditRecord::new(Act::AttachMessage)
        };
        let file = AttachedContent { target: self.target, name: self.name, media_type: MESSAGE_TYPE, record };
        let open = || async {
            let message = self.open().await.map_err(|source| self.failed(source))?;
            within_limit(self.context, self.name, message)
        };
        file.write(self.context, open).await
    }

    /// Finds a file of this name and size that was attached after the call was made. Nothing else can identify it: the
    /// message is evidence, so no tag is added to it.
    async fn find(&self) -> Result<Option<String>, Error> {
        let sizes = self.context.sink.sizes_of(self.target, self.name, &self.context.call).await?;
        if sizes.is_empty() {
            return Ok(None);
        }
        let waits = self.context.graph.download_waits();
        let size = repeat_download(waits, || self.open(), |message| self.size(message));
        let size = size.await.map_err(|source| self.failed(source))?;
        Ok(sizes.contains(&size).then(|| self.name.to_owned()))
    }

    /// The size of `message` in bytes.
    async fn size(&self, message: Download) -> Result<u64, graph::Error> {
        if let Some(length) = message.length() {
            return Ok(length);
        }
        let mut size = 0;
        let mut stream = pin!(message.stream(self.context.limits.max_attachment));
        while let Some(piece) = stream.try_next().await? {
            size += piece.len() as u64;
        }
        Ok(size)
    }
}

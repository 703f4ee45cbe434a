//! `exchange_online_write_message_as_attachment`: saves the MIME form of a message as a file of an incident or a task.
//! The message streams from Graph to SOAR and is never held in memory.

use std::pin::pin;

use futures_util::TryStreamExt;
use serde::Serialize;
use tokio::time::sleep;
use tracing::info;

use super::context::Context;
use super::error::{Error, ErrorKind};
use super::idempotency::{Visibility, ensure_once};
use super::incident_sink::MessageFile;
use super::inputs::Inputs;
use super::outcome::Outcome;
use super::permissions::{READ_MAIL, Use};
use super::spec::{INCIDENT, Input, InputKind, MAILBOX, MESSAGE, Spec, Timeout};
use crate::audit::{Act, AuditRecord};
use graph::{self, Dispatch, Download, Path, Request};
use soar::{self, Target};

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

/// Maximum number of times that an incomplete or empty download starts again.
const MAX_DOWNLOAD_REPEATS: usize = 3;

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
    async fn open(&self) -> Result<Download, Error> {
        let Context { graph, guard, .. } = self.context;
        let opened = async {
            let owner = guard.authorize_reading(graph, &Dispatch::Single, self.mailbox).await?;
            let path = Path::message(owner.address(), None, self.id)?.then("$value");
            graph.open(&Request::get(path).in_mailbox(owner.address())).await
        };
        let opened = opened.await;
        guard.record_reading(self.mailbox, self.id, &opened);
        opened.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: graph::Error) -> Error {
        let attempt = format!("read message {} of mailbox {}", self.id, self.mailbox);
        Error::graph(attempt, SPEC.permissions(), source)
    }

    fn too_large(&self) -> Error {
        let limit = self.context.limits.max_attachment >> 20;
        let why = format!("was not written: the message is larger than {limit} MiB (max_attachment_mb).");
        Error::attachment(self.name, why)
    }

    /// Writes the file, and returns its name.
    async fn write(&self) -> Result<String, Error> {
        let mut downloads_left = MAX_DOWNLOAD_REPEATS;
        let mut uploads = 0;
        loop {
            let message = self.open().await?;
            let limit = self.context.limits.max_attachment;
            if message.length().is_some_and(|length| length > limit) {
                return Err(self.too_large());
            }
            let record = AuditRecord {
                mailbox: Some(self.mailbox.to_owned()),
                message_id: Some(self.id.to_owned()),
                target: Some(self.target.to_string()),
                ..AuditRecord::new(Act::AttachMessage)
            };
            let file = MessageFile { target: self.target, name: self.name, message, limit };
            let error = match self.context.sink.write_message(&self.context.guard, record, file).await {
                Err(error) => error,
                written => return written,
            };
            match error.kind() {
                // Another download would be as large.
                ErrorKind::Soar(soar::Error::Content { source, .. }) if is_too_large(source.as_ref()) => {
                    return Err(self.too_large());
                }
                // SOAR discards an incomplete upload, and reading the message again does no harm.
                ErrorKind::Soar(soar::Error::Content { .. }) if downloads_left > 0 => downloads_left -= 1,
                ErrorKind::Soar(refused) => {
                    uploads += 1;
                    let Some(wait) = self.context.sink.retry_delay(uploads, refused) else {
                        return Err(error);
                    };
                    info!(
                        status = refused.status(),
                        uploads,
                        wait_ms = wait.as_millis(),
                        "SOAR throttles attachments; trying again after the wait"
                    );
                    sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Finds a file of this name and size that was attached after the call was made. Nothing else can identify it: the
    /// message is evidence, so no tag is added to it.
    async fn find(&self) -> Result<Option<String>, Error> {
        let sizes = self.context.sink.sizes_of(self.target, self.name, &self.context.call).await?;
        if sizes.is_empty() {
            return Ok(None);
        }
        let message = self.open().await?;
        let size = match message.length() {
            Some(length) => length,
            None => self.measure(message).await?,
        };
        Ok(sizes.contains(&size).then(|| self.name.to_owned()))
    }

    async fn measure(&self, message: Download) -> Result<u64, Error> {
        let mut size = 0;
        let mut stream = pin!(message.stream(self.context.limits.max_attachment));
        while let Some(piece) = stream.try_next().await.map_err(|source| self.failed(source))? {
            size += piece.len() as u64;
        }
        Ok(size)
    }
}

fn is_too_large(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error
        .downcast_ref()
        .is_some_and(|error: &graph::Error| matches!(error.kind(), graph::ErrorKind::MessageTooLarge(_)))
}

//! The mail that an analyst asks for, its attachments, and the JSON form of both at Graph.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Serialize;

use super::SMALLEST_IN_SESSION;
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::file_names::{is_list_of_names, split_names};
use crate::functions::inputs::{InputError, Inputs, RichText};
use graph::CallTag;
use graph::models::{Body, Recipient};
use soar::Attachment;

/// The mail that is asked for.
pub(in crate::functions) struct Mail {
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    subject: String,
    body: RichText,
    /// Names of attachments, separated by commas, semicolons or line ends. A name may hold commas and semicolons as
    /// well, so only the incident's own names show where one ends.
    attachment_names: Option<String>,
    incident: Option<i64>,
}

impl Mail {
    pub(in crate::functions) fn read(inputs: &Inputs) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let attachment_names = reader.words("exo_attachment_names");
        let attachment_names = attachment_names.filter(|names| is_list_of_names(names));
        let incident = if attachment_names.is_some() {
            Some(reader.required_number("incident_id"))
        } else {
            reader.number("incident_id")
        };
        let mail = Self {
            sender: reader.required_mailbox("exo_email_address"),
            recipients: reader.required_recipients("exo_recipients"),
            subject: reader.text("exo_message_subject").unwrap_or_default(),
            body: reader.rich_text("exo_message_body").unwrap_or_default(),
            attachment_names,
            incident,
        };
        reader.finish()?;
        Ok(mail)
    }

    /// Builds the message for Graph. `tag` makes it possible to find the message again.
    pub(super) fn message(&self, tag: &CallTag, attachments: Vec<FileAttachment>) -> Message<'_> {
        Message {
            subject: &self.subject,
            body: self.body.body(),
            to_recipients: self.recipients.iter().map(|address| Recipient::new(address)).collect(),
            single_value_extended_properties: [tag.clone()],
            attachments,
        }
    }

    /// Finds the incident's attachments by their names: all of them, where several have the same name. Returns them,
    /// and the names that no attachment has.
    pub(super) async fn attachments(
        &self,
        context: &Context,
    ) -> Result<(Vec<Attachment>, Vec<String>), Error> {
        let (Some(incident), Some(names)) = (self.incident, &self.attachment_names) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let existing = context.sink.attachments(incident).await?;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        let limit = context.limits.max_attachment;
        for name in split_names(names, existing.iter().map(|attachment| attachment.name.as_str())) {
            let named: Vec<_> = existing.iter().filter(|attachment| attachment.name == name).collect();
            if named.iter().any(|attachment| attachment.size.is_some_and(|size| size > limit)) {
                let why =
                    format!("is larger than {} MiB (max_attachment_mb); nothing was sent.", limit >> 20);
                return Err(Error::attachment(name, why));
            }
            if named.is_empty() {
                missing.push(name.to_owned());
            }
            found.extend(named.into_iter().cloned());
        }
        Ok((found, missing))
    }

    /// Opens the content of an attachment.
    pub(super) async fn open(
        &self,
        context: &Context,
        attachment: &Attachment,
    ) -> Result<soar::ByteStream<soar::Error>, Error> {
        context.sink.open_attachment(self.incident.unwrap_or_default(), attachment.id).await
    }

    /// Reads a small attachment. Refuses content that is larger than SOAR's own figure, or, where SOAR gives none, too
    /// large for a single request.
    pub(super) async fn read_attachment(
        &self,
        context: &Context,
        attachment: &Attachment,
    ) -> Result<Bytes, Error> {
        let limit = attachment.size.unwrap_or(SMALLEST_IN_SESSION);
        let incident = self.incident.unwrap_or_default();
        let Some(bytes) = context.sink.read_attachment(incident, attachment.id, limit).await? else {
            let why = format!("is larger than SOAR says ({limit} bytes); the message was not sent.");
            return Err(Error::attachment(&attachment.name, why));
        };
        Ok(bytes.into())
    }
}

/// The body of a `sendMail` request (Graph page "user: sendMail").
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendMail<'a> {
    message: Message<'a>,
    save_to_sent_items: bool,
}

impl<'a> SendMail<'a> {
    pub(super) fn new(message: Message<'a>) -> Self {
        Self { message, save_to_sent_items: true }
    }
}

/// Graph's `message`.
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

/// Graph's `fileAttachment`.
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

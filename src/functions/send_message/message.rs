//! The mail that an analyst asks for, its attachments, and the JSON form of both at Graph.

use std::collections::HashSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::Serialize;

use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::inputs::{InputError, Inputs, RichText};
use graph::CallTag;
use graph::models::{Body, Recipient, listed};
use soar::Attachment;

/// Attachments of this size or more need an upload session, which takes no smaller ones (Graph page "Attach large files
/// to Outlook messages or events").
pub(super) const SMALLEST_IN_SESSION: u64 = 3 << 20;

/// The mail that is asked for.
pub(in crate::functions) struct Mail {
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    subject: String,
    body: RichText,
    attachment_names: Vec<String>,
    incident: Option<i64>,
}

impl Mail {
    pub(in crate::functions) fn read(inputs: &Inputs) -> Result<Self, InputError> {
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
            sender: reader.required_mailbox("exo_email_address"),
            recipients: reader.required_addresses("exo_recipients"),
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

    /// Finds the incident's attachments by their names. Returns them, and the names that no attachment has.
    pub(super) async fn attachments(
        &self,
        context: &Context,
    ) -> Result<(Vec<Attachment>, Vec<String>), Error> {
        let (Some(incident), false) = (self.incident, self.attachment_names.is_empty()) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let mut there = context.sink.attachments(incident).await?;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        let limit = context.limits.max_attachment;
        for name in &self.attachment_names {
            match there.iter().position(|attachment| attachment.name == *name) {
                Some(place) if there[place].size.is_some_and(|size| size > limit) => {
                    let why =
                        format!("is larger than {} MiB (max_attachment_mb); nothing was sent.", limit >> 20);
                    return Err(Error::Attachment { name: name.clone(), why });
                }
                Some(place) => found.push(there.remove(place)),
                None => missing.push(name.clone()),
            }
        }
        Ok((found, missing))
    }

    /// Opens the content of an attachment.
    pub(super) async fn open(
        &self,
        context: &Context,
        attachment: &Attachment,
    ) -> Result<soar::ByteStream<soar::Error>, Error> {
        context.sink.attachment_contents(self.incident.unwrap_or_default(), attachment.id).await
    }

    /// Reads a small attachment. Refuses content that is larger than SOAR's own figure, or, where SOAR gives none, too
    /// large for a single request.
    pub(super) async fn read_attachment(
        &self,
        context: &Context,
        attachment: &Attachment,
    ) -> Result<Bytes, Error> {
        let limit = attachment.size.unwrap_or(SMALLEST_IN_SESSION);
        let mut bytes = Vec::new();
        let mut stream = self.open(context, attachment).await?;
        while let Some(piece) = stream.try_next().await.map_err(Error::NotRead)? {
            if (bytes.len() + piece.len()) as u64 > limit {
                let why = format!("is larger than SOAR says ({limit} bytes); the message was not sent.");
                return Err(Error::Attachment { name: attachment.name.clone(), why });
            }
            bytes.extend_from_slice(&piece);
        }
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

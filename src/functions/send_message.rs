//! `exchange_online_send_message`: sends a mail, with attachments of the incident if asked to.
//!
//! What fits into one request goes by `sendMail`. What does not goes as a draft, its attachments after it, and
//! is sent then (Graph pages "user: sendMail", "Attach large files to Outlook messages or events").

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::context::Context;
use super::error::Error;
use super::inputs::{InputError, Inputs};
use super::outcome::Outcome;
use crate::graph::{self, Path, Request, UploadError, UploadSession};
use crate::soar::Attachment;

const PERMISSION: &str = "Mail.Send";
const PERMISSION_FOR_LARGE: &str = "Mail.Send and Mail.ReadWrite";
/// Graph takes requests of less than 4 MB; some of that is not ours to count.
const LARGEST_REQUEST: u64 = 3_900_000;
/// An attachment from this size on takes an upload session.
const LARGEST_IN_ONE: u64 = 2_800_000;

/// The mail that is asked for.
struct Mail {
    sender: String,
    recipients: Vec<String>,
    subject: String,
    body: String,
    attachment_names: Vec<String>,
    incident: Option<i64>,
}

impl Mail {
    fn read(inputs: &Inputs) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let attachment_names = addresses(reader.word("exo_attachment_names"));
        let incident = if attachment_names.is_empty() {
            reader.number("incident_id")
        } else {
            Some(reader.required_number("incident_id"))
        };
        let mail = Self {
            sender: reader.required_word("exo_email_address"),
            recipients: addresses(Some(reader.required_word("exo_recipients"))),
            subject: reader.text("exo_message_subject").unwrap_or_default(),
            body: reader.text("exo_message_body").unwrap_or_default(),
            attachment_names,
            incident,
        };
        reader.finish()?;
        Ok(mail)
    }

    fn message(&self, attachments: Vec<FileAttachment>) -> Message<'_> {
        Message {
            subject: &self.subject,
            body: Body { content_type: "HTML", content: &self.body },
            to_recipients: self.recipients.iter().map(|address| Recipient::new(address)).collect(),
            attachments,
        }
    }
}

/// A list as people type it: separated by commas, blanks and empty places dropped.
pub(super) fn addresses(list: Option<String>) -> Vec<String> {
    let list = list.unwrap_or_default();
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// Graph's `recipient`.
#[derive(Serialize)]
pub(super) struct Recipient {
    #[serde(rename = "emailAddress")]
    email: Email,
}

#[derive(Serialize)]
struct Email {
    address: String,
}

impl Recipient {
    pub(super) fn new(address: &str) -> Self {
        Self { email: Email { address: address.to_owned() } }
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
struct Message<'a> {
    subject: &'a str,
    body: Body<'a>,
    to_recipients: Vec<Recipient>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<FileAttachment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    content_type: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileAttachment {
    #[serde(rename = "@odata.type")]
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    content_bytes: String,
}

impl FileAttachment {
    fn new(attachment: &Attachment, content: &[u8]) -> Self {
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
    let sent = send(context, &mail, &attachments).await;
    let (outcome, error) = match &sent {
        Ok(()) => ("sent", None),
        Err(error) => ("not sent", Some(error.to_string())),
    };
    let recipients = mail.recipients.join(", ");
    info!(target: "audit", mailbox = mail.sender, recipients, attachments = attachments.len(), outcome, error, "send message");
    match sent {
        Ok(()) => Outcome::done(&Content {
            value: true,
            failed_attachments: (!missing.is_empty()).then_some(missing),
        }),
        Err(error) => Outcome::not_found(error, &format!("The mailbox {}", mail.sender)),
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
    for name in &mail.attachment_names {
        match there.iter().position(|attachment| attachment.name == *name) {
            Some(place) => found.push(there.swap_remove(place)),
            None => missing.push(name.clone()),
        }
    }
    Ok((found, missing))
}

async fn send(context: &Context, mail: &Mail, attachments: &[Attachment]) -> Result<(), Error> {
    // Base64 makes four bytes of three.
    let encoded: u64 =
        attachments.iter().map(|attachment| attachment.size.unwrap_or(u64::MAX / 4096) / 3 * 4 + 512).sum();
    let rest = (mail.body.len() + mail.subject.len()) as u64 + 64 * mail.recipients.len() as u64;
    if encoded + rest > LARGEST_REQUEST {
        return Draft::create(context, mail).await?.fill_and_send(attachments).await;
    }
    let mut encoded = Vec::with_capacity(attachments.len());
    for attachment in attachments {
        encoded.push(FileAttachment::new(attachment, &read(context, mail, attachment).await?));
    }
    let body = serde_json::to_vec(&SendMail { message: mail.message(encoded), save_to_sent_items: true })?;
    let sent = async {
        let path = Path::user(&mail.sender)?.then("sendMail");
        context.graph.send(&Request::post(path, body.into()).in_mailbox(&mail.sender)).await
    };
    sent.await.map(drop).map_err(|source| failed(mail, PERMISSION, source))
}

fn failed(mail: &Mail, permission: &'static str, source: graph::Error) -> Error {
    Error::Graph { attempt: format!("send a message from {}", mail.sender), permission, source }
}

/// The bytes of an attachment that is small.
async fn read(context: &Context, mail: &Mail, attachment: &Attachment) -> Result<Bytes, Error> {
    let incident = mail.incident.unwrap_or_default();
    let mut bytes = Vec::new();
    let mut stream = context.casebook.attachment_contents(incident, attachment.id).await?;
    while let Some(piece) = stream.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

/// A mail that is put together in the sender's Drafts.
struct Draft<'a> {
    context: &'a Context,
    mail: &'a Mail,
    id: String,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

impl<'a> Draft<'a> {
    async fn create(context: &'a Context, mail: &'a Mail) -> Result<Self, Error> {
        let body = serde_json::to_vec(&mail.message(Vec::new()))?;
        let created = async {
            let path = Path::messages(&mail.sender, None)?;
            let request = Request::post(path, body.into()).in_mailbox(&mail.sender);
            context.graph.send(&request).await?.parse::<Created>()
        };
        let Created { id } = created.await.map_err(|source| failed(mail, PERMISSION_FOR_LARGE, source))?;
        Ok(Self { context, mail, id })
    }

    /// Adds the attachments and sends the draft. One that cannot be sent is removed.
    async fn fill_and_send(self, attachments: &[Attachment]) -> Result<(), Error> {
        let mut done = self.fill(attachments).await;
        if done.is_ok() {
            done = self.post("send", Bytes::new()).await.map(drop);
        }
        if done.is_err() {
            let removed = async {
                self.context.graph.send(&Request::delete(self.path()?).in_mailbox(&self.mail.sender)).await
            };
            if let Err(error) = removed.await {
                warn!(mailbox = self.mail.sender, message_id = self.id, %error, "the unsent draft could not be removed");
            }
        }
        done
    }

    async fn fill(&self, attachments: &[Attachment]) -> Result<(), Error> {
        for attachment in attachments {
            match attachment.size {
                Some(size) if size >= LARGEST_IN_ONE => self.upload(attachment, size).await?,
                _ => {
                    let content = read(self.context, self.mail, attachment).await?;
                    let body = serde_json::to_vec(&FileAttachment::new(attachment, &content))?;
                    self.post("attachments", body.into()).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends a large attachment in ranges, straight from SOAR.
    async fn upload(&self, attachment: &Attachment, size: u64) -> Result<(), Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct NewSession<'a> {
            #[serde(rename = "AttachmentItem")]
            item: Item<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Item<'a> {
            attachment_type: &'static str,
            name: &'a str,
            size: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            content_type: Option<&'a str>,
        }
        let content_type = attachment.content_type.as_deref();
        let item = Item { attachment_type: "file", name: &attachment.name, size, content_type };
        let body = serde_json::to_vec(&NewSession { item })?;
        let session: UploadSession = self
            .post("attachments/createUploadSession", body.into())
            .await?
            .parse()
            .map_err(|source| failed(self.mail, PERMISSION_FOR_LARGE, source))?;
        let incident = self.mail.incident.unwrap_or_default();
        let content = self.context.casebook.attachment_contents(incident, attachment.id).await?;
        session.send(&self.context.graph, content, size).await.map_err(|error| match error {
            UploadError::Source(source) => source.into(),
            UploadError::Graph(source) => failed(self.mail, PERMISSION_FOR_LARGE, source),
            error => Error::Refused(format!("Could not attach {}: {error}.", attachment.name)),
        })
    }

    fn path(&self) -> Result<Path, graph::Error> {
        Ok(Path::message(&self.mail.sender, None, &self.id)?)
    }

    async fn post(&self, what: &'static str, body: Bytes) -> Result<graph::Answer, Error> {
        let posted = async {
            let request = Request::post(self.path()?.then(what), body).in_mailbox(&self.mail.sender);
            self.context.graph.send(&request).await
        };
        posted.await.map_err(|source| failed(self.mail, PERMISSION_FOR_LARGE, source))
    }
}

//! Stores attachments as files of the incident: as they are, or in a ZIP file with a password.

use std::collections::HashSet;

use chrono::Utc;
use serde::Serialize;

use super::SPEC;
use super::archive::{Archive, Member};
use super::verified::verified;
use crate::audit::{Act, AuditRecord};
use crate::functions::attached_content::{AttachedContent, Opened, within_limit};
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::file_names::{storable, unique};
use crate::functions::idempotency::{Visibility, ensure_once};
use crate::functions::incident_sink::MESSAGE_TYPE;
use graph::attachments::{AttachedFile, Attachment, Kind, MessageAttachments, Sha256};
use net::Secret;
use soar::Target;

/// The media type of files. That of the mail is the sender's choice, and could make a browser run the file.
const FILE_TYPE: &str = "application/octet-stream";
const ZIP_TYPE: &str = "application/zip";

/// A file that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct StoredFile {
    /// The name in the incident.
    name: String,
    /// The names of the attachments in it.
    attachments: Vec<String>,
}

/// An attachment that was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct NotStored {
    name: String,
    reason: String,
}

/// What became of the attachments.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) files: Vec<StoredFile>,
    pub(super) not_stored: Vec<NotStored>,
}

impl Stored {
    /// What was not stored, and why.
    pub(super) fn reasons(&self) -> String {
        const MOST: usize = 5;
        let mut reasons: Vec<_> =
            self.not_stored.iter().take(MOST).map(|one| format!("{:?} ({})", one.name, one.reason)).collect();
        if self.not_stored.len() > MOST {
            reasons.push(format!("and {} more", self.not_stored.len() - MOST));
        }
        reasons.join(", ")
    }
}

/// Stores attachments of one message.
#[derive(Clone, Copy)]
pub(super) struct Store<'a> {
    pub(super) context: &'a Context,
    pub(super) source: MessageAttachments<'a>,
    /// The mailbox, as the call names it.
    pub(super) mailbox: &'a str,
    pub(super) incident: Option<i64>,
}

/// An attachment with the name that it gets.
struct Named<'a> {
    attachment: &'a Attachment,
    file: &'a AttachedFile,
    name: String,
}

impl Store<'_> {
    /// Stores all of them. One that cannot be stored does not keep the others.
    pub(super) async fn all(
        &self,
        attachments: &[Attachment],
        files: &[AttachedFile],
    ) -> Result<Stored, Error> {
        let mut stored = Stored::default();
        let mut taken = HashSet::new();
        let mut named = Vec::new();
        for (attachment, file) in attachments.iter().zip(files) {
            let was_read = file.sha256.is_some() || file.nested.is_some();
            if let Some(why) = file.unexamined.as_ref().filter(|_| !was_read) {
                stored.not_stored.push(NotStored { name: file.name.clone(), reason: why.to_string() });
            } else {
                let name = unique(&storable(&file_name(attachment)), &mut taken);
                named.push(Named { attachment, file, name });
            }
        }
        match &self.context.zip_password {
            Some(password) if !named.is_empty() => self.as_zip(&named, password, &mut stored).await?,
            _ => self.one_by_one(&named, &mut stored).await?,
        }
        Ok(stored)
    }

    async fn one_by_one(&self, named: &[Named<'_>], stored: &mut Stored) -> Result<(), Error> {
        for one in named {
            let media_type = if one.attachment.kind == Kind::Message { MESSAGE_TYPE } else { FILE_TYPE };
            let file = self.file(&one.name, media_type);
            let find = || self.find(one);
            let act = || file.write(self.context, || self.open(one));
            match ensure_once(self.context, "the attachment", Visibility::Immediate, find, act).await {
                Ok(name) => {
                    stored.files.push(StoredFile { name, attachments: vec![one.file.name.clone()] });
                }
                // The incident takes no more files, or the call has lost its lease: the next one fares no better.
                Err(error) if error.graph_error().is_none() && stored.files.is_empty() => return Err(error),
                Err(error) => {
                    let reason = error.to_string();
                    stored.not_stored.push(NotStored { name: one.file.name.clone(), reason });
                }
            }
        }
        Ok(())
    }

    /// Stores all files in one ZIP file. Its name is that of the call, so a repeated call finds it.
    async fn as_zip(&self, named: &[Named<'_>], password: &Secret, stored: &mut Stored) -> Result<(), Error> {
        let reference = self.context.call.reference().simple().to_string();
        let time = self.context.call.asked_at.unwrap_or_else(Utc::now).format("%Y-%m-%dT%H-%M-%S");
        let name = format!("exo-attachments-{time}-{}.zip", &reference[..12]);
        let file = self.file(&name, ZIP_TYPE);
        let find = || async {
            let sizes = self.context.sink.sizes_of(self.target(), &name, &self.context.call).await?;
            Ok((!sizes.is_empty()).then(|| name.clone()))
        };
        let open = || {
            let members = named.iter().map(|one| Member {
                name: one.name.clone(),
                attachment: one.attachment.clone(),
                expected: expected(one),
            });
            let archive = Archive {
                client: self.source.client.clone(),
                mailbox: self.source.mailbox.to_owned(),
                message: self.source.message.to_owned(),
                password: password.clone(),
                limit: self.context.limits.max_attachment,
            };
            std::future::ready(Ok((archive.stream(members.collect()), None)))
        };
        let act = || file.write(self.context, &open);
        let name = ensure_once(self.context, "the attachment", Visibility::Immediate, find, act).await?;
        let attachments = named.iter().map(|one| one.file.name.clone()).collect();
        stored.files.push(StoredFile { name, attachments });
        Ok(())
    }

    fn target(&self) -> Target {
        // A sink without incidents ignores the target.
        Target::Incident(self.incident.unwrap_or_default())
    }

    fn file<'n>(&self, name: &'n str, media_type: &'static str) -> AttachedContent<'n> {
        let record = AuditRecord {
            mailbox: Some(self.mailbox.to_owned()),
            message_id: Some(self.source.message.to_owned()),
            target: Some(self.target().to_string()),
            ..AuditRecord::new(Act::AttachFile)
        };
        AttachedContent { target: self.target(), name, media_type, record }
    }

    async fn open(&self, one: &Named<'_>) -> Result<Opened, Error> {
        let attempt =
            format!("read an attachment of message {} of mailbox {}", self.source.message, self.mailbox);
        let download = self.source.open(one.attachment).await;
        let download = download.map_err(|source| Error::graph(attempt, SPEC.permissions(), source))?;
        let (content, length) = within_limit(self.context, &one.name, download)?;
        Ok((verified(content, expected(one)), length))
    }

    /// Finds a file of this name and size that was attached after the call was made: the content is evidence, so no tag
    /// is added to it.
    async fn find(&self, one: &Named<'_>) -> Result<Option<String>, Error> {
        let sizes = self.context.sink.sizes_of(self.target(), &one.name, &self.context.call).await?;
        let is_it = one.file.size.is_some_and(|size| sizes.contains(&size));
        Ok(is_it.then(|| one.name.clone()))
    }
}

/// The digest that the stored file must have. Exchange writes an attached message for each request.
fn expected(one: &Named<'_>) -> Option<Sha256> {
    one.file.sha256
}

fn file_name(attachment: &Attachment) -> String {
    let name = attachment.name.clone();
    let is_eml = name.to_lowercase().ends_with(".eml");
    if attachment.kind == Kind::Message && !is_eml { format!("{name}.eml") } else { name }
}

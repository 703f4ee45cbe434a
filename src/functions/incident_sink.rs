//! Where a call's notes and files go: to SOAR, or, for a call that was made by hand without an incident, to the
//! person who made it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use futures_util::{Stream, TryStreamExt, pin_mut};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::call::Call;
use super::error::Error;
use super::guard::Guard;
use crate::audit::AuditRecord;
use graph::{self, Download};
use soar::{self, Attachment, ByteStream, Target};

/// A message as a file (RFC 2046, 5.2.1).
const MESSAGE: &str = "message/rfc822";
/// The longest file name that common file systems take, in bytes.
const LONGEST_NAME: usize = 255;

/// Where a call's notes and files go.
#[derive(Debug, Clone)]
pub enum IncidentSink {
    /// The incident the call names, at SOAR.
    Soar(soar::Client),
    /// No incident: files go into a directory, and reports to whoever made the call.
    Local(Local),
}

/// The casebook of a call without an incident.
#[derive(Debug, Clone)]
pub struct Local {
    directory: PathBuf,
    reports: mpsc::UnboundedSender<String>,
}

impl From<soar::Client> for IncidentSink {
    fn from(client: soar::Client) -> Self {
        Self::Soar(client)
    }
}

impl IncidentSink {
    /// Files go into `directory`, where no file is ever overwritten; reports come out of the receiver, as text.
    pub fn local(directory: &Path) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (reports, receiver) = mpsc::unbounded_channel();
        (Self::Local(Local { directory: directory.to_owned(), reports }), receiver)
    }

    /// Whether notes and files need an incident to go to.
    pub(super) fn needs_incident(&self) -> bool {
        matches!(self, Self::Soar(_))
    }

    /// Keeps a message as a file called `name`, as it comes from Graph; returns the file's name. A message that
    /// does not come to its end, or is larger than `most` bytes, leaves no file.
    pub(super) async fn keep_message(
        &self,
        (guard, deed): (&Guard, AuditRecord),
        target: Target,
        name: &str,
        message: Download,
        most: u64,
    ) -> Result<String, Error> {
        match self {
            Self::Soar(soar) => {
                let length = message.length();
                let content = soar::Content::stream(message.stream(most), length);
                on_record(guard, deed, soar.attach(target, name, MESSAGE, content)).await?;
                Ok(name.to_owned())
            }
            Self::Local(local) => local.keep(name, message.stream(most)).await,
        }
    }

    /// How long to wait before a message is kept again, after `done` tries of which the last failed with `error`; `None`
    /// where it is not to be tried again.
    pub(super) fn keep_again_after(&self, done: u32, error: &soar::Error) -> Option<Duration> {
        match self {
            Self::Soar(soar) => soar.attach_again_after(done, error),
            Self::Local(_) => None,
        }
    }

    /// The sizes of the files called `name` that may have been attached for `call`.
    pub(super) async fn sizes_of(&self, target: Target, name: &str, call: &Call) -> Result<Vec<u64>, Error> {
        let Self::Soar(soar) = self else { return Ok(Vec::new()) };
        let since = |file: &Attachment| {
            let created = file.created.and_then(DateTime::from_timestamp_millis);
            created.is_none_or(|created| call.may_have_done_at(created))
        };
        let files = soar.attachments(target).await?;
        Ok(files
            .iter()
            .filter(|file| file.name == name && since(file))
            .filter_map(|file| file.size)
            .collect())
    }

    /// The files of an incident.
    pub(super) async fn attachments(&self, incident: i64) -> Result<Vec<Attachment>, Error> {
        self.soar()?.attachments(Target::Incident(incident)).await.map_err(Error::NotRead)
    }

    /// The bytes of an incident's file, as they come.
    pub(super) async fn attachment_contents(
        &self,
        incident: i64,
        attachment: i64,
    ) -> Result<ByteStream<soar::Error>, Error> {
        self.soar()?.attachment_contents(incident, attachment).await.map_err(Error::NotRead)
    }

    fn soar(&self) -> Result<&soar::Client, Error> {
        match self {
            Self::Soar(soar) => Ok(soar),
            Self::Local(_) => Err(Error::Refused(
                "The attachments to send are those of an incident, and this call was made without one \
                 (--incident). Nothing was sent."
                    .to_owned(),
            )),
        }
    }
}

/// Does at SOAR what is on record as `deed`.
pub(super) async fn on_record<T>(
    guard: &Guard,
    deed: AuditRecord,
    work: impl Future<Output = Result<T, soar::Error>>,
) -> Result<T, Error> {
    let act = guard.at_soar(deed)?;
    let done = work.await.map_err(Error::from);
    match &done {
        Ok(_) => act.end("written", None),
        Err(error) => {
            let outcome = if error.is_indeterminate() { "unknown" } else { "not written" };
            act.end(outcome, Some(&error.for_log()));
        }
    }
    done
}

impl Local {
    /// Hands a report to whoever made the call.
    pub(super) fn report(&self, text: String) {
        // Who no longer listens does not want it.
        let _ = self.reports.send(text);
    }

    async fn keep(
        &self,
        name: &str,
        content: impl Stream<Item = Result<Bytes, graph::Error>>,
    ) -> Result<String, Error> {
        let refused = |error: &io::Error| {
            Error::Refused(format!(
                "Could not keep the message as a file in {}: {error}.",
                self.directory.display()
            ))
        };
        let (mut kept, mut file) = self.create(name).await.map_err(|error| refused(&error))?;
        pin_mut!(content);
        // The same error as of a file for SOAR, so that a message that broke off is the same to the function.
        let broke_off = |error: graph::Error| soar::Error::Content {
            attempt: "keep the message as a file".to_owned(),
            source: error.into(),
        };
        while let Some(piece) = content.try_next().await.map_err(broke_off)? {
            file.write_all(&piece).await.map_err(|error| refused(&error))?;
        }
        file.sync_all().await.map_err(|error| refused(&error))?;
        kept.whole = true;
        Ok(kept.name.clone())
    }

    /// A new file called `name`, or, where that is taken, `name` with a number.
    async fn create(&self, name: &str) -> io::Result<(Kept, File)> {
        let name = file_name(name);
        let mut number = 1;
        loop {
            let name = if number == 1 { name.clone() } else { numbered(&name, number) };
            let path = self.directory.join(&name);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await {
                Ok(file) => return Ok((Kept { name, path, whole: false }, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// A file that is removed again unless it became whole.
struct Kept {
    name: String,
    path: PathBuf,
    whole: bool,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.whole {
            // It was ours a moment ago; if it cannot be removed, a partial file is all there is to it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// `name` as the name of a file in a directory: message ids hold slashes, and nobody's text may lead elsewhere.
pub(super) fn file_name(name: &str) -> String {
    let name = soar::file_name(name).replace('/', "_");
    let name = if name.starts_with('.') { format!("_{name}") } else { name };
    let (stem, extension) = parts(&name);
    // Room for a number.
    let room = LONGEST_NAME.saturating_sub(extension.len() + 12);
    let end = stem.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= room).last();
    format!("{}{extension}", &stem[..end.unwrap_or(0)])
}

fn numbered(name: &str, number: u32) -> String {
    let (stem, extension) = parts(name);
    format!("{stem}-{number}{extension}")
}

/// A name and its extension, if it has one of a reasonable length.
fn parts(name: &str) -> (&str, &str) {
    let dot = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= 16);
    name.split_at(dot.unwrap_or(name.len()))
}

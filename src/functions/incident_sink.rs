//! Where a call's notes and files go: to SOAR, or, for a function that was run from the command line without an
//! incident, to a directory and the terminal.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::DateTime;
use futures_util::TryStreamExt;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::call::Call;
use super::error::Error;
use super::file_names::{numbered, parts};
use crate::audit::{ActOutcome, AuditRecord};
use crate::guard::Guard;
use soar::{self, Attachment, ByteStream, Target};

/// The media type of a message (RFC 2046, 5.2.1).
pub(super) const MESSAGE_TYPE: &str = "message/rfc822";
/// The longest file name that common file systems accept, in bytes.
const LONGEST_NAME: usize = 255;

/// Where a call's notes and files go.
#[derive(Debug, Clone)]
pub enum IncidentSink {
    /// The incident that the call names.
    Soar(soar::Client),
    /// No incident: files go into a directory, and reports to the terminal.
    Local(Local),
}

/// Where the notes and files of a call without an incident go.
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
    /// Returns a sink that writes files into `directory` without overwriting any, and sends reports to the receiver.
    pub fn local(directory: &Path) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (reports, receiver) = mpsc::unbounded_channel();
        (Self::Local(Local { directory: directory.to_owned(), reports }), receiver)
    }

    /// Whether notes and files need an incident.
    pub(super) fn needs_incident(&self) -> bool {
        matches!(self, Self::Soar(_))
    }

    /// Streams what is read into a file, and returns the file's name. Content that breaks off leaves no file.
    pub(super) async fn write_file(
        &self,
        guard: &Guard,
        record: AuditRecord,
        file: NewFile<'_>,
    ) -> Result<String, Error> {
        let NewFile { target, name, media_type, content, length } = file;
        match self {
            Self::Soar(soar) => {
                let content = soar::Content::stream(content, length);
                write_on_record(guard, record, soar.attach(target, name, media_type, content)).await?;
                Ok(name.to_owned())
            }
            Self::Local(local) => local.write(name, content).await,
        }
    }

    /// Returns the wait before a message is written again. `attempts` have been made, and the last one failed with
    /// `error`. `None` if the message must not be written again.
    pub(super) fn retry_delay(&self, attempts: u32, error: &soar::Error) -> Option<Duration> {
        match self {
            Self::Soar(soar) => soar.attach_again_after(attempts, error),
            Self::Local(_) => None,
        }
    }

    /// The sizes of the files called `name` that `call` may have attached.
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
        self.soar()?.attachments(Target::Incident(incident)).await.map_err(Error::not_read)
    }

    /// Reads an incident's file; `None` where it has more than `most` bytes.
    pub(super) async fn read_attachment(
        &self,
        incident: i64,
        attachment: i64,
        most: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.soar()?.read_attachment(incident, attachment, most).await.map_err(Error::not_read)
    }

    /// Streams the content of an incident's file.
    pub(super) async fn open_attachment(
        &self,
        incident: i64,
        attachment: i64,
    ) -> Result<ByteStream<soar::Error>, Error> {
        self.soar()?.open_attachment(incident, attachment).await.map_err(Error::not_read)
    }

    fn soar(&self) -> Result<&soar::Client, Error> {
        match self {
            Self::Soar(soar) => Ok(soar),
            Self::Local(_) => Err(Error::refused(
                "The attachments to send are those of an incident, and this call was made without one \
                 (--incident). Nothing was sent.",
            )),
        }
    }
}

/// What a file's content fails with: an error of what is read, which a function tells apart.
pub(super) type ContentError = Box<dyn std::error::Error + Send + Sync>;

/// A file to write.
pub(super) struct NewFile<'a> {
    pub(super) target: Target,
    pub(super) name: &'a str,
    pub(super) media_type: &'a str,
    pub(super) content: ByteStream<ContentError>,
    /// The length of the content in bytes, if known.
    pub(super) length: Option<u64>,
}

/// Writes something to SOAR, and puts it on record.
pub(super) async fn write_on_record<T>(
    guard: &Guard,
    record: AuditRecord,
    write: impl Future<Output = Result<T, soar::Error>>,
) -> Result<T, Error> {
    let act = guard.authorize_write(record).await?;
    let written = write.await.map_err(Error::from);
    match &written {
        Ok(_) => act.end(ActOutcome::Done, None),
        Err(error) => {
            let outcome = if error.is_indeterminate() { ActOutcome::Unknown } else { ActOutcome::NotDone };
            act.end(outcome, Some(&error.for_log()));
        }
    }
    written
}

impl Local {
    /// Sends a report to the terminal.
    pub(super) fn report(&self, text: String) {
        // If the receiver is gone, the report is not needed any more.
        let _ = self.reports.send(text);
    }

    async fn write(&self, name: &str, mut content: ByteStream<ContentError>) -> Result<String, Error> {
        let refused = |error: &io::Error| {
            Error::refused(format!(
                "Could not keep {name} as a file in {}: {error}.",
                self.directory.display()
            ))
        };
        let (mut unfinished, mut file) = self.create(name).await.map_err(|error| refused(&error))?;
        // The same error as for a file in SOAR, so that the function handles both alike.
        let broke_off = |source| soar::Error::Content { attempt: "keep it as a file".to_owned(), source };
        while let Some(piece) = content.try_next().await.map_err(broke_off)? {
            file.write_all(&piece).await.map_err(|error| refused(&error))?;
        }
        file.sync_all().await.map_err(|error| refused(&error))?;
        unfinished.complete = true;
        Ok(unfinished.name.clone())
    }

    /// Creates a file called `name`, or, if that exists, `name` with a number.
    async fn create(&self, name: &str) -> io::Result<(Unfinished, File)> {
        let name = file_name(name);
        let mut number = 1;
        loop {
            let name = if number == 1 { name.clone() } else { numbered(&name, number) };
            let path = self.directory.join(&name);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await {
                Ok(file) => return Ok((Unfinished { name, path, complete: false }, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// A file that is removed when this is dropped, unless it is complete.
struct Unfinished {
    name: String,
    path: PathBuf,
    complete: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.complete {
            // If the file cannot be removed, a partial file remains, which does no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Turns `name` into the name of a file in a directory. Message ids hold slashes, and a name must not lead into another
/// directory.
pub(super) fn file_name(name: &str) -> String {
    let name = soar::file_name(name).replace('/', "_");
    let name = if name.starts_with('.') { format!("_{name}") } else { name };
    let (stem, extension) = parts(&name);
    // Leaves room for a number.
    let room = LONGEST_NAME.saturating_sub(extension.len() + 12);
    let end = stem.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= room).last();
    format!("{}{extension}", &stem[..end.unwrap_or(0)])
}

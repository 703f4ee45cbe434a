//! Writes a report to an incident in SOAR, once for each call.

use bytes::Bytes;
use chrono::{DateTime, Local, Utc};
use uuid::Uuid;

use crate::audit::{Act, AuditRecord};
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::idempotency::{Visibility, ensure_once};
use crate::functions::incident_sink::write_on_record;
use soar::{self, Content, Target};

/// A larger file, in bytes, is not a report.
const LARGEST_REPORT: u64 = 64 << 20;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Table,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Table => "csv",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::Table => "text/csv",
        }
    }
}

/// Where a report goes in SOAR. It names the call's reference, by which a note or file of the same call is known.
#[derive(Clone, Copy)]
pub(super) struct Filed<'a> {
    pub(super) context: &'a Context,
    pub(super) soar: &'a soar::Client,
    pub(super) incident: i64,
    /// The beginning of the names of files.
    pub(super) prefix: &'a str,
    /// The time in the names: that of the call, where it is known.
    pub(super) time: DateTime<Utc>,
    pub(super) reference: Uuid,
}

impl Filed<'_> {
    fn record(&self, act: Act) -> AuditRecord {
        AuditRecord { target: Some(Target::Incident(self.incident).to_string()), ..AuditRecord::new(act) }
    }

    pub(super) async fn note(&self, html: &str) -> Result<(), Error> {
        let reference = self.reference.to_string();
        let look = || async {
            let notes = self.soar.notes(self.incident).await?;
            Ok(notes.iter().any(|note| note.contains(&reference)).then_some(()))
        };
        let act = || async {
            write_on_record(
                &self.context.guard,
                self.record(Act::WriteNote),
                self.soar.add_note(self.incident, html),
            )
            .await
        };
        ensure_once(self.context, "the note", Visibility::Immediate, look, act).await
    }

    /// The name of a file. It is the same in each run of the call, as far as the message tells when it was sent, and
    /// every file system can store it.
    pub(super) fn file_name(&self, format: Format) -> String {
        let time = self.time.with_timezone(&Local).format("%Y-%m-%dT%H-%M-%S");
        format!("{}-{time}.{}", self.prefix, format.extension())
    }

    pub(super) async fn file(&self, format: Format, text: String) -> Result<(), Error> {
        let name = self.file_name(format);
        let text = Bytes::from(text);
        let act = || async {
            let target = Target::Incident(self.incident);
            let attach = self.soar.attach(target, &name, format.media_type(), Content::bytes(text.clone()));
            write_on_record(&self.context.guard, self.record(Act::AttachReport), attach).await.map(drop)
        };
        ensure_once(
            self.context,
            "the attachment",
            Visibility::Immediate,
            || self.look_for_file(format, &name),
            act,
        )
        .await
    }

    /// Looks for the file among those that may be it, in which it stands whose they are.
    async fn look_for_file(&self, format: Format, name: &str) -> Result<Option<()>, Error> {
        let reference = self.reference.to_string();
        for file in self.soar.attachments(Target::Incident(self.incident)).await? {
            let may_be_it = match self.context.call.asked_at {
                // Version 2.0 wrote colons into the name.
                Some(_) => file.name.replace(':', "-") == name,
                None => file.name.starts_with(self.prefix) && file.name.ends_with(format.extension()),
            };
            if may_be_it && file.size.is_none_or(|size| size <= LARGEST_REPORT) {
                let content = self.soar.read_attachment(self.incident, file.id, LARGEST_REPORT).await?;
                if content.is_some_and(|content| String::from_utf8_lossy(&content).contains(&reference)) {
                    return Ok(Some(()));
                }
            }
        }
        Ok(None)
    }
}

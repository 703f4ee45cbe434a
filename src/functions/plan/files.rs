//! The files of an incident in which plans, their applications and their outcomes are kept.

use bytes::Bytes;
use chrono::DateTime;

use crate::audit::{Act, AuditRecord};
use crate::functions::call::Call;
use crate::functions::context::Context;
use crate::functions::error::Error;
use crate::functions::idempotency::{Visibility, ensure_once};
use crate::functions::incident_sink::{IncidentSink, write_on_record};
use soar::{Attachment, Content, Target};

/// An earlier run may have written a file that is larger by so much.
const SLACK: u64 = 16 << 20;
const MEDIA_TYPE: &str = "application/json";

/// The files of one incident.
#[derive(Clone, Copy)]
pub(in crate::functions) struct Files<'a> {
    context: &'a Context,
    soar: &'a soar::Client,
    incident: i64,
}

impl<'a> Files<'a> {
    /// # Errors
    /// The call was made without an incident.
    pub(in crate::functions) fn of(context: &'a Context, incident: i64) -> Result<Self, Error> {
        match &context.sink {
            IncidentSink::Soar(soar) => Ok(Self { context, soar, incident }),
            IncidentSink::Local(_) => Err(Error::refused(
                "A removal plan is a file of an incident, and this call was made without one (--incident). Nothing was \
                 done.",
            )),
        }
    }

    /// The files, the oldest first.
    pub(in crate::functions) async fn list(&self) -> Result<Vec<Attachment>, Error> {
        let mut files = self.context.sink.attachments(self.incident).await?;
        files.sort_by_key(|file| file.id);
        Ok(files)
    }

    /// The bytes of a file; `None` where it has more than `most`.
    pub(in crate::functions) async fn read(
        &self,
        file: &Attachment,
        most: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        if file.size.is_some_and(|size| size > most) {
            return Ok(None);
        }
        self.context.sink.read_attachment(self.incident, file.id, most).await
    }

    /// Attaches a file once for the call. The bytes name the call's reference, by which a repeated call finds the file.
    pub(in crate::functions) async fn attach(&self, name: &str, bytes: Vec<u8>) -> Result<Attachment, Error> {
        let bytes = Bytes::from(bytes);
        let reference = self.context.call.reference().to_string();
        let look = || async {
            for file in self.list().await? {
                let may_be_it = file.name == name && is_since(&file, &self.context.call);
                if may_be_it
                    && let Some(content) = self.read(&file, bytes.len() as u64 + SLACK).await?
                    && String::from_utf8_lossy(&content).contains(&reference)
                {
                    return Ok(Some(file));
                }
            }
            Ok(None)
        };
        let act = || async {
            let target = Target::Incident(self.incident);
            let record =
                AuditRecord { target: Some(target.to_string()), ..AuditRecord::new(Act::AttachReport) };
            let content = Content::bytes(bytes.clone());
            let attach = self.soar.attach(target, name, MEDIA_TYPE, content);
            write_on_record(&self.context.guard, record, attach).await
        };
        ensure_once(self.context, "the attachment", Visibility::Immediate, look, act).await
    }
}

/// Whether `call` may have attached the file.
pub(in crate::functions) fn is_since(file: &Attachment, call: &Call) -> bool {
    let created = file.created.and_then(DateTime::from_timestamp_millis);
    created.is_none_or(|created| call.may_have_done_at(created))
}

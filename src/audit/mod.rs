//! The audit trail: one line for each act that changes something, with the initiator and the outcome.
//!
//! A request that changes something needs a [`PendingAction`], and only [`Trail::begin`] makes one. So a change is
//! always on record, however the call ends. Each line is also in the log, at any log level; the file is for auditors.

mod file;
mod json_line;
mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::info;

use crate::config::GuardSettings;
use file::TrailFile;
pub use record::{Act, ActOutcome, AuditRecord, Initiator};

/// The trail's file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write the audit trail {}: {reason}; make the file and its directory writable for this program \
     (audit_file), or leave audit_file= empty to put everything on record in the log only",
    path.display()
)]
pub struct AuditError {
    /// The file.
    pub path: PathBuf,
    /// The operating system's error.
    pub reason: std::io::Error,
}

/// Puts acts on record. Clones share one file.
#[derive(Debug, Clone)]
pub struct Trail(Arc<TrailFile>);

impl Trail {
    /// Opens the trail in `path`, or in the log only. Its first line names the `rails` in force.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(path: Option<PathBuf>, rails: &GuardSettings) -> Result<Self, AuditError> {
        let trail = Self::at(path);
        trail.0.first(json_line::of_rails(rails))?;
        Ok(trail)
    }

    /// Returns the trail in `path`, or in the log only. The file is opened before the first change.
    pub fn at(path: Option<PathBuf>) -> Self {
        Self(Arc::new(TrailFile::at(path)))
    }

    /// Returns a trail that is in the log only.
    pub fn in_log() -> Self {
        Self::at(None)
    }

    /// Checks whether a trail can be in `path`. Creates the file if it does not exist.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn can_be_at(path: &Path) -> Result<(), AuditError> {
        file::can_be_opened(path)
    }

    /// Continues in `path`, or in the log only, also for acts that have begun. Lines that could not be written yet move
    /// along.
    pub fn move_to(&self, path: Option<PathBuf>) {
        self.0.move_to(path);
    }

    /// Puts on record that the `rails` are in force from now on.
    pub fn note(&self, rails: &GuardSettings) {
        self.0.write(json_line::of_rails(rails));
    }

    /// Checks whether the file can be written, as far as that shows without writing to it. Writes waiting lines first.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn ready(&self) -> Result<(), AuditError> {
        self.0.ready()
    }

    /// Writes waiting lines. Does not look at the file if there are none.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&self) -> Result<(), AuditError> {
        if self.waiting() == 0 { Ok(()) } else { self.ready() }
    }

    /// The number of lines that could not be written to the file yet.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Whether the last attempt to write the file failed. The trail retries by itself.
    pub fn is_failing(&self) -> bool {
        self.0.is_failing()
    }

    /// Begins an act. [`PendingAction::end`] puts its outcome on record.
    ///
    /// # Errors
    /// The file cannot be written; nothing must be changed then.
    pub fn begin(
        &self,
        initiator: &Arc<Initiator>,
        record: AuditRecord,
    ) -> Result<PendingAction, AuditError> {
        self.ready()?;
        Ok(PendingAction(self.entry(initiator, record, false)))
    }

    /// Begins an act that is only tried.
    ///
    /// # Errors
    /// The file cannot be written, so the act would not be done.
    pub fn rehearse(&self, initiator: &Arc<Initiator>, record: AuditRecord) -> Result<DryRun, AuditError> {
        self.ready()?;
        Ok(DryRun(self.entry(initiator, record, true)))
    }

    /// Puts on record that the guard refused an act.
    pub fn refused(&self, initiator: &Arc<Initiator>, record: AuditRecord, why: &str) {
        self.entry(initiator, record, false).write(ActOutcome::Refused, Some(why));
    }

    fn entry(&self, initiator: &Arc<Initiator>, record: AuditRecord, dry_run: bool) -> Entry {
        Entry { trail: self.clone(), initiator: Arc::clone(initiator), record, dry_run, written: false }
    }
}

/// An act that has begun. If it is dropped before its end, its outcome is on record as unknown.
#[derive(Debug)]
#[must_use = "its outcome is on record as unknown otherwise"]
pub struct PendingAction(Entry);

/// An act that is only tried.
#[derive(Debug)]
#[must_use = "its outcome is on record as unknown otherwise"]
pub struct DryRun(Entry);

impl graph::ChangePermit for PendingAction {}

impl PendingAction {
    /// Puts the outcome on record, with the error if there is one.
    pub fn end(self, outcome: ActOutcome, error: Option<&str>) {
        self.0.write(outcome, error);
    }

    /// Puts on record how the request to Graph ended.
    pub fn end_with<T>(self, result: &Result<T, graph::Error>) {
        self.end(ActOutcome::of(result), error_text(result).as_deref());
    }
}

impl DryRun {
    /// Puts on record that the act would have been done.
    pub fn end(self) {
        self.0.write(ActOutcome::WouldBeDone, None);
    }

    /// Puts on record what the look at the object showed: the act would have been done, or it could not have been.
    pub fn end_with<T>(self, look: &Result<T, graph::Error>) {
        let outcome = match ActOutcome::of(look) {
            ActOutcome::Done => ActOutcome::WouldBeDone,
            other => other,
        };
        self.0.write(outcome, error_text(look).as_deref());
    }
}

fn error_text<T>(result: &Result<T, graph::Error>) -> Option<String> {
    result.as_ref().err().map(graph::Error::for_log)
}

#[derive(Debug)]
struct Entry {
    trail: Trail,
    initiator: Arc<Initiator>,
    record: AuditRecord,
    dry_run: bool,
    written: bool,
}

impl Entry {
    fn write(mut self, outcome: ActOutcome, error: Option<&str>) {
        self.put(outcome, error);
    }

    fn put(&mut self, outcome: ActOutcome, error: Option<&str>) {
        self.written = true;
        let Self { trail, initiator, record, dry_run, .. } = self;
        let outcome = outcome.text(record.act);
        let recipients = (!record.recipients.is_empty()).then(|| record.recipients.join(", "));
        info!(
            target: "audit",
            mailbox = record.mailbox,
            mailbox_id = record.mailbox_id,
            message_id = record.message_id,
            destination = record.destination,
            recipients,
            attachments = record.attachments,
            attendees = record.attendees,
            messages = record.messages,
            written_to = record.target,
            outcome,
            error,
            dry_run = dry_run.then_some(true),
            "{}", record.act.text()
        );
        trail.0.write(json_line::of_act(record, &outcome, error, *dry_run, initiator));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.written {
            self.put(ActOutcome::Unknown, Some("the call was ended before the outcome was known"));
        }
    }
}

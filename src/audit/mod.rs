//! The audit trail: the intent before each act that changes something, and its outcome after it, with the initiator.
//!
//! A request that changes something needs a [`PendingAction`]. Only [`Trail::begin`] makes one, after the line with the
//! intent is in the file. So a change is on record however the call or the process ends. A thread of its own writes the
//! file (`writer`), so a file system that hangs stops changes and nothing else. Each line is chained to the one
//! before it by a hash (`chain`). Outcomes are also in the log, at any log level; without a file, intents are, too.

mod chain;
mod entry;
mod file;
pub mod fuzzing;
mod json_line;
mod metrics;
mod queue;
pub mod reader;
mod record;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::time::timeout;

use crate::config::{AuditSettings, GuardSettings};
use entry::Proposal;
pub use entry::{DryRun, PendingAction};
use metrics::Metrics;
use queue::Queue;
pub use record::{Act, ActOutcome, AuditRecord, Initiator};

/// How long the file system may take for a line. Nothing is changed while it takes longer.
const LIMIT: Duration = Duration::from_secs(5);

/// The trail's file cannot be written.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "cannot write the audit trail {}: {reason}; make the file and its directory writable for this program \
     (audit_file), or leave audit_file= empty to put everything on record in the log only",
    path.display()
)]
pub struct AuditError {
    /// The file.
    pub path: PathBuf,
    /// Why: the operating system's error, or that it did not answer in time.
    pub reason: String,
}

impl AuditError {
    fn new(path: &Path, reason: &impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Puts acts on record. Clones share one file. The file's thread ends with the last clone.
#[derive(Debug, Clone)]
pub struct Trail(Arc<Handle>);

/// Ends the writer when the last clone of the trail is dropped.
#[derive(Debug)]
struct Handle {
    queue: Arc<Queue>,
    metrics: Metrics,
}

/// How many acts that change a mailbox ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// Those that were done.
    pub done: usize,
    /// Those that may have been done.
    pub unknown: usize,
    /// Those that a dry run would have done.
    pub rehearsed: usize,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Trail {
    /// Opens the trail where `settings` say, or in the log only. Its first line names the `rails` in force.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn open(settings: AuditSettings, rails: &GuardSettings) -> Result<Self, AuditError> {
        let trail = Self::at(settings);
        trail.note(rails);
        trail.flush(LIMIT).await?;
        Ok(trail)
    }

    /// Returns the trail where `settings` say, or in the log only. The file is opened before the first line.
    pub fn at(settings: AuditSettings) -> Self {
        let queue = Arc::new(Queue::new(settings));
        Self(Arc::new(Handle { queue, metrics: Metrics::default() }))
    }

    /// Returns a trail that is in the log only.
    pub fn in_log() -> Self {
        Self::at(AuditSettings::default())
    }

    /// Checks whether a trail can be where `settings` say. Creates the file if it does not exist.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn can_be_at(settings: &AuditSettings) -> Result<(), AuditError> {
        let Some(path) = settings.file.clone() else { return Ok(()) };
        let opened = tokio::task::spawn_blocking({
            let path = path.clone();
            move || file::can_be_opened(&path)
        });
        match timeout(LIMIT, opened).await {
            Ok(Ok(opened)) => opened.map_err(|reason| AuditError::new(&path, &reason)),
            Ok(Err(panicked)) => Err(AuditError::new(&path, &panicked)),
            Err(_) => Err(AuditError::new(&path, &queue::NO_ANSWER)),
        }
    }

    /// Continues where `settings` say, also for acts that have begun. Lines that could not be written yet move along.
    pub fn move_to(&self, settings: AuditSettings) {
        self.queue().move_to(settings);
        writer::ensure(self.queue());
    }

    /// Puts on record that the `rails` are in force from now on.
    pub fn note(&self, rails: &GuardSettings) {
        self.note_change(rails, &[]);
    }

    /// Puts on record that the `rails` are in force from now on, and which are `removed` or wider than before.
    pub fn note_change(&self, rails: &GuardSettings, removed: &[String]) {
        self.put(json_line::of_rails(rails, removed));
    }

    /// Puts on record that a signal has put all changes on hold, or has ended that.
    pub fn note_hold(&self, hold: bool, signal: &'static str) {
        self.put(json_line::of_hold(hold, signal));
    }

    /// Waits until every line is written, at most for `limit`. Tries again at once if the last attempt failed.
    ///
    /// # Errors
    /// The file cannot be written, or not in time.
    pub async fn flush(&self, limit: Duration) -> Result<(), AuditError> {
        let Some(flushed) = self.queue().flush() else { return Ok(()) };
        writer::ensure(self.queue());
        match timeout(limit, flushed).await {
            Ok(Ok(flushed)) => flushed,
            _ => Err(self.queue().unanswered()),
        }
    }

    /// Waits until the lines of a call are written, before it is answered. Does not wait for a file that cannot be
    /// written at the moment: its lines are kept.
    pub async fn settle(&self) {
        if !self.is_failing() {
            // The writer has logged a failure.
            let _ = self.flush(LIMIT).await;
        }
    }

    /// The changes of mailboxes so far.
    pub fn changes(&self) -> Changes {
        let count = |outcome| self.0.metrics.changes(outcome);
        Changes {
            done: count(ActOutcome::Done),
            unknown: count(ActOutcome::Unknown),
            rehearsed: count(ActOutcome::WouldBeDone),
        }
    }

    /// Adds the metric of acts to a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.0.metrics.register(registry);
    }

    fn count(&self, act: Act, outcome: ActOutcome) {
        self.0.metrics.count(act, outcome);
    }

    /// The number of lines that are not in the file yet.
    pub fn waiting(&self) -> usize {
        self.queue().waiting()
    }

    /// Whether the last attempt to write the file failed, or does not end. The trail retries by itself.
    pub fn is_failing(&self) -> bool {
        self.queue().is_failing()
    }

    /// Writes the intent of an act. [`PendingAction::end`] puts its outcome on record.
    ///
    /// # Errors
    /// The file cannot be written, or not in time; nothing must be changed then.
    pub async fn begin(
        &self,
        initiator: &Arc<Initiator>,
        record: AuditRecord,
    ) -> Result<PendingAction, AuditError> {
        self.propose(initiator, record, false).await.map(PendingAction::new)
    }

    /// Writes the intent of an act that is only tried.
    ///
    /// # Errors
    /// The file cannot be written, so the act would not be done.
    pub async fn rehearse(
        &self,
        initiator: &Arc<Initiator>,
        record: AuditRecord,
    ) -> Result<DryRun, AuditError> {
        self.propose(initiator, record, true).await.map(DryRun::new)
    }

    /// Puts on record that the guard refused an act.
    pub fn refused(&self, initiator: &Initiator, record: &AuditRecord, why: &str) {
        self.done(initiator, record, ActOutcome::Refused, Some(why));
    }

    /// Puts on record what was read, or that it could not be read. Reading goes on where the file cannot be written.
    pub fn read(
        &self,
        initiator: &Initiator,
        record: &AuditRecord,
        outcome: ActOutcome,
        error: Option<&str>,
    ) {
        self.done(initiator, record, outcome, error);
    }

    /// Puts an act without an intent on record.
    fn done(&self, initiator: &Initiator, record: &AuditRecord, outcome: ActOutcome, error: Option<&str>) {
        entry::log(record, &outcome.text(record.act), error, false);
        self.count(record.act, outcome);
        self.put(json_line::of_outcome(None, record, outcome, error, false, initiator));
    }

    async fn propose(
        &self,
        initiator: &Arc<Initiator>,
        record: AuditRecord,
        dry_run: bool,
    ) -> Result<entry::Entry, AuditError> {
        let proposal = Proposal::new(self.clone(), Arc::clone(initiator), record, dry_run);
        let mut entry = match self.queue().propose(proposal)? {
            queue::Proposed::InLog(entry) => *entry,
            queue::Proposed::Waits(written) => {
                writer::ensure(self.queue());
                match timeout(LIMIT, written).await {
                    Ok(Ok(entry)) => entry?,
                    _ => return Err(self.queue().unanswered()),
                }
            }
        };
        entry.hand_over();
        Ok(entry)
    }

    /// Queues a line.
    fn put(&self, line: String) {
        if self.queue().put(line) {
            writer::ensure(self.queue());
        }
    }

    fn queue(&self) -> &Arc<Queue> {
        &self.0.queue
    }
}

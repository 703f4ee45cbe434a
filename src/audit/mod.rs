//! The audit trail: a line for each act that changes something, on behalf of whom, to what, and with what outcome.
//!
//! What changes something takes an [`PendingAction`], and an act is begun here: so nothing is changed that is not put on
//! record, whatever becomes of the call afterwards. Each line is in the log, too, at whatever level; the file is for
//! who has to show what was done.

mod file;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use tracing::info;

use crate::config::{Deletion, GuardSettings};
use file::TrailFile;

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
    /// What the system says.
    pub reason: std::io::Error,
}

/// Where acts are put on record. Clones are the same.
#[derive(Debug, Clone)]
pub struct Trail(Arc<TrailFile>);

/// On whose behalf something is done: the call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Initiator {
    /// The user or key of SOAR, by name, or the user who made the call by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<i64>,
    /// The workflow, by programmatic name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The workflow instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_instance: Option<i64>,
    /// What every line of the call in the log bears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The function's API name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// What is done, to what. No word of a mail is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditRecord {
    /// "delete message"
    pub act: &'static str,
    /// The mailbox, as it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// The directory's id of the mailbox, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox_id: Option<String>,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The folder a message goes to; for a deletion where it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Who gets a mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// How many files go with a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<usize>,
    /// How many are invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attendees: Option<usize>,
    /// How many messages it is about, where that is not one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<usize>,
    /// Where a note or file goes in SOAR: "incident 2095".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// One line of the trail.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    deed: &'a AuditRecord,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    dry_run: bool,
    #[serde(flatten)]
    asker: &'a Initiator,
}

impl Trail {
    /// The trail in `path`, or, without one, in the log only; its first line says which `rails` are in force.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(path: Option<PathBuf>, rails: &GuardSettings) -> Result<Self, AuditError> {
        let trail = Self::at(path);
        trail.0.first(json(&InForce::of(rails)))?;
        Ok(trail)
    }

    /// The trail in `path`, or, without one, in the log only. The file is looked at when something is to be changed.
    pub fn at(path: Option<PathBuf>) -> Self {
        Self(Arc::new(TrailFile::at(path)))
    }

    /// In the log only.
    pub fn in_log() -> Self {
        Self::at(None)
    }

    /// Whether the trail could be in `path`. The file is made where there is none.
    ///
    /// # Errors
    /// It could not.
    pub fn can_be_at(path: &Path) -> Result<(), AuditError> {
        file::can_be_opened(path)
    }

    /// Goes on in `path`, or in the log only, for acts that have begun as well. Lines that could not be written where
    /// it was until now go along.
    pub fn move_to(&self, path: Option<PathBuf>) {
        self.0.move_to(path);
    }

    /// Says that other `rails` are in force from now on.
    pub fn note(&self, rails: &GuardSettings) {
        self.0.write(json(&InForce::of(rails)));
    }

    /// Whether the file can be written, as far as that can be known without writing to it. Lines that wait are written
    /// first.
    ///
    /// # Errors
    /// It cannot.
    pub fn ready(&self) -> Result<(), AuditError> {
        self.0.ready()
    }

    /// Writes the lines that wait. Where none does, the file is not looked at.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&self) -> Result<(), AuditError> {
        if self.waiting() == 0 { Ok(()) } else { self.ready() }
    }

    /// How many lines could not be written to the file yet.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// Whether the file could not be written when that was last tried; it is tried again by itself.
    pub fn is_failing(&self) -> bool {
        self.0.is_failing()
    }

    /// Puts on record that something begins. What ends it is [`PendingAction::end`].
    ///
    /// # Errors
    /// The file cannot be written; nothing must be changed then.
    pub fn begin(&self, asker: &Arc<Initiator>, deed: AuditRecord) -> Result<PendingAction, AuditError> {
        self.ready()?;
        Ok(PendingAction(self.entry(asker, deed, false)))
    }

    /// Puts on record what would be done.
    ///
    /// # Errors
    /// The file cannot be written, so it would not be done.
    pub fn rehearse(&self, asker: &Arc<Initiator>, deed: AuditRecord) -> Result<DryRun, AuditError> {
        self.ready()?;
        Ok(DryRun(self.entry(asker, deed, true)))
    }

    /// Puts on record what was asked for and refused here.
    pub fn refused(&self, asker: &Arc<Initiator>, deed: AuditRecord, why: &str) {
        self.entry(asker, deed, false).write("refused", Some(why));
    }

    fn entry(&self, asker: &Arc<Initiator>, deed: AuditRecord, dry_run: bool) -> Entry {
        Entry { trail: self.clone(), asker: Arc::clone(asker), deed, dry_run, written: false }
    }
}

/// Something that is being done and will be on record. Where it is dropped before its end, the record says that its
/// outcome is not known.
#[derive(Debug)]
#[must_use = "it is on record as of unknown outcome otherwise"]
pub struct PendingAction(Entry);

/// Something that would be done, but is not.
#[derive(Debug)]
#[must_use = "it is on record as of unknown outcome otherwise"]
pub struct DryRun(Entry);

impl graph::ChangePermit for PendingAction {}

impl PendingAction {
    /// What came of it, in a word or two, and what stood against it.
    pub fn end(self, outcome: &str, error: Option<&str>) {
        self.0.write(outcome, error);
    }
}

impl DryRun {
    /// What would have come of it.
    pub fn end(self, outcome: &str, error: Option<&str>) {
        self.0.write(outcome, error);
    }
}

#[derive(Debug)]
struct Entry {
    trail: Trail,
    asker: Arc<Initiator>,
    deed: AuditRecord,
    dry_run: bool,
    written: bool,
}

impl Entry {
    fn write(mut self, outcome: &str, error: Option<&str>) {
        self.put(outcome, error);
    }

    fn put(&mut self, outcome: &str, error: Option<&str>) {
        self.written = true;
        let Self { trail, asker, deed, dry_run, .. } = self;
        let recipients = (!deed.recipients.is_empty()).then(|| deed.recipients.join(", "));
        info!(
            target: "audit",
            mailbox = deed.mailbox,
            mailbox_id = deed.mailbox_id,
            message_id = deed.message_id,
            destination = deed.destination,
            recipients,
            attachments = deed.attachments,
            attendees = deed.attendees,
            messages = deed.messages,
            written_to = deed.target,
            outcome,
            error,
            dry_run = dry_run.then_some(true),
            "{}", deed.act
        );
        trail.0.write(json(&Line { time: now(), deed, outcome, error, dry_run: *dry_run, asker }));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.written {
            self.put("unknown", Some("the call was ended before the outcome was known"));
        }
    }
}

/// The line that says which guard rails are in force.
#[derive(Serialize)]
struct InForce {
    time: String,
    act: &'static str,
    version: &'static str,
    max_deletions: Option<usize>,
    mailboxes_allowed: Option<Vec<String>>,
    mailboxes_denied: Vec<String>,
    deletion: &'static str,
    dry_run: bool,
}

impl InForce {
    fn of(rails: &GuardSettings) -> Self {
        Self {
            time: now(),
            act: "guard rails in force",
            version: env!("CARGO_PKG_VERSION"),
            max_deletions: rails.max_deletions,
            mailboxes_allowed: rails.allowed.as_ref().map(crate::config::Patterns::texts),
            mailboxes_denied: rails.denied.texts(),
            deletion: match rails.deletion {
                Deletion::Recoverable => "recoverable",
                Deletion::DeletedItems => "deleted_items",
                Deletion::Permanent => "permanent",
            },
            dry_run: rails.dry_run,
        }
    }
}

/// The line that stands for `count` others, which are in the log only.
fn left_out(count: usize) -> String {
    #[derive(Serialize)]
    struct LeftOut {
        time: String,
        act: &'static str,
        count: usize,
    }
    json(&LeftOut { time: now(), act: "lines left out", count })
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `line` as JSON in ASCII, with a line's end: no reader's charset and no mark of direction can change what it says.
fn json(line: &impl Serialize) -> String {
    let json = serde_json::to_string(line).unwrap_or_default();
    let mut text = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            text.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text.push('\n');
    text
}

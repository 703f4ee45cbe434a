//! One act, from its proposal to the line with its outcome.
//!
//! A [`Proposal`] has no line yet and changes nothing when it is dropped. An [`Entry`] exists only once its intent is
//! written, so it always ends with a line about the outcome, even if it is dropped.

use std::sync::Arc;

use tracing::info;

use super::{Act, ActOutcome, AuditRecord, Initiator, Trail, json_line};

/// The name of an intent's line. The lines of the outcomes repeat it.
pub(super) type IntentId = Arc<str>;

/// An act whose intent is not written yet.
#[derive(Debug)]
pub(super) struct Proposal {
    trail: Trail,
    pub(super) initiator: Arc<Initiator>,
    pub(super) record: AuditRecord,
    pub(super) dry_run: bool,
}

impl Proposal {
    pub(super) fn new(trail: Trail, initiator: Arc<Initiator>, record: AuditRecord, dry_run: bool) -> Self {
        Self { trail, initiator, record, dry_run }
    }

    /// Whether its line can hold other intents, too. Only removals can: each names its mailbox and message there.
    pub(super) fn may_share_line(&self) -> bool {
        matches!(self.record.act, Act::DeleteMessage | Act::QuarantineMessage)
    }

    /// Whether one line can hold the intents of both: removals of one kind by one call.
    pub(super) fn shares_line_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.initiator, &other.initiator)
            && self.may_share_line()
            && self.record.act == other.record.act
            && self.dry_run == other.dry_run
            && self.record.destination == other.record.destination
    }

    /// The entry of this act, whose intent has been written as `intent`.
    pub(super) fn written(self, intent: IntentId) -> Entry {
        let Self { trail, initiator, record, dry_run } = self;
        Entry { trail, initiator, record, dry_run, intent, is_begun: false, is_ended: false }
    }
}

/// An act whose intent is written. If it is dropped before its end, its outcome is on record as unknown.
#[derive(Debug)]
pub(super) struct Entry {
    trail: Trail,
    initiator: Arc<Initiator>,
    record: AuditRecord,
    dry_run: bool,
    intent: IntentId,
    /// Whether the caller has it, so that the act may have begun.
    is_begun: bool,
    is_ended: bool,
}

impl Entry {
    /// Hands it to the caller, who may begin the act from now on.
    pub(super) fn hand_over(&mut self) {
        self.is_begun = true;
    }

    /// Logs the intent, where the log is the only trail.
    pub(super) fn log_intent(&self) {
        log(&self.record, json_line::BEGUN, None, self.dry_run);
    }

    fn end(mut self, outcome: ActOutcome, error: Option<&str>) {
        self.put(outcome, error);
    }

    fn put(&mut self, outcome: ActOutcome, error: Option<&str>) {
        self.is_ended = true;
        let Self { trail, initiator, record, dry_run, intent, .. } = self;
        log(record, &outcome.text(record.act), error, *dry_run);
        trail.count(record.act, outcome);
        trail.put(json_line::of_outcome(Some(intent), record, outcome, error, *dry_run, initiator));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        match (self.is_ended, self.is_begun) {
            (true, _) => {}
            (false, true) => {
                self.put(ActOutcome::Unknown, Some("the call was ended before the outcome was known"));
            }
            (false, false) => {
                self.put(
                    ActOutcome::NotDone,
                    Some("the intent was not on record in time, so it was not begun"),
                );
            }
        }
    }
}

/// Logs what the trail says of an act.
pub(super) fn log(record: &AuditRecord, outcome: &str, error: Option<&str>, dry_run: bool) {
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
        searched = record.searched,
        written_to = record.target,
        outcome,
        error,
        dry_run = dry_run.then_some(true),
        "{}", record.act.text()
    );
}

/// An act whose intent is on record, and that may begin. If it is dropped before its end, its outcome is on record as
/// unknown.
#[derive(Debug)]
#[must_use = "its outcome is on record as unknown otherwise"]
pub struct PendingAction(Entry);

/// An act that is only tried.
#[derive(Debug)]
#[must_use = "its outcome is on record as unknown otherwise"]
pub struct DryRun(Entry);

impl PendingAction {
    pub(super) fn new(entry: Entry) -> Self {
        Self(entry)
    }

    /// Puts the outcome on record, with the error if there is one.
    pub fn end(self, outcome: ActOutcome, error: Option<&str>) {
        self.0.end(outcome, error);
    }

    /// Puts on record how the request to Graph ended.
    pub fn end_with<T>(self, result: &Result<T, graph::Error>) {
        self.end(ActOutcome::of(result), error_text(result).as_deref());
    }
}

impl DryRun {
    pub(super) fn new(entry: Entry) -> Self {
        Self(entry)
    }

    /// Puts on record that the act would have been done.
    pub fn end(self) {
        self.0.end(ActOutcome::WouldBeDone, None);
    }

    /// Puts on record what the look at the object showed: the act would have been done, or it could not have been.
    pub fn end_with<T>(self, look: &Result<T, graph::Error>) {
        let outcome = match ActOutcome::of(look) {
            ActOutcome::Done => ActOutcome::WouldBeDone,
            other => other,
        };
        self.0.end(outcome, error_text(look).as_deref());
    }
}

fn error_text<T>(result: &Result<T, graph::Error>) -> Option<String> {
    result.as_ref().err().map(graph::Error::for_log)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::AuditSettings;

    #[tokio::test]
    async fn untaken_intent_is_recorded_as_not_begun() {
        let file = std::env::temp_dir().join(format!("{}.acts", uuid::Uuid::new_v4()));
        let trail = Trail::at(AuditSettings { file: Some(file.clone()), fsync: false });
        let record = AuditRecord::new(Act::SendMessage);
        drop(Proposal::new(trail.clone(), Arc::default(), record.clone(), false));
        drop(Proposal::new(trail.clone(), Arc::default(), record.clone(), false).written("untaken".into()));
        let mut taken = Proposal::new(trail.clone(), Arc::default(), record, false).written("taken".into());
        taken.hand_over();
        drop(taken);
        trail.flush(Duration::from_secs(30)).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("\"untaken\"") && lines[0].contains("\"not sent\""), "{text}");
        assert!(lines[1].contains("\"taken\"") && lines[1].contains("\"unknown\""), "{text}");
    }
}

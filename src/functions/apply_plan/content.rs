//! The content of the result, as workflows and scripts read it.

use serde::Serialize;

use crate::functions::meetings::RemovedMeetings;
use crate::functions::plan::{Arrival, Author, Fate, OutcomeMessage, Plan, RemovalOutcome};

#[derive(Serialize)]
pub(super) struct Content<'a> {
    incident_id: i64,
    plan_digest: &'a str,
    plan_attachment: String,
    /// The name of the file with the outcome; null in a dry run.
    outcome_attachment: Option<&'a str>,
    action: &'a str,
    approved_by: Option<&'a str>,
    applied_by: &'a Author,
    /// Whether nothing is left to do, so that the plan cannot be applied again.
    settled: bool,
    messages: usize,
    mailboxes: usize,
    #[serde(flatten)]
    counts: Counts,
    /// How many calendar entries were removed, and of those accepted and accepted tentatively.
    meetings_removed: usize,
    meetings_accepted: usize,
    meetings_tentative: usize,
    /// How many messages have a calendar entry that is there still, or may be.
    meetings_open: usize,
    arrived_since: usize,
    arrivals: &'a [Arrival],
    not_looked_into: &'a [String],
    results: &'a [OutcomeMessage],
    /// The calendar entries that were removed along with the messages.
    #[serde(flatten)]
    meetings: RemovedMeetings,
}

/// How many messages have which fate. They add up to the messages of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Counts {
    #[serde(rename = "messages_removed")]
    removed: usize,
    #[serde(rename = "messages_already_removed")]
    already_removed: usize,
    #[serde(rename = "messages_gone")]
    gone: usize,
    #[serde(rename = "messages_changed_identity")]
    changed_identity: usize,
    #[serde(rename = "messages_refused")]
    refused: usize,
    #[serde(rename = "messages_failed")]
    failed: usize,
    #[serde(rename = "messages_in_doubt")]
    in_doubt: usize,
    #[serde(rename = "messages_not_reached")]
    not_reached: usize,
    #[serde(rename = "messages_dry_run")]
    dry_run: usize,
}

impl<'a> Content<'a> {
    pub(super) fn of(plan: &'a Plan, outcome: &'a RemovalOutcome, file: Option<&'a str>) -> Self {
        let [meetings_accepted, meetings_tentative] = outcome.meetings.answered();
        Self {
            incident_id: outcome.incident_id,
            plan_digest: &outcome.plan_digest,
            plan_attachment: plan.file_name(),
            outcome_attachment: file,
            action: &outcome.action,
            approved_by: outcome.approved_by.as_deref(),
            applied_by: &outcome.applied_by,
            settled: outcome.settled,
            messages: outcome.messages.len(),
            mailboxes: plan.mailboxes().len(),
            counts: Counts {
                removed: outcome.count(Fate::Removed),
                already_removed: outcome.count(Fate::AlreadyRemoved),
                gone: outcome.count(Fate::Gone),
                changed_identity: outcome.count(Fate::ChangedIdentity),
                refused: outcome.count(Fate::Refused),
                failed: outcome.count(Fate::Failed),
                in_doubt: outcome.count(Fate::InDoubt),
                not_reached: outcome.count(Fate::NotReached),
                dry_run: outcome.count(Fate::DryRun),
            },
            meetings_removed: outcome.meetings.removed(),
            meetings_accepted,
            meetings_tentative,
            meetings_open: outcome.open_meetings().count(),
            arrived_since: outcome.arrivals.len(),
            arrivals: &outcome.arrivals,
            not_looked_into: &outcome.not_looked_into,
            results: &outcome.messages,
            meetings: outcome.meetings.for_result(),
        }
    }
}

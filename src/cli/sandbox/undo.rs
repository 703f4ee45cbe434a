//! The part of the investigation that can be undone: a plan, its application, and the way back.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::investigation::{Analyst, text};
use crate::cli::Failure;
use crate::functions::Function;
use sandbox::Sandbox;
use sandbox::graph::{Address, Delivery, Meeting, MeetingMessage};
use sandbox::soar::INCIDENT;

/// Who approves the plan.
const APPROVER: &str = "duty.manager@sandbox.example";

impl Analyst<'_> {
    /// Hides all messages that were found, and brings them back.
    pub(super) async fn hide_and_restore(&mut self, found: &Value) -> Result<(), Failure> {
        let plan = self.plan(found).await?;
        self.apply(&plan).await?;
        let inputs = json!({"incident_id": INCIDENT, "exo_plan_digest": plan["content"]["plan_digest"]});
        let say = |results: &Value| {
            format!("{} back in their folders, unread as they were", results["content"]["messages_restored"])
        };
        self.ask("Show that it can be undone.", Function::RestoreMessages, inputs, say).await.map(drop)
    }

    async fn plan(&mut self, found: &Value) -> Result<Value, Failure> {
        let inputs = json!({"incident_id": INCIDENT, "exo_query_messages_results": found["raw"]});
        let say = |results: &Value| {
            let content = &results["content"];
            let digest = text(&content["plan_digest"]).get(..12).unwrap_or_default();
            format!("plan {digest}: {} messages in {} mailboxes", content["messages"], content["mailboxes"])
        };
        self.ask("Freeze what was found as a plan.", Function::PlanRemoval, inputs, say).await
    }

    async fn apply(&mut self, plan: &Value) -> Result<(), Failure> {
        let content = &plan["content"];
        let inputs = json!({
            "incident_id": INCIDENT,
            "exo_plan_digest": content["plan_digest"],
            "exo_expected_messages": content["messages"],
            "exo_removal_action": {"id": 1, "name": "Quarantine"},
            "exo_approved_by": APPROVER,
        });
        let say = |results: &Value| {
            format!("{} hidden; approved by {APPROVER}", results["content"]["messages_removed"])
        };
        self.ask("It is approved: hide every copy.", Function::ApplyPlan, inputs, say).await.map(drop)
    }

    /// Removes a meeting of the attacker from the calendar of the mailbox.
    pub(super) async fn remove_a_meeting(&mut self, sandbox: &Sandbox, mailbox: &str) -> Result<(), Failure> {
        let attacker = Address::new("IT Service", "it-service@examp1e-support.example");
        let meeting = Meeting::new("call", attacker, "Verify your account", Utc::now() + TimeDelta::days(1));
        let uid = meeting.uid.clone();
        let invitation = MeetingMessage::request(meeting);
        sandbox.graph.deliver(
            &Delivery::of_meeting("<call@examp1e-support.example>", invitation, Utc::now())
                .to(&[mailbox.to_owned()]),
        );
        let inputs = json!({"incident_id": INCIDENT, "exo_ical_uid": uid, "exo_email_address": mailbox});
        let say = |results: &Value| {
            format!("{} calendar entry removed; nothing was sent", results["content"]["meetings_removed"])
        };
        let what = "Take the attacker's invitation out of the calendar.";
        self.ask(what, Function::RemoveMeetings, inputs, say).await.map(drop)
    }
}

//! A removal plan as the program writes it, for tests that need one without a query.

use chrono::{SecondsFormat, TimeDelta, Utc};
use graph::attachments::Sha256;
use sandbox::graph::Tenant;
use serde_json::{Value, json};

/// The file of a plan.
pub(crate) struct PlanFile {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

impl PlanFile {
    /// A plan of one message of a mailbox, by its canonical form (docs/functions.md).
    pub(crate) fn of(tenant: &Tenant, incident: i64, mailbox: &str, id: &str) -> Self {
        let stamp = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let user = tenant.users().into_iter().find(|user| user.user_principal_name == mailbox).unwrap();
        let message = tenant.message(mailbox, id).unwrap();
        let immutable = tenant.immutable_id(mailbox, id).unwrap();
        let state = &tenant.snapshot(mailbox)[&immutable];
        let received = stamp(message.received);
        let mut plan = json!({
            "format": "fn-exchange-online removal plan", "version": 1, "incident_id": incident,
            "reference": "11111111-2222-3333-4444-555555555555",
            "created": stamp(Utc::now()), "expires": stamp(Utc::now() + TimeDelta::hours(1)),
            "created_by": {"name": "analyst@example.com", "display_name": "An Analyst"},
            "complete": true, "incomplete_because": [], "looked_until": stamp(Utc::now()),
            "messages": [{
                "mailbox_id": user.id, "mailbox": mailbox, "id": immutable,
                "internet_message_id": message.internet_message_id.unwrap_or_default(), "received": received,
                "sender": "", "folder_id": state.folder_id, "folder": "Inbox", "subject": message.subject,
                "is_read": state.is_read, "is_invitation": false,
            }],
            "counts": {
                "messages": 1,
                "mailboxes": [{"name": mailbox, "messages": 1}], "folders": [{"name": "Inbox", "messages": 1}],
                "days": [{"name": received[..10], "messages": 1}], "invitations": 0,
            },
        });
        let digest = Sha256::of(plan.to_string().as_bytes()).to_string();
        plan["digest"] = json!(digest);
        let name = format!("exo-removal-plan-{}.json", &digest[..12]);
        Self { name, digest, bytes: plan.to_string().into_bytes() }
    }

    /// The inputs that apply it.
    pub(crate) fn inputs(&self, incident: i64) -> Value {
        json!({
            "incident_id": incident, "exo_plan_digest": self.digest, "exo_expected_messages": 1,
            "exo_removal_action": {"id": 1, "name": "Delete"}, "exo_approved_by": "Nora",
        })
    }
}

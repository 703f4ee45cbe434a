//! The result payload: what every function's results look like to SOAR's scripts.

use chrono::TimeDelta;
use sandbox::graph::{Address, Delivery, Meeting, MeetingMessage};
use serde_json::{Value, json};

use crate::customizations::samples::{mismatches, samples};
use crate::functions::common::{
    CreateMeeting, DeleteEmail, Fixture, GetEmailUserProfile, GetMessage, QueryEmails, TraceMessage, mail,
    query,
};
use crate::functions::trace_message::traced;
use fn_exchange_online::functions::Function;

#[tokio::test]
async fn results_have_soar_keys_in_order_and_metrics() {
    let fixture = Fixture::new().await;
    let user = fixture.mailbox(0);
    let results = fixture
        .done(GetEmailUserProfile, json!({"exo_email_address": user, "unknown": [1, {"a": null}]}))
        .await;
    let keys: Vec<_> = results.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["version", "success", "reason", "content", "raw", "pretty_string", "inputs", "metrics"]
    );
    assert_eq!((&results["version"], &results["reason"]), (&json!("1.0"), &Value::Null));
    let metrics = results["metrics"].as_object().unwrap();
    let keys: Vec<_> = metrics.keys().map(String::as_str).collect();
    let expected = ["version", "package", "package_version", "host", "execution_time_ms", "timestamp"];
    assert_eq!(keys, expected);
    assert_eq!(metrics["version"], "1.0");
    assert_eq!(metrics["package"], "fn-exchange-online");
    assert_eq!(metrics["package_version"], env!("CARGO_PKG_VERSION"));
    assert!(!metrics["host"].as_str().unwrap().is_empty());
    assert!(metrics["execution_time_ms"].is_u64());
    let timestamp = metrics["timestamp"].as_str().unwrap();
    assert!(chrono::NaiveDateTime::parse_from_str(timestamp, "%Y-%m-%d %H:%M:%S").is_ok(), "{timestamp}");
}

#[tokio::test]
async fn raw_is_the_content_as_compact_json_text() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    let results = fixture.done(DeleteEmail, inputs).await;
    assert_eq!(results["raw"], r#"{"value":true}"#);
    let inputs = query(&fixture.mailbox(0), json!({"exo_has_attachments": false}));
    let results = fixture.done(QueryEmails, inputs).await;
    assert!(
        results["raw"].as_str().unwrap().starts_with(r#"{"incident_id":2095,"exo_query_output_format":["#)
    );
    assert!(!results["raw"].as_str().unwrap().contains('\n'));
}

#[tokio::test]
async fn only_meeting_message_and_profile_have_a_pretty_string() {
    let fixture = Fixture::new().await;
    let phish = fixture.graph().planted().remove(0);
    let message = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
    let meeting = json!({
        "exo_meeting_email_address": phish.mailbox, "exo_meeting_start_time": start,
        "exo_meeting_end_time": start + 1_800_000, "exo_meeting_subject": "s", "exo_meeting_body": "b",
    });
    assert!(fixture.done(GetMessage, message.clone()).await["pretty_string"].is_string());
    assert!(fixture.done(GetEmailUserProfile, message.clone()).await["pretty_string"].is_string());
    assert!(fixture.done(CreateMeeting, meeting).await["pretty_string"].is_string());
    assert_eq!(fixture.done(DeleteEmail, message).await.get("pretty_string"), None);
}

/// What the playbook designer shows of a function is what the function answers.
#[tokio::test]
async fn samples_in_soar_have_the_shape_of_real_results() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().give_role("ExchangeMessageTrace.Read.All");
    let hour_ago = fixture.graph().present() - TimeDelta::hours(1);
    let traced_mail = Delivery::new("<a@b.example>", Address::new("", "a@b.example"), "s", hour_ago);
    fixture.graph().deliver(&traced_mail.to(["c@d.example"]));
    let mut planted = fixture.graph().planted();
    let (read, deleted, found) = (planted.remove(0), planted.remove(0), planted.remove(0));
    let message = json!({
        "exo_email_address": read.mailbox, "exo_messages_id": read.id, "incident_id": 2095,
        "exo_attachment_name": "evidence.eml", "exo_destination_mailfolder_id": "junkemail",
    });
    let invited = fixture.mailbox(0);
    let organizer = Address::new("Prize Office", "prize@attacker.example");
    let meeting = Meeting { uid: "m".to_owned(), ..Meeting::new("m", organizer, "s", hour_ago) };
    let invitation = Delivery::of_meeting("<m@b.example>", MeetingMessage::request(meeting), hour_ago);
    fixture.graph().deliver(&invitation.to([&invited]));
    let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
    let searched = query(&found.mailbox, json!({"exo_has_attachments": false}));
    let raw = fixture.done(QueryEmails, searched.clone()).await["raw"].clone();
    let to_plan = |subject: &str| {
        let id = fixture.put(&found.mailbox, mail(subject));
        let list = json!([{"email_address": found.mailbox, "email_list": [{"id": id}]}]);
        json!({"incident_id": 2095, "exo_query_messages_results": list.to_string()})
    };
    let (planned, to_plan) = (to_plan("Remove me"), to_plan("Plan me"));
    let plan = fixture.done(Function::PlanRemoval, planned).await["content"].clone();
    let plan = json!({
        "incident_id": 2095, "exo_plan_digest": plan["plan_digest"],
        "exo_expected_messages": plan["messages"], "exo_removal_action": "Quarantine",
    });
    for (function, example, schema) in samples() {
        let inputs = match function {
            DeleteEmail => {
                json!({"exo_email_address": deleted.mailbox, "exo_messages_id": deleted.id})
            }
            CreateMeeting => json!({
                "exo_meeting_email_address": read.mailbox, "exo_meeting_start_time": start,
                "exo_meeting_end_time": start + 1_800_000, "exo_meeting_subject": "s", "exo_meeting_body": "b",
                "exo_meeting_required_attendees": found.mailbox,
            }),
            Function::SendMessage => json!({
                "exo_email_address": read.mailbox, "exo_recipients": found.mailbox, "incident_id": 2095,
                "exo_message_subject": "s", "exo_message_body": "b",
            }),
            QueryEmails => searched.clone(),
            Function::PlanRemoval => to_plan.clone(),
            Function::ApplyPlan => plan.clone(),
            Function::RestoreMessages => json!({"exo_deletion_results": r#"{"delete_results":[]}"#}),
            Function::RemoveMeetings => {
                json!({"incident_id": 2095, "exo_ical_uid": "m", "exo_email_address": invited})
            }
            TraceMessage => traced(&json!({"exo_internet_message_id": "<a@b.example>"}), &["Incident note"]),
            Function::DeleteMessagesFromQueryResults => json!({"exo_query_messages_results": raw}),
            GetEmailUserProfile
            | GetMessage
            | Function::GetAttachments
            | Function::MoveMessageToFolder
            | Function::WriteMessageAsAttachment => message.clone(),
        };
        let name = function.name();
        let results = fixture.done(function, inputs).await;
        let mut found = Vec::new();
        mismatches(&results["content"], &schema["properties"]["content"], name, &mut found);
        mismatches(&results["metrics"], &schema["properties"]["metrics"], name, &mut found);
        assert_eq!(found, Vec::<String>::new());
        let keys = |of: &Value| -> Vec<String> { of.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(keys(&results), keys(&example), "{name}");
        assert_eq!(keys(&results["metrics"]), keys(&example["metrics"]), "{name}");
        // Other contents are Graph's.
        if example.get("pretty_string").is_none() {
            assert_eq!(keys(&results["content"]), keys(&example["content"]), "{name}");
        }
    }
}

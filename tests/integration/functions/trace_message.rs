//! `exchange_online_trace_message`: who received a message, and what the result lacks.

use chrono::{TimeDelta, Utc};
use sandbox::graph::{Address, Delivery, Fate, TenantOptions};
use serde_json::{Value, json};

use crate::functions::common::{Fault, Fixture, Target, TraceMessage, empty, lines};

const ID: &str = "<a'b%c@evil.example>";

/// A call of the trace with these criteria.
pub(super) fn traced(criteria: &Value, formats: &[&str]) -> Value {
    let mut inputs = json!({"incident_id": 2095, "exo_query_output_format": formats});
    inputs.as_object_mut().unwrap().extend(criteria.as_object().unwrap().clone());
    inputs
}

fn mail(subject: &str, hours: i64) -> Delivery {
    Delivery::new(ID, Address::new("", "eve@evil.example"), subject, Utc::now() - TimeDelta::hours(hours))
}

/// A tenant in which a mail came for six recipients.
async fn fixture(options: &[(&str, &str)]) -> (Fixture, Vec<String>) {
    let tenant = TenantOptions { now: Utc::now(), ..empty(8) };
    let fixture = Fixture::configured(tenant, options).await;
    fixture.graph().faults().give_role("ExchangeMessageTrace.Read.All");
    let users = fixture.graph().mailboxes();
    fixture.graph().add_list("team@contoso.example", [&users[2]]);
    fixture.graph().deliver(
        &mail("=Invoice \"final\"", 2)
            .to([users[0].as_str(), users[1].as_str(), "team@contoso.example", "out@partner.example"])
            .with("gone@contoso.example", Fate::Failed)
            .with(&users[4], Fate::Quarantined),
    );
    (fixture, users)
}

#[tokio::test]
async fn trace_says_who_received_a_message_and_what_became_of_it() {
    let (fixture, users) = fixture(&[]).await;
    let formats = ["Incident note", "Incident attachment", "Exchange Online data table"];
    let inputs = traced(&json!({"exo_internet_message_id": ID}), &formats);
    let results = fixture.done(TraceMessage, inputs).await;
    let content = &results["content"];
    assert_eq!(results["reason"], Value::Null);
    assert_eq!(
        content["status_counts"],
        json!({"delivered": 4, "expanded": 1, "failed": 1, "quarantined": 1})
    );
    let numbers = ["messages_found", "recipients_found", "rows_not_shown"].map(|key| content[key].clone());
    assert_eq!((numbers, &content["complete"]), ([json!(1), json!(6), json!(0)], &json!(true)));
    assert_eq!(content["trace_results"].as_array().unwrap().len(), 7);
    let row = &content["trace_results"][0];
    assert_eq!((&row["messageId"], &row["senderAddress"]), (&json!(ID), &json!("eve@evil.example")));
    assert_eq!(content["searched"].as_array().unwrap().len(), 1);

    let note = lines(&fixture.note());
    assert_eq!(
        note[0],
        "Exchange Online: 1 message for 6 recipients: 4 delivered, 1 quarantined, 1 failed, 1 expanded (lists)"
    );
    assert_eq!(note[1], "Looked for: message-id &lt;a&#39;b%c@evil.example&gt;");
    for line in ["In quarantine:", "Not delivered:", "Lists, whose members have entries of their own:"] {
        assert!(note.iter().any(|own| own == line), "{line}: {note:#?}");
    }
    let (name, table) = fixture.table().await;
    assert!(name.starts_with("exo-trace-results-") && table.len() == 8, "{name}: {table:#?}");
    let columns = table[0].replace('"', "");
    assert!(columns.starts_with("recipient,received (UTC),status,sender address,subject,size,from IP"));
    let line = table.iter().find(|line| line.contains(&users[4]));
    let line = line.unwrap_or_else(|| panic!("{}: {table:#?}", users[4]));
    assert!(line.contains(",\"quarantined\",") && line.contains("'=Invoice"), "{line}");

    let trail = fixture.trail();
    assert_eq!((&trail[0]["act"], &trail[0]["outcome"]), (&json!("trace messages"), &json!("traced")));
    assert_eq!((&trail[0]["criteria"], &trail[0]["messages"]), (&json!(["Message-ID"]), &json!(7)));
    assert!(trail.iter().all(|line| !line.to_string().contains("Invoice")));
}

#[tokio::test]
async fn criteria_are_lists_and_a_clever_message_id_finds_nothing() {
    let (fixture, users) = fixture(&[]).await;
    for (criteria, count) in [
        (json!({"exo_email_address_sender": "x@y.example, @EVIL.example"}), 7),
        (json!({"exo_recipient": format!("{}\n{}", users[0].to_uppercase(), users[4])}), 2),
        (json!({"exo_message_subject": "nothing\ninvoice \"FINAL\""}), 7),
        (json!({"exo_internet_message_id": format!("<no@x>, {ID}"), "exo_recipient": users[1]}), 1),
        (json!({"exo_internet_message_id": "x' or 1 eq 1 or 'x"}), 0),
        (json!({"exo_internet_message_id": "<x' or messageId ne '<>"}), 0),
    ] {
        let inputs = traced(&criteria, &["Exchange Online data table"]);
        let results = fixture.done(TraceMessage, inputs).await;
        let rows = results["content"]["trace_results"].as_array().unwrap().len();
        assert_eq!(rows, count, "{criteria}");
    }
    let dates = traced(&json!({"exo_start_date": "2026-01-01"}), &["Incident note"]);
    let refused = fixture.failed(TraceMessage, dates).await;
    assert!(refused.starts_with("At least one criterion is required"), "{refused}");
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn what_was_not_looked_at_comes_first() {
    let (fixture, _) = fixture(&[("max_retries_total", "0")]).await;
    let start = Utc::now() - TimeDelta::days(15);
    fixture.graph().faults().next(
        1,
        Target::containing(start.format("ge%%20%Y-%m-%d").to_string()),
        Fault::Refused(500, "x", "quotes SUBJECTTEXT"),
    );
    let criteria = json!({"exo_internet_message_id": ID, "exo_start_date": start.timestamp_millis()});
    let results = fixture.run(TraceMessage, traced(&criteria, &["Incident note"])).await.unwrap();
    assert_eq!((&results["success"], &results["content"]["complete"]), (&json!(true), &json!(false)));
    let reason = results["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Not looked at completely: ") && reason.contains("HTTP status 500"),
        "{reason}"
    );
    assert_eq!(results["content"]["not_searched"].as_array().unwrap().len(), 1);
    let note = lines(&fixture.note());
    assert!(note[0].starts_with("Incomplete: 1 message for 6 recipients"), "{note:#?}");
    assert!(note[1].starts_with("Not looked at completely: "), "{note:#?}");

    let old = json!({"exo_internet_message_id": ID, "exo_start_date": "2020-01-01"});
    let results = fixture.run(TraceMessage, traced(&old, &["Exchange Online data table"])).await.unwrap();
    assert!(results["reason"].as_str().unwrap().contains("the index keeps 90 days"), "{results}");
}

#[tokio::test]
async fn rows_of_mailboxes_that_may_not_be_read_are_counted_only() {
    let (fixture, users) = fixture(&[]).await;
    let id =
        fixture.graph().users().into_iter().find(|user| user.user_principal_name == users[0]).unwrap().id;
    drop(fixture);
    let denied = format!("{id}, *@partner.example");
    let (fixture, users) = self::fixture(&[("mailboxes_denied_reading", denied.as_str())]).await;
    let inputs = traced(&json!({"exo_internet_message_id": ID}), &["Incident note"]);
    let results = fixture.run(TraceMessage, inputs).await.unwrap();
    let content = &results["content"];
    assert_eq!((&content["rows_not_shown"], &content["complete"]), (&json!(2), &json!(false)));
    let text = format!("{results} {}", fixture.note());
    assert!(!text.contains(&users[0]) && !text.contains("out@partner.example"), "{text}");
    assert!(text.contains(&users[1]) && text.contains("mailboxes_denied_reading"), "{text}");
    let refused = fixture.trail().into_iter().filter(|line| line["outcome"] == "refused").count();
    assert_eq!(refused, 2);
}

#[tokio::test]
async fn failure_names_what_the_trace_lacks() {
    let (fixture, _) = fixture(&[]).await;
    let faults = fixture.graph().faults();
    faults.quote_requests();
    let inputs = traced(&json!({"exo_message_subject": "SUBJECTTEXT"}), &["Incident note"]);
    faults.miss_trace_service(true);
    let error = fixture.failed(TraceMessage, inputs.clone()).await;
    assert!(error.contains("New-MgServicePrincipal -AppId 8bd644d1"), "{error}");
    assert!(!error.contains("SUBJECTTEXT"), "{error}");
    faults.miss_trace_service(false);
    faults.be_national();
    let error = fixture.failed(TraceMessage, inputs.clone()).await;
    assert!(error.contains("only the global cloud has it"), "{error}");
    faults.take_role("ExchangeMessageTrace.Read.All");
    let error = fixture.failed(TraceMessage, inputs).await;
    assert!(error.contains("ExchangeMessageTrace.Read.All"), "{error}");
    assert!(fixture.trail().iter().all(|line| line["outcome"] == "not traced"));
}

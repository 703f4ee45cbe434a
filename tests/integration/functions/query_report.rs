//! `exchange_online_query_emails`: the note and the file it writes, and its progress.

use std::time::Duration;

use sandbox::soar::rest::Failure;
use serde_json::{Value, json};

use crate::functions::common::{
    Fault, Fixture, INCIDENT, Owner, QueryEmails, RetryAfter, Target, empty, encoded, mail, ms, query,
};

fn written(who: &str, formats: &[&str], criteria: Value) -> Value {
    let mut inputs = query(who, criteria);
    inputs["exo_query_output_format"] = json!(formats);
    inputs
}

async fn two_mailboxes() -> (Fixture, Vec<String>) {
    let fixture = Fixture::configured(empty(3), &[("max_retries_total", "0")]).await;
    let names = fixture.graph().mailboxes();
    fixture.put(&names[0], mail("<b>Tom & \"Jerry\"</b>"));
    fixture.put(&names[1], mail("<b>Tom & \"Jerry\"</b> 2"));
    fixture.put(&names[1], mail("<b>Tom & \"Jerry\"</b> 3"));
    (fixture, names)
}

#[tokio::test]
async fn note_lists_criteria_counts_and_failures_escaped() {
    let (fixture, names) = two_mailboxes().await;
    let path = format!("/users/{}/messages", encoded(&names[2]));
    fixture.graph().faults().next(1, Target::containing(path), Fault::Status(403, RetryAfter::Absent));
    let criteria = json!({
        "exo_email_address_sender": "eve@elsewhere.example", "exo_start_date": ms("2026-01-01T00:00:00Z"),
        "exo_end_date": ms("2026-02-01T00:00:00Z"), "exo_has_attachments": false, "exo_mail_folders": null,
        "exo_message_subject": "<b>Tom & \"Jerry\"</b>",
    });
    let who = names.join(", ");
    fixture.done(QueryEmails, written(&who, &["Incident note"], criteria)).await;
    let note = fixture.note();
    for line in [
        "3 messages found in 2 mailboxes.".to_owned(),
        format!("Email address: {who}"),
        "Sender: eve@elsewhere.example".to_owned(),
        "Received from: 2026-01-01T00:00:00Z".to_owned(),
        "Received to: 2026-02-01T00:00:00Z".to_owned(),
        "Has attachments: false".to_owned(),
        "Message subject: &lt;b&gt;Tom &amp; &quot;Jerry&quot;&lt;/b&gt;".to_owned(),
        format!("{}: 1 found", names[0]),
        format!("{}: 2 found", names[1]),
        format!("{} could not be searched: ", names[2]),
        "Time: ".to_owned(),
    ] {
        assert!(note.contains(&line), "{line}\n{note}");
    }
    assert!(!note.contains("Mail folder") && !note.contains("Message body"), "only what was given: {note}");
    assert!(!note.contains("Tom & "), "{note}");
    assert!(fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).is_empty());
}

#[tokio::test]
async fn report_file_is_plain_text_named_by_time() {
    let (fixture, names) = two_mailboxes().await;
    let criteria = json!({"exo_message_subject": "Tom & \"Jerry\"", "exo_mail_folders": "inbox", "exo_message_body": "hello"});
    let before = chrono::Local::now().naive_local() - chrono::TimeDelta::seconds(1);
    fixture.done(QueryEmails, written("all", &["Incident attachment"], criteria)).await;
    let (name, media_type, bytes) = fixture.attachment().await;
    let time = name.strip_prefix("exo-query-results-").unwrap().strip_suffix(".txt").unwrap();
    let time = chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S").unwrap();
    assert!(time >= before && time <= chrono::Local::now().naive_local(), "{name}");
    assert_eq!((time.to_string().len(), media_type.as_str()), (19, "text/plain"));
    let text = String::from_utf8(bytes).unwrap();
    for line in [
        "3 messages found in 3 mailboxes.".to_owned(),
        "  Email address: all".to_owned(),
        "  Mail folder: inbox".to_owned(),
        "  Message subject: Tom & \"Jerry\"".to_owned(),
        "  Message body: hello".to_owned(),
        format!("  {}: 1 found", names[0]),
        format!("  {}: 2 found", names[1]),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.lines().last().unwrap().starts_with("Time: "), "{text}");
    assert!(fixture.sandbox.soar.rest.notes(INCIDENT).is_empty());
}

#[tokio::test]
async fn note_and_file_are_written_only_if_requested() {
    let (fixture, _) = two_mailboxes().await;
    fixture
        .done(QueryEmails, written("all", &["Exchange Online data table"], json!({"exo_start_date": 0})))
        .await;
    fixture.assert_incident_untouched();
    fixture
        .done(
            QueryEmails,
            written("all", &["Incident note", "Incident attachment"], json!({"exo_start_date": 0})),
        )
        .await;
    fixture.note();
    fixture.attachment().await;
}

#[tokio::test]
async fn note_names_the_reached_limit() {
    let fixture = Fixture::configured(empty(3), &[("max_messages", "2"), ("max_users", "2")]).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("x"));
    }
    fixture
        .done(QueryEmails, written(&names[..1].join(","), &["Incident note"], json!({"exo_start_date": 0})))
        .await;
    assert!(!fixture.note().contains("limit"), "{}", fixture.note());
    let fixture = Fixture::configured(empty(3), &[("max_messages", "1")]).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("x"));
    }
    fixture.done(QueryEmails, written("all", &["Incident note"], json!({"exo_start_date": 0}))).await;
    assert!(fixture.note().contains("limit of messages (max_messages)"), "{}", fixture.note());
}

#[tokio::test]
async fn failed_note_does_not_fail_the_query() {
    let (fixture, _) = two_mailboxes().await;
    fixture.sandbox.soar.rest.fail_next("comments", usize::MAX, Failure::Status(403));
    let results =
        fixture.done(QueryEmails, written("all", &["Incident note"], json!({"exo_start_date": 0}))).await;
    assert_eq!(results["content"]["messages_found"], 3);
    let reason = results["reason"].as_str().unwrap();
    assert!(reason.starts_with("The note was not written: ") && reason.contains("403"), "{reason}");
}

#[tokio::test]
async fn progress_is_reported_every_few_seconds() {
    let mut fixture = Fixture::configured(empty(30), &[("max_batched_requests", "1")]).await;
    fixture.graph().faults().set_latency(Duration::from_millis(1200), Duration::ZERO);
    fixture.done(QueryEmails, query("all", json!({"exo_start_date": 0}))).await;
    let status_messages = fixture.status_messages();
    assert_eq!(status_messages[0], "Searching the messages of all");
    let progress = &status_messages[1..];
    assert!((1..=2).contains(&progress.len()), "{status_messages:?}");
    let numbers =
        progress[0].strip_prefix("Searched ").unwrap().strip_suffix(" of 30 mailboxes, 0 messages found");
    assert!(numbers.unwrap().parse::<usize>().unwrap() > 0, "{status_messages:?}");
}

//! `exchange_online_write_message_as_attachment`

use sandbox::graph::TenantOptions;
use sandbox::soar::rest::Failure;
use serde_json::json;

use crate::functions::common::{
    Fault, Fixture, INCIDENT, Owner, RetryAfter, TASK, Target, WriteMessageAsAttachment, encoded,
};
use crate::functions::front::Front;

fn inputs(fixture: &Fixture) -> (String, String, serde_json::Value) {
    let phish = fixture.graph().planted().remove(0);
    let inputs =
        json!({"incident_id": INCIDENT, "exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    (phish.mailbox, phish.id, inputs)
}

#[tokio::test]
async fn mime_form_becomes_a_file_of_the_incident() {
    let fixture = Fixture::new().await;
    let (mailbox, id, inputs) = inputs(&fixture);
    let name = format!("message-{mailbox}-{id}.eml").replace('/', "_");
    let results = fixture.done(WriteMessageAsAttachment, inputs).await;
    assert_eq!(results["content"], json!({"attachment_name": name}));
    let (written_name, _, bytes) = fixture.attachment().await;
    assert_eq!(written_name, name);
    assert!(bytes == fixture.graph().mime(&mailbox, &id).unwrap());
    assert_eq!(
        fixture.asked(),
        [format!("GET /users/{}/messages/{}/$value", encoded(&mailbox), encoded(&id))]
    );
}

#[tokio::test]
async fn large_message_arrives_unchanged() {
    let fixture = Fixture::new().await;
    let (mailbox, id, inputs) = inputs(&fixture);
    assert!(fixture.graph().set_mime_bytes(&mailbox, &id, 7_654_321));
    fixture.done(WriteMessageAsAttachment, inputs).await;
    let (_, _, bytes) = fixture.attachment().await;
    assert_eq!(bytes.len(), 7_654_321);
    assert!(bytes == fixture.graph().mime(&mailbox, &id).unwrap());
}

#[tokio::test]
async fn blank_name_becomes_the_default() {
    let fixture = Fixture::new().await;
    let (mailbox, id, mut inputs) = inputs(&fixture);
    let default = format!("message-{mailbox}-{id}.eml").replace('/', "_");
    let names = [
        (json!("Beweis \"1\" & é.eml"), "Beweis \"1\" & é.eml"),
        (json!("  "), &*default),
        (json!(null), &*default),
    ];
    for (given, expected) in &names {
        inputs["exo_attachment_name"] = given.clone();
        let results = fixture.done(WriteMessageAsAttachment, inputs.clone()).await;
        assert_eq!(results["content"]["attachment_name"], *expected);
    }
    let attached = fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
    let attached: Vec<_> = attached.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(attached, names.iter().map(|(_, name)| *name).collect::<Vec<_>>());
}

#[tokio::test]
async fn file_goes_to_the_task() {
    let fixture = Fixture::new().await;
    let (mailbox, id, mut inputs) = inputs(&fixture);
    inputs["task_id"] = json!(TASK);
    inputs["exo_attachment_name"] = json!("a.eml");
    fixture.done(WriteMessageAsAttachment, inputs).await;
    let (name, _, bytes) = fixture.attachment_of(Owner::Task(TASK)).await;
    assert_eq!(name, "a.eml");
    assert!(bytes == fixture.graph().mime(&mailbox, &id).unwrap());
    assert!(fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).is_empty());
}

#[tokio::test]
async fn missing_message_writes_nothing() {
    let fixture = Fixture::new().await;
    let (_, _, mut inputs) = inputs(&fixture);
    inputs["exo_messages_id"] = json!(fixture.graph().planted().remove(1).id);
    let results = fixture.run(WriteMessageAsAttachment, inputs).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "ErrorItemNotFound");
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn proxys_page_is_not_written() {
    let fixture = Fixture::new().await;
    let (mailbox, id, inputs) = inputs(&fixture);
    fixture.graph().faults().next(1, Target::containing("$value"), Fault::Html);
    fixture.done(WriteMessageAsAttachment, inputs.clone()).await;
    let (_, _, bytes) = fixture.attachment().await;
    assert!(bytes == fixture.graph().mime(&mailbox, &id).unwrap(), "the page was asked past");
}

#[tokio::test]
async fn persistent_page_fails_the_call() {
    let mut fixture = Fixture::configured(TenantOptions::default(), &[("max_retries_total", "1")]).await;
    let front = Front::before(&mut fixture).await;
    let (_, _, inputs) = inputs(&fixture);
    front.answer_as("text/html; charset=utf-8", 9, "$value", 200, "<html>Sign in</html>");
    let error = fixture.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("not an answer of Microsoft Graph"), "{error}");
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn incomplete_download_is_repeated() {
    let fixture = Fixture::new().await;
    let (mailbox, id, inputs) = inputs(&fixture);
    assert!(fixture.graph().set_mime_bytes(&mailbox, &id, 1_000_000));
    fixture.graph().faults().next(1, Target::containing("$value"), Fault::CutBody);
    fixture.done(WriteMessageAsAttachment, inputs.clone()).await;
    let (_, _, bytes) = fixture.attachment().await;
    assert!(bytes == fixture.graph().mime(&mailbox, &id).unwrap());
}

#[tokio::test]
async fn persistently_incomplete_download_fails_the_call() {
    let fixture = Fixture::configured(TenantOptions::default(), &[("max_retries_total", "2")]).await;
    let (mailbox, id, inputs) = inputs(&fixture);
    assert!(fixture.graph().set_mime_bytes(&mailbox, &id, 1_000_000));
    fixture.graph().faults().next(usize::MAX, Target::containing("$value"), Fault::CutBody);
    let error = fixture.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("could not be read"), "{error}");
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn throttled_download_is_repeated() {
    let fixture = Fixture::new().await;
    let (_, _, inputs) = inputs(&fixture);
    let fault = Fault::Status(503, RetryAfter::Absent);
    fixture.graph().faults().next(2, Target::containing("$value"), fault);
    fixture.done(WriteMessageAsAttachment, inputs).await;
}

#[tokio::test]
async fn missing_incident_fails_with_soars_error() {
    let fixture = Fixture::new().await;
    let (_, _, mut inputs) = inputs(&fixture);
    inputs["incident_id"] = json!(1);
    let error = fixture.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("Unable to find incident 1") && error.contains("404"), "{error}");
}

#[tokio::test]
async fn file_that_soar_delays_is_written_later() {
    let fixture = Fixture::new().await;
    let (mailbox, id, inputs) = inputs(&fixture);
    assert!(fixture.graph().set_mime_bytes(&mailbox, &id, 1_000_000));
    fixture.sandbox.soar.rest.fail_next(
        "POST /rest/orgs/201/incidents/2095/attachments",
        2,
        Failure::Status(429),
    );
    fixture.done(WriteMessageAsAttachment, inputs.clone()).await;
    let (_, _, bytes) = fixture.attachment().await;
    assert!(bytes == fixture.graph().mime(&mailbox, &id).unwrap());
    assert_eq!(fixture.asked().len(), 3, "the message is read from its start each time");

    // A file that is always refused fails the call, and nothing is attached.
    fixture.sandbox.soar.rest.fail_next(
        "POST /rest/orgs/201/incidents/2095/attachments",
        100,
        Failure::Status(429),
    );
    let error = fixture.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("429"), "{error}");
    assert_eq!(fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).len(), 1);
}

#[tokio::test]
async fn empty_message_is_not_written() {
    let mut fixture = Fixture::new().await;
    let (_, _, inputs) = inputs(&fixture);
    let front = Front::before(&mut fixture).await;
    front.answer_as("text/plain", 99, "/$value", 200, "");
    let error = fixture.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("it is empty"), "{error}");
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn message_that_comes_empty_once_is_read_again() {
    let mut fixture = Fixture::new().await;
    let (mailbox, id, inputs) = inputs(&fixture);
    let front = Front::before(&mut fixture).await;
    front.answer_as("text/plain", 1, "/$value", 200, "");
    fixture.done(WriteMessageAsAttachment, inputs).await;
    assert!(fixture.attachment().await.2 == fixture.graph().mime(&mailbox, &id).unwrap());
}

//! `exchange_online_write_message_as_attachment`

use sandbox::graph::TenantOptions;
use sandbox::soar::rest::Failure;
use serde_json::json;

use crate::functions::common::{
    Fault, House, INCIDENT, Owner, RetryAfter, TASK, Target, WriteMessageAsAttachment, encoded,
};
use crate::functions::front::Front;

fn inputs(house: &House) -> (String, String, serde_json::Value) {
    let phish = house.graph().planted().remove(0);
    let inputs =
        json!({"incident_id": INCIDENT, "exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    (phish.mailbox, phish.id, inputs)
}

#[tokio::test]
async fn the_mime_text_becomes_a_file_of_the_incident_byte_for_byte() {
    let house = House::new().await;
    let (mailbox, id, inputs) = inputs(&house);
    let name = format!("message-{mailbox}-{id}.eml");
    let results = house.done(WriteMessageAsAttachment, inputs).await;
    assert_eq!(results["content"], json!({"attachment_name": name}));
    let (written_name, _, bytes) = house.attachment().await;
    assert_eq!(written_name, name);
    assert!(bytes == house.graph().mime(&mailbox, &id).unwrap());
    assert_eq!(house.asked(), [format!("GET /users/{}/messages/{}/$value", encoded(&mailbox), encoded(&id))]);
}

#[tokio::test]
async fn megabytes_arrive_unchanged() {
    let house = House::new().await;
    let (mailbox, id, inputs) = inputs(&house);
    assert!(house.graph().set_mime_bytes(&mailbox, &id, 7_654_321));
    house.done(WriteMessageAsAttachment, inputs).await;
    let (_, _, bytes) = house.attachment().await;
    assert_eq!(bytes.len(), 7_654_321);
    assert!(bytes == house.graph().mime(&mailbox, &id).unwrap());
}

#[tokio::test]
async fn a_name_is_used_as_given_and_a_blank_one_is_none() {
    let house = House::new().await;
    let (mailbox, id, mut inputs) = inputs(&house);
    let default = format!("message-{mailbox}-{id}.eml");
    let names = [
        (json!("Beweis \"1\" & é.eml"), "Beweis \"1\" & é.eml"),
        (json!("  "), &*default),
        (json!(null), &*default),
    ];
    for (given, expected) in &names {
        inputs["exo_attachment_name"] = given.clone();
        let results = house.done(WriteMessageAsAttachment, inputs.clone()).await;
        assert_eq!(results["content"]["attachment_name"], *expected);
    }
    let attached = house.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
    let attached: Vec<_> = attached.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(attached, names.iter().map(|(_, name)| *name).collect::<Vec<_>>());
}

#[tokio::test]
async fn with_a_task_the_file_goes_to_the_task() {
    let house = House::new().await;
    let (mailbox, id, mut inputs) = inputs(&house);
    inputs["task_id"] = json!(TASK);
    inputs["exo_attachment_name"] = json!("a.eml");
    house.done(WriteMessageAsAttachment, inputs).await;
    let (name, _, bytes) = house.attachment_of(Owner::Task(TASK)).await;
    assert_eq!(name, "a.eml");
    assert!(bytes == house.graph().mime(&mailbox, &id).unwrap());
    assert!(house.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).is_empty());
}

#[tokio::test]
async fn a_message_that_is_not_there_is_an_answer_and_writes_nothing() {
    let house = House::new().await;
    let (_, _, mut inputs) = inputs(&house);
    inputs["exo_messages_id"] = json!(house.graph().planted().remove(1).id);
    let results = house.run(WriteMessageAsAttachment, inputs).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "ErrorItemNotFound");
    house.assert_incident_untouched();
}

#[tokio::test]
async fn a_proxys_page_is_not_kept_as_evidence() {
    let house = House::new().await;
    let (mailbox, id, inputs) = inputs(&house);
    house.graph().faults().next(1, Target::containing("$value"), Fault::Html);
    house.done(WriteMessageAsAttachment, inputs.clone()).await;
    let (_, _, bytes) = house.attachment().await;
    assert!(bytes == house.graph().mime(&mailbox, &id).unwrap(), "the page was asked past");
}

#[tokio::test]
async fn a_page_that_stays_is_reported_and_writes_nothing() {
    let mut house = House::configured(TenantOptions::default(), &[("max_retries_total", "1")]).await;
    let front = Front::before(&mut house).await;
    let (_, _, inputs) = inputs(&house);
    front.answer_as("text/html; charset=utf-8", 9, "$value", 200, "<html>Sign in</html>");
    let error = house.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("not an answer of Microsoft Graph"), "{error}");
    house.assert_incident_untouched();
}

#[tokio::test]
async fn a_message_that_breaks_off_is_read_again_and_never_kept_in_half() {
    let house = House::new().await;
    let (mailbox, id, inputs) = inputs(&house);
    assert!(house.graph().set_mime_bytes(&mailbox, &id, 1_000_000));
    house.graph().faults().next(1, Target::containing("$value"), Fault::CutBody);
    house.done(WriteMessageAsAttachment, inputs.clone()).await;
    let (_, _, bytes) = house.attachment().await;
    assert!(bytes == house.graph().mime(&mailbox, &id).unwrap());
}

#[tokio::test]
async fn a_message_that_never_comes_whole_fails_the_call_and_leaves_nothing() {
    let house = House::configured(TenantOptions::default(), &[("max_retries_total", "2")]).await;
    let (mailbox, id, inputs) = inputs(&house);
    assert!(house.graph().set_mime_bytes(&mailbox, &id, 1_000_000));
    house.graph().faults().next(usize::MAX, Target::containing("$value"), Fault::CutBody);
    let error = house.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("could not be read"), "{error}");
    house.assert_incident_untouched();
}

#[tokio::test]
async fn a_throttled_message_is_read_later() {
    let house = House::new().await;
    let (_, _, inputs) = inputs(&house);
    let fault = Fault::Status(503, RetryAfter::Absent);
    house.graph().faults().next(2, Target::containing("$value"), fault);
    house.done(WriteMessageAsAttachment, inputs).await;
}

#[tokio::test]
async fn an_incident_that_is_not_there_fails_the_call_in_soars_words() {
    let house = House::new().await;
    let (_, _, mut inputs) = inputs(&house);
    inputs["incident_id"] = json!(1);
    let error = house.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("Unable to find incident 1") && error.contains("404"), "{error}");
}

#[tokio::test]
async fn a_file_that_soar_puts_off_is_written_when_it_takes_it() {
    let house = House::new().await;
    let (mailbox, id, inputs) = inputs(&house);
    assert!(house.graph().set_mime_bytes(&mailbox, &id, 1_000_000));
    house.sandbox.soar.rest.fail_next(
        "POST /rest/orgs/201/incidents/2095/attachments",
        2,
        Failure::Status(429),
    );
    house.done(WriteMessageAsAttachment, inputs.clone()).await;
    let (_, _, bytes) = house.attachment().await;
    assert!(bytes == house.graph().mime(&mailbox, &id).unwrap());
    assert_eq!(house.asked().len(), 3, "the message is read from its start each time");

    // What is put off again and again ends the call, and nothing is attached.
    house.sandbox.soar.rest.fail_next(
        "POST /rest/orgs/201/incidents/2095/attachments",
        100,
        Failure::Status(429),
    );
    let error = house.failed(WriteMessageAsAttachment, inputs).await;
    assert!(error.contains("429"), "{error}");
    assert_eq!(house.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).len(), 1);
}

//! A note or file is written to SOAR once: when the call ran before, and when the outcome of an attempt is unknown.

use chrono::TimeDelta;
use fn_exchange_online::functions::PriorRun;
use futures_util::future::join_all;
use sandbox::soar::rest::Failure;
use serde_json::{Value, json};

use crate::functions::common::{
    DeleteMessagesFromQueryResults, House, INCIDENT, Owner, QueryEmails, TASK, WriteMessageAsAttachment,
    empty, mail, query,
};

const BEFORE: [PriorRun; 3] = [PriorRun::None, PriorRun::Possible, PriorRun::Likely];
const OPEN: [Failure; 4] =
    [Failure::CutAfter, Failure::DoneButStatus(500), Failure::DoneButStatus(504), Failure::CutBefore];

async fn house() -> (House, Value) {
    let house = House::with(empty(2)).await;
    house.put(&house.mailbox(0), mail("x"));
    let mut inputs = query(&house.mailbox(0), json!({"exo_start_date": 0}));
    inputs["exo_query_output_format"] = json!(["Incident note", "Incident attachment"]);
    (house, inputs)
}

fn written(house: &House) -> (usize, usize) {
    let rest = &house.sandbox.soar.rest;
    (rest.notes(INCIDENT).len(), rest.attachments(Owner::Incident(INCIDENT)).len())
}

fn message(house: &House) -> Value {
    let id = house.put(&house.mailbox(0), mail("Evidence"));
    json!({
        "incident_id": INCIDENT, "exo_email_address": house.mailbox(0), "exo_messages_id": id,
        "exo_attachment_name": "evidence.eml",
    })
}

#[tokio::test]
async fn note_and_file_of_an_earlier_run_are_not_written_again() {
    for before in [PriorRun::Possible, PriorRun::Likely] {
        let (mut house, inputs) = house().await;
        house.done(QueryEmails, inputs.clone()).await;
        assert_eq!(written(&house), (1, 1));
        house.context.call.before = before;
        // The query may find more the second time.
        house.put(&house.mailbox(0), mail("y"));
        let results = house.done(QueryEmails, inputs.clone()).await;
        assert_eq!((written(&house), &results["reason"]), ((1, 1), &Value::Null), "{before:?}");
        // A note of another call does not count, not even in the same second.
        house.context.call.id = "ID:soar-1234-2".to_owned();
        house.done(QueryEmails, inputs).await;
        assert_eq!(written(&house), (2, 2), "{before:?}");
    }
}

#[tokio::test]
async fn file_is_found_without_the_time_of_the_call() {
    let (mut house, inputs) = house().await;
    house.context.call.asked_at = None;
    house.done(QueryEmails, inputs.clone()).await;
    house.context.call.before = PriorRun::Possible;
    house.done(QueryEmails, inputs.clone()).await;
    assert_eq!(written(&house), (1, 1));
}

#[tokio::test]
async fn note_and_file_with_unknown_outcome_are_written_once() {
    let each = OPEN.into_iter().flat_map(|failure| BEFORE.map(|before| (failure, before)));
    join_all(each.map(|(failure, before)| async move {
        let (mut house, inputs) = house().await;
        house.context.call.before = before;
        for what in ["comments", "attachments"] {
            let on = format!("POST /rest/orgs/201/incidents/{INCIDENT}/{what}");
            house.sandbox.soar.rest.fail_next(&on, 1, failure);
        }
        let results = house.done(QueryEmails, inputs).await;
        assert_eq!((written(&house), &results["reason"]), ((1, 1), &Value::Null), "{failure:?} {before:?}");
    }))
    .await;
}

#[tokio::test]
async fn unanswered_note_is_reported_in_the_result() {
    let (house, inputs) = house().await;
    house.sandbox.soar.rest.fail_next(
        "POST /rest/orgs/201/incidents/2095/comments",
        99,
        Failure::Status(500),
    );
    let results = house.done(QueryEmails, inputs).await;
    let reason = results["reason"].as_str().unwrap();
    assert!(reason.starts_with("The note may not have been written: ") && reason.contains("500"), "{reason}");
    assert_eq!(written(&house), (0, 1));
}

#[tokio::test]
async fn deletion_report_is_written_once() {
    let (mut house, _) = house().await;
    let mailbox = house.mailbox(0);
    let id = house.put(&mailbox, mail("x"));
    let results = json!({
        "incident_id": INCIDENT, "exo_query_output_format": ["Incident note", "Incident attachment"],
        "email_results": [{"email_address": mailbox, "email_list": [{"id": id}]}],
    });
    let inputs = json!({"exo_query_messages_results": results.to_string()});
    let first = house.done(DeleteMessagesFromQueryResults, inputs.clone()).await;
    house.context.call.before = PriorRun::Likely;
    let second = house.done(DeleteMessagesFromQueryResults, inputs).await;
    assert_eq!(first["content"], second["content"]);
    assert_eq!(written(&house), (1, 1));
}

#[tokio::test]
async fn message_written_by_an_earlier_run_is_not_written_again() {
    for before in [PriorRun::Possible, PriorRun::Likely] {
        for task in [false, true] {
            let (mut house, _) = house().await;
            let mut inputs = message(&house);
            let owner = if task { Owner::Task(TASK) } else { Owner::Incident(INCIDENT) };
            if task {
                inputs["task_id"] = json!(TASK);
            }
            let first = house.done(WriteMessageAsAttachment, inputs.clone()).await;
            house.context.call.before = before;
            let second = house.done(WriteMessageAsAttachment, inputs.clone()).await;
            assert_eq!(first["content"], second["content"]);
            assert_eq!(house.sandbox.soar.rest.attachments(owner).len(), 1, "{before:?}");
            // A file of that name that is older than the call, or of another size, belongs to another call.
            house.context.call.asked_at = house.context.call.asked_at.map(|at| at + TimeDelta::minutes(10));
            house.done(WriteMessageAsAttachment, inputs.clone()).await;
            assert_eq!(house.sandbox.soar.rest.attachments(owner).len(), 2, "{before:?}");
            house.context.call.asked_at = None;
            let mut longer = mail("Evidence, and more of it");
            longer.body = "More".repeat(100);
            inputs["exo_messages_id"] = json!(house.put(&house.mailbox(0), longer));
            house.done(WriteMessageAsAttachment, inputs).await;
            assert_eq!(house.sandbox.soar.rest.attachments(owner).len(), 3, "{before:?}");
        }
    }
}

#[tokio::test]
async fn message_with_unknown_outcome_is_written_once() {
    for failure in OPEN {
        let (house, _) = house().await;
        let inputs = message(&house);
        house.sandbox.soar.rest.fail_next("POST /rest/orgs/201/incidents/2095/attachments", 1, failure);
        house.done(WriteMessageAsAttachment, inputs).await;
        assert_eq!(written(&house), (0, 1), "{failure:?}");
    }
}

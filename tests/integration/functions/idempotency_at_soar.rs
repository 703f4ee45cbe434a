//! A note or file is written to SOAR once: when the call ran before, and when the outcome of an attempt is unknown.

use chrono::TimeDelta;
use fn_exchange_online::functions::PriorRun;
use futures_util::future::join_all;
use sandbox::soar::rest::Failure;
use serde_json::{Value, json};

use crate::functions::common::{
    DeleteMessagesFromQueryResults, Fault, Fixture, INCIDENT, Owner, QueryEmails, TASK, Target,
    WriteMessageAsAttachment, empty, mail, query,
};

const BEFORE: [PriorRun; 3] = [PriorRun::None, PriorRun::Possible, PriorRun::Likely];
const OPEN: [Failure; 5] = [
    Failure::CutBody,
    Failure::CutAfter,
    Failure::DoneButStatus(500),
    Failure::DoneButStatus(504),
    Failure::CutBefore,
];

async fn fixture() -> (Fixture, Value) {
    let fixture = Fixture::with(empty(2)).await;
    fixture.put(&fixture.mailbox(0), mail("x"));
    let mut inputs = query(&fixture.mailbox(0), json!({"exo_start_date": 0}));
    inputs["exo_query_output_format"] = json!(["Incident note", "Incident attachment"]);
    (fixture, inputs)
}

fn written(fixture: &Fixture) -> (usize, usize) {
    let rest = &fixture.sandbox.soar.rest;
    (rest.notes(INCIDENT).len(), rest.attachments(Owner::Incident(INCIDENT)).len())
}

fn message(fixture: &Fixture) -> Value {
    let id = fixture.put(&fixture.mailbox(0), mail("Evidence"));
    json!({
        "incident_id": INCIDENT, "exo_email_address": fixture.mailbox(0), "exo_messages_id": id,
        "exo_attachment_name": "evidence.eml",
    })
}

#[tokio::test]
async fn note_and_file_of_an_earlier_run_are_not_written_again() {
    for before in [PriorRun::Possible, PriorRun::Likely] {
        let (mut fixture, inputs) = fixture().await;
        fixture.done(QueryEmails, inputs.clone()).await;
        assert_eq!(written(&fixture), (1, 2));
        fixture.context.call.prior_run = before;
        // The query may find more the second time.
        fixture.put(&fixture.mailbox(0), mail("y"));
        let results = fixture.done(QueryEmails, inputs.clone()).await;
        assert_eq!((written(&fixture), &results["reason"]), ((1, 2), &Value::Null), "{before:?}");
        // A note of another call does not count, not even in the same second.
        fixture.context.call.id = "ID:soar-1234-2".to_owned();
        fixture.done(QueryEmails, inputs).await;
        assert_eq!(written(&fixture), (2, 4), "{before:?}");
    }
}

#[tokio::test]
async fn file_of_an_earlier_run_is_found_though_soar_breaks_off() {
    let (mut fixture, inputs) = fixture().await;
    fixture.done(QueryEmails, inputs.clone()).await;
    fixture.context.call.prior_run = PriorRun::Likely;
    fixture.sandbox.soar.rest.fail_next("/contents", 2, Failure::CutBody);
    let results = fixture.done(QueryEmails, inputs).await;
    assert_eq!((written(&fixture), &results["reason"]), ((1, 2), &Value::Null));
}

#[tokio::test]
async fn file_is_found_without_the_time_of_the_call() {
    let (mut fixture, inputs) = fixture().await;
    fixture.context.call.asked_at = None;
    fixture.done(QueryEmails, inputs.clone()).await;
    fixture.context.call.prior_run = PriorRun::Possible;
    fixture.done(QueryEmails, inputs.clone()).await;
    assert_eq!(written(&fixture), (1, 2));
}

#[tokio::test]
async fn note_and_file_with_unknown_outcome_are_written_once() {
    let each = OPEN.into_iter().flat_map(|failure| BEFORE.map(|before| (failure, before)));
    join_all(each.map(|(failure, before)| async move {
        let (mut fixture, inputs) = fixture().await;
        fixture.context.call.prior_run = before;
        for what in ["comments", "attachments"] {
            let on = format!("POST /rest/orgs/201/incidents/{INCIDENT}/{what}");
            fixture.sandbox.soar.rest.fail_next(&on, 1, failure);
        }
        let results = fixture.done(QueryEmails, inputs).await;
        assert_eq!((written(&fixture), &results["reason"]), ((1, 2), &Value::Null), "{failure:?} {before:?}");
    }))
    .await;
}

#[tokio::test]
async fn unanswered_note_is_reported_in_the_result() {
    let (fixture, inputs) = fixture().await;
    fixture.sandbox.soar.rest.fail_next(
        "POST /rest/orgs/201/incidents/2095/comments",
        99,
        Failure::Status(500),
    );
    let results = fixture.done(QueryEmails, inputs).await;
    let reason = results["reason"].as_str().unwrap();
    assert!(reason.starts_with("The note may not have been written: ") && reason.contains("500"), "{reason}");
    assert_eq!(written(&fixture), (0, 2));
}

#[tokio::test]
async fn deletion_report_is_written_once() {
    let (mut fixture, _) = fixture().await;
    let mailbox = fixture.mailbox(0);
    let id = fixture.put(&mailbox, mail("x"));
    let results = json!({
        "incident_id": INCIDENT, "exo_query_output_format": ["Incident note", "Incident attachment"],
        "email_results": [{"email_address": mailbox, "email_list": [{"id": id}]}],
    });
    let inputs = json!({"exo_query_messages_results": results.to_string()});
    let first = fixture.done(DeleteMessagesFromQueryResults, inputs.clone()).await;
    fixture.context.call.prior_run = PriorRun::Likely;
    let second = fixture.done(DeleteMessagesFromQueryResults, inputs).await;
    assert_eq!(first["content"], second["content"]);
    assert_eq!(written(&fixture), (1, 2));
}

#[tokio::test]
async fn message_written_by_an_earlier_run_is_not_written_again() {
    for before in [PriorRun::Possible, PriorRun::Likely] {
        for task in [false, true] {
            let (mut fixture, _) = fixture().await;
            let mut inputs = message(&fixture);
            let owner = if task { Owner::Task(TASK) } else { Owner::Incident(INCIDENT) };
            if task {
                inputs["task_id"] = json!(TASK);
            }
            let first = fixture.done(WriteMessageAsAttachment, inputs.clone()).await;
            fixture.context.call.prior_run = before;
            let second = fixture.done(WriteMessageAsAttachment, inputs.clone()).await;
            assert_eq!(first["content"], second["content"]);
            assert_eq!(fixture.sandbox.soar.rest.attachments(owner).len(), 1, "{before:?}");
            // A file of that name that is older than the call, or of another size, belongs to another call.
            fixture.context.call.asked_at =
                fixture.context.call.asked_at.map(|at| at + TimeDelta::minutes(10));
            fixture.done(WriteMessageAsAttachment, inputs.clone()).await;
            assert_eq!(fixture.sandbox.soar.rest.attachments(owner).len(), 2, "{before:?}");
            fixture.context.call.asked_at = None;
            let mut longer = mail("Evidence, and more of it");
            longer.body = "More".repeat(100);
            inputs["exo_messages_id"] = json!(fixture.put(&fixture.mailbox(0), longer));
            fixture.done(WriteMessageAsAttachment, inputs).await;
            assert_eq!(fixture.sandbox.soar.rest.attachments(owner).len(), 3, "{before:?}");
        }
    }
}

#[tokio::test]
async fn message_with_unknown_outcome_is_written_once() {
    for failure in OPEN {
        let (fixture, _) = fixture().await;
        let inputs = message(&fixture);
        fixture.sandbox.soar.rest.fail_next("POST /rest/orgs/201/incidents/2095/attachments", 1, failure);
        fixture.done(WriteMessageAsAttachment, inputs).await;
        assert_eq!(written(&fixture), (0, 1), "{failure:?}");
    }
}

#[tokio::test]
async fn message_of_an_earlier_run_is_compared_though_downloads_break_off() {
    for (breaks, compared) in [(3, true), (4, false)] {
        let (mut fixture, _) = fixture().await;
        let inputs = message(&fixture);
        fixture.done(WriteMessageAsAttachment, inputs.clone()).await;
        fixture.context.call.prior_run = PriorRun::Likely;
        fixture.graph().faults().next(breaks, Target::containing("$value"), Fault::CutBody);
        let again = fixture.run(WriteMessageAsAttachment, inputs).await;
        assert_eq!((again.is_ok(), written(&fixture)), (compared, (0, 1)), "{breaks} downloads break off");
    }
}

//! A change at Graph is made once: when the call ran before and its reply was lost, and when the outcome of an
//! attempt is unknown.

use std::time::{Duration, Instant};

use chrono::{SecondsFormat, TimeDelta, Utc};
use fn_exchange_online::functions::{Function, PriorRun};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::functions::common::{
    CreateMeeting, DeleteEmail, DeleteMessagesFromQueryResults, Fault, Fixture, INCIDENT,
    MoveMessageToFolder, Owner, RetryAfter, SOON, SendMessage, Target, decoded, empty, mail,
};

/// The call may have run before.
const MAY_HAVE_BEEN_RUN: [PriorRun; 2] = [PriorRun::Possible, PriorRun::Likely];

/// Failures that do not show whether the request was carried out. With `DONE` it was, with `NOT_DONE` it was not.
const DONE: [Fault; 6] = [
    Fault::DoneButStatus(504, RetryAfter::Absent),
    Fault::DoneButStatus(500, RetryAfter::Absent),
    Fault::CutBody,
    Fault::DoneButStatus(504, SOON),
    Fault::DoneButStatus(503, SOON),
    Fault::DoneButStatus(429, SOON),
];
const NOT_DONE: [Fault; 5] = [
    Fault::Status(504, RetryAfter::Absent),
    Fault::Status(502, RetryAfter::Absent),
    Fault::Close,
    Fault::Status(503, SOON),
    Fault::Status(429, SOON),
];

fn mail_to(fixture: &Fixture) -> Value {
    json!({
        "exo_email_address": fixture.mailbox(0), "exo_recipients": "a@b.example",
        "exo_message_subject": "Warning", "exo_message_body": "<b>Look out</b>",
    })
}

/// Inputs for a mail that is too large for one request.
async fn large_mail_to(fixture: &Fixture) -> Value {
    let content = vec![7; 4 << 20];
    let owner = Owner::Incident(INCIDENT);
    fixture.sandbox.soar.rest.add_attachment(owner, "large.bin", "a/b", &content).await.unwrap();
    let mut inputs = mail_to(fixture);
    inputs["incident_id"] = json!(INCIDENT);
    inputs["exo_attachment_names"] = json!("large.bin");
    inputs
}

fn message_to_move(fixture: &Fixture) -> Value {
    let phish = fixture.graph().planted().remove(0);
    let id = fixture.graph().immutable_id(&phish.mailbox, &phish.id).unwrap();
    json!({
        "exo_email_address": phish.mailbox, "exo_messages_id": id,
        "exo_destination_mailfolder_id": "junkemail",
    })
}

fn message_to_delete(fixture: &Fixture) -> Value {
    let phish = fixture.graph().planted().remove(0);
    json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id})
}

/// Runs a call twice, the second time as one that ran before. Both runs must have the same result.
async fn run_again(fixture: &mut Fixture, before: PriorRun, function: Function, inputs: Value) {
    fixture.context.call.prior_run = PriorRun::None;
    let first = fixture.done(function, inputs.clone()).await;
    fixture.context.call.prior_run = before;
    let second = fixture.done(function, inputs).await;
    assert_eq!(first["content"], second["content"], "{before:?}");
    assert_eq!(first["reason"], second["reason"]);
}

fn drafts(fixture: &Fixture) -> usize {
    fixture.graph().messages(&fixture.mailbox(0)).iter().filter(|message| message.folder == "drafts").count()
}

fn sent(fixture: &Fixture) -> usize {
    fixture.graph().sent_mail().len()
}

#[tokio::test]
async fn mail_of_an_earlier_run_is_not_sent_again() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::new().await;
        let inputs = mail_to(&fixture);
        run_again(&mut fixture, before, SendMessage, inputs).await;
        assert_eq!(sent(&fixture), 1, "{before:?}");
        let mut fixture = Fixture::with(empty(2)).await;
        let inputs = large_mail_to(&fixture).await;
        run_again(&mut fixture, before, SendMessage, inputs).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{before:?}");
    }
}

#[tokio::test]
async fn mail_that_no_earlier_run_sent_is_sent() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::new().await;
        // A mail of another call does not count.
        fixture.done(SendMessage, mail_to(&fixture)).await;
        fixture.context.call.id = "ID:soar-1234-2".to_owned();
        fixture.context.call.prior_run = before;
        fixture.done(SendMessage, mail_to(&fixture)).await;
        assert_eq!(sent(&fixture), 2, "{before:?}");
    }
}

#[tokio::test]
async fn first_run_sends_without_lookup() {
    let fixture = Fixture::new().await;
    fixture.done(SendMessage, mail_to(&fixture)).await;
    assert_eq!(fixture.asked(), [format!("POST /users/{}/sendMail", fixture.mailbox(0))]);
}

#[tokio::test]
async fn late_copy_in_sent_items_is_found() {
    let mut fixture = Fixture::new().await;
    fixture.graph().set_sent_items_lag(Duration::from_millis(250));
    let inputs = mail_to(&fixture);
    run_again(&mut fixture, PriorRun::Likely, SendMessage, inputs).await;
    assert_eq!(sent(&fixture), 1);
    fixture.context.call.id = "ID:soar-1234-2".to_owned();
    fixture.context.call.prior_run = PriorRun::None;
    fixture.graph().faults().next(1, Target::containing("sendMail"), DONE[0]);
    fixture.done(SendMessage, mail_to(&fixture)).await;
    assert_eq!(sent(&fixture), 2);
}

#[tokio::test]
async fn mail_with_unknown_outcome_is_sent_once() {
    join_all(DONE.into_iter().chain(NOT_DONE).map(|fault| async move {
        let fixture = Fixture::new().await;
        fixture.graph().faults().next(1, Target::containing("sendMail"), fault);
        let results = fixture.done(SendMessage, mail_to(&fixture)).await;
        assert_eq!(results["content"], json!({"value": true, "failed_attachments": null}));
        assert_eq!(sent(&fixture), 1, "{fault:?}");
        let asked = fixture.asked();
        let posts = asked.iter().filter(|line| line.ends_with("sendMail") || line.ends_with("/send")).count();
        assert_eq!(posts, if NOT_DONE.contains(&fault) { 2 } else { 1 }, "{fault:?}");
        assert_eq!(drafts(&fixture), 0, "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn throttled_mail_is_sent_within_five_seconds() {
    let second = RetryAfter::Seconds(1);
    join_all([Fault::Status(429, second), Fault::DoneButStatus(429, second)].map(|fault| async move {
        let mut fixture = Fixture::with(empty(1)).await;
        fixture.settings.graph.retry_backoff = Duration::from_secs(5);
        fixture.context.graph = graph::Client::new(&fixture.settings.graph).unwrap();
        fixture.graph().set_sent_items_lag(Duration::from_millis(1500));
        fixture.graph().faults().next(1, Target::containing("sendMail"), fault);
        let started = Instant::now();
        fixture.done(SendMessage, mail_to(&fixture)).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{fault:?}: {:?}", started.elapsed());
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn throttled_draft_is_sent_once() {
    join_all(DONE.into_iter().chain(NOT_DONE).map(|fault| async move {
        let fixture = Fixture::new().await;
        fixture.graph().faults().next(1, Target::containing("sendMail"), Fault::Status(429, SOON));
        fixture.graph().faults().next(2, Target::containing("/send"), fault);
        fixture.done(SendMessage, mail_to(&fixture)).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{fault:?}");
    }))
    .await;
}

#[tokio::test]
async fn lookup_searches_outgoing_folders_since_the_call() {
    let mut fixture = Fixture::new().await;
    fixture.context.call.prior_run = PriorRun::Possible;
    fixture.done(SendMessage, mail_to(&fixture)).await;
    let asked = fixture.asked();
    let folders: Vec<_> = asked.iter().filter_map(|line| line.split("/mailFolders/").nth(1)).collect();
    let folders: Vec<_> = folders.iter().filter_map(|rest| rest.split("/messages?").next()).collect();
    assert_eq!(folders, ["drafts", "outbox", "sentitems"]);
    let since = fixture.context.call.asked_at.unwrap() - TimeDelta::minutes(10);
    let since = format!("receivedDateTime ge {}", since.to_rfc3339_opts(SecondsFormat::Secs, true));
    assert!(asked[..3].iter().all(|line| decoded(line).contains(&since)), "{asked:?}");
}

#[tokio::test]
async fn unanswered_mail_is_reported_as_in_doubt() {
    join_all([NOT_DONE[0], NOT_DONE[3]].map(|fault| async move {
        let fixture = Fixture::configured(empty(1), &[("max_retries_total", "2")]).await;
        fixture.graph().faults().next(99, Target::containing("sendMail"), fault);
        let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
        assert!(error.contains("HTTP status 50") && error.contains("may have been sent"), "{error}");
        let posts = fixture.asked().iter().filter(|line| line.ends_with("sendMail")).count();
        assert_eq!((sent(&fixture), posts), (0, 3));
        assert_eq!(fixture.trail().last().unwrap()["outcome"], "unknown", "{fault:?}");
    }))
    .await;
    let fixture = Fixture::new().await;
    fixture.graph().faults().next(1, Target::containing("sendMail"), Fault::Status(403, RetryAfter::Absent));
    let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
    assert!(!error.contains("may have been sent"), "{error}");
}

#[tokio::test]
async fn mail_refused_after_unknown_outcome_is_in_doubt() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().next(1, Target::containing("sendMail"), NOT_DONE[0]);
    fixture.graph().faults().next(1, Target::containing("sendMail"), Fault::Status(403, RetryAfter::Absent));
    let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
    assert!(error.contains("HTTP status 403") && error.contains("An earlier try may have"), "{error}");
    assert_eq!(fixture.trail().last().unwrap()["outcome"], "unknown");
}

#[tokio::test]
async fn throttled_mail_is_sent_without_permission_to_look() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().take_role("Mail.ReadWrite");
    fixture.graph().faults().next(3, Target::containing("sendMail"), Fault::Status(429, SOON));
    fixture.done(SendMessage, mail_to(&fixture)).await;
    assert_eq!(sent(&fixture), 1);
    fixture.graph().faults().next(
        99,
        Target::containing("sendMail"),
        Fault::Status(429, RetryAfter::Seconds(3_600)),
    );
    let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
    assert!(error.contains("could not be looked up") && error.contains("permission Mail.Read "), "{error}");
}

#[tokio::test]
async fn mail_is_not_repeated_without_permission_to_look() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::new().await;
        fixture.graph().faults().take_role("Mail.ReadWrite");
        fixture.done(SendMessage, mail_to(&fixture)).await;
        fixture.context.call.prior_run = before;
        let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
        assert!(
            error.contains("could not be looked up") && error.contains("permission Mail.Read "),
            "{error}"
        );
        assert_eq!(sent(&fixture), 1);
    }
    let fixture = Fixture::new().await;
    fixture.graph().faults().take_role("Mail.ReadWrite");
    fixture.graph().faults().next(1, Target::containing("sendMail"), DONE[0]);
    let error = fixture.failed(SendMessage, mail_to(&fixture)).await;
    assert!(error.contains("could not be looked up") && error.contains("permission Mail.Read "), "{error}");
    assert_eq!(sent(&fixture), 1);
    assert_eq!(fixture.trail().last().unwrap()["outcome"], "unknown", "it was sent");
}

#[tokio::test]
async fn draft_of_an_earlier_run_is_removed() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::with(empty(2)).await;
        let inputs = large_mail_to(&fixture).await;
        let refused = Fault::Status(403, RetryAfter::Absent);
        fixture.graph().faults().next(1, Target::containing("/send"), refused);
        fixture.graph().faults().next(1, Target::containing("DELETE"), refused);
        fixture.failed(SendMessage, inputs.clone()).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (0, 1), "as if it had been killed before it sent it");
        fixture.context.call.prior_run = before;
        fixture.done(SendMessage, inputs).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{before:?}");
    }
}

#[tokio::test]
async fn draft_with_unknown_creation_is_removed() {
    for fault in DONE.into_iter().chain(NOT_DONE) {
        let fixture = Fixture::with(empty(2)).await;
        let inputs = large_mail_to(&fixture).await;
        fixture.graph().faults().next(1, Target::Path(Box::new(|line| line.ends_with("/messages"))), fault);
        fixture.done(SendMessage, inputs).await;
        assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn draft_that_seems_missing_is_sent_once() {
    let fixture = Fixture::with(empty(2)).await;
    let inputs = large_mail_to(&fixture).await;
    let gone = Fault::Status(404, RetryAfter::Absent);
    fixture.graph().faults().next(1, Target::containing("/send"), gone);
    fixture.graph().faults().next(1, Target::containing("DELETE"), gone);
    fixture.done(SendMessage, inputs).await;
    assert_eq!((sent(&fixture), drafts(&fixture)), (1, 0));
}

#[tokio::test]
async fn message_moved_by_an_earlier_run_is_found() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::new().await;
        let inputs = message_to_move(&fixture);
        run_again(&mut fixture, before, MoveMessageToFolder, inputs).await;
        assert_eq!(fixture.graph().moved().len(), 1);
    }
}

#[tokio::test]
async fn move_with_lost_answer_returns_the_message() {
    let faults = DONE.into_iter().chain(NOT_DONE);
    let each = faults.flat_map(|fault| [1, 99].map(|times| (fault, times)));
    join_all(each.map(|(fault, times)| async move {
        let fixture = Fixture::configured(empty(1), &[("max_retries_total", "2")]).await;
        let mailbox = fixture.mailbox(0);
        let id = fixture.put(&mailbox, mail("Move me"));
        let id = fixture.graph().immutable_id(&mailbox, &id).unwrap();
        fixture.graph().faults().next(times, Target::containing("/move"), fault);
        let inputs = json!({
            "exo_email_address": mailbox, "exo_messages_id": &id, "exo_destination_mailfolder_id": "junkemail",
        });
        let ended = fixture.run(MoveMessageToFolder, inputs).await;
        let moved = fixture.graph().moved();
        if times == 1 || !NOT_DONE.contains(&fault) {
            let results = ended.unwrap();
            assert_eq!(results["success"], true, "{fault:?} {}", results["reason"]);
            assert_eq!((moved.len(), moved[0].folder), (1, "junkemail"));
            assert_eq!(results["content"]["new_message_id"], id, "{fault:?}");
            assert!(results["content"]["new_web_link"].is_string());
        } else {
            // A refusal of Graph is an answer, as with the older app.
            let is_done = ended.is_ok_and(|results| results["success"] == true);
            assert!(!is_done && moved.is_empty(), "{fault:?}");
        }
    }))
    .await;
}

#[tokio::test]
async fn message_that_is_gone_is_not_found() {
    for before in [PriorRun::None, PriorRun::Possible, PriorRun::Likely] {
        let mut fixture = Fixture::new().await;
        let inputs = message_to_move(&fixture);
        let delete = json!({"exo_email_address": inputs["exo_email_address"], "exo_messages_id": inputs["exo_messages_id"]});
        fixture.done(DeleteEmail, delete).await;
        fixture.context.call.id = "ID:soar-1234-2".to_owned();
        fixture.context.call.prior_run = before;
        let results = fixture.run(MoveMessageToFolder, inputs.clone()).await.unwrap();
        assert_eq!(
            (&results["success"], &results["content"]["error"]["code"]),
            (&json!(false), &json!("ErrorItemNotFound"))
        );
        let unsure = before != PriorRun::None;
        let reason = results["reason"].as_str().unwrap();
        assert_eq!(
            reason.contains("An earlier try may have been carried out"),
            unsure,
            "{before:?}: {reason}"
        );
        let outcome = if unsure { "unknown" } else { "not moved" };
        assert_eq!(fixture.trail().last().unwrap()["outcome"], outcome, "{before:?}");
    }
}

#[tokio::test]
async fn moved_message_that_is_answered_as_missing_is_found() {
    let fixture = Fixture::new().await;
    let inputs = message_to_move(&fixture);
    fixture.graph().faults().next(
        1,
        Target::containing("/move"),
        Fault::DoneButStatus(404, RetryAfter::Absent),
    );
    let results = fixture.done(MoveMessageToFolder, inputs.clone()).await;
    assert_eq!(results["content"]["new_message_id"], inputs["exo_messages_id"]);
    assert_eq!(fixture.graph().moved().len(), 1);
}

#[tokio::test]
async fn message_in_another_folder_is_moved_by_a_repeated_call() {
    let mut fixture = Fixture::new().await;
    let inputs = message_to_move(&fixture);
    fixture.context.call.prior_run = PriorRun::Likely;
    fixture.done(MoveMessageToFolder, inputs).await;
    assert_eq!(fixture.graph().moved()[0].folder, "junkemail");
}

#[tokio::test]
async fn mailbox_gone_after_unknown_outcome_leaves_doubt() {
    let fixture = Fixture::new().await;
    fixture.graph().faults().next(1, Target::containing("sendMail"), NOT_DONE[0]);
    fixture.graph().faults().next(
        9,
        Target::containing("/messages?"),
        Fault::Status(404, RetryAfter::Absent),
    );
    let results = fixture.run(SendMessage, mail_to(&fixture)).await.unwrap();
    assert_eq!(results["success"], false);
    assert!(results["reason"].as_str().unwrap().ends_with("may have sent the message all the same."));
    assert_eq!(fixture.trail().last().unwrap()["outcome"], "unknown");
}

#[tokio::test]
async fn missing_message_counts_as_deleted_only_after_likely_run() {
    let mut fixture = Fixture::new().await;
    let inputs = message_to_delete(&fixture);
    fixture.done(DeleteEmail, inputs.clone()).await;
    fixture.context.call.prior_run = PriorRun::Likely;
    let again = fixture.done(DeleteEmail, inputs.clone()).await;
    assert_eq!(again["content"], json!({"value": true}));
    let reason = again["reason"].as_str().unwrap();
    assert!(reason.contains("was not there any more. It counts as deleted"), "{reason}");
    assert_eq!(fixture.graph().deleted().len(), 1);
    assert_eq!(fixture.trail()[1]["outcome"], "gone", "it may have been somebody else");
    // That an earlier run cannot be ruled out is not enough.
    for before in [PriorRun::None, PriorRun::Possible] {
        fixture.context.call.prior_run = before;
        let results = fixture.run(DeleteEmail, inputs.clone()).await.unwrap();
        assert_eq!(results["success"], false);
        assert_eq!(results["content"]["error"]["code"], "ErrorItemNotFound");
    }
}

#[tokio::test]
async fn listed_messages_of_an_earlier_run_count_as_deleted() {
    let mut fixture = Fixture::with(empty(2)).await;
    let mailbox = fixture.mailbox(0);
    let ids: Vec<String> = (0..3).map(|_| fixture.put(&mailbox, mail("x"))).collect();
    // The earlier run deleted the first two.
    for id in &ids[..2] {
        fixture.done(DeleteEmail, json!({"exo_email_address": mailbox, "exo_messages_id": id})).await;
    }
    let list: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    let results = json!([{"email_address": mailbox, "email_list": list}]);
    let inputs = json!({"exo_query_messages_results": results.to_string()});
    fixture.context.call.prior_run = PriorRun::Likely;
    let results = fixture.done(DeleteMessagesFromQueryResults, inputs.clone()).await;
    assert_eq!(results["content"]["delete_results"][0]["deleted_list"], json!(list));
    assert_eq!(results["content"]["failures"], json!([]));
    let reason = results["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Of the messages that count as deleted, 2 were not there any more"),
        "{reason}"
    );
    for before in [PriorRun::None, PriorRun::Possible] {
        fixture.context.call.prior_run = before;
        let results = fixture.run(DeleteMessagesFromQueryResults, inputs.clone()).await.unwrap();
        assert_eq!(results["success"], false, "{before:?}");
        assert_eq!(results["content"]["delete_results"][0]["not_deleted_list"], json!(list));
    }
}

#[tokio::test]
async fn meeting_of_an_earlier_run_is_returned() {
    for before in MAY_HAVE_BEEN_RUN {
        let mut fixture = Fixture::new().await;
        let organizer = fixture.mailbox(0);
        let start = (Utc::now() + TimeDelta::days(1)).timestamp_millis();
        let inputs = json!({
            "exo_meeting_email_address": organizer, "exo_meeting_start_time": start,
            "exo_meeting_end_time": start + 1_800_000, "exo_meeting_subject": "x", "exo_meeting_body": "y",
        });
        run_again(&mut fixture, before, CreateMeeting, inputs.clone()).await;
        assert_eq!(fixture.graph().events(&organizer).len(), 1);
        // Another meeting under the same id is refused.
        let mut other = inputs.clone();
        other["exo_meeting_subject"] = json!("z");
        let error = fixture.failed(CreateMeeting, other).await;
        assert!(error.contains("ErrorDuplicateTransactionId"), "{error}");
        let mut past = inputs;
        past["exo_meeting_start_time"] = json!(0);
        let error = fixture.failed(CreateMeeting, past).await;
        assert!(error.contains("in the past") && error.contains("may hold it all the same"), "{error}");
    }
}

//! Moves, deletions and meetings.

use super::*;

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
    assert_eq!(fixture.trail()[1]["outcome"], "gone", "its owner may have deleted it");
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

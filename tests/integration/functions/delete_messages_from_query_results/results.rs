//! What the results say of each message.

use sandbox::graph::TokenRefusal;
use serde_json::{Value, json};

use super::{deletion, found, list};
use crate::functions::common::{
    DeleteMessagesFromQueryResults, Fault, INCIDENT, RetryAfter, SOON, Target, encoded,
};

#[tokio::test]
async fn listed_messages_are_batch_deleted_and_returned_unchanged() {
    let (mut fixture, names, content) = found(&[], &["Exchange Online data table"]).await;
    fixture.status_messages();
    let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&content)).await;
    let expected = json!({
        "incident_id": INCIDENT,
        "exo_query_output_format": ["Exchange Online data table"],
        "delete_results": [
            {"email_address": names[0], "deleted_list": list(&content, 0), "not_deleted_list": [],
             "already_gone_list": []},
            {"email_address": names[1], "deleted_list": list(&content, 1), "not_deleted_list": [],
             "already_gone_list": []},
        ],
        "messages_deleted": 6,
        "messages_already_gone": 0,
        "messages_not_deleted": 0,
        "failures": [],
    });
    assert_eq!(results["content"], expected);
    let keys: Vec<_> = results["content"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "incident_id",
            "exo_query_output_format",
            "delete_results",
            "messages_deleted",
            "messages_already_gone",
            "messages_not_deleted",
            "failures",
        ]
    );
    assert_eq!(results["reason"], Value::Null);
    assert_eq!(fixture.graph().deleted().len(), 6);
    let counters = fixture.graph().counters();
    assert_eq!(counters.by_kind, [("delete message", 6)].into());
    assert_eq!(fixture.status_messages(), ["Deleting 6 messages"]);
    fixture.assert_incident_untouched();
}

#[tokio::test]
async fn messages_come_back_with_all_their_fields_in_their_order() {
    let (fixture, names, content) = found(&[], &[]).await;
    let id = &list(&content, 0)[0]["id"];
    let text = format!(
        r#"[{{"status_code":200,"email_address":"{}","email_list":[{{"z":1.50,"id":{id},"a":{{"ü":"\u00e9"}},"subject":null}}]}}]"#,
        names[0]
    );
    let results =
        fixture.done(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": text})).await;
    let raw = results["raw"].as_str().unwrap();
    assert!(
        raw.contains(&format!(r#"[{{"z":1.50,"id":{id},"a":{{"ü":"\u00e9"}},"subject":null}}]"#)),
        "{raw}"
    );
}

#[tokio::test]
async fn message_listed_twice_is_deleted_once_and_reported_twice() {
    let (fixture, names, content) = found(&[], &[]).await;
    let message = &list(&content, 0)[0];
    let twice = json!([
        {"email_address": names[0], "email_list": [message, message]},
        {"email_address": names[0].to_uppercase(), "email_list": [message]},
    ]);
    let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&twice)).await;
    assert_eq!(fixture.asked().len(), 1);
    assert_eq!(results["content"]["delete_results"][0]["deleted_list"], json!([message, message]));
    assert_eq!(results["content"]["delete_results"][1]["deleted_list"], json!([message]));
}

#[tokio::test]
async fn failed_deletion_does_not_stop_other_deletions() {
    let (fixture, names, content) = found(&[("max_retries_total", "1")], &[]).await;
    let id = |nth: usize, place: usize| list(&content, nth)[place]["id"].as_str().unwrap().to_owned();
    fixture.graph().faults().next(
        9,
        Target::containing(encoded(&id(0, 1))),
        Fault::Status(403, RetryAfter::Absent),
    );
    fixture.graph().faults().next(9, Target::containing(encoded(&id(1, 0))), Fault::Status(503, SOON));
    fixture.graph().faults().next(
        1,
        Target::containing(encoded(&id(1, 2))),
        Fault::Status(404, RetryAfter::Absent),
    );
    let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&content)).await;
    let lists = |nth: usize| {
        let mailbox = &results["content"]["delete_results"][nth];
        (mailbox["deleted_list"].clone(), mailbox["not_deleted_list"].clone())
    };
    let (first, second) = (list(&content, 0), list(&content, 1));
    assert_eq!(lists(0), (json!([first[0], first[2]]), json!([first[1]])));
    assert_eq!(lists(1), (json!([second[1]]), json!([second[0], second[2]])));
    let expected = json!([
        {"email_address": names[0], "id": id(0, 1), "status_code": 403, "code": "ErrorAccessDenied",
         "message": "Access is denied. Check credentials and try again."},
        {"email_address": names[1], "id": id(1, 0), "status_code": 503, "code": "serviceNotAvailable",
         "message": "The service is temporarily unavailable. It may have been deleted all the same"},
        {"email_address": names[1], "id": id(1, 2), "status_code": 404, "code": "ErrorItemNotFound",
         "message": "The specified object was not found in the store."},
    ]);
    assert_eq!(results["content"]["failures"], expected);
    let reason = results["reason"].as_str().unwrap();
    let places = format!("1 in {} (ErrorAccessDenied), 1 in {} (serviceNotAvailable).", names[0], names[1]);
    assert!(
        reason.starts_with(&format!("2 of 6 messages could not be deleted: {places}")),
        "{reason} without {places}"
    );
    assert!(
        reason.ends_with("1 of 6 messages was already gone: not found, so not deleted by this call."),
        "{reason}"
    );
    assert_eq!(results["content"]["delete_results"][1]["already_gone_list"], json!([second[2]]));
    let counts = ["messages_deleted", "messages_already_gone", "messages_not_deleted"];
    assert_eq!(counts.map(|key| results["content"][key].as_u64().unwrap()), [3, 1, 2]);
    assert!(reason.contains("Mail.ReadWrite"), "a 403 names the permission: {reason}");
    assert_eq!(fixture.graph().deleted().len(), 3);
}

#[tokio::test]
async fn all_deletions_failing_is_reported_as_failure() {
    let (fixture, _, content) = found(&[], &[]).await;
    fixture.graph().faults().take_role("Mail.ReadWrite");
    let results = fixture.run(DeleteMessagesFromQueryResults, deletion(&content)).await.unwrap();
    assert_eq!(results["success"], false);
    let reason = results["reason"].as_str().unwrap();
    assert!(reason.contains("6 of 6") && reason.contains("Mail.ReadWrite"), "{reason}");
    assert_eq!(results["content"]["failures"][0]["status_code"], 403);
    fixture.graph().revoke_tokens();
    fixture.graph().faults().refuse_tokens(Some(TokenRefusal::InvalidSecret));
    let error = fixture.failed(DeleteMessagesFromQueryResults, deletion(&content)).await;
    assert!(error.contains("AADSTS7000215"), "{error}");
}

#[tokio::test]
async fn deletion_applied_despite_error_counts_as_done() {
    for fault in [
        Fault::DoneButStatus(429, SOON),
        Fault::DoneButStatus(504, RetryAfter::Absent),
        Fault::DoneButStatus(503, SOON),
    ] {
        let (fixture, _, content) = found(&[], &[]).await;
        fixture.graph().faults().next(3, Target::containing("DELETE"), fault);
        let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&content)).await;
        assert_eq!(results["content"]["failures"], json!([]), "{fault:?}");
    }
    for fault in [Fault::DoneButStatus(504, RetryAfter::Absent), Fault::CutBody, Fault::Html, Fault::Close] {
        let (fixture, _, content) = found(&[], &[]).await;
        fixture.graph().faults().next(1, Target::Batch, fault);
        let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&content)).await;
        assert_eq!(results["content"]["failures"], json!([]), "{fault:?}");
        assert_eq!(fixture.graph().deleted().len(), 6);
    }
}

//! `exchange_online_delete_messages_from_query_results`

use std::collections::{HashMap, HashSet};

use sandbox::graph::{Phish, Scope, TenantOptions, Throttling, TokenRefusal};
use serde_json::{Value, json};

use crate::functions::common::{
    DeleteMessagesFromQueryResults, Fault, Fixture, INCIDENT, MoveMessageToFolder, Owner, QueryEmails,
    RetryAfter, SOON, Target, empty, encoded, lines, mail, query,
};

fn deletion(results: &Value) -> Value {
    json!({"exo_query_messages_results": results.to_string()})
}

/// Two mailboxes with three messages each, and what a query finds in them.
async fn found(options: &[(&str, &str)], formats: &[&str]) -> (Fixture, Vec<String>, Value) {
    let fixture = Fixture::configured(empty(4), options).await;
    let names = fixture.graph().mailboxes()[..2].to_vec();
    for name in &names {
        fixture.put_many(name, 3);
    }
    let mut inputs = query(&names.join(","), json!({"exo_start_date": 0}));
    inputs["exo_query_output_format"] = json!(["Exchange Online data table"]);
    let mut content = fixture.done(QueryEmails, inputs).await["content"].clone();
    content["exo_query_output_format"] = json!(formats);
    fixture.asked();
    (fixture, names, content)
}

fn list(content: &Value, nth: usize) -> &Value {
    &content["email_results"][nth]["email_list"]
}

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
    assert_eq!((counters.http_requests, counters.batches, counters.sub_requests), (1, 1, 6));
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
async fn raw_query_output_is_accepted_as_input() {
    let fixture = Fixture::with(empty(2)).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put(name, mail("é\u{1F98A} \"q\" \\ "));
    }
    let found = fixture.done(QueryEmails, query("all", json!({"exo_start_date": 0}))).await;
    let inputs = json!({"exo_query_messages_results": found["raw"]});
    fixture.done(DeleteMessagesFromQueryResults, inputs).await;
    assert_eq!(fixture.graph().deleted().len(), 2);
    let inputs = json!({"exo_query_messages_results": {"format": "text", "content": found["raw"]}});
    let results = fixture.run(DeleteMessagesFromQueryResults, inputs).await.unwrap();
    assert_eq!(results["content"]["failures"].as_array().unwrap().len(), 2, "they are gone already");
}

#[tokio::test]
async fn bare_list_from_older_workflow_needs_no_incident() {
    let (fixture, names, content) = found(&[], &[]).await;
    let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&content["email_results"])).await;
    assert_eq!(results["content"]["incident_id"], Value::Null);
    assert_eq!(results["content"]["exo_query_output_format"], json!([]));
    assert_eq!(results["content"]["delete_results"][1]["email_address"], names[1]);
    assert_eq!(fixture.graph().deleted().len(), 6);
}

#[tokio::test]
async fn invalid_query_result_is_rejected_without_deletion() {
    let (fixture, names, content) = found(&[], &[]).await;
    let whole = content.to_string();
    let id = list(&content, 0)[0]["id"].clone();
    let good = json!({"email_address": names[0], "email_list": [{"id": id}]});
    let cases = [
        "geheim".to_owned(),
        "{}".to_owned(),
        "7".to_owned(),
        "null".to_owned(),
        "\"[]\"".to_owned(),
        whole[..whole.len() - 1].to_owned(),
        format!("{whole}}}"),
        json!({"email_results": {"a": 1}}).to_string(),
        json!([good, {"email_address": names[1]}]).to_string(),
        json!([good, {"email_list": []}]).to_string(),
        json!([good, {"email_address": " ", "email_list": [{"id": "AAMk"}]}]).to_string(),
        json!([good, {"email_address": names[1], "email_list": [{"subject": "geheim"}]}]).to_string(),
        json!([good, {"email_address": names[1], "email_list": [{"id": ""}]}]).to_string(),
        json!([good, {"email_address": names[1], "email_list": [{"id": 7}]}]).to_string(),
        json!([good, {"email_address": names[1], "email_list": ["AAMk"]}]).to_string(),
        json!([good, good["email_list"]]).to_string(),
    ];
    for text in cases {
        let error =
            fixture.failed(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": text})).await;
        let start = "The input \"exo_query_messages_results\" is not the result of a message query: ";
        assert!(error.starts_with(start) && error.ends_with("Nothing was deleted."), "{text}: {error}");
        assert!(!error.contains("geheim"), "mail is not quoted: {error}");
    }
    assert_eq!(fixture.asked(), Vec::<String>::new());
    assert!(fixture.graph().deleted().is_empty());
}

#[tokio::test]
async fn note_or_attachment_without_incident_deletes_nothing() {
    for format in ["Incident note", "Incident attachment"] {
        let (fixture, _, mut content) = found(&[], &[format]).await;
        content.as_object_mut().unwrap().remove("incident_id");
        let error = fixture.failed(DeleteMessagesFromQueryResults, deletion(&content)).await;
        assert!(error.contains("incident_id"), "{error}");
        assert!(fixture.graph().deleted().is_empty());
    }
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

#[tokio::test]
async fn at_most_four_deletions_are_at_work_in_one_mailbox() {
    let fixture = Fixture::with(empty(2)).await;
    let names = fixture.graph().mailboxes();
    for name in &names {
        fixture.put_many(name, 30);
    }
    let found = fixture.done(QueryEmails, query("all", json!({"exo_start_date": 0}))).await;
    fixture.graph().forget_requests();
    fixture.graph().faults().set_latency(std::time::Duration::from_millis(10), std::time::Duration::ZERO);
    fixture.done(DeleteMessagesFromQueryResults, deletion(&found["content"])).await;
    let counters = fixture.graph().counters();
    assert_eq!(counters.most_in_one_mailbox, 4);
    assert_eq!(counters.throttled, 0);
    assert_eq!(fixture.graph().deleted().len(), 60);
    assert!(counters.http_requests < 60, "in batches");
}

#[tokio::test]
async fn throttled_bulk_deletion_deletes_each_message_once() {
    let phish = Phish { mailboxes: 50, copies: 20, ..Phish::default() };
    let tenant = TenantOptions { phish: Some(phish), ..empty(50) };
    let fixture = Fixture::configured(tenant, &[("max_deletions", "1000")]).await;
    let planted = fixture.graph().planted();
    assert_eq!(planted.len(), 1000);
    let entries = planted.chunks(20).map(|messages| {
        let list: Vec<_> = messages.iter().map(|message| json!({"id": message.id})).collect();
        json!({"email_address": messages[0].mailbox, "email_list": list})
    });
    let entries: Vec<_> = entries.collect();
    let throttling =
        Throttling { share: 0.05, scope: Scope::SubRequests, retry_after: RetryAfter::Seconds(1), times: 2 };
    fixture.graph().faults().throttle(Some(throttling));
    let results = fixture.done(DeleteMessagesFromQueryResults, deletion(&json!(entries))).await;
    let content = &results["content"];
    assert_eq!((&content["failures"], &results["reason"]), (&json!([]), &Value::Null));
    for (entry, result) in entries.iter().zip(content["delete_results"].as_array().unwrap()) {
        assert_eq!(result["email_address"], entry["email_address"]);
        assert_eq!(result["deleted_list"], entry["email_list"]);
        assert_eq!(result["not_deleted_list"], json!([]));
    }
    let deleted: HashSet<_> = fixture.graph().deleted().into_iter().map(|deleted| deleted.id).collect();
    assert_eq!(deleted, planted.into_iter().map(|planted| planted.id).collect());
    let counters = fixture.graph().counters();
    assert!(counters.throttled > 20, "{counters:?}");
    assert!(counters.most_in_one_mailbox <= 4, "{counters:?}");
    let mut answers: HashMap<String, Vec<Option<u16>>> = HashMap::new();
    for request in fixture.requests().into_iter().filter(|request| request.method == "DELETE") {
        answers.entry(request.path_and_query).or_default().push(request.status);
    }
    assert_eq!(answers.len(), 1000);
    for (path, answers) in answers {
        let (last, before) = answers.split_last().unwrap();
        assert_eq!(*last, Some(204), "{path}: {answers:?}");
        assert!(before.iter().all(|status| *status == Some(429)), "{path}: {answers:?}");
    }
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
async fn note_and_file_tell_what_was_deleted_and_what_was_not() {
    let (fixture, names, mut content) = found(&[], &["Incident note", "Incident attachment"]).await;
    let id = list(&content, 1)[1]["id"].as_str().unwrap().to_owned();
    fixture.graph().faults().next(
        1,
        Target::containing(encoded(&id)),
        Fault::Status(404, RetryAfter::Absent),
    );
    content["email_results"][0]["email_list"][0]["subject"] = json!("<script>");
    let other = list(&content, 0)[1]["id"].as_str().unwrap().to_owned();
    let refused = Fault::Status(403, RetryAfter::Absent);
    fixture.graph().faults().next(9, Target::containing(encoded(&other)), refused);
    fixture.done(DeleteMessagesFromQueryResults, deletion(&content)).await;
    let (name, media_type, bytes) = fixture.attachment().await;
    let time = name.strip_prefix("exo-delete-results-").unwrap().strip_suffix(".txt").unwrap();
    assert!(chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H-%M-%S").is_ok(), "{name}");
    assert_eq!(media_type, "text/plain");
    let subject =
        |nth: usize, message: usize| list(&content, nth)[message]["subject"].as_str().unwrap().to_owned();
    let note = lines(&fixture.note());
    assert_eq!(note[0], "Incomplete: 4 messages deleted, 1 already gone, 1 not deleted");
    assert!(note[1].contains("needs the application permission Mail.ReadWrite"), "{note:?}");
    for pair in [
        [
            "Not deleted: access was denied (ErrorAccessDenied)".to_owned(),
            format!("{}: “{}”", names[0], subject(0, 1)),
        ],
        [
            "Already gone: not found, so not deleted by this call".to_owned(),
            format!("{}: “{}”", names[1], subject(1, 1)),
        ],
    ] {
        assert!(note.windows(2).any(|lines| lines == pair), "{pair:?}\n{note:?}");
    }
    assert!(note.iter().any(|line| line.starts_with("“&lt;script&gt;” – 1 message")), "{note:?}");
    assert!(!fixture.note().contains("<a "), "a message that is deleted cannot be opened");
    let text = String::from_utf8(bytes).unwrap();
    for line in [
        note[0].clone(),
        format!("  {}: 2 deleted", names[0]),
        format!("  {}: 2 deleted", names[1]),
        format!(
            "  Message {id} of {} was already gone: ErrorItemNotFound: The specified object was not found in the \
             store. (HTTP status 404)",
            names[1]
        ),
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    let (_, rows) = fixture.table().await;
    let statuses = ["\"Deleted\"", "\"Gone\"", "\"Not deleted\",\"access was denied (ErrorAccessDenied)\""];
    let counts = statuses.map(|status| rows.iter().filter(|row| row.contains(status)).count());
    assert_eq!((counts, rows.len()), ([4, 1, 1], 7), "{rows:?}");
    assert_eq!(fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).len(), 2);
}

#[tokio::test]
async fn protected_mailboxes_are_one_reason_in_the_note() {
    let (fixture, names, mut content) = found(&[("mailboxes_denied", "*")], &["Incident note"]).await;
    content["email_results"][0]["email_list"] = json!([list(&content, 0)[0]]);
    let results = fixture.run(DeleteMessagesFromQueryResults, deletion(&content)).await.unwrap();
    assert_eq!(results["success"], false);
    let note = lines(&fixture.note());
    assert_eq!(note[0], "Incomplete: no message deleted, 4 not deleted");
    let protected =
        "Not deleted: the mailbox is protected (mailboxes_allowed, mailboxes_denied; ask your administrator)";
    assert_eq!(note.iter().filter(|line| line.starts_with("Not deleted: ")).collect::<Vec<_>>(), [protected]);
    assert!(note.iter().any(|line| line.starts_with(&format!("{}: “", names[1]))), "{note:?}");
}

#[tokio::test]
async fn note_says_first_why_a_deletion_stopped() {
    let (fixture, _, content) = found(&[("hold", "true")], &["Incident note"]).await;
    let results = fixture.run(DeleteMessagesFromQueryResults, deletion(&content)).await.unwrap();
    let stopped = "Stopped after 0 of 6 messages: all changes are on hold (hold).";
    assert_eq!(results["reason"], stopped);
    let note = lines(&fixture.note());
    assert_eq!(note[..2], ["Incomplete: no message deleted, 6 not deleted", stopped]);
    assert_eq!(note[2], "Not deleted: all changes are on hold (hold)");
}

#[tokio::test]
async fn empty_query_result_succeeds_without_requests() {
    let fixture = Fixture::new().await;
    for text in ["[]", r#"{"email_results": []}"#, r#"[{"email_address": "a@b.example", "email_list": []}]"#]
    {
        let results =
            fixture.done(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": text})).await;
        assert_eq!(results["content"]["failures"], json!([]));
    }
    assert_eq!(fixture.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn long_deletions_tell_their_progress_every_few_seconds() {
    let mut fixture = Fixture::with(empty(1)).await;
    let name = fixture.graph().mailboxes().remove(0);
    fixture.put_many(&name, 60);
    let found = fixture.done(QueryEmails, query(&name, json!({"exo_start_date": 0}))).await;
    fixture.status_messages();
    fixture.graph().faults().set_latency(std::time::Duration::ZERO, std::time::Duration::from_millis(300));
    fixture.done(DeleteMessagesFromQueryResults, deletion(&found["content"])).await;
    let status_messages = fixture.status_messages();
    assert_eq!(status_messages[0], "Deleting 60 messages");
    // On a busy machine there are more.
    let progress = &status_messages[1..];
    assert!((1..10).contains(&progress.len()), "{status_messages:?}");
    for text in progress {
        assert!(text.starts_with("Dealt with ") && text.ends_with(" of 60 messages"), "{text}");
    }
}

#[tokio::test]
async fn oversized_inputs_are_rejected_without_requests() {
    let fixture = Fixture::with(empty(1)).await;
    let mailbox = fixture.mailbox(0);
    let long = "a".repeat(5_000);
    let many: Vec<Value> = (0..150_000).map(|nth| json!({"id": nth.to_string()})).collect();
    for (address, list, words) in [
        (long.as_str(), json!([{"id": "1"}]), "longer than any address"),
        (mailbox.as_str(), json!([{"id": long}]), "an id that is longer than any"),
        (&long[..4_000], json!(many), "too large to be accounted for"),
    ] {
        let results = json!([{"email_address": address, "email_list": list}]);
        let inputs = json!({"exo_query_messages_results": results.to_string()});
        let error = fixture.failed(DeleteMessagesFromQueryResults, inputs).await;
        assert!(error.contains(words) && error.len() < 500, "{error}");
    }
    assert_eq!(fixture.asked(), [""; 0]);
    let inputs = json!({
        "exo_email_address": mailbox, "exo_messages_id": "x", "exo_destination_mailfolder_id": long,
    });
    let error = fixture.failed(MoveMessageToFolder, inputs).await;
    assert_eq!(error, "The input \"exo_destination_mailfolder_id\" must be no longer than 4096 bytes.");
}

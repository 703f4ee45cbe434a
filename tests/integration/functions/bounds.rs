//! What is too much: a call that goes beyond a bound fails clearly, and leaves nothing half-done behind.

use std::fmt::Write;

use graph::Path;
use serde_json::{Value, json};

use crate::functions::common::{
    DeleteEmail, DeleteMessagesFromQueryResults, Fault, Fixture, GetMessage, INCIDENT, Owner, QueryEmails,
    RetryAfter, SendMessage, Target, WriteMessageAsAttachment, empty, mail, query,
};
use crate::functions::front::Front;

const MIB: u64 = 1 << 20;

/// A fixture with these options and one message in its first mailbox; its mailbox and id.
async fn with_one_message(options: &[(&str, &str)]) -> (Fixture, String, String) {
    let fixture = Fixture::configured(empty(3), options).await;
    let mailbox = fixture.mailbox(0);
    let id = fixture.put(&mailbox, mail("One"));
    (fixture, mailbox, id)
}

#[tokio::test]
async fn oversized_message_is_not_written_or_retried() {
    let (fixture, mailbox, id) = with_one_message(&[("max_attachment_mb", "1")]).await;
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": mailbox, "exo_messages_id": id, "exo_attachment_name": "a.eml",
    });
    assert!(fixture.graph().set_mime_bytes(&mailbox, &id, 3 * MIB));
    let error = fixture.failed(WriteMessageAsAttachment, inputs.clone()).await;
    assert_eq!(error, "The attachment a.eml was not written: it is larger than 1 MiB (max_attachment_mb).");
    fixture.assert_incident_untouched();
    assert_eq!(fixture.asked().len(), 1, "once is enough to know");
    assert!(fixture.graph().set_mime_bytes(&mailbox, &id, MIB));
    fixture.done(WriteMessageAsAttachment, inputs).await;
    assert_eq!(fixture.attachment().await.2.len() as u64, MIB, "exactly as large as it may be");
}

#[tokio::test]
async fn oversized_attachment_is_not_sent() {
    let fixture = Fixture::configured(empty(3), &[("max_attachment_mb", "1")]).await;
    let owner = Owner::Incident(INCIDENT);
    let bytes = vec![b'x'; 2 * 1024 * 1024];
    fixture.sandbox.soar.rest.add_attachment(owner, "a.bin", "text/plain", &bytes).await.unwrap();
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": fixture.mailbox(0), "exo_recipients": "a@b.example",
        "exo_attachment_names": "a.bin",
    });
    let error = fixture.failed(SendMessage, inputs).await;
    assert_eq!(error, "The attachment a.bin is larger than 1 MiB (max_attachment_mb); nothing was sent.");
    assert!(fixture.asked().is_empty() && fixture.graph().sent_mail().is_empty());
}

#[tokio::test]
async fn attachment_larger_than_announced_is_not_sent() {
    for (announced, held) in [(100, 40 * MIB), (2_899_999, 3 * MIB)] {
        let fixture = Fixture::configured(empty(3), &[]).await;
        let rest = &fixture.sandbox.soar.rest;
        let announced = usize::try_from(announced).unwrap();
        let owner = Owner::Incident(INCIDENT);
        let file = rest.add_attachment(owner, "a.bin", "text/plain", &vec![b'x'; announced]).await.unwrap();
        std::fs::File::options().write(true).open(&file.path).unwrap().set_len(held).unwrap();
        let inputs = json!({
            "incident_id": INCIDENT, "exo_email_address": fixture.mailbox(0), "exo_recipients": "a@b.example",
            "exo_attachment_names": "a.bin",
        });
        let error = fixture.failed(SendMessage, inputs).await;
        let expected = format!(
            "The attachment a.bin is larger than SOAR says ({announced} bytes); the message was not sent."
        );
        assert_eq!(error, expected);
        assert!(fixture.graph().sent_mail().is_empty());
    }
}

#[tokio::test]
async fn call_timeout_fails_the_call_and_reports_progress() {
    let fixture = Fixture::configured(empty(30), &[("call_timeout", "2")]).await;
    // One mailbox waits for longer than the call may take.
    let stuck = fixture.graph().users()[3].id.clone();
    let is_stuck = Target::Path(Box::new(move |line| line.contains(&stuck)));
    fixture.graph().faults().next(1, is_stuck, Fault::Status(429, RetryAfter::Seconds(60)));
    let error = fixture.failed(QueryEmails, query("all", json!({"exo_has_attachments": true}))).await;
    assert!(
        error.starts_with("The function took longer than a call may (2 s, call_timeout) and was ended after it had dealt with 29 of 30, with 0 found. "),
        "{error}"
    );
    assert!(error.ends_with("stays done, and what it was doing then may have been done."), "{error}");
}

#[tokio::test]
async fn deletion_timeout_reports_every_message() {
    let fixture = Fixture::configured(empty(3), &[("call_timeout", "2"), ("max_retries_total", "50")]).await;
    let mailbox = fixture.mailbox(0);
    let ids = fixture.put_many(&mailbox, 8);
    // Five go through; what is left waits for longer than the call may take.
    let kept: Vec<String> = ids[5..].to_vec();
    let stuck = kept.clone();
    let stuck: Vec<_> =
        stuck.iter().map(|id| Path::message(&mailbox, None, id).unwrap().to_string()).collect();
    let is_stuck = move |line: &str| stuck.iter().any(|path| line.contains(path));
    let forever = Fault::Status(429, RetryAfter::Seconds(60));
    fixture.graph().faults().next(1000, Target::Path(Box::new(is_stuck)), forever);
    let list: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
    let order = json!({"email_results": [{"email_address": mailbox, "email_list": list}]});
    let inputs = json!({"exo_query_messages_results": order.to_string()});
    let results = fixture.done(DeleteMessagesFromQueryResults, inputs).await;
    let content = &results["content"];
    assert_eq!(content["delete_results"][0]["deleted_list"].as_array().unwrap().len(), 5);
    let failures = content["failures"].as_array().unwrap();
    let failed: Vec<_> = failures.iter().map(|failure| failure["id"].as_str().unwrap()).collect();
    assert_eq!(failed, kept);
    for failure in failures {
        let message = failure["message"].as_str().unwrap();
        assert!(message.starts_with("the time that one call may take (call_timeout) ended"), "{message}");
    }
    assert!(results["reason"].as_str().unwrap().starts_with("3 of 8 messages could not be deleted"));
    assert_eq!(fixture.graph().deleted().len(), 5);
}

#[tokio::test]
async fn too_long_address_or_id_is_refused_without_a_request() {
    let (fixture, mailbox, id) = with_one_message(&[]).await;
    let long = "x".repeat(5000);
    for (address, message, name) in [(&long, &id, "exo_email_address"), (&mailbox, &long, "exo_messages_id")]
    {
        for function in [GetMessage, DeleteEmail] {
            let inputs = json!({"exo_email_address": address, "exo_messages_id": message});
            let error = fixture.failed(function, inputs).await;
            assert_eq!(error, format!("The input \"{name}\" must be no longer than 4096 bytes."));
        }
    }
    assert!(fixture.asked().is_empty());
    assert_eq!(fixture.graph().messages(&mailbox).len(), 1);
}

#[tokio::test]
async fn search_text_too_long_for_a_url_is_refused() {
    let (fixture, mailbox, _) = with_one_message(&[]).await;
    for criterion in ["exo_message_subject", "exo_message_body"] {
        let inputs = query(&mailbox, json!({criterion: "word ".repeat(20_000)}));
        let error = fixture.failed(QueryEmails, inputs).await;
        assert!(error.contains("and Microsoft Graph takes 32768 at most"), "{error}");
    }
    assert!(fixture.asked().is_empty());
}

#[tokio::test]
async fn too_deeply_nested_json_is_refused() {
    let (mut fixture, mailbox, id) = with_one_message(&[("max_retries_total", "0")]).await;
    let front = Front::before(&mut fixture).await;
    let deep = format!(r#"{{"id":"x","a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    front.answer(1, "GET /v1.0/users", 200, &deep);
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let error = fixture.failed(GetMessage, inputs).await;
    assert_eq!(error, "What Microsoft Graph answered is nested too deep to be handed on.");
    front.answer(1, "/messages?", 200, format!(r#"{{"value":[{deep}]}}"#));
    let error = fixture.failed(QueryEmails, query(&mailbox, json!({"exo_has_attachments": false}))).await;
    assert!(error.contains("nested too deep"), "{error}");
    let order = format!(r#"[{{"email_address":"{mailbox}","email_list":[{deep}]}}]"#);
    let inputs = json!({"exo_query_messages_results": order});
    let error = fixture.failed(DeleteMessagesFromQueryResults, inputs).await;
    assert!(error.contains("nested too deep") && error.contains("Nothing was deleted"), "{error}");
}

#[tokio::test]
async fn page_with_too_many_entries_is_refused() {
    let (mut fixture, mailbox, _) = with_one_message(&[("max_retries_total", "0")]).await;
    let front = Front::before(&mut fixture).await;
    let mut page = r#"{"value":[1"#.to_owned();
    (0..10_000).for_each(|_| page.push_str(",1"));
    page.push_str("]}");
    front.answer(1, "/messages?", 200, &page);
    let error = fixture.failed(QueryEmails, query(&mailbox, json!({"exo_has_attachments": false}))).await;
    assert!(error.contains("its JSON is not of the expected form"), "{error}");
    front.answer(1, "/users?", 200, &page);
    let error = fixture.failed(QueryEmails, query("all", json!({"exo_has_attachments": false}))).await;
    assert!(error.contains("its JSON is not of the expected form"), "{error}");
}

#[tokio::test]
async fn deletion_list_with_too_many_values_is_refused() {
    let (fixture, mailbox, _) = with_one_message(&[]).await;
    let mut order = format!(r#"[{{"email_address":"{mailbox}","email_list":[1"#);
    (0..4_000_000).for_each(|_| order.push_str(",1"));
    order.push_str("]}]");
    let error =
        fixture.failed(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": order})).await;
    assert!(error.contains("it holds more than 4000000 values. Nothing was deleted."), "{error}");
    assert_eq!(fixture.graph().messages(&mailbox).len(), 1);
}

#[tokio::test]
async fn long_graph_error_is_truncated() {
    let (mut fixture, mailbox, id) = with_one_message(&[("max_retries_total", "0")]).await;
    let front = Front::before(&mut fixture).await;
    let mut long = String::new();
    (0..20_000).for_each(|n| write!(long, "{n} ").unwrap());
    let body = json!({"error": {"code": long, "message": long, "innerError": {"request-id": long}}});
    front.answer(1, "GET /v1.0/users", 400, body.to_string());
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    let error = fixture.failed(GetMessage, inputs).await;
    assert!(error.len() < 2000 && error.contains('…'), "{} bytes", error.len());
    let body: Value = json!({"error": {"code": "ErrorItemNotFound", "message": "No."}});
    front.answer(1, "GET /v1.0/users", 404, body.to_string());
    let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
    assert_eq!(fixture.run(GetMessage, inputs).await.unwrap()["content"], body, "what is short stays whole");
}

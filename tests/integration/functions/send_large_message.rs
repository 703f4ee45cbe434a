//! `exchange_online_send_message`, for mails that do not fit into one request: draft, attachments, send.

use std::time::Duration;

use sandbox::graph::{Content, Tenant};
use sandbox::soar::rest::Failure;
use serde_json::{Value, json};

use crate::functions::common::{
    Fault, Fixture, INCIDENT, Owner, RetryAfter, SOON, SendMessage, Target, empty,
};
use crate::functions::front::Front;

const MIB: usize = 1024 * 1024;

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from((n * 7 + n / 251) % 256).unwrap()).collect()
}

/// Returns a fixture whose incident has files of these sizes, and the inputs that send them.
async fn with_files(sizes: &[usize]) -> (Fixture, Value) {
    let fixture = Fixture::configured(empty(3), &[("max_retries_total", "3")]).await;
    let mut names = Vec::new();
    for (nth, size) in sizes.iter().enumerate() {
        let name = format!("{nth}.bin");
        let owner = Owner::Incident(INCIDENT);
        fixture
            .sandbox
            .soar
            .rest
            .add_attachment(owner, &name, "application/x-test", &bytes(*size))
            .await
            .unwrap();
        names.push(name);
    }
    let inputs = json!({
        "incident_id": INCIDENT, "exo_email_address": fixture.mailbox(0), "exo_recipients": "a@b.example",
        "exo_message_subject": "Large", "exo_message_body": "<p>x</p>", "exo_attachment_names": names.join(","),
    });
    (fixture, inputs)
}

fn assert_sent_once(fixture: &Fixture, sizes: &[usize]) {
    let sent = fixture.graph().sent_mail();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].subject.as_str(), sent[0].body.as_str(), sent[0].html), ("Large", "<p>x</p>", true));
    assert_eq!(sent[0].to[0].address, "a@b.example");
    assert!(sent[0].saved_to_sent_items);
    let arrived: Vec<_> = sent[0].attachments.iter().map(|attachment| attachment.bytes().len()).collect();
    assert_eq!(arrived, sizes);
    for (attachment, size) in sent[0].attachments.iter().zip(sizes) {
        assert!(attachment.bytes() == bytes(*size), "unchanged");
        let Content::File { content_type, .. } = &attachment.content else { panic!("{attachment:?}") };
        assert_eq!(content_type, "application/x-test");
    }
    assert_no_draft(fixture);
}

fn assert_no_draft(fixture: &Fixture) {
    let messages = fixture.graph().messages(&fixture.mailbox(0));
    let drafts = messages.iter().filter(|message| message.folder == "drafts").count();
    assert_eq!(drafts, 0, "no draft is left behind");
}

#[tokio::test]
async fn large_file_is_uploaded_in_ranges() {
    let sizes = [9 * MIB + 5];
    let (mut fixture, inputs) = with_files(&sizes).await;
    let front = Front::before(&mut fixture).await;
    let results = fixture.done(SendMessage, inputs).await;
    assert_eq!(results["content"], json!({"value": true, "failed_attachments": null}));
    assert_sent_once(&fixture, &sizes);
    let seen = front.seen();
    let last: Vec<_> = seen
        .iter()
        .map(|seen| {
            format!("{} {}", seen.method, seen.path.split('?').next().unwrap().rsplit('/').next().unwrap())
        })
        .collect();
    assert_eq!(last[..2], ["POST messages", "POST createUploadSession"]);
    assert_eq!(last.last().unwrap(), "POST send");
    let puts: Vec<_> = seen.iter().filter(|seen| seen.method == "PUT").collect();
    assert_eq!(puts.len(), seen.len() - 3);
    let mut next = 0;
    for put in &puts {
        assert!(!put.headers.contains_key("authorization"), "the address is authorised by itself");
        assert!(put.body.len() < 4 * MIB, "less than 4 MB each");
        let range = put.headers["content-range"].to_str().unwrap();
        assert_eq!(range, format!("bytes {next}-{}/{}", next + put.body.len() - 1, sizes[0]));
        next += put.body.len();
    }
    assert_eq!(next, sizes[0]);
    let session = seen[1].json();
    let item = json!({"attachmentType": "file", "name": "0.bin", "size": sizes[0], "contentType": "application/x-test"});
    assert_eq!(session, json!({"AttachmentItem": item}));
    let draft = seen[0].json();
    assert_eq!(draft["body"], json!({"contentType": "HTML", "content": "<p>x</p>"}));
    assert_eq!(draft["toRecipients"], json!([{"emailAddress": {"address": "a@b.example"}}]));
}

#[tokio::test]
async fn files_of_all_sizes_arrive() {
    for sizes in [
        vec![MIB, MIB],
        vec![2 * MIB, 2 * MIB],
        vec![2_750_000],
        vec![2_900_000],
        vec![3_100_000],
        vec![3 * MIB],
        vec![3 * MIB + 1, 10],
        vec![2_900_000, 4 * MIB, 0, 1],
    ] {
        let (fixture, inputs) = with_files(&sizes).await;
        let results = fixture.run(SendMessage, inputs).await;
        assert!(results.is_ok(), "{sizes:?}: {results:?}");
        assert_sent_once(&fixture, &sizes);
    }
}

#[tokio::test]
async fn body_that_is_too_large_as_json_arrives() {
    let (fixture, mut inputs) = with_files(&[500_000]).await;
    let body = "\"\n".repeat(950_000);
    inputs["exo_message_body"] = json!(body);
    fixture.done(SendMessage, inputs).await;
    let sent = fixture.graph().sent_mail();
    assert_eq!((sent.len(), sent[0].body == body), (1, true));
}

#[tokio::test]
async fn upload_resumes_after_a_lost_answer() {
    for fault in [
        Fault::Close,
        Fault::Status(503, SOON),
        Fault::DoneButStatus(504, RetryAfter::Absent),
        Fault::CutBody,
        Fault::Html,
    ] {
        let sizes = [9 * MIB];
        let (fixture, inputs) = with_files(&sizes).await;
        fixture.graph().faults().next(1, Target::Upload, fault);
        let results = fixture.run(SendMessage, inputs).await;
        assert!(results.is_ok(), "{fault:?}: {results:?}");
        assert_sent_once(&fixture, &sizes);
    }
}

#[tokio::test]
async fn file_of_the_incident_that_breaks_off_is_read_again() {
    for sizes in [[1_000, 9 * MIB], [9 * MIB, 1_000]] {
        let (fixture, inputs) = with_files(&sizes).await;
        fixture.sandbox.soar.rest.fail_next("/contents", 3, Failure::CutBody);
        fixture.done(SendMessage, inputs.clone()).await;
        assert_sent_once(&fixture, &sizes);
        fixture.sandbox.soar.rest.fail_next("/contents", usize::MAX, Failure::CutBody);
        let error = fixture.failed(SendMessage, inputs).await;
        assert!(error.contains("the connection to SOAR failed"), "{error}");
        assert_sent_once(&fixture, &sizes);
    }
}

#[tokio::test]
async fn draft_with_unknown_content_is_created_again() {
    let attachment = |line: &str| line.ends_with("/attachments");
    for fault in [
        Fault::DoneButStatus(504, RetryAfter::Absent),
        Fault::DoneButStatus(503, SOON),
        Fault::CutBody,
        Fault::Status(502, SOON),
    ] {
        let sizes = [4 * MIB, 10];
        let (fixture, inputs) = with_files(&sizes).await;
        fixture.graph().faults().next(1, Target::Path(Box::new(attachment)), fault);
        let results = fixture.run(SendMessage, inputs).await;
        assert!(results.is_ok(), "{fault:?}: {results:?}");
        assert_sent_once(&fixture, &sizes);
        // The only range of the file is its last one.
        let sizes = [3 * MIB + 1, MIB];
        let (fixture, inputs) = with_files(&sizes).await;
        fixture.graph().faults().next(1, Target::Upload, fault);
        let results = fixture.run(SendMessage, inputs).await;
        assert!(results.is_ok(), "{fault:?}: {results:?}");
        assert_sent_once(&fixture, &sizes);
    }
}

#[tokio::test]
async fn failure_removes_the_draft() {
    let (fixture, inputs) = with_files(&[4 * MIB, 10]).await;
    for (part, fault) in [
        ("createUploadSession", Fault::Status(403, RetryAfter::Absent)),
        ("/attachments", Fault::Status(400, RetryAfter::Absent)),
        ("/send", Fault::Status(403, RetryAfter::Absent)),
        ("/messages", Fault::Status(400, RetryAfter::Absent)),
    ] {
        fixture.graph().faults().next(1, Target::containing(part), fault);
        let error = fixture.failed(SendMessage, inputs.clone()).await;
        assert!(
            error.starts_with(&format!("Could not send a message from {}: ", fixture.mailbox(0))),
            "{error}"
        );
        assert!(!error.contains("may have been sent"), "the draft was still there: {error}");
        assert_no_draft(&fixture);
    }
    fixture.graph().faults().next(1, Target::Upload, Fault::Status(400, RetryAfter::Absent));
    fixture.failed(SendMessage, inputs.clone()).await;
    assert_no_draft(&fixture);
    assert!(fixture.graph().sent_mail().is_empty());
}

#[tokio::test]
async fn cancelled_call_leaves_no_draft() {
    let (mut fixture, inputs) = with_files(&[4 * MIB]).await;
    fixture.context.limits.call_timeout = Duration::from_secs(1);
    fixture.graph().faults().next(1, Target::Upload, Fault::Delay(Duration::from_secs(20)));
    let error = fixture.failed(SendMessage, inputs).await;
    assert!(error.contains("call_timeout"), "{error}");
    let mailbox = fixture.mailbox(0);
    let no_draft = |graph: &Tenant| graph.messages(&mailbox).iter().all(|message| message.folder != "drafts");
    assert!(fixture.graph().until(Duration::from_secs(10), no_draft).await, "the draft stays");
    assert!(fixture.graph().sent_mail().is_empty());
}

#[tokio::test]
async fn new_draft_that_is_not_visible_yet_is_waited_for() {
    for (on, status) in [("/attachments", 404), ("/attachments", 412), ("/send", 404), ("/send", 409)] {
        let sizes = [4 * MIB, 10];
        let (fixture, inputs) = with_files(&sizes).await;
        fixture.graph().faults().next(2, Target::containing(on), Fault::Status(status, RetryAfter::Absent));
        fixture.done(SendMessage, inputs).await;
        assert_sent_once(&fixture, &sizes);
    }
    for status in [404, 412] {
        let sizes = [4 * MIB];
        let (fixture, inputs) = with_files(&sizes).await;
        fixture.graph().faults().next(1, Target::Upload, Fault::Status(status, RetryAfter::Absent));
        fixture.done(SendMessage, inputs).await;
        assert_sent_once(&fixture, &sizes);
    }
}

#[tokio::test]
async fn missing_upload_session_is_not_a_missing_mailbox() {
    let (fixture, inputs) = with_files(&[4 * MIB]).await;
    fixture.graph().faults().next(99, Target::Upload, Fault::Status(404, RetryAfter::Absent));
    let error = fixture.failed(SendMessage, inputs).await;
    assert!(error.contains("HTTP status 404"), "{error}");
    assert_no_draft(&fixture);
}

#[tokio::test]
async fn unknown_sender_is_not_found() {
    let (fixture, mut inputs) = with_files(&[4 * MIB]).await;
    inputs["exo_email_address"] = json!("unknown@contoso.example");
    let results = fixture.run(SendMessage, inputs).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "ErrorInvalidUser");
}

#[tokio::test]
async fn missing_permission_for_drafts_is_named() {
    let (fixture, inputs) = with_files(&[4 * MIB]).await;
    fixture.graph().faults().take_role("Mail.ReadWrite");
    let error = fixture.failed(SendMessage, inputs).await;
    assert!(error.contains("Mail.Send and Mail.ReadWrite"), "{error}");
}

#[tokio::test]
async fn draft_with_unknown_outcome_is_sent_once() {
    for fault in [
        Fault::DoneButStatus(504, RetryAfter::Absent),
        Fault::DoneButStatus(429, SOON),
        Fault::CutBody,
        Fault::Status(504, RetryAfter::Absent),
        Fault::Close,
    ] {
        let sizes = [4 * MIB];
        let (fixture, inputs) = with_files(&sizes).await;
        fixture.graph().faults().next(1, Target::containing("/send"), fault);
        let results = fixture.run(SendMessage, inputs).await;
        assert!(results.is_ok(), "{fault:?}: {results:?}");
        assert_eq!(results.unwrap()["success"], true);
        assert_sent_once(&fixture, &sizes);
    }
}

//! Sending: sendMail, drafts, attachments, upload sessions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use sandbox::graph::{Fault, RetryAfter, Target};
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode};

fn message() -> Value {
    json!({
        "subject": "Warning",
        "body": {"contentType": "HTML", "content": "<b>Do not click</b>"},
        "toRecipients": [{"emailAddress": {"address": "a@contoso.example"}}],
    })
}

#[tokio::test]
async fn mail_is_sent_and_saved() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let url = format!("/users/{}/sendMail", encode(&mailbox));
    let mut with_file = message();
    with_file["attachments"] = json!([{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt",
        "contentBytes": STANDARD.encode("hello")}]);
    let (status, answer) = s.post(&url, json!({"message": with_file, "saveToSentItems": true})).await;
    assert_eq!((status, answer), (202, Value::Null));
    let sent = s.tenant.sent_mail();
    assert_eq!((sent[0].mailbox.as_str(), sent[0].subject.as_str()), (mailbox.as_str(), "Warning"));
    assert_eq!(&sent[0].attachments[0].bytes()[..], b"hello");
    let saved = s.all(&format!("/users/{}/mailFolders/sentitems/messages", encode(&mailbox))).await;
    assert_eq!((saved[0]["subject"].as_str(), &saved[0]["hasAttachments"]), (Some("Warning"), &json!(true)));
    s.post(&url, json!({"message": message(), "saveToSentItems": false})).await;
    assert_eq!(s.all(&format!("/users/{}/mailFolders/sentitems/messages", encode(&mailbox))).await.len(), 1);
    assert_eq!(s.tenant.sent_mail().len(), 2);
}

#[tokio::test]
async fn invalid_mail_is_refused() {
    let s = TestTenant::small().await;
    let url = format!("/users/{}/sendMail", encode(&s.tenant.mailboxes()[0]));
    for (key, value, expected) in [
        ("toRecipients", json!([]), "ErrorInvalidRecipients"),
        ("toRecipients", json!([{"emailAddress": {"address": ""}}]), "ErrorInvalidRecipients"),
        ("toRecipients", json!([{"emailAddress": {"address": "unknown"}}]), "ErrorInvalidRecipients"),
        ("toRecipients", json!(["a@contoso.example"]), "BadRequest"),
        ("colour", json!("red"), "BadRequest"),
        ("attachments", json!([{"name": "a", "contentBytes": ""}]), "BadRequest"),
        (
            "internetMessageHeaders",
            json!([{"name": "Subject", "value": "x"}]),
            "InvalidInternetMessageHeader",
        ),
    ] {
        let mut broken = message();
        broken[key] = value;
        let (status, answer) = s.post(&url, json!({"message": broken})).await;
        assert_eq!((status, code(&answer)), (400, expected), "{key}");
    }
    let text =
        s.http.post(s.tenant.graph_url().to_owned() + &url).bearer_auth(&s.token).body("{}").send().await;
    assert_eq!(text.unwrap().status(), 415);
    assert!(s.tenant.sent_mail().is_empty());
}

#[tokio::test]
async fn request_over_four_megabytes_is_refused() {
    let s = TestTenant::small().await;
    let url = format!("/users/{}/sendMail", encode(&s.tenant.mailboxes()[0]));
    let mut large = message();
    large["attachments"] = json!([{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.bin",
        "contentBytes": STANDARD.encode(vec![0u8; 3 * 1024 * 1024])}]);
    let (status, answer) = s.post(&url, json!({"message": large})).await;
    assert_eq!((status, code(&answer)), (413, "RequestEntityTooLarge"));
    assert!(s.tenant.sent_mail().is_empty());
}

#[tokio::test]
async fn large_mail_is_sent_by_draft_and_upload() {
    const RANGE: usize = 4 * 1024 * 1024 - 327_680;
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let user = encode(&mailbox);
    let mut draft = message();
    draft["singleValueExtendedProperties"] =
        json!([{"id": "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Call", "value": "call-7"}]);
    let (status, draft) = s.post(&format!("/users/{user}/messages"), draft).await;
    assert_eq!((status, &draft["isDraft"]), (201, &json!(true)));
    let id = draft["id"].as_str().unwrap();
    let base = format!("/users/{user}/messages/{}", encode(id));

    let small =
        json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "s.txt", "contentBytes": "aGk="});
    assert_eq!(s.post(&format!("{base}/attachments"), small).await.0, 201);

    let content: Vec<u8> = (0..9_000_000u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    let session =
        |size: usize| json!({"AttachmentItem": {"attachmentType": "file", "name": "big.bin", "size": size}});
    let create = format!("{base}/attachments/createUploadSession");
    assert_eq!(
        code(&s.post(&create, session(1_000)).await.1),
        "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"
    );
    let (status, answer) = s.post(&create, session(content.len())).await;
    assert_eq!((status, &answer["nextExpectedRanges"]), (201, &json!(["0-"])));
    let upload = answer["uploadUrl"].as_str().unwrap();
    assert!(!upload.starts_with(s.tenant.graph_url()));

    let put = |first: usize, last: usize, token: bool| {
        let mut request = s
            .http
            .put(upload)
            .header("Content-Range", format!("bytes {first}-{last}/{}", content.len()))
            .body(content[first..=last].to_vec());
        if token {
            request = request.bearer_auth(&s.token);
        }
        async { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(put(0, RANGE - 1, true).await, 401);
    assert_eq!(put(RANGE, 2 * RANGE - 1, false).await, 416);
    assert_eq!(put(0, 4 * 1024 * 1024, false).await, 413);
    assert_eq!(put(0, RANGE - 1, false).await, 200);
    assert_eq!(put(0, RANGE - 1, false).await, 416, "a range that is there already");
    let progress: Value = s.http.get(upload).send().await.unwrap().json().await.unwrap();
    assert_eq!(progress["nextExpectedRanges"], json!([RANGE.to_string()]));
    s.tenant.faults().next(1, Target::Upload, Fault::Status(503, RetryAfter::Absent));
    assert_eq!(put(RANGE, 2 * RANGE - 1, false).await, 503);
    assert_eq!(put(RANGE, 2 * RANGE - 1, false).await, 200);
    assert_eq!(put(2 * RANGE, content.len() - 1, false).await, 201);

    let answer = s.request(Method::POST, &format!("{base}/send"), None).await;
    assert_eq!(answer.status(), 202);
    let sent = s.tenant.sent_mail().remove(0);
    assert_eq!(
        sent.attachments.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
        ["s.txt", "big.bin"]
    );
    assert_eq!(sent.attachments[1].bytes(), content);
    assert_eq!(s.post(&format!("{base}/send"), json!({})).await.0, 404, "the draft is gone");
    assert!(s.all(&format!("/users/{user}/mailFolders/drafts/messages")).await.is_empty());

    // The property shows whether a send whose response was lost was carried out.
    let filter = |value: &str| {
        encode(&format!(
            "singleValueExtendedProperties/Any(ep: ep/id eq 'String {{66f5a359-4659-4830-9070-00047ec6ac6e}} Name \
             Call' and ep/value eq '{value}')"
        ))
    };
    for (value, count) in [("call-7", 1), ("call-8", 0)] {
        let url = format!("/users/{user}/mailFolders/sentitems/messages?$filter={}", filter(value));
        assert_eq!(s.all(&url).await.len(), count);
    }
}

#[tokio::test]
async fn sending_a_non_draft_is_refused() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let url = format!("/users/{}/messages/{}/send", encode(&mailbox), encode(&id));
    assert_eq!(s.post(&url, json!({})).await.0, 403);
}

//! `exchange_online_send_message`, for mails that fit into one request.

use sandbox::soar::rest::Failure;
use serde_json::{Value, json};

use crate::functions::common::{Fault, Fixture, INCIDENT, Owner, RetryAfter, SOON, SendMessage, Target};
use crate::functions::front::Front;

fn to(fixture: &Fixture, recipients: &str) -> Value {
    json!({
        "exo_email_address": fixture.mailbox(0), "exo_recipients": recipients,
        "exo_message_subject": "Subject \"é\"", "exo_message_body": {"format": "html", "content": "<b>Body</b>"},
    })
}

async fn attach(fixture: &Fixture, name: &str, content_type: &str, bytes: &[u8]) {
    let owner = Owner::Incident(INCIDENT);
    fixture.sandbox.soar.rest.add_attachment(owner, name, content_type, bytes).await.unwrap();
}

#[tokio::test]
async fn mail_is_one_request() {
    let mut fixture = Fixture::new().await;
    let front = Front::before(&mut fixture).await;
    let results = fixture.done(SendMessage, to(&fixture, "a@b.example, , c@d.example ,")).await;
    assert_eq!(results["content"], json!({"value": true, "failed_attachments": null}));
    assert_eq!(front.lines(), [format!("POST /users/{}/sendMail", fixture.mailbox(0))]);
    let expected = json!({
        "message": {
            "subject": "Subject \"é\"",
            "body": {"contentType": "HTML", "content": "<b>Body</b>"},
            "toRecipients": [
                {"emailAddress": {"address": "a@b.example"}}, {"emailAddress": {"address": "c@d.example"}},
            ],
            "singleValueExtendedProperties": [{
                "id": "String {8f7c1e52-6d0b-4c3a-a5c9-2b1f0e9d7a46} Name fn-exchange-online-call",
                "value": fixture.context.call.reference().to_string(),
            }],
        },
        "saveToSentItems": true,
    });
    assert_eq!(front.the("/sendMail").json(), expected);
    let sent = fixture.graph().sent_mail();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].html && sent[0].saved_to_sent_items);
    assert_eq!(fixture.status_messages(), [format!("Sending a message from {}", fixture.mailbox(0))]);
}

#[tokio::test]
async fn mail_without_recipients_is_refused() {
    let fixture = Fixture::new().await;
    for recipients in [" , ,", ","] {
        let error = fixture.failed(SendMessage, to(&fixture, recipients)).await;
        assert!(error.contains("\"exo_recipients\" holds no address"), "{error}");
    }
    assert_eq!(fixture.graph().counters().token_requests, 0);
}

#[tokio::test]
async fn attachments_are_sent_and_missing_ones_named() {
    let mut fixture = Fixture::new().await;
    let front = Front::before(&mut fixture).await;
    attach(&fixture, "a.txt", "text/plain", b"alpha").await;
    attach(&fixture, "b.bin", "application/x-b", &[0, 159, 146, 150]).await;
    attach(&fixture, "not asked for", "text/plain", b"!").await;
    let mut inputs = to(&fixture, "a@b.example");
    inputs["incident_id"] = json!(INCIDENT);
    inputs["exo_attachment_names"] = json!("b.bin, nowhere.pdf ,, a.txt,A.TXT");
    let results = fixture.done(SendMessage, inputs).await;
    assert_eq!(results["content"], json!({"value": true, "failed_attachments": ["nowhere.pdf", "A.TXT"]}));
    let attachments = front.the("/sendMail").json()["message"]["attachments"].clone();
    let expected = json!([
        {"@odata.type": "#microsoft.graph.fileAttachment", "name": "b.bin", "contentType": "application/x-b",
         "contentBytes": "AJ+Slg=="},
        {"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentType": "text/plain",
         "contentBytes": "YWxwaGE="},
    ]);
    assert_eq!(attachments, expected);
}

#[tokio::test]
async fn attachments_with_same_name_are_all_sent() {
    let fixture = Fixture::new().await;
    attach(&fixture, "image001.png", "image/png", b"first").await;
    attach(&fixture, "image001.png", "image/png", b"second").await;
    let mut inputs = to(&fixture, "a@b.example");
    inputs["incident_id"] = json!(INCIDENT);
    inputs["exo_attachment_names"] = json!("image001.png");
    let results = fixture.done(SendMessage, inputs).await;
    assert_eq!(results["content"]["failed_attachments"], Value::Null);
    let sent = fixture.graph().sent_mail().remove(0);
    let contents: Vec<_> = sent.attachments.iter().map(sandbox::graph::Attachment::bytes).collect();
    assert_eq!(contents, [&b"first"[..], b"second"]);
}

#[tokio::test]
async fn attachment_name_may_contain_commas() {
    let fixture = Fixture::new().await;
    for name in ["Doe, Jane.pdf", "a,b,c", "Jane.pdf", "x"] {
        attach(&fixture, name, "text/plain", name.as_bytes()).await;
    }
    let mut inputs = to(&fixture, "a@b.example");
    inputs["incident_id"] = json!(INCIDENT);
    inputs["exo_attachment_names"] = json!("x, Doe, Jane.pdf ,a,b,c,Doe,, Jane.pdf");
    let results = fixture.done(SendMessage, inputs).await;
    assert_eq!(results["content"]["failed_attachments"], json!(["Doe"]));
    let sent = fixture.graph().sent_mail().remove(0);
    let names: Vec<_> = sent.attachments.iter().map(|attachment| attachment.name.as_str()).collect();
    assert_eq!(names, ["x", "Doe, Jane.pdf", "a,b,c", "Jane.pdf"]);
}

#[tokio::test]
async fn repeated_name_is_one_attachment() {
    let fixture = Fixture::new().await;
    attach(&fixture, "a.txt", "text/plain", b"alpha").await;
    let mut inputs = to(&fixture, "a@b.example");
    inputs["incident_id"] = json!(INCIDENT);
    inputs["exo_attachment_names"] = json!("a.txt, a.txt");
    let results = fixture.done(SendMessage, inputs).await;
    assert_eq!(results["content"]["failed_attachments"], Value::Null);
    assert_eq!(fixture.graph().sent_mail()[0].attachments.len(), 1);
}

#[tokio::test]
async fn unreadable_attachment_prevents_sending() {
    let fixture = Fixture::new().await;
    attach(&fixture, "a.txt", "text/plain", b"alpha").await;
    let mut inputs = to(&fixture, "a@b.example");
    inputs["exo_attachment_names"] = json!("a.txt");
    inputs["incident_id"] = json!(1);
    let error = fixture.failed(SendMessage, inputs.clone()).await;
    assert!(error.contains("incident 1"), "{error}");
    inputs["incident_id"] = json!(INCIDENT);
    fixture.sandbox.soar.rest.fail_next("/contents", 99, Failure::Status(403));
    fixture.failed(SendMessage, inputs).await;
    assert!(fixture.graph().sent_mail().is_empty());
    assert_eq!(fixture.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn unknown_sender_is_not_found() {
    let fixture = Fixture::new().await;
    let mut inputs = to(&fixture, "a@b.example");
    inputs["exo_email_address"] = json!("unknown@contoso.example");
    let results = fixture.run(SendMessage, inputs).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "ErrorInvalidUser");
    assert_eq!(results["reason"], "The mailbox unknown@contoso.example was not found (ErrorInvalidUser).");
}

#[tokio::test]
async fn invalid_recipient_fails_with_graphs_error() {
    let fixture = Fixture::new().await;
    let error = fixture.failed(SendMessage, to(&fixture, "\"not an\"@b.example")).await;
    assert!(error.contains("HTTP status 400, ErrorInvalidRecipients"), "{error}");
}

#[tokio::test]
async fn unsent_mail_is_sent_again() {
    for fault in [Fault::Status(429, SOON), Fault::Status(503, RetryAfter::Absent)] {
        let fixture = Fixture::new().await;
        fixture.graph().faults().next(2, Target::containing("sendMail"), fault);
        fixture.done(SendMessage, to(&fixture, "a@b.example")).await;
        assert_eq!(fixture.graph().sent_mail().len(), 1);
    }
}

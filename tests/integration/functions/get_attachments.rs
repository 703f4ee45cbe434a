//! `exchange_online_get_attachments`

use std::io::Read;

use sandbox::graph::{Attachment, MessageId, NewMessage};
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::functions::common::{Fault, Fixture, GetAttachments, INCIDENT, Owner, Target, empty, mail};
use graph::attachments::Sha256;

const STORE: &[(&str, &str)] = &[("attachments_zip_password", "infected & more")];

/// A mail with a file, a picture in its text, and a message that has a file of its own.
fn campaign() -> NewMessage {
    let inner = NewMessage {
        subject: "inner".to_owned(),
        message_id: MessageId::Own("<inner@evil.example>".to_owned()),
        body: "Pay at http://EVIL.example:80/pay, or not.".to_owned(),
        attachments: vec![Attachment::file("payload.iso", "application/octet-stream", "deep")],
        ..NewMessage::default()
    };
    NewMessage {
        body: "<p>Look: <a href=\"https://nam12.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example\
               %2Fa&amp;data=1\">here</a></p><img src=\"cid:logo\">"
            .to_owned(),
        attachments: vec![
            Attachment::file("page.html", "text/html", "<html>".repeat(20_000)),
            Attachment::file("logo.png", "image/png", "png").inline("logo"),
            Attachment::message(inner),
            Attachment::link("Budget.xlsx"),
        ],
        ..mail("Look at this")
    }
}

async fn fixture(options: &[(&str, &str)], message: NewMessage) -> (Fixture, Value) {
    let fixture = Fixture::configured(empty(1), options).await;
    let mailbox = fixture.mailbox(0);
    let id = fixture.put(&mailbox, message);
    (fixture, json!({"incident_id": INCIDENT, "exo_email_address": mailbox, "exo_messages_id": id}))
}

/// The names and contents of the incident's files.
async fn files(fixture: &Fixture) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for file in fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)) {
        files.push((file.name.clone(), file.bytes().await.unwrap()));
    }
    files
}

fn with(mut inputs: Value, name: &str, value: impl Into<Value>) -> Value {
    inputs[name] = value.into();
    inputs
}

#[tokio::test]
async fn content_has_hashes_and_urls_to_innermost_message() {
    let (fixture, inputs) = fixture(&[], campaign()).await;
    let results = fixture.done(GetAttachments, inputs).await;
    let content = &results["content"];
    let attachments = content["attachments"].as_array().unwrap();
    let kinds: Vec<_> = attachments.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["file", "file", "message", "link"]);
    assert_eq!((&attachments[0]["size"], &attachments[1]["is_inline"]), (&json!(120_000), &json!(true)));
    let inner = &attachments[2]["nested"];
    assert_eq!((&inner["subject"], &inner["message_id"]), (&json!("inner"), &json!("<inner@evil.example>")));
    assert_eq!(inner["attachments"][0]["name"], "payload.iso");
    let digests =
        ["<html>".repeat(20_000).as_str(), "png", "deep"].map(|text| Sha256::of(text.as_bytes()).to_string());
    assert_eq!(content["sha256"], json!(digests));
    assert_eq!(content["urls"], json!(["https://evil.example/a", "http://evil.example/pay"]));
    assert_eq!((&content["complete"], &content["stored"]), (&json!(false), &json!([])));
    assert_eq!(attachments[3]["unexamined"], "it is a link to a file in the cloud");
    let reason = results["reason"].as_str().unwrap();
    assert_eq!(reason, "Not looked at, or not completely: 1 attachment; each one says why.");
    fixture.assert_incident_untouched();
    let [read] = &fixture.trail()[..] else { panic!() };
    assert_eq!((&read["act"], &read["attachments"]), (&json!("read attachments"), &json!(4)));
}

#[tokio::test]
async fn one_request_lists_and_one_reads_each() {
    let (fixture, inputs) = fixture(&[], campaign()).await;
    fixture.done(GetAttachments, with(inputs, "exo_attachment_names", "page.html\ninner, missing.txt")).await;
    let asked = fixture.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(
        asked[0].contains("?$select=id,subject,internetMessageId,body&$expand=attachments(%24select"),
        "{asked:?}"
    );
    assert!(asked[1..].iter().all(|line| line.ends_with("/$value")));
}

#[tokio::test]
async fn files_are_stored_under_names_that_can_be_stored() {
    let attachments = vec![
        Attachment::file("../../etc/pass:wd.txt", "text/html", "one"),
        Attachment::file("a.pdf", "application/pdf", "two"),
        Attachment::file("A.PDF", "application/pdf", ""),
        Attachment::message(mail("con")),
        Attachment::link("cloud"),
    ];
    let (fixture, inputs) = fixture(&[], NewMessage { attachments, ..mail("files") }).await;
    let inputs = with(inputs, "exo_store_attachments", true);
    let results = fixture.done(GetAttachments, inputs.clone()).await;
    let stored = files(&fixture).await;
    let names: Vec<_> = stored.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["_.._.._etc_pass_wd.txt", "a.pdf", "A-2.PDF", "_con.eml"]);
    assert_eq!((&stored[0].1[..], &stored[2].1[..]), (&b"one"[..], &b""[..]));
    assert!(stored[3].1.starts_with(b"From: Eve"));
    let types = fixture.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
    let types: Vec<_> = types.iter().map(|file| file.content_type.as_str()).collect();
    assert_eq!(
        types,
        ["application/octet-stream"; 3].into_iter().chain(["message/rfc822"]).collect::<Vec<_>>()
    );
    assert_eq!(results["content"]["stored"][1], json!({"name": "a.pdf", "attachments": ["a.pdf"]}));
    assert_eq!(results["content"]["not_stored"][0]["name"], "cloud");
    let acts: Vec<_> = fixture.trail().iter().map(|line| line["act"].clone()).collect();
    assert_eq!(acts, ["read attachments", "attach file", "attach file", "attach file", "attach file"]);
}

#[tokio::test]
async fn files_are_stored_in_zip_with_password_where_a_setting_says_so() {
    let (fixture, inputs) = fixture(STORE, campaign()).await;
    let inputs = with(inputs, "exo_store_attachments", true);
    let results = fixture.done(GetAttachments, inputs).await;
    let stored = files(&fixture).await;
    let [(name, bytes)] = &stored[..] else { panic!("{} files", stored.len()) };
    assert_eq!(results["content"]["stored"][0]["name"], json!(name));
    assert!(name.starts_with("exo-attachments-") && name.contains(".zip"), "{name}");
    let mut archive = ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["page.html", "logo.png", "inner.eml"]);
    assert!(archive.by_index(0).is_err(), "there is a password");
    let mut content = Vec::new();
    archive.by_index_decrypt(0, b"infected & more").unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, "<html>".repeat(20_000).as_bytes());
    assert!(archive.by_index_decrypt(0, b"infected").is_err());
}

#[tokio::test]
async fn broken_download_is_stored_again_and_never_in_part() {
    let attachments = vec![Attachment::file("large.bin", "a/b", vec![b'x'; 300_000])];
    for options in [&[][..], STORE] {
        let (fixture, inputs) =
            fixture(options, NewMessage { attachments: attachments.clone(), ..mail("x") }).await;
        let content = || Target::containing("/$value");
        fixture.graph().faults().next(2, content(), Fault::CutBody);
        let inputs = with(inputs, "exo_store_attachments", true);
        fixture.done(GetAttachments, inputs).await;
        let stored = files(&fixture).await;
        assert_eq!(stored.len(), 1);
        if options.is_empty() {
            assert_eq!(stored[0].1.len(), 300_000);
        }
    }
}

#[tokio::test]
async fn repeated_call_stores_each_file_once() {
    for options in [&[][..], STORE] {
        let (mut fixture, inputs) = fixture(options, campaign()).await;
        let inputs = with(inputs, "exo_store_attachments", true);
        fixture.done(GetAttachments, inputs.clone()).await;
        let before = files(&fixture).await.len();
        fixture.context.call.prior_run = fn_exchange_online::functions::PriorRun::Likely;
        fixture.done(GetAttachments, inputs).await;
        assert_eq!(files(&fixture).await.len(), before, "{options:?}");
    }
}

#[tokio::test]
async fn incident_is_required_only_to_store() {
    let (fixture, mut inputs) = fixture(&[], campaign()).await;
    inputs.as_object_mut().unwrap().remove("incident_id");
    fixture.done(GetAttachments, inputs.clone()).await;
    let error = fixture.failed(GetAttachments, with(inputs, "exo_store_attachments", true)).await;
    assert!(error.contains("incident_id"), "{error}");
    assert!(fixture.asked().iter().all(|line| !line.contains("POST")));
}

#[tokio::test]
async fn message_that_is_gone_or_may_not_be_read_is_an_answer() {
    let (fixture, inputs) = fixture(&[("mailboxes_denied_reading", "*@contoso.example")], campaign()).await;
    let error = fixture.failed(GetAttachments, inputs).await;
    assert!(error.contains("mailboxes_denied_reading"), "{error}");
    assert_eq!(fixture.graph().counters().by_kind.get("get attachment content"), None);

    let (fixture, inputs) = self::fixture(&[], campaign()).await;
    let mailbox = inputs["exo_email_address"].as_str().unwrap().to_owned();
    let gone = fixture.graph().messages(&mailbox).remove(0).id.replace('A', "B");
    let results = fixture.run(GetAttachments, with(inputs, "exo_messages_id", gone)).await;
    assert!(results.is_err() || results.unwrap()["success"] == false);
}

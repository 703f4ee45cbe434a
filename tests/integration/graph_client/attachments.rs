//! Attachments are read as they arrive: names, sizes, digests, and the messages within messages.

use graph::attachments::{Kind, Limits, MessageAttachments, Sha256, Traits, Unexamined, Wanted};
use sandbox::graph::{Attachment, Fault, MessageId, NewMessage, Target, TenantOptions};

use crate::support::graph_tenant::TestTenant;

fn nested() -> NewMessage {
    let inner = NewMessage {
        subject: "inner".to_owned(),
        html: true,
        body: "<a href='https://Evil.example/deep'>x</a>".to_owned(),
        message_id: MessageId::Own("<inner@evil.example>".to_owned()),
        attachments: vec![Attachment::file("payload.iso", "application/octet-stream", "deep")],
        ..NewMessage::default()
    };
    NewMessage {
        subject: "outer".to_owned(),
        attachments: vec![Attachment::file("a.txt", "text/plain", "alpha"), Attachment::message(inner)],
        ..NewMessage::default()
    }
}

/// A tenant with one message that has attachments of all kinds; its mailbox and id.
async fn tenant(attachments: Vec<Attachment>) -> (TestTenant, String, String) {
    let fixture = TestTenant::new(TenantOptions { mailboxes: 1, ..TenantOptions::default() }).await;
    let mailbox = fixture.sandbox.graph.mailboxes().remove(0);
    let message = NewMessage { attachments, ..NewMessage::default() };
    let id = fixture.sandbox.graph.add_message(&mailbox, message).unwrap();
    (fixture, mailbox, id)
}

#[tokio::test]
async fn attachments_are_examined_with_those_of_nested_messages() {
    let page: Vec<u8> = b"<html>".iter().copied().cycle().take(300_000).collect();
    let (fixture, mailbox, message) = tenant(vec![
        Attachment::file("page.html", "text/html", page.clone()),
        Attachment::file("data.json", "application/json", "{}"),
        Attachment::file("empty.txt", "text/plain", ""),
        Attachment::message(nested()),
        Attachment::link("cloud"),
    ])
    .await;
    let client = fixture.client(&[]);
    let attachments = MessageAttachments { client: &client, mailbox: &mailbox, message: &message };
    let listed = attachments.list().await.unwrap();
    let kinds: Vec<_> = listed.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::File, Kind::File, Kind::File, Kind::Message, Kind::Link]);

    let files = attachments.examine(&listed, Wanted::Digests, Limits::default()).await;
    let digests: Vec<_> = files.iter().map(|file| file.sha256).collect();
    let [page, json, empty] = [Sha256::of(&page), Sha256::of(b"{}"), Sha256::of(b"")];
    assert_eq!(digests, [Some(page), Some(json), Some(empty), None, None]);
    assert_eq!((files[0].size, files[2].size), (Some(300_000), Some(0)));
    assert_eq!(files[4].unexamined, Some(Unexamined::Link));
    let outer = files[3].nested.as_ref().unwrap();
    assert_eq!(outer.attachments[0].sha256, Some(Sha256::of(b"alpha")));
    let inner = outer.attachments[1].nested.as_ref().unwrap();
    assert_eq!(inner.message_id.as_deref(), Some("<inner@evil.example>"));
    assert_eq!(inner.urls.urls, ["https://evil.example/deep"]);
    assert_eq!(inner.attachments[0].sha256, Some(Sha256::of(b"deep")));
    assert!(!files[3].is_incomplete());
    let traits = Traits::of(&files);
    assert_eq!(traits.names.len(), 8);
    assert_eq!(traits.digests.len(), 5);
    assert_eq!(
        (traits.urls, traits.unexamined),
        (vec!["https://evil.example/deep"], vec![("cloud", &Unexamined::Link)])
    );

    fixture.sandbox.graph.forget_requests();
    let files = attachments.examine(&listed, Wanted::Names, Limits::default()).await;
    assert_eq!(files[0].unexamined, Some(Unexamined::NotRequested));
    assert_eq!(files[3].nested.as_ref().unwrap().attachments[1].name, "inner");
    assert_eq!(fixture.sandbox.graph.counters().by_kind["get attachment content"], 1, "the message only");
}

#[tokio::test]
async fn limit_is_named_where_it_ends_the_reading() {
    let (fixture, mailbox, message) = tenant(vec![
        Attachment::message(nested()),
        Attachment::file("small", "a/b", vec![b'x'; 1_000]),
        Attachment::file("large", "a/b", vec![b'x'; 200_000]),
        Attachment::file("last", "a/b", "x"),
    ])
    .await;
    let client = fixture.client(&[]);
    let attachments = MessageAttachments { client: &client, mailbox: &mailbox, message: &message };
    let listed = attachments.list().await.unwrap();
    let unexamined = async |limits: Limits| -> Vec<_> {
        let files = attachments.examine(&listed, Wanted::Digests, limits).await;
        files.into_iter().map(|file| (file.is_incomplete(), file.unexamined)).collect()
    };
    let (done, too_deep) = ((false, None), (true, Some(Unexamined::TooDeep)));
    let none = Limits { depth: 0, ..Limits::default() };
    assert_eq!(unexamined(none).await, [too_deep, done.clone(), done.clone(), done.clone()]);
    let one = Limits { depth: 1, ..Limits::default() };
    assert_eq!(unexamined(one).await[0], (true, None), "a message within the message is not followed");
    let few = unexamined(Limits { bytes: 20_000, ..Limits::default() }).await;
    assert!(matches!(few[2], (true, Some(Unexamined::TooLarge(..20_000)))), "{few:?}");
    assert_eq!(few[3], done);
    let two = unexamined(Limits { attachments: 8, ..Limits::default() }).await;
    assert_eq!(two[3], (true, Some(Unexamined::TooMany)), "{two:?}");
}

#[tokio::test]
async fn file_that_cannot_be_read_says_why() {
    let files = ["one", "two", "three"].map(|text| Attachment::file(text, "text/html", text.repeat(40_000)));
    let (fixture, mailbox, message) = tenant(files.to_vec()).await;
    let client = fixture.client(&[("max_retries_total", "3")]);
    let attachments = MessageAttachments { client: &client, mailbox: &mailbox, message: &message };
    let listed = attachments.list().await.unwrap();
    let faults = fixture.sandbox.graph.faults();
    let content = || Target::containing("/$value");
    faults.next(1, content(), Fault::CutBody);
    faults.next(1, content(), Fault::Html);
    faults.next(1, content(), Fault::ErrorInside);
    let files = attachments.examine(&listed[..1], Wanted::Digests, Limits::default()).await;
    assert_eq!(
        files[0].sha256,
        Some(Sha256::of("one".repeat(40_000).as_bytes())),
        "a cut body is read again"
    );
    let refused = Fault::Refused(500, "ErrorMimeContentConversionFailed", "It failed.");
    faults.next(3, content(), refused);
    let files = attachments.examine(&listed, Wanted::Digests, Limits::default()).await;
    let Some(Unexamined::Failed(why)) = &files[0].unexamined else { panic!("{files:?}") };
    assert!(why.contains("ErrorMimeContentConversionFailed"), "{why}");
    assert!(files[1].sha256.is_some() && files[2].sha256.is_some());
}

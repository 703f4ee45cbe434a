//! Attachments: up and down, whole and as streams.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Multipart, Request};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use soar::{Attachment, Client, Content, Error, Target};
use tokio::sync::{Semaphore, mpsc};

use super::server::{self, Soar, soar};

/// A SOAR that answers an upload with a description of what it found in it.
async fn taking_files() -> (Soar, Client) {
    let take = || {
        post(|mut form: Multipart| async move {
            let mut parts = Vec::new();
            while let Some(part) = form.next_field().await.unwrap() {
                let (name, file) = (part.name().map(str::to_owned), part.file_name().map(str::to_owned));
                let kind = part.content_type().map(str::to_owned);
                parts.push(json!([name, file, kind, part.text().await.unwrap()]));
            }
            Json(json!([{"id": 9, "name": Value::from(parts).to_string(), "content_type": null}]))
        })
        .layer(DefaultBodyLimit::disable())
    };
    let router = soar()
        .route("/rest/orgs/201/incidents/7/attachments", take())
        .route("/rest/orgs/201/tasks/8/attachments", take());
    let soar = server::start(router).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    (soar, client)
}

fn parts(attachment: &Attachment) -> Value {
    serde_json::from_str(&attachment.name).unwrap()
}

#[tokio::test]
async fn attachment_has_name_type_and_empty_description() {
    let (soar, client) = taking_files().await;
    let attached = client
        .attach(Target::Incident(7), "a.txt", "text/plain", Content::bytes(&b"hello"[..]))
        .await
        .unwrap();
    assert_eq!(attached.id, 9);
    assert_eq!(
        parts(&attached),
        json!([["file", "a.txt", "text/plain", "hello"], ["description", null, null, ""]])
    );
    let head = &soar.seen("/incidents/7/attachments")[0].headers;
    assert!(head["content-type"].to_str().unwrap().starts_with("multipart/form-data; boundary="));
    assert!(head.contains_key("content-length"));
    let to_task = client.attach(Target::Task(8), "b", "text/plain", Content::bytes("")).await.unwrap();
    assert_eq!(parts(&to_task)[0], json!(["file", "b", "text/plain", ""]));
}

#[tokio::test]
async fn large_file_is_uploaded_complete() {
    let (_soar, client) = taking_files().await;
    let content: String =
        (0..1_000_000u32).map(|n| char::from(b'a' + u8::try_from(n % 26).unwrap())).collect();
    let whole = client.attach(Target::Incident(7), "f", "text/plain", Content::bytes(content.clone())).await;
    assert_eq!(parts(&whole.unwrap())[0][3], json!(content));
}

#[tokio::test]
async fn odd_file_names_arrive_and_break_nothing() {
    let (_soar, client) = taking_files().await;
    for (name, arrives) in [
        ("exo-query-results-2026-11-23T08:47:52.txt", "exo-query-results-2026-11-23T08:47:52.txt"),
        ("größe 大.eml", "größe 大.eml"),
        ("a\r\nX-Injected: 1\r\n\r\nb", "a__X-Injected: 1____b"),
        ("semi;colon=\"x", "semi;colon=\\\"x"),
        ("", "Unknown"),
    ] {
        let attached = client.attach(Target::Incident(7), name, "a/b", Content::bytes("x")).await.unwrap();
        let found = parts(&attached);
        let file = found[0][1].as_str().unwrap();
        // Whether the backslash before a quote is taken off is the server's matter.
        assert!(file == arrives || file == arrives.replace('\\', ""), "{file:?}");
        assert_eq!(found.as_array().unwrap().len(), 2);
    }
    let odd_type = client.attach(Target::Incident(7), "f", "a/b\r\nX: y", Content::bytes("x")).await.unwrap();
    assert_eq!(parts(&odd_type)[0][2], "application/octet-stream");
}

#[tokio::test]
async fn stream_is_uploaded_without_full_buffering() {
    // The source gives its second piece only after the server has the first, so the file is not read completely before.
    let arrived = Arc::new(Semaphore::new(0));
    let notify = Arc::clone(&arrived);
    let take = post(move |request: Request| async move {
        let mut body = request.into_body().into_data_stream();
        let mut bytes = 0;
        while let Some(piece) = body.next().await {
            bytes += piece.unwrap().len();
            notify.add_permits(1);
        }
        Json(json!({"id": 1, "name": bytes.to_string()}))
    });
    let soar = server::start(soar().route("/rest/orgs/201/incidents/7/attachments", take)).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    for length in [None, Some(30_000)] {
        let arrived = Arc::clone(&arrived);
        let pieces = stream::iter(0..3).then(move |n| {
            let arrived = Arc::clone(&arrived);
            async move {
                if n > 0 {
                    arrived.acquire().await.unwrap().forget();
                }
                Ok::<_, io::Error>(Bytes::from(vec![b'x'; 10_000]))
            }
        });
        let content = Content::stream(pieces, length);
        assert_eq!(content.length(), length);
        let attached = client.attach(Target::Incident(7), "m.eml", "message/rfc822", content).await.unwrap();
        assert!(attached.name.parse::<u32>().unwrap() > 30_000);
    }
    let seen = soar.seen("/attachments");
    assert!(!seen[0].headers.contains_key("content-length"));
    assert!(seen[1].headers.contains_key("content-length"));
}

#[tokio::test]
async fn failed_stream_leaves_no_attachment() {
    let (done, mut finished) = mpsc::unbounded_channel();
    let take = post(move |request: Request| async move {
        let whole = axum::body::to_bytes(request.into_body(), usize::MAX).await;
        done.send(whole.is_ok()).unwrap();
        Json(json!({"id": 1, "name": "x"}))
    });
    let soar = server::start(soar().route("/rest/orgs/201/incidents/7/attachments", take)).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    let failing = || stream::iter([Ok(Bytes::from("abc")), Err(io::Error::other("Graph broke off"))]);
    let short = || stream::iter([Ok::<_, io::Error>(Bytes::from("abc"))]);
    for (content, words) in [
        (Content::stream(failing(), None), "Graph broke off"),
        (Content::stream(failing(), Some(100)), "Graph broke off"),
        (Content::stream(short(), Some(100)), "it ended 97 bytes early"),
        (Content::stream(short(), Some(2)), "it is longer than was announced"),
    ] {
        let error = client.attach(Target::Incident(7), "f.eml", "a/b", content).await.unwrap_err();
        assert!(matches!(error, Error::Content { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!("cannot attach a file to incident 7: its content could not be read: {words}")
        );
        // Where the server had begun at all, it did not get a whole file.
        if let Ok(whole) = finished.try_recv() {
            assert!(!whole, "a broken file was taken for a whole one");
        }
    }
}

#[tokio::test]
async fn attachments_are_listed_plain_or_in_an_envelope() {
    let list = json!([
        {"id": 1, "name": "a.txt", "content_type": "text/plain", "size": 5, "more": 1},
        {"id": 2, "name": "b", "content_type": null},
    ]);
    let envelope = json!({"entities": list});
    let router = soar()
        .route("/rest/orgs/201/incidents/1/attachments", get(move || async { Json(list) }))
        .route("/rest/orgs/201/incidents/2/attachments", get(move || async { Json(envelope) }))
        .route("/rest/orgs/201/incidents/3/attachments", get(|| async { Json(json!([])) }));
    let soar = server::start(router).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    let first = client.attachments(Target::Incident(1)).await.unwrap();
    assert_eq!(
        first[0],
        Attachment {
            id: 1,
            name: "a.txt".into(),
            content_type: Some("text/plain".into()),
            size: Some(5),
            created: None
        }
    );
    assert_eq!((first[1].id, first[1].size), (2, None));
    assert_eq!(client.attachments(Target::Incident(2)).await.unwrap(), first);
    assert_eq!(client.attachments(Target::Incident(3)).await.unwrap(), []);
}

#[tokio::test]
async fn attachment_is_downloaded_as_stream() {
    let contents = get(|| async {
        Body::from_stream(stream::iter((0..100).map(|n| Ok::<_, io::Error>(Bytes::from(vec![n; 1000])))))
    });
    let cut = get(|| async {
        let pieces = [Ok(Bytes::from("abc")), Err(io::Error::other("cut"))];
        ([("content-length", "100")], Body::from_stream(stream::iter(pieces))).into_response()
    });
    let router: Router = soar()
        .route("/rest/orgs/201/incidents/7/attachments/1/contents", contents)
        .route("/rest/orgs/201/incidents/7/attachments/2/contents", cut);
    let soar = server::start(router).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    let pieces: Vec<Bytes> = client.open_attachment(7, 1).await.unwrap().try_collect().await.unwrap();
    let whole = pieces.concat();
    assert_eq!((whole.len(), whole[0], whole[99_999]), (100_000, 0, 99));
    let cut: Result<Vec<Bytes>, Error> =
        async { client.open_attachment(7, 2).await?.try_collect().await }.await;
    assert!(matches!(cut, Err(Error::Interrupted { .. })), "{cut:?}");
    let missing = client.open_attachment(7, 3).await.err().unwrap();
    assert_eq!(missing.status(), Some(404));
}

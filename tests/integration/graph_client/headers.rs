//! The headers of requests, as they arrive over HTTP/1.1.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use graph::{Client, Path, Request};
use serde_json::json;

use super::raw::{RawRequest, RawResponse, server};
use crate::support::permit::Permit;

const IMMUTABLE: &str = r#"IdType="ImmutableId""#;

fn message() -> Path {
    Path::message("a@x.example", None, "id").unwrap()
}

/// A client of a server that answers everything with `{}` or, for a batch, with a part for each part, and the
/// requests that it receives.
async fn recorded() -> (Client, Arc<Mutex<Vec<RawRequest>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let settings = server(&[], move |request: RawRequest| {
        let body = if request.line().contains("$batch") {
            let parts = request.parts();
            let parts = parts.iter().map(|part| json!({"id": part["id"], "status": 200, "body": {}}));
            json!({"responses": parts.collect::<Vec<_>>()})
        } else {
            json!({})
        };
        seen.lock().unwrap().push(request);
        std::future::ready(RawResponse::new(200, body.to_string()))
    })
    .await;
    (Client::new(&settings).unwrap(), requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_post_names_its_length_and_no_type() {
    let (client, requests) = recorded().await;
    let act = Permit::default();
    for action in ["permanentDelete", "send"] {
        client.send(&Request::post(message().then(action), Bytes::new(), &act)).await.unwrap();
    }
    client.send(&Request::post(message().then("move"), "{}".into(), &act)).await.unwrap();
    let requests = requests.lock().unwrap();
    for request in &requests[..2] {
        assert_eq!(request.header("content-length"), Some("0"), "{}", request.head);
        assert_eq!(request.header("content-type"), None, "{}", request.head);
    }
    assert_eq!(requests[2].header("content-length"), Some("2"));
    assert_eq!(requests[2].header("content-type"), Some("application/json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn outlook_requests_ask_for_immutable_ids() {
    let (client, requests) = recorded().await;
    let user = || Path::user("a@x.example").unwrap();
    let outlook = [
        message(),
        Path::messages("$a@x.example", Some("inbox")).unwrap(),
        user().then("calendar").then("events"),
        user().then("mailFolders"),
    ];
    let others = [user(), Path::users(), user().then("mailboxSettings").then("timeZone")];
    let count = outlook.len();
    for path in outlook.into_iter().chain(others) {
        client.send(&Request::get(path)).await.unwrap();
    }
    let text = r#"outlook.body-content-type="text""#;
    client.send(&Request::get(message()).preferring(text)).await.unwrap();
    let requests = requests.lock().unwrap();
    for (n, request) in requests.iter().enumerate().take(requests.len() - 1) {
        assert_eq!(request.header("prefer"), (n < count).then_some(IMMUTABLE), "{}", request.head);
    }
    assert_eq!(requests.last().unwrap().header("prefer"), Some(format!("{IMMUTABLE}, {text}").as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn immutable_id_preference_is_set_per_batch_part() {
    let (client, requests) = recorded().await;
    let (lane, act) = (client.bulk(), Permit::default());
    let deletion = Request::post(message().then("permanentDelete"), Bytes::new(), &act);
    for request in [Request::get(message()), Request::get(Path::users()), deletion] {
        client.send_by(&lane, &request).await.unwrap();
    }
    let parts: Vec<_> =
        requests.lock().unwrap().iter().map(|request| request.parts()[0]["headers"].clone()).collect();
    assert_eq!(parts[0], json!({"Prefer": IMMUTABLE}));
    assert!(parts[1].is_null(), "{}", parts[1]);
    assert_eq!(parts[2], json!({"Content-Type": "application/json", "Prefer": IMMUTABLE}));
}

#[tokio::test(flavor = "multi_thread")]
async fn older_id_is_retried_without_immutable_id_preference() {
    let settings = server(&[("max_retries_total", "0")], |request: RawRequest| {
        let refusal = json!({"error": {"code": "ErrorInvalidIdMalformed", "message": "Id is malformed."}});
        std::future::ready(match request.header("prefer") {
            Some(_) => RawResponse::new(400, refusal.to_string()),
            None => RawResponse::new(200, r#"{"id":"old"}"#),
        })
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let response = client.send(&Request::get(message())).await.unwrap();
    assert_eq!(response.body.unwrap().get(), r#"{"id":"old"}"#);
}

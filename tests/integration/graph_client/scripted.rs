//! Invalid responses, from a server that answers as a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use futures_util::future::join_all;
use graph::GraphSettings;
use graph::{CallTag, Client, Criteria, ErrorKind, FolderSearch, SearchScope, find_mail_folder, search};
use serde_json::{Value, json};
use uuid::Uuid;

use super::messages;
use crate::support::graph_tenant::settings_at;

/// A server on loopback that answers `answer(path and query, body)` and hands out tokens. `{root}` stands for its own
/// address.
async fn graph(
    answer: impl Fn(&str, &[u8]) -> (u16, Value) + Clone + Send + Sync + 'static,
) -> GraphSettings {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let own = root.clone();
    let respond = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let (status, json) = if uri.path() == "/token" {
            (200, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "T"}))
        } else {
            assert_eq!(headers[header::AUTHORIZATION], "Bearer T");
            answer(&uri.to_string(), &body)
        };
        let text = json.to_string().replace("{root}", &own);
        std::future::ready((
            StatusCode::from_u16(status).unwrap(),
            [(header::CONTENT_TYPE, "application/json")],
            text,
        ))
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(respond)).await });
    settings_at(&root, &[]).await
}

/// The requests of a batch.
fn requests(batch: &[u8]) -> Vec<Value> {
    let batch: Value = serde_json::from_slice(batch).unwrap();
    batch["requests"].as_array().unwrap().clone()
}

fn answered(request: &Value) -> Value {
    json!({"id": request["id"], "status": 200, "headers": {}, "body": {"url": request["url"]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn only_missing_batch_part_is_retried() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let left_out = Arc::new(AtomicBool::new(false));
    let settings = graph(move |_, batch| {
        let mut parts = requests(batch);
        counted.fetch_add(parts.len(), Ordering::Relaxed);
        parts.reverse();
        parts.retain(|part| {
            !part["url"].to_string().contains("user4") || left_out.swap(true, Ordering::Relaxed)
        });
        (200, json!({"responses": parts.iter().map(answered).collect::<Vec<_>>()}))
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let route = client.bulk();
    let asked: Vec<_> = (0..10).map(|n| messages(&format!("user{n}@x.example"))).collect();
    for (request, done) in
        asked.iter().zip(join_all(asked.iter().map(|request| client.send_by(&route, request))).await)
    {
        let body: Value = done.unwrap().response.parse().unwrap();
        assert_eq!(body["url"], request.path().as_str(), "each got its own answer");
    }
    assert_eq!(sent.load(Ordering::Relaxed), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_batch_is_sent_one_by_one() {
    let settings = graph(|path, _| match path {
        "/v1.0/$batch" => (400, json!({"error": {"code": "BadRequest", "message": "Invalid batch."}})),
        path if path.contains("user3") => {
            (400, json!({"error": {"code": "ErrorInvalidUser", "message": "No."}}))
        }
        path => (200, json!({"url": path})),
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let route = client.bulk();
    let asked: Vec<_> = (0..10).map(|n| messages(&format!("user{n}@x.example"))).collect();
    let done = join_all(asked.iter().map(|request| client.send_by(&route, request))).await;
    for (n, done) in done.into_iter().enumerate() {
        match done {
            Ok(_) => assert_ne!(n, 3),
            Err(failed) => {
                assert_eq!((n, failed.error.refusal().unwrap().code.as_str()), (3, "ErrorInvalidUser"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn part_without_an_object_is_retried() {
    let times = Arc::new(AtomicUsize::new(0));
    let settings = graph(move |_, batch| {
        let mut answer = answered(&requests(batch)[0]);
        let body =
            [json!("PGh0bWw+"), Value::Null, json!([1])].get(times.fetch_add(1, Ordering::Relaxed)).cloned();
        if let Some(body) = body {
            answer["body"] = body;
        }
        (200, json!({"responses": [answer]}))
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let request = messages("a@x.example");
    let done = client.send_by(&client.bulk(), &request).await.unwrap();
    assert!(done.repeated);
    let body: Value = done.response.parse().unwrap();
    assert_eq!(body["url"], request.path().as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn next_link_to_another_host_is_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let settings = graph(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        (200, json!({"value": [], "@odata.nextLink": "https://evil.example/v1.0/users?$skiptoken=1"}))
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let criteria = Criteria { subject: Some("x".to_owned()), ..Criteria::default() };
    let tenant = SearchScope::Tenant { prefix: String::new() };
    let error = search(&client, tenant, &criteria, 10, 10, |_| ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ForeignNextLink), "{error:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // In a mailbox it is that mailbox's failure, and named.
    let listed = SearchScope::Listed(vec!["a@x.example".to_owned()]);
    let found = search(&client, listed, &criteria, 10, 10, |_| ()).await.unwrap();
    assert!(matches!(found.mailboxes[0].failure.as_ref().unwrap().kind(), ErrorKind::ForeignNextLink));
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_next_links_end_at_the_bound() {
    let pages = Arc::new(AtomicUsize::new(0));
    let settings = graph(move |path, _| {
        let page = pages.fetch_add(1, Ordering::Relaxed);
        let list = if path.contains("users?") { "users" } else { "users/a@x.example/messages" };
        let next = format!("{list}?again={page}");
        (200, json!({"value": [], "@odata.nextLink": format!("{{root}}/v1.0/{next}")}))
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let criteria = Criteria { subject: Some("x".to_owned()), ..Criteria::default() };
    let listed = SearchScope::Listed(vec!["a@x.example".to_owned()]);
    let found = search(&client, listed, &criteria, 10, 10, |_| ()).await.unwrap();
    assert!(
        matches!(found.mailboxes[0].failure.as_ref().unwrap().kind(), ErrorKind::TooManyPages(_)),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_pages_of_tagged_messages_end_at_the_bound() {
    let pages = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pages);
    let settings = graph(move |_, _| {
        let page = counted.fetch_add(1, Ordering::Relaxed);
        let entries = vec![json!({"id": "m"}); 400];
        let next = format!("{{root}}/v1.0/users/a@x.example/messages?$skip={page}");
        (200, json!({"value": entries, "@odata.nextLink": next}))
    })
    .await;
    let found =
        CallTag::of(Uuid::nil()).find(&Client::new(&settings).unwrap(), "a@x.example", None, None).await;
    let error = found.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooManyListed(1000)), "{error:?}");
    assert_eq!(pages.load(Ordering::Relaxed), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn list_that_begins_again_is_not_read_twice() {
    for (entries, error) in
        [(json!([]), None), (json!([{"id": "f", "displayName": "F"}]), Some("a second time"))]
    {
        let pages = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pages);
        let settings = graph(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            let next = "{root}/v1.0/users/a@x.example/mailFolders/msgfolderroot/childFolders?$skip=1";
            (200, json!({"value": entries, "@odata.nextLink": next}))
        })
        .await;
        let found = find_mail_folder(&Client::new(&settings).unwrap(), "a@x.example", "Phishing").await;
        match error {
            None => assert_eq!(found.unwrap(), FolderSearch::Missing),
            Some(words) => assert!(found.unwrap_err().to_string().contains(words)),
        }
        assert_eq!(pages.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_with_too_many_tagged_messages_is_refused() {
    for (entries, is_answer) in [(1000, true), (1001, false)] {
        let mut settings =
            graph(move |_, _| (200, json!({"value": vec![json!({"id": "m"}); entries]}))).await;
        settings.max_retries = 0;
        let found =
            CallTag::of(Uuid::nil()).find(&Client::new(&settings).unwrap(), "a@x.example", None, None).await;
        match found {
            Ok(found) => assert!(is_answer && found.len() == entries),
            Err(error) => {
                assert!(!is_answer && matches!(error.kind(), ErrorKind::NotAnAnswer { .. }), "{error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn next_link_to_another_list_is_not_followed() {
    let criteria = Criteria { subject: Some("x".to_owned()), ..Criteria::default() };
    for (next, is_followed) in [
        ("users/a@x.example/messages?$skip=1", true),
        ("Users('a%40x.example')/Messages?$skip=1", true),
        ("users/00000000-0000-0000-0000-000000000001/messages?$skip=1", true),
        ("users/b@x.example/messages?$skip=1", false),
        ("users/a@x.example/mailFolders/inbox/messages?$skip=1", false),
        ("users/a@x.example/events?$skip=1", false),
        ("users?$skip=1", false),
        ("$batch", false),
        ("users/a@x.example/messages#/users/b@x.example/messages", true),
        ("users/a@x.example/messages/../../b@x.example/messages?$skip=1", false),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let settings = graph(move |_, _| match counted.fetch_add(1, Ordering::Relaxed) {
            0 => (200, json!({"value": [], "@odata.nextLink": format!("{{root}}/v1.0/{next}")})),
            _ => (200, json!({"value": []})),
        })
        .await;
        let listed = SearchScope::Listed(vec!["a@x.example".to_owned()]);
        let client = Client::new(&settings).unwrap();
        let found = search(&client, listed, &criteria, 10, 10, |_| ()).await.unwrap();
        let failure = found.mailboxes[0].failure.as_ref().map(graph::Error::kind);
        let is_foreign = matches!(failure, Some(ErrorKind::ForeignNextLink));
        assert_eq!((failure.is_none(), is_foreign), (is_followed, !is_followed), "{next}: {failure:?}");
        assert_eq!(asked.load(Ordering::Relaxed), if is_followed { 2 } else { 1 }, "{next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_were_not_asked_for_are_not_searched() {
    let settings = graph(|path, _| {
        assert!(path.contains("users?"), "{path}");
        let users =
            ["phil@x.example", "ceo@x.example"].map(|name| json!({"id": name, "userPrincipalName": name}));
        (200, json!({"value": users}))
    })
    .await;
    let criteria = Criteria { subject: Some("x".to_owned()), ..Criteria::default() };
    let tenant = SearchScope::Tenant { prefix: "PH".to_owned() };
    let error =
        search(&Client::new(&settings).unwrap(), tenant, &criteria, 10, 10, |_| ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FilterNotApplied), "{error:?}");
}

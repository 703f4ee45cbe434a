//! The length of empty requests, the rounds of a batch, and what takes time to become visible.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Body, Method, Version};
use sandbox::certificates::Certificates;
use sandbox::graph::{Fault, MailboxFault, NewMessage, Target, Tenant, TenantOptions};
use serde_json::{Value, json};

use super::setup::{TestTenant, encode, http_client, token};

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[tokio::test]
async fn empty_post_without_its_length_is_refused_over_http_1() {
    let certificates = Certificates::generate().unwrap();
    let options = TenantOptions { http1_only: true, ..TenantOptions::default() };
    let tenant = Tenant::start(options, &certificates).await.unwrap();
    let http = http_client(&certificates);
    let token = token(&tenant, &http).await;
    let planted = tenant.planted().remove(0);
    let message =
        format!("{}/users/{}/messages/{}", tenant.graph_url(), encode(&planted.mailbox), encode(&planted.id));
    let post = || http.post(format!("{message}/permanentDelete")).bearer_auth(&token);

    let refused = post().send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.version()), (411, Version::HTTP_11));
    assert!(refused.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(refused.text().await.unwrap().contains("must be chunked or have a content length"));
    assert!(tenant.deleted().is_empty());
    let request = tenant.requests().pop().unwrap();
    assert_eq!((request.status, request.mailbox.as_deref()), (Some(411), Some(planted.mailbox.as_str())));

    assert_eq!(post().header(CONTENT_LENGTH, 0).send().await.unwrap().status(), 204);
    let chunked = Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::new())]));
    assert_eq!(post().body(chunked).send().await.unwrap().status(), 404, "it was carried out before");
}

#[tokio::test]
async fn empty_post_needs_no_length_over_http_2() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let url = format!("/users/{}/messages/{}/permanentDelete", encode(&mailbox), encode(&id));
    assert_eq!(s.request(Method::POST, &url, None).await.status(), 204);
}

#[tokio::test]
async fn batch_runs_four_parts_at_a_time() {
    let s = TestTenant::small().await;
    let urls: Vec<String> = s.tenant.mailboxes()[..9]
        .iter()
        .map(|mailbox| format!("/users/{}/messages?$top=1", encode(mailbox)))
        .collect();
    s.tenant.faults().set_latency(milliseconds(100), Duration::ZERO);
    for (parts, rounds) in [(1, 1), (4, 1), (5, 2), (9, 3)] {
        let start = Instant::now();
        assert_eq!(s.batch(&urls[..parts]).await.0, 200);
        assert!(start.elapsed() >= milliseconds(100 * rounds), "{parts} parts");
    }
    s.tenant.faults().set_latency(Duration::ZERO, Duration::ZERO);
    let slow = s.tenant.mailboxes()[0].clone();
    assert!(s.tenant.fail_mailbox(&slow, MailboxFault::Slow(milliseconds(300))));
    let start = Instant::now();
    s.batch(&urls).await;
    assert!(start.elapsed() >= milliseconds(300), "the slowest part decides");
    s.tenant.faults().clear();
    s.tenant.faults().next(1, Target::containing("$top=1"), Fault::Delay(milliseconds(300)));
    let start = Instant::now();
    s.batch(&urls[1..]).await;
    assert!(start.elapsed() >= milliseconds(300));
}

#[tokio::test]
async fn parts_that_depend_on_each_other_take_their_time_in_turn() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_latency(milliseconds(100), Duration::ZERO);
    let chain = json!({"requests": [
        {"id": "1", "method": "GET", "url": "/users?$top=1"},
        {"id": "2", "method": "GET", "url": "/users?$top=1", "dependsOn": ["1"]},
        {"id": "3", "method": "GET", "url": "/users?$top=1", "dependsOn": ["2"]},
    ]});
    let start = Instant::now();
    assert_eq!(s.post("/$batch", chain).await.0, 200);
    assert!(start.elapsed() >= milliseconds(300));
}

#[tokio::test]
async fn search_index_lags_and_filter_does_not() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    s.tenant.faults().set_index_lag(Duration::from_secs(3600));
    let message = NewMessage {
        subject: "Zebra".to_owned(),
        from: sandbox::graph::Address::new("X", "x@y.example"),
        received: chrono::Utc::now(),
        html: false,
        body: String::new(),
        ..NewMessage::default()
    };
    s.tenant.add_message(&mailbox, message).unwrap();
    let messages = format!("/users/{}/messages", encode(&mailbox));
    let filter = format!("{messages}?$filter={}", encode("contains(subject,'Zebra')"));
    let search = format!("{messages}?$search={}", encode("\"subject:Zebra\""));
    assert_eq!((s.all(&filter).await.len(), s.all(&search).await.len()), (1, 0));
    s.tenant.faults().set_index_lag(Duration::ZERO);
    assert_eq!(s.all(&search).await.len(), 1);
}

#[tokio::test]
async fn new_draft_and_upload_session_can_be_unknown_for_a_time() {
    let s = TestTenant::small().await;
    let messages = format!("/users/{}/messages", encode(&s.tenant.mailboxes()[0]));
    let (_, draft) = s.post(&messages, json!({"subject": "x"})).await;
    let draft = format!("{messages}/{}", encode(draft["id"].as_str().unwrap()));
    let item = json!({"AttachmentItem": {"attachmentType": "file", "name": "a", "size": 2_097_152}});
    let create = format!("{draft}/attachments/createUploadSession");
    s.tenant.faults().set_visibility_lag(Duration::from_secs(3600));
    assert_eq!(s.post(&create, item.clone()).await.0, 404);
    s.tenant.faults().set_visibility_lag(Duration::ZERO);
    let (status, session) = s.post(&create, item).await;
    assert_eq!(status, 201);
    let upload = session["uploadUrl"].as_str().unwrap();
    s.tenant.faults().set_visibility_lag(Duration::from_secs(3600));
    assert_eq!(s.http.get(upload).send().await.unwrap().status(), 404);
    s.tenant.faults().set_visibility_lag(Duration::ZERO);

    // A range that the service loses is expected again.
    let put = async || {
        let request = s.http.put(upload).header("Content-Range", "bytes 0-2097151/2097152");
        let response = request.body(vec![0; 2_097_152]).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap_or_default())
    };
    s.tenant.faults().next(1, Target::Upload, Fault::RangeLost);
    let (status, progress) = put().await;
    assert_eq!((status, &progress["nextExpectedRanges"]), (202, &json!(["0"])));
    assert_eq!(put().await.0, 201);
}

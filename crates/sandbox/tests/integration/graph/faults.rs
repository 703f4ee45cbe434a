//! Faults on demand.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use sandbox::graph::{Fault, RetryAfter, Scope, Target, Throttling};
use serde_json::json;

use super::setup::{TestTenant, code, encode};

fn queries(s: &TestTenant) -> Vec<String> {
    let mailboxes = s.tenant.mailboxes();
    mailboxes.iter().map(|mailbox| format!("/users/{}/messages?$top=1", encode(mailbox))).collect()
}

#[tokio::test]
async fn throttled_share_of_parts_is_deterministic() {
    let s = TestTenant::small().await;
    let urls = queries(&s);
    let mut runs = Vec::new();
    for _ in 0..2 {
        s.tenant.faults().throttle(Some(Throttling {
            share: 0.3,
            scope: Scope::SubRequests,
            retry_after: RetryAfter::Decimal(0.25),
            times: 2,
        }));
        let mut refused = Vec::new();
        for round in 0..3 {
            let (status, answer) = s.batch(&urls[..20]).await;
            assert_eq!(status, 200);
            let throttled: Vec<_> =
                answer["responses"].as_array().unwrap().iter().filter(|part| part["status"] == 429).collect();
            for part in &throttled {
                assert_eq!(part["headers"]["retry-after"], "0.25");
                assert_eq!(part["body"]["error"]["code"], "TooManyRequests");
            }
            let mut ids: Vec<&str> = throttled.iter().map(|part| part["id"].as_str().unwrap()).collect();
            ids.sort_unstable();
            refused.push(ids.join(","));
            assert_eq!(ids.is_empty(), round == 2, "round {round}: {ids:?}");
        }
        assert_eq!(refused[0], refused[1]);
        runs.push(refused);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(s.tenant.counters().throttled > 0);
    s.tenant.faults().throttle(None);
}

#[tokio::test]
async fn short_pages_have_a_next_link() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_short_pages(true);
    let mailbox = s.phish().0;
    for (url, total) in [
        ("/users?$top=15".to_owned(), 64),
        (format!("/users/{}/messages?$top=15", encode(&mailbox)), s.tenant.messages(&mailbox).len()),
    ] {
        let (_, page) = s.get(&url).await;
        assert_eq!(page["value"].as_array().unwrap().len(), 8);
        assert!(page["@odata.nextLink"].is_string());
        assert_eq!(s.all(&url).await.len(), total);
    }
}

#[tokio::test]
async fn everything_can_be_throttled_for_a_time() {
    let s = TestTenant::small().await;
    let while_ = Duration::from_millis(900);
    s.tenant.faults().throttle_everything(
        while_,
        Scope::Everything,
        RetryAfter::Date(Duration::from_secs(2)),
    );
    let start = Instant::now();
    let answer = s.request(Method::GET, "/users", None).await;
    assert_eq!(answer.status(), 429);
    let date = answer.headers()["retry-after"].to_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc2822(date).is_ok(), "{date}");
    assert_eq!(s.batch(&queries(&s)[..2]).await.0, 429);
    while s.get("/users").await.0 == 429 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    assert!(start.elapsed() >= while_);
}

#[tokio::test]
async fn next_requests_fail_as_requested() {
    let s = TestTenant::small().await;
    let faults = s.tenant.faults();
    faults.next(2, Target::HttpRequest, Fault::Status(503, RetryAfter::Absent));
    let first = s.request(Method::GET, "/users", None).await;
    assert_eq!(first.status(), 503);
    assert!(!first.headers().contains_key("retry-after"));
    assert_eq!(s.get("/users").await.0, 503);
    assert_eq!(s.get("/users").await.0, 200);

    faults.next(1, Target::Batch, Fault::Status(504, RetryAfter::Seconds(7)));
    assert_eq!(s.get("/users").await.0, 200);
    assert_eq!(s.batch(&queries(&s)[..1]).await.0, 504);
    assert_eq!(s.batch(&queries(&s)[..1]).await.0, 200);

    let user = encode(&s.tenant.mailboxes()[1]);
    faults.next(
        1,
        Target::containing(format!("GET /users/{user}/messages")),
        Fault::Status(500, RetryAfter::Absent),
    );
    let (_, answer) = s.batch(&queries(&s)[..3]).await;
    for part in answer["responses"].as_array().unwrap() {
        assert_eq!(part["status"], if part["id"] == "1" { 500 } else { 200 });
    }
}

#[tokio::test]
async fn connections_and_responses_break() {
    let s = TestTenant::small().await;
    let faults = s.tenant.faults();
    let url = s.tenant.graph_url().to_owned() + "/users";
    faults.next(1, Target::HttpRequest, Fault::Close);
    assert!(s.http.get(&url).bearer_auth(&s.token).send().await.is_err());
    faults.next(1, Target::HttpRequest, Fault::CutBody);
    let cut = s.http.get(&url).bearer_auth(&s.token).send().await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
    faults.next(1, Target::HttpRequest, Fault::Html);
    let page = s.http.get(&url).bearer_auth(&s.token).send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
        (200, "text/html")
    );
    faults.next(1, Target::HttpRequest, Fault::BrokenJson);
    let broken = s.http.get(&url).bearer_auth(&s.token).send().await.unwrap().bytes().await.unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&broken).is_err());
    let (mailbox, id) = s.phish();
    let mime = format!("/users/{}/messages/{}/$value", encode(&mailbox), encode(&id));
    s.tenant.set_mime_bytes(&mailbox, &id, 1_000_000);
    faults.next(1, Target::HttpRequest, Fault::CutBody);
    assert!(s.request(Method::GET, &mime, None).await.bytes().await.is_err());
    assert_eq!(s.get("/users").await.0, 200);
    let statuses: Vec<Option<u16>> =
        s.tenant.requests().iter().skip(1).map(|request| request.status).collect();
    assert_eq!(statuses, [None, Some(200), Some(200), Some(200), Some(200), Some(200)]);
}

#[tokio::test]
async fn request_can_be_carried_out_and_throttled() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let url = format!("/users/{}/messages/{}", encode(&mailbox), encode(&id));
    let fault = Fault::DoneButStatus(429, RetryAfter::Seconds(1));
    s.tenant.faults().next(1, Target::containing("DELETE"), fault);
    let step = json!({"requests": [{"id": "1", "method": "DELETE", "url": url}]});
    let (_, answer) = s.post("/$batch", step.clone()).await;
    assert_eq!(answer["responses"][0]["status"], 429);
    assert_eq!(s.tenant.deleted().len(), 1);
    let (_, answer) = s.post("/$batch", step).await;
    assert_eq!(answer["responses"][0]["body"]["error"]["code"], "ErrorItemNotFound");
}

#[tokio::test]
async fn latency_delays_and_concurrency_is_counted() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_latency(Duration::from_millis(100), Duration::from_millis(150));
    let start = Instant::now();
    s.get("/users").await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    let urls = queries(&s);
    s.tenant.faults().gather(3);
    let start = Instant::now();
    join_all(urls.chunks(20).map(|chunk| s.batch(chunk))).await;
    assert!(start.elapsed() >= Duration::from_millis(250));
    assert_eq!(s.tenant.counters().most_batches, 3);
    assert_eq!(s.tenant.counters().most_in_one_mailbox, 1);

    s.tenant.faults().set_http_limit(Some(2));
    s.tenant.forget_requests();
    s.tenant.faults().gather(4);
    let answers = join_all((0..4).map(|_| s.get("/users"))).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 429).count(), 2);
    s.tenant.faults().set_http_limit(None);
    let mailbox = &urls[0];
    s.tenant.forget_requests();
    s.tenant.faults().gather(6);
    let answers = join_all((0..6).map(|_| s.get(mailbox))).await;
    let busy: Vec<_> = answers.iter().filter(|(status, _)| *status == 429).collect();
    assert_eq!(busy.len(), 2);
    assert_eq!(code(&busy[0].1), "ApplicationThrottled");
}

#[tokio::test]
async fn requests_are_recorded_with_their_mailbox() {
    let s = TestTenant::small().await;
    s.tenant.forget_requests();
    let mailbox = s.tenant.mailboxes()[11].clone();
    let url = format!("{}/users/{}/messages?$top=1", s.tenant.graph_url(), encode(&mailbox));
    let answer =
        s.http.get(url).bearer_auth(&s.token).header("client-request-id", "mine-1").send().await.unwrap();
    assert_eq!(answer.headers()["client-request-id"], "mine-1");
    assert_eq!(answer.headers()["request-id"].len(), 36);
    let request = s.tenant.requests().remove(0);
    assert_eq!((request.method.as_str(), request.status), ("GET", Some(200)));
    assert_eq!(request.client_request_id.as_deref(), Some("mine-1"));
    assert_eq!(request.mailbox.as_deref(), Some(mailbox.as_str()));
    assert_eq!(request.path_and_query, format!("/users/{}/messages?$top=1", encode(&mailbox)));
    assert_eq!(request.in_batch, None);
}

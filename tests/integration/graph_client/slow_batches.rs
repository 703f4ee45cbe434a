//! Batches whose parts take long: Outlook works on four parts at a time, and is silent until the last is done.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use graph::{Client, GraphSettings, Request};
use serde_json::{Value, json};

use super::messages;
use super::raw::{RawRequest, RawResponse, server};

/// The sizes of the batches that a server received, and how many requests came by themselves.
#[derive(Default)]
struct Received {
    batches: Vec<usize>,
    single: usize,
}

/// A server that waits before it answers a batch, as `delay` says for its parts, or answers it as `gateway` says.
async fn slow(
    options: &[(&str, &str)],
    delay: impl Fn(&[Value]) -> Duration + Send + Sync + 'static,
    gateway: impl Fn(&[Value]) -> Option<u16> + Send + Sync + 'static,
) -> (GraphSettings, Arc<Mutex<Received>>) {
    let received = Arc::new(Mutex::new(Received::default()));
    let seen = Arc::clone(&received);
    let settings = server(options, move |request: RawRequest| {
        let is_batch = request.line().contains("$batch");
        let parts = if is_batch { request.parts() } else { Vec::new() };
        if is_batch {
            seen.lock().unwrap().batches.push(parts.len());
        } else {
            seen.lock().unwrap().single += 1;
        }
        let (delay, status) = (delay(&parts), gateway(&parts));
        async move {
            tokio::time::sleep(delay).await;
            let answered = |part: &Value| json!({"id": part["id"], "status": 200, "body": {"id": "m"}});
            match status {
                Some(status) => RawResponse::new(status, "<html>"),
                None if !is_batch => RawResponse::new(200, r#"{"id":"m"}"#),
                None => {
                    let responses: Vec<_> = parts.iter().map(answered).collect();
                    RawResponse::new(200, json!({"responses": responses}).to_string())
                }
            }
        }
    })
    .await;
    (settings, received)
}

fn requests(count: usize) -> Vec<Request> {
    (0..count).map(|n| messages(&format!("user{n}@x.example"))).collect()
}

/// Sends all `requests` in batches. Each must succeed.
async fn send_all(settings: &GraphSettings, requests: &[Request]) {
    let client = Client::new(settings).unwrap();
    let lane = client.bulk();
    for (n, done) in
        join_all(requests.iter().map(|request| client.send_by(&lane, request))).await.into_iter().enumerate()
    {
        assert!(done.is_ok(), "user{n}: {:?}", done.err());
    }
}

fn is_stuck(parts: &[Value]) -> bool {
    parts.iter().any(|part| part["url"].as_str().unwrap().contains("/user3@"))
}

#[tokio::test]
async fn batch_may_take_the_timeout_once_for_each_round() {
    let rounds =
        |parts: &[Value]| Duration::from_millis(600) * u32::try_from(parts.len().div_ceil(4)).unwrap();
    let (settings, received) = slow(&[("timeout", "1"), ("max_retries_total", "0")], rounds, |_| None).await;
    send_all(&settings, &requests(20)).await;
    // Requests that arrive late travel in a batch of their own; a batch that timed out would be sent again.
    assert_eq!(received.lock().unwrap().batches.iter().sum::<usize>(), 20, "each request is sent once");
}

#[tokio::test]
async fn mailbox_that_makes_batches_fail_is_asked_alone() {
    for status in [502, 504] {
        let gateway = move |parts: &[Value]| (parts.len() > 1 && is_stuck(parts)).then_some(status);
        let (settings, received) = slow(&[("max_retries_total", "0")], |_| Duration::ZERO, gateway).await;
        send_all(&settings, &requests(20)).await;
        let received = received.lock().unwrap();
        assert_eq!(received.batches[0], 20, "{status}");
        assert!(received.batches[1..].iter().all(|size| *size <= 10), "{status}: {:?}", received.batches);
        assert!((1..=10).contains(&received.single), "{status}: {} alone", received.single);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mailbox_that_makes_batches_time_out_is_asked_alone() {
    let delay = |parts: &[Value]| {
        if parts.len() > 1 && is_stuck(parts) { Duration::from_secs(3600) } else { Duration::ZERO }
    };
    let options = [("timeout", "1"), ("max_retries_total", "0"), ("max_batched_requests", "8")];
    let (settings, received) = slow(&options, delay, |_| None).await;
    send_all(&settings, &requests(8)).await;
    let received = received.lock().unwrap();
    assert!(received.batches[0] == 8 && received.single >= 1, "{:?}", received.batches);
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_batches_shrink_without_losing_requests() {
    let gateway = |parts: &[Value]| (parts.len() > 5).then_some(504);
    let options = [("max_retries_total", "0"), ("max_concurrent_batches", "2")];
    let (settings, received) = slow(&options, |_| Duration::ZERO, gateway).await;
    send_all(&settings, &requests(200)).await;
    let received = received.lock().unwrap();
    let large = received.batches.iter().filter(|size| **size > 5).count();
    assert!(large <= received.batches.len() / 2, "{:?}", received.batches);
}

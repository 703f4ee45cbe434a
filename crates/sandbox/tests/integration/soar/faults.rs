//! Failures, latency and recorded requests.

use std::time::{Duration, Instant};

use sandbox::soar::INCIDENT;
use sandbox::soar::rest::Failure;

use super::{TestSoar, answer};
use crate::stomp_client::SOON;

#[tokio::test]
async fn requests_fail_as_often_as_requested() {
    let setting = TestSoar::new().await;
    setting.soar.rest.fail_next("/comments", 2, Failure::Status(503));
    assert_eq!(answer(setting.get("/rest/orgs/201")).await.0, 200);
    assert_eq!(answer(setting.note("x")).await.0, 503);
    assert_eq!(answer(setting.note("x")).await.0, 503);
    assert_eq!(answer(setting.note("x")).await.0, 200);
    assert_eq!(setting.soar.rest.notes(INCIDENT).len(), 1);
    setting.soar.rest.fail_next("", usize::MAX, Failure::Status(500));
    assert_eq!(answer(setting.note("x")).await.0, 500);
    setting.soar.rest.heal();
    assert_eq!(answer(setting.note("x")).await.0, 200);
}

#[tokio::test]
async fn connection_can_break_before_or_after_a_request() {
    let setting = TestSoar::new().await;
    setting.soar.rest.fail_next("POST ", 1, Failure::CutBefore);
    assert!(setting.note("lost").send().await.is_err());
    assert!(setting.soar.rest.notes(INCIDENT).is_empty());
    setting.soar.rest.fail_next("POST ", 1, Failure::CutAfter);
    assert!(setting.note("kept").send().await.is_err());
    assert_eq!(setting.soar.rest.notes(INCIDENT).len(), 1);
    let requests = setting.soar.rest.requests();
    assert_eq!(requests.iter().map(|r| r.status).collect::<Vec<_>>(), [None, None]);
}

#[tokio::test]
async fn body_can_break_off() {
    let setting = TestSoar::new().await;
    setting.soar.rest.fail_next("POST ", 1, Failure::CutBody);
    let response = setting.note("kept").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    assert_eq!(setting.soar.rest.notes(INCIDENT).len(), 1);
}

#[tokio::test]
async fn latency_delays_responses() {
    let setting = TestSoar::new().await;
    setting.soar.rest.set_latency(Duration::from_millis(100));
    let since = Instant::now();
    answer(setting.get("/rest/const")).await;
    assert!(since.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn requests_are_recorded_without_credentials() {
    let setting = TestSoar::new().await;
    let request = setting.get("/rest/orgs/201/functions/x?handle_format=names").header("X-Mark", "y");
    assert_eq!(answer(request).await.0, 404);
    let requests = setting.soar.rest.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.status), ("GET", Some(404)));
    assert_eq!(request.path, "/rest/orgs/201/functions/x");
    assert_eq!(request.query, "handle_format=names");
    assert_eq!(request.headers["x-mark"], "y");
    assert!(!request.headers.contains_key("authorization"));
    assert!(setting.soar.rest.until(SOON, |rest| rest.requests().len() == 1).await);
}

#[tokio::test]
async fn request_that_is_at_work_while_requests_are_forgotten_is_answered() {
    let setting = TestSoar::new().await;
    setting.soar.rest.set_latency(Duration::from_millis(300));
    let request = tokio::spawn(answer(setting.get("/rest/const")));
    assert!(setting.soar.rest.until(SOON, |rest| rest.requests().len() == 1).await);
    setting.soar.rest.forget_requests();
    assert_eq!(request.await.unwrap().0, 200);
    assert!(setting.soar.rest.requests().is_empty());
    answer(setting.get("/rest/const")).await;
    let statuses: Vec<_> = setting.soar.rest.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(200)]);
}

//! Which requests are sent again, and when.

use std::time::{Duration, Instant};

use bytes::Bytes;
use graph::{ErrorKind, Path, Request};
use sandbox::graph::{Fault, RetryAfter, Target, TenantOptions};

use super::user;
use crate::support::graph_tenant::TestTenant;
use crate::support::permit::Permit;

/// The forms of `Retry-After`.
const WAITS: [RetryAfter; 4] = [
    RetryAfter::Seconds(1),
    RetryAfter::Decimal(0.25),
    RetryAfter::Date(Duration::from_secs(1)),
    RetryAfter::Absent,
];

#[tokio::test(flavor = "multi_thread")]
async fn throttled_request_waits_and_is_retried() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let request = user(&tenant.mailboxes()[0]);
    client.send(&request).await.unwrap();
    for status in [429, 503] {
        for wait in WAITS {
            tenant.faults().next(1, Target::HttpRequest, Fault::Status(status, wait));
            tenant.forget_requests();
            let started = Instant::now();
            client.send(&request).await.unwrap();
            let least = match wait {
                RetryAfter::Seconds(seconds) => Duration::from_secs(seconds),
                RetryAfter::Decimal(seconds) => Duration::from_secs_f64(seconds),
                // A date is precise to the second: it may be nearly over when it is read.
                RetryAfter::Date(_) | RetryAfter::Absent => Duration::from_millis(100),
            };
            assert!(started.elapsed() >= least, "{status} {wait:?}: after {:?}", started.elapsed());
            assert_eq!(tenant.counters().http_requests, 2, "{status} {wait:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn read_is_retried_after_any_invalid_response() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let request = user(&tenant.mailboxes()[0]);
    let whole = client.send(&request).await.unwrap().json().unwrap();
    for fault in [
        Fault::Status(500, RetryAfter::Absent),
        Fault::Status(502, RetryAfter::Absent),
        Fault::Status(504, RetryAfter::Absent),
        Fault::Close,
        Fault::CutBody,
        Fault::Html,
        Fault::BrokenJson,
    ] {
        tenant.faults().next(2, Target::HttpRequest, fault);
        tenant.forget_requests();
        let answer = client.send(&request).await.unwrap();
        assert_eq!(answer.json().unwrap().get(), whole.get(), "{fault:?}");
        assert_eq!(tenant.counters().http_requests, 3, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn post_with_unknown_outcome_is_not_retried() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let mailbox = &tenant.mailboxes()[0];
    let mail = Bytes::from(format!(
        r#"{{"message":{{"subject":"once","body":{{"contentType":"HTML","content":"x"}},
            "toRecipients":[{{"emailAddress":{{"address":"{mailbox}"}}}}]}},"saveToSentItems":true}}"#
    ));
    let act = Permit::default();
    let path = Path::user(mailbox).unwrap().then("sendMail");
    let request = Request::post(path, mail, &act).in_mailbox(mailbox);
    for fault in [
        Fault::DoneButStatus(504, RetryAfter::Absent),
        Fault::Status(500, RetryAfter::Absent),
        Fault::Close,
        Fault::Html,
    ] {
        tenant.faults().next(1, Target::containing("sendMail"), fault);
        tenant.forget_requests();
        client.send(&request).await.unwrap_err();
        assert_eq!(tenant.counters().http_requests, 1, "{fault:?}");
    }
    assert_eq!(tenant.sent_mail().len(), 1, "only the one that was done and then answered 504");
    // Throttled is refused, not lost.
    tenant.faults().next(1, Target::containing("sendMail"), Fault::Status(429, RetryAfter::Absent));
    client.send(&request).await.unwrap();
    assert_eq!(tenant.sent_mail().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn last_error_is_returned_after_max_retries_total() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let request = user(&tenant.mailboxes()[0]);
    for (setting, requests) in [("0", 1), ("3", 4)] {
        let client = fixture.client(&[("max_retries_total", setting)]);
        tenant.faults().clear();
        tenant.faults().next(100, Target::HttpRequest, Fault::Status(503, RetryAfter::Absent));
        tenant.forget_requests();
        let error = client.send(&request).await.unwrap_err();
        assert_eq!(error.refusal().unwrap().status, 503);
        assert!(error.to_string().contains("serviceNotAvailable"), "{error}");
        assert_eq!(tenant.counters().http_requests, requests);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_is_not_retried() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let request = user(&tenant.mailboxes()[0]);
    for status in [400, 403, 404, 413] {
        tenant.faults().next(1, Target::HttpRequest, Fault::Status(status, RetryAfter::Absent));
        tenant.forget_requests();
        let error = client.send(&request).await.unwrap_err();
        assert_eq!(error.refusal().unwrap().status, status);
        assert_eq!(tenant.counters().http_requests, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_graph_times_out() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[("timeout", "1"), ("max_retries_total", "1")]);
    let request = user(&tenant.mailboxes()[0]);
    client.send(&request).await.unwrap();
    tenant.faults().next(2, Target::HttpRequest, Fault::Delay(Duration::from_secs(60)));
    let started = Instant::now();
    let error = client.send(&request).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(matches!(error.kind(), ErrorKind::Unreachable { sent: true, .. }), "{error:?}");
    assert!(error.to_string().contains("time ran out"), "{error}");
    // Once is nothing: it is sent again.
    tenant.faults().next(1, Target::HttpRequest, Fault::Delay(Duration::from_secs(60)));
    client.send(&request).await.unwrap();
}

//! Requests in batches.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use graph::{Path, Request};
use sandbox::graph::{Fault, RecordedRequest, RetryAfter, Scope, Target, TenantOptions, Throttling};
use serde_json::Value;

use super::messages;
use crate::support::graph_tenant::TestTenant;

/// How often each sub-request was answered 200.
pub(crate) fn successes(requests: &[RecordedRequest]) -> HashMap<String, usize> {
    let mut times = HashMap::new();
    for request in requests.iter().filter(|request| request.status == Some(200) && request.mailbox.is_some())
    {
        *times.entry(request.path_and_query.clone()).or_default() += 1;
    }
    times
}

/// A tenant without HTTP/2, for which all requests of a large piece of work travel in batches.
pub(crate) fn http1(mailboxes: usize) -> TenantOptions {
    TenantOptions { mailboxes, http1_only: true, ..TenantOptions::default() }
}

/// On one thread, so that all requests are there before the first batch is made.
#[tokio::test]
async fn requests_share_batches_of_the_configured_size() {
    let fixture = TestTenant::new(http1(50)).await;
    let tenant = &fixture.sandbox.graph;
    let requests: Vec<_> = tenant.mailboxes().iter().take(45).map(|mailbox| messages(mailbox)).collect();
    for (setting, batches, single) in [("20", 3, 0), ("7", 7, 0), ("1", 0, 45)] {
        let client = fixture.client(&[("max_batched_requests", setting)]);
        tenant.forget_requests();
        let route = client.bulk();
        try_join_all(requests.iter().map(|request| client.send_by(&route, request))).await.unwrap();
        let counters = tenant.counters();
        assert_eq!((counters.batches, counters.http_requests), (batches, batches + single), "{setting}");
        assert_eq!(counters.by_kind["list messages"], 45, "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_any_order_reach_their_callers() {
    let fixture = TestTenant::new(http1(50)).await;
    let client = fixture.client(&[]);
    let mailboxes = fixture.sandbox.graph.mailboxes();
    let requests: Vec<_> =
        mailboxes.iter().map(|mailbox| Request::get(Path::user(mailbox).unwrap())).collect();
    let route = client.bulk();
    let done = try_join_all(requests.iter().map(|request| client.send_by(&route, request))).await.unwrap();
    for (mailbox, done) in mailboxes.iter().zip(done) {
        let user: Value = done.response.parse().unwrap();
        assert_eq!(user["userPrincipalName"], mailbox.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_failed_parts_are_retried() {
    let fixture = TestTenant::new(http1(200)).await;
    let tenant = &fixture.sandbox.graph;
    let throttling =
        Throttling { share: 0.3, scope: Scope::SubRequests, retry_after: RetryAfter::Decimal(0.1), times: 2 };
    tenant.faults().throttle(Some(throttling));
    let client = fixture.client(&[]);
    let requests: Vec<_> = tenant.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    let route = client.bulk();
    try_join_all(requests.iter().map(|request| client.send_by(&route, request))).await.unwrap();
    let times = successes(&tenant.requests());
    assert_eq!(times.len(), 200);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    let counters = tenant.counters();
    assert!(counters.throttled > 60, "{counters:?}");
    assert_eq!(counters.sub_requests, 200 + counters.throttled);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_failed_batch_are_retried() {
    let fixture = TestTenant::new(http1(50)).await;
    let tenant = &fixture.sandbox.graph;
    let requests: Vec<_> = tenant.mailboxes().iter().take(20).map(|mailbox| messages(mailbox)).collect();
    for fault in [
        Fault::Status(429, RetryAfter::Decimal(0.2)),
        Fault::Status(503, RetryAfter::Absent),
        Fault::Status(500, RetryAfter::Absent),
        Fault::Status(502, RetryAfter::Absent),
        Fault::Status(504, RetryAfter::Absent),
        Fault::Status(400, RetryAfter::Absent),
        Fault::Close,
        Fault::CutBody,
        Fault::Html,
        Fault::BrokenJson,
    ] {
        let client = fixture.client(&[]);
        tenant.faults().next(1, Target::Batch, fault);
        let route = client.bulk();
        let done = join_all(requests.iter().map(|request| client.send_by(&route, request))).await;
        for done in done {
            assert!(done.is_ok(), "{fault:?}: {:?}", done.err());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_part_does_not_affect_others() {
    let fixture = TestTenant::new(http1(50)).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let without_mailbox: Vec<_> = tenant
        .users()
        .into_iter()
        .filter(|user| !user.has_mailbox)
        .map(|user| user.user_principal_name)
        .collect();
    let all: Vec<_> =
        without_mailbox.iter().cloned().chain(tenant.mailboxes().into_iter().take(10)).collect();
    let requests: Vec<_> = all.iter().map(|mailbox| messages(mailbox)).collect();
    let route = client.bulk();
    let done = join_all(requests.iter().map(|request| client.send_by(&route, request))).await;
    for (mailbox, done) in all.iter().zip(done) {
        match done {
            Ok(_) => assert!(!without_mailbox.contains(mailbox)),
            Err(failed) => assert!(failed.error.is_no_mailbox(), "{}", failed.error),
        }
    }
    assert_eq!(tenant.counters().sub_requests, 13, "a missing mailbox is asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn mailbox_limit_holds_for_single_and_batched_requests() {
    let fixture = TestTenant::new(http1(50)).await;
    let tenant = &fixture.sandbox.graph;
    tenant.faults().set_latency(Duration::from_millis(20), Duration::ZERO);
    let client = fixture.client(&[]);
    let mailbox = &tenant.mailboxes()[0];
    // The same mailbox, written in other letters too.
    let requests = [messages(mailbox), messages(&mailbox.to_uppercase())];
    let (lane, other) = (client.bulk(), client.bulk());
    let batched = (0..60).map(|n| {
        let (client, request, route) = (&client, &requests[n % 2], if n % 3 == 0 { &lane } else { &other });
        async move { client.send_by(route, request).await.map(|_| ()).map_err(|failed| failed.error) }
    });
    let alone = (0..20).map(|n| {
        let (client, request) = (&client, &requests[n % 2]);
        async move { client.send(request).await.map(|_| ()) }
    });
    let (batched, alone) = tokio::join!(try_join_all(batched), try_join_all(alone));
    batched.unwrap();
    alone.unwrap();
    let counters = tenant.counters();
    assert!((2..=4).contains(&counters.most_in_one_mailbox) && counters.throttled == 0, "{counters:?}");
}

//! How many requests are at work at once, and how they travel.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use graph::{Path, Request};
use sandbox::graph::{Fault, Pace, RetryAfter, Target, TenantOptions};

use super::{ids, messages, phishing, planted, search_all, send_all};
use crate::support::graph_tenant::TestTenant;
use crate::support::permit::Permit;

pub(super) const PACE: Pace = Pace {
    round_trip: Duration::from_millis(5),
    median: Duration::from_millis(40),
    p99: Duration::from_millis(120),
    slow: None,
    users_page: Duration::from_millis(40),
};

/// A tenant that speaks HTTP/2, with a pace.
async fn tenant(mailboxes: usize) -> TestTenant {
    let fixture = TestTenant::new(TenantOptions { mailboxes, ..TenantOptions::default() }).await;
    fixture.sandbox.graph.faults().set_pace(Some(PACE));
    fixture
}

fn requests(fixture: &TestTenant) -> Vec<Request> {
    fixture.sandbox.graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_http2_go_wide_by_themselves() {
    let fixture = tenant(3000).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("timeout", "30")]);
    client.send(&requests(&fixture)[0]).await.unwrap();
    send_all(&client, &requests(&fixture)).await;
    let counters = graph.counters();
    assert!(counters.most_below_mailboxes > 128, "{counters:?}");
    assert!(counters.most_below_mailboxes <= 256 + 4, "{counters:?}");
    assert!(counters.sub_requests < 300, "{counters:?}");
    assert!(graph.connections() >= 3, "a connection carries 100 requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_http1_travel_in_batches() {
    let options = TenantOptions { mailboxes: 400, http1_only: true, ..TenantOptions::default() };
    let fixture = TestTenant::new(options).await;
    let client = fixture.client(&[]);
    send_all(&client, &requests(&fixture)).await;
    let counters = fixture.sandbox.graph.counters();
    assert_eq!(counters.sub_requests, 400);
    assert!((20..=22).contains(&counters.batches), "{counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_of_the_application_is_found_and_kept() {
    let fixture = tenant(600).await;
    let graph = &fixture.sandbox.graph;
    graph.faults().set_application_limit(Some(4));
    let client = fixture.client(&[("timeout", "30")]);
    search_all(&client, &phishing(), 1000).await;
    graph.forget_requests();
    let found = search_all(&client, &phishing(), 1000).await;
    assert_eq!(ids(&found), planted(graph));
    let counters = graph.counters();
    assert!(counters.throttled < 60, "one in ten: {counters:?}");
    let window = client.requests().borrow().window;
    assert!((3..=7).contains(&window), "{window}");
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_bounds_requests_at_work() {
    let fixture = tenant(300).await;
    for most in ["1", "7"] {
        fixture.sandbox.graph.forget_requests();
        let client = fixture.client(&[("max_concurrent_requests", most), ("timeout", "30")]);
        send_all(&client, &requests(&fixture)[..60]).await;
        let counters = fixture.sandbox.graph.counters();
        assert!(counters.most_below_mailboxes <= most.parse().unwrap(), "{counters:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_lone_request_does_not_stop_a_search() {
    let fixture = tenant(200).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let all = requests(&fixture);
    client.send(&all[0]).await.unwrap();
    graph.faults().next(1, Target::HttpRequest, Fault::Status(429, RetryAfter::Seconds(20)));
    let lone = tokio::spawn({
        let (client, request) = (client.clone(), all[0].clone());
        async move { client.send(&request).await }
    });
    assert!(graph.until(Duration::from_secs(20), |graph| graph.counters().throttled == 1).await);
    let started = Instant::now();
    send_all(&client, &all).await;
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    lone.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn lone_requests_overtake_a_search_under_a_low_limit() {
    let fixture = tenant(600).await;
    let graph = &fixture.sandbox.graph;
    graph.faults().set_application_limit(Some(4));
    let client = fixture.client(&[("timeout", "30")]);
    let all = requests(&fixture);
    let search = tokio::spawn({
        let (client, all) = (client.clone(), all.clone());
        async move { send_all(&client, &all).await }
    });
    let begun = |counters: sandbox::graph::Counters| counters.by_kind.get("list messages") >= Some(&200);
    assert!(graph.until(Duration::from_secs(60), |graph| begun(graph.counters())).await);
    let listed = || graph.counters().by_kind["list messages"];
    let mut waited = Vec::new();
    for request in &all[300..309] {
        let before = listed();
        client.send(request).await.unwrap();
        waited.push(listed() - before);
    }
    waited.sort_unstable();
    // One that is refused by the limit waits for a second.
    assert!(waited[4] <= 20, "{waited:?} requests went first");
    assert!(!search.is_finished());
    search.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_read_at_the_end_is_sent_a_second_time() {
    let fixture = tenant(300).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("timeout", "60")]);
    send_all(&client, &requests(&fixture)).await;
    graph.forget_requests();
    graph.faults().next(1, Target::HttpRequest, Fault::Delay(Duration::from_secs(50)));
    let started = Instant::now();
    send_all(&client, &requests(&fixture)).await;
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    // The first copy was given up, so it is not recorded.
    assert!(graph.counters().by_kind["list messages"] <= 300 + 8 + 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_change_is_not_sent_a_second_time() {
    let fixture = tenant(40).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("timeout", "60")]);
    send_all(&client, &requests(&fixture)).await;
    graph.faults().next(1, Target::containing("DELETE ".to_owned()), Fault::Delay(Duration::from_secs(3)));
    graph.forget_requests();
    let lane = client.bulk();
    let act = Permit::default();
    let deletions = planted(graph).into_iter().zip(graph.planted()).map(|(id, planted)| {
        let path = Path::message(&planted.mailbox, None, &id).unwrap();
        Request::delete(path, &act).in_mailbox(&planted.mailbox)
    });
    let deletions: Vec<_> = deletions.collect();
    try_join_all(deletions.iter().map(|request| client.send_by(&lane, request))).await.unwrap();
    assert_eq!(graph.counters().by_kind["delete message"], deletions.len() as u64);
}

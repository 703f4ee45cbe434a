//! How many batches there are at once, and how full they are.

use std::time::Duration;

use sandbox::graph::{RetryAfter, Scope, Throttling};

use super::{assert_nothing_done_twice, messages, phishing, planted, search_all, send_all, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_batches_match_the_setting() {
    let fixture = tenant(800).await;
    let graph = &fixture.sandbox.graph;
    let requests: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    for (setting, most) in [(None, 8), (Some("1"), 1), (Some("3"), 3)] {
        let mut options = vec![("timeout", "30")];
        options.extend(setting.map(|setting| ("max_concurrent_batches", setting)));
        graph.forget_requests();
        graph.faults().gather(most);
        send_all(&fixture.client(&options), &requests).await;
        let counters = graph.counters();
        assert_eq!(counters.most_batches, most, "{setting:?}");
        assert!((40..=42).contains(&counters.batches), "{} batches for 800 requests", counters.batches);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_do_not_lead_to_small_batches() {
    let fixture = tenant(1500).await;
    let graph = &fixture.sandbox.graph;
    for (share, wait) in [(0.05, RetryAfter::Seconds(1)), (0.3, RetryAfter::Decimal(0.5))] {
        let throttling = Throttling { share, scope: Scope::SubRequests, retry_after: wait, times: 2 };
        graph.faults().throttle(Some(throttling));
        graph.forget_requests();
        let found = search_all(&fixture.client(&[]), &phishing(), 1000).await;
        assert_eq!(super::ids(&found), planted(graph));
        assert_nothing_done_twice(graph);
        let counters = graph.counters();
        let least = counters.sub_requests.div_ceil(20);
        let batches = counters.batches;
        assert!(batches <= least + least / 5 + 2, "{share}: {batches} batches, {least} would have done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lone_request_is_sent_at_once() {
    let fixture = tenant(20).await;
    let graph = &fixture.sandbox.graph;
    graph.faults().set_latency(Duration::ZERO, Duration::from_millis(300));
    let client = fixture.client(&[]);
    let request = messages(&graph.mailboxes()[0]);
    send_all(&client, std::slice::from_ref(&request)).await;
    let mut quickest = u128::MAX;
    // The best of several: what else the machine does is not our wait.
    for _ in 0..5 {
        let started = std::time::Instant::now();
        send_all(&client, std::slice::from_ref(&request)).await;
        quickest = quickest.min(started.elapsed().as_millis());
    }
    assert!(quickest < 300 + 200, "{quickest} ms for a batch that takes 300");
}

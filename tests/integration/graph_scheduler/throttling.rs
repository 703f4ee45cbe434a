//! A Graph that throttles.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use graph::{ErrorKind, PARTS_AT_ONCE, RequestState};
use sandbox::graph::{Fault, RecordedRequest, RetryAfter, Scope, Target, Tenant, Throttling};
use tokio::time::timeout;

use super::{assert_nothing_done_twice, ids, messages, phishing, planted, search_all, send_all, tenant};

/// When each HTTP request for mailboxes came in, in order, and its status.
fn http_requests(graph: &Tenant) -> Vec<(Instant, Option<u16>)> {
    let is_batch = |request: &RecordedRequest| request.path_and_query.ends_with("$batch");
    let is_single = |request: &RecordedRequest| request.in_batch.is_none() && request.mailbox.is_some();
    let requests = graph.requests().into_iter().filter(|request| is_batch(request) || is_single(request));
    let mut requests: Vec<_> = requests.map(|request| (request.at, request.status)).collect();
    requests.sort_unstable();
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn two_throttled_batches_pause_until_their_retry_after() {
    let fixture = tenant(400).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("max_concurrent_batches", "1")]);
    send_all(&client, &[messages(&graph.mailboxes()[0])]).await;
    graph.forget_requests();
    graph.faults().next(2, Target::Batch, Fault::Status(429, RetryAfter::Seconds(1)));
    let requests: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    let (paused, ()) = tokio::join!(
        async {
            let mut state = client.requests();
            let paused =
                |state: &RequestState| state.paused_until.is_some_and(|until| until > Instant::now().into());
            timeout(Duration::from_secs(20), state.wait_for(paused)).await.is_ok()
        },
        send_all(&client, &requests)
    );
    assert!(paused, "the pause can be seen");
    let [(_, first), (second_at, second), (third_at, third)] = http_requests(graph)[..3] else { panic!() };
    assert_eq!([first, second, third], [Some(429), Some(429), Some(200)]);
    assert!(third_at - second_at >= Duration::from_secs(1), "{:?}", third_at - second_at);
    assert_nothing_done_twice(graph);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_shrinks_the_window_and_success_widens_it() {
    let fixture = tenant(2000).await;
    let graph = &fixture.sandbox.graph;
    graph.faults().set_latency(Duration::from_millis(50), Duration::ZERO);
    let client = fixture.client(&[]);
    let requests: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    send_all(&client, &requests[..1]).await;
    graph.faults().throttle_everything(Duration::from_secs(2), Scope::Everything, RetryAfter::Seconds(1));
    graph.forget_requests();
    send_all(&client, &requests).await;
    let sent = http_requests(graph);
    let throttled = sent.iter().filter(|(_, status)| *status == Some(429)).count();
    // All at once, and then one at a time.
    assert!((8..=8 + 3).contains(&throttled), "{throttled} were throttled");
    let [first, second] = [sent[throttled].0, sent[throttled + 1].0];
    assert!(second - first >= Duration::from_millis(50), "one goes first, and is waited for");
    // The window grows only while many requests wait, so one search alone may not be enough.
    let is_wide = || client.requests().borrow().window >= 8 * PARTS_AT_ONCE;
    for _ in 0..10 {
        if !is_wide() {
            send_all(&client, &requests).await;
        }
    }
    assert!(is_wide(), "{:?}", *client.requests().borrow());
    graph.forget_requests();
    graph.faults().gather(8);
    send_all(&client, &requests).await;
    assert!(graph.counters().most_http_requests >= 8, "all places are used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_mailboxes_do_not_delay_others() {
    let fixture = tenant(1000).await;
    let graph = &fixture.sandbox.graph;
    let throttling =
        Throttling { share: 0.05, scope: Scope::SubRequests, retry_after: RetryAfter::Seconds(5), times: 1 };
    graph.faults().throttle(Some(throttling));
    graph.faults().gather(8);
    let client = fixture.client(&[]);
    let requests: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    let started = Instant::now();
    send_all(&client, &requests).await;
    assert_nothing_done_twice(graph);
    let done_early = graph
        .requests()
        .into_iter()
        .filter(|request| request.status == Some(200) && request.mailbox.is_some())
        .filter(|request| request.at - started < Duration::from_secs(5))
        .count();
    let throttled = usize::try_from(graph.counters().throttled).unwrap();
    assert_eq!(done_early, 1000 - throttled, "all others are done before the first of these may come back");
    assert_eq!(graph.counters().most_batches, 8);
}

/// Searches while everything in `scope` is throttled for 30 s.
async fn wait_out(scope: Scope, retries: &str) {
    let fixture = tenant(1000).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("max_retries_total", retries)]);
    send_all(&client, &[messages(&graph.mailboxes()[0])]).await;
    graph.faults().set_pace(Some(super::window::PACE));
    graph.forget_requests();
    let started = Instant::now();
    graph.faults().throttle_everything(Duration::from_secs(30), scope, RetryAfter::Seconds(1));
    let found = search_all(&client, &phishing(), 1000).await;
    assert!(started.elapsed() > Duration::from_secs(30));
    assert_eq!(ids(&found), planted(graph));
    assert!(found.failures().all(|failure| failure.refusal().unwrap().status == 404));
    assert_nothing_done_twice(graph);
    let sent = http_requests(graph);
    let during = sent.iter().filter(|(at, _)| *at - started < Duration::from_secs(30)).count();
    let times: Vec<_> = sent.iter().map(|(at, _)| (*at - started).as_millis()).collect();
    // Eight batches, what is sent until it is clear that nothing is accepted, and one request after each pause.
    assert!(during <= 8 + 8 + 8, "{during} requests in the 30 s: {times:?}");
    let counters = graph.counters();
    assert!(counters.throttled <= 20 * 16 + 16, "{counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn general_throttling_is_waited_out_with_few_requests() {
    wait_out(Scope::Everything, "10").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_of_all_parts_is_waited_out_with_few_retries() {
    // Six waits of a request that is sent again and again are just 63 s; of 1,000 few are sent more than once.
    wait_out(Scope::Mailboxes, "6").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_throttling_ends_with_an_error_for_each_request() {
    let fixture = tenant(500).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("max_retries_total", "2")]);
    graph.faults().throttle_everything(Duration::from_secs(3600), Scope::Mailboxes, RetryAfter::Decimal(0.1));
    let requests: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    let route = client.bulk();
    let done = join_all(requests.iter().map(|request| client.send_by(&route, request))).await;
    let mut given_up = 0;
    for done in done {
        let error = done.unwrap_err().error;
        assert_eq!(error.refusal().unwrap().status, 429);
        given_up += usize::from(matches!(error.kind(), ErrorKind::GivenUp(_)));
    }
    assert!(given_up >= 300, "{given_up}");
    let sub_requests = graph.counters().sub_requests;
    assert!(sub_requests < 500, "{sub_requests} sub-requests were sent though none can succeed");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_batch_is_followed_by_a_batch() {
    let fixture = tenant(400).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    graph.faults().next(9, Target::Batch, Fault::Status(503, RetryAfter::Decimal(0.1)));
    let requests: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    send_all(&client, &requests).await;
    let accepted = graph.requests().into_iter().filter(|request| request.status == Some(200));
    let first = accepted.filter(|request| request.mailbox.is_some()).min_by_key(|request| request.at);
    assert!(first.unwrap().in_batch.is_some(), "{:?}", graph.counters());
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_with_a_low_limit_gets_few_requests_at_once() {
    let fixture = tenant(1000).await;
    let graph = &fixture.sandbox.graph;
    graph.faults().set_http_limit(Some(3));
    let client = fixture.client(&[]);
    let requests: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    send_all(&client, &requests).await;
    assert_nothing_done_twice(graph);
    let refused = http_requests(graph).iter().filter(|(_, status)| *status == Some(429)).count();
    // About 20. A client that does not know the limit has as many refused as are accepted.
    assert!(refused <= 60, "{refused} were refused");
}

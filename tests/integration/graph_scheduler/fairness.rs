//! Who goes when.

use std::time::Duration;

use futures_util::future::try_join_all;
use graph::{Client, Path, Request};
use sandbox::graph::{Counters, RetryAfter, Scope, Tenant};

use super::{messages, send_all, tenant};

const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a large piece of work and gives it time to fill the scheduler.
async fn begin(
    client: &Client,
    requests: Vec<Request>,
    graph: &Tenant,
    arrived: impl Fn(&Counters) -> bool,
) -> tokio::task::JoinHandle<()> {
    let client = client.clone();
    let work = tokio::spawn(async move { send_all(&client, &requests).await });
    let begun = graph.until(PATIENCE, |graph| arrived(&graph.counters())).await;
    assert!(begun, "the large piece of work does not begin");
    work
}

#[tokio::test(flavor = "multi_thread")]
async fn small_lane_finishes_before_an_earlier_large_one() {
    let fixture = tenant(1000).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("max_concurrent_batches", "2")]);
    let all: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    let few: Vec<_> = all[500..510].to_vec();
    let large = begin(&client, all, graph, |counters| counters.batches >= 2).await;
    let before = graph.counters().batches;
    send_all(&client, &few).await;
    let waited = graph.counters().batches - before;
    assert!(waited <= 6, "{waited} batches were answered until then");
    large.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_lanes_share_batches_evenly() {
    let fixture = tenant(1000).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("max_concurrent_batches", "2")]);
    let all: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    let (first, second) = (all[..500].to_vec(), all[500..].to_vec());
    let of_second: std::collections::HashSet<_> =
        second.iter().map(|request| request.path().as_str().to_owned()).collect();
    let large = begin(&client, first, graph, |counters| counters.batches >= 2).await;
    send_all(&client, &second).await;
    large.await.unwrap();
    // From the first batch that was composed again, and as long as both had something to send, no batch was one's
    // alone.
    let mut batches: std::collections::BTreeMap<u64, (usize, usize)> = std::collections::BTreeMap::new();
    for request in graph.requests().iter().filter(|request| request.mailbox.is_some()) {
        let (mine, all) = batches.entry(request.in_batch.unwrap()).or_default();
        *mine += usize::from(of_second.contains(&request.path_and_query));
        *all += 1;
    }
    let both: Vec<_> = batches.into_values().filter(|(mine, _)| *mine > 0).collect();
    assert_eq!(
        both.iter().skip(1).take(30).filter(|(mine, all)| (*mine, *all) != (10, 20)).count(),
        0,
        "{both:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn single_requests_overtake_a_tenant_search() {
    let fixture = tenant(600).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("max_concurrent_batches", "1")]);
    let mailboxes = graph.mailboxes();
    // Each mailbox five times: more than a mailbox may have at once.
    let all: Vec<_> = (0..5).flat_map(|_| mailboxes.iter().map(|mailbox| messages(mailbox))).collect();
    let large = begin(&client, all, graph, |counters| counters.batches >= 2).await;
    let before = graph.counters().batches;
    try_join_all(mailboxes[300..340].iter().map(|mailbox| {
        let (client, request) = (client.clone(), messages(mailbox));
        async move { client.send(&request).await }
    }))
    .await
    .unwrap();
    let waited = graph.counters().batches - before;
    assert!(waited <= 6, "{waited} batches were answered until then");
    assert!(!large.is_finished());
    large.await.unwrap();
    assert!(graph.counters().most_in_one_mailbox <= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn single_requests_overtake_a_long_deletion() {
    let fixture = tenant(20).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let mailbox = graph.mailboxes()[0].clone();
    let all: Vec<_> = (0..400).map(|_| messages(&mailbox)).collect();
    let large = begin(&client, all, graph, |counters| counters.batches >= 2).await;
    let before = graph.counters().sub_requests;
    client.send(&messages(&mailbox)).await.unwrap();
    let waited = graph.counters().sub_requests - before;
    assert!(waited <= 12, "{waited} requests to the mailbox went first");
    assert!(!large.is_finished());
    large.await.unwrap();
    let counters = graph.counters();
    assert!((2..=4).contains(&counters.most_in_one_mailbox) && counters.throttled == 0, "{counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn single_requests_do_not_wait_for_paused_batches() {
    let fixture = tenant(200).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let mailboxes = graph.mailboxes();
    client.send(&messages(&mailboxes[0])).await.unwrap();
    graph.faults().throttle_everything(Duration::from_secs(2), Scope::SubRequests, RetryAfter::Seconds(3));
    let all: Vec<_> = mailboxes.iter().map(|mailbox| messages(mailbox)).collect();
    let large = begin(&client, all, graph, |counters| counters.throttled > 0).await;
    for mailbox in &mailboxes {
        client.send(&messages(mailbox)).await.unwrap();
    }
    assert!(!large.is_finished());
    large.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_requests_are_not_sent() {
    let fixture = tenant(1000).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[("max_concurrent_batches", "1")]);
    let all: Vec<_> = graph.mailboxes().iter().map(|mailbox| messages(mailbox)).collect();
    let large = begin(&client, all, graph, |counters| counters.batches >= 2).await;
    large.abort();
    assert!(large.await.unwrap_err().is_cancelled());
    let stopped = graph.counters().batches;
    send_all(&client, &[messages(&graph.mailboxes()[999])]).await;
    let after = graph.counters().batches - stopped;
    assert!(after <= 3, "{after} batches went after the work was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_reaches_only_its_own_caller() {
    let fixture = tenant(40).await;
    let graph = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let mailboxes = graph.mailboxes();
    // A message that is not there.
    let missing =
        Request::get(Path::message(&mailboxes[0], None, "AAMkAGI2").unwrap()).in_mailbox(&mailboxes[0]);
    let lane = client.bulk();
    let others: Vec<_> = mailboxes.iter().map(|mailbox| messages(mailbox)).collect();
    let (missed, ()) = tokio::join!(client.send_by(&lane, &missing), send_all(&client, &others));
    assert!(missed.unwrap_err().error.refusal().is_some());
    // An id that is not understood is asked for in both forms.
    assert_eq!(graph.counters().sub_requests, 42);
}

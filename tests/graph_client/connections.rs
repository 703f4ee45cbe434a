//! Connections.

use std::time::Duration;

use fn_exchange_online::config::Trust;
use fn_exchange_online::graph::{Client, Error};
use fn_exchange_online::sandbox::graph::TenantOptions;
use futures_util::future::try_join_all;

use super::house::House;
use super::user;

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_a_row_and_side_by_side_share_one_http_2_connection() {
    let house = House::new(TenantOptions::default()).await;
    let tenant = &house.sandbox.graph;
    let client = house.client(&[]);
    let requests: Vec<_> = tenant.mailboxes().iter().map(|mailbox| user(mailbox)).collect();
    for request in requests.iter().take(10) {
        client.send(request).await.unwrap();
    }
    assert_eq!(tenant.connections(), 1, "the token came over it too");
    tenant.faults().set_latency(Duration::from_millis(200), Duration::ZERO);
    try_join_all(requests.iter().map(|request| client.send(request))).await.unwrap();
    assert_eq!(tenant.connections(), 1);
    assert_eq!(tenant.counters().most_http_requests, requests.len(), "they were at work all at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_nobody_vouches_for_is_refused_in_words_and_nothing_is_sent() {
    let house = House::new(TenantOptions::default()).await;
    let other = House::new(TenantOptions::default()).await;
    let tenant = &house.sandbox.graph;
    let stranger = other.sandbox.ca_file();
    let mut settings = house.settings(&[]).graph;
    settings.trust = Trust::SystemAnd(stranger);
    let client = Client::new(&settings).unwrap();
    let error = client.send(&user(&tenant.mailboxes()[0])).await.unwrap_err();
    let Error::Token(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("is not trusted"), "{error}");
    let counters = tenant.counters();
    assert_eq!((counters.token_requests, counters.http_requests), (0, 0));
}

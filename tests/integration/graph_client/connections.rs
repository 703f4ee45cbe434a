//! Connections.

use std::time::Duration;

use futures_util::future::try_join_all;
use graph::{Client, Dispatch, ErrorKind};
use net::Trust;
use sandbox::graph::{Fault, RetryAfter, Target, TenantOptions};

use super::user;
use crate::support::graph_tenant::TestTenant;

#[tokio::test(flavor = "multi_thread")]
async fn requests_share_one_http_2_connection() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[("timeout", "30")]);
    let requests: Vec<_> = tenant.mailboxes().iter().map(|mailbox| user(mailbox)).collect();
    for request in requests.iter().take(10) {
        client.send(request).await.unwrap();
    }
    assert_eq!(tenant.connections(), 1, "the token came over it too");
    tenant.faults().gather(requests.len());
    try_join_all(requests.iter().map(|request| client.send(request))).await.unwrap();
    assert_eq!(tenant.connections(), 1);
    assert_eq!(tenant.counters().most_http_requests, requests.len(), "they were at work all at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_after_a_503_use_a_new_connection() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let request = user(&tenant.mailboxes()[0]);
    client.send(&request).await.unwrap();
    let mut connections = 1;
    for route in [Dispatch::Single, client.bulk()] {
        for status in [429, 503, 500, 503] {
            tenant.faults().next(1, Target::HttpRequest, Fault::Status(status, RetryAfter::Absent));
            assert!(client.send_by(&route, &request).await.unwrap().repeated);
            connections += usize::from(status == 503);
            assert_eq!(tenant.connections(), connections, "{status} {route:?}");
            assert!(!client.send_by(&route, &request).await.unwrap().repeated);
            assert_eq!(tenant.connections(), connections, "after {status} {route:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_survive_a_503_of_another() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let (slow, put_off) = (user(&tenant.mailboxes()[0]), user(&tenant.mailboxes()[1]));
    client.send(&slow).await.unwrap();
    // Long enough for the other to be answered, sent again, and answered over its new connection.
    let delay = Fault::Delay(Duration::from_secs(1));
    tenant.faults().next(1, Target::containing(slow.path().as_str()), delay);
    let refused = Fault::Status(503, RetryAfter::Absent);
    tenant.faults().next(1, Target::containing(put_off.path().as_str()), refused);
    let (slow, put_off) =
        tokio::join!(client.send_by(&Dispatch::Single, &slow), client.send_by(&Dispatch::Single, &put_off));
    assert!(!slow.unwrap().repeated && put_off.unwrap().repeated);
    assert_eq!((tenant.connections(), tenant.counters().most_http_requests), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn untrusted_certificate_is_reported_and_nothing_is_sent() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let other = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let stranger = other.sandbox.ca_file();
    let mut settings = fixture.settings(&[]).graph;
    settings.trust = Trust::SystemAnd(stranger);
    let client = Client::new(&settings).unwrap();
    let error = client.send(&user(&tenant.mailboxes()[0])).await.unwrap_err();
    let ErrorKind::Token(error) = error.kind() else { panic!("{error:?}") };
    assert!(error.to_string().contains("is not trusted"), "{error}");
    let counters = tenant.counters();
    assert_eq!((counters.token_requests, counters.http_requests), (0, 0));
}

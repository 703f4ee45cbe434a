//! The access token.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use graph::{Client, ErrorKind, Request, TokenError};
use sandbox::graph::{Fault, RetryAfter, Target, Tenant, TenantOptions, TokenRefusal};

use super::{messages, user};
use crate::support::graph_tenant::TestTenant;
use crate::support::poll::poll;

#[tokio::test(flavor = "multi_thread")]
async fn callers_share_one_token() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    tenant.faults().set_latency(Duration::from_millis(50), Duration::ZERO);
    let client = fixture.client(&[]);
    let mailboxes = tenant.mailboxes();
    let requests: Vec<_> = mailboxes.iter().map(|mailbox| user(mailbox)).collect();
    assert_eq!(requests.len(), 50);
    try_join_all(requests.iter().map(|request| client.send(request))).await.unwrap();
    assert_eq!(tenant.counters().token_requests, 1);
}

/// Sends `request` again and again, until one of them has begun the renewal of the token.
async fn send_until_renewal(client: &Client, request: &Request, tenant: &Tenant) {
    poll(async || {
        client.send(request).await.unwrap();
        if tenant.counters().token_requests < 2 { Err("no renewal".to_owned()) } else { Ok(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn token_is_renewed_in_the_background() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    // The last fifth, in which it is renewed, has to be longer than any pause of a busy machine.
    tenant.faults().set_token_lifetime(Duration::from_secs(15));
    let client = fixture.client(&[]);
    let request = user(&tenant.mailboxes()[0]);
    client.send(&request).await.unwrap();
    // The renewal takes its time; the token at hand is good until then.
    tenant.faults().next(1, Target::Token, Fault::Delay(Duration::from_secs(60)));
    send_until_renewal(&client, &request, tenant).await;
    // The renewal is under way, and will be for a minute.
    let answered = tokio::time::timeout(Duration::from_secs(30), client.send(&request)).await;
    answered.expect("a request waited for the renewal").unwrap();
    assert!(tenant.requests().iter().all(|request| request.status == Some(200)), "no token was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_token_is_replaced_once() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let mailboxes = tenant.mailboxes();
    client.send(&user(&mailboxes[0])).await.unwrap();
    tenant.revoke_tokens();
    let requests: Vec<_> = mailboxes.iter().map(|mailbox| user(mailbox)).collect();
    try_join_all(requests.iter().map(|request| client.send(request))).await.unwrap();
    assert_eq!(tenant.counters().token_requests, 2, "one for all who were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn request_refused_with_a_new_token_fails() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    tenant.faults().next(2, Target::HttpRequest, Fault::Status(401, RetryAfter::Absent));
    let error = client.send(&user(&tenant.mailboxes()[0])).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().status, 401);
    assert_eq!((tenant.counters().token_requests, tenant.counters().http_requests), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_part_with_401_is_retried_with_new_token() {
    let fixture = TestTenant::new(super::batches::http1(50)).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let mailboxes = tenant.mailboxes();
    let unlucky = format!("GET {}", messages(&mailboxes[3]).path());
    tenant.faults().next(1, Target::containing(unlucky), Fault::Status(401, RetryAfter::Absent));
    let route = client.bulk();
    let requests: Vec<_> = mailboxes.iter().take(10).map(|mailbox| messages(mailbox)).collect();
    try_join_all(requests.iter().map(|request| client.send_by(&route, request))).await.unwrap();
    let counters = tenant.counters();
    assert_eq!((counters.sub_requests, counters.token_requests), (11, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_sign_in_is_one_request_and_one_error() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    for (refusal, code) in [
        (TokenRefusal::InvalidSecret, "AADSTS7000215"),
        (TokenRefusal::ExpiredSecret, "AADSTS7000222"),
        (TokenRefusal::UnknownApplication, "AADSTS700016"),
        (TokenRefusal::UnknownTenant, "AADSTS90002"),
        (TokenRefusal::Blocked, "AADSTS53003"),
    ] {
        tenant.faults().refuse_tokens(Some(refusal));
        tenant.forget_requests();
        // Latency, so that all of them ask before the first answer is there.
        tenant.faults().next(1, Target::Token, Fault::Delay(Duration::from_millis(100)));
        let client = fixture.client(&[]);
        let request = user(&tenant.mailboxes()[0]);
        for outcome in join_all((0..10).map(|_| client.send(&request))).await {
            let error = outcome.unwrap_err();
            let ErrorKind::Token(error) = error.kind() else { panic!("{error:?}") };
            assert!(matches!(**error, TokenError::Refused { .. }));
            let words = error.to_string();
            assert!(words.contains(code) && words.contains(tenant.client_id()), "{words}");
            assert!(!words.contains(tenant.client_secret()), "{words}");
        }
        let counters = tenant.counters();
        assert_eq!((counters.token_requests, counters.http_requests), (1, 0), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_token_endpoint_is_retried() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let request = user(&tenant.mailboxes()[0]);
    for fault in [
        Fault::Status(429, RetryAfter::Decimal(0.2)),
        Fault::Status(503, RetryAfter::Absent),
        Fault::Close,
        Fault::CutBody,
        Fault::Html,
    ] {
        tenant.forget_requests();
        tenant.faults().next(2, Target::Token, fault);
        fixture.client(&[]).send(&request).await.unwrap();
        assert_eq!(tenant.counters().token_requests, 3, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_token_is_used_while_its_renewal_fails() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    // The last fifth has to be longer than any pause of a busy machine.
    tenant.faults().set_token_lifetime(Duration::from_secs(15));
    let client = fixture.client(&[]);
    let request = user(&tenant.mailboxes()[0]);
    client.send(&request).await.unwrap();
    tenant.faults().refuse_tokens(Some(TokenRefusal::ExpiredSecret));
    send_until_renewal(&client, &request, tenant).await;
    for _ in 0..50 {
        client.send(&request).await.unwrap();
    }
    assert_eq!(tenant.counters().token_requests, 2);
}

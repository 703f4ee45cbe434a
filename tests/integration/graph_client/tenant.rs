//! A search through a whole tenant.

use std::time::Duration;

use graph::{AddressMatch, Criteria, Search, SearchScope, search};
use sandbox::graph::{Phish, Planted, RetryAfter, Scope, Tenant, TenantOptions, Throttling};
use serde_json::Value;

use super::batches::successes;
use crate::support::graph_tenant::TestTenant;

/// 2,000 mailboxes at 100 ms per batch, without HTTP/2.
async fn large() -> TestTenant {
    let phish = Phish { mailboxes: 37, copies: 2, ..Phish::default() };
    let fixture = TestTenant::new(TenantOptions {
        mailboxes: 2000,
        users_without_mailbox: 60,
        phish: Some(phish),
        http1_only: true,
        ..TenantOptions::default()
    })
    .await;
    fixture.sandbox.graph.faults().set_latency(Duration::ZERO, Duration::from_millis(100));
    fixture
}

async fn find(fixture: &TestTenant) -> Search {
    let criteria = Criteria {
        sender: Some(AddressMatch::Address(Phish::default().sender.address)),
        ..Criteria::default()
    };
    let tenant = SearchScope::Tenant { prefix: String::new() };
    search(&fixture.client(&[]), tenant, &criteria, 5000, 1000, |_| ()).await.unwrap()
}

/// Every planted message was found, nothing else, in the order of the mailboxes, and all users are accounted for.
fn check(tenant: &Tenant, found: &Search) {
    let messages: Vec<_> = found
        .mailboxes
        .iter()
        .flat_map(|mailbox| {
            mailbox.messages.iter().map(|message| {
                let message: Value = serde_json::from_str(message.get()).unwrap();
                Planted { mailbox: mailbox.address.clone(), id: message["id"].as_str().unwrap().to_owned() }
            })
        })
        .collect();
    assert_eq!(messages, tenant.planted());
    assert_eq!(messages.len(), 74);
    assert_eq!(found.limit, None);
    assert_eq!(found.failures().count(), 0);
    assert_eq!((found.counts.without_mailbox, found.without_mailbox.len()), (60, 60));
    assert_eq!(found.counts.listed(), tenant.users().len());
    assert!(found.failures().all(|failure| failure.refusal().unwrap().status == 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_search_finds_all_planted_messages() {
    let fixture = large().await;
    let tenant = &fixture.sandbox.graph;
    check(tenant, &find(&fixture).await);
    let batches = tenant.counters().batches;
    assert!(batches <= 103 + 3, "{batches}: one for each page of users may not be full");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_tenant_search_finds_all_planted_messages() {
    let fixture = large().await;
    let tenant = &fixture.sandbox.graph;
    let throttling =
        Throttling { share: 0.05, scope: Scope::Mailboxes, retry_after: RetryAfter::Seconds(1), times: 1 };
    tenant.faults().throttle(Some(throttling));
    check(tenant, &find(&fixture).await);
    let counters = tenant.counters();
    assert!(counters.throttled >= 70, "{counters:?}");
    let times = successes(&tenant.requests());
    assert!(times.values().all(|times| *times == 1), "what had succeeded was sent again");
    let least = counters.sub_requests.div_ceil(20);
    assert!(counters.batches <= least + least / 8, "{} batches for {least}", counters.batches);
}

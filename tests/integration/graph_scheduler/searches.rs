//! A search through a tenant: where it ends, and what it reports.

use chrono::TimeDelta;
use graph::{AddressMatch, Criteria, ErrorKind, Limit, SearchScope, search};
use sandbox::graph::{Address, NewMessage, Phish, RetryAfter, Scope, TenantOptions, Throttling};

use super::{ids, phishing, planted, search_all, tenant};
use crate::support::graph_tenant::TestTenant;

#[tokio::test(flavor = "multi_thread")]
async fn limited_results_follow_mailbox_order_in_every_run() {
    let phish = Phish { mailboxes: 300, copies: 3, ..Phish::default() };
    let fixture =
        TestTenant::new(TenantOptions { mailboxes: 900, phish: Some(phish), ..TenantOptions::default() })
            .await;
    let graph = &fixture.sandbox.graph;
    let planted = planted(graph);
    assert_eq!(planted.len(), 900);
    for run in 0..4 {
        // A different Graph every time: other waits, another order.
        let share = f64::from(run) / 10.0;
        let throttling =
            Throttling { share, scope: Scope::SubRequests, retry_after: RetryAfter::Decimal(0.1), times: 1 };
        graph.faults().throttle(Some(throttling));
        for limit in [1, 100, 899, 900] {
            let found = search_all(&fixture.client(&[]), &phishing(), limit).await;
            assert_eq!(ids(&found), planted[..limit], "run {run}, at most {limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_limit_is_surely_reached_no_more_is_sent() {
    let phish = Phish { mailboxes: 3000, copies: 1, ..Phish::default() };
    let fixture =
        TestTenant::new(TenantOptions { mailboxes: 3000, phish: Some(phish), ..TenantOptions::default() })
            .await;
    let graph = &fixture.sandbox.graph;
    graph.faults().set_latency(std::time::Duration::ZERO, std::time::Duration::from_millis(50));
    let client = fixture.client(&[]);
    let found = search_all(&client, &phishing(), 100).await;
    assert_eq!((ids(&found).len(), found.limit), (100, Some(Limit::Messages)));
    let counters = graph.counters();
    assert!(
        counters.batches <= 5 + 16,
        "{} batches for the first 100 of mailboxes that all match",
        counters.batches
    );
    assert!(counters.by_kind["list users"] <= 2, "{counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn search_starts_before_all_user_pages_are_fetched() {
    let fixture = tenant(3000).await;
    let graph = &fixture.sandbox.graph;
    search_all(&fixture.client(&[]), &phishing(), 1000).await;
    let requests = graph.requests();
    let last_page = requests.iter().rfind(|request| request.path_and_query.contains("/users?")).unwrap();
    let first_batch = requests.iter().find(|request| request.in_batch.is_some()).unwrap();
    assert!(first_batch.at < last_page.at);
}

/// A mailbox with this many messages on each of these days before now, all with the words in their bodies.
async fn full_of(days: &[(i64, usize)]) -> (TestTenant, String, Vec<String>) {
    let options =
        TenantOptions { mailboxes: 3, messages_per_mailbox: 5, phish: None, ..TenantOptions::default() };
    let now = options.now;
    let fixture = TestTenant::new(options).await;
    let mailbox = fixture.sandbox.graph.mailboxes()[0].clone();
    let mut added = Vec::new();
    for &(day, count) in days {
        for n in 0..count {
            let message = NewMessage {
                subject: format!("Invoice {n}"),
                from: Address::new("Billing", "billing@fraud.example"),
                received: now - TimeDelta::days(day) - TimeDelta::seconds(n.try_into().unwrap()),
                html: false,
                body: "Pay the overdue amount into our new account.".to_owned(),
                ..NewMessage::default()
            };
            added.push(fixture.sandbox.graph.add_message(&mailbox, message).unwrap());
        }
    }
    added.sort_unstable();
    (fixture, mailbox, added)
}

fn overdue() -> Criteria {
    Criteria { body: Some("overdue amount".to_owned()), ..Criteria::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn capped_search_is_split_by_date_until_complete() {
    let (fixture, mailbox, added) =
        full_of(&[(0, 700), (1, 900), (2, 10), (40, 800), (41, 800), (900, 300)]).await;
    let listed = SearchScope::Listed(vec![mailbox]);
    let found = search(&fixture.client(&[]), listed.clone(), &overdue(), 10, 100_000, |_| ()).await.unwrap();
    assert!(found.mailboxes[0].failure.is_none(), "{:?}", found.mailboxes[0].failure);
    let mut all = ids(&found);
    all.sort_unstable();
    assert_eq!(all.len(), added.len());
    assert!(all == added, "each once");
    // Cut at the limit, and with a search of a range of its own.
    let found = search(&fixture.client(&[]), listed.clone(), &overdue(), 10, 2500, |_| ()).await.unwrap();
    assert_eq!((ids(&found).len(), found.limit), (2500, Some(Limit::Messages)));
    let now = TenantOptions::default().now;
    let old = Criteria { received_to: Some(now - TimeDelta::days(20)), ..overdue() };
    let found = search(&fixture.client(&[]), listed, &old, 10, 100_000, |_| ()).await.unwrap();
    assert_eq!(ids(&found).len(), 1900);
}

#[tokio::test(flavor = "multi_thread")]
async fn day_over_search_cap_is_named_and_other_days_are_found() {
    let (fixture, mailbox, added) = full_of(&[(1, 200), (2, 1200), (3, 300)]).await;
    let tenant = SearchScope::Tenant { prefix: String::new() };
    let found = search(&fixture.client(&[]), tenant, &overdue(), 10, 100_000, |_| ()).await.unwrap();
    let full = found.mailboxes.iter().find(|result| result.address == mailbox).unwrap();
    assert_eq!(full.messages.len(), added.len() - 200, "1,000 of the day's 1,200");
    let failure = full.failure.as_ref().unwrap();
    assert!(matches!(failure.kind(), ErrorKind::SearchCapped { .. }), "{failure:?}");
    let day = (TenantOptions::default().now - TimeDelta::days(2)).date_naive().to_string();
    assert!(failure.to_string().contains(&day), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn day_that_fills_a_low_cap_may_hold_more() {
    let (fixture, mailbox, _) = full_of(&[(2, 400)]).await;
    fixture.sandbox.graph.faults().set_most_hits(275);
    let listed = SearchScope::Listed(vec![mailbox]);
    let found = search(&fixture.client(&[]), listed, &overdue(), 10, 100_000, |_| ()).await.unwrap();
    assert_eq!(found.mailboxes[0].messages.len(), 275);
    let failure = found.mailboxes[0].failure.as_ref().unwrap();
    assert!(failure.to_string().contains("it gave 275 of"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hit_with_internal_sender_name_is_undecided() {
    let (fixture, mailbox, _) = full_of(&[(1, 2)]).await;
    let name = "/O=EXCHANGELABS/OU=EXCHANGE ADMINISTRATIVE GROUP/CN=RECIPIENTS/CN=0A1B";
    let message = NewMessage {
        subject: "Invoice".to_owned(),
        from: Address::new("billing@fraud.example", name),
        received: TenantOptions::default().now - TimeDelta::hours(3),
        html: false,
        body: "Pay the overdue amount.".to_owned(),
        ..NewMessage::default()
    };
    fixture.sandbox.graph.add_message(&mailbox, message).unwrap();
    let criteria = Criteria { sender: Some(AddressMatch::new("billing@fraud.example")), ..overdue() };
    let listed = SearchScope::Listed(vec![mailbox]);
    let found = search(&fixture.client(&[]), listed, &criteria, 10, 100, |_| ()).await.unwrap();
    assert_eq!(found.mailboxes[0].messages.len(), 2);
    let failure = found.mailboxes[0].failure.as_ref().unwrap();
    assert!(matches!(failure.kind(), ErrorKind::Undecided(1)), "{failure}");
}

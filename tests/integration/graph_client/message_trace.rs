//! Promise: a message trace returns every row that matches and no other, and says what it did not look at.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use graph::{Client, GapReason, IndexLimits, Trace, TraceCriteria, TraceError, TraceStatus, message_trace};
use sandbox::graph::{Address, Delivery, Fate, Fault, RetryAfter, Target, TenantOptions};
use tokio::time::Instant;

use crate::support::graph_tenant::TestTenant;

pub(super) async fn tenant() -> TestTenant {
    let options = TenantOptions {
        mailboxes: 20,
        messages_per_mailbox: 30,
        now: Utc::now(),
        ..TenantOptions::default()
    };
    let tenant = TestTenant::new(options).await;
    tenant.sandbox.graph.faults().give_role("ExchangeMessageTrace.Read.All");
    tenant
}

fn limits() -> IndexLimits {
    IndexLimits::until(Instant::now() + Duration::from_secs(60))
}

fn mail(message_id: &str, from: &str, hours: i64) -> Delivery {
    Delivery::new(message_id, Address::new("", from), "Invoice 'x' 50%", Utc::now() - TimeDelta::hours(hours))
}

fn list(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

async fn trace(client: &Client, criteria: &TraceCriteria) -> Trace {
    message_trace(client, criteria, limits()).await.unwrap()
}

fn recipients(trace: &Trace) -> Vec<&str> {
    let mut recipients: Vec<&str> = trace.rows.iter().map(|row| row.recipient.as_str()).collect();
    recipients.sort_unstable();
    recipients
}

#[tokio::test]
async fn trace_finds_every_recipient_by_each_criterion() {
    let tenant = tenant().await;
    let graph = &tenant.sandbox.graph;
    let users = graph.mailboxes();
    let [a, b, c] = [users[0].as_str(), users[1].as_str(), users[2].as_str()];
    graph.deliver(&mail("<a'b%@x>", "Eve@Evil.example", 2).to([a, b]).with(c, Fate::Quarantined));
    graph.deliver(&mail("<late@x>", "eve@evil.example", 24 * 40).to([a]));
    graph.deliver(&mail("<other@x>", "eve@notevil.example", 3).to([a]));
    let client = tenant.client(&[]);
    let by = |message_ids: &[&str], senders: &[&str], recipients: &[&str], subjects: &[&str]| TraceCriteria {
        message_ids: list(message_ids),
        senders: list(senders),
        recipients: list(recipients),
        subjects: list(subjects),
        ..TraceCriteria::default()
    };
    let mut all = vec![a, b, c];
    all.sort_unstable();
    let found = trace(&client, &by(&["a'b%@x"], &[], &[], &[])).await;
    assert_eq!(recipients(&found), all);
    assert!(found.coverage.is_complete() && found.coverage.searched.len() == 1 && found.requests == 9);
    let quarantined = found.rows.iter().find(|row| row.recipient == c).unwrap();
    assert_eq!((&quarantined.status, quarantined.size.is_some()), (&TraceStatus::Quarantined, true));
    for (criteria, count) in [
        (by(&["<a'b%@x>", "<late@x>"], &[], &[], &[]), 4),
        (by(&[], &["@evil.example"], &[], &[]), 4),
        (by(&[], &["EVE@evil.example", "x@y"], &[b, c], &["invoice 'X' 50%"]), 2),
        (by(&[], &["@evil.example"], &["@CONTOSO.example", "x@y"], &[]), 4),
        (by(&["<a'b%@x>"], &["eve@notevil.example"], &[], &[]), 0),
        (by(&["x' or 1 eq 1 or 'x"], &[], &[], &[]), 0),
        (by(&["<A'B%@x>"], &[], &[], &[]), 0),
    ] {
        assert_eq!(trace(&client, &criteria).await.rows.len(), count, "{criteria:?}");
    }
}

#[tokio::test]
async fn pages_and_windows_are_read_to_their_ends_without_duplicates() {
    let tenant = tenant().await;
    let users = tenant.sandbox.graph.mailboxes();
    tenant.sandbox.graph.deliver(&mail("<a@x>", "eve@evil.example", 2).to(&users));
    let client = tenant.client(&[]);
    let criteria = TraceCriteria { from: Some(Utc::now() - TimeDelta::days(25)), ..TraceCriteria::default() };
    let small = IndexLimits { page: 7, ..limits() };
    let found = message_trace(&client, &criteria, small).await.unwrap();
    let whole = trace(&client, &criteria).await;
    assert_eq!(whole.requests, 3);
    assert!(found.requests > 10 && found.rows.len() > users.len());
    assert_eq!(found.rows, whole.rows);
    assert!(whole.rows.windows(2).all(|pair| pair[0].received >= pair[1].received));
}

#[tokio::test]
async fn what_was_not_looked_at_is_a_gap() {
    let tenant = tenant().await;
    let graph = &tenant.sandbox.graph;
    graph.deliver(&mail("<a@x>", "eve@evil.example", 2).to(graph.mailboxes()));
    let client = tenant.client(&[("max_retries_total", "1")]);
    let mut criteria = TraceCriteria {
        message_ids: list(&["<a@x>"]),
        from: Some(Utc::now() - TimeDelta::days(200)),
        to: Some(Utc::now() + TimeDelta::days(1)),
        ..TraceCriteria::default()
    };
    let gaps = |trace: &Trace| -> Vec<GapReason> {
        trace.coverage.gaps.iter().map(|gap| gap.reason.clone()).collect()
    };
    let found = trace(&client, &criteria).await;
    assert_eq!((gaps(&found), found.rows.len()), (vec![GapReason::TooOld(90), GapReason::TooRecent], 20));

    (criteria.from, criteria.to) = (Some(Utc::now() - TimeDelta::days(15)), None);
    let few = IndexLimits { most_rows: 5, ..limits() };
    let found = message_trace(&client, &criteria, few).await.unwrap();
    assert_eq!((gaps(&found), found.rows.len()), (vec![GapReason::TooManyRows(5)], 5));

    let older = Target::Path(Box::new({
        let day = (Utc::now() - TimeDelta::days(15)).format("%Y-%m-%d").to_string();
        move |request| request.contains(&day)
    }));
    graph.faults().next(9, older, Fault::Status(500, RetryAfter::Absent));
    let found = trace(&client, &criteria).await;
    assert!(matches!(gaps(&found).as_slice(), [GapReason::Failed(_)]), "{:?}", found.coverage);
    assert_eq!((found.rows.len(), found.coverage.searched.len()), (20, 1));

    let over = IndexLimits::until(Instant::now());
    graph.faults().set_latency(Duration::from_millis(50), Duration::ZERO);
    let found = message_trace(&client, &criteria, over).await.unwrap();
    assert_eq!(gaps(&found), [GapReason::OutOfTime, GapReason::OutOfTime]);
}

#[tokio::test]
async fn reasons_why_a_trace_is_impossible_are_named() {
    let tenant = tenant().await;
    let faults = tenant.sandbox.graph.faults();
    let client = tenant.client(&[]);
    let error = async || {
        let criteria = TraceCriteria { message_ids: list(&["<a@x>"]), ..TraceCriteria::default() };
        message_trace(&client, &criteria, limits()).await.unwrap_err()
    };
    faults.miss_trace_service(true);
    let missing = error().await;
    assert!(matches!(missing, TraceError::MissingServicePrincipal(_)));
    assert!(
        missing.to_string().contains("New-MgServicePrincipal -AppId 8bd644d1-64a1-4d4b-ae52-2e0cbf64e373")
    );
    faults.miss_trace_service(false);
    faults.take_role("ExchangeMessageTrace.Read.All");
    let missing = error().await;
    assert!(matches!(missing, TraceError::MissingPermission(_)));
    assert!(missing.to_string().contains("ExchangeMessageTrace.Read.All"));
    faults.give_role("ExchangeMessageTrace.Read.All");
    faults.be_national();
    assert!(matches!(error().await, TraceError::NotInThisCloud(_)));
}

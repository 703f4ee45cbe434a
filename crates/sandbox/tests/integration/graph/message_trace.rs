//! The message trace: rows, filters, spans, quota, and what it needs.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use sandbox::graph::{Address, Delivery, Fate, TenantOptions};
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode};

const TRACES: &str = "/admin/exchange/tracing/messageTraces";

async fn tenant() -> TestTenant {
    let s = TestTenant::new(TenantOptions {
        mailboxes: 60,
        users_without_mailbox: 4,
        now: Utc::now(),
        ..TenantOptions::default()
    })
    .await;
    s.tenant.faults().give_role("ExchangeMessageTrace.Read.All");
    s
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A mail that arrived ten minutes ago.
fn mail(s: &TestTenant, message_id: &str) -> Delivery {
    let from = Address::new("Billing", "billing@evil.example");
    Delivery::new(message_id, from, "Invoice 'final' 50%", s.tenant.present() - TimeDelta::minutes(10))
}

async fn rows(s: &TestTenant, filter: &str) -> Vec<Value> {
    s.all(&format!("{TRACES}?$filter={}", encode(filter))).await
}

/// Recipient and status of each row, sorted.
fn fates(rows: &[Value]) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let mut fates: Vec<_> =
        rows.iter().map(|row| (text(row, "recipientAddress"), text(row, "status"))).collect();
    fates.sort();
    fates
}

#[tokio::test]
async fn trace_has_a_row_for_each_recipient_whatever_the_fate() {
    let s = tenant().await;
    let user = s.tenant.mailboxes()[0].clone();
    let alias = format!("{}@mail.contoso.example", user.split('@').next().unwrap());
    s.tenant.add_list("all@contoso.example", ["team@contoso.example", "out@partner.example"]);
    s.tenant.add_list("team@contoso.example", [s.tenant.mailboxes()[2].as_str(), "ALL@contoso.example"]);
    let delivery = mail(&s, "<a'b%@evil.example>")
        .to([alias.as_str(), "all@contoso.example"])
        .with("gone@contoso.example", Fate::Failed)
        .with(&s.tenant.mailboxes()[4], Fate::Quarantined)
        .with(&s.tenant.mailboxes()[5], Fate::FilteredAsSpam)
        .with(&s.tenant.mailboxes()[6], Fate::Pending)
        .with(&s.tenant.mailboxes()[8], Fate::GettingStatus);
    let copies = s.tenant.deliver(&delivery);
    let found = rows(&s, "messageId eq '<a''b%@evil.example>'").await;
    let mut expected = vec![
        (alias.clone(), "delivered".to_owned()),
        ("all@contoso.example".to_owned(), "expanded".to_owned()),
        ("team@contoso.example".to_owned(), "expanded".to_owned()),
        ("out@partner.example".to_owned(), "delivered".to_owned()),
        (s.tenant.mailboxes()[2].clone(), "delivered".to_owned()),
        ("gone@contoso.example".to_owned(), "failed".to_owned()),
        (s.tenant.mailboxes()[4].clone(), "quarantined".to_owned()),
        (s.tenant.mailboxes()[5].clone(), "filteredAsSpam".to_owned()),
        (s.tenant.mailboxes()[6].clone(), "pending".to_owned()),
        (s.tenant.mailboxes()[8].clone(), "gettingStatus".to_owned()),
    ];
    expected.sort();
    assert_eq!(fates(&found), expected);
    let ids: Vec<_> = found.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "one message has one id");

    let where_copies: Vec<_> = copies.iter().map(|copy| copy.mailbox.clone()).collect();
    assert_eq!(where_copies.len(), 3);
    assert_eq!((&copies[0].mailbox, &copies[0].recipient), (&user, &alias));
    let junk = copies.iter().find(|copy| copy.mailbox == s.tenant.mailboxes()[5]).unwrap();
    assert_eq!(s.tenant.message(&junk.mailbox, &junk.id).unwrap().folder, "junkemail");
    let filter = encode("internetMessageId eq '<a''b%@evil.example>'");
    let url = format!("/users/{}/messages?$select=subject&$filter={filter}", encode(&user));
    assert_eq!(s.get(&url).await.1["value"][0]["subject"], "Invoice 'final' 50%");

    let gone = format!("/users/{}/messages/{}/permanentDelete", encode(&user), copies[0].id);
    assert_eq!(s.request(Method::POST, &gone, Some(json!({}))).await.status(), 204);
    assert_eq!(fates(&rows(&s, "messageId eq '<a''b%@evil.example>'").await), expected);
    assert!(rows(&s, "messageId eq 'x'' or 1 eq 1 or ''x'").await.is_empty());
}

#[tokio::test]
async fn messages_of_mailboxes_have_rows_newest_first() {
    let s = tenant().await;
    let (mailbox, _) = s.phish();
    let present = s.tenant.present();
    let span = format!(
        "receivedDateTime ge {} and receivedDateTime le {}",
        stamp(present - TimeDelta::days(9)),
        stamp(present)
    );
    let all = rows(&s, &span).await;
    let times: Vec<&str> = all.iter().map(|row| row["receivedDateTime"].as_str().unwrap()).collect();
    assert!(times.len() > 100, "{}", times.len());
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "{times:?}");
    let of_one = rows(&s, &format!("{span} and recipientAddress eq '{}'", mailbox.replace('\'', "''"))).await;
    let since = s.tenant.messages(&mailbox);
    let since = since.iter().filter(|message| message.received >= present - TimeDelta::days(9)).count();
    assert_eq!(of_one.len(), since);
    let phish = rows(&s, &format!("{span} and senderAddress eq '*@C0NTOSO-support.example'")).await;
    assert_eq!(phish.len(), 7);
    for (filter, hits) in [
        ("contains(subject,'PASSWORD EXPIRES')", 7),
        ("startswith(subject,'action required: your')", 7),
        ("endsWith(subject,'expires today')", 7),
        ("endsWith(subject,'expires')", 0),
    ] {
        assert_eq!(rows(&s, filter).await.len(), hits, "{filter}");
    }
    let pages = format!("{TRACES}?$top=3&$filter={}", encode("contains(subject,'password expires')"));
    s.tenant.forget_requests();
    assert_eq!((s.all(&pages).await.len(), s.tenant.requests().len()), (7, 3));
}

#[tokio::test]
async fn of_several_values_for_a_property_the_last_one_counts() {
    let s = tenant().await;
    let (first, second) = (s.tenant.mailboxes()[0].clone(), s.tenant.mailboxes()[1].clone());
    s.tenant.deliver(&mail(&s, "<1@evil.example>").to([&first]));
    s.tenant.deliver(&mail(&s, "<2@evil.example>").to([&second]));
    for filter in [
        "messageId eq '<1@evil.example>' or messageId eq '<2@evil.example>'",
        "messageId in ('<1@evil.example>','<2@evil.example>')",
        "messageId ne '<2@evil.example>'",
    ] {
        assert_eq!(fates(&rows(&s, filter).await), [(second.clone(), "delivered".to_owned())], "{filter}");
    }
}

#[tokio::test]
async fn what_the_trace_does_not_support_is_refused() {
    let s = tenant().await;
    let present = s.tenant.present();
    let day = |days: i64| stamp(present + TimeDelta::days(days));
    let span = |from: i64, to: i64| {
        let filter = format!("receivedDateTime ge {} and receivedDateTime le {}", day(from), day(to));
        format!("$filter={}", encode(&filter))
    };
    for query in [
        "$select=id".to_owned(),
        "$orderby=receivedDateTime".to_owned(),
        "$count=true".to_owned(),
        "$top=0".to_owned(),
        "$top=5001".to_owned(),
        "$filter=size%20eq%201".to_owned(),
        "$filter=contains(senderAddress,'a')".to_owned(),
        "$filter=subject%20eq%20'a'".to_owned(),
        "$filter=messageId%20eq%20'a".to_owned(),
        format!("$filter={}", encode(&format!("receivedDateTime ge {}", day(-1)))),
        span(-11, -1 + 1),
        span(-92, -89),
        span(-1, 1),
        span(-1, -2),
    ] {
        let (status, answer) = s.get(&format!("{TRACES}?{query}")).await;
        assert_eq!((status, code(&answer)), (400, "BadRequest"), "{query}: {answer}");
    }
    for query in [span(-10, 0), span(-89, -80), "$top=5000".to_owned()] {
        assert_eq!(s.get(&format!("{TRACES}?{query}")).await.0, 200, "{query}");
    }
}

#[tokio::test]
async fn trace_needs_permission_service_principal_and_the_global_cloud() {
    let s = TestTenant::small().await;
    assert_eq!(s.get(TRACES).await.0, 403);
    s.tenant.faults().give_role("ExchangeMessageTrace.Read.All");
    assert_eq!(s.get(TRACES).await.0, 200);
    s.tenant.faults().miss_trace_service(true);
    let (status, answer) = s.get(TRACES).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(status == 401 && message.contains("8bd644d1-64a1-4d4b-ae52-2e0cbf64e373"), "{answer}");
    s.tenant.faults().miss_trace_service(false);
    s.tenant.faults().be_national();
    assert_eq!(s.get(TRACES).await.0, 400);
}

#[tokio::test]
async fn quota_is_the_tenants_and_recent_mail_comes_late() {
    let s = tenant().await;
    s.tenant.deliver(&mail(&s, "<1@evil.example>").to([&s.tenant.mailboxes()[0]]));
    s.tenant.faults().set_trace_lag(Duration::from_secs(3_600));
    assert!(rows(&s, "messageId eq '<1@evil.example>'").await.is_empty());
    s.tenant.faults().set_trace_lag(Duration::from_secs(300));
    assert_eq!(rows(&s, "messageId eq '<1@evil.example>'").await.len(), 1);
    s.tenant.faults().set_trace_quota(3, Duration::from_secs(300));
    assert_eq!(s.get(TRACES).await.0, 200);
    let (status, answer) = s.get(TRACES).await;
    assert_eq!((status, code(&answer)), (429, "TooManyRequests"));
}

#[tokio::test]
async fn campaign_in_a_large_tenant_is_delivered_and_traced() {
    let s = TestTenant::new(TenantOptions {
        mailboxes: 5_000,
        messages_per_mailbox: 10,
        ..TenantOptions::default()
    })
    .await;
    s.tenant.faults().give_role("ExchangeMessageTrace.Read.All");
    let recipients: Vec<String> = s.tenant.mailboxes().into_iter().step_by(12).take(400).collect();
    assert_eq!(s.tenant.deliver(&mail(&s, "<c@evil.example>").to(&recipients)).len(), 400);
    assert_eq!(rows(&s, "messageId eq '<c@evil.example>'").await.len(), 400);
}

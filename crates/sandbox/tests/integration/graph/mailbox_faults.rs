//! Mailboxes that fail, and the codes of those that do not exist.

use std::collections::HashSet;

use chrono::TimeDelta;
use sandbox::graph::{MailboxFault, TenantOptions};

use super::setup::{TestTenant, code, encode};

#[tokio::test]
async fn mailbox_refuses_large_pages_and_answers_small_ones() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    assert!(s.tenant.fail_mailbox(&mailbox, MailboxFault::LargePages { status: 504, entries: 25 }));
    let messages = format!("/users/{}/messages", encode(&mailbox));
    for (query, expected) in [
        ("$top=26", 504),
        ("$top=25", 200),
        ("$top=26&$search=%22a%22", 504),
        ("", 200),
        ("$top=26&$filter=isRead%20eq%20true", 504),
    ] {
        assert_eq!(s.get(&format!("{messages}?{query}")).await.0, expected, "{query}");
    }
    let other = encode(&s.tenant.mailboxes()[1]);
    assert_eq!(s.get(&format!("/users/{other}/messages?$top=26")).await.0, 200);
    s.tenant.faults().clear();
    assert_eq!(s.get(&format!("{messages}?$top=26")).await.0, 200);
}

#[tokio::test]
async fn mailbox_refuses_long_spans_and_answers_short_ones() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let fault = MailboxFault::LongSpans { status: 500, span: TimeDelta::days(3) };
    assert!(s.tenant.fail_mailbox(&mailbox, fault));
    let from = |first: &str| format!("receivedDateTime ge 2026-02-{first}T00:00:00Z");
    for (filter, expected) in [
        (from("01"), 500),
        (format!("{} and receivedDateTime lt 2026-02-05T00:00:00Z", from("01")), 500),
        (format!("{} and receivedDateTime lt 2026-02-05T00:00:00Z", from("02")), 200),
        (format!("({} and isRead eq true) and (receivedDateTime le 2026-02-05T00:00:00Z)", from("02")), 200),
    ] {
        let url = format!("/users/{}/messages?$filter={}", encode(&mailbox), encode(&filter));
        assert_eq!(s.get(&url).await.0, expected, "{filter}");
    }
}

#[tokio::test]
async fn mailbox_can_refuse_every_request() {
    let s = TestTenant::small().await;
    for (nth, (fault, status, expected)) in [
        (MailboxFault::Unauthorized, 401, "UnknownError"),
        (MailboxFault::AccessPolicy, 403, "ErrorAccessDenied"),
        (MailboxFault::Refused(503, "MailboxInfoStale", "Mailbox info is stale."), 503, "MailboxInfoStale"),
        (MailboxFault::OnlyById, 404, "ErrorInvalidUser"),
    ]
    .into_iter()
    .enumerate()
    {
        let mailbox = s.tenant.mailboxes()[nth].clone();
        assert!(s.tenant.fail_mailbox(&mailbox, fault));
        let (got, answer) = s.get(&format!("/users/{}/messages?$top=1", encode(&mailbox))).await;
        assert_eq!((got, code(&answer)), (status, expected));
        let (_, user) = s.get(&format!("/users/{}?$select=id", encode(&mailbox))).await;
        let id = user["id"].as_str().unwrap();
        let by_id = s.get(&format!("/users/{id}/messages?$top=1")).await.0;
        assert_eq!(by_id, if fault == MailboxFault::OnlyById { 200 } else { status }, "{fault:?}");
    }
    let without = s.tenant.users().into_iter().find(|user| !user.has_mailbox).unwrap();
    assert!(!s.tenant.fail_mailbox(&without.user_principal_name, MailboxFault::Unauthorized));
}

#[tokio::test]
async fn missing_mailbox_and_folder_answer_with_all_codes() {
    let s = TestTenant::new(TenantOptions::default()).await;
    let without = s.tenant.users().into_iter().find(|user| !user.has_mailbox).unwrap();
    let url = format!("/users/{}/messages", without.id);
    let mut codes = HashSet::new();
    for _ in 0..7 {
        let (status, answer) = s.get(&url).await;
        assert_eq!(status, 404);
        codes.insert(code(&answer).to_owned());
    }
    assert_eq!(codes.len(), 7, "{codes:?}");

    let mut codes = HashSet::new();
    for mailbox in s.tenant.mailboxes() {
        let (status, answer) =
            s.get(&format!("/users/{}/mailFolders/clutter/messages", encode(&mailbox))).await;
        assert!([200, 404].contains(&status));
        codes.insert(code(&answer).to_owned());
    }
    let expected = ["", "ErrorItemNotFound", "ErrorFolderNotFound"].map(str::to_owned);
    assert_eq!(codes, HashSet::from(expected));
}

//! Advanced hunting: the part of KQL that is supported, the tables, and the limits.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Method;
use sandbox::graph::{Address, Attachment, Click, Delivery, Fate, PostDeliveryEvent, kql_literal};
use serde_json::{Value, json};

use super::setup::{TestTenant, code, read};

const RUN: &str = "/security/runHuntingQuery";

/// A tenant in which a mail with a link and a file came for three recipients.
async fn tenant() -> TestTenant {
    let s = TestTenant::small().await;
    s.tenant.faults().give_role("ThreatHunting.Read.All");
    let users = s.tenant.mailboxes();
    let mut mail = Delivery::new(
        "<1@evil.example>",
        Address::new("Billing", "Billing@evil.example"),
        "Invoice \"final\"",
        s.tenant.present() - TimeDelta::minutes(10),
    );
    mail.envelope_from = Some("bounce@mailer.example".to_owned());
    mail.urls = vec!["https://evil.example/a".to_owned(), "https://evil.example/b".to_owned()];
    mail.attachments = vec![Attachment::file("invoice.html", "text/html", &b"abc"[..])];
    s.tenant.deliver(&mail.to([&users[0], &users[1]]).with(&users[2], Fate::Quarantined));
    s
}

async fn hunt(s: &TestTenant, query: &str) -> (u16, Value) {
    s.post(RUN, json!({"Query": query, "Timespan": "P30D"})).await
}

async fn rows(s: &TestTenant, query: &str) -> Vec<Value> {
    let (status, answer) = hunt(s, query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn mail_is_found_by_its_columns_links_and_files() {
    let s = tenant().await;
    for (condition, count) in [
        ("InternetMessageId == \"<1@evil.example>\"", 3),
        ("InternetMessageId == \"<1@EVIL.example>\"", 0),
        ("InternetMessageId in~ (\"<0@x>\", \"<1@EVIL.example>\")", 3),
        ("SenderFromAddress =~ 'billing@EVIL.example' and Subject contains '\"FINAL\"'", 3),
        ("SenderFromDomain =~ 'evil.example' or SenderMailFromAddress endswith '@nowhere.example'", 3),
        ("SenderMailFromAddress startswith 'bounce@' and (DeliveryAction == 'Blocked')", 1),
    ] {
        assert_eq!(rows(&s, &format!("EmailEvents | where {condition}")).await.len(), count, "{condition}");
    }
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for right in [
        "EmailUrlInfo | where Url contains 'EVIL.example/' | distinct NetworkMessageId".to_owned(),
        format!("EmailAttachmentInfo | where SHA256 =~ '{sha256}' | distinct NetworkMessageId"),
    ] {
        let query = format!(
            "EmailEvents | where SenderFromDomain == 'evil.example' | join kind=inner ({right}) on NetworkMessageId \
             | project Timestamp, RecipientEmailAddress, LatestDeliveryLocation | sort by Timestamp asc | take 2"
        );
        let found = rows(&s, &query).await;
        assert_eq!(found.len(), 2, "{found:?}");
        let keys: Vec<_> = found[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["Timestamp", "RecipientEmailAddress", "LatestDeliveryLocation"]);
    }
    let twice = "EmailEvents | where SenderFromDomain == 'evil.example' | join kind=inner (EmailUrlInfo) on \
                 NetworkMessageId";
    let joined = rows(&s, twice).await;
    assert_eq!(joined.len(), 6, "each link is a partner of each recipient's row");
    assert_eq!(joined[0]["NetworkMessageId"], joined[0]["NetworkMessageId1"]);
}

#[tokio::test]
async fn clicks_and_later_actions_are_known() {
    let s = tenant().await;
    let user = s.tenant.mailboxes()[0].clone();
    let (at, message_id) = (s.tenant.present() - TimeDelta::minutes(1), "<1@evil.example>".to_owned());
    s.tenant.add_click(Click {
        at,
        user: user.clone(),
        url: "https://evil.example/a".to_owned(),
        message_id: message_id.clone(),
        action: "ClickAllowed",
        clicked_through: false,
    });
    s.tenant.add_post_delivery_event(PostDeliveryEvent {
        at,
        message_id,
        recipient: user.clone(),
        action: "Moved to quarantine",
        action_type: "Phish ZAP",
    });
    let clicks = rows(&s, "UrlClickEvents | where Url =~ 'https://evil.example/A'").await;
    assert_eq!((clicks.len(), &clicks[0]["AccountUpn"]), (1, &json!(user)));
    let events = rows(&s, "EmailPostDeliveryEvents | project RecipientEmailAddress, ActionType").await;
    assert_eq!(events, [json!({"RecipientEmailAddress": user, "ActionType": "Phish ZAP"})]);
    let query = "EmailEvents | where LatestDeliveryLocation == 'Quarantine' | project DeliveryLocation";
    let places = rows(&s, query).await;
    assert_eq!(places.len(), 2, "one was moved there, one never left it: {places:?}");
}

#[tokio::test]
async fn what_is_not_in_the_subset_is_refused() {
    let s = tenant().await;
    for query in [
        "",
        "DeviceEvents",
        "EmailEvents |",
        "EmailEvents | where Subject has 'a'",
        "EmailEvents | where Nonsense == 'a'",
        "EmailEvents | where Subject == 'a",
        "EmailEvents | where Subject == 'a\\q'",
        "EmailEvents | where Subject == 'a\n'",
        "EmailEvents | where Subject == 'x' or 1 == 1",
        "EmailEvents | where Timestamp > '2026-01-01'",
        "EmailEvents | where Timestamp > ago(1d)",
        "EmailEvents | join (EmailUrlInfo) on NetworkMessageId",
        "EmailEvents | join kind=inner (EmailUrlInfo) on Subject",
        "EmailEvents | project Subject | where Timestamp > datetime(2026-01-01T00:00:00Z)",
        "EmailEvents; EmailEvents",
        "EmailEvents | take x",
    ] {
        let (status, answer) = hunt(&s, query).await;
        assert_eq!((status, code(&answer)), (400, "BadRequest"), "{query}: {answer}");
    }
    let (status, _) = s.post(RUN, json!({"Query": "EmailEvents", "Timespan": "30 days"})).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn literals_are_read_with_their_escapes() {
    assert_eq!(kql_literal(r#""a\\b\"c'\n\u0007""#).unwrap(), "a\\b\"c'\n\u{7}");
    for wrong in [r#""a"b""#, r#""a\""#, r#""\x41""#, r#""\ud83d""#, "\"a\nb\"", "", "a"] {
        assert!(kql_literal(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn rows_calls_and_charsets_are_limited() {
    let s = tenant().await;
    s.tenant.faults().set_hunting_rows(2);
    assert_eq!(rows(&s, "EmailEvents | where SenderFromDomain == 'evil.example'").await.len(), 2);
    let odd = Delivery::new(
        "<2@evil.example>",
        Address::new("", "a@b.example"),
        "Grüße",
        s.tenant.present() - TimeDelta::minutes(1),
    );
    s.tenant.deliver(&odd.to([&s.tenant.mailboxes()[3]]));
    for (kind, count) in [("application/json", 0), ("application/json; charset=utf-8", 1)] {
        let query = json!({"Query": "EmailEvents | where Subject == 'Grüße'"}).to_string();
        let request = s.http.request(Method::POST, format!("{}{RUN}", s.tenant.graph_url()));
        let request = request.bearer_auth(&s.token).header("content-type", kind).body(query);
        let (status, answer) = read(request.send().await.unwrap()).await;
        assert_eq!((status, answer["results"].as_array().unwrap().len()), (200, count), "{kind}");
    }
    s.tenant.faults().set_hunting_quota(4, Duration::from_secs(60));
    assert_eq!(hunt(&s, "EmailEvents | take 1").await.0, 200);
    assert_eq!(hunt(&s, "EmailEvents | take 1").await.0, 429);
}

#[tokio::test]
async fn hunting_needs_a_permission_that_the_refusal_names() {
    let s = TestTenant::small().await;
    let (status, answer) = hunt(&s, "EmailEvents | take 1").await;
    assert!(status == 403 && answer["error"]["message"].as_str().unwrap().contains("ThreatHunting.Read.All"));
}

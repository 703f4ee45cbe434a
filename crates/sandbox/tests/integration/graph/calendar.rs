//! Time zones and events.

use reqwest::Method;
use sandbox::graph::TenantOptions;
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode};

fn event(zone: &str) -> Value {
    json!({
        "subject": "Phishing wave",
        "body": {"contentType": "HTML", "content": "<p>Please join</p>"},
        "start": {"dateTime": "2026-03-29T09:00:00", "timeZone": zone},
        "end": {"dateTime": "2026-03-29T10:00:00", "timeZone": zone},
        "location": {"displayName": "Room 3.14"},
        "attendees": [{"type": "required", "emailAddress": {"address": "a@contoso.example"}}],
        "transactionId": "call-1",
    })
}

#[tokio::test]
async fn mailbox_returns_its_time_zone() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let url = format!("/users/{}/mailboxSettings/timeZone", encode(&mailbox));
    let (status, answer) = s.get(&url).await;
    assert_eq!(status, 200);
    assert!(answer["@odata.context"].is_string() && answer["value"].is_string());
    for zone in ["Europe/Berlin", "Customized Time Zone"] {
        assert!(s.tenant.set_time_zone(&mailbox, Some(zone)));
        assert_eq!(s.get(&url).await.1["value"], zone);
    }
    assert!(s.tenant.set_time_zone(&mailbox, None));
    assert_eq!(s.get(&url).await.1["value"], Value::Null);
}

#[tokio::test]
async fn event_is_created_once_for_each_transaction_id() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let url = format!("/users/{}/calendar/events", encode(&mailbox));
    let (status, first) = s.post(&url, event("Eastern Standard Time")).await;
    assert_eq!(status, 201);
    assert_eq!(first["start"], json!({"dateTime": "2026-03-29T13:00:00.0000000", "timeZone": "UTC"}));
    assert_eq!(first["originalStartTimeZone"], "Eastern Standard Time");
    assert_eq!(first["organizer"]["emailAddress"]["address"], mailbox.as_str());
    let (status, again) = s.post(&url, event("Eastern Standard Time")).await;
    assert_eq!((status, &again["id"]), (201, &first["id"]));
    assert_eq!(s.tenant.events(&mailbox).len(), 1);
    let mut other = event("UTC");
    let (status, refused) = s.post(&url, other.clone()).await;
    assert_eq!((status, code(&refused)), (409, "ErrorDuplicateTransactionId"), "it is another event");
    other["transactionId"] = json!("call-2");
    s.post(&url, other).await;
    assert_eq!(s.tenant.events(&mailbox).len(), 2);
    assert_eq!(s.tenant.events(&mailbox)[0].transaction_id.as_deref(), Some("call-1"));
}

#[tokio::test]
async fn invalid_event_is_refused() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    let url = format!("/users/{}/calendar/events", encode(&mailbox));
    for zone in ["UTC", "W. Europe Standard Time", "Asia/Tokyo", "America/Argentina/Buenos_Aires"] {
        let mut event = event(zone);
        event["transactionId"] = json!(zone);
        assert_eq!(s.post(&url, event).await.0, 201, "{zone}");
    }
    for zone in ["Customized Time Zone", "Nowhere/Land", "Europe/Nowhere", "CEST", "W. Europe", ""] {
        let (status, answer) = s.post(&url, event(zone)).await;
        assert_eq!((status, code(&answer)), (400, "TimeZoneNotSupportedException"), "{zone}");
    }
    for (pointer, value) in [
        ("/attendees/0/emailAddress/address", json!("unknown")),
        ("/attendees/0/type", json!("reluctant")),
        ("/start/dateTime", json!("2026-03-29T09:00:00Z")),
        ("/start/dateTime", json!("2026-03-29T11:00:00")),
        ("/end", json!({})),
        ("/body/contentType", json!("RTF")),
    ] {
        let mut broken = event("UTC");
        *broken.pointer_mut(pointer).unwrap() = value;
        assert_eq!(s.post(&url, broken).await.0, 400, "{pointer}");
    }
    let mut unknown = event("UTC");
    unknown["colour"] = json!("red");
    assert_eq!(s.post(&url, unknown).await.0, 400);
    assert_eq!(s.tenant.events(&mailbox).len(), 4);
}

#[tokio::test]
async fn attendee_without_an_address_is_accepted() {
    let s = TestTenant::small().await;
    let url = format!("/users/{}/calendar/events", encode(&s.tenant.mailboxes()[0]));
    let mut event = event("UTC");
    event["attendees"][0]["emailAddress"]["address"] = json!("");
    assert_eq!(s.post(&url, event).await.0, 201);
}

#[tokio::test]
async fn event_times_are_in_utc_unless_a_zone_is_preferred() {
    let s = TestTenant::new(TenantOptions::default()).await;
    let url = format!("/users/{}/calendar/events", encode(&s.tenant.mailboxes()[0]));
    for (zone, utc) in [
        ("Asia/Tokyo", "2026-03-29T00:00:00.0000000"),
        ("Eastern Standard Time", "2026-03-29T13:00:00.0000000"),
        ("W. Europe Standard Time", "2026-03-29T07:00:00.0000000"),
        ("UTC", "2026-03-29T09:00:00.0000000"),
    ] {
        let mut event = event(zone);
        event["transactionId"] = json!(zone);
        let (_, created) = s.post(&url, event).await;
        assert_eq!(created["start"], json!({"dateTime": utc, "timeZone": "UTC"}), "{zone}");
    }
    let preferred = [("Prefer", "outlook.timezone=\"Asia/Tokyo\"")];
    let answer = s.request_with(Method::GET, &url, None, &preferred).await;
    assert_eq!(answer.headers()["preference-applied"], "outlook.timezone=\"Asia/Tokyo\"");
    let events: Value = answer.json().await.unwrap();
    let start = json!({"dateTime": "2026-03-29T09:00:00.0000000", "timeZone": "Asia/Tokyo"});
    assert_eq!(events["value"][0]["start"], start);
    let unknown = [("Prefer", "outlook.timezone=\"Nowhere\"")];
    assert_eq!(s.request_with(Method::GET, &url, None, &unknown).await.status(), 400);
}

#[tokio::test]
async fn event_has_a_recurrence_and_extended_properties() {
    const MARK: &str = "String {8f7c1e52-6d0b-4c3a-a5c9-2b1f0e9d7a46} Name mark";
    let s = TestTenant::small().await;
    let url = format!("/users/{}/events", encode(&s.tenant.mailboxes()[0]));
    let mut series = event("UTC");
    series["recurrence"] = json!({
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "numbered", "startDate": "2026-03-29", "numberOfOccurrences": 3},
    });
    series["singleValueExtendedProperties"] = json!([{"id": MARK, "value": "It's"}]);
    let (status, created) = s.post(&url, series.clone()).await;
    assert_eq!(
        (status, &created["type"], &created["recurrence"]),
        (201, &json!("seriesMaster"), &series["recurrence"])
    );
    let mut other = event("UTC");
    other["transactionId"] = json!("call-2");
    assert_eq!(s.post(&url, other).await.1["type"], "singleInstance");
    let filter =
        encode(&format!("singleValueExtendedProperties/Any(ep: ep/id eq '{MARK}' and ep/value eq 'It''s')"));
    let expand = encode(&format!("singleValueExtendedProperties($filter=id eq '{MARK}')"));
    let found = s.all(&format!("{url}?$filter={filter}&$select=id&$expand={expand}")).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["singleValueExtendedProperties"], json!([{"id": MARK, "value": "It's"}]));
    for (key, value) in
        [("recurrence", json!({"pattern": {}})), ("singleValueExtendedProperties", json!([{}]))]
    {
        let mut broken = event("UTC");
        broken[key] = value;
        assert_eq!(s.post(&url, broken).await.0, 400, "{key}");
    }
}

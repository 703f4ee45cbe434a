//! Responses that are not what was asked for.

use reqwest::Method;
use sandbox::graph::{Fault, RetryAfter, Target};
use serde_json::Value;

use super::setup::{TestTenant, code, encode};

#[tokio::test]
async fn json_can_begin_with_a_byte_order_mark() {
    let s = TestTenant::small().await;
    s.tenant.faults().next(1, Target::HttpRequest, Fault::ByteOrderMark);
    let bytes = s.request(Method::GET, "/users?$top=1", None).await.bytes().await.unwrap();
    let json = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap();
    assert!(serde_json::from_slice::<Value>(json).unwrap()["value"].is_array());
}

#[tokio::test]
async fn texts_can_hold_lone_surrogates() {
    let s = TestTenant::small().await;
    let url = format!("/users/{}/messages?$top=1&$select=subject", encode(&s.tenant.mailboxes()[0]));
    s.tenant.faults().next(1, Target::HttpRequest, Fault::LoneSurrogate);
    let text = s.request(Method::GET, &url, None).await.text().await.unwrap();
    assert!(text.contains(r#""subject":"\ud83d"#), "{text}");
    assert!(serde_json::from_str::<Value>(&text).is_err());
}

#[tokio::test]
async fn success_can_hold_an_error() {
    let s = TestTenant::small().await;
    let url = format!("/users/{}/messages?$top=2", encode(&s.tenant.mailboxes()[0]));
    let faults = s.tenant.faults();
    faults.next(1, Target::HttpRequest, Fault::ErrorInside);
    let (status, answer) = s.get(&url).await;
    assert_eq!((status, code(&answer)), (200, "ErrorInternalServerError"));

    faults.next(1, Target::HttpRequest, Fault::ErrorEntry);
    let (status, answer) = s.get(&url).await;
    let entries = answer["value"].as_array().unwrap();
    assert_eq!((status, entries.len()), (200, 3));
    assert!(entries[0]["error"].is_object() && entries[1]["id"].is_string());

    faults.next(1, Target::containing("$top=2"), Fault::ErrorInside);
    let (_, answer) = s.batch(&[url]).await;
    let part = &answer["responses"][0];
    assert_eq!((&part["status"], code(&part["body"])), (&Value::from(200), "ErrorInternalServerError"));
}

#[tokio::test]
async fn empty_list_can_hold_an_error_only() {
    let s = TestTenant::small().await;
    let filter = encode("subject eq 'does not exist'");
    let url = format!("/users/{}/messages?$filter={filter}", encode(&s.tenant.mailboxes()[0]));
    s.tenant.faults().next(1, Target::HttpRequest, Fault::ErrorEntry);
    let (_, answer) = s.get(&url).await;
    assert_eq!(answer["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn refusals_have_the_code_that_a_test_asks_for() {
    let s = TestTenant::small().await;
    let faults = s.tenant.faults();
    let (mailbox, id) = s.phish();
    let url = format!("/users/{}/messages/{}", encode(&mailbox), encode(&id));
    for status in [409, 412] {
        faults.next(1, Target::containing("DELETE"), Fault::Status(status, RetryAfter::Absent));
        let (got, answer) = s.delete(&url).await;
        assert_eq!((got, code(&answer)), (status, "ErrorIrresolvableConflict"));
    }
    let fault =
        Fault::Refused(500, "ErrorMimeContentConversionFailed", "The content could not be converted.");
    faults.next(1, Target::containing("$value"), fault);
    let (got, answer) = s.get(&format!("{url}/$value")).await;
    assert_eq!((got, code(&answer)), (500, "ErrorMimeContentConversionFailed"));
    assert_eq!(s.delete(&url).await.0, 204);
}

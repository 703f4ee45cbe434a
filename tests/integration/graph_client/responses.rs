//! Responses are checked before they are used, inside the retry loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use graph::{Client, Dispatch, ErrorKind, Expected, Meaning, Path, Request};
use serde_json::{Value, json};

use super::raw::{RawRequest, RawResponse, server};
use crate::support::permit::Permit;

const ERROR: &str = r#"{"error":{"code":"UnknownError","message":"Something went wrong"}}"#;

fn message() -> Path {
    Path::message("a@x.example", None, "m").unwrap()
}

/// A client of a server that answers the first request with `first`, and all others with `then`; and how many it got.
async fn answering(
    first: impl Fn() -> RawResponse + Send + Sync + 'static,
    then: impl Fn() -> RawResponse + Send + Sync + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let settings = server(&[("max_retries_total", "3")], move |_| {
        let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        std::future::ready(if is_first { first() } else { then() })
    })
    .await;
    (Client::new(&settings).unwrap(), count)
}

/// The part of a batch that is answered with `status` and `body` first, and with an entity then.
async fn part_answered(status: u16, body: Value) -> (Client, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let settings = server(&[("max_retries_total", "3")], move |request: RawRequest| {
        let (status, body) = match counted.fetch_add(1, Ordering::SeqCst) {
            0 => (status, body.clone()),
            _ => (200, json!({"id": "m"})),
        };
        let part = json!({"id": request.parts()[0]["id"], "status": status, "body": body});
        std::future::ready(RawResponse::new(200, json!({"responses": [part]}).to_string()))
    })
    .await;
    (Client::new(&settings).unwrap(), count)
}

#[tokio::test(flavor = "multi_thread")]
async fn read_with_an_unusable_response_is_sent_again() {
    for (expected, bad, good) in [
        (Expected::Object, ERROR, r#"{"a":1}"#),
        (Expected::Object, "", r#"{"a":1}"#),
        (Expected::Entity, "{}", r#"{"id":"m"}"#),
        (Expected::Entity, r#"{"id":null}"#, r#"{"id":"m"}"#),
        (Expected::List, r#"{"@odata.context":"x"}"#, r#"{"value":[]}"#),
        (Expected::List, r#"{"value":[],"error":{"code":"x"}}"#, r#"{"value":[]}"#),
        (Expected::List, r#"{"value":[{"mail":"a"},{"error":{"code":"x"}}]}"#, r#"{"value":[{"mail":"a"}]}"#),
        (Expected::Entities, r#"{"value":[{"subject":"s"}]}"#, r#"{"value":[{"id":"m"}]}"#),
    ] {
        let (client, count) =
            answering(move || RawResponse::new(200, bad), move || RawResponse::new(200, good)).await;
        let response = client.send(&Request::get(message()).expecting(expected)).await.unwrap();
        assert_eq!(
            (response.body.unwrap().get(), count.load(Ordering::SeqCst)),
            (good, 2),
            "{expected:?} {bad}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn error_called_a_success_fails_with_its_code_in_the_end() {
    let (client, count) = answering(|| RawResponse::new(200, ERROR), || RawResponse::new(200, ERROR)).await;
    let error = client.send(&Request::get(message())).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ErrorInSuccess(_)), "{error:?}");
    assert!(error.to_string().contains("UnknownError: Something went wrong"), "{error}");
    assert!(!error.for_log().contains("Something went wrong"), "{}", error.for_log());
    assert_eq!(
        (error.status(), error.refusal().is_none(), count.load(Ordering::SeqCst)),
        (Some(200), true, 4)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_change_response_is_indeterminate_without_retry() {
    for bad in ["{}", "", ERROR, "<html>"] {
        let (client, count) =
            answering(move || RawResponse::new(201, bad), move || RawResponse::new(201, bad)).await;
        let path = Path::messages("a@x.example", None).unwrap();
        let creation = Request::post(path, "{}".into(), &Permit::default()).expecting(Expected::Entity);
        let error = client.send(&creation).await.unwrap_err();
        assert!(error.is_indeterminate(), "{bad}: {error}");
        assert_eq!(count.load(Ordering::SeqCst), 1, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn change_without_a_body_in_its_response_succeeds() {
    for (status, body) in [(200, ""), (202, ""), (204, ""), (200, "\"\""), (200, "null"), (200, "{}")] {
        let answer = move || RawResponse::new(status, body);
        let (client, count) = answering(answer, answer).await;
        client.send(&Request::delete(message(), &Permit::default())).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{status} {body}");
    }
    for (status, body) in [(204, json!("")), (200, json!("")), (204, Value::Null), (200, Value::Null)] {
        let (client, count) = part_answered(status, body.clone()).await;
        client.send_by(&client.bulk(), &Request::delete(message(), &Permit::default())).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{status} {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_message_is_requested_again_and_then_refused() {
    let mime =
        |body: &'static str| move || RawResponse::new(200, body).with_header("content-type", "text/plain");
    let (client, _) = answering(mime(""), mime("Subject: x\r\n")).await;
    let download = client.open(&Request::get(message().then("$value"))).await.unwrap();
    let pieces: Vec<_> = download.stream(1 << 20).map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat(), b"Subject: x\r\n");
    let json = || RawResponse::new(200, ERROR).with_header("content-type", "application/json; charset=utf-8");
    for (client, count) in [answering(mime(""), mime("")).await, answering(json, json).await] {
        let error = client.open(&Request::get(message().then("$value"))).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotAnAnswer { status: 200, .. }), "{error:?}");
        assert_eq!(count.load(Ordering::SeqCst), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn body_is_read_as_other_readers_read_it() {
    let marked = "\u{feff}{\"error\":{\"code\":\"ErrorItemNotFound\",\"message\":\"x\"}}";
    let (client, _) = answering(move || RawResponse::new(404, marked), || RawResponse::new(500, "")).await;
    let error = client.send(&Request::get(message())).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().code, "ErrorItemNotFound");
    let cut = r#"{"id":"m","subject":"sale \ud83d"}"#;
    let (client, _) = answering(move || RawResponse::new(200, cut), || RawResponse::new(500, "")).await;
    let read: Value = client.send(&Request::get(message())).await.unwrap().parse().unwrap();
    assert_eq!(read["subject"], "sale \u{fffd}");
    let (client, _) = answering(
        || RawResponse::new(200, b"{\"id\":\"m\",\"subject\":\"\xe4\"}"),
        || RawResponse::new(500, ""),
    )
    .await;
    let read: Value = client.send(&Request::get(message())).await.unwrap().parse().unwrap();
    assert_eq!(read["subject"], "\u{fffd}");
}

#[tokio::test(flavor = "multi_thread")]
async fn error_object_is_read_in_all_its_forms() {
    for (body, code, message_text) in [
        (json!({"error": {"code": "A", "message": null}}), "A", ""),
        (json!({"error": {"code": "A", "message": {"lang": "en", "value": "No."}}}), "A", "No."),
        (json!({"error": {"code": "", "message": "m", "innererror": {"code": "Inner"}}}), "Inner", "m"),
        (json!({"error": "invalid_request", "error_description": "no"}), "invalid_request", "no"),
        (json!({"error": {"code": 7, "message": "m"}}), "7", "m"),
    ] {
        let text = body.to_string();
        let (client, _) = answering(move || RawResponse::new(400, &text), || RawResponse::new(500, "")).await;
        let error = client.send(&Request::get(message())).await.unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), (code, message_text), "{body}");
        let kept: Value = serde_json::from_str(refusal.body.as_ref().unwrap().get()).unwrap();
        assert!(kept["error"]["code"].is_string() && kept["error"]["message"].is_string(), "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn error_of_a_part_is_read_as_base64_and_without_a_body() {
    // {"error": {"code": "MailboxNotEnabledForRESTAPI", "message": "m"}}
    let encoded = "eyJlcnJvciI6IHsiY29kZSI6ICJNYWlsYm94Tm90RW5hYmxlZEZvclJFU1RBUEkiLCAibWVzc2FnZSI6ICJtIn19";
    let (client, _) = part_answered(404, json!(encoded)).await;
    let error = client.send_by(&client.bulk(), &Request::get(message())).await.unwrap_err().error;
    assert!(error.is_no_mailbox(), "{error:?}");
    let (client, count) = part_answered(404, Value::Null).await;
    let error = client.send_by(&client.bulk(), &Request::get(message())).await.unwrap_err().error;
    assert_eq!((error.refusal().unwrap().status, count.load(Ordering::SeqCst)), (404, 1));
    assert!(!error.to_string().contains("microsoft_graph_url"), "{error}");
}

/// Graph's error response with `status` and `code`.
fn refused(status: u16, code: &str) -> RawResponse {
    RawResponse::new(status, json!({"error": {"code": code, "message": "m"}}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_decide_how_often_a_request_is_sent() {
    for (status, code, tries) in [
        (500, "ErrorMimeContentConversionFailed", 2),
        (500, "ErrorInternalServerError", 4),
        (412, "ErrorIrresolvableConflict", 4),
        (409, "ErrorIrresolvableConflict", 4),
        (409, "ErrorOther", 1),
        (503, "MailboxInfoStale", 4),
        (401, "UnknownError", 2),
        (403, "ErrorAccessDenied", 1),
    ] {
        let answer = move || refused(status, code);
        let (client, count) = answering(answer, answer).await;
        client.send(&Request::get(message())).await.unwrap_err();
        assert_eq!(count.load(Ordering::SeqCst), tries, "{status} {code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_404_is_asked_for_once_more() {
    let damaged = || RawResponse::new(404, r#"{"error":{"code":"ErrorItemNotF"#);
    let (client, count) = answering(damaged, || refused(404, "ErrorItemNotFound")).await;
    let gone = client.send(&Request::get(message())).await.unwrap_err();
    assert!(gone.is_item_gone(), "{gone}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let (client, count) = answering(damaged, damaged).await;
    let wrong = client.send(&Request::get(message())).await.unwrap_err();
    assert!(wrong.to_string().contains("microsoft_graph_url"), "{wrong}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn conflict_is_repeated_even_where_a_repeat_could_do_harm() {
    let (client, count) =
        answering(|| refused(412, "ErrorIrresolvableConflict"), || RawResponse::new(201, r#"{"id":"a"}"#))
            .await;
    let attaching =
        Request::post(message().then("attachments"), "{}".into(), &Permit::default()).retry_if_unsent();
    client.send(&attaching).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn unauthorised_mailbox_keeps_the_token() {
    let answer = || refused(401, "UnknownError");
    let (client, _) = answering(answer, answer).await;
    let dispatches = [Dispatch::Single, client.bulk()];
    let error = client.send_by(&dispatches[0], &Request::get(message())).await.unwrap_err().error;
    assert_eq!(error.meaning(), Some(Meaning::MailboxUnauthorized));
    assert!(client.token_life().is_some(), "the token is still in use");
}

#[tokio::test(flavor = "multi_thread")]
async fn zero_or_past_retry_after_still_backs_off() {
    for wait in ["0", "-5", "Sun, 01 Mar 2020 09:00:00 GMT"] {
        let answer = move || refused(429, "TooManyRequests").with_header("retry-after", wait);
        let (client, _) = answering(answer, answer).await;
        let started = Instant::now();
        client.send(&Request::get(message())).await.unwrap_err();
        // Three waits that double from a tenth of a second.
        assert!(started.elapsed() >= Duration::from_millis(700), "{wait}: {:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_date_is_relative_to_response_date() {
    let first = || {
        refused(429, "TooManyRequests")
            .with_header("date", "Sun, 01 Mar 2020 09:00:00 GMT")
            .with_header("retry-after", "Sun, 01 Mar 2020 09:00:01 GMT")
    };
    let (client, _) = answering(first, || RawResponse::new(200, r#"{"id":"m"}"#)).await;
    let started = Instant::now();
    client.send(&Request::get(message())).await.unwrap();
    let waited = started.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
}

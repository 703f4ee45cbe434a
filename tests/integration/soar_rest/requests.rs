//! What is asked, and what is asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use soar::{Client, Error};

use super::exit_code;
use super::server::{self, Soar, soar};

/// A SOAR that answers the n-th request for a function or a new note with the n-th of `answers`, and then well.
async fn answering(answers: Vec<Response>) -> (Soar, Client) {
    let answers = Arc::new(std::sync::Mutex::new(answers.into_iter()));
    let next = move || {
        let answer = answers.lock().unwrap().next();
        async move { answer.unwrap_or_else(|| Json(json!({"id": 1, "destination_handle": "d"})).into_response()) }
    };
    let router = soar()
        .route("/rest/orgs/201/functions/f", get(next.clone()))
        .route("/rest/orgs/201/incidents/7/comments", post(next));
    let soar = server::start(router).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    (soar, client)
}

fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

#[tokio::test]
async fn destination_is_found_by_its_programmatic_name() {
    let function = get(|Path(name): Path<String>| async move {
        if name != "a/b c?" {
            return (StatusCode::NOT_FOUND, Json(json!({"message": "no such function"}))).into_response();
        }
        Json(json!({"id": 5, "destination_handle": "fn_exchange_online", "more": []})).into_response()
    });
    let soar = server::start(soar().route("/rest/orgs/201/functions/{name}", function)).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    let known = client.destination_of("a/b c?").await.unwrap();
    assert_eq!(known.as_deref(), Some("fn_exchange_online"));
    assert_eq!(client.destination_of("unknown").await.unwrap(), None);
    let seen = soar.seen("/functions/a%2Fb%20c%3F");
    assert_eq!(seen[0].uri.query(), Some("handle_format=names"));
    assert_eq!(soar.seen("/functions/unknown").len(), 1, "a 404 is not asked again");
}

#[tokio::test]
async fn reading_is_repeated_where_a_repeat_may_help() {
    for answer in [
        || status(500),
        || status(502),
        || status(503),
        || status(429),
        || "<html>Sign in to the proxy</html>".into_response(),
        || ([("content-type", "application/json")], "{\"destination_handle\": ").into_response(),
    ] {
        let (soar, client) = answering(vec![answer(), answer()]).await;
        assert_eq!(client.destination_of("f").await.unwrap().as_deref(), Some("d"));
        assert_eq!(soar.seen("/f").len(), 3);
        let (soar, client) = answering(vec![answer(), answer(), answer()]).await;
        client.destination_of("f").await.unwrap_err();
        assert_eq!(soar.seen("/f").len(), 3);
    }
}

#[tokio::test]
async fn rejected_read_is_not_retried_and_reports_soar_message() {
    for code in [400, 403, 409, 301] {
        let body =
            json!({"success": false, "title": null, "message": "You may\n not.", "error_code": "generic"});
        let answer = (StatusCode::from_u16(code).unwrap(), Json(body)).into_response();
        let (soar, client) = answering(vec![answer]).await;
        let error = client.destination_of("f").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("SOAR answered the attempt to read the function f with HTTP status {code}: You may not.")
        );
        assert_eq!((error.status(), exit_code(&error)), (Some(code), 20));
        assert_eq!(soar.seen("/f").len(), 1);
    }
}

#[tokio::test]
async fn revoked_key_is_reported_at_once() {
    let (soar, client) = answering(vec![status(401)]).await;
    let error = client.destination_of("f").await.unwrap_err();
    assert_eq!(exit_code(&error), 21);
    assert_eq!((soar.seen("/f").len(), soar.seen("/session").len()), (1, 1));
}

#[tokio::test]
async fn note_is_sent_once_as_html() {
    let notes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&notes);
    let take = post(move |Json(body): Json<Value>| async move {
        assert_eq!(body, json!({"text": {"format": "html", "content": "<b>\"ü\"</b>"}}));
        count.fetch_add(1, Ordering::SeqCst);
        Json(json!({"id": 3}))
    });
    let soar = server::start(soar().route("/rest/orgs/201/incidents/7/comments", take)).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    client.add_note(7, "<b>\"ü\"</b>").await.unwrap();
    assert_eq!(notes.load(Ordering::SeqCst), 1);
    assert_eq!(soar.seen("/comments")[0].headers["content-type"], "application/json");
}

#[tokio::test]
async fn note_is_retried_only_after_http_429() {
    let (soar, client) = answering(vec![status(429), status(429)]).await;
    client.add_note(7, "x").await.unwrap();
    assert_eq!(soar.seen("/comments").len(), 3);
    for answer in [status(500), status(502), status(503), status(504), "<html>".into_response()] {
        let (soar, client) = answering(vec![answer]).await;
        let error = client.add_note(7, "x").await.unwrap_err();
        assert!(error.to_string().contains("add a note to incident 7"), "{error}");
        assert_eq!(soar.seen("/comments").len(), 1);
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let answer = (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response();
    let (_soar, client) = answering(vec![answer]).await;
    let started = std::time::Instant::now();
    client.add_note(7, "x").await.unwrap();
    assert!(started.elapsed().as_millis() >= 1000, "{:?}", started.elapsed());
}

#[tokio::test]
async fn html_instead_of_json_is_no_answer_of_soars() {
    let (_soar, client) = answering(vec!["<html>".into_response()]).await;
    let error = client.add_note(7, "x").await.unwrap_err();
    assert!(matches!(error, Error::NotAnAnswer { .. }), "{error}");
    assert_eq!(exit_code(&error), 20);
}

#[tokio::test]
async fn destination_that_is_not_a_name_is_not_subscribed_to() {
    for name in [">", "*", "fn.>", "fn,other", "fn?consumer.exclusive=true", "fn/x", "", " ", "ü"] {
        let answer = Json(json!({"id": 1, "destination_handle": name})).into_response();
        let (_soar, client) = answering(vec![answer]).await;
        let error = client.destination_of("f").await.unwrap_err();
        assert!(matches!(error, Error::NotAnAnswer { .. }), "{name}: {error}");
        assert!(error.to_string().contains("name of its message destination"), "{error}");
    }
}

//! Whatever SOAR answers is bounded, and an error about it does no harm.

use axum::Json;
use axum::http::header;
use axum::routing::get;
use net::untrusted::text::is_unsafe_to_display;
use serde_json::{Value, json};
use soar::{Client, Target};

use crate::soar_rest::server::{soar, start};
use crate::support::gzip_bomb::gzip_bomb;

const LIST: &str = "/rest/orgs/201/incidents/7/attachments";

#[tokio::test]
async fn gzip_bomb_of_soar_is_refused() {
    let packed = gzip_bomb(70);
    let bomb = move || std::future::ready(([(header::CONTENT_ENCODING, "gzip")], packed));
    let mut soar = start(soar().route(LIST, get(bomb))).await;
    soar.settings.request_tries = 1;
    let client = Client::connect(&soar.settings).await.unwrap();
    let error = client.attachments(Target::Incident(7)).await.unwrap_err();
    assert!(error.to_string().ends_with("it is larger than 64 MiB"), "{error}");
}

#[tokio::test]
async fn hostile_answer_of_soar_is_an_error_in_words() {
    let words = "\u{1b}]0;x\u{7}\u{202e}\r\n2026 INFO forged\u{9b}31m".repeat(500);
    let deep = (0..500).fold(json!(1), |inner, _| json!([inner]));
    let answers = [
        json!(null),
        json!(7),
        json!("text"),
        json!([[]]),
        json!({"orgs": 7}),
        json!({"orgs": [{"id": "201", "name": ["My Org"], "enabled": "yes"}]}),
        json!({"orgs": [{"id": 1e300, "name": "My Org", "enabled": true}]}),
        json!({"orgs": [{"id": 9, "name": words, "enabled": true}]}),
        json!({"orgs": [{"id": 9, "name": "My Org", "enabled": false}], "session_ip": words}),
        json!({"orgs": [], "message": words}),
        deep,
    ];
    for answer in answers {
        let sent = answer.clone();
        let session = move || std::future::ready(Json::<Value>(sent));
        let mut soar = start(axum::Router::new().route("/rest/session", get(session))).await;
        soar.settings.login_tries = Some(1);
        let error = Client::connect(&soar.settings).await.expect_err("it is not signed in").to_string();
        assert!(error.len() < 2048 && !error.contains(is_unsafe_to_display), "{answer:.100}: {error}");
    }
}

//! Graph and the token endpoint quote what they were sent. The errors do not.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use graph::{Client, Credential, Error, ErrorKind, Proof};
use net::Secret;
use serde_json::{Value, json};

use super::raw::{RawRequest, RawResponse, server};
use super::{messages, user};

/// An access token as Entra ID writes them.
const TOKEN: &str = "eyJ0eXAiOiJKV1Qi.eyJhdWQiOiJodHRwczovL2dyYXBo.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";
const SECRET: &str = "aB8~Q/s3cr3t+0f&the=app.1_x";

fn granted() -> RawResponse {
    let token = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN});
    RawResponse::new(200, token.to_string())
}

/// An error that quotes `quoted` wherever an error has a text.
fn quoting(quoted: &str) -> Value {
    json!({"error": {
        "code": quoted,
        "message": format!("You sent {quoted}, {}", BASE64_STANDARD.encode(format!("id:{quoted}"))),
        "innerError": {"request-id": quoted, "date": quoted},
    }})
}

/// A server that answers requests for tokens, and all others with `answer`; a client of it.
async fn client(answer: impl Fn(RawRequest) -> RawResponse + Send + Sync + 'static) -> Client {
    let mut settings = server(&[("max_retries_total", "0")], move |request: RawRequest| {
        std::future::ready(if request.line().contains("/sign-in") { granted() } else { answer(request) })
    })
    .await;
    settings.token_url.set_path("/sign-in");
    Client::new(&settings).unwrap()
}

/// Everything that is written or sent of the error.
fn texts(error: &Error) -> String {
    let body = error.refusal().and_then(|refusal| refusal.body.as_deref());
    let body = body.map(serde_json::value::RawValue::get);
    format!("{error} {} {:?} {body:?}", error.for_log(), error.request_id())
}

/// No 12 characters of the token, or of its base64, are left.
fn assert_clean(error: &Error, secret: &str) {
    let texts = texts(error);
    for form in [secret.to_owned(), BASE64_STANDARD.encode(format!("id:{secret}"))[8..].to_owned()] {
        let found = (0..form.len() - 12).find(|start| texts.contains(&form[*start..start + 12]));
        assert_eq!(found, None, "{texts}");
    }
    assert!(texts.contains("***"), "{texts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_in_an_error_of_graph_is_removed() {
    let client = client(|request| {
        let token = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        RawResponse::new(400, quoting(token).to_string()).with_header("request-id", token)
    })
    .await;
    let error = client.send(&user("a@x.example")).await.unwrap_err();
    assert_clean(&error, TOKEN);
    let refusal = error.refusal().unwrap();
    assert_eq!((refusal.code.as_str(), error.request_id()), ("***", None), "an id has no dots");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_in_a_part_of_a_batch_is_removed() {
    let client = client(|request| {
        let token = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        let headers = json!({"request-id": token});
        let parts = request
            .parts()
            .into_iter()
            .map(|part| json!({"id": part["id"], "status": 400, "headers": headers, "body": quoting(token)}));
        RawResponse::new(200, json!({"responses": parts.collect::<Vec<_>>()}).to_string())
    })
    .await;
    let dispatch = client.bulk();
    let (one, two) = (messages("a@x.example"), messages("b@x.example"));
    let sent = tokio::join!(client.send_by(&dispatch, &one), client.send_by(&dispatch, &two));
    for failed in [sent.0.unwrap_err(), sent.1.unwrap_err()] {
        assert_clean(&failed.error, TOKEN);
        assert_eq!(failed.error.request_id(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_secret_in_a_refusal_of_the_token_is_removed() {
    let mut settings = server(&[], |request: RawRequest| {
        let form = String::from_utf8(request.body).unwrap();
        let description = format!("AADSTS7000215: not {form}, {}", BASE64_STANDARD.encode(SECRET));
        let body = json!({"error": "invalid_client", "error_description": description, "trace_id": form});
        std::future::ready(RawResponse::new(401, body.to_string()))
    })
    .await;
    settings.token_url.set_path("/sign-in");
    let proof = Proof::Secret(Secret::new(SECRET));
    settings.credential = Credential::Application { client_id: "the-app".to_owned(), proof };
    let error = Client::new(&settings).unwrap().send(&user("a@x.example")).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error.kind(), ErrorKind::Token(_)), "{error:?}");
    assert!(text.contains("AADSTS7000215") && text.contains("client_secret=***"), "{text}");
    assert!(!text.contains("s3cr3t") && !text.contains(&BASE64_STANDARD.encode(SECRET)[..12]), "{text}");
    assert!(!text.contains("trace id"), "it is not an id: {text}");
}

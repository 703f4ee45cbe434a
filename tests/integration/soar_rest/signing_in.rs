//! Both ways to sign in, and the organisation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use net::Secret;
use serde_json::{Value, json};
use soar::Login;
use soar::{Client, Content, Error, Target};

use super::exit_code;
use super::server::{self, Soar, session, soar};

#[tokio::test]
async fn api_key_is_sent_with_every_request_without_cookies() {
    let signing_in = get(|| async {
        (AppendHeaders([("set-cookie", "JSESSIONID=abc; Path=/; HttpOnly")]), Json(session()))
    });
    let soar = server::start(
        Router::new()
            .route("/rest/session", signing_in)
            .route("/rest/orgs/201", get(|| async { Json(json!({"actions_framework_enabled": false})) })),
    )
    .await;
    let client = Client::connect(&soar.settings).await.unwrap();
    assert_eq!((client.org_id(), client.org_name()), (201, "My Org"));
    assert_eq!(client.actions_framework_enabled(), Some(false));
    assert_eq!(soar.seen("/session")[0].uri.query(), Some("include_permissions=false"));
    for seen in [&soar.seen("/session")[0], &soar.seen("/orgs/201")[0]] {
        assert_eq!(seen.headers["authorization"], "Basic a2V5LWlkOmtleS1TM0NSM1Q=");
        assert!(!seen.headers.contains_key("cookie") && !seen.headers.contains_key("x-sess-id"), "{seen:?}");
        assert_eq!(seen.headers["user-agent"], concat!("fn-exchange-online/", env!("CARGO_PKG_VERSION")));
    }
}

/// A SOAR whose sessions are numbered, and that takes only the session `valid` (all, where it is 0).
async fn with_password(valid: usize) -> Soar {
    let count = Arc::new(AtomicUsize::new(0));
    let signing_in = post(move |Json(body): Json<Value>| async move {
        if body != json!({"email": "a@example.com", "password": "PaSs"}) {
            return (StatusCode::UNAUTHORIZED, Json(json!({"message": "Invalid user name or password."})))
                .into_response();
        }
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answer = session();
        answer["csrf_token"] = json!(format!("csrf-{number}"));
        let cookies = [
            ("set-cookie", format!("JSESSIONID=session-{number}; Path=/; Secure")),
            ("set-cookie", "route=1".to_owned()),
        ];
        (AppendHeaders(cookies), Json(answer)).into_response()
    });
    let guarded = move |headers: HeaderMap| async move {
        let number =
            headers["x-sess-id"].to_str().unwrap().strip_prefix("csrf-").unwrap().parse::<usize>().unwrap();
        assert_eq!(headers["cookie"], format!("JSESSIONID=session-{number}; route=1"));
        assert!(!headers.contains_key("authorization"));
        if valid != 0 && number != valid {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        Json(json!({"id": 1, "name": "x", "destination_handle": "d"})).into_response()
    };
    let mut soar = server::start(
        Router::new()
            .route("/rest/session", signing_in)
            .route("/rest/orgs/201", get(guarded))
            .route("/rest/orgs/201/incidents/1/attachments", post(guarded))
            .route("/rest/orgs/201/incidents/1/comments", post(guarded)),
    )
    .await;
    soar.settings.login =
        Login::Password { email: "a@example.com".to_owned(), password: Secret::new("PaSs") };
    soar
}

#[tokio::test]
async fn password_session_is_sent_with_every_request() {
    let soar = with_password(0).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    assert_eq!(client.org_id(), 201);
    assert_eq!((soar.seen("/session").len(), soar.seen("/orgs/201").len()), (1, 1));
}

#[tokio::test]
async fn expired_session_is_renewed_and_request_is_retried() {
    let soar = with_password(2).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    client.add_note(1, "x").await.unwrap();
    assert_eq!((soar.seen("/session").len(), soar.seen("/orgs/201").len()), (2, 2));
}

#[tokio::test]
async fn session_is_checked_before_stream_upload() {
    let mut soar = with_password(0).await;
    let client = Client::connect(&soar.settings).await.unwrap();
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>("abc".into())]);
    client.attach(Target::Incident(1), "f", "text/plain", Content::stream(stream, None)).await.unwrap();
    assert_eq!(soar.seen("/orgs/201").len(), 2);
    soar.settings.login_tries = None;
}

#[tokio::test]
async fn rejected_session_is_renewed_only_once() {
    let soar = with_password(99).await;
    let error = Client::connect(&soar.settings).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
    assert_eq!((soar.seen("/session").len(), soar.seen("/orgs/201").len()), (2, 2));
}

#[tokio::test]
async fn wrong_password_is_not_retried_and_has_exit_code_25() {
    let mut soar = with_password(0).await;
    soar.settings.login =
        Login::Password { email: "a@example.com".to_owned(), password: Secret::new("n0pe") };
    let error = Client::connect(&soar.settings).await.unwrap_err();
    assert_eq!(exit_code(&error), 25);
    assert_eq!(
        error.to_string(),
        "SOAR does not accept the e-mail address and password; check email and password \
         (HTTP status 401: Invalid user name or password.)"
    );
    assert_eq!(soar.seen("/session").len(), 1);
}

#[tokio::test]
async fn password_in_soar_response_is_not_shown_in_error() {
    for (status, words, expected) in [
        (
            StatusCode::FORBIDDEN,
            "Not from here.",
            "SOAR answered the attempt to sign in with HTTP status 403",
        ),
        (
            StatusCode::UNAUTHORIZED,
            "Invalid user name or password.",
            "SOAR does not accept the e-mail address and password; check email and password \
             (HTTP status 401: Invalid user name or password.)",
        ),
    ] {
        let quoting = post(move |sent: String| async move {
            (status, Json(json!({"message": format!("{sent}: {words}")})))
        });
        let mut soar = server::start(Router::new().route("/rest/session", quoting)).await;
        let password = Secret::new("n\"p\u{e9}S3CR3T");
        soar.settings.login = Login::Password { email: "a@example.com".to_owned(), password };
        let error = Client::connect(&soar.settings).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains("S3CR3T"), "{error:?}");
    }
}

#[tokio::test]
async fn wrong_api_key_is_not_retried_and_has_exit_code_21() {
    let soar =
        server::start(Router::new().route("/rest/session", get(|| async { StatusCode::UNAUTHORIZED }))).await;
    let error = Client::connect(&soar.settings).await.unwrap_err();
    assert_eq!(exit_code(&error), 21);
    assert!(error.to_string().contains("the API key; check api_key_id and api_key_secret"), "{error}");
    assert!(!format!("{error} {error:?}").contains("S3CR3T"));
    assert_eq!(soar.seen("/session").len(), 1);
}

#[tokio::test]
async fn organisation_is_found_by_cloud_account_uuid_or_name() {
    let every_org = get(|| async { Json(json!({})) });
    let mut soar = server::start(
        Router::new()
            .route("/rest/session", get(|| async { Json(session()) }))
            .route("/rest/orgs/{id}", every_org),
    )
    .await;
    for (org, id) in
        [("My Org", 201), ("cloud-1", 201), ("u-201", 201), ("u-202", 202), ("cloud-2", 202), ("Other", 200)]
    {
        org.clone_into(&mut soar.settings.org);
        assert_eq!(Client::connect(&soar.settings).await.unwrap().org_id(), id, "{org}");
    }
    for (org, words) in [
        ("my org", "\"my org\" (org) is not an organisation of the account"),
        ("", "it is a member of: Other, My Org, u-201, Closed"),
        ("Closed", "\"Closed\" is not enabled for this account from the address 192.0.2.1"),
    ] {
        org.clone_into(&mut soar.settings.org);
        let error = Client::connect(&soar.settings).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(exit_code(&error), 24);
    }
}

#[tokio::test]
async fn account_without_organisation_is_reported() {
    let soar =
        server::start(Router::new().route("/rest/session", get(|| async { Json(json!({"orgs": []})) })))
            .await;
    let error = Client::connect(&soar.settings).await.unwrap_err();
    assert!(matches!(error, Error::NoOrganisation), "{error}");
}

/// A SOAR that is not ready for the first `failures` attempts to sign in.
async fn starting_up(failures: usize) -> Soar {
    let count = Arc::new(AtomicUsize::new(0));
    let signing_in = get(move || async move {
        if count.fetch_add(1, Ordering::SeqCst) < failures {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Json(session()).into_response()
    });
    server::start(
        Router::new()
            .route("/rest/session", signing_in)
            .merge(Router::new().route("/rest/orgs/201", get(|| async { Json(json!({})) }))),
    )
    .await
}

#[tokio::test]
async fn signing_in_is_tried_as_often_as_configured() {
    let soar = starting_up(2).await;
    Client::connect(&soar.settings).await.unwrap();
    let soar = starting_up(3).await;
    let error = Client::connect(&soar.settings).await.unwrap_err();
    assert_eq!((exit_code(&error), error.status()), (20, Some(503)));
    assert_eq!(soar.seen("/session").len(), 3);
    let mut soar = starting_up(9).await;
    soar.settings.login_tries = None;
    Client::connect(&soar.settings).await.unwrap();
}

#[tokio::test]
async fn resource_prefix_precedes_every_path() {
    let mut soar = server::start(Router::new().nest("/api/respond", soar())).await;
    soar.settings.resource_prefix = Some("/api/respond".to_owned());
    Client::connect(&soar.settings).await.unwrap();
    assert_eq!(soar.seen("/orgs/201")[0].uri.path(), "/api/respond/rest/orgs/201");
}

#[tokio::test]
async fn api_key_that_soar_quotes_is_removed() {
    for status in [StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST] {
        let quoting = get(move |headers: HeaderMap| async move {
            let login = headers["authorization"].to_str().unwrap().to_owned();
            (status, Json(json!({"message": format!("What is {login}?\u{9b}31m\u{202e}, or key-S3CR3T")})))
        });
        let soar = server::start(Router::new().route("/rest/session", quoting)).await;
        let error = Client::connect(&soar.settings).await.unwrap_err().to_string();
        assert!(error.contains("What is Basic ") && error.contains("or ***"), "{error}");
        assert!(!error.contains("LWlkOmtleS1TM0NSM1Q") && !error.contains("S3CR3T"), "{error}");
        assert!(!error.contains(['\u{9b}', '\u{202e}']), "{error}");
    }
}

#[tokio::test]
async fn session_that_soar_quotes_is_removed() {
    let soar = {
        let signing_in = post(|| async {
            let mut answer = session();
            answer["csrf_token"] = json!("csrf-0123456789");
            (AppendHeaders([("set-cookie", "JSESSIONID=session-0123456789")]), Json(answer))
        });
        let quoting = get(|headers: HeaderMap| async move {
            (StatusCode::BAD_REQUEST, Json(json!({"message": format!("{headers:?}, and PaSs")})))
        });
        let mut soar =
            server::start(Router::new().route("/rest/session", signing_in).route("/rest/orgs/201", quoting))
                .await;
        soar.settings.login =
            Login::Password { email: "a@example.com".to_owned(), password: Secret::new("PaSs") };
        soar
    };
    let error = Client::connect(&soar.settings).await.unwrap_err().to_string();
    assert!(error.contains("***"), "{error}");
    for secret in ["csrf-01", "session-01", "PaSs"] {
        assert!(!error.contains(secret), "{error}");
    }
}

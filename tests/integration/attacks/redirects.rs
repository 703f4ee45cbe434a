//! No server leads a request, and the credential in it, to another server.

use std::net::TcpListener;

use axum::Router;
use axum::http::{StatusCode, header};
use graph::{Client, ErrorKind, Path, Request};

use crate::graph_client::raw::{RawRequest, RawResponse, server};
use crate::soar_rest::server::start;
use crate::support::permit::Permit;

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// A server that must not be connected to.
struct Elsewhere(TcpListener);

impl Elsewhere {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}/", self.0.local_addr().unwrap())
    }

    fn assert_untouched(&self) {
        assert!(self.0.accept().is_err(), "it was connected to");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_of_graph_is_not_followed() {
    let elsewhere = Elsewhere::new();
    let location = elsewhere.url();
    // The id of the message is the status of the answer.
    let settings = server(&[("max_retries_total", "0")], move |request: RawRequest| {
        let id = request.line().split('/').nth(5).unwrap().split(' ').next().unwrap().to_owned();
        let answer = RawResponse::new(id.parse().unwrap(), "").with_header("location", &location);
        std::future::ready(answer)
    })
    .await;
    let client = Client::new(&settings).unwrap();
    let permit = Permit::default();
    for status in STATUSES {
        let message = Path::message("a@x.example", None, &status.to_string()).unwrap();
        for request in [Request::get(message.clone()), Request::delete(message, &permit)] {
            let error = client.send(&request).await.unwrap_err();
            assert_eq!(error.refusal().map(|refusal| refusal.status), Some(status), "{error}");
        }
    }
    elsewhere.assert_untouched();
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_of_token_endpoint_is_not_followed() {
    let elsewhere = Elsewhere::new();
    for status in STATUSES {
        let location = elsewhere.url();
        let mut settings = server(&[("max_retries_total", "0")], move |_| {
            std::future::ready(RawResponse::new(status, "").with_header("location", &location))
        })
        .await;
        settings.token_url.set_path("/sign-in");
        let request = Request::get(Path::user("a@x.example").unwrap());
        let error = Client::new(&settings).unwrap().send(&request).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Token(_)), "{status}: {error:?}");
    }
    elsewhere.assert_untouched();
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_of_soar_is_not_followed() {
    let elsewhere = Elsewhere::new();
    for status in STATUSES {
        let answer = (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, elsewhere.url())]);
        let mut soar = start(Router::new().fallback(move || std::future::ready(answer))).await;
        soar.settings.login_tries = Some(1);
        let error = soar::Client::connect(&soar.settings).await.expect_err("it is not signed in");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    elsewhere.assert_untouched();
}

//! A proxy before the tenant that keeps every request whole, body and headers, and can answer in its stead.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response};
use bytes::Bytes;
use graph::Client;
use net::http::{client_builder, tls_config};
use net::{Proxy, Trust};
use sandbox::server::{HTTP_ALPN, Server};
use serde_json::Value;

use crate::functions::common::Fixture;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path.strip_prefix("/v1.0").unwrap_or(&self.path))
    }
}

/// What is answered instead, to requests whose method and path contain a text.
struct Lie {
    on: String,
    left: usize,
    status: u16,
    content_type: &'static str,
    body: String,
}

struct Inner {
    seen: Mutex<Vec<Seen>>,
    lies: Mutex<Vec<Lie>>,
    client: reqwest::Client,
    /// `127.0.0.1:PORT` of the tenant, and of the front.
    tenant: String,
    front: Mutex<String>,
}

/// The front. Dropping it closes it.
pub(crate) struct Front {
    inner: Arc<Inner>,
    server: Server,
}

impl Front {
    /// Puts a front before the fixture's tenant; the fixture's functions go through it from now on.
    pub(crate) async fn before(fixture: &mut Fixture) -> Self {
        let trust = Trust::SystemAnd(fixture.sandbox.ca_file());
        let tls = tls_config(&trust, None).unwrap();
        let client = client_builder(tls, &Proxy::Explicit { http: None, https: None }, None);
        let tenant = fixture.graph().graph_url().trim_start_matches("https://").split('/').next().unwrap();
        let inner = Arc::new(Inner {
            seen: Mutex::default(),
            lies: Mutex::default(),
            client: client.build().unwrap(),
            tenant: tenant.to_owned(),
            front: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let tls = fixture.sandbox.certificates.server_config(HTTP_ALPN);
        let server = Server::start(router, tls).await.unwrap();
        *inner.front.lock().unwrap() = server.address().to_string();
        for url in [&mut fixture.settings.graph.base_url, &mut fixture.settings.graph.token_url] {
            url.set_port(Some(server.address().port())).unwrap();
        }
        fixture.context.graph = Client::new(&fixture.settings.graph).unwrap();
        Self { inner, server }
    }

    /// `https://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> String {
        format!("https://{}", self.server.address())
    }

    /// Answers the next `count` requests whose method and path contain `on`, and does not pass them on.
    pub(crate) fn answer(&self, count: usize, on: &str, status: u16, body: impl Into<String>) {
        self.answer_as("application/json", count, on, status, body);
    }

    pub(crate) fn answer_as(
        &self,
        content_type: &'static str,
        count: usize,
        on: &str,
        status: u16,
        body: impl Into<String>,
    ) {
        let lie = Lie { on: on.to_owned(), left: count, status, content_type, body: body.into() };
        self.inner.lies.lock().unwrap().push(lie);
    }

    /// How many tokens were asked for.
    pub(crate) fn token_requests(&self) -> usize {
        let seen = self.inner.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.path.ends_with("/oauth2/v2.0/token")).count()
    }

    /// Everything so far but requests for tokens.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let mut seen = self.inner.seen.lock().unwrap().clone();
        seen.retain(|seen| !seen.path.ends_with("/oauth2/v2.0/token"));
        seen
    }

    /// The request whose method and path end so.
    pub(crate) fn the(&self, end: &str) -> Seen {
        let mut seen = self.seen();
        seen.retain(|seen| seen.line().ends_with(end));
        assert_eq!(seen.len(), 1, "one request ends with {end}: {:?}", self.lines());
        seen.remove(0)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let line = format!("{} {path}", parts.method);
    inner.seen.lock().unwrap().push(Seen {
        method: parts.method.clone(),
        path: path.clone(),
        headers: parts.headers.clone(),
        body: body.clone(),
    });
    if let Some(lie) = lie(&inner, &line) {
        return lie;
    }
    let front = inner.front.lock().unwrap().clone();
    // Entra gives a token for the tenant's own address only.
    let body = if path.ends_with("/oauth2/v2.0/token") {
        let encoded = |address: &str| address.replace(':', "%3A");
        Bytes::from(
            String::from_utf8(body.to_vec()).unwrap().replace(&encoded(&front), &encoded(&inner.tenant)),
        )
    } else {
        body
    };
    let mut headers = parts.headers;
    for name in ["host", "content-length", "accept-encoding"] {
        headers.remove(name);
    }
    let url = format!("https://{}{path}", inner.tenant);
    let request = inner.client.request(parts.method, url).headers(headers).body(body);
    let answer = request.timeout(Duration::from_secs(60)).send().await.unwrap();
    let (status, answered) = (answer.status(), answer.headers().clone());
    let bytes = answer.bytes().await.unwrap();
    // Links lead to the front.
    let bytes = match std::str::from_utf8(&bytes) {
        Ok(text) => Bytes::from(text.replace(&inner.tenant, &front)),
        Err(_) => bytes,
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    for (name, value) in &answered {
        if !["content-length", "transfer-encoding"].contains(&name.as_str()) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn lie(inner: &Inner, line: &str) -> Option<Response<Body>> {
    let mut lies = inner.lies.lock().unwrap();
    let lie = lies.iter_mut().find(|lie| lie.left > 0 && line.contains(&lie.on))?;
    lie.left -= 1;
    let response = Response::builder().status(lie.status).header("content-type", lie.content_type);
    Some(response.body(Body::from(lie.body.clone())).unwrap())
}

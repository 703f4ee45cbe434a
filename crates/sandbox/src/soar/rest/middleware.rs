//! Middleware for every request: it records the request, applies faults, and checks the credentials.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::Shared;
use super::error::ApiError;
use super::session;
use crate::server::{Connection, cut_after};

/// How many characters of a request a response quotes.
const MOST_QUOTED: usize = 400;

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It is answered with this status and SOAR's error body, and not carried out.
    Status(u16),
    /// The connection breaks and it is not carried out.
    CutBefore,
    /// It is carried out, and answered with this status all the same.
    DoneButStatus(u16),
    /// It is carried out, and the connection breaks instead of a response. A client that repeats it carries it out
    /// twice.
    CutAfter,
    /// It is carried out, and the connection breaks in the middle of the response's body.
    CutBody,
}

/// Failures of coming requests.
#[derive(Debug)]
struct Fault {
    /// Part of the method and path (`POST /rest/orgs/201/incidents/2095/comments`) of requests that fail.
    on: String,
    remaining: usize,
    failure: Failure,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its method.
    pub method: String,
    /// Its path, including the resource prefix.
    pub path: String,
    /// Its query; may be empty.
    pub query: String,
    /// Its headers, without credentials.
    pub headers: HeaderMap,
    /// The status of the response. `None` while there is no response.
    pub status: Option<u16>,
}

/// The recorded requests, and the faults.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) recorded: Vec<Recorded>,
    /// How many requests were recorded before them and forgotten.
    forgotten: usize,
    pub(super) latency: Duration,
    /// Whether the response of a failure quotes the request's body.
    pub(super) quotes: bool,
    faults: VecDeque<Fault>,
}

impl Traffic {
    /// Forgets the recorded requests.
    pub(super) fn forget(&mut self) {
        self.forgotten += self.recorded.len();
        self.recorded.clear();
    }

    /// Records a request, and returns its number.
    fn record(&mut self, request: Recorded) -> usize {
        self.recorded.push(request);
        self.forgotten + self.recorded.len() - 1
    }

    /// Records the status of the response to a request, unless the request was forgotten meanwhile.
    fn answered(&mut self, number: usize, status: u16) {
        let place = number.checked_sub(self.forgotten);
        if let Some(recorded) = place.and_then(|place| self.recorded.get_mut(place)) {
            recorded.status = Some(status);
        }
    }

    pub(super) fn fail(&mut self, on: &str, count: usize, failure: Failure) {
        self.faults.push_back(Fault { on: on.to_owned(), remaining: count, failure });
    }

    pub(super) fn heal(&mut self) {
        self.faults.clear();
        self.latency = Duration::ZERO;
    }

    fn failure(&mut self, line: &str) -> Option<Failure> {
        let fault = self.faults.iter_mut().find(|f| f.remaining > 0 && line.contains(&f.on))?;
        fault.remaining -= 1;
        Some(fault.failure)
    }
}

/// Passes a request to its handler, unless a failure prevents it.
pub(super) async fn pass(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let (number, latency, failure, quotes) = shared.traffic(|traffic| {
        let recorded = record(&request);
        let failure = traffic.failure(&format!("{} {}", recorded.method, recorded.path));
        (traffic.record(recorded), traffic.latency, failure, traffic.quotes)
    });
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut quoted = String::new();
    let response = match failure {
        None => handle(&shared, request, next).await,
        Some(failure @ (Failure::Status(status) | Failure::DoneButStatus(status))) => {
            if matches!(failure, Failure::DoneButStatus(_)) {
                handle(&shared, request, next).await;
            } else {
                // The body is read to its end: if the connection closed while the client still sends, the response
                // would be lost.
                let mut rest = request.into_body().into_data_stream();
                while let Some(Ok(piece)) = rest.next().await {
                    if quotes && quoted.len() < MOST_QUOTED {
                        quoted.push_str(&String::from_utf8_lossy(&piece));
                    }
                }
            }
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let quoted: String = quoted.chars().take(MOST_QUOTED).collect();
            ApiError::new(status, format!("{quoted}The sandbox was asked to fail.")).into_response()
        }
        Some(Failure::CutBody) => break_off(handle(&shared, request, next).await).await,
        Some(cut @ (Failure::CutBefore | Failure::CutAfter)) => {
            if cut == Failure::CutAfter {
                handle(&shared, request, next).await;
            }
            connection.cut();
            std::future::pending().await
        }
    };
    let status = response.status().as_u16();
    shared.traffic(|traffic| traffic.answered(number, status));
    response
}

/// Lets the body of a response break off in its middle.
async fn break_off(response: Response) -> Response {
    let (head, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    Response::from_parts(head, cut_after(std::iter::once(whole.slice(..whole.len() / 2))))
}

fn record(request: &Request) -> Recorded {
    let mut headers = request.headers().clone();
    for secret in [AUTHORIZATION.as_str(), COOKIE.as_str(), "x-sess-id"] {
        headers.remove(secret);
    }
    Recorded {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers,
        status: None,
    }
}

/// Checks that a request has credentials and names an organisation that they belong to. Only signing in needs neither.
async fn handle(shared: &Shared, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix(shared.prefix.as_str()).unwrap_or(path);
    if path != "/rest/session" {
        let headers = request.headers();
        let org = path.strip_prefix("/rest/orgs/").and_then(|rest| rest.split('/').next());
        let allowed = shared.look(|data| {
            let author = session::author(data, headers)?;
            let known = |org: &str| data.organisations.iter().any(|o| o.enabled && o.id.to_string() == org);
            if org.is_none_or(known) { Ok(author) } else { Err(ApiError::forbidden()) }
        });
        match allowed {
            Ok(author) => {
                request.extensions_mut().insert(author);
            }
            Err(refused) => return refused.into_response(),
        }
    }
    next.run(request).await
}

//! What every request passes: it is recorded, meets the faults asked for, and must be signed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::Shared;
use super::error::ApiError;
use super::session;
use crate::server::Connection;

/// Bytes of a request that an answer quotes.
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
    /// It is carried out, and the connection breaks instead of an answer: whoever repeats it does it twice.
    CutAfter,
}

/// Failures to come.
#[derive(Debug)]
struct Fault {
    /// Part of the method and path (`POST /rest/orgs/201/incidents/2095/comments`) of requests that fail.
    on: String,
    remaining: usize,
    failure: Failure,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its method.
    pub method: String,
    /// Its path, the resource prefix included.
    pub path: String,
    /// Its query, empty where there is none.
    pub query: String,
    /// Its headers, without those that sign it.
    pub headers: HeaderMap,
    /// The status it was answered with; nothing while it is not answered or if it never was.
    pub status: Option<u16>,
}

/// What is observed of requests and done to them.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) recorded: Vec<Recorded>,
    pub(super) latency: Duration,
    /// Whether a failure's answer quotes the request's body.
    pub(super) quotes: bool,
    faults: VecDeque<Fault>,
}

impl Traffic {
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

/// Lets a request through to its handler, or not.
pub(super) async fn pass(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let (number, latency, failure, quotes) = shared.traffic(|traffic| {
        let recorded = record(&request);
        let failure = traffic.failure(&format!("{} {}", recorded.method, recorded.path));
        traffic.recorded.push(recorded);
        (traffic.recorded.len() - 1, traffic.latency, failure, traffic.quotes)
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
                // A connection that closes while its client still sends takes the answer with it.
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
        Some(cut) => {
            if cut == Failure::CutAfter {
                handle(&shared, request, next).await;
            }
            connection.cut();
            std::future::pending().await
        }
    };
    let status = response.status().as_u16();
    shared.traffic(|traffic| traffic.recorded[number].status = Some(status));
    response
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

/// Everything but signing in must be signed, and name an organisation the signer belongs to.
async fn handle(shared: &Shared, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix(shared.prefix.as_str()).unwrap_or(path);
    if path != "/rest/session" {
        let headers = request.headers();
        let org = path.strip_prefix("/rest/orgs/").and_then(|rest| rest.split('/').next());
        let allowed = shared.look(|data| {
            session::principal(data, headers)?;
            let known = |org: &str| data.organisations.iter().any(|o| o.enabled && o.id.to_string() == org);
            if org.is_none_or(known) { Ok(()) } else { Err(ApiError::forbidden()) }
        });
        if let Err(refused) = allowed {
            return refused.into_response();
        }
    }
    next.run(request).await
}

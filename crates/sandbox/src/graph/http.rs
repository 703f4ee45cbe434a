//! From HTTP to the endpoints and back: latency, tokens, limits and faults, and the record of every request.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream};
use axum::extract::State as Extracted;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use super::apply_fault::{Ending, is_carried_out, spoiled};
use super::faults::{Fault, Kind, Subject, Work};
use super::http_response::respond;
use super::path::Route;
use super::record::{RecordedRequest, Recorder};
use super::refusal::{GraphResult, Refusal, application_busy, mailbox_busy};
use super::request::GraphRequest;
use super::retry_after::RetryAfter;
use super::router::{kind, perform};
use super::shared::Shared;
use super::{batch, identity, mailbox_items, upload};
use crate::server::Connection;

/// How long a test waits for its requests to be at work at once.
const GATHERED_WITHIN: Duration = Duration::from_secs(20);

/// Graph's limit for the length of a request, and Outlook's for a range of an upload.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

pub(super) async fn handle(
    Extracted(shared): Extracted<Arc<Shared>>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if lacks_length(&parts) {
        return length_required(&shared, &parts, body).await;
    }
    let path = parts.uri.path();
    let mut segments = path.trim_start_matches('/').split('/');
    let tenant = segments.next().unwrap_or_default().to_owned();
    if segments.eq(["oauth2", "v2.0", "token"]) || identity::is_endpoint(path) {
        return token(&shared, &parts, body, &tenant).await;
    }
    if let Some(id) = path.strip_prefix(upload::PATH) {
        let id = id.to_owned();
        return upload_range(&shared, &parts, body, &id).await;
    }
    if path.starts_with(mailbox_items::PATH) {
        return import_item(&shared, &parts, body).await;
    }
    match path.strip_prefix("/v1.0") {
        Some(below) if below.starts_with('/') => graph(&shared, &parts, body).await,
        _ => {
            let refusal = Refusal::bad_request(format!("Invalid version: {tenant}."));
            let id = shared.request_id();
            respond(refusal.into_response(&id, &id), &id, &id, Ending::Complete)
        }
    }
}

/// Whether a request lacks the length of its body. HTTP/2 and HTTP/3 frame a body without it.
fn lacks_length(parts: &Parts) -> bool {
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&parts.method);
    let stated = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| parts.headers.contains_key(name));
    has_body && !stated && parts.version <= Version::HTTP_11
}

/// The refusal by the front end, http.sys, before Graph: "Content-Length: 0. Required." ("message: send").
async fn length_required(shared: &Shared, parts: &Parts, body: Body) -> Response<Body> {
    const PAGE: &[u8] = b"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\"\"http://www.w3.org/TR/html4/strict.dtd\">\r\n\
        <HTML><HEAD><TITLE>Length Required</TITLE>\r\n\
        <META HTTP-EQUIV=\"Content-Type\" Content=\"text/html; charset=us-ascii\"></HEAD>\r\n\
        <BODY><h2>Length Required</h2>\r\n\
        <hr><p>HTTP Error 411. The request must be chunked or have a content length.</p>\r\n</BODY></HTML>\r\n";
    let at = Instant::now();
    let _ = read_body(body).await;
    let whole = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let below = whole.strip_prefix("/v1.0").unwrap_or(whole);
    let request = GraphRequest::new(parts.method.clone(), below, parts.headers.clone(), Bytes::new());
    let recorded = RecordedRequest {
        at,
        method: request.method.to_string(),
        path_and_query: request.path_and_query(),
        status: Some(411),
        client_request_id: None,
        in_batch: None,
        mailbox: request.mailbox().map(str::to_owned),
    };
    shared.recorder.graph(kind(&request), recorded);
    let mut response = Response::new(Body::from(PAGE));
    *response.status_mut() = StatusCode::LENGTH_REQUIRED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=us-ascii"));
    response
}

async fn graph(shared: &Shared, parts: &Parts, body: Body) -> Response<Body> {
    wait(shared.faults.round_trip()).await;
    let at = Instant::now();
    let request_id = shared.request_id();
    let given = parts.headers.get("client-request-id").and_then(|value| value.to_str().ok());
    let client_request_id = given.unwrap_or(&request_id).to_owned();

    let whole = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let below = whole.strip_prefix("/v1.0").unwrap_or(whole);
    let read = read_body(body).await;
    let (body, too_large) = match read {
        Ok(body) => (body, false),
        Err(TooLarge) => (Bytes::new(), true),
    };
    let call = GraphRequest::new(parts.method.clone(), below, parts.headers.clone(), body);
    let is_batch = matches!(call.route, Ok(Route::Batch));
    let number = if is_batch { Some(shared.recorder.next_batch()) } else { None };
    let at_work = shared.recorder.begin(is_batch);

    let mut request = call.request_line();
    if let Some(number) = number {
        let _ = write!(request, " #{number}");
    }
    let graph_kind = if is_batch { Kind::Batch } else { Kind::Graph };
    let mut fault = shared.faults.judge(&Subject { kind: graph_kind, in_batch: false, request: &request });
    if shared.faults.http_limit().is_some_and(|limit| at_work.requests > limit) {
        fault = fault.or(Some(Fault::Status(429, RetryAfter::Seconds(1))));
    }

    let mut steps = if is_batch && !too_large { Some(batch::read(&call.body)) } else { None };
    let is_authorized = shared.entra.authorize(&parts.headers).is_ok();
    let carried_out = is_carried_out(fault) && is_authorized;
    if let Some(Ok(steps)) = steps.as_mut().filter(|_| carried_out) {
        batch::judge(shared, steps);
    }
    // A request occupies its mailbox during its latency, as it does at Graph.
    let place =
        shared.mailbox_of(&call).map(|mailbox| shared.recorder.enter(mailbox, shared.faults.mailbox_limit()));
    let below_mailbox = (call.mailbox().is_some() && is_authorized)
        .then(|| shared.recorder.begin_below_mailbox(shared.faults.application_limit()));
    let is_over_limit = matches!(below_mailbox, Some(None));
    let runs = carried_out && call.method == Method::POST && matches!(steps, Some(Ok(_)));
    if !is_over_limit {
        let refused =
            if is_batch && !runs { shared.faults.time(&Work::RefusedBatch) } else { Duration::ZERO };
        let delay = if let Some(Fault::Delay(delay)) = fault { delay } else { Duration::ZERO };
        wait(shared.time(&call) + refused + delay).await;
    }
    gather(shared).await;
    let ran = match steps.take_if(|_| runs) {
        Some(Ok(steps)) => Some(batch::run(shared, steps, number.unwrap_or(0), at, &client_request_id).await),
        _ => None,
    };

    let note = |status: Option<u16>| {
        let request = RecordedRequest {
            at,
            method: call.method.to_string(),
            path_and_query: call.path_and_query(),
            status,
            client_request_id: given.map(str::to_owned),
            in_batch: number,
            mailbox: call.mailbox().map(str::to_owned),
        };
        shared.recorder.graph(kind(&call), request);
    };
    if fault == Some(Fault::Close) {
        note(None);
        drop((place, below_mailbox, at_work));
        return cut(parts).await;
    }
    let has_run = ran.is_some();
    let busy = place.as_ref().is_some_and(|place| !place.allowed);
    let work = || match (ran, steps) {
        _ if too_large => Err(Refusal::too_large()),
        _ if is_over_limit => Err(application_busy()),
        _ if busy => Err(mailbox_busy()),
        (Some(ran), _) => ran,
        (None, Some(Err(refusal))) if call.method == Method::POST => Err(refusal),
        (None, Some(_)) => Err(Refusal::method_not_allowed()),
        (None, None) => perform(&shared.state, &shared.faults, &call),
    };
    // What has been carried out is answered, also if the token was revoked meanwhile.
    let authorized = if has_run { Ok(()) } else { shared.entra.authorize(&parts.headers) };
    let (outcome, ending) = match authorized {
        Err(refusal) => (Err(refusal), Ending::Complete),
        Ok(()) => spoiled(fault, work),
    };
    drop((place, below_mailbox, at_work));
    let outcome = shared.quoted(outcome, &call);
    let answer = outcome.unwrap_or_else(|refusal| refusal.into_response(&request_id, &client_request_id));
    note(Some(answer.status));
    respond(answer, &request_id, &client_request_id, ending)
}

async fn token(shared: &Shared, parts: &Parts, body: Body, tenant: &str) -> Response<Body> {
    let at = Instant::now();
    let body = read_body(body).await.unwrap_or_default();
    let fault = fault_outside(shared, parts, Kind::Token).await;
    let request_id = shared.request_id();
    let path = parts.uri.path();
    let proper = || match (&parts.method, identity::is_endpoint(path)) {
        (&Method::GET, true) => {
            let query = parts.uri.query().unwrap_or_default();
            Ok(identity::answer(&shared.entra, &shared.faults, path, query, &parts.headers))
        }
        (&Method::POST, false) => Ok(shared.entra.answer(&shared.faults, tenant, &parts.headers, &body)),
        _ => Err(Refusal::method_not_allowed()),
    };
    faulty(shared, parts, fault, proper, &request_id, at, Recorder::token).await
}

async fn upload_range(shared: &Shared, parts: &Parts, body: Body, id: &str) -> Response<Body> {
    let at = Instant::now();
    let read = read_body(body).await;
    let fault = fault_outside(shared, parts, Kind::Upload).await;
    let request_id = shared.request_id();
    let query = parts.uri.query().unwrap_or_default();
    let proper = || {
        let body = read.map_err(|TooLarge| Refusal::too_large())?;
        let (method, headers, lost) = (&parts.method, &parts.headers, fault == Some(Fault::RangeLost));
        let request = upload::RangeRequest { method, id, query, headers, body: &body, lost };
        upload::at(&shared.state, &shared.faults, &request)
    };
    faulty(shared, parts, fault, proper, &request_id, at, Recorder::upload).await
}

async fn import_item(shared: &Shared, parts: &Parts, body: Body) -> Response<Body> {
    let at = Instant::now();
    let read = read_body(body).await;
    let fault = fault_outside(shared, parts, Kind::Upload).await;
    let request_id = shared.request_id();
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let proper = || {
        let body = read.map_err(|TooLarge| Refusal::too_large())?;
        mailbox_items::at(&shared.state, &parts.method, path, query, &parts.headers, &body)
    };
    faulty(shared, parts, fault, proper, &request_id, at, Recorder::import).await
}

/// The fault of a request outside of the version root, after the time that such a request takes.
async fn fault_outside(shared: &Shared, parts: &Parts, kind: Kind) -> Option<Fault> {
    let fault = shared.faults.judge(&Subject { kind, in_batch: false, request: parts.uri.path() });
    let line = format!("{} {}", parts.method, parts.uri.path());
    wait(shared.faults.round_trip() + shared.faults.time(&Work::Request { line: &line, mailbox: None }))
        .await;
    if let Some(Fault::Delay(more)) = fault {
        wait(more).await;
    }
    fault
}

/// Answers a request outside of the version root, as far as its fault allows it.
async fn faulty(
    shared: &Shared,
    parts: &Parts,
    fault: Option<Fault>,
    proper: impl FnOnce() -> GraphResult,
    request_id: &str,
    at: Instant,
    note: impl Fn(&Recorder, RecordedRequest),
) -> Response<Body> {
    let note = |status| {
        let request = RecordedRequest {
            at,
            method: parts.method.to_string(),
            path_and_query: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            status,
            client_request_id: None,
            in_batch: None,
            mailbox: None,
        };
        note(&shared.recorder, request);
    };
    if fault == Some(Fault::Close) {
        note(None);
        return cut(parts).await;
    }
    let (outcome, ending) = spoiled(fault, proper);
    let answer = outcome.unwrap_or_else(|refusal| refusal.into_response(request_id, request_id));
    note(Some(answer.status));
    respond(answer, request_id, request_id, ending)
}

/// Waits until the requests that a test wants to see at once are at work.
async fn gather(shared: &Shared) {
    let gathered = || shared.recorder.counters().most_http_requests >= shared.faults.gathering();
    // Those that do not come are not waited for any longer.
    shared.recorder.until(GATHERED_WITHIN, gathered).await;
}

pub(super) async fn wait(latency: Duration) {
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
}

/// Closes the connection. The returned response is never sent.
async fn cut(parts: &Parts) -> Response<Body> {
    if let Some(connection) = parts.extensions.get::<Connection>() {
        connection.cut();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    Response::new(Body::empty())
}

struct TooLarge;

/// Reads a body to its end even if it is too large, so that the client receives the refusal.
async fn read_body(body: Body) -> Result<Bytes, TooLarge> {
    let mut stream: BodyDataStream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let mut too_large = false;
    while let Some(Ok(chunk)) = stream.next().await {
        too_large |= bytes.len() + chunk.len() > LARGEST_BODY;
        if !too_large {
            bytes.extend_from_slice(&chunk);
        }
    }
    if too_large { Err(TooLarge) } else { Ok(bytes.freeze()) }
}

//! Graph's responses: success or refusal, and the bounds on what is read.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use net::{Proxy, http, tls};
use reqwest::Response as HttpResponse;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde_json::value::RawValue;

use crate::error::{Effect, Error, ErrorKind};
use crate::failure::retry_after;
use crate::refusal::Refusal;

/// No response that is read whole is larger: 20 parts of 1,000 messages each stay well below.
const LARGEST_BODY: usize = 128 << 20;
/// No error response is larger.
const LARGEST_REFUSAL: usize = 1 << 20;
/// No response that is read whole takes longer, however slowly it arrives.
const LONGEST_READ: Duration = Duration::from_secs(600);
/// No id of a request is longer, in bytes.
const LONGEST_ID: usize = 200;

/// Graph's response to a single request or to one part of a `$batch`: a success.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The JSON body as Graph wrote it; `None` where there is none (202, 204).
    pub body: Option<Box<RawValue>>,
    /// `request-id`.
    pub request_id: Option<String>,
    /// What is known about the change where the body turns out to be unusable.
    pub(crate) effect: Effect,
}

impl Response {
    /// Returns the body, where the request calls for one.
    pub fn json(self) -> Result<Box<RawValue>, Error> {
        let unusable = self.unusable("it is empty");
        self.body.ok_or(unusable)
    }

    /// Returns the body as a `T`.
    pub fn parse<T: for<'a> serde::Deserialize<'a>>(&self) -> Result<T, Error> {
        let text = self.body.as_deref().map_or("", RawValue::get);
        serde_json::from_str(text).map_err(|_| self.unusable("its JSON is not of the expected form"))
    }

    fn unusable(&self, what: &'static str) -> Error {
        let kind = ErrorKind::NotAnAnswer { status: self.status, what };
        Error::from(kind).with_request_id(self.request_id.clone()).with_effect(self.effect)
    }

    /// Marks the response as one to a change: where its body is unusable, the change may have been made.
    pub(crate) fn to_change(self, is_change: bool) -> Self {
        Self { effect: if is_change { Effect::Indeterminate } else { Effect::NotApplied }, ..self }
    }
}

/// The body of a response.
pub(crate) enum Body {
    None,
    Json(Box<RawValue>),
    /// Not a JSON object, although all of Graph's bodies are.
    Other,
}

impl Body {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::None;
        }
        serde_json::from_slice(bytes).map_or(Self::Other, Self::of)
    }

    /// Classifies a JSON body.
    pub(crate) fn of(json: Box<RawValue>) -> Self {
        match json.get() {
            "null" => Self::None,
            text if text.starts_with('{') => Self::Json(json),
            _ => Self::Other,
        }
    }
}

/// Reads a success to its end.
pub(crate) async fn read_success(response: HttpResponse) -> Result<Response, Error> {
    let (status, request_id) = (response.status().as_u16(), request_id(&response));
    let body = Body::read(&read(response, LARGEST_BODY).await?);
    judge(status, None, request_id, body)
}

/// Returns a success unread, and reads a refusal.
pub(crate) async fn success(response: HttpResponse) -> Result<HttpResponse, Error> {
    if response.status().is_success() {
        return Ok(response);
    }
    let (status, request_id) = (response.status().as_u16(), request_id(&response));
    let wait =
        text(response.headers(), RETRY_AFTER.as_str()).and_then(|value| retry_after(&value, Utc::now()));
    let body = read(response, LARGEST_REFUSAL).await.map_or(Body::Other, |bytes| Body::read(&bytes));
    Err(refusal(status, wait, request_id, body))
}

/// Refuses a web page: Graph never answers with one, but a proxy on the way may.
pub(crate) fn no_page(response: HttpResponse) -> Result<HttpResponse, Error> {
    let is_page = text(response.headers(), CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    if !is_page {
        return Ok(response);
    }
    let kind = ErrorKind::NotAnAnswer { status: response.status().as_u16(), what: "it is a web page" };
    Err(Error::from(kind).with_request_id(request_id(&response)))
}

/// Returns Microsoft's id of the request.
pub(crate) fn request_id(response: &HttpResponse) -> Option<String> {
    text(response.headers(), "request-id").filter(|id| id.len() <= LONGEST_ID)
}

/// Tells a success from a refusal.
pub(crate) fn judge(
    status: u16,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    body: Body,
) -> Result<Response, Error> {
    if !(200..300).contains(&status) {
        return Err(refusal(status, retry_after, request_id, body));
    }
    let body = match body {
        // Status 200 promises content; a success without content is answered 202 or 204.
        Body::None if status == 200 => Err("it is empty"),
        Body::None => Ok(None),
        Body::Json(body) => Ok(Some(body)),
        Body::Other => Err("it is no JSON object"),
    };
    match body {
        Ok(body) => Ok(Response { status, body, request_id, effect: Effect::NotApplied }),
        Err(what) => Err(Error::from(ErrorKind::NotAnAnswer { status, what }).with_request_id(request_id)),
    }
}

fn refusal(status: u16, retry_after: Option<Duration>, request_id: Option<String>, body: Body) -> Error {
    let body = match body {
        Body::Json(body) => Some(body),
        Body::None | Body::Other => None,
    };
    let (refusal, inner_id) = Refusal::read(status, retry_after, body);
    // Graph says itself that a mailbox or message is missing. A 404 from another server says nothing about them.
    let kind = if status == 404 && refusal.body.is_none() {
        let what = "it is not Graph's own “not found”; check microsoft_graph_url";
        ErrorKind::NotAnAnswer { status, what }
    } else {
        ErrorKind::Refused(Box::new(refusal))
    };
    Error::from(kind).with_request_id(request_id.or(inner_id))
}

/// Reads the whole body, within `limit` bytes.
pub(crate) async fn read(mut response: HttpResponse, limit: usize) -> Result<Bytes, Error> {
    let all = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| network_error(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(ErrorKind::TooLarge(limit >> 20).into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let read = tokio::time::timeout(LONGEST_READ, all).await;
    read.unwrap_or_else(|_| Err(ErrorKind::TimedOut(LONGEST_READ).into()))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Says what went wrong with a request that got no response: on the network, or with `proxy` on the way.
pub(crate) fn no_response(proxy: &Proxy, error: &reqwest::Error) -> Error {
    match http::proxy_trouble(proxy, error) {
        Some(reason) => ErrorKind::Unreachable { reason, sent: false }.into(),
        None => network_error(error),
    }
}

/// Says what went wrong on the network. The URL is left out: it may hold search text.
pub(crate) fn network_error(error: &reqwest::Error) -> Error {
    if let Some(refused) = tls::refused_certificate(error) {
        return ErrorKind::Untrusted(tls::refusal_words(refused)).into();
    }
    let mut reason = "the connection failed".to_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        reason = cause.to_string();
        source = cause.source();
    }
    if error.is_timeout() {
        "time ran out".clone_into(&mut reason);
    }
    ErrorKind::Unreachable { reason, sent: !error.is_connect() }.into()
}

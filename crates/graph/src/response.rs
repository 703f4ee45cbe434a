//! Graph's responses: success or refusal, and the bounds on what is read.

use std::borrow::Cow;
use std::error::Error as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use net::untrusted::json;
use net::untrusted::text::is_request_id;
use net::{Proxy, http, tls};
use reqwest::Response as HttpResponse;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use serde_json::value::RawValue;

use crate::error::{Effect, Error, ErrorKind, OUT_OF_TIME};
use crate::expected::{Defect, Expected};
use crate::failure::{http_date, retry_after};
use crate::refusal::Refusal;

/// No response that is read whole is larger: 20 parts of 1,000 messages each stay well below.
const LARGEST_BODY: usize = 128 << 20;
/// No error response is larger.
const LARGEST_REFUSAL: usize = 1 << 20;
/// No response that is read whole takes longer, however slowly it arrives.
const LONGEST_READ: Duration = Duration::from_secs(600);

/// Graph's response to a single request or to one part of a `$batch`: a success.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The JSON body as Graph wrote it; `None` where there is none (202, 204).
    pub body: Option<Box<RawValue>>,
    /// `request-id`.
    pub request_id: Option<String>,
    /// The time of the response by the server's clock.
    pub(crate) date: Option<DateTime<Utc>>,
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
    pub(crate) fn with_change(self, is_change: bool) -> Self {
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
    /// Reads a body as other readers of JSON do: without its byte order mark, and with U+FFFD for what is not a
    /// character, such as half an emoji where Exchange cut a text.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes);
        if text.trim().is_empty() {
            return Self::None;
        }
        match json::without_lone_surrogates(&text) {
            Cow::Borrowed(text) => serde_json::from_str::<&RawValue>(text).map_or(Self::Other, Self::of),
            Cow::Owned(text) => RawValue::from_string(text).map_or(Self::Other, |json| Self::of(&json)),
        }
    }

    /// Classifies a JSON body.
    fn of(json: &RawValue) -> Self {
        match json.get() {
            "null" | "\"\"" => Self::None,
            text if text.starts_with('{') => Self::Json(json.to_owned()),
            _ => Self::Other,
        }
    }

    /// Classifies the body of a part of a batch. One that is not JSON stands there as base64 text (Graph page "Combine
    /// multiple HTTP requests using JSON batching"), and so do some bodies that are JSON.
    pub(crate) fn of_part(json: &RawValue) -> Self {
        let encoded = serde_json::from_str::<Cow<'_, str>>(json.get());
        match encoded.ok().and_then(|text| STANDARD.decode(text.as_ref()).ok()) {
            Some(bytes) => Self::read(&bytes),
            None => Self::of(json),
        }
    }
}

/// The head of a response, to a single request or to a part of a batch.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) request_id: Option<String>,
    pub(crate) date: Option<DateTime<Utc>>,
    /// Whether it is a part of a batch, which certainly comes from Graph.
    pub(crate) is_part: bool,
}

impl Head {
    fn of(response: &HttpResponse) -> Self {
        let date = text(response.headers(), DATE.as_str()).and_then(|date| http_date(&date));
        let wait = text(response.headers(), RETRY_AFTER.as_str());
        Self {
            status: response.status().as_u16(),
            retry_after: wait.and_then(|value| retry_after(&value, date.unwrap_or_else(Utc::now))),
            request_id: request_id(response),
            date,
            is_part: false,
        }
    }
}

/// Reads a success to its end, and checks that it is what was `expected`.
pub(crate) async fn read_success(
    response: HttpResponse,
    expected: Expected,
    read_timeout: Duration,
) -> Result<Response, Error> {
    let head = Head::of(&response);
    let body = Body::read(&read(response, LARGEST_BODY, read_timeout).await?);
    judge(head, body, expected)
}

/// Returns a success unread, and reads a refusal.
pub(crate) async fn success(response: HttpResponse, read_timeout: Duration) -> Result<HttpResponse, Error> {
    if response.status().is_success() {
        return Ok(response);
    }
    let head = Head::of(&response);
    let body = read(response, LARGEST_REFUSAL, read_timeout).await;
    Err(refusal(head, body.map_or(Body::Other, |bytes| Body::read(&bytes))))
}

/// Refuses content that is not a message: Graph answers with neither web pages nor JSON here, but a proxy on the way,
/// or an error that is called a success, may.
pub(crate) fn no_message(response: &HttpResponse) -> Result<(), Error> {
    let kind =
        text(response.headers(), CONTENT_TYPE.as_str()).unwrap_or_default().trim().to_ascii_lowercase();
    let what = match kind.as_str() {
        kind if kind.starts_with("text/html") => "it is a web page",
        kind if kind.starts_with("application/json") => "it is JSON and not a message",
        _ => return Ok(()),
    };
    Err(unusable(response, what))
}

/// Says that the content of `response` cannot be used.
pub(crate) fn unusable(response: &HttpResponse, what: &'static str) -> Error {
    let kind = ErrorKind::NotAnAnswer { status: response.status().as_u16(), what };
    Error::from(kind).with_request_id(request_id(response))
}

/// Returns Microsoft's id of the request.
pub(crate) fn request_id(response: &HttpResponse) -> Option<String> {
    text(response.headers(), "request-id").filter(|id| is_request_id(id))
}

/// Tells a success from a refusal, and checks that a success is what was `expected`.
pub(crate) fn judge(head: Head, body: Body, expected: Expected) -> Result<Response, Error> {
    let status = head.status;
    if !(200..300).contains(&status) {
        return Err(refusal(head, body));
    }
    let checked = match body {
        Body::None if expected == Expected::Success => Ok(None),
        Body::None => Err("it is empty"),
        Body::Other => Err("it is no JSON object"),
        Body::Json(body) => match expected.check(&body) {
            Ok(()) => Ok(Some(body)),
            Err(Defect::Error) => {
                let (refusal, inner_id) = Refusal::read(status, None, Some(body));
                let kind = ErrorKind::ErrorInSuccess(Box::new(refusal));
                return Err(Error::from(kind).with_request_id(head.request_id.or(inner_id)));
            }
            Err(Defect::Form(what)) => Err(what),
        },
    };
    match checked {
        Ok(body) => {
            let Head { request_id, date, .. } = head;
            Ok(Response { status, body, request_id, date, effect: Effect::NotApplied })
        }
        Err(what) => {
            Err(Error::from(ErrorKind::NotAnAnswer { status, what }).with_request_id(head.request_id))
        }
    }
}

fn refusal(Head { status, retry_after, request_id, is_part, .. }: Head, body: Body) -> Error {
    let body = match body {
        Body::Json(body) => Some(body),
        Body::None | Body::Other => None,
    };
    let (refusal, inner_id) = Refusal::read(status, retry_after, body);
    // Graph says itself that a mailbox or message is missing. A 404 from another server says nothing about them.
    let kind = if status == 404 && refusal.body.is_none() && !is_part {
        let what = "it is not Graph's own “not found”; check microsoft_graph_url";
        ErrorKind::NotAnAnswer { status, what }
    } else {
        ErrorKind::Refused(Box::new(refusal))
    };
    Error::from(kind).with_request_id(request_id.or(inner_id))
}

/// Reads the whole body, within `limit` bytes and with no silence longer than `read_timeout`.
pub(crate) async fn read(
    mut response: HttpResponse,
    limit: usize,
    read_timeout: Duration,
) -> Result<Bytes, Error> {
    let all = async {
        let mut body = BytesMut::new();
        while let Some(chunk) =
            within(read_timeout, response.chunk()).await?.map_err(|error| network_error(&error))?
        {
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

/// Waits for the network, but no longer than `read_timeout`.
pub(crate) async fn within<T>(read_timeout: Duration, network: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(read_timeout, network).await.map_err(|_| {
        let reason = OUT_OF_TIME.to_owned();
        ErrorKind::Unreachable { reason, sent: true }.into()
    })
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
        OUT_OF_TIME.clone_into(&mut reason);
    }
    ErrorKind::Unreachable { reason, sent: !error.is_connect() }.into()
}

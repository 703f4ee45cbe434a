//! One HTTP exchange: what `reqwest` says, in our terms.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde_json::value::RawValue;

use super::error::{Error, Refusal};
use super::retry::retry_after;
use net::Proxy;
use net::http;
use net::tls;

/// No answer that is read whole is larger: 20 parts of 1,000 messages each stay well below.
const LARGEST_ANSWER: usize = 128 << 20;
/// Nor is any refusal.
const LARGEST_REFUSAL: usize = 1 << 20;
/// No answer that is read whole takes longer, however slowly it drips.
const LONGEST_ANSWER: Duration = Duration::from_secs(600);

/// No id of a request is longer, in bytes.
const LONGEST_ID: usize = 200;

/// Graph's answer to a plain request or to one part of a `$batch`: a success.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The JSON body as Graph wrote it; `None` where there is none (202, 204).
    pub body: Option<Box<RawValue>>,
    /// `request-id`.
    pub request_id: Option<String>,
}

impl Answer {
    /// The body, where the request has one for an answer.
    pub fn json(self) -> Result<Box<RawValue>, Error> {
        let Self { status, body, request_id } = self;
        body.ok_or(Error::NotAnAnswer { status, what: "it is empty", request_id })
    }

    /// The body as a `T`.
    pub fn parse<T: for<'a> serde::Deserialize<'a>>(&self) -> Result<T, Error> {
        let text = self.body.as_deref().map_or("", RawValue::get);
        serde_json::from_str(text).map_err(|_| Error::NotAnAnswer {
            status: self.status,
            what: "its JSON is not of the expected form",
            request_id: self.request_id.clone(),
        })
    }
}

/// The body of an answer.
pub(super) enum Body {
    None,
    Json(Box<RawValue>),
    /// Something that is no JSON object, which all of Graph's bodies are.
    Other,
}

impl Body {
    pub(super) fn read(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::None;
        }
        serde_json::from_slice(bytes).map_or(Self::Other, Self::of)
    }

    /// The body that `json` is.
    pub(super) fn of(json: Box<RawValue>) -> Self {
        match json.get() {
            "null" => Self::None,
            text if text.starts_with('{') => Self::Json(json),
            _ => Self::Other,
        }
    }
}

/// Reads a success to its end.
pub(super) async fn answer(response: Response) -> Result<Answer, Error> {
    let (status, request_id) = (response.status().as_u16(), request_id(&response));
    let body = Body::read(&read(response, LARGEST_ANSWER).await?);
    judge(status, None, request_id, body)
}

/// Hands a success on unread, and reads a refusal.
pub(super) async fn success(response: Response) -> Result<Response, Error> {
    if response.status().is_success() {
        return Ok(response);
    }
    let (status, request_id) = (response.status().as_u16(), request_id(&response));
    let wait =
        text(response.headers(), RETRY_AFTER.as_str()).and_then(|value| retry_after(&value, Utc::now()));
    let body = read(response, LARGEST_REFUSAL).await.map_or(Body::Other, |bytes| Body::read(&bytes));
    Err(refusal(status, wait, request_id, body))
}

/// Hands on what is not a web page: Graph answers with none, but a proxy on the way may.
pub(super) fn no_page(response: Response) -> Result<Response, Error> {
    let is_page = text(response.headers(), CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    if !is_page {
        return Ok(response);
    }
    let (status, request_id) = (response.status().as_u16(), request_id(&response));
    Err(Error::NotAnAnswer { status, what: "it is a web page", request_id })
}

/// Microsoft's id of the request.
pub(super) fn request_id(response: &Response) -> Option<String> {
    text(response.headers(), "request-id").filter(|id| id.len() <= LONGEST_ID)
}

/// Tells success from refusal.
pub(super) fn judge(
    status: u16,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    body: Body,
) -> Result<Answer, Error> {
    if !(200..300).contains(&status) {
        return Err(refusal(status, retry_after, request_id, body));
    }
    match body {
        // "OK" promises content; what has none is answered 202 or 204.
        Body::None if status == 200 => Err(Error::NotAnAnswer { status, what: "it is empty", request_id }),
        Body::None => Ok(Answer { status, body: None, request_id }),
        Body::Json(body) => Ok(Answer { status, body: Some(body), request_id }),
        Body::Other => Err(Error::NotAnAnswer { status, what: "it is no JSON object", request_id }),
    }
}

fn refusal(status: u16, retry_after: Option<Duration>, request_id: Option<String>, body: Body) -> Error {
    let body = match body {
        Body::Json(body) => Some(body),
        Body::None | Body::Other => None,
    };
    let refusal = Refusal::new(status, retry_after, request_id, body);
    // A missing mailbox or message is told by Graph; a 404 of anybody else's tells nothing of either.
    if status == 404 && refusal.body.is_none() {
        let what = "it is not Graph's own “not found”; check microsoft_graph_url";
        return Error::NotAnAnswer { status, what, request_id: refusal.request_id };
    }
    Error::Refused(Box::new(refusal))
}

/// The whole body, within `limit` bytes.
pub(super) async fn read(mut response: Response, limit: usize) -> Result<Bytes, Error> {
    let all = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| network_error(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(Error::TooLarge(limit >> 20));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(LONGEST_ANSWER, all).await.unwrap_or(Err(Error::TimedOut(LONGEST_ANSWER)))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// What went wrong with a request that had no answer: on the network, or with `proxy` on the way.
pub(super) fn no_answer(proxy: &Proxy, error: &reqwest::Error) -> Error {
    match http::proxy_trouble(proxy, error) {
        Some(reason) => Error::Unreachable { reason, sent: false },
        None => network_error(error),
    }
}

/// What went wrong on the network. The URL is left out: it may hold search text.
pub(super) fn network_error(error: &reqwest::Error) -> Error {
    if let Some(refused) = tls::refused_certificate(error) {
        return Error::Untrusted(tls::refusal_words(refused));
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
    Error::Unreachable { reason, sent: !error.is_connect() }
}

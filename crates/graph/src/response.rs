//! Graph's responses: success or refusal, and the bounds on what is read.

use std::borrow::Cow;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use net::memory::{FREE, Held, Share};
use net::untrusted::json;
use net::untrusted::text::is_request_id;
use net::{Proxy, http, tls};
use reqwest::Response as HttpResponse;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Effect, Error, ErrorKind, OUT_OF_TIME};
use crate::expected::{Defect, Expected};
use crate::failure::{http_date, retry_after};
use crate::refusal::Refusal;

/// No response that is read whole is larger: 20 parts of 1,000 messages each stay well below.
const LARGEST_BODY: usize = 128 << 20;
/// No error response is larger.
const LARGEST_REFUSAL: usize = 1 << 20;
/// A large answer takes memory for this many bytes before it takes more.
const LARGE: usize = 8 << 20;
/// No response that is read whole takes longer, however slowly it arrives.
const LONGEST_READ: Duration = Duration::from_secs(600);

/// Graph's response to a single request or to one part of a `$batch`: a success.
#[derive(Debug)]
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
    /// The memory that a large body takes.
    pub(crate) memory: Option<Memory>,
}

/// The memory for a large answer.
#[derive(Debug)]
pub(crate) enum Memory {
    /// A part of a call's share.
    Held(Held),
    /// The turn of an answer that does not belong to one call.
    Turn { _permit: OwnedSemaphorePermit },
}

/// Where the memory for an answer comes from, if it is large.
#[derive(Debug)]
pub(crate) enum Room<'a> {
    /// From the share of the call that reads it. Where there is none, the request fails with [`ErrorKind::NoRoom`], so
    /// that it holds neither its connection nor its place in the mailbox while it waits.
    Share {
        share: &'a Share,
        /// What the call has waited for.
        held: Option<Held>,
    },
    /// Large answers to changes, and to batches, which belong to several calls, are read one by one.
    Turn { turns: &'a Arc<Semaphore>, permit: Option<OwnedSemaphorePermit> },
    /// The bound of the answer is small enough.
    Small,
}

impl Room<'_> {
    /// Makes sure that there is room for `bytes`, of at most `limit`.
    async fn grow(&mut self, bytes: usize, limit: usize) -> Result<(), Error> {
        if bytes <= FREE {
            return Ok(());
        }
        match self {
            Self::Small => {}
            Self::Turn { turns, permit } => {
                if permit.is_none() {
                    // Closed never.
                    *permit = Arc::clone(turns).acquire_owned().await.ok();
                }
            }
            Self::Share { held: Some(held), .. } if bytes <= held.bytes() => {}
            Self::Share { share, held } => {
                let needed = if bytes <= LARGE { LARGE } else { limit };
                // Returned first: what is needed includes it.
                *held = None;
                *held = Some(share.try_hold(needed).ok_or(ErrorKind::NoRoom { needed })?);
            }
        }
        Ok(())
    }

    /// Returns the memory that an answer of `bytes` takes.
    fn taken(self, bytes: usize) -> Option<Memory> {
        match self {
            Self::Share { held: Some(mut held), .. } if bytes > FREE => {
                held.shrink(bytes);
                Some(Memory::Held(held))
            }
            Self::Turn { permit: Some(permit), .. } => Some(Memory::Turn { _permit: permit }),
            Self::Share { .. } | Self::Turn { .. } | Self::Small => None,
        }
    }
}

impl Response {
    /// Returns the body, where the request calls for one. The call keeps it until it has replied.
    pub fn json(mut self) -> Result<Box<RawValue>, Error> {
        if let Some(Memory::Held(held)) = self.memory.take() {
            held.keep();
        }
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

    /// Takes the memory of a part of a batch from the `share` of the call that reads it, or from what the call has
    /// waited for. Where there is none, the part is requested again.
    pub(crate) fn within(mut self, share: &Share, held: Option<Held>) -> Result<Self, Error> {
        let bytes = self.body.as_deref().map_or(0, |body| body.get().len());
        if bytes > FREE {
            let held = held.filter(|held| held.bytes() >= bytes).or_else(|| share.try_hold(bytes));
            let mut held = held.ok_or(ErrorKind::NoRoom { needed: bytes })?;
            held.shrink(bytes);
            self.memory = Some(Memory::Held(held));
        }
        Ok(self)
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
    /// character, such as half an emoji where Exchange cut a text. A large body is not copied.
    pub(crate) fn read(mut bytes: Vec<u8>) -> Self {
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        let mut text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        text.truncate(text.trim_end().len());
        if text.trim_start().is_empty() {
            return Self::None;
        }
        if let Cow::Owned(mended) = json::without_lone_surrogates(&text) {
            text = mended;
        }
        RawValue::from_string(text).map_or(Self::Other, Self::of)
    }

    /// Classifies a body that is JSON.
    pub(crate) fn of(json: Box<RawValue>) -> Self {
        match json.get() {
            "null" | "\"\"" => Self::None,
            text if text.starts_with('{') => Self::Json(json),
            _ => Self::Other,
        }
    }

    /// Classifies the body of a part of a batch. One that is not JSON stands there as base64 text (Graph page "Combine
    /// multiple HTTP requests using JSON batching"), and so do some bodies that are JSON.
    pub(crate) fn of_part(json: Box<RawValue>) -> Self {
        let encoded = serde_json::from_str::<Cow<'_, str>>(json.get());
        match encoded.ok().and_then(|text| STANDARD.decode(text.as_ref()).ok()) {
            Some(bytes) => Self::read(bytes),
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
    mut room: Room<'_>,
) -> Result<Response, Error> {
    let head = Head::of(&response);
    let body = read(response, LARGEST_BODY, read_timeout, &mut room).await?;
    let memory = room.taken(body.len());
    Ok(Response { memory, ..judge(head, Body::read(body), expected)? })
}

/// Returns a success unread, and reads a refusal.
pub(crate) async fn success(response: HttpResponse, read_timeout: Duration) -> Result<HttpResponse, Error> {
    if response.status().is_success() {
        return Ok(response);
    }
    let head = Head::of(&response);
    let body = read(response, LARGEST_REFUSAL, read_timeout, &mut Room::Small).await;
    Err(refusal(head, body.map_or(Body::Other, Body::read)))
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

/// Refuses content that is not a file. A file may be a web page or JSON; but only Graph's responses have an id, and
/// only JSON of Graph itself says how much OData it holds.
pub(crate) fn no_file(response: &HttpResponse) -> Result<(), Error> {
    let kind = text(response.headers(), CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
    let is_of_graph = kind.starts_with("application/json") && kind.contains("odata.");
    if request_id(response).is_some() && !is_of_graph { Ok(()) } else { no_message(response) }
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
            Ok(Response { status, body, request_id, date, effect: Effect::NotApplied, memory: None })
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

/// Reads the whole body, within `limit` bytes, in memory from `room`, and with no silence longer than `read_timeout`.
pub(crate) async fn read(
    mut response: HttpResponse,
    limit: usize,
    read_timeout: Duration,
    room: &mut Room<'_>,
) -> Result<Vec<u8>, Error> {
    let all = async {
        let mut body = Vec::new();
        // Unknown where the body is compressed.
        let stated = response.content_length().and_then(|length| usize::try_from(length).ok());
        room.grow(stated.unwrap_or(0).min(limit), limit).await?;
        while let Some(chunk) =
            within(read_timeout, response.chunk()).await?.map_err(|error| network_error(&error))?
        {
            if body.len() + chunk.len() > limit {
                return Err(ErrorKind::TooLarge(limit >> 20).into());
            }
            room.grow(body.len() + chunk.len(), limit).await?;
            body.extend_from_slice(&chunk);
        }
        Ok(body)
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

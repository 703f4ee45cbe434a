//! `$batch` on the wire: puts requests into a batch and takes its response apart (Graph page "Combine multiple HTTP
//! requests using JSON batching").

use std::collections::HashMap;

use bytes::Bytes;
use chrono::Utc;
use net::untrusted::json::Bounded;
use net::untrusted::text::is_request_id;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::auth::token::Token;
use crate::batch::PARTS_AT_ONCE;
use crate::batch::gates::gate_of;
use crate::error::{Error, ErrorKind};
use crate::expected::Expected;
use crate::failure::{http_date, retry_after};
use crate::metrics::Sent;
use crate::path::Path;
use crate::request::Request;
use crate::response::{self, Body, Head, Response};
use crate::transport::{self, Transport};

/// No batch has more parts.
const MOST_PARTS: usize = 100;
/// Larger headers of a part, in bytes, are ignored: Graph's are small.
const LARGEST_HEADERS: usize = 64 * 1024;

/// The headers of a part. Those of the batch itself do not apply to its parts.
#[derive(Serialize)]
struct Headers {
    #[serde(rename = "Content-Type", skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    #[serde(rename = "Prefer", skip_serializing_if = "Option::is_none")]
    prefer: Option<String>,
}

impl Headers {
    fn of(request: &Request) -> Option<Self> {
        let content_type = request.body.as_ref().map(|_| "application/json");
        let prefer = request.prefer();
        (content_type.is_some() || prefer.is_some()).then_some(Self { content_type, prefer })
    }
}

/// Returns the body as it stands in the batch, where an empty body is an empty object.
fn json(request: &Request) -> Option<&RawValue> {
    const EMPTY: &[u8] = b"{}";
    let body = request.body.as_ref()?;
    serde_json::from_slice(if body.is_empty() { EMPTY } else { body }).ok()
}

/// Sends `parts` in one batch. Returns the outcome of each, in their order, and the token they were sent with.
pub(crate) async fn exchange<'a>(
    transport: &Transport,
    parts: impl ExactSizeIterator<Item = &'a Request> + Clone,
) -> Result<(Vec<Result<Response, Error>>, Token), Error> {
    #[derive(Serialize)]
    struct Batch<'a> {
        requests: Vec<Part<'a>>,
    }
    #[derive(Serialize)]
    struct Part<'a> {
        id: String,
        method: &'a str,
        url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        headers: Option<Headers>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<&'a RawValue>,
    }
    let requests = parts.clone().enumerate().map(|(id, request)| Part {
        id: id.to_string(),
        method: request.method.as_str(),
        url: request.path.as_str(),
        headers: Headers::of(request),
        body: json(request),
    });
    let body = serde_json::to_vec(&Batch { requests: requests.collect() }).unwrap_or_default();
    let rounds = parts.len().div_ceil(PARTS_AT_ONCE);
    let batch = Request {
        method: Method::POST,
        body: Some(Bytes::from(body)),
        rounds: u32::try_from(rounds).unwrap_or(1),
        // Asked again if the batch is sent again with a new token.
        gate: gate_of(parts.clone()),
        ..Request::get(Path::batch())
    };
    let expected: Vec<_> = parts.clone().map(|request| request.expected).collect();
    let (response, token) = transport.exchange(&batch).await?;
    let mut outcomes = read(&response, |id| expected.get(id).copied().unwrap_or(Expected::Success))?;
    for outcome in outcomes.values() {
        transport::count(transport.metrics(), Sent::Part, outcome.as_ref().map(|response| response.status));
    }
    let left_out = || {
        let what = "the batch's answer leaves out one of its requests";
        let kind = ErrorKind::NotAnAnswer { status: 200, what };
        Err(Error::from(kind).with_request_id(response.request_id.clone()))
    };
    let outcomes = parts.enumerate().map(|(id, request)| {
        let outcome = outcomes.remove(&id).unwrap_or_else(left_out);
        let outcome = outcome.map_err(|error| error.scrubbed(token.scrubber()));
        outcome.map(|response| response.with_change(request.is_change()))
    });
    Ok((outcomes.collect(), token))
}

/// Takes the response to a batch apart, by the id of each part. The parts come in any order.
pub(crate) fn read(
    response: &Response,
    expected: impl Fn(usize) -> Expected,
) -> Result<HashMap<usize, Result<Response, Error>>, Error> {
    #[derive(Deserialize)]
    struct Batch {
        responses: Bounded<Part, MOST_PARTS>,
    }
    #[derive(Deserialize)]
    struct Part {
        id: Id,
        status: u16,
        #[serde(default)]
        headers: Option<Box<RawValue>>,
        body: Option<Box<RawValue>>,
    }
    /// The id as it was sent, or as the number that it holds.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(usize),
    }
    impl Id {
        fn get(&self) -> Option<usize> {
            match self {
                Self::Text(text) => text.parse().ok(),
                Self::Number(number) => Some(*number),
            }
        }
    }
    let batch: Batch = response.parse()?;
    let outcomes = batch.responses.0.into_iter().filter_map(|part| {
        let headers = part.headers.filter(|headers| headers.get().len() <= LARGEST_HEADERS);
        let headers: Option<HashMap<String, Value>> =
            headers.and_then(|headers| serde_json::from_str(headers.get()).ok());
        let header = |wanted: &str| {
            let headers = headers.as_ref()?;
            let value = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?.1;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let date = header("date").and_then(|date| http_date(&date)).or(response.date);
        let wait = header("retry-after");
        let head = Head {
            status: part.status,
            retry_after: wait.and_then(|value| retry_after(&value, date.unwrap_or_else(Utc::now))),
            request_id: header("request-id")
                .filter(|id| is_request_id(id))
                .or_else(|| response.request_id.clone()),
            date,
            is_part: true,
        };
        let body = part.body.map_or(Body::None, Body::of_part);
        let id = part.id.get()?;
        Some((id, response::judge(head, body, expected(id))))
    });
    Ok(outcomes.collect())
}

//! `$batch` on the wire: requests put into one, and its answer taken apart (Graph page "Combine multiple HTTP
//! requests using JSON batching").

use std::collections::HashMap;

use bytes::Bytes;
use chrono::Utc;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::auth::token::Token;
use crate::error::Error;
use crate::metrics::Sent;
use crate::path::Path;
use crate::response::{self as wire, Answer, Body};
use crate::retry::retry_after;
use crate::transport::Transport;
use net::untrusted::json::Bounded;

/// More parts than this were never asked for.
const MOST_PARTS: usize = 100;
/// Headers that are larger, in bytes, are none of Graph's, and say nothing.
const LARGEST_HEADERS: usize = 64 * 1024;

/// A request that stands in a batch.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) method: Method,
    pub(crate) path: Path,
    /// JSON, or empty.
    pub(crate) body: Option<Bytes>,
}

/// What a part with a body has to bear.
#[derive(Serialize)]
struct Headers {
    #[serde(rename = "Content-Type")]
    content_type: &'static str,
}

impl Part {
    /// The body as it stands in the batch, where an empty one is an empty object.
    fn json(&self) -> Option<&RawValue> {
        const EMPTY: &[u8] = b"{}";
        let body = self.body.as_ref()?;
        serde_json::from_slice(if body.is_empty() { EMPTY } else { body }).ok()
    }
}

/// Sends `parts` in one call. Gives the answer to each, in their order, and the token they were sent with.
pub(crate) async fn exchange<'a>(
    service: &Transport,
    parts: impl Iterator<Item = &'a Part>,
) -> Result<(Vec<Result<Answer, Error>>, Token), Error> {
    #[derive(Serialize)]
    struct Batch<'a> {
        requests: Vec<Request<'a>>,
    }
    #[derive(Serialize)]
    struct Request<'a> {
        id: String,
        method: &'a str,
        url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        headers: Option<Headers>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<&'a RawValue>,
    }
    let requests: Vec<_> = parts
        .enumerate()
        .map(|(id, part)| Request {
            id: id.to_string(),
            method: part.method.as_str(),
            url: part.path.as_str(),
            headers: part.body.as_ref().map(|_| Headers { content_type: "application/json" }),
            body: part.json(),
        })
        .collect();
    let count = requests.len();
    let body = serde_json::to_vec(&Batch { requests }).unwrap_or_default();
    let (answer, token) = service.exchange(&Method::POST, &Path::batch(), Some(Bytes::from(body))).await?;
    let mut answers = read(&answer)?;
    for answer in answers.values() {
        service.meters().answered(Sent::Part, answer.as_ref().map(|answer| answer.status));
    }
    let left_out = || {
        Err(Error::NotAnAnswer {
            status: 200,
            what: "the batch's answer leaves out one of its requests",
            request_id: answer.request_id.clone(),
        })
    };
    Ok(((0..count).map(|id| answers.remove(&id).unwrap_or_else(left_out)).collect(), token))
}

/// Takes a batch's answer apart, by the id of each part. The parts come in any order.
pub(crate) fn read(answer: &Answer) -> Result<HashMap<usize, Result<Answer, Error>>, Error> {
    #[derive(Deserialize)]
    struct Batch {
        responses: Bounded<Response, MOST_PARTS>,
    }
    #[derive(Deserialize)]
    struct Response {
        id: String,
        status: u16,
        #[serde(default)]
        headers: Option<Box<RawValue>>,
        body: Option<Box<RawValue>>,
    }
    let batch: Batch = answer.parse()?;
    let answers = batch.responses.0.into_iter().filter_map(|response| {
        let headers = response.headers.filter(|headers| headers.get().len() <= LARGEST_HEADERS);
        let headers: Option<HashMap<String, Value>> =
            headers.and_then(|headers| serde_json::from_str(headers.get()).ok());
        let header = |wanted: &str| {
            let headers = headers.as_ref()?;
            let value = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?.1;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let wait = header("retry-after").and_then(|value| retry_after(&value, Utc::now()));
        let request_id = header("request-id").or_else(|| answer.request_id.clone());
        let body = response.body.map_or(Body::None, Body::of);
        let judged = wire::judge(response.status, wait, request_id, body);
        Some((response.id.parse().ok()?, judged))
    });
    Ok(answers.collect())
}

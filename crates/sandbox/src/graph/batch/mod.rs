//! `POST /$batch`: the rules of the envelope, and its parts ("Combine multiple HTTP requests using JSON batching").

mod run;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::graph::faults::{Fault, Kind, Subject};
use crate::graph::json::{Object, string};
use crate::graph::record::RecordedRequest;
use crate::graph::refusal::{GraphResult, Refusal};
use crate::graph::request::GraphRequest;
use crate::graph::response::{GraphResponse, JSON, Payload};
use crate::graph::rng::{below, mix};
use crate::graph::router::kind;
use crate::graph::shared::Shared;

pub(super) use self::run::run;

/// Sub-requests in one batch.
const MOST_PARTS: usize = 20;
/// Sub-requests of one batch that Outlook runs at once ("Throttling limits": "up to 4 requests in parallel").
const AT_A_TIME: usize = 4;
/// How much of a body that is not JSON a part may hold.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    requests: Vec<Step<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step<'a> {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    depends_on: Vec<String>,
}

/// A sub-request before it is carried out.
pub(in crate::graph) struct Pending {
    id: String,
    call: GraphRequest,
    depends_on: Vec<String>,
    fault: Option<Fault>,
}

/// The response to a sub-request.
struct Done {
    id: String,
    answer: GraphResponse,
}

/// Reads the envelope. An error in it refuses the whole batch.
pub(super) fn read(body: &[u8]) -> Result<Vec<Pending>, Refusal> {
    let envelope: Envelope<'_> = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("Invalid batch payload format: {error}.")))?;
    if envelope.requests.is_empty() {
        return Err(Refusal::bad_request("Invalid batch payload format: there are no requests."));
    }
    if envelope.requests.len() > MOST_PARTS {
        return Err(Refusal::bad_request(format!(
            "Number of batch request steps exceeds the maximum value of {MOST_PARTS}."
        )));
    }
    let mut ids = HashSet::new();
    for step in &envelope.requests {
        if step.id.is_empty() || !ids.insert(step.id.to_ascii_lowercase()) {
            return Err(Refusal::bad_request(format!("Request Id '{}' is empty or used twice.", step.id)));
        }
    }
    let unknown = envelope
        .requests
        .iter()
        .flat_map(|step| &step.depends_on)
        .find(|id| !ids.contains(&id.to_ascii_lowercase()));
    if let Some(unknown) = unknown {
        return Err(Refusal::bad_request(format!("dependsOn names the unknown request '{unknown}'.")));
    }
    envelope.requests.into_iter().map(pending).collect()
}

fn pending(step: Step<'_>) -> Result<Pending, Refusal> {
    let method = Method::from_bytes(step.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| Refusal::bad_request(format!("Invalid method of request '{}'.", step.id)))?;
    let mut headers = HeaderMap::with_capacity(step.headers.len());
    for (name, value) in &step.headers {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        else {
            return Err(Refusal::bad_request(format!("Invalid header of request '{}'.", step.id)));
        };
        headers.insert(name, value);
    }
    let writes = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let typed = headers.contains_key("content-type");
    if (writes && !(typed && step.body.is_some())) || (step.body.is_some() && !typed) {
        return Err(Refusal::bad_request(format!(
            "Write request id : {} does not contain Content-Type header or body.",
            step.id
        )));
    }
    // A bare '#' starts a fragment, as in every URL.
    let url = step.url.split_once('#').map_or(step.url.as_str(), |(url, _)| url);
    let body = step.body.map_or_else(Bytes::new, |body| Bytes::from(body.get().to_owned()));
    Ok(Pending {
        id: step.id,
        call: GraphRequest::new(method, url, headers, body),
        depends_on: step.depends_on,
        fault: None,
    })
}

impl Pending {
    /// Whether the parts that it depends on are done.
    fn is_ready(&self, failed: &HashMap<String, bool>) -> bool {
        self.depends_on.iter().all(|id| failed.contains_key(&id.to_ascii_lowercase()))
    }

    /// Whether a part that it depends on has failed.
    fn is_broken(&self, failed: &HashMap<String, bool>) -> bool {
        self.depends_on.iter().any(|id| failed.get(&id.to_ascii_lowercase()) == Some(&true))
    }
}

/// What the answers of all parts of a batch have in common.
#[derive(Clone, Copy)]
struct Answered<'a> {
    shared: &'a Shared,
    number: u64,
    at: Instant,
    client_request_id: &'a str,
}

impl Answered<'_> {
    /// Records a part, and returns its answer.
    fn part(self, step: &Pending, outcome: GraphResult) -> GraphResponse {
        let Self { shared, number, at, client_request_id } = self;
        let answer = outcome.unwrap_or_else(|refusal| {
            let id = shared.request_id();
            refusal.into_response(&id, client_request_id)
        });
        shared.recorder.graph(
            kind(&step.call),
            RecordedRequest {
                at,
                method: step.call.method.to_string(),
                path_and_query: step.call.path_and_query(),
                status: Some(answer.status),
                client_request_id: Some(client_request_id.to_owned()),
                in_batch: Some(number),
                mailbox: step.call.mailbox().map(str::to_owned),
            },
        );
        answer
    }
}

fn dependency_failed() -> Refusal {
    Refusal::new(424, "FailedDependency", "A request this one depends on has failed.")
}

fn circle() -> Refusal {
    Refusal::bad_request("The requests depend on each other in a circle.")
}

fn finish(shared: &Shared, mut done: Vec<Done>, number: u64) -> GraphResponse {
    shuffle(&mut done, mix(shared.state.base.generator.seed, 0x5BF1, number));
    GraphResponse::json(200, write(done))
}

/// Decides the fault of each sub-request.
pub(super) fn judge(shared: &Shared, steps: &mut [Pending]) {
    for step in steps {
        let request = step.call.request_line();
        step.fault = shared.faults.judge(&Subject { kind: Kind::Graph, in_batch: true, request: &request });
    }
}

/// Graph answers in the order in which the parts are done. Here that is never the order of the request.
fn shuffle(done: &mut [Done], chance: u64) {
    let before: Vec<String> = done.iter().map(|done| done.id.clone()).collect();
    for last in (1..done.len()).rev() {
        done.swap(last, below(mix(chance, last as u64, 0), last + 1));
    }
    if done.len() > 1 && done.iter().map(|done| &done.id).eq(&before) {
        done.rotate_left(1);
    }
}

fn write(done: Vec<Done>) -> Vec<u8> {
    let mut out = Vec::with_capacity(done.len() * 1024);
    out.extend_from_slice(b"{\"responses\":[");
    for (nth, Done { id, answer }) in done.into_iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        let mut part = Object::begin(&mut out);
        part.text("id", &id).raw("status", &answer.status.to_string());
        let headers = part.key("headers");
        headers.extend_from_slice(b"{\"Cache-Control\":\"private\"");
        let content_type = match &answer.content {
            Payload::Empty => None,
            Payload::Json(_) => Some(JSON),
            Payload::Page(_) => Some("text/html"),
            Payload::Stream(kind, _) => Some(kind.as_ref()),
        };
        for (name, value) in answer.headers.iter().map(|(name, value)| (*name, value.as_str())) {
            headers.push(b',');
            string(headers, name);
            headers.push(b':');
            string(headers, value);
        }
        if let Some(content_type) = content_type {
            headers.extend_from_slice(b",\"Content-Type\":");
            string(headers, content_type);
        }
        headers.push(b'}');
        match answer.content {
            Payload::Empty => {}
            Payload::Json(json) => part.key("body").extend_from_slice(&json),
            // Content other than JSON is sent as base64 text.
            Payload::Page(page) => {
                part.text("body", &STANDARD.encode(page));
            }
            Payload::Stream(_, chunks) => {
                let mut bytes = Vec::new();
                for chunk in chunks {
                    bytes.extend_from_slice(&chunk);
                    if bytes.len() > MOST_BYTES {
                        break;
                    }
                }
                part.text("body", &STANDARD.encode(bytes));
            }
        }
        part.end();
    }
    out.extend_from_slice(b"]}");
    out
}

//! How a fault changes a response.

use bytes::Bytes;

use super::faults::Fault;
use super::refusal::{GraphResult, Refusal, refused_by_fault};
use super::response::{GraphResponse, Payload};
use super::retry_after::RetryAfter;

/// How the body of a response is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Complete,
    /// The connection breaks within the body.
    Cut,
    /// The JSON is cut, and the response ends properly.
    Truncated,
    /// The JSON starts with a byte order mark.
    ByteOrderMark,
}

/// Whether a request with this fault is carried out.
pub(super) fn is_carried_out(fault: Option<Fault>) -> bool {
    !matches!(
        fault,
        Some(Fault::Status(..) | Fault::Refused(..) | Fault::Close | Fault::Html | Fault::ErrorInside)
    )
}

/// Carries out a request as far as its fault allows it.
pub(super) fn spoiled(fault: Option<Fault>, work: impl FnOnce() -> GraphResult) -> (GraphResult, Ending) {
    let ending = match fault {
        Some(Fault::CutBody) => Ending::Cut,
        Some(Fault::BrokenJson) => Ending::Truncated,
        Some(Fault::ByteOrderMark) => Ending::ByteOrderMark,
        _ => Ending::Complete,
    };
    (without_ending(fault, work), ending)
}

/// Carries out a sub-request of a batch as far as its fault allows it.
pub(super) fn spoiled_part(fault: Option<Fault>, work: impl FnOnce() -> GraphResult) -> GraphResult {
    match fault {
        Some(Fault::Close | Fault::CutBody) => Err(refused_by_fault(502, RetryAfter::Absent)),
        Some(Fault::BrokenJson) => {
            let half = Bytes::from_static(b"{\"value\":[{\"id\":\"AAMkA");
            let content = Payload::Stream("application/json".into(), Box::new(std::iter::once(half)));
            Ok(GraphResponse { status: 200, headers: Vec::new(), content })
        }
        fault => without_ending(fault, work),
    }
}

fn without_ending(fault: Option<Fault>, work: impl FnOnce() -> GraphResult) -> GraphResult {
    match fault {
        Some(Fault::Status(status, retry_after)) => Err(refused_by_fault(status, retry_after)),
        Some(Fault::Refused(status, code, message)) => Err(Refusal::new(status, code, message)),
        Some(Fault::DoneButStatus(status, retry_after)) => {
            // The client does not learn the result.
            let _ = work();
            Err(refused_by_fault(status, retry_after))
        }
        Some(Fault::Html) => Ok(GraphResponse::page()),
        Some(Fault::ErrorInside) => Ok(GraphResponse::json(200, format!("{{\"error\":{ERROR}}}"))),
        Some(Fault::LoneSurrogate) => edited(work(), |json| {
            let keys = ["subject", "displayName", "message", "name"];
            keys.iter().fold(json, |json, key| {
                json.replace(&format!("\"{key}\":\""), &format!("\"{key}\":\"\\ud83d"))
            })
        }),
        Some(Fault::ErrorEntry) => edited(work(), |json| {
            let entry = format!("\"value\":[{{\"error\":{ERROR}}},");
            json.replacen("\"value\":[", &entry, 1).replacen(",]", "]", 1)
        }),
        _ => work(),
    }
}

/// An error that stands where a result is expected.
const ERROR: &str = r#"{"code":"ErrorInternalServerError","message":"An internal server error occurred."}"#;

/// Edits the JSON of a response.
fn edited(result: GraphResult, edit: impl FnOnce(String) -> String) -> GraphResult {
    result.map(|response| match response.content {
        Payload::Json(json) => {
            let json = edit(String::from_utf8_lossy(&json).into_owned());
            GraphResponse { content: Payload::Json(json.into_bytes()), ..response }
        }
        content => GraphResponse { content, ..response },
    })
}

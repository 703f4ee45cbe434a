//! Upload sessions: an attachment of 2 to 150 MB in ranges, in order, to a URL that needs no token and refuses one
//! ("Attach large files to Outlook messages").

use std::time::Instant;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::changes::UploadSession;
use super::drafts::draft_in;
use super::faults::Faults;
use super::message::date_time;
use super::options::Attachment;
use super::path::Place;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::GraphResponse;
use super::rng::{guid, mix};
use super::state::State;

/// The path of upload URLs, outside of Graph's version root, as on outlook.office.com.
pub(super) const PATH: &str = "/api/v2.0/attachmentsessions/";

/// Smaller files are attached in one request. The page says 3 MB; the service accepts sessions from here on
/// (msgraph-sdk-java issue 529).
const SMALLEST: u64 = 2 * 1024 * 1024;
const LARGEST: u64 = 150 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSession {
    #[serde(alias = "attachmentItem", alias = "AttachmentItem")]
    attachment_item: AttachmentItem,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentItem {
    attachment_type: String,
    name: String,
    size: u64,
    content_type: Option<String>,
}

pub(super) fn create(state: &State, faults: &Faults, place: &Place, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(&place.user)?;
    let NewSession { attachment_item: item } = request.json()?;
    if item.attachment_type != "file" {
        return Err(Refusal::bad_request("Only attachmentType 'file' is known here."));
    }
    if item.size < SMALLEST {
        return Err(Refusal::new(
            400,
            "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize",
            "Attachment size should not be less than the minimum size of an upload session.",
        ));
    }
    if item.size > LARGEST {
        return Err(Refusal::new(
            413,
            "ErrorAttachmentSizeLimitExceeded",
            "The attachment size exceeds the limit of 150 MB.",
        ));
    }
    let mut changes = state.changes();
    let (draft, _) = draft_in(state, faults, &changes, mailbox, place)?;
    let nth = changes.sessions.len() as u64;
    let seed = state.base.generator.seed;
    let id = guid(mix(seed, 0x5E55, nth), mix(seed, 0x5E56, nth));
    let token = format!("eyJ{:016x}{:016x}", mix(seed, 0x70CE, nth), mix(seed, 0x70CF, nth));
    let url = format!("{}{PATH}{id}?authtoken={token}", state.base.origin);
    let session = UploadSession {
        mailbox,
        draft: draft.key,
        name: item.name,
        content_type: item.content_type.unwrap_or_else(|| "application/octet-stream".into()),
        size: item.size,
        received: Vec::new(),
        token,
        since: Instant::now(),
    };
    changes.sessions.insert(id, session);
    let body = json!({
        "@odata.context": format!("{}/$metadata#microsoft.graph.uploadSession", state.base.root),
        "uploadUrl": url,
        "expirationDateTime": expiration(state),
        "nextExpectedRanges": ["0-"],
    });
    Ok(GraphResponse::json(201, body.to_string()))
}

fn expiration(state: &State) -> String {
    date_time(state.base.generator.now + 7 * 86_400)
}

/// A request to an upload URL.
pub(super) struct RangeRequest<'a> {
    pub(super) method: &'a Method,
    /// The id of the session.
    pub(super) id: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
    /// Whether the service loses the range.
    pub(super) lost: bool,
}

pub(super) fn at(state: &State, faults: &Faults, request: &RangeRequest<'_>) -> GraphResult {
    let &RangeRequest { method, id, query, headers, body, lost } = request;
    if headers.contains_key("authorization") {
        return Err(Refusal::new(
            401,
            "InvalidAudience",
            "The audience claim value is invalid: an upload URL is pre-authenticated.",
        ));
    }
    let no_session = || Refusal::new(404, "ErrorItemNotFound", "The upload session was not found.");
    let mut changes = state.changes();
    let session = changes.sessions.get_mut(id).ok_or_else(no_session)?;
    if session.since.elapsed() < faults.visibility_lag() {
        return Err(no_session());
    }
    if query.strip_prefix("authtoken=") != Some(session.token.as_str()) {
        return Err(Refusal::new(401, "InvalidAuthenticationToken", "The upload URL was changed."));
    }
    match *method {
        Method::GET => return Ok(progress(state, session)),
        Method::DELETE => {
            changes.sessions.remove(id);
            return Ok(GraphResponse::empty(204));
        }
        Method::PUT => {}
        _ => return Err(Refusal::method_not_allowed()),
    }
    let range = headers.get("content-range").and_then(|value| value.to_str().ok()).and_then(read_range);
    let Some((first, last, total)) = range else {
        return Err(Refusal::new(400, "ErrorInvalidContentRange", "A valid Content-Range header is needed."));
    };
    if total != session.size || last < first || last - first + 1 != body.len() as u64 || last >= total {
        return Err(Refusal::new(
            400,
            "ErrorInvalidContentRange",
            "Content-Range fits neither the content nor the file's size.",
        ));
    }
    if first != session.received.len() as u64 {
        return Err(Refusal::new(416, "ErrorIncorrectRange", "The range is not the one that comes next."));
    }
    if lost {
        return Ok(GraphResponse { status: 202, ..progress(state, session) });
    }
    session.received.extend_from_slice(body);
    if (session.received.len() as u64) < session.size {
        return Ok(progress(state, session));
    }
    let Some(done) = changes.sessions.remove(id) else { return Err(no_session()) };
    let attachment = Attachment::file(done.name, done.content_type, done.received);
    changes
        .mailboxes
        .entry(done.mailbox)
        .or_default()
        .edit(done.draft, |written| written.attachments.push(attachment));
    let mut answer = GraphResponse::empty(201);
    answer.headers.push(("Location", format!("{}/attachments/{id}", state.base.root)));
    Ok(answer)
}

fn progress(state: &State, session: &UploadSession) -> GraphResponse {
    let body = json!({
        "expirationDateTime": expiration(state),
        "nextExpectedRanges": [session.received.len().to_string()],
    });
    GraphResponse::json(200, body.to_string())
}

/// `bytes FIRST-LAST/TOTAL`
fn read_range(value: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, total.parse().ok()?))
}

//! What an endpoint answers, whether it was asked alone or within a batch, and how Graph words a refusal.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::Utc;
use serde_json::json;

use super::call::Call;

/// The content type of Graph's JSON.
pub(super) const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;\
                               IEEE754Compatible=false;charset=utf-8";

/// An answer, before it is wrapped into HTTP or into a part of a batch.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
}

/// What an answer holds.
pub(super) enum Content {
    Empty,
    Json(Vec<u8>),
    /// Bytes that are made as they are sent, with their content type.
    Stream(&'static str, Box<dyn Iterator<Item = Bytes> + Send>),
}

impl Answer {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), content: Content::Empty }
    }

    pub(super) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), content: Content::Json(body.into()) }
    }

    /// What a proxy in between shows when it thinks that a person is looking.
    pub(super) fn page() -> Self {
        let page = Bytes::from_static(
            b"<!DOCTYPE html><html><body><h1>Please sign in to the proxy</h1></body></html>",
        );
        Self {
            status: 200,
            headers: Vec::new(),
            content: Content::Stream("text/html", Box::new(std::iter::once(page))),
        }
    }
}

/// An answer, or a refusal.
pub(super) type Outcome = Result<Answer, Refusal>;

/// Why Graph does not do what it was asked to.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, which quotes the request it is about.
    pub(super) fn quoting(mut self, call: &Call) -> Self {
        let body = String::from_utf8_lossy(&call.body);
        self.message = format!("{:.150} {:.300} {}", call.path_and_query(), body, self.message).into();
        self
    }

    pub(super) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn invalid_filter(detail: &str) -> Self {
        Self::bad_request(format!("Invalid filter clause: {detail}"))
    }

    pub(super) fn malformed_id() -> Self {
        Self::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")
    }

    pub(super) fn item_not_found() -> Self {
        Self::new(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    }

    pub(super) fn no_segment(segment: &str) -> Self {
        Self::bad_request(format!("Resource not found for the segment '{segment}'."))
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    }

    pub(super) fn too_large() -> Self {
        Self::new(413, "RequestEntityTooLarge", "The maximum request length supported is 4MB.")
    }

    pub(super) fn unauthorized(message: &'static str) -> Self {
        Self::new(401, "InvalidAuthenticationToken", message).with_header(
            "WWW-Authenticate",
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
             client_id=\"00000003-0000-0000-c000-000000000000\"",
        )
    }

    /// The answer, with the ids a support case asks for.
    pub(super) fn into_answer(self, request_id: &str, client_request_id: &str) -> Answer {
        let body = json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string(),
                "request-id": request_id,
                "client-request-id": client_request_id,
            },
        }});
        Answer {
            status: self.status,
            headers: self.headers,
            content: Content::Json(body.to_string().into_bytes()),
        }
    }
}

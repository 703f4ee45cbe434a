//! An error response of Graph (Graph page "Microsoft Graph error responses and resource types").

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A longer message does not help an analyst, in characters.
const LONGEST_MESSAGE: usize = 500;
/// No code and no id from Graph is longer, in characters.
const LONGEST_CODE: usize = 100;
/// A larger error object, in bytes, is not kept: a search may keep one for every mailbox.
const LARGEST_BODY: usize = 64 * 1024;

/// Graph refused a request.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `error.code`; empty where the body is not Graph's error object.
    pub code: String,
    /// `error.message`.
    pub message: String,
    /// The wait that Graph asked for.
    pub retry_after: Option<Duration>,
    /// The whole body, where it is Graph's error object.
    pub body: Option<Box<RawValue>>,
}

impl Refusal {
    /// Reads an error response. Also returns the `request-id` that the error object names.
    pub(crate) fn read(
        status: u16,
        retry_after: Option<Duration>,
        body: Option<Box<RawValue>>,
    ) -> (Self, Option<String>) {
        let (body, detail) = match body.as_deref().and_then(|raw| serde_json::from_str(raw.get()).ok()) {
            Some(ErrorBody { error }) => (body, error),
            None => (None, Detail::default()),
        };
        let inner = detail.inner.or(detail.inner_lower_case);
        let refusal = Self {
            status,
            code: shortened(detail.code, LONGEST_CODE),
            message: shortened(detail.message, LONGEST_MESSAGE),
            retry_after,
            body: body.filter(|body| body.get().len() <= LARGEST_BODY),
        };
        (refusal, inner.and_then(|inner| inner.request_id).map(|id| shortened(id, LONGEST_CODE)))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Microsoft Graph answered HTTP status {}", self.status)?;
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => Ok(()),
            (code, "") => write!(f, ", {code}"),
            ("", message) => write!(f, ": {message}"),
            (code, message) => write!(f, ", {code}: {message}"),
        }
    }
}

/// Returns `text`, or its first `most` characters and an ellipsis.
pub(crate) fn shortened(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[derive(Deserialize)]
struct ErrorBody {
    error: Detail,
}

#[derive(Deserialize, Default)]
struct Detail {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(rename = "innerError")]
    inner: Option<Inner>,
    // Graph spells it both ways.
    #[serde(rename = "innererror")]
    inner_lower_case: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(rename = "request-id")]
    request_id: Option<String>,
}

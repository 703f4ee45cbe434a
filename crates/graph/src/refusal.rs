//! An error response of Graph (Graph page "Microsoft Graph error responses and resource types").

use std::fmt;
use std::time::Duration;

use net::Scrubber;
use net::untrusted::text::{excerpt, is_code, is_request_id};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::error_code::Meaning;

/// A longer message does not help an analyst, in characters.
const LONGEST_MESSAGE: usize = 500;
/// A larger error object, in bytes, is not kept: a search may keep one for every mailbox.
const LARGEST_BODY: usize = 64 * 1024;

/// Graph refused a request.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `error.code`; empty where the body is not Graph's error object, or the code does not look like one.
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
        let Some(detail) = body.as_deref().and_then(Detail::read) else {
            let (code, message) = Default::default();
            return (Self { status, code, message, retry_after, body: None }, None);
        };
        let body = if detail.is_standard { body } else { standard_body(&detail.code, &detail.message) };
        let refusal = Self {
            status,
            code: Some(detail.code).filter(|code| is_code(code)).unwrap_or_default(),
            message: excerpt(&detail.message, LONGEST_MESSAGE),
            retry_after,
            body: body.filter(|body| body.get().len() <= LARGEST_BODY),
        };
        (refusal, detail.request_id.filter(|id| is_request_id(id)))
    }

    /// Removes secrets that were sent, in case that Graph quotes them.
    pub(crate) fn scrub(&mut self, scrubber: &Scrubber) {
        self.code = scrubber.scrub(&self.code);
        self.message = scrubber.scrub(&self.message);
        self.body = self.body.take().and_then(|body| match scrubber.scrub(body.get()) {
            scrubbed if scrubbed == body.get() => Some(body),
            // The text may be cut in the middle of an escape, and then is no JSON any more.
            scrubbed => {
                RawValue::from_string(scrubbed).ok().or_else(|| standard_body(&self.code, &self.message))
            }
        });
    }

    /// Returns the code and the message.
    pub(crate) fn code_and_message(&self) -> String {
        match (self.code.as_str(), self.message.as_str()) {
            (code, "") => code.to_owned(),
            ("", message) => message.to_owned(),
            (code, message) => format!("{code}: {message}"),
        }
    }

    /// Returns what the status and the code mean.
    pub fn meaning(&self) -> Meaning {
        Meaning::of(self.status, &self.code, &self.message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Microsoft Graph answered HTTP status {}", self.status)?;
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => Ok(()),
            ("", message) => write!(f, ": {message}"),
            _ => write!(f, ", {}", self.code_and_message()),
        }
    }
}

/// The parts of an error object. Graph, and the servers on the way, write it in several forms.
struct Detail {
    code: String,
    message: String,
    request_id: Option<String>,
    /// Whether `error` is an object with a code and a message, as scripts expect it.
    is_standard: bool,
}

impl Detail {
    fn read(body: &RawValue) -> Option<Self> {
        let body: Map<String, Value> = serde_json::from_str(body.get()).ok()?;
        let error = match body.get("error")? {
            Value::Object(error) => error,
            // OAuth's form, which gateways use too (RFC 6749, 5.2).
            Value::String(code) => {
                let message = body.get("error_description").map(text).unwrap_or_default();
                return Some(Self { code: code.clone(), message, request_id: None, is_standard: false });
            }
            _ => return None,
        };
        // Graph spells it both ways.
        let inner = ["innerError", "innererror"].iter().find_map(|name| error.get(*name)?.as_object());
        let field = |name: &str| error.get(name).map(text).unwrap_or_default();
        let inner_field = |name: &str| inner.and_then(|inner| inner.get(name)).map(text);
        let (mut code, message) = (field("code"), field("message"));
        if code.is_empty() {
            code = inner_field("code").unwrap_or_default();
        }
        Some(Self {
            code,
            message,
            request_id: inner_field("request-id").filter(|id| !id.is_empty()),
            is_standard: error.get("code").is_some_and(Value::is_string)
                && error.get("message").is_some_and(Value::is_string),
        })
    }
}

fn standard_body(code: &str, message: &str) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(&json!({"error": {"code": code, "message": message}})).ok()
}

/// Returns a value as text. A message may also be an object that holds the text (OData 3).
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Object(object) => {
            object.get("value").and_then(Value::as_str).map_or_else(|| value.to_string(), str::to_owned)
        }
        other => other.to_string(),
    }
}

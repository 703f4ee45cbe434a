//! How an answer names objects: by their numbers, or by their names where a request asks for it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Value, json};
use url::form_urlencoded::parse;

/// The request's `handle_format`, in its query or its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandleFormat {
    Names,
    Numbers,
}

impl HandleFormat {
    /// A handle as a value.
    pub(super) fn handle(self, name: &str, number: &Value) -> Value {
        match self {
            Self::Names => json!(name),
            Self::Numbers => number.clone(),
        }
    }

    /// A handle as the key of an object.
    pub(super) fn key(self, name: &str, number: &Value) -> String {
        match self {
            Self::Names => name.to_owned(),
            Self::Numbers => number.to_string(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for HandleFormat {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        let in_query = parse(query.as_bytes()).any(|(key, value)| key == "handle_format" && value == "names");
        let in_headers = parts.headers.get("handle_format").is_some_and(|value| value == "names");
        Ok(if in_query || in_headers { Self::Names } else { Self::Numbers })
    }
}

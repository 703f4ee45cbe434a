//! One request to Graph, alone or as a part of a batch.

use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use super::path::Route;
use super::refusal::Refusal;

/// A request, alone or as a part of a batch.
#[derive(Debug)]
pub(super) struct GraphRequest {
    pub(super) method: Method,
    /// Below the version root, percent-encoded, without the query.
    pub(super) path: String,
    /// Behind the `?`.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What the path names, or why it names nothing.
    pub(super) route: Result<Route, Refusal>,
}

impl GraphRequest {
    /// A request to `path_and_query` below the version root.
    pub(super) fn new(method: Method, path_and_query: &str, headers: HeaderMap, body: Bytes) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let route = Route::parse(path);
        Self { method, path: path.to_owned(), query: query.to_owned(), headers, body, route }
    }

    /// The mailbox it is about, as the URL names it.
    pub(super) fn mailbox(&self) -> Option<&str> {
        self.route.as_ref().ok()?.mailbox()
    }

    /// The body as JSON, and nothing else.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Refusal> {
        let json = self
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/json"));
        if !json {
            return Err(Refusal::new(
                415,
                "UnsupportedMediaType",
                "A supported MIME type could not be found that matches the content type of the request.",
            ));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::bad_request(format!("Unable to read JSON request payload: {error}")))
    }

    /// Method, path and query, as faults choose by.
    pub(super) fn request_line(&self) -> String {
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        format!("{} {slash}{}", self.method, self.path_and_query())
    }

    /// Path and query as the client wrote them.
    pub(super) fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// Puts the request into the message of its refusal.
    pub(super) fn quote_in(&self, mut refusal: Refusal) -> Refusal {
        let body = String::from_utf8_lossy(&self.body);
        refusal.message = format!("{:.150} {:.300} {}", self.path_and_query(), body, refusal.message).into();
        refusal
    }
}

//! One request to Graph, alone or as a part of a batch.

use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use super::identifier::IdForm;
use super::path::Route;
use super::refusal::Refusal;

/// A request, alone or as a part of a batch.
#[derive(Debug)]
pub(super) struct GraphRequest {
    pub(super) method: Method,
    /// Below the version root, percent-encoded, without the query.
    pub(super) path: String,
    /// The part behind the `?`.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The resource that the path names, or the refusal of the path.
    pub(super) route: Result<Route, Refusal>,
}

impl GraphRequest {
    /// A request to `path_and_query` below the version root.
    pub(super) fn new(method: Method, path_and_query: &str, headers: HeaderMap, body: Bytes) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let route = Route::parse(path);
        Self { method, path: path.to_owned(), query: query.to_owned(), headers, body, route }
    }

    /// The mailbox that the URL names, as it names it.
    pub(super) fn mailbox(&self) -> Option<&str> {
        self.route.as_ref().ok()?.mailbox()
    }

    /// Reads the body, which must be JSON.
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

    /// Method, path and query, by which faults select requests.
    pub(super) fn request_line(&self) -> String {
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        format!("{} {slash}{}", self.method, self.path_and_query())
    }

    /// Path and query as the client wrote them.
    pub(super) fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The value of a preference in `Prefer` (RFC 7240).
    pub(super) fn preference(&self, name: &str) -> Option<String> {
        let headers = self.headers.get_all("prefer").iter();
        let values = headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let mut pairs = values.filter_map(|preference| preference.split_once('='));
        let (_, value) = pairs.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim().trim_matches('"').to_owned())
    }

    /// Which ids the response shows.
    pub(super) fn id_form(&self) -> IdForm {
        match self.preference("IdType") {
            Some(form) if form.eq_ignore_ascii_case("ImmutableId") => IdForm::Immutable,
            _ => IdForm::Default,
        }
    }

    /// The preferences that Outlook honours, for the response's `Preference-Applied`.
    pub(super) fn applied_preferences(&self) -> Option<String> {
        let mut applied = Vec::new();
        if self.id_form() == IdForm::Immutable {
            applied.push("IdType=\"ImmutableId\"".to_owned());
        }
        for name in ["outlook.body-content-type", "outlook.timezone"] {
            applied.extend(self.preference(name).map(|value| format!("{name}=\"{value}\"")));
        }
        (!applied.is_empty()).then(|| applied.join(", "))
    }

    /// Puts the request into the message of its refusal.
    pub(super) fn quote_in(&self, mut refusal: Refusal) -> Refusal {
        let body = String::from_utf8_lossy(&self.body);
        refusal.message = format!("{:.150} {:.300} {}", self.path_and_query(), body, refusal.message).into();
        refusal
    }
}

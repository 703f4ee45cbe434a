//! Refusals in SOAR's form.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::soar::incidents::Missing;

/// A refused request.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// 400.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401.
    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid user name or password.")
    }

    /// 403.
    pub(super) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "You are not authorized to perform this operation.")
    }

    /// 404.
    pub(super) fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("Unable to find {what} {id}"))
    }

    /// 409.
    pub(super) fn conflict() -> Self {
        Self::new(StatusCode::CONFLICT, "The object was changed by another user.")
    }

    /// 500.
    pub(super) fn internal(error: &std::io::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<Missing> for ApiError {
    fn from(missing: Missing) -> Self {
        Self::new(StatusCode::NOT_FOUND, missing.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "success": false,
            "title": null,
            "message": self.message,
            "hints": [],
            "error_code": "generic"
        });
        (self.status, Json(body)).into_response()
    }
}

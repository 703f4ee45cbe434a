//! Azure's identity endpoints: the Instance Metadata Service of virtual machines, and App Service's. Here they share
//! Graph's socket.

use std::collections::HashMap;

use axum::http::HeaderMap;
use chrono::Utc;
use serde_json::json;

use super::faults::Faults;
use super::response::GraphResponse;
use super::token::Entra;

/// The path for a virtual machine.
const MACHINE: &str = "/metadata/identity/oauth2/token";
/// The path for an app of App Service. The platform chooses it freely.
pub(super) const APP_SERVICE: &str = "/msi/token";

/// Whether `path` is one of the two.
pub(super) fn is_endpoint(path: &str) -> bool {
    [MACHINE, APP_SERVICE].contains(&path)
}

/// Answers `GET` with this `query`.
pub(super) fn answer(
    entra: &Entra,
    faults: &Faults,
    path: &str,
    query: &str,
    headers: &HeaderMap,
) -> GraphResponse {
    let query: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_machine = path == MACHINE;
    let (allowed, version) = if is_machine {
        // A request from a proxy or a web page does not come from the machine itself.
        (header("metadata") == Some("true") && header("x-forwarded-for").is_none(), "2018-02-01")
    } else {
        (header("x-identity-header") == Some(entra.identity_header().as_str()), "2019-08-01")
    };
    let refused = |status, error: &str, description: &str| {
        GraphResponse::json(status, json!({ "error": error, "error_description": description }).to_string())
    };
    if !allowed {
        return refused(400, "bad_request_102", "Required metadata header not specified");
    }
    if query.get("api-version").map(String::as_str) != Some(version) {
        return refused(400, "bad_request_100", "The api-version is missing or not supported");
    }
    if query.get("resource").map(String::as_str) != Some(entra.resource()) {
        return refused(400, "invalid_resource", "AADSTS500011: The resource principal was not found.");
    }
    if query.get("client_id").is_some_and(|id| *id != entra.client_id) {
        return refused(400, "invalid_request", "Identity not found");
    }
    let lifetime = faults.token_lifetime();
    let token = entra.issue(lifetime, &faults.roles());
    let ends = Utc::now().timestamp() + i64::try_from(lifetime.as_secs()).unwrap_or(0);
    let mut granted = json!({
        "access_token": token,
        "client_id": entra.client_id,
        "expires_on": ends.to_string(),
        "resource": entra.resource(),
        "token_type": "Bearer",
    });
    if is_machine {
        granted["expires_in"] = lifetime.as_secs().to_string().into();
        granted["not_before"] = Utc::now().timestamp().to_string().into();
    }
    GraphResponse::json(200, granted.to_string())
}

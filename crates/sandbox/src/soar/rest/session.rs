//! Signing in: an API key with every request, or an account with a session.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Shared;
use super::data::Data;
use super::error::ApiError;

/// The principal of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Principal {
    /// An API key, by its principal's number.
    ApiKey(i64),
    /// An account, by its number.
    User(i64),
}

/// Returns the principal of a request.
pub(super) fn principal(data: &Data, headers: &HeaderMap) -> Result<Principal, ApiError> {
    api_key(data, headers).or_else(|| user(data, headers)).ok_or_else(ApiError::unauthorized)
}

fn api_key(data: &Data, headers: &HeaderMap) -> Option<Principal> {
    let basic = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let key = data.api_keys.iter().find(|key| key.id == id && key.secret == secret)?;
    Some(Principal::ApiKey(key.handle))
}

fn user(data: &Data, headers: &HeaderMap) -> Option<Principal> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let session = cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("JSESSIONID="))?;
    let (csrf, user) = data.sessions.get(session)?;
    (headers.get("X-sess-id")?.to_str().ok()? == csrf).then_some(Principal::User(*user))
}

/// `GET /rest/session`: the principal of an API key.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    shared.look(|data| {
        let mut session = describe(data);
        match principal(data, &headers)? {
            Principal::ApiKey(handle) => session["api_key_handle"] = json!(handle),
            Principal::User(id) => session["user_id"] = json!(id),
        }
        Ok(Json(session))
    })
}

/// The credentials of an account.
#[derive(Deserialize)]
pub(super) struct Credentials {
    email: String,
    password: String,
}

/// `POST /rest/session`: opens a session.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Json(credentials): Json<Credentials>,
) -> Result<Response, ApiError> {
    shared.change(|data| {
        let account = data
            .accounts
            .iter()
            .find(|a| a.email == credentials.email && a.password == credentials.password)
            .ok_or_else(ApiError::unauthorized)?;
        let (session, csrf) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let mut body = describe(data);
        body["user_id"] = json!(account.user_id);
        body["user_email"] = json!(account.email);
        body["csrf_token"] = json!(csrf);
        data.session_secrets.extend([session.clone(), csrf.clone()]);
        data.sessions.insert(session.clone(), (csrf, account.user_id));
        let cookie = format!("JSESSIONID={session}; Path=/; Secure; HttpOnly");
        Ok((StatusCode::OK, [(SET_COOKIE, cookie)], Json(body)).into_response())
    })
}

fn describe(data: &Data) -> Value {
    let orgs: Vec<Value> = data
        .organisations
        .iter()
        .map(|org| {
            json!({
                "id": org.id,
                "name": org.name,
                "enabled": org.enabled,
                "uuid": org.uuid,
                "cloud_account": org.cloud_account
            })
        })
        .collect();
    json!({"orgs": orgs, "session_ip": "127.0.0.1", "is_saml": false, "saml_alias": null, "is_ldap": false})
}

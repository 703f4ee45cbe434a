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
use super::data::{ApiKey, Data};
use super::error::ApiError;
use crate::soar::incidents::{Author, AuthorKind};

/// Returns who sends a request.
pub(super) fn author(data: &Data, headers: &HeaderMap) -> Result<Author, ApiError> {
    api_key(data, headers).or_else(|| user(data, headers)).ok_or_else(ApiError::unauthorized)
}

fn api_key(data: &Data, headers: &HeaderMap) -> Option<Author> {
    let basic = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    data.api_keys.iter().find(|key| key.id == id && key.secret == secret).map(ApiKey::author)
}

fn user(data: &Data, headers: &HeaderMap) -> Option<Author> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let session = cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("JSESSIONID="))?;
    let (csrf, user) = data.sessions.get(session)?;
    let account = data.accounts.iter().find(|account| account.user_id == *user)?;
    (headers.get("X-sess-id")?.to_str().ok()? == csrf).then(|| account.author())
}

/// `GET /rest/session`: the principal of an API key.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    shared.look(|data| {
        let mut session = describe(data);
        let author = author(data, &headers)?;
        let key = match author.kind {
            AuthorKind::ApiKey => "api_key_handle",
            AuthorKind::User => "user_id",
        };
        session[key] = json!(author.id);
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

//! The platform's own objects: its version, organisations, functions and message destinations.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;

/// `GET /rest/const`.
pub(super) async fn constants() -> Json<Value> {
    Json(json!({
        "server_version": {"major": 51, "minor": 0, "build_number": 1, "version": "51.0.0.0.1"}
    }))
}

/// `GET /rest/orgs/{org}`.
pub(super) async fn organisation(
    State(shared): State<Arc<Shared>>,
    Path(org): Path<i64>,
) -> Result<Json<Value>, ApiError> {
    shared.look(|data| {
        let found = data.organisations.iter().find(|o| o.id == org).ok_or_else(ApiError::forbidden)?;
        Ok(Json(json!({
            "id": found.id,
            "name": found.name,
            "uuid": found.uuid,
            "actions_framework_enabled": found.actions_framework_enabled
        })))
    })
}

/// `GET /functions/{name}`. The destination is a number unless names are asked for.
pub(super) async fn function(
    State(shared): State<Arc<Shared>>,
    Path((_, name)): Path<(i64, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    shared.look(|data| {
        let destination = data.functions.get(&name).ok_or_else(|| ApiError::not_found("function", &name))?;
        let by_name = query.get("handle_format").is_some_and(|format| format == "names");
        let handle = match data.destinations.iter().find(|d| d.id == *destination) {
            Some(destination) if by_name => json!(destination.programmatic_name),
            _ => json!(destination),
        };
        Ok(Json(json!({
            "name": name,
            "display_name": name,
            "destination_handle": handle,
            "view_items": [],
            "workflows": []
        })))
    })
}

/// `GET /message_destinations`.
pub(super) async fn destinations(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let entities: Vec<Value> =
        shared.look(|data| data.destinations.iter().map(super::data::Destination::dto).collect());
    Json(json!({"entities": entities}))
}

/// `GET /message_destinations/{id}`.
pub(super) async fn destination(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    shared.look(|data| {
        let found = data.destinations.iter().find(|d| d.id == id);
        Ok(Json(found.ok_or_else(|| ApiError::not_found("message destination", id))?.dto()))
    })
}

/// `PUT /message_destinations/{id}`: 409 for one who did not see the last change.
pub(super) async fn put_destination(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
    Json(wanted): Json<Value>,
) -> Result<Json<Value>, ApiError> {
    shared.change(|data| {
        let meanwhile = data.conflicts > 0;
        data.conflicts = data.conflicts.saturating_sub(1);
        let found = data.destinations.iter_mut().find(|d| d.id == id);
        let found = found.ok_or_else(|| ApiError::not_found("message destination", id))?;
        if meanwhile {
            found.version += 1;
        }
        if wanted["version"] != json!(found.version) {
            return Err(ApiError::conflict());
        }
        found.version += 1;
        found.dto = wanted;
        Ok(Json(found.dto()))
    })
}

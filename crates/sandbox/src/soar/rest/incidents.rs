//! Incidents and tasks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use crate::soar::incidents::Owner;

/// The object with the number `id` among the incidents or tasks.
pub(super) fn owner(kind: &str, id: i64) -> Result<Owner, ApiError> {
    match kind {
        "incidents" => Ok(Owner::Incident(id)),
        "tasks" => Ok(Owner::Task(id)),
        other => Err(ApiError::not_found("resource", other)),
    }
}

/// The answer to a deletion.
pub(super) fn done() -> Json<Value> {
    Json(json!({"success": true, "title": null, "message": null, "hints": []}))
}

/// `GET /incidents/{id}`.
pub(super) async fn incident(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    Ok(Json(json!({"id": id, "name": incident.name, "plan_status": "A"})))
}

/// `GET /tasks/{id}`.
pub(super) async fn task(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Task(id))?;
    let task = incident.tasks.iter().find(|task| task.id == id);
    Ok(Json(json!({"id": id, "name": task.map(|task| &task.name), "inc_id": incident.id})))
}

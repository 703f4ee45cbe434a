//! Instances of workflows: one for each call that a workflow has made.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use crate::soar::incidents::{Incident, Owner};
use crate::soar::instances::Instance;

/// `GET /incidents/{id}/workflow_instances`.
pub(super) async fn of_incident(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    let all = shared.instances.all();
    let own = all.iter().filter(|instance| instance.incident == id);
    Ok(Json(json!({"entities": own.map(|instance| dto(&incident, instance)).collect::<Vec<_>>()})))
}

/// `GET /workflow_instances/{id}`.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let all = shared.instances.all();
    let found = all.iter().find(|instance| instance.id == id);
    let found = found.ok_or_else(|| ApiError::not_found("workflow instance", id))?;
    let incident = shared.incidents.of(Owner::Incident(found.incident))?;
    Ok(Json(dto(&incident, found)))
}

fn dto(incident: &Incident, instance: &Instance) -> Value {
    json!({
        "workflow_instance_id": instance.id,
        "workflow": instance.workflow,
        "object": {
            "type_id": 0, "type_name": "incident", "object_id": incident.id, "object_name": incident.name,
            "parent": null
        },
        "status": instance.status(),
        "start_date": instance.started,
        "end_date": instance.ended,
        "start_principal": instance.by,
        "terminate_reason": null
    })
}

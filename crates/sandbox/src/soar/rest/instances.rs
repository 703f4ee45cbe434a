//! Instances of workflows and playbooks: one for each call that one has made.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use super::query::PagedQuery;
use crate::soar::caller::Origin;
use crate::soar::incidents::{Incident, Owner};
use crate::soar::instances::Instance;

/// `GET /incidents/{id}/workflow_instances`.
pub(super) async fn of_incident(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    let all = shared.instances.all();
    let own = all.iter().filter(|one| one.origin == Origin::Workflow && one.incident == id);
    Ok(Json(json!({"entities": own.map(|instance| dto(&incident, instance)).collect::<Vec<_>>()})))
}

/// `GET /workflow_instances/{id}`.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let all = shared.instances.all();
    let found = all.iter().find(|one| one.origin == Origin::Workflow && one.id == id);
    let found = found.ok_or_else(|| ApiError::not_found("workflow instance", id))?;
    let incident = shared.incidents.of(Owner::Incident(found.incident))?;
    Ok(Json(dto(&incident, found)))
}

/// `POST /playbooks/execution/query_paged`. IBM's app Playbook Utilities asks for incidents by `gte` and `lte`.
pub(super) async fn playbooks(
    State(shared): State<Arc<Shared>>,
    Path(_): Path<i64>,
    Json(query): Json<PagedQuery>,
) -> Result<Json<Value>, ApiError> {
    let all = shared.instances.all();
    let mut data = Vec::new();
    for instance in all.iter().filter(|one| one.origin == Origin::Playbook) {
        let incident = shared.incidents.of(Owner::Incident(instance.incident))?;
        let row = execution(&incident, instance);
        if query.matches(std::slice::from_ref(&row))? {
            data.push(row);
        }
    }
    Ok(Json(json!({"recordsTotal": data.len(), "recordsFiltered": data.len(), "data": data})))
}

fn execution(incident: &Incident, instance: &Instance) -> Value {
    json!({
        "id": instance.id,
        "playbook": {
            "id": instance.named["playbook_id"],
            "display_name": instance.named["playbook_display_name"],
            "activation_type": instance.named["playbook_activation_type"],
            "is_deleted": false
        },
        "start_time": instance.started,
        "last_activity_time": instance.ended.unwrap_or(instance.started),
        "last_activity_by": instance.by,
        "status": instance.status(),
        "object": {
            "parent": null, "object_id": incident.id, "object_name": incident.name, "type_id": 0,
            "type_name": "incident"
        },
        "object_is_deleted": false,
        "incident_id": incident.id,
        "detail_msg": null
    })
}

fn dto(incident: &Incident, instance: &Instance) -> Value {
    json!({
        "workflow_instance_id": instance.id,
        "workflow": instance.named,
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

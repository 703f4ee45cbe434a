//! Tasks of incidents.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use super::incidents::done;
use crate::soar::incidents::{Author, Incident, Owner, Task};

/// A task as it is posted.
#[derive(Deserialize)]
pub(super) struct PostedTask {
    name: String,
    /// `O` for open, `C` for completed.
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    instr_text: Option<String>,
}

impl PostedTask {
    fn checked(self) -> Result<Self, ApiError> {
        let known = self.status.as_deref().is_none_or(|status| ["O", "C"].contains(&status));
        match (self.name.trim().is_empty(), known) {
            (true, _) => Err(ApiError::invalid("name: This field is required.")),
            (_, false) => Err(ApiError::invalid("status: The value is neither O nor C.")),
            _ => Ok(self),
        }
    }

    fn write(self, task: &mut Task, by: &Author) {
        task.name = self.name;
        if let Some(instructions) = self.instr_text {
            task.instructions = instructions;
        }
        match self.status.as_deref() {
            Some("C") if task.active => (task.active, task.closed_by) = (false, Some(by.clone())),
            Some("O") => (task.active, task.closed_by) = (true, None),
            _ => {}
        }
    }
}

/// `GET /incidents/{id}/tasks`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    Ok(Json(incident.tasks.iter().map(|task| dto(&incident, task)).collect()))
}

/// `POST /incidents/{id}/tasks`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(author): Extension<Author>,
    Path((_, id)): Path<(i64, i64)>,
    Json(posted): Json<PostedTask>,
) -> Result<Json<Value>, ApiError> {
    let posted = posted.checked()?;
    let task = shared.incidents.add_task(id, None, &posted.name)?;
    let task = shared.incidents.change_task(task.id, |task| posted.write(task, &author))?;
    Ok(Json(dto(&shared.incidents.of(Owner::Incident(id))?, &task)))
}

/// `GET /tasks/{id}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Task(id))?;
    let task = incident.tasks.iter().find(|task| task.id == id);
    let task = task.ok_or_else(|| ApiError::not_found("task", id))?;
    Ok(Json(dto(&incident, task)))
}

/// `PUT /tasks/{id}`.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Extension(author): Extension<Author>,
    Path((_, id)): Path<(i64, i64)>,
    Json(posted): Json<PostedTask>,
) -> Result<Json<Value>, ApiError> {
    let posted = posted.checked()?;
    let task = shared.incidents.change_task(id, |task| posted.write(task, &author))?;
    Ok(Json(dto(&shared.incidents.of(Owner::Task(id))?, &task)))
}

/// `DELETE /tasks/{id}`.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    shared.incidents.remove_task(id)?;
    Ok(done())
}

/// The task as SOAR describes it. It has no version.
fn dto(incident: &Incident, task: &Task) -> Value {
    json!({
        "id": task.id,
        "name": task.name,
        "status": if task.active { "O" } else { "C" },
        "active": task.active,
        "init_date": task.created,
        "closed_date": null,
        "due_date": null,
        "owner_id": null,
        "phase_id": null,
        "required": true,
        "custom": true,
        "frozen": false,
        "instr_text": task.instructions,
        "notes": [],
        "members": null,
        "inc_id": incident.id,
        "inc_name": incident.name,
        "inc_owner_id": incident.fields.get("owner_id"),
        "cat_name": "Respond",
        "creator_principal": incident.author.principal(),
        "perms": {"read": true, "write": true, "comment": true, "close": true, "attach_file": true},
        "actions": [],
        "playbooks": []
    })
}

//! Incidents: their list, opening, changing and removing.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::artifacts::{self, PostedArtifact};
use super::error::ApiError;
use super::handles::HandleFormat;
use super::incident_dto::{self, numbered};
use super::notes::NewNote;
use super::query::{Page, PagedQuery};
use super::{Shared, patch};
use crate::soar::incidents::{Author, Incident, Owner};

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

/// How much of an incident an answer has.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ReturnLevel {
    #[serde(default)]
    return_level: Option<String>,
}

impl ReturnLevel {
    /// Leaves out what is not asked for.
    fn reduce(&self, incident: Value) -> Value {
        match self.return_level.as_deref() {
            Some("normal" | "full") => incident,
            _ => incident_dto::partial(incident),
        }
    }
}

/// `GET /incidents`.
pub(super) async fn list(State(shared): State<Arc<Shared>>, format: HandleFormat) -> Json<Value> {
    let all = shared.incidents.all();
    Json(shared.look(|data| {
        let dto = |incident| incident_dto::partial(incident_dto::full(data, incident, format));
        json!(all.iter().map(dto).collect::<Vec<_>>())
    }))
}

/// `POST /incidents/query_paged`.
pub(super) async fn query_paged(
    State(shared): State<Arc<Shared>>,
    format: HandleFormat,
    Query(level): Query<ReturnLevel>,
    Json(query): Json<PagedQuery>,
) -> Result<Json<Value>, ApiError> {
    let Page { found, total } = query.run(&shared)?;
    let data = shared.look(|data| {
        let dto = |incident| level.reduce(incident_dto::full(data, incident, format));
        found.iter().map(dto).collect::<Vec<_>>()
    });
    Ok(Json(json!({"data": data, "recordsTotal": total, "recordsFiltered": total})))
}

/// `POST /incidents/query`: as [`query_paged`], without pages.
pub(super) async fn query(
    State(shared): State<Arc<Shared>>,
    format: HandleFormat,
    Query(level): Query<ReturnLevel>,
    Json(query): Json<PagedQuery>,
) -> Result<Json<Value>, ApiError> {
    let Page { found, .. } = query.unpaged().run(&shared)?;
    Ok(Json(shared.look(|data| {
        let dto = |incident| level.reduce(incident_dto::full(data, incident, format));
        found.iter().map(dto).collect::<Vec<_>>().into()
    })))
}

/// An incident as it is posted, perhaps with notes and artifacts.
#[derive(Deserialize)]
pub(super) struct NewIncident {
    #[serde(default)]
    comments: Option<Vec<NewNote>>,
    #[serde(default)]
    artifacts: Option<Vec<PostedArtifact>>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// `POST /incidents`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    format: HandleFormat,
    Extension(author): Extension<Author>,
    Json(NewIncident { comments, artifacts, fields }): Json<NewIncident>,
) -> Result<Json<Value>, ApiError> {
    let mut fields = shared.look(|data| numbered(data, fields))?;
    let Some(Value::String(name)) = fields.remove("name").filter(|name| *name != "") else {
        return Err(ApiError::invalid("name: This field is required."));
    };
    if !fields.get("discovered_date").is_some_and(Value::is_i64) {
        return Err(ApiError::invalid("discovered_date: This field is required."));
    }
    let notes: Vec<_> = comments.into_iter().flatten().map(NewNote::text).collect::<Result<_, _>>()?;
    let new: Vec<_> = artifacts.into_iter().flatten().map(PostedArtifact::read).collect::<Result<_, _>>()?;
    let id = shared.incidents.open(None, &name, fields, &author).id;
    for (format, content) in notes {
        shared.incidents.add_note(Owner::Incident(id), None, format, &content, &author)?;
    }
    for artifact in new {
        artifacts::add(&shared, id, artifact, &author)?;
    }
    dto(&shared, id, format)
}

/// `GET /incidents/{id}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
    format: HandleFormat,
) -> Result<Json<Value>, ApiError> {
    dto(&shared, id, format)
}

/// `PUT /incidents/{id}`: 409 if the request is not based on the latest version.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
    format: HandleFormat,
    Json(wanted): Json<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    if wanted.get("vers").is_some_and(|version| *version != incident.version) {
        return Err(ApiError::conflict());
    }
    let fields = shared.look(|data| numbered(data, wanted))?;
    shared.incidents.set_fields(id, fields)?;
    dto(&shared, id, format)
}

/// `PATCH /incidents/{id}`.
pub(super) async fn patch(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
    Json(patch): Json<patch::Patch>,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    let (fields, status) = shared.look(|data| patch.apply(data, &incident))?;
    if !fields.is_empty() {
        shared.incidents.set_fields(id, fields)?;
    }
    Ok(Json(status))
}

/// `DELETE /incidents/{id}`.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    shared.incidents.remove(id)?;
    Ok(done())
}

fn dto(shared: &Shared, id: i64, format: HandleFormat) -> Result<Json<Value>, ApiError> {
    let incident: Incident = shared.incidents.of(Owner::Incident(id))?;
    Ok(Json(shared.look(|data| incident_dto::full(data, &incident, format))))
}

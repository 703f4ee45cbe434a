//! Artifacts of incidents.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use super::handles::HandleFormat;
use super::incidents::done;
use super::system::{artifact_type, artifact_type_name};
use crate::soar::incidents::{Artifact, Author, Incident, NewArtifact, Owner};

/// An artifact as it is posted.
#[derive(Deserialize)]
pub(super) struct PostedArtifact {
    #[serde(rename = "type")]
    kind: Value,
    #[serde(default)]
    value: String,
    #[serde(default)]
    description: Value,
}

impl PostedArtifact {
    /// The artifact, whose type must be one of SOAR's.
    pub(super) fn read(self) -> Result<NewArtifact, ApiError> {
        let kind = artifact_type_name(&self.kind);
        let kind = kind.ok_or_else(|| ApiError::invalid(format!("type: Unable to find {}.", self.kind)))?;
        if self.value.trim().is_empty() {
            return Err(ApiError::invalid("value: This field is required."));
        }
        let description = self.description.get("content").unwrap_or(&self.description);
        let description = description.as_str().unwrap_or_default().to_owned();
        Ok(NewArtifact { kind: kind.to_owned(), value: self.value, description })
    }
}

/// The path of an artifact.
type ArtifactPath = Path<(i64, i64, i64)>;

pub(super) fn add(
    shared: &Shared,
    incident: i64,
    new: NewArtifact,
    by: &Author,
) -> Result<Artifact, ApiError> {
    Ok(shared.incidents.add_artifact(incident, new, by)?)
}

/// `GET /incidents/{id}/artifacts`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
    format: HandleFormat,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    Ok(Json(incident.artifacts.iter().map(|artifact| dto(&incident, artifact, format)).collect()))
}

/// `POST /incidents/{id}/artifacts`: the answer is a list, because a value may hold several.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
    format: HandleFormat,
    Extension(author): Extension<Author>,
    Json(posted): Json<PostedArtifact>,
) -> Result<Json<Value>, ApiError> {
    let artifact = add(&shared, id, posted.read()?, &author)?;
    let incident = shared.incidents.of(Owner::Incident(id))?;
    Ok(Json(json!([dto(&incident, &artifact, format)])))
}

/// `GET /incidents/{id}/artifacts/{artifact}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((_, id, artifact)): ArtifactPath,
    format: HandleFormat,
) -> Result<Json<Value>, ApiError> {
    let incident = shared.incidents.of(Owner::Incident(id))?;
    let found = incident.artifacts.iter().find(|one| one.id == artifact);
    let found = found.ok_or_else(|| ApiError::not_found("artifact", artifact))?;
    Ok(Json(dto(&incident, found, format)))
}

/// `PUT /incidents/{id}/artifacts/{artifact}`.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Path((_, id, artifact)): ArtifactPath,
    format: HandleFormat,
    Json(posted): Json<PostedArtifact>,
) -> Result<Json<Value>, ApiError> {
    let NewArtifact { kind, value, description } = posted.read()?;
    let changed = shared.incidents.change_artifact(id, artifact, |artifact| {
        (artifact.kind, artifact.value, artifact.description) = (kind, value, description);
    })?;
    Ok(Json(dto(&shared.incidents.of(Owner::Incident(id))?, &changed, format)))
}

/// `DELETE /incidents/{id}/artifacts/{artifact}`.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path((_, id, artifact)): ArtifactPath,
) -> Result<Json<Value>, ApiError> {
    shared.incidents.remove_artifact(id, artifact)?;
    Ok(done())
}

/// The artifact as SOAR describes it.
pub(super) fn dto(incident: &Incident, artifact: &Artifact, format: HandleFormat) -> Value {
    let number = json!(artifact_type(&artifact.kind));
    json!({
        "id": artifact.id,
        "type": format.handle(&artifact.kind, &number),
        "value": artifact.value,
        "description": artifact.description,
        "created": artifact.created,
        "last_modified_time": artifact.modified,
        "creator": {"id": artifact.author.id, "display_name": artifact.author.display_name},
        "creator_principal": artifact.author.principal(),
        "inc_id": incident.id,
        "inc_name": incident.name,
        "inc_owner": incident.fields.get("owner_id"),
        "parent_id": null,
        "attachment": null,
        "relating": null,
        "hits": [],
        "pending_sources": [],
        "properties": null,
        "perms": null,
        "actions": [],
        "playbooks": []
    })
}

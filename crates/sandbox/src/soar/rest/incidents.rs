//! Incidents, tasks, and notes.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::data::{Data, Note};
use super::error::ApiError;

/// `GET /incidents/{id}`.
pub(super) async fn incident(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    shared.look(|data| {
        let name = data.incidents.get(&id).ok_or_else(|| ApiError::not_found("incident", id))?;
        Ok(Json(json!({"id": id, "name": name, "plan_status": "A"})))
    })
}

/// `GET /tasks/{id}`.
pub(super) async fn task(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    shared.look(|data| {
        let incident = data.tasks.get(&id).ok_or_else(|| ApiError::not_found("task", id))?;
        Ok(Json(json!({"id": id, "name": format!("Task {id}"), "inc_id": incident})))
    })
}

/// A note as it is posted.
#[derive(Deserialize)]
pub(super) struct NewNote {
    text: NewText,
}

/// Text with or without its format.
#[derive(Deserialize)]
#[serde(untagged)]
enum NewText {
    Plain(String),
    Formatted { format: String, content: String },
}

/// `POST /incidents/{id}/comments`: adds a note, which must not be empty and must have a format of SOAR.
pub(super) async fn add_note(
    State(shared): State<Arc<Shared>>,
    Path((_, incident)): Path<(i64, i64)>,
    note: Result<Json<NewNote>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(note) = note.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    let (format, content) = match note.text {
        NewText::Plain(content) => ("text".to_owned(), content),
        NewText::Formatted { format, content } => (format, content),
    };
    if content.trim().is_empty() {
        return Err(ApiError::invalid("text: This field is required."));
    }
    if !matches!(format.as_str(), "html" | "text") {
        return Err(ApiError::invalid("text: The format is neither html nor text."));
    }
    shared.change(|data| {
        known(data, incident)?;
        let note = Note { id: data.next_id(), format, content };
        let dto = dto(incident, &note);
        data.notes.entry(incident).or_default().push(note);
        Ok(Json(dto))
    })
}

/// `GET /incidents/{id}/comments`.
pub(super) async fn notes(
    State(shared): State<Arc<Shared>>,
    Path((_, incident)): Path<(i64, i64)>,
) -> Result<Json<Vec<Value>>, ApiError> {
    shared.look(|data| {
        known(data, incident)?;
        let notes = data.notes.get(&incident).map(Vec::as_slice).unwrap_or_default();
        Ok(Json(notes.iter().map(|note| dto(incident, note)).collect()))
    })
}

fn known(data: &Data, incident: i64) -> Result<(), ApiError> {
    if data.incidents.contains_key(&incident) {
        Ok(())
    } else {
        Err(ApiError::not_found("incident", incident))
    }
}

fn dto(incident: i64, note: &Note) -> Value {
    json!({
        "id": note.id,
        "parent_id": null,
        "inc_id": incident,
        "text": note.content,
        "is_deleted": false,
        "children": []
    })
}

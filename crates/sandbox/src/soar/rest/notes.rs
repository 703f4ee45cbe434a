//! Notes of incidents and tasks, which SOAR's interface calls comments.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use super::incident_dto::with_owner;
use super::incidents::owner;
use crate::soar::incidents::{Author, Incident, Note, NoteFormat, Owner};

/// A note as it is posted.
#[derive(Deserialize)]
pub(super) struct NewNote {
    text: NewText,
    #[serde(default)]
    parent_id: Option<i64>,
}

/// Text with or without its format.
#[derive(Deserialize)]
#[serde(untagged)]
enum NewText {
    Plain(String),
    Formatted { format: String, content: String },
}

impl NewNote {
    /// The text, which must not be empty and must have a format of SOAR.
    pub(super) fn text(self) -> Result<(NoteFormat, String), ApiError> {
        let (format, content) = match self.text {
            NewText::Plain(content) => (NoteFormat::Text, content),
            NewText::Formatted { format, content } => match format.as_str() {
                "html" => (NoteFormat::Html, content),
                "text" => (NoteFormat::Text, content),
                _ => return Err(ApiError::invalid("text: The format is neither html nor text.")),
            },
        };
        if content.trim().is_empty() {
            return Err(ApiError::invalid("text: This field is required."));
        }
        Ok((format, content))
    }
}

/// A request's note.
type Posted = Result<Json<NewNote>, JsonRejection>;

fn posted(note: Posted) -> Result<NewNote, ApiError> {
    note.map(|Json(note)| note).map_err(|rejection| ApiError::invalid(rejection.body_text()))
}

/// `POST …/comments`.
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id)): Path<(i64, String, i64)>,
    Extension(author): Extension<Author>,
    note: Posted,
) -> Result<Json<Value>, ApiError> {
    let owner = owner(&kind, id)?;
    let note = posted(note)?;
    let parent = note.parent_id;
    let (format, content) = note.text()?;
    let note = shared.incidents.add_note(owner, parent, format, &content, &author)?;
    Ok(Json(dto(&shared.incidents.of(owner)?, &note)))
}

/// `GET …/comments`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id)): Path<(i64, String, i64)>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let owner = owner(&kind, id)?;
    let incident = shared.incidents.of(owner)?;
    // SOAR puts answers below the note that they answer.
    let first = incident.notes_of(owner).filter(|note| note.parent.is_none());
    Ok(Json(first.map(|note| dto(&incident, note)).collect()))
}

/// `GET …/comments/{comment}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id, comment)): Path<(i64, String, i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let (incident, note) = find(&shared, owner(&kind, id)?, comment)?;
    Ok(Json(dto(&incident, &note)))
}

/// `PUT …/comments/{comment}`.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id, comment)): Path<(i64, String, i64, i64)>,
    note: Posted,
) -> Result<Json<Value>, ApiError> {
    let owner = owner(&kind, id)?;
    let (incident, _) = find(&shared, owner, comment)?;
    let (format, content) = posted(note)?.text()?;
    let note = shared.incidents.change_note(incident.id, comment, format, &content)?;
    Ok(Json(dto(&shared.incidents.of(owner)?, &note)))
}

/// `DELETE …/comments/{comment}`.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id, comment)): Path<(i64, String, i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let (incident, _) = find(&shared, owner(&kind, id)?, comment)?;
    shared.incidents.remove_note(incident.id, comment)?;
    Ok(super::incidents::done())
}

fn find(shared: &Shared, owner: Owner, id: i64) -> Result<(Incident, Note), ApiError> {
    let incident = shared.incidents.of(owner)?;
    let note = incident.notes_of(owner).find(|note| note.id == id).cloned();
    Ok((incident, note.ok_or_else(|| ApiError::not_found("comment", id))?))
}

/// The note as SOAR describes it, with the answers to it.
pub(super) fn dto(incident: &Incident, note: &Note) -> Value {
    let (first, last) = note.author.names();
    let text = match note.format {
        NoteFormat::Html => format!("<div class=\"rte\">{}</div>", note.content),
        NoteFormat::Text => note.content.clone(),
    };
    let answers = incident.notes.iter().filter(|one| one.parent == Some(note.id));
    let own = json!({
        "id": note.id,
        "parent_id": note.parent,
        "user_id": note.author.id,
        "user_fname": first,
        "user_lname": last,
        "user_name": note.author.display_name,
        "text": text,
        "create_date": note.created,
        "modify_date": note.modified,
        "modify_user": {"id": note.author.id, "first_name": first, "last_name": last},
        "modify_principal": note.author.principal(),
        "children": answers.map(|answer| dto(incident, answer)).collect::<Vec<_>>(),
        "mentioned_users": [],
        "is_deleted": false,
        "comment_perms": {"update": true, "delete": true}
    });
    with_owner(incident, note.owner, own)
}

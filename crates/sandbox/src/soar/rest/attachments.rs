//! Attachments of incidents and tasks. Their bytes are streamed from the socket to a file and back, so that large
//! attachments need little memory.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Multipart, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::BytesMut;
use chrono::Utc;
use futures_util::stream::try_unfold;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Shared;
use super::error::ApiError;
use super::incident_dto::with_owner;
use super::incidents::owner;
use crate::soar::incidents::{Attachment, Author, Incident, Owner};

/// The longest file name that SOAR's database accepts, in characters.
const LONGEST_NAME: usize = 255;

/// The path of an object that has attachments.
type OwnerPath = Path<(i64, String, i64)>;
/// The path of an attachment.
type AttachmentPath = Path<(i64, String, i64, i64)>;

/// `GET …/attachments`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id)): OwnerPath,
) -> Result<Json<Vec<Value>>, ApiError> {
    let owner = owner(&kind, id)?;
    let incident = shared.incidents.of(owner)?;
    Ok(Json(incident.attachments_of(owner).map(|attachment| dto(&incident, attachment)).collect()))
}

/// `POST …/attachments`: a multipart form with the parts `file` and `description`.
pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id)): OwnerPath,
    Extension(author): Extension<Author>,
    mut form: Multipart,
) -> Result<Json<Value>, ApiError> {
    let owner = owner(&kind, id)?;
    let incident = shared.incidents.of(owner)?;
    let mut attachment = None;
    let mut description = String::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("file") => attachment = Some(receive(&shared, owner, &author, field).await?),
            Some("description") => description = field.text().await.map_err(broken)?,
            _ => return Err(ApiError::invalid("The form has a part that is not known.")),
        }
    }
    let mut attachment = attachment.ok_or_else(|| ApiError::invalid("file: This field is required."))?;
    attachment.description = description;
    let dto = dto(&incident, &attachment);
    shared.incidents.attach(attachment)?;
    let in_list = shared.look(|data| data.lists_uploads);
    Ok(Json(if in_list { json!([dto]) } else { dto }))
}

async fn receive(
    shared: &Shared,
    owner: Owner,
    author: &Author,
    mut field: Field<'_>,
) -> Result<Attachment, ApiError> {
    let name = field.file_name().unwrap_or_default().to_owned();
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(ApiError::invalid("The file name is empty, too long, or holds a control character."));
    }
    let content_type = field.content_type().unwrap_or("application/octet-stream").to_owned();
    let (id, path) = shared.incidents.new_file();
    let mut file = File::create(&path).await.map_err(|e| ApiError::internal(&e))?;
    let mut size = 0;
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        size += chunk.len() as u64;
        file.write_all(&chunk).await.map_err(|e| ApiError::internal(&e))?;
    }
    file.flush().await.map_err(|e| ApiError::internal(&e))?;
    Ok(Attachment {
        id,
        owner,
        name,
        content_type,
        description: String::new(),
        size,
        author: author.clone(),
        created: Utc::now().timestamp_millis(),
        path,
    })
}

#[allow(clippy::needless_pass_by_value)] // the form `map_err` takes
fn broken(error: MultipartError) -> ApiError {
    ApiError::invalid(format!("The form cannot be read: {}", error.body_text()))
}

/// `GET …/attachments/{id}`.
pub(super) async fn metadata(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id, attachment)): AttachmentPath,
) -> Result<Json<Value>, ApiError> {
    let (incident, found) = find(&shared, owner(&kind, id)?, attachment)?;
    Ok(Json(dto(&incident, &found)))
}

/// `GET …/attachments/{id}/contents`.
pub(super) async fn contents(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id, attachment)): AttachmentPath,
) -> Result<Response, ApiError> {
    let (_, found) = find(&shared, owner(&kind, id)?, attachment)?;
    let file = File::open(&found.path).await.map_err(|e| ApiError::internal(&e))?;
    // The file's own size, because a test may have changed the file.
    let size = file.metadata().await.map_err(|e| ApiError::internal(&e))?.len();
    let bytes = try_unfold(file, |mut file| async move {
        let mut chunk = BytesMut::with_capacity(64 * 1024);
        let count = file.read_buf(&mut chunk).await?;
        Ok::<_, std::io::Error>((count > 0).then(|| (chunk.freeze(), file)))
    });
    let headers = [
        (CONTENT_TYPE, found.content_type),
        (CONTENT_LENGTH, size.to_string()),
        (CONTENT_DISPOSITION, "attachment".to_owned()),
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}

/// `DELETE …/attachments/{id}`.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Path((_, kind, id, attachment)): AttachmentPath,
) -> Result<StatusCode, ApiError> {
    let attachment = shared.incidents.detach(owner(&kind, id)?, attachment)?;
    tokio::fs::remove_file(attachment.path).await.map_err(|e| ApiError::internal(&e))?;
    Ok(StatusCode::NO_CONTENT)
}

fn find(shared: &Shared, owner: Owner, id: i64) -> Result<(Incident, Attachment), ApiError> {
    let incident = shared.incidents.of(owner)?;
    let found = incident.attachments_of(owner).find(|attachment| attachment.id == id).cloned();
    Ok((incident, found.ok_or_else(|| ApiError::not_found("attachment", id))?))
}

/// The attachment as SOAR describes it.
pub(super) fn dto(incident: &Incident, attachment: &Attachment) -> Value {
    let own = json!({
        "id": attachment.id,
        "name": attachment.name,
        "content_type": attachment.content_type,
        "size": attachment.size,
        "created": attachment.created,
        "creator_id": attachment.author.id,
        "creator_principal": attachment.author.principal(),
        "description": attachment.description,
        "vers": incident.version
    });
    with_owner(incident, attachment.owner, own)
}

//! Users and groups.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use crate::soar::incidents::{Author, AuthorKind};

/// `GET /users`.
pub(super) async fn users(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.look(|data| data.people().iter().map(user).collect()))
}

/// `GET /users/{id}`.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let people = shared.look(super::data::Data::people);
    let found = people.iter().find(|author| author.id == id && author.kind == AuthorKind::User);
    found.map(|author| Json(user(author))).ok_or_else(|| ApiError::not_found("user", id))
}

/// `GET /groups`: there are none.
pub(super) async fn groups() -> Json<Value> {
    Json(json!([]))
}

fn user(author: &Author) -> Value {
    let (first, last) = author.names();
    json!({
        "id": author.id, "fname": first, "lname": last, "display_name": author.display_name, "status": "A",
        "email": author.name, "phone": "", "cell": "", "title": "", "locked": false, "password_changed": false,
        "is_external": false, "group_ids": [], "role_handles": []
    })
}

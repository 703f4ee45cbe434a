//! Exports of the customizations. SOAR keeps each one.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::data::Data;
use super::error::ApiError;
use super::{platform, system};
use crate::soar::customizations::complete_export;
use crate::soar::incidents::Author;

/// What an export has.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct ExportOptions {
    layouts: bool,
    actions: bool,
    phases_and_tasks: bool,
    playbooks: bool,
}

/// The sections that an export has only with `actions`.
const WITH_ACTIONS: [&str; 5] = ["functions", "actions", "workflows", "scripts", "message_destinations"];

/// An export that was made.
#[derive(Debug)]
pub(super) struct Export {
    options: ExportOptions,
    by: Author,
    file: Value,
}

/// `POST /configurations/exports`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(author): Extension<Author>,
    Json(options): Json<ExportOptions>,
) -> Result<Json<Value>, ApiError> {
    shared.change(|data| {
        data.allow_customizing()?;
        let mut file = complete_export(data.customizations.export(), system::incident_fields());
        file["id"] = json!(data.next_id());
        file["export_date"] = json!(Utc::now().timestamp_millis());
        file["server_version"] = platform::server_version(&data.version);
        let without_actions = WITH_ACTIONS.iter().filter(|_| !options.actions);
        for section in without_actions.chain(["playbooks"].iter().filter(|_| !options.playbooks)) {
            file[section] = json!([]);
        }
        data.exports.push(Export { options, by: author, file: file.clone() });
        Ok(Json(file))
    })
}

/// `GET /configurations/exports/history`.
pub(super) async fn history(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, ApiError> {
    shared.look(|data| {
        data.allow_customizing()?;
        let entry = |export: &Export| {
            json!({
                "id": export.file["id"], "date": export.file["export_date"], "options": export.options,
                "principal": export.by.principal()
            })
        };
        Ok(Json(json!({"histories": data.exports.iter().map(entry).collect::<Vec<_>>()})))
    })
}

/// `GET` and `POST /configurations/exports/{id}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    shared.look(|data: &Data| {
        data.allow_customizing()?;
        let found = data.exports.iter().find(|export| export.file["id"] == id);
        found.map(|export| Json(export.file.clone())).ok_or_else(|| ApiError::not_found("export", id))
    })
}

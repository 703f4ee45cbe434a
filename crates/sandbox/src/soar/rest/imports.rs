//! Imports: a file is checked, waits for a decision, and is applied or discarded.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Shared;
use super::data::{Data, Import};
use super::error::ApiError;
use super::platform;
use crate::soar::customizations;

/// How many violations of a file are reported.
const MOST_REPORTED: usize = 3;

const PENDING: &str = "PENDING";
const ACCEPTED: &str = "ACCEPTED";
const REJECTED: &str = "REJECTED";

impl Import {
    fn dto(&self) -> Value {
        json!({"id": self.id, "status": self.status, "messages": self.messages})
    }
}

/// `POST /configurations/imports`: checks a file. Nothing changes yet.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Json(file): Json<Value>,
) -> Result<Json<Value>, ApiError> {
    shared.look(Data::allow_customizing)?;
    let there = shared.look(|data| data.customizations.export());
    let faults = customizations::check_beside(&file, &there);
    if !faults.is_empty() {
        let reported: Vec<_> = faults.iter().take(MOST_REPORTED).map(String::as_str).collect();
        return Err(ApiError::invalid(format!("The import is not valid: {}.", reported.join("; "))));
    }
    shared.change(|data| {
        let (theirs, ours) = (&file["server_version"], platform::server_version(&data.version));
        if customizations::major(theirs) > customizations::major(&ours) {
            return Err(ApiError::invalid(format!(
                "The import is not valid: server_version {} is newer than this server.",
                theirs["version"]
            )));
        }
        if let Some(fault) = data.customizations.torn(&file) {
            return Err(ApiError::invalid(format!("The import is not valid: {fault}.")));
        }
        let count = |kind: &str| file[kind].as_array().map_or(0, Vec::len);
        let text = format!(
            "{} functions, {} rules, {} workflows, {} playbooks and {} scripts will be imported.",
            count("functions"),
            count("actions"),
            count("workflows"),
            count("playbooks"),
            count("scripts"),
        );
        let import = Import {
            id: data.next_id(),
            status: data.import_status.clone().unwrap_or_else(|| PENDING.to_owned()),
            messages: json!([{"type": "INFO", "text": text}]),
            file,
        };
        let dto = import.dto();
        data.imports.push(import);
        Ok(Json(dto))
    })
}

/// `GET /configurations/imports` and its `history`.
pub(super) async fn history(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let all = shared.look(|data| data.imports.iter().map(Import::dto).collect::<Vec<_>>());
    Json(json!({"histories": all}))
}

/// `GET /configurations/imports/{id}`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
) -> Result<Json<Value>, ApiError> {
    let found = shared.look(|data| data.imports.iter().find(|import| import.id == id).map(Import::dto));
    found.map(Json).ok_or_else(|| ApiError::not_found("import", id))
}

/// `PUT /configurations/imports/{id}`: the decision, in the object that [`post`] returned.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, i64)>,
    Json(wanted): Json<Value>,
) -> Result<Json<Value>, ApiError> {
    shared.change(|data| {
        data.allow_customizing()?;
        let import = data.imports.iter_mut().find(|import| import.id == id);
        let import = import.ok_or_else(|| ApiError::not_found("import", id))?;
        let mut expected = import.dto();
        expected["status"] = wanted["status"].clone();
        if wanted != expected {
            return Err(ApiError::invalid("The import is not the one that is to be decided on."));
        }
        if import.status != PENDING {
            return Err(ApiError::invalid(format!("The import is {} already.", import.status)));
        }
        match wanted["status"].as_str() {
            Some(ACCEPTED) => {
                ACCEPTED.clone_into(&mut import.status);
                let last_id = &mut data.last_id;
                data.customizations.import(&import.file, || {
                    *last_id += 1;
                    *last_id
                });
            }
            Some(REJECTED) => REJECTED.clone_into(&mut import.status),
            _ => return Err(ApiError::invalid("An import is accepted or rejected.")),
        }
        Ok(Json(import.dto()))
    })
}

//! The platform's version, organisations and customizations.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::error::ApiError;
use super::{Shared, system};
use crate::soar::customizations::{
    Customizations, DESTINATIONS, FUNCTIONS, Kind, PLAYBOOKS, RULES, SCRIPTS, TYPES, WORKFLOWS,
};

/// The version of a new sandbox.
pub(super) const VERSION: &str = "51.0.9.0.1";

/// The first version with a release, a modification and a fix.
const FIRST_WITH_FOUR_PARTS: u64 = 51;

/// The most objects of a page: fewer than a client may ask for.
const LARGEST_PAGE: usize = 10;

type Answer = Result<Json<Value>, ApiError>;

/// `GET /rest/const`.
pub(super) async fn constants(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let version = shared.look(|data| data.version.clone());
    Json(json!({"server_version": server_version(&version)}))
}

/// A version as SOAR describes it: since 51 as version, release, modification, fix and build.
pub(super) fn server_version(version: &str) -> Value {
    let mut parts = version.split('.').map(|part| part.parse::<u64>().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    let first = next();
    if first < FIRST_WITH_FOUR_PARTS {
        return json!({"major": first, "minor": next(), "build_number": next(), "version": version});
    }
    json!({
        "v": first, "r": next(), "m": next(), "f": next(), "build_number": next(),
        "major": 0, "minor": 0,
        "version": version
    })
}

/// `GET /rest/orgs/{org}`.
pub(super) async fn organisation(State(shared): State<Arc<Shared>>, Path(org): Path<i64>) -> Answer {
    shared.look(|data| {
        let found = data.organisations.iter().find(|o| o.id == org).ok_or_else(ApiError::forbidden)?;
        Ok(Json(json!({
            "id": found.id,
            "name": found.name,
            "uuid": found.uuid,
            "actions_framework_enabled": found.actions_framework_enabled
        })))
    })
}

/// A function's message destination is a number unless names are asked for.
fn function_dto(function: &Value, all: &Customizations, by_name: bool) -> Value {
    let mut dto = function.clone();
    let handle = dto["destination_handle"].as_str().unwrap_or_default();
    if let Some(destination) = all.get(&DESTINATIONS, handle).filter(|_| !by_name) {
        dto["destination_handle"] = destination["id"].clone();
    }
    dto
}

fn asks_for_names(query: &HashMap<String, String>) -> bool {
    query.get("handle_format").is_some_and(|format| format == "names")
}

/// `GET /functions`.
pub(super) async fn functions(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    shared.look(|data| {
        let all = &data.customizations;
        let dto = |function| function_dto(function, all, asks_for_names(&query));
        Json(json!({"entities": all.all(&FUNCTIONS).map(dto).collect::<Vec<_>>()}))
    })
}

/// `GET /functions/{name}`.
pub(super) async fn function(
    State(shared): State<Arc<Shared>>,
    Path((_, name)): Path<(i64, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    shared.look(|data| {
        let all = &data.customizations;
        let function = all.get(&FUNCTIONS, &name).ok_or_else(|| ApiError::not_found("function", &name))?;
        Ok(Json(function_dto(function, all, asks_for_names(&query))))
    })
}

/// `GET /types`: the data tables by their names.
pub(super) async fn types(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.look(|data| data.customizations.types()))
}

/// `GET /incident_types`.
pub(super) async fn incident_types(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.look(system::incident_types))
}

/// `GET /phases`.
pub(super) async fn phases() -> Json<Value> {
    Json(system::phases())
}

/// `GET /artifact_types`.
pub(super) async fn artifact_types() -> Json<Value> {
    Json(system::artifact_types())
}

/// `GET /layouts`: the sandbox has no pages that an administrator arranges.
pub(super) async fn layouts() -> Json<Value> {
    Json(json!([]))
}

/// `GET /connectors/queues`: the queues of low-code connectors. There are none.
pub(super) async fn connector_queues() -> Json<Value> {
    Json(json!({"queues": []}))
}

/// `GET /types/{type}`: a data table.
pub(super) async fn data_table(State(shared): State<Arc<Shared>>, path: Path<(i64, String)>) -> Answer {
    one(&shared, &TYPES, "type", &path.1)
}

/// `GET /types/{type}/fields`.
pub(super) async fn fields(
    State(shared): State<Arc<Shared>>,
    Path((_, name)): Path<(i64, String)>,
) -> Answer {
    shared.look(|data| {
        let fields = data.customizations.fields_of(&name);
        let fields = fields.ok_or_else(|| ApiError::not_found("type", &name))?;
        let of_system = if name == "incident" { system::incident_fields() } else { Vec::new() };
        let is_new = |field: &&Value| fields.iter().all(|one| one["name"] != field["name"]);
        Ok(Json(of_system.iter().filter(is_new).chain(fields.iter().copied()).cloned().collect()))
    })
}

/// `GET /actions`: the rules.
pub(super) async fn rules(State(shared): State<Arc<Shared>>) -> Json<Value> {
    entities(&shared, &RULES, &[])
}

/// `GET /workflows`.
pub(super) async fn workflows(State(shared): State<Arc<Shared>>) -> Json<Value> {
    entities(&shared, &WORKFLOWS, &["content"])
}

/// `GET /workflows/{id}`.
pub(super) async fn workflow(State(shared): State<Arc<Shared>>, path: Path<(i64, String)>) -> Answer {
    one(&shared, &WORKFLOWS, "workflow", &path.1)
}

/// `POST /playbooks/query_paged`: a page of the list. There is no other list.
pub(super) async fn playbooks(State(shared): State<Arc<Shared>>, Json(query): Json<Value>) -> Answer {
    let number = |key: &str| query[key].as_u64().and_then(|number| usize::try_from(number).ok());
    let (Some(start), Some(length)) = (number("start"), number("length")) else {
        return Err(ApiError::invalid("A page has a start and a length."));
    };
    let Json(all) = entities(&shared, &PLAYBOOKS, &["content", "local_scripts", "fields_type"]);
    let all = all["entities"].as_array().map_or(&[][..], Vec::as_slice);
    let page: Vec<_> = all.iter().skip(start).take(length.min(LARGEST_PAGE)).collect();
    Ok(Json(json!({"data": page, "recordsTotal": all.len(), "recordsFiltered": all.len()})))
}

/// `GET /playbooks/{id}`.
pub(super) async fn playbook(State(shared): State<Arc<Shared>>, path: Path<(i64, String)>) -> Answer {
    one(&shared, &PLAYBOOKS, "playbook", &path.1)
}

/// `GET /scripts`.
pub(super) async fn scripts(State(shared): State<Arc<Shared>>) -> Json<Value> {
    entities(&shared, &SCRIPTS, &["script_text"])
}

/// `GET /scripts/{id}`.
pub(super) async fn script(State(shared): State<Arc<Shared>>, path: Path<(i64, String)>) -> Answer {
    one(&shared, &SCRIPTS, "script", &path.1)
}

/// `GET /message_destinations`.
pub(super) async fn destinations(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let Json(mut all) = entities(&shared, &DESTINATIONS, &[]);
    if asks_for_names(&query) {
        let destinations = all["entities"].as_array_mut().into_iter().flatten();
        let listed = destinations.flat_map(|it| it.as_object_mut().into_iter().flat_map(|it| it.iter_mut()));
        let handles = listed.filter(|(key, _)| matches!(key.as_str(), "api_keys" | "users"));
        for handle in handles.filter_map(|(_, handles)| handles.as_array_mut()).flatten() {
            *handle = json!(format!("the name of {handle}"));
        }
    }
    Json(all)
}

/// `GET /message_destinations/{id}`.
pub(super) async fn destination(State(shared): State<Arc<Shared>>, path: Path<(i64, String)>) -> Answer {
    one(&shared, &DESTINATIONS, "message destination", &path.1)
}

/// All objects of a kind, without the keys that only [`one`] returns.
fn entities(shared: &Shared, kind: &Kind, left_out: &[&str]) -> Json<Value> {
    let mut entities: Vec<Value> = shared.look(|data| data.customizations.all(kind).cloned().collect());
    for object in entities.iter_mut().filter_map(Value::as_object_mut) {
        object.retain(|key, _| !left_out.contains(&key.as_str()));
    }
    Json(json!({"entities": entities}))
}

fn one(shared: &Shared, kind: &Kind, what: &str, handle: &str) -> Answer {
    shared.look(|data| {
        let found = data.customizations.get(kind, handle);
        Ok(Json(found.ok_or_else(|| ApiError::not_found(what, handle))?.clone()))
    })
}

/// `PUT /message_destinations/{id}`: 409 if the request is not based on the latest version.
pub(super) async fn put_destination(
    State(shared): State<Arc<Shared>>,
    Path((_, id)): Path<(i64, String)>,
    Json(mut wanted): Json<Value>,
) -> Answer {
    shared.change(|data| {
        data.allow_customizing()?;
        let meanwhile = data.conflicts > 0;
        data.conflicts = data.conflicts.saturating_sub(1);
        let found = data.customizations.get_mut(&DESTINATIONS, &id);
        let found = found.ok_or_else(|| ApiError::not_found("message destination", &id))?;
        let seen = found["version"].as_i64().unwrap_or_default();
        if meanwhile {
            found["version"] = json!(seen + 1);
        }
        if !wanted.is_object() || wanted["version"] != found["version"] || wanted["id"] != found["id"] {
            return Err(ApiError::conflict());
        }
        wanted["version"] = json!(seen + 1);
        found.clone_from(&wanted);
        Ok(Json(wanted))
    })
}

//! Incidents as SOAR describes them, and their fields as requests write them.

use serde_json::{Map, Value, json};

use super::data::Data;
use super::error::ApiError;
use super::handles::HandleFormat;
use super::system::choices;
use crate::soar::incidents::{Incident, Owner};

/// The fields that a list without a `return_level` has.
const PARTIAL: [&str; 12] = [
    "id",
    "name",
    "description",
    "plan_status",
    "phase_id",
    "severity_code",
    "owner_id",
    "create_date",
    "discovered_date",
    "due_date",
    "inc_training",
    "sequence_code",
];
/// What SOAR knows itself, so that a request does not set it.
const OWN: [&str; 22] = [
    "id",
    "vers",
    "create_date",
    "creator",
    "creator_id",
    "creator_principal",
    "inc_last_modified_date",
    "org_handle",
    "org_id",
    "sequence_code",
    "perms",
    "actions",
    "playbooks",
    "tasks",
    "artifacts",
    "comments",
    "draft",
    "inc_training",
    "workspace",
    "task_changes",
    "is_scenario",
    "inc_start",
];

/// An incident with all of its fields.
pub(super) fn full(data: &Data, incident: &Incident, format: HandleFormat) -> Value {
    let (first, last) = incident.author.names();
    let mut dto = json!({
        "id": incident.id,
        "name": incident.name,
        "create_date": incident.created,
        "inc_last_modified_date": incident.modified,
        "creator_id": incident.author.id,
        "creator": {
            "id": incident.author.id, "fname": first, "lname": last,
            "display_name": incident.author.display_name, "status": "A"
        },
        "creator_principal": incident.author.principal(),
        "vers": incident.version,
        "org_id": data.organisations.first().map(|org| org.id),
        "org_handle": data.organisations.first().map(|org| org.id),
        "sequence_code": format!("SANDBOX-{}", incident.id),
        "workspace": 1,
        "draft": false,
        "inc_training": false,
        "perms": {"read": true, "write": true, "comment": true, "close": true, "delete": true, "attach_file": true},
        "tasks": null,
        "artifacts": null,
        "comments": null,
        "actions": [],
        "playbooks": [],
    });
    for (field, value) in &incident.fields {
        dto[field] = named(data, field, value, format);
    }
    dto["creator_id"] = named(data, "creator_id", &dto["creator_id"], format);
    dto
}

/// The incident with the fields that a list has.
pub(super) fn partial(mut incident: Value) -> Value {
    if let Some(fields) = incident.as_object_mut() {
        fields.retain(|field, _| PARTIAL.contains(&field.as_str()));
    }
    incident
}

/// The value of a field with names in place of numbers, where they are asked for.
fn named(data: &Data, field: &str, value: &Value, format: HandleFormat) -> Value {
    let Some(choices) = choices(data, field).filter(|_| format == HandleFormat::Names) else {
        return value.clone();
    };
    let name = |number: &Value| {
        let found = choices.iter().find(|(id, _)| *number == *id);
        found.map_or_else(|| number.clone(), |(_, name)| json!(name))
    };
    match value {
        Value::Array(numbers) => numbers.iter().map(name).collect(),
        other => name(other),
    }
}

/// The fields of a request as the store keeps them: with numbers in place of names, and without those that SOAR knows
/// itself.
pub(super) fn numbered(data: &Data, fields: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let set = fields.into_iter().filter(|(field, _)| !OWN.contains(&field.as_str()));
    set.map(|(field, value)| {
        let value = number(data, &field, value)?;
        Ok((field, value))
    })
    .collect()
}

/// The value of a field as the store keeps it.
pub(super) fn number(data: &Data, field: &str, value: Value) -> Result<Value, ApiError> {
    // Rich text.
    if let Some(content) = value.get("content").filter(|_| value.get("format").is_some()) {
        return Ok(content.clone());
    }
    let Some(choices) = choices(data, field) else { return Ok(value) };
    let number = |handle: &Value| {
        let handle = handle.get("id").or_else(|| handle.get("name")).unwrap_or(handle);
        let found = choices.iter().find(|(id, name)| *handle == *id || *handle == **name);
        let found = found.map(|(id, _)| json!(id)).or_else(|| handle.is_null().then_some(Value::Null));
        found.ok_or_else(|| ApiError::invalid(format!("{field}: Unable to find {handle}.")))
    };
    match &value {
        Value::Array(handles) => handles.iter().map(number).collect(),
        handle => number(handle),
    }
}

/// A note or a file as SOAR describes it: what is its own, and the incident or task that has it.
pub(super) fn with_owner(incident: &Incident, owner: Owner, mut own: Value) -> Value {
    let (kind, task) = match owner {
        Owner::Incident(_) => ("incident", None),
        Owner::Task(id) => ("task", incident.tasks.iter().find(|task| task.id == id)),
    };
    let common = json!({
        "type": kind,
        "actions": [],
        "playbooks": [],
        "inc_id": incident.id,
        "inc_name": incident.name,
        "inc_owner": incident.fields.get("owner_id"),
        "task_id": task.map(|task| task.id),
        "task_name": task.map(|task| &task.name),
        "task_custom": task.map(|_| true),
        "task_members": null,
        "task_at_id": null,
    });
    if let (Value::Object(own), Value::Object(common)) = (&mut own, common) {
        own.extend(common);
    }
    own
}

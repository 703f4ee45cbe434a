//! Changes of single fields: a change whose old value is no longer the field's is refused, and all others with it.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::data::Data;
use super::error::ApiError;
use super::incident_dto::number;
use crate::soar::incidents::Incident;

/// A patch as it is sent.
#[derive(Deserialize)]
pub(super) struct Patch {
    changes: Vec<Change>,
}

/// A change of one field.
#[derive(Deserialize)]
struct Change {
    field: Value,
    new_value: Map<String, Value>,
    #[serde(default)]
    old_value: Option<Map<String, Value>>,
}

/// The value in the object of a change: its key is its type, for instance `object`, `text`, `id` or `date`.
fn value(object: &Map<String, Value>) -> Value {
    object.values().find(|value| !value.is_null()).cloned().unwrap_or_default()
}

impl Patch {
    /// The fields to set, and the answer.
    pub(super) fn apply(
        self,
        data: &Data,
        incident: &Incident,
    ) -> Result<(Map<String, Value>, Value), ApiError> {
        let mut fields = Map::new();
        let mut failures = Vec::new();
        for change in &self.changes {
            let name = change.field.get("name").unwrap_or(&change.field);
            let name = name.as_str().ok_or_else(|| ApiError::invalid("A change has no field."))?;
            let new = number(data, name, value(&change.new_value))?;
            let now = current(incident, name);
            if let Some(old) = &change.old_value
                && number(data, name, value(old))? != now
            {
                failures.push(json!({
                    "field": name, "your_original_value": value(old), "actual_current_value": now
                }));
            }
            match name.strip_prefix("properties.") {
                Some(custom) => match fields.entry("properties").or_insert_with(|| json!({})) {
                    Value::Object(properties) => drop(properties.insert(custom.to_owned(), new)),
                    _ => return Err(ApiError::invalid("properties: The value is not an object.")),
                },
                None => drop(fields.insert(name.to_owned(), new)),
            }
        }
        let success = failures.is_empty();
        if !success {
            fields.clear();
        }
        let message = (!success).then_some("Some fields were changed by another user.");
        let status = json!({
            "success": success, "title": null, "message": message, "hints": [], "field_failures": failures
        });
        Ok((fields, status))
    }
}

fn current(incident: &Incident, name: &str) -> Value {
    if name == "name" {
        return json!(incident.name);
    }
    let of = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or_default();
    match name.strip_prefix("properties.") {
        Some(custom) => {
            incident.fields.get("properties").and_then(|all| all.get(custom)).cloned().unwrap_or_default()
        }
        None => of(&incident.fields, name),
    }
}

//! Numbers of this SOAR for columns, for fields of a playbook's form, and for options. What was there keeps its own.

use serde_json::{Value, json};

use super::json::list;
use super::{FIELDS, Kind, PLAYBOOKS, TYPES};

/// Numbers the parts of an imported object. `old` is the object that it replaces.
pub(super) fn number(object: &mut Value, old: Option<&Value>, kind: &Kind, mut next_id: impl FnMut() -> i64) {
    if *kind == FIELDS {
        return options(object, old, next_id);
    }
    let pointer = match *kind {
        TYPES => "/fields",
        PLAYBOOKS => "/fields_type/fields",
        _ => return,
    };
    let old = old.and_then(|old| old.pointer(pointer));
    for (name, field) in object.pointer_mut(pointer).and_then(Value::as_object_mut).into_iter().flatten() {
        let old = old.and_then(|fields| fields.get(name));
        field["id"] = old.map_or_else(|| json!(next_id()), |old| old["id"].clone());
        options(field, old, &mut next_id);
    }
}

/// Numbers the options of a field.
fn options(field: &mut Value, old: Option<&Value>, mut next_id: impl FnMut() -> i64) {
    let old = old.map_or(&[][..], |old| list(old, "values"));
    for option in field["values"].as_array_mut().into_iter().flatten() {
        let same = old.iter().find(|one| one["uuid"] == option["uuid"]);
        option["value"] = same.map_or_else(|| json!(next_id()), |old| old["value"].clone());
    }
}

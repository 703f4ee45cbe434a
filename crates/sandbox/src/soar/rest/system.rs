//! What every SOAR has from the start: severities, phases, resolutions, incident and artifact types, and the fields
//! of incidents.

use serde_json::{Value, json};

use super::data::Data;
use crate::soar::customizations::ARTIFACT_TYPES;

/// A number with its name.
type Named = (i64, &'static str);

const SEVERITIES: &[Named] = &[(4, "Low"), (5, "Medium"), (6, "High")];
const RESOLUTIONS: &[Named] = &[(7, "Unresolved"), (8, "Duplicate"), (9, "Not an Issue"), (10, "Resolved")];
const PHASES: &[Named] = &[
    (1, "Initial"),
    (2, "Engage"),
    (3, "Detect/Analyze"),
    (4, "Respond"),
    (5, "Post-Incident"),
    (6, "Custom"),
    (7, "Complete"),
];
const INCIDENT_TYPES: &[Named] = &[
    (16, "TBD / Unknown"),
    (17, "Communication error (fax; email)"),
    (18, "Denial of Service"),
    (19, "Malware"),
    (20, "Not an Issue"),
    (21, "Other"),
    (22, "Phishing"),
    (23, "System Intrusion"),
    (24, "Vendor / 3rd party error"),
];
/// A field of incidents: its number, name, type, label, and whether and when it is required.
type Field = (i64, &'static str, &'static str, &'static str, Option<&'static str>);

const FIELDS: &[Field] = &[
    (11, "plan_status", "select", "Status", None),
    (14, "confirmed", "boolean", "Incident Disposition", None),
    (15, "description", "textarea", "Description", None),
    (16, "incident_type_ids", "multiselect", "Incident Type", None),
    (17, "name", "text", "Name", Some("always")),
    (19, "phase_id", "select", "Phase", None),
    (43, "members", "multiselect_members", "Members", None),
    (50, "discovered_date", "datetimepicker", "Date Discovered", Some("always")),
    (52, "inc_last_modified_date", "datetimepicker", "Last Modified", None),
    (58, "owner_id", "select_owner", "Owner", None),
    (61, "start_date", "datetimepicker", "Date Occurred", None),
    (62, "severity_code", "select", "Severity", None),
    (63, "resolution_id", "select", "Resolution", Some("close")),
    (64, "resolution_summary", "textarea", "Resolution Summary", Some("close")),
    (66, "create_date", "datetimepicker", "Date Created", None),
    (67, "end_date", "datetimepicker", "Date Closed", None),
    (68, "creator_id", "select_owner", "Created By", None),
    (69, "id", "number", "ID", None),
    (70, "due_date", "datetimepicker", "Next Due Date", None),
];

/// A uuid that is the same in every sandbox: `kind` and `number` are in it.
fn uuid(kind: u8, number: i64) -> String {
    format!("00000000-0000-4000-80{kind:02}-{number:012}")
}

/// The numbers and names that a field of incidents chooses from. `None` if it does not choose.
pub(super) fn choices(data: &Data, field: &str) -> Option<Vec<(i64, String)>> {
    let of_system = match field {
        "severity_code" => SEVERITIES,
        "resolution_id" => RESOLUTIONS,
        "phase_id" => PHASES,
        "incident_type_ids" => return Some(incident_type_names(data)),
        "owner_id" | "creator_id" => {
            return Some(data.people().into_iter().map(|author| (author.id, author.name)).collect());
        }
        _ => return None,
    };
    Some(of_system.iter().map(|(id, name)| (*id, (*name).to_owned())).collect())
}

/// The numbers and names of incident types, those of imports included.
fn incident_type_names(data: &Data) -> Vec<(i64, String)> {
    let own = INCIDENT_TYPES.iter().map(|(id, name)| (*id, (*name).to_owned()));
    let imported = data.customizations.incident_types();
    own.chain(imported.filter_map(|one| Some((one["id"].as_i64()?, one["name"].as_str()?.to_owned()))))
        .collect()
}

/// The incident types by their numbers, as SOAR lists them.
pub(super) fn incident_types(data: &Data) -> Value {
    let own = INCIDENT_TYPES.iter().map(|(id, name)| {
        json!({
            "id": id, "name": name, "uuid": uuid(1, *id), "export_key": name, "enabled": true, "system": true,
            "hidden": false, "parent_id": null, "description": null, "tags": []
        })
    });
    let all = own.chain(data.customizations.incident_types().cloned());
    all.map(|one| (one["id"].to_string(), one)).collect::<serde_json::Map<_, _>>().into()
}

/// The phases, in their order.
pub(super) fn phases() -> Value {
    let phase = |(order, (id, name)): (usize, &Named)| {
        json!({
            "id": id, "name": name, "order": order, "enabled": true, "perms": null, "tags": [],
            "uuid": uuid(2, *id), "export_key": name
        })
    };
    json!({"entities": PHASES.iter().enumerate().map(phase).collect::<Vec<_>>()})
}

/// The artifact types.
pub(super) fn artifact_types() -> Value {
    let kind = |(id, name): &Named| {
        json!({
            "id": id, "name": name, "programmatic_name": name, "desc": name, "enabled": true, "system": true,
            "file": false, "multi_aware": true, "uuid": uuid(3, *id), "export_key": name, "tags": []
        })
    };
    json!({"entities": ARTIFACT_TYPES.iter().map(kind).collect::<Vec<_>>()})
}

/// The number of an artifact type.
pub(super) fn artifact_type(name: &str) -> Option<i64> {
    ARTIFACT_TYPES.iter().find(|(_, one)| *one == name).map(|(id, _)| *id)
}

/// The name of an artifact type, by its name or number.
pub(super) fn artifact_type_name(handle: &Value) -> Option<&'static str> {
    let handle = handle.get("name").or_else(|| handle.get("id")).unwrap_or(handle);
    ARTIFACT_TYPES.iter().find(|(id, name)| *handle == *name || *handle == *id).map(|(_, name)| *name)
}

/// The fields of incidents that no administrator added.
pub(super) fn incident_fields() -> Vec<Value> {
    let field = |(id, name, input_type, text, required): &Field| {
        // Phases and incident types have lists of their own.
        let values = match *name {
            "severity_code" => SEVERITIES,
            "resolution_id" => RESOLUTIONS,
            _ => &[],
        };
        let values = values.iter().map(|(value, label)| {
            json!({
                "value": value, "label": label, "enabled": true, "hidden": false, "default": false,
                "uuid": uuid(5, *value), "properties": null
            })
        });
        let mut field = json!({
            "id": id, "name": name, "text": text, "input_type": input_type, "type_id": 0, "prefix": null,
            "uuid": uuid(4, *id), "export_key": format!("incident/{name}"), "tooltip": "", "placeholder": "",
            "internal": false, "read_only": false, "changeable": true, "values": values.collect::<Vec<_>>(),
            "operations": [], "operation_perms": {}, "templates": [], "tags": []
        });
        if let Some(required) = required {
            field["required"] = json!(required);
        }
        field
    };
    FIELDS.iter().map(field).collect()
}

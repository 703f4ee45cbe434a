//! The sections of an import file and of an export, and the keys of their objects.

use serde_json::{Value, json};

use super::json::{list, major};
use super::rules::{Check, INCIDENT};

/// The format that SOAR reads and writes since version 31.
const FORMAT: u64 = 2;
/// The newest version whose files can be imported: the sandbox's own.
const SERVER_MAJOR: u64 = 51;

/// Keys whose values are lists, which may be empty. All exports since version 31 have them.
const LISTS: [&str; 16] = [
    "fields",
    "functions",
    "actions",
    "workflows",
    "scripts",
    "types",
    "message_destinations",
    "incident_types",
    "incident_artifact_types",
    "automatic_tasks",
    "phases",
    "roles",
    "layouts",
    "workspaces",
    "action_order",
    "task_order",
];
/// The lists that later versions added.
const LATER_LISTS: [&str; 3] = ["apps", "tags", "playbooks"];
/// Keys whose values may be null, and that older exports lack.
const OPTIONAL: [&str; 9] = [
    "overrides",
    "geos",
    "groups",
    "industries",
    "locale",
    "notifications",
    "regulators",
    "timeframes",
    "inbound_mailboxes",
];

/// Kinds of objects, and their required keys.
pub(super) const REQUIRED: [(&str, &[&str]); 9] = [
    ("fields", &["name", "export_key", "uuid", "type_id", "input_type", "text"]),
    ("functions", &["name", "display_name", "export_key", "uuid", "destination_handle", "view_items"]),
    ("actions", &["name", "export_key", "uuid", "type", "object_type", "logic_type", "conditions"]),
    ("workflows", &["programmatic_name", "export_key", "uuid", "name", "object_type", "content"]),
    (
        "playbooks",
        &[
            "name",
            "display_name",
            "export_key",
            "uuid",
            "object_type",
            "status",
            "content",
            "field_type_handle",
            "fields_type",
            "local_scripts",
        ],
    ),
    ("scripts", &["name", "export_key", "uuid", "language", "object_type", "script_text"]),
    ("types", &["type_name", "display_name", "export_key", "uuid", "parent_types", "fields"]),
    ("message_destinations", &["name", "programmatic_name", "export_key", "uuid", "destination_type"]),
    ("incident_types", &["name", "export_key", "uuid"]),
];

/// Completes the customizations to an export that can be imported: with every section, and with `fields` of incidents
/// in addition to those of imports.
pub(in crate::soar) fn complete_export(mut customizations: Value, fields: Vec<Value>) -> Value {
    for key in LISTS.iter().chain(&LATER_LISTS) {
        if !customizations[key].is_array() {
            customizations[key] = json!([]);
        }
    }
    for key in OPTIONAL {
        customizations[key] = Value::Null;
    }
    if let Some(all) = customizations["fields"].as_array_mut() {
        let added: Vec<_> =
            fields.into_iter().filter(|field| all.iter().all(|one| one["name"] != field["name"])).collect();
        all.extend(added);
    }
    customizations["export_format_version"] = json!(FORMAT);
    customizations["export_type"] = json!("ORG");
    customizations
}

impl Check<'_> {
    pub(super) fn envelope(&mut self) {
        let file = self.file;
        let format = &file["export_format_version"];
        self.demand(*format == FORMAT, || format!("export_format_version is {format}, not {FORMAT}"));
        let version = &file["server_version"];
        let known = major(version).is_some_and(|major| major <= SERVER_MAJOR);
        self.demand(known, || format!("server_version {} is newer than this server", version["version"]));
        for key in LISTS {
            self.demand(file[key].is_array(), || format!("{key} is missing"));
        }
        let incident_field = list(file, "fields").iter().any(|field| field["type_id"] == INCIDENT);
        self.demand(incident_field, || "there is no incident field".to_owned());
        let incident_types = !list(file, "incident_types").is_empty();
        self.demand(incident_types, || "there is no incident type".to_owned());
    }

    pub(super) fn completeness(&mut self) {
        for (kind, keys) in REQUIRED {
            for object in list(self.file, kind) {
                for key in keys {
                    let there = object.get(key).is_some_and(|value| !value.is_null());
                    self.demand(there, || format!("{kind}: {} has no {key}", object["export_key"]));
                }
            }
        }
    }
}

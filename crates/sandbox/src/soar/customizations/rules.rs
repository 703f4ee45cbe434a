//! SOAR's rules for an import file: it is complete, every object is unique, and every reference has a target.

use std::collections::HashSet;
use std::slice;

use serde_json::{Value, json};
use uuid::Uuid;

use super::artifact_types::ARTIFACT_TYPES;
use super::bpmn::{self, Known};
use super::json::{list, major, objects, text, texts};

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
const REQUIRED: [(&str, &[&str]); 9] = [
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

/// SOAR's type numbers of incidents, of the fields of rules, of data tables, and of functions.
const INCIDENT: u64 = 0;
const ACTIVITY: u64 = 6;
const DATA_TABLE: u64 = 8;
pub(super) const FUNCTION: u64 = 11;

const INPUT_TYPES: [&str; 10] = [
    "text",
    "textarea",
    "number",
    "boolean",
    "select",
    "multiselect",
    "datepicker",
    "datetimepicker",
    "select_owner",
    "multiselect_members",
];
const OBJECT_TYPES: [&str; 7] =
    ["incident", "artifact", "task", "note", "milestone", "attachment", "__emailmessage"];
const METHODS: [&str; 10] = [
    "equals",
    "in",
    "not_contains",
    "has_a_value",
    "not_has_a_value",
    "includes_hierarchical",
    "object_added",
    "changed",
    "changed_to",
    "due_within",
];

/// Completes the customizations to an export that can be imported: with every section, and with `fields` of incidents
/// beside those of imports.
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

/// Returns all violations in an import file. Empty if SOAR would accept it.
pub fn check(file: &Value) -> Vec<String> {
    let mut check = Check { file, faults: Vec::new() };
    check.envelope();
    check.completeness();
    if check.faults.is_empty() {
        // An incomplete file would cause many follow-up violations.
        check.uniqueness();
        check.fields();
        check.functions();
        check.rules();
        check.workflows();
        check.scripts();
        check.tables();
        check.playbooks();
        check.tags();
    }
    check.faults
}

pub(super) struct Check<'f> {
    pub(super) file: &'f Value,
    faults: Vec<String>,
}

impl<'f> Check<'f> {
    pub(super) fn demand(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    fn envelope(&mut self) {
        let file = self.file;
        let format = &file["export_format_version"];
        self.demand(*format == FORMAT, || format!("export_format_version is {format}, not {FORMAT}"));
        let version = &file["server_version"];
        let known = major(version).is_some_and(|major| major <= SERVER_MAJOR);
        self.demand(known, || format!("server_version {} is newer than this server", version["version"]));
        for key in LISTS {
            self.demand(file[key].is_array(), || format!("{key} is missing"));
        }
        let incident_fields = self.fields_of(INCIDENT).count();
        self.demand(incident_fields > 0, || "there is no incident field".to_owned());
        let incident_types = !list(file, "incident_types").is_empty();
        self.demand(incident_types, || "there is no incident type".to_owned());
    }

    fn completeness(&mut self) {
        for (kind, keys) in REQUIRED {
            for object in list(self.file, kind) {
                for key in keys {
                    let there = object.get(key).is_some_and(|value| !value.is_null());
                    self.demand(there, || format!("{kind}: {} has no {key}", object["export_key"]));
                }
            }
        }
    }

    fn uniqueness(&mut self) {
        let mut uuids = Vec::new();
        // Apps and tags name objects of other sections by their uuids.
        let sections = self.file.as_object().into_iter().flatten();
        for (_, section) in sections.filter(|(name, _)| !["apps", "tags"].contains(&name.as_str())) {
            collect_uuids(section, &mut uuids);
        }
        for uuid in &uuids {
            self.demand(Uuid::parse_str(uuid).is_ok(), || format!("{uuid} is not a uuid"));
        }
        self.once(uuids.into_iter());
        for (kind, _) in REQUIRED {
            self.once(list(self.file, kind).iter().map(|object| text(object, "export_key")));
        }
        let handles = list(self.file, "playbooks").iter().map(|playbook| text(playbook, "field_type_handle"));
        self.once(handles);
        let numbers: Vec<_> = self.shared_fields().map(|field| field["id"].to_string()).collect();
        self.once(numbers.iter().map(String::as_str));
        let values: Vec<_> = self
            .shared_fields()
            .flat_map(|field| list(field, "values"))
            .map(|option| option["value"].to_string())
            .collect();
        self.once(values.iter().map(String::as_str));
    }

    fn once<'a>(&mut self, all: impl Iterator<Item = &'a str>) {
        let mut seen = HashSet::new();
        for one in all {
            self.demand(seen.insert(one), || format!("{one} is there twice"));
        }
    }

    fn fields(&mut self) {
        for field in self.all_fields() {
            let (name, kind) = (&field["export_key"], text(field, "input_type"));
            self.demand(INPUT_TYPES.contains(&kind), || format!("{name} is of the unknown type {kind}"));
            let required = field.get("required");
            let known = required.is_none_or(|required| required == "always" || required == "close");
            self.demand(known, || format!("{name} is required {}", field["required"]));
            let has_options = !list(field, "values").is_empty();
            let may_have = kind.contains("select");
            self.demand(may_have || !has_options, || format!("{name} has options, but is not a select"));
        }
        for field in list(self.file, "fields") {
            let known = [INCIDENT, ACTIVITY, FUNCTION].iter().any(|type_id| field["type_id"] == *type_id);
            self.demand(known, || {
                format!("{} belongs to the unknown type {}", field["export_key"], field["type_id"])
            });
        }
    }

    fn functions(&mut self) {
        let destinations = self.names("message_destinations", "programmatic_name");
        for function in list(self.file, "functions") {
            let (name, handle) = (text(function, "name"), text(function, "destination_handle"));
            self.demand(destinations.contains(handle), || {
                format!("{name}: there is no message destination {handle}")
            });
            self.form(function, name, "__function", FUNCTION);
        }
    }

    /// Checks that SOAR can show every line of a form.
    fn form(&mut self, object: &Value, name: &str, field_type: &str, type_id: u64) {
        for item in list(object, "view_items") {
            let content = text(item, "content");
            let shown = match text(item, "element") {
                "header" => !content.is_empty(),
                "field_uuid" => {
                    item["field_type"] == field_type
                        && self.fields_of(type_id).any(|field| text(field, "uuid") == content)
                }
                _ => false,
            };
            self.demand(shown, || format!("{name}: the form shows {item}, which is not there"));
        }
    }

    fn rules(&mut self) {
        let scripts = self.names("scripts", "name");
        let workflows = self.names("workflows", "programmatic_name");
        let destinations = self.names("message_destinations", "name");
        let file = self.file;
        for rule in list(file, "actions") {
            let name = text(rule, "name");
            self.object_type(rule, name);
            self.form(rule, name, "actioninvocation", ACTIVITY);
            for started in texts(&rule["workflows"]) {
                let there = workflows.contains(started);
                self.demand(there, || format!("{name}: there is no workflow {started}"));
            }
            for automation in list(rule, "automations").iter().filter(|one| one["type"] == "run_script") {
                let script = text(automation, "scripts_to_run");
                self.demand(scripts.contains(script), || format!("{name}: there is no script {script}"));
            }
            for destination in texts(&rule["message_destinations"]) {
                let there = destinations.contains(destination);
                self.demand(there, || format!("{name}: there is no message destination {destination}"));
            }
            for condition in list(rule, "conditions") {
                self.condition(condition, rule, name);
            }
        }
    }

    pub(super) fn condition(&mut self, condition: &Value, rule: &Value, name: &str) {
        let method = text(condition, "method");
        self.demand(METHODS.contains(&method), || format!("{name}: the condition {method} is unknown"));
        if condition["field_name"].is_null() {
            // Such a condition is about the object itself.
            let complete = ["object_added", "due_within"].contains(&method);
            return self.demand(complete, || format!("{name}: the condition {method} has no field"));
        }
        let (object, field) = text(condition, "field_name").split_once('.').unwrap_or_default();
        // Every object is of an incident.
        let of_rule = rule["object_type"] == object || object == "incident";
        let there = match (object, self.table(object)) {
            (_, Some(table)) => table["fields"].get(field).is_some(),
            ("artifact", None) => {
                let wanted = condition["value"].as_array();
                let wanted = wanted.map_or(slice::from_ref(&condition["value"]), Vec::as_slice);
                field != "type" || wanted.iter().all(|name| self.is_artifact_type(name))
            }
            (object, None) => OBJECT_TYPES.contains(&object),
        };
        self.demand(of_rule && there, || format!("{name}: a condition on {condition}, which is not there"));
    }

    fn is_artifact_type(&self, name: &Value) -> bool {
        let own = list(self.file, "incident_artifact_types");
        ARTIFACT_TYPES.iter().any(|(_, known)| *name == *known) || own.iter().any(|one| one["name"] == *name)
    }

    fn workflows(&mut self) {
        for workflow in list(self.file, "workflows") {
            let name = text(workflow, "programmatic_name");
            self.object_type(workflow, name);
            let functions = list(self.file, "functions");
            let fields: Vec<_> = self.fields_of(FUNCTION).collect();
            let content = &workflow["content"];
            self.demand(content["workflow_id"] == *name, || {
                format!("{name}: its content is of the workflow {}", content["workflow_id"])
            });
            let known = Known { functions, fields, scripts: self.scripts_of(&[]) };
            let faults = bpmn::check(text(content, "xml"), name, &known);
            self.faults.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
        }
    }

    fn scripts(&mut self) {
        for script in list(self.file, "scripts") {
            let (name, language) = (text(script, "name"), text(script, "language"));
            self.object_type(script, name);
            let known = ["python", "python3"].contains(&language);
            self.demand(known, || format!("{name} is in the unknown language {language}"));
        }
    }

    /// The scripts that everything may run, and those of a playbook.
    pub(super) fn scripts_of(&self, playbook: &'f [Value]) -> Vec<&'f Value> {
        list(self.file, "scripts").iter().chain(playbook).collect()
    }

    fn tables(&mut self) {
        for table in list(self.file, "types") {
            let name = text(table, "type_name");
            self.demand(table["type_id"] == DATA_TABLE, || format!("{name} is not a data table"));
            self.demand(table["fields"].is_object(), || format!("{name} has no columns"));
            for parent in texts(&table["parent_types"]) {
                self.demand(OBJECT_TYPES.contains(&parent), || format!("{name} belongs to {parent}"));
            }
        }
    }

    pub(super) fn object_type(&mut self, object: &Value, name: &str) {
        let kind = text(object, "object_type");
        let known = OBJECT_TYPES.contains(&kind) || self.table(kind).is_some();
        self.demand(known, || format!("{name} is on objects of the unknown type {kind}"));
    }

    fn table(&self, name: &str) -> Option<&'f Value> {
        list(self.file, "types").iter().find(|table| text(table, "type_name") == name)
    }

    pub(super) fn fields_of(&self, type_id: u64) -> impl Iterator<Item = &'f Value> + use<'f> {
        list(self.file, "fields").iter().filter(move |field| field["type_id"] == type_id)
    }

    /// The fields, the columns of data tables, and the fields of the forms of playbooks.
    fn all_fields(&self) -> impl Iterator<Item = &'f Value> + use<'f> {
        let playbooks = list(self.file, "playbooks");
        let forms = playbooks.iter().flat_map(|one| objects(&one["fields_type"]["fields"]));
        self.shared_fields().chain(forms)
    }

    /// The fields and the columns of data tables.
    fn shared_fields(&self) -> impl Iterator<Item = &'f Value> + use<'f> {
        let columns = list(self.file, "types").iter().flat_map(|table| objects(&table["fields"]));
        list(self.file, "fields").iter().chain(columns)
    }

    fn names(&self, kind: &str, key: &str) -> HashSet<&'f str> {
        list(self.file, kind).iter().map(|object| text(object, key)).collect()
    }
}

/// Every text with the key `uuid`, at any depth but in the forms of playbooks: the copy of a playbook has the form of
/// the original.
fn collect_uuids<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect_uuids(one, found)),
        Value::Object(object) => {
            found.extend(object.get("uuid").and_then(Value::as_str));
            let parts = object.iter().filter(|(key, _)| *key != "fields_type");
            parts.for_each(|(_, one)| collect_uuids(one, found));
        }
        _ => {}
    }
}

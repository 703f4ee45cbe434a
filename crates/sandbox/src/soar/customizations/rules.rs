//! SOAR's rules for an import file: it is complete, every object is unique, and every reference has a target.

use std::collections::HashSet;
use std::slice;

use serde_json::Value;
use uuid::Uuid;

use super::artifact_types::ARTIFACT_TYPES;
use super::bpmn::{self, Known};
use super::json::{list, objects, text, texts};
use super::sections::REQUIRED;

/// SOAR's type numbers of incidents, of the fields of rules, of data tables, and of functions.
pub(super) const INCIDENT: u64 = 0;
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
const METHODS: [&str; 11] = [
    "equals",
    "in",
    "contains",
    "not_contains",
    "has_a_value",
    "not_has_a_value",
    "includes_hierarchical",
    "object_added",
    "changed",
    "changed_to",
    "due_within",
];

/// Returns all violations in an import file. Empty if a SOAR without customizations would accept it.
pub fn check(file: &Value) -> Vec<String> {
    check_beside(file, &Value::Null)
}

/// Returns all violations in an import file for a SOAR that has the objects in `there`, to which the file may refer.
pub(in crate::soar) fn check_beside(file: &Value, there: &Value) -> Vec<String> {
    let mut check = Check { file, there, faults: Vec::new() };
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
    there: &'f Value,
    faults: Vec<String>,
}

impl<'f> Check<'f> {
    pub(super) fn demand(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
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

    /// The objects of a section to which others may refer: those of the file, and those that are there.
    pub(super) fn targets(&self, section: &str) -> impl Iterator<Item = &'f Value> + use<'f> {
        list(self.file, section).iter().chain(list(self.there, section))
    }

    fn is_artifact_type(&self, name: &Value) -> bool {
        let own = list(self.file, "incident_artifact_types");
        ARTIFACT_TYPES.iter().any(|(_, known)| *name == *known) || own.iter().any(|one| one["name"] == *name)
    }

    fn workflows(&mut self) {
        for workflow in list(self.file, "workflows") {
            let name = text(workflow, "programmatic_name");
            self.object_type(workflow, name);
            let functions = self.targets("functions").collect();
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
        self.targets("scripts").chain(playbook).collect()
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
        self.targets("types").find(|table| text(table, "type_name") == name)
    }

    pub(super) fn fields_of(&self, type_id: u64) -> impl Iterator<Item = &'f Value> + use<'f> {
        self.targets("fields").filter(move |field| field["type_id"] == type_id)
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
        self.targets(kind).map(|object| text(object, key)).collect()
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

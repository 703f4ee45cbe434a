//! SOAR's rules for playbooks: one handle everywhere, a form whose fields are its own, scripts of its own, and tags
//! that name playbooks of the file.

use std::collections::HashSet;

use serde_json::Value;

use super::bpmn::{self, Known};
use super::json::{list, major, objects, text, texts};
use super::rules::{Check, FUNCTION};

/// The first version whose exports have playbooks.
const FIRST: u64 = 43;
/// SOAR's number for the type of a playbook's form.
const FORM: u64 = 28;
const ACTIVATIONS: [&str; 2] = ["manual", "automatic"];
const STATES: [&str; 3] = ["enabled", "disabled", "draft"];
/// How the handles of playbooks and of their tags begin.
const PREFIX: &str = "playbook_";

impl<'f> Check<'f> {
    pub(super) fn playbooks(&mut self) {
        let file = self.file;
        let all = list(file, "playbooks");
        let version = &file["server_version"];
        self.demand(all.is_empty() || major(version).is_some_and(|major| major >= FIRST), || {
            format!("there are playbooks, which server_version {} has not", version["version"])
        });
        for playbook in all {
            self.playbook(playbook);
        }
    }

    fn playbook(&mut self, playbook: &'f Value) {
        let name = text(playbook, "name");
        self.object_type(playbook, name);
        self.demand(playbook["export_key"] == *name, || format!("{name}: its export_key is another name"));
        let activation = text(playbook, "activation_type");
        let known = ACTIVATIONS.contains(&activation) || playbook["status"] == "draft";
        self.demand(known, || format!("{name} is activated {activation:?}"));
        let status = text(playbook, "status");
        self.demand(STATES.contains(&status), || format!("{name} has the unknown status {status}"));

        let handle = format!("{PREFIX}{}", text(playbook, "uuid").replace('-', "_"));
        let form = &playbook["fields_type"];
        for (what, is) in [
            ("field_type_handle", &playbook["field_type_handle"]),
            ("deployment_id", &playbook["deployment_id"]),
            ("tag", &playbook["tag"]["name"]),
            ("fields_type", &form["type_name"]),
            ("export_key of its fields_type", &form["export_key"]),
        ] {
            // Drafts lack some of them; older tags have hyphens.
            let right = is.as_str().is_none_or(|is| is.replace('-', "_") == handle);
            self.demand(right, || format!("{name}: its {what} is {is}, not {handle}"));
        }
        let is_form = form["type_id"] == FORM && texts(&form["parent_types"]).eq(["__playbook"]);
        self.demand(is_form, || format!("{name}: its fields_type is not that of a form"));
        for (key, field) in form["fields"].as_object().into_iter().flatten() {
            let named = field["name"] == **key && field["export_key"] == format!("{handle}/{key}");
            self.demand(named, || format!("{name}: the field {key} of its form has another name"));
        }

        if activation == "manual" {
            self.activation(playbook, name, &handle);
        }
        self.local_scripts(playbook, name);
        let known = Known {
            functions: self.targets("functions").collect(),
            fields: self.fields_of(FUNCTION).collect(),
            scripts: self.scripts_of(list(playbook, "local_scripts")),
        };
        let faults = bpmn::check(text(&playbook["content"], "xml"), &handle, &known);
        for fault in faults {
            self.demand(false, || format!("{name}: {fault}"));
        }
    }

    /// The conditions and the form.
    fn activation(&mut self, playbook: &Value, name: &str, handle: &str) {
        let settings = &playbook["manual_settings"];
        let conditions = &settings["activation_conditions"];
        let logic = text(conditions, "logic_type");
        self.demand(["all", "any", "advanced"].contains(&logic), || {
            format!("{name}: its conditions are combined by {logic:?}")
        });
        for condition in list(conditions, "conditions") {
            self.condition(condition, playbook, name);
        }
        for item in list(settings, "view_items") {
            let content = text(item, "content");
            let shown = match text(item, "element") {
                "html" => !content.is_empty(),
                "field_uuid" => {
                    let mut fields = objects(&playbook["fields_type"]["fields"]);
                    item["field_type"] == *handle && fields.any(|field| text(field, "uuid") == content)
                }
                _ => false,
            };
            self.demand(shown, || format!("{name}: the form shows {item}, which is not there"));
        }
    }

    fn local_scripts(&mut self, playbook: &Value, name: &str) {
        let mut names = HashSet::new();
        for script in list(playbook, "local_scripts") {
            let own = text(script, "name");
            let complete = ["uuid", "name", "programmatic_name", "script_text"];
            let complete = complete.iter().all(|key| !text(script, key).is_empty());
            self.demand(complete && names.insert(own), || {
                format!("{name}: its script {own:?} is incomplete or there twice")
            });
            let of_playbook = script["playbook_handle"] == *name
                && script["object_type"] == playbook["object_type"]
                && script["language"] == "python3";
            self.demand(of_playbook, || {
                format!("{name}: its script {own} is of another playbook, object or language")
            });
        }
    }

    /// The tags of playbooks on what they share are those of playbooks of the file.
    pub(super) fn tags(&mut self) {
        let file = self.file;
        let handles: HashSet<_> =
            self.targets("playbooks").map(|playbook| text(&playbook["tag"], "name")).collect();
        for section in ["functions", "fields", "types", "message_destinations", "scripts"] {
            for object in list(file, section) {
                for tag in list(object, "tags") {
                    let handle = text(tag, "tag_handle");
                    let there = !handle.starts_with(PREFIX) || handles.contains(handle);
                    self.demand(there, || {
                        format!("{} has the tag {handle}, which is not there", object["export_key"])
                    });
                }
            }
        }
    }
}

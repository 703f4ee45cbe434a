//! Builds the playbooks of the import file. A playbook carries its own form and scripts, and what it shares with others
//! (functions, fields, the data table) carries its tag.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::bpmn::{Process, Style, Task};
use super::objects::{Assembly, condition, find, static_choice, static_input, undefined, view_item};
use super::sources::{
    Activation, Choice, Field, FormItem, Function, InputType, Playbook, PlaybookStep, Rule, script_text,
};
use super::{DATE, Error, ScriptLanguage};

/// SOAR's number for the type of a playbook's form.
const FORM: u32 = 28;
/// The numbers of the forms' fields begin after this one; the importing SOAR assigns its own.
const OUR_FORMS: u32 = 1040;
/// What SOAR writes as the value of a playbook's tag.
const TAG: &str = "Playbook Tag";

/// The scripts of playbooks are Python 3.
const LANGUAGE: ScriptLanguage = ScriptLanguage::Python3;

impl Playbook {
    /// The name under which SOAR runs it, by which its fields and its tag are called as well.
    fn handle(&self) -> String {
        format!("playbook_{}", self.uuid.replace('-', "_"))
    }

    /// The uuid of one of its parts.
    fn part(&self, what: &str) -> String {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{} {what}", self.name).as_bytes()).to_string()
    }

    /// Its own edition of a field that rules show.
    fn field(&self, field: &Field) -> Field {
        let name = &field.name;
        let option = |choice: &Choice| Choice {
            uuid: self.part(&format!("option {name} {}", choice.label)),
            ..choice.clone()
        };
        Field {
            uuid: self.part(&format!("field {name}")),
            options: field.options.iter().map(option).collect(),
            ..field.clone()
        }
    }

    /// Its own scripts, for this kind of objects.
    fn scripts(&self, object_type: &str) -> Result<Vec<Value>, Error> {
        let mut scripts = Vec::new();
        for step in &self.steps {
            let PlaybookStep::Script { script, text } = step else { continue };
            scripts.push(json!({
                "uuid": self.part(&format!("script {script}")),
                "name": script,
                "export_key": script,
                "programmatic_name": format!("{}_{script}", self.name),
                "playbook_handle": self.name,
                "id": scripts.len() + 1,
                "language": LANGUAGE.name(),
                "object_type": object_type,
                "description": "",
                "script_text": script_text(text, &self.name)?,
                "enabled": false,
                "created_date": DATE,
                "last_modified_by": env!("CARGO_CRATE_NAME"),
                "last_modified_time": DATE,
                "actions": [],
                "tags": [],
            }));
        }
        Ok(scripts)
    }
}

impl<'s> Assembly<'s> {
    pub(super) fn playbooks(&mut self) -> Result<Vec<Value>, Error> {
        let playbooks = &self.sources.playbooks;
        (1..).zip(playbooks).map(|(id, playbook)| self.playbook(id, playbook)).collect()
    }

    fn playbook(&mut self, id: u32, playbook: &Playbook) -> Result<Value, Error> {
        let rule = self.rule_of(playbook)?;
        let handle = playbook.handle();
        let principal = json!({
            "id": 1,
            "name": env!("CARGO_CRATE_NAME"),
            "display_name": env!("CARGO_CRATE_NAME"),
            "type": "user",
        });
        let fields = self.form_fields(playbook, &rule.form, id)?;
        let view_items: Vec<_> = rule
            .form
            .iter()
            .map(|item| match item {
                FormItem::Field(name) => {
                    view_item("field_uuid", Some(&handle), &playbook.part(&format!("field {name}")))
                }
                FormItem::Header { header } => view_item("html", None, header),
            })
            .collect();
        let process = Process {
            style: Style::Playbook,
            id: &handle,
            label: &handle,
            description: "",
            tasks: playbook.steps.iter().map(|step| self.task(step, playbook)).collect::<Result<_, _>>()?,
        };
        let conditions = json!({
            "conditions": rule.conditions.iter().map(condition).collect::<Vec<_>>(),
            "logic_type": rule.logic,
        });
        let (settings, activation) = match rule.activation {
            Activation::Manual => {
                ("manual_settings", json!({"activation_conditions": conditions, "view_items": view_items}))
            }
            Activation::Automatic => ("activation_details", json!({"activation_conditions": conditions})),
        };
        let mut object = json!({
            "uuid": playbook.uuid,
            "name": playbook.name,
            "export_key": playbook.name,
            "display_name": playbook.label,
            "description": {"format": "text", "content": playbook.description},
            "id": id,
            "type": "default",
            "status": "enabled",
            "version": 1,
            "object_type": rule.object_type,
            "activation_type": rule.activation,
            "content": {"content_version": 1, "xml": process.xml()},
            "local_scripts": playbook.scripts(&rule.object_type)?,
            "deployment_id": handle,
            "field_type_handle": handle,
            "fields_type": {
                "uuid": playbook.form_uuid,
                "type_name": handle,
                "display_name": playbook.label,
                "export_key": handle,
                "id": null,
                "type_id": FORM,
                "parent_types": ["__playbook"],
                "properties": {"can_create": false, "can_destroy": false, "for_who": []},
                "for_actions": false,
                "for_custom_fields": false,
                "for_notifications": false,
                "for_workflows": false,
                "fields": fields,
                "actions": [],
                "scripts": [],
                "tags": [],
            },
            "tag": {
                "uuid": playbook.tag_uuid,
                "name": handle,
                "display_name": format!("Playbook_{}", playbook.uuid),
                "id": id,
                "type": "playbook",
            },
            "tags": [],
            "has_logical_errors": false,
            "is_deleted": false,
            "is_locked": false,
            "create_date": DATE,
            "creator_principal": principal,
            "last_modified_principal": principal,
            "last_modified_time": DATE,
        });
        object[settings] = activation;
        Ok(object)
    }

    /// The rule of the same purpose.
    fn rule_of(&self, playbook: &Playbook) -> Result<&'s Rule, Error> {
        find(&self.sources.rules, |rule| rule.name == playbook.rule)
            .ok_or_else(|| undefined(&playbook.name, "the rule", &playbook.rule))
    }

    /// The fields of the form, by name.
    fn form_fields(&mut self, playbook: &Playbook, form: &[FormItem], number: u32) -> Result<Value, Error> {
        let mut fields = Map::new();
        for item in form {
            let FormItem::Field(name) = item else { continue };
            let field = playbook.field(self.activity_field(name, &playbook.name)?);
            fields.insert(name.clone(), self.field(&field, &playbook.handle(), OUR_FORMS + number));
        }
        Ok(fields.into())
    }

    fn task<'p>(&'p self, step: &'p PlaybookStep, playbook: &Playbook) -> Result<Task<'p>, Error> {
        match step {
            PlaybookStep::Function { function, defaults, inputs, result_name } => {
                let function = self.function(function, &playbook.name)?;
                let settings = json!({
                    "inputs": self.static_inputs(function, defaults, &playbook.name)?,
                    "pre_processing_script": script_text(inputs, &playbook.name)?,
                    "pre_processing_script_language": LANGUAGE.name(),
                    "result_name": result_name,
                });
                Ok(Task::Function {
                    uuid: &function.uuid,
                    label: &function.display_name,
                    settings: settings.to_string(),
                })
            }
            PlaybookStep::Script { script, .. } => {
                Ok(Task::Script { uuid: playbook.part(&format!("script {script}")), label: script })
            }
            PlaybookStep::SharedScript { shared_script } => {
                let script = find(&self.sources.scripts, |script| &script.name == shared_script)
                    .ok_or_else(|| undefined(&playbook.name, "the script", shared_script))?;
                Ok(Task::Script { uuid: script.uuid.clone(), label: &script.name })
            }
        }
    }

    /// What the playbook itself gives to each input; its script overrides it.
    fn static_inputs(
        &self,
        function: &Function,
        defaults: &BTreeMap<String, Vec<String>>,
        by: &str,
    ) -> Result<Value, Error> {
        let mut inputs = Map::new();
        for name in &function.inputs {
            let field = self.function_field(name, by)?;
            let input = match (defaults.get(name), field.input_type) {
                (Some(labels), _) => static_choice(field, labels, by)?,
                (None, InputType::Text) => json!({"multiselect_value": [], "text_value": ""}),
                (None, _) => json!({"multiselect_value": []}),
            };
            inputs.insert(field.uuid.clone(), static_input(&input));
        }
        Ok(inputs.into())
    }

    /// Gives the objects of the file that playbooks use the tags of these playbooks.
    pub(super) fn tag_what_playbooks_share(&self, file: &mut Value) -> Result<(), Error> {
        let mut tags: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for playbook in &self.sources.playbooks {
            let handle = playbook.handle();
            let mut used = vec![self.rule_of(playbook)?.object_type.as_str()];
            for step in &playbook.steps {
                match step {
                    PlaybookStep::Function { function, .. } => {
                        let function = self.function(function, &playbook.name)?;
                        used.extend([function.uuid.as_str(), &self.sources.message_destination.uuid]);
                        for name in &function.inputs {
                            used.push(&self.function_field(name, &playbook.name)?.uuid);
                        }
                    }
                    PlaybookStep::Script { .. } => {}
                    PlaybookStep::SharedScript { shared_script } => used.push(shared_script),
                }
            }
            for key in used {
                tags.entry(key).or_default().insert(handle.clone());
            }
        }
        for section in ["message_destinations", "functions", "fields", "types", "scripts"] {
            for object in file[section].as_array_mut().into_iter().flatten() {
                let keys = ["uuid", "type_name", "name"].map(|key| object[key].as_str().unwrap_or_default());
                let Some(handles) = keys.iter().find_map(|key| tags.get(key)) else { continue };
                let of_object = handles.iter().map(|handle| json!({"tag_handle": handle, "value": TAG}));
                object["tags"] = of_object.collect();
            }
        }
        Ok(())
    }
}

//! Builds the objects of the import file, with all the keys of SOAR's own exports.

use serde_json::{Map, Value, json};

use super::bpmn::{Process, Style, Task};
use super::sources::{
    Activation, Condition, Field, FormItem, Function, InputType, Rule, Runs, Script, Sources, Step, Workflow,
    script_text,
};
use super::{DATE, Error, Examples, ScriptLanguage, samples};

/// SOAR's numbers for kinds of objects.
const ACTIVITY: u32 = 6;
const DATA_TABLE: u32 = 8;
const FUNCTION: u32 = 11;
/// The number of the data table in the SOAR that exported its columns; the importing SOAR assigns its own.
const OUR_TABLE: u32 = 1010;
/// The types of rules.
const AUTOMATIC: u32 = 0;
const MENU_ITEM: u32 = 1;
/// How long SOAR waits for what a rule starts: a day, in seconds.
const TIMEOUT: u32 = 86_400;

/// Builds the objects, and numbers those that need a number. The importing SOAR does not use the numbers.
#[derive(Debug)]
pub(super) struct Assembly<'s> {
    pub(super) sources: &'s Sources,
    examples: Examples,
    fields: u32,
    choices: u32,
}

impl<'s> Assembly<'s> {
    pub(super) fn new(sources: &'s Sources, examples: Examples) -> Self {
        Self { sources, examples, fields: 0, choices: 0 }
    }

    pub(super) fn message_destination(&self) -> Value {
        let destination = &self.sources.message_destination;
        json!({
            "uuid": destination.uuid,
            "name": destination.name,
            "programmatic_name": destination.name,
            "export_key": destination.name,
            "destination_type": 0,
            "expect_ack": true,
            "users": [],
            "api_keys": [],
            "tags": [],
        })
    }

    /// The functions' input fields.
    pub(super) fn function_fields(&mut self) -> Vec<Value> {
        let fields = &self.sources.function_fields;
        fields.iter().map(|field| self.field(field, "__function", FUNCTION)).collect()
    }

    /// The fields of the rules' forms.
    pub(super) fn activity_fields(&mut self) -> Vec<Value> {
        let sources = self.sources;
        let make = |field| {
            let mut object = self.field(field, "actioninvocation", ACTIVITY);
            object["prefix"] = json!("properties");
            object
        };
        sources.activity_fields.iter().map(make).collect()
    }

    pub(super) fn data_table(&mut self) -> Value {
        let table = &self.sources.data_table;
        let mut columns = Map::new();
        for (order, column) in table.columns.iter().enumerate() {
            let mut object = self.field(&column.field, &table.name, OUR_TABLE);
            object["chosen"] = json!(column.field.blank_option);
            object["order"] = json!(order);
            object["width"] = json!(column.width);
            columns.insert(column.field.name.clone(), object);
        }
        json!({
            "uuid": table.uuid,
            "type_name": table.name,
            "display_name": table.display_name,
            "export_key": table.name,
            "id": null,
            "type_id": DATA_TABLE,
            "parent_types": ["incident"],
            "properties": {"can_create": false, "can_destroy": false, "for_who": []},
            "for_actions": false,
            "for_custom_fields": false,
            "for_notifications": false,
            "for_workflows": false,
            "fields": columns,
            "actions": [],
            "scripts": [],
            "tags": [],
        })
    }

    /// Builds a field of the object type `of`, whose number is `type_id`.
    pub(super) fn field(&mut self, field: &Field, of: &str, type_id: u32) -> Value {
        self.fields += 1;
        let values: Vec<_> = field
            .options
            .iter()
            .map(|choice| {
                self.choices += 1;
                json!({
                    "label": choice.label,
                    "value": self.choices,
                    "uuid": choice.uuid,
                    "default": choice.default,
                    "enabled": true,
                    "hidden": false,
                    "properties": null,
                })
            })
            .collect();
        let mut object = json!({
            "uuid": field.uuid,
            "name": field.name,
            "export_key": format!("{of}/{}", field.name),
            "id": self.fields,
            "type_id": type_id,
            "input_type": field.input_type,
            "text": field.label.as_ref().unwrap_or(&field.name),
            "tooltip": field.tooltip,
            "placeholder": field.placeholder,
            "prefix": null,
            "values": values,
            "templates": [],
            "blank_option": field.blank_option,
            "rich_text": field.rich_text,
            "changeable": true,
            "allow_default_value": false,
            "calculated": false,
            "chosen": false,
            "default_chosen_by_server": false,
            "deprecated": false,
            "hide_notification": false,
            "internal": false,
            "is_tracked": false,
            "read_only": false,
            "operations": [],
            "operation_perms": {},
            "tags": [],
        });
        if field.required {
            // A field that is not required has no such key.
            object["required"] = json!("always");
        }
        object
    }

    pub(super) fn functions(&self) -> Result<Vec<Value>, Error> {
        let make = |(id, function): (u32, &Function)| {
            let view = function.inputs.iter().map(|name| {
                let field = self.function_field(name, &function.name)?;
                Ok(view_item("field_uuid", Some("__function"), &field.uuid))
            });
            let workflows = (1_u32..)
                .zip(&self.sources.workflows)
                .filter(|_| self.examples != Examples::Playbooks)
                .filter(|(_, workflow)| workflow.functions.iter().any(|step| step.function == function.name))
                .map(|(id, workflow)| {
                    json!({
                        "programmatic_name": workflow.name,
                        "name": workflow.label,
                        "object_type": workflow.object_type,
                        "workflow_id": id,
                        "uuid": null,
                        "description": null,
                        "actions": [],
                        "tags": [],
                    })
                });
            let mut object = json!({
                "uuid": function.uuid,
                "name": function.name,
                "display_name": function.display_name,
                "export_key": function.name,
                "id": id,
                "version": 1,
                "destination_handle": self.sources.message_destination.name,
                "description": {"format": "text", "content": function.description},
                "view_items": view.collect::<Result<Vec<_>, Error>>()?,
                "workflows": workflows.collect::<Vec<_>>(),
                "last_modified_by": {
                    "id": 1,
                    "name": env!("CARGO_CRATE_NAME"),
                    "display_name": env!("CARGO_CRATE_NAME"),
                    "type": "user",
                },
                "last_modified_time": DATE,
                "tags": [],
            });
            // Only versions of SOAR with playbooks know these keys.
            if self.examples == Examples::Playbooks {
                let sample =
                    find(&self.sources.payload_samples, |sample| sample.function == function.name)
                        .ok_or_else(|| undefined(&function.name, "the payload sample", &function.name))?;
                let results = sample.results()?;
                object["output_json_example"] = json!(results.to_string());
                object["output_json_schema"] = json!(samples::schema(&results).to_string());
            }
            Ok(object)
        };
        (1..).zip(&self.sources.functions).map(make).collect()
    }

    pub(super) fn rules(&self) -> Result<Vec<Value>, Error> {
        let make = |(id, rule): (u32, &Rule)| {
            let view = rule.form.iter().map(|item| match item {
                FormItem::Field(name) => {
                    let field = self.activity_field(name, &rule.name)?;
                    Ok(view_item("field_uuid", Some("actioninvocation"), &field.uuid))
                }
                FormItem::Header { header } => Ok(view_item("header", None, header)),
            });
            let (workflows, automations) = match &rule.runs {
                Runs::Workflow(name) => {
                    find(&self.sources.workflows, |workflow| &workflow.name == name)
                        .ok_or_else(|| undefined(&rule.name, "the workflow", name))?;
                    (json!([name]), json!([]))
                }
                Runs::Script(name) => {
                    find(&self.sources.scripts, |script| &script.name == name)
                        .ok_or_else(|| undefined(&rule.name, "the script", name))?;
                    (json!([]), json!([{"type": "run_script", "scripts_to_run": name, "value": null}]))
                }
            };
            Ok(json!({
                "uuid": rule.uuid,
                "name": rule.name,
                "export_key": rule.name,
                "id": id,
                "type": match rule.activation {
                    Activation::Manual => MENU_ITEM,
                    Activation::Automatic => AUTOMATIC,
                },
                "enabled": true,
                "object_type": rule.object_type,
                "logic_type": rule.logic,
                "conditions": rule.conditions.iter().map(condition).collect::<Vec<_>>(),
                "automations": automations,
                "workflows": workflows,
                "message_destinations": [],
                "view_items": view.collect::<Result<Vec<_>, Error>>()?,
                "timeout_seconds": TIMEOUT,
                "tags": [],
            }))
        };
        (1..).zip(&self.sources.rules).map(make).collect()
    }

    pub(super) fn workflows(&self) -> Result<Vec<Value>, Error> {
        (1..).zip(&self.sources.workflows).map(|(id, workflow)| self.workflow(id, workflow)).collect()
    }

    fn workflow(&self, id: u32, workflow: &Workflow) -> Result<Value, Error> {
        let tasks = workflow.functions.iter().map(|step| {
            let function = self.function(&step.function, &workflow.name)?;
            let settings = serde_json::to_string(&self.settings(step, &workflow.name)?)?;
            Ok(Task::Function { uuid: &function.uuid, label: &function.display_name, settings })
        });
        let process = Process {
            style: Style::Workflow,
            id: &workflow.name,
            label: &workflow.label,
            description: &workflow.description,
            tasks: tasks.collect::<Result<Vec<_>, Error>>()?,
        };
        Ok(json!({
            "uuid": workflow.uuid,
            "programmatic_name": workflow.name,
            "export_key": workflow.name,
            "name": workflow.label,
            "workflow_id": id,
            "object_type": workflow.object_type,
            "description": workflow.description,
            "content": {"workflow_id": workflow.name, "version": 1, "xml": process.xml()},
            "content_version": 1,
            "last_modified_by": env!("CARGO_CRATE_NAME"),
            "last_modified_time": DATE,
            "actions": [],
            "tags": [],
        }))
    }

    /// What a workflow says about one of its functions.
    fn settings(&self, step: &Step, workflow: &str) -> Result<Value, Error> {
        let mut inputs = Map::new();
        for (name, labels) in &step.defaults {
            let field = self.function_field(name, workflow)?;
            inputs.insert(field.uuid.clone(), static_input(&static_choice(field, labels, workflow)?));
        }
        let mut settings = json!({
            "inputs": inputs,
            "pre_processing_script": script_text(&step.pre_processing, workflow)?,
            "post_processing_script": script_text(&step.post_processing, workflow)?,
            "result_name": step.result_name,
        });
        // Versions of SOAR that have only the older language do not know these keys, and all others take a script
        // without them for one in it.
        let language = self.examples.language();
        if language == ScriptLanguage::Python3 {
            settings["pre_processing_script_language"] = json!(language.name());
            settings["post_processing_script_language"] = json!(language.name());
        }
        Ok(settings)
    }

    pub(super) fn scripts(&self) -> Result<Vec<Value>, Error> {
        let make = |(id, script): (u32, &Script)| {
            Ok(json!({
                "uuid": script.uuid,
                "name": script.name,
                "export_key": script.name,
                "id": id,
                "language": self.examples.language().name(),
                "object_type": script.object_type,
                "description": script.description,
                "script_text": script_text(&script.text, &script.name)?,
                "last_modified_by": env!("CARGO_CRATE_NAME"),
                "last_modified_time": DATE,
                "actions": [],
                "tags": [],
            }))
        };
        (1..).zip(&self.sources.scripts).map(make).collect()
    }

    pub(super) fn function(&self, name: &str, by: &str) -> Result<&'s Function, Error> {
        find(&self.sources.functions, |function| function.name == name)
            .ok_or_else(|| undefined(by, "the function", name))
    }

    pub(super) fn activity_field(&self, name: &str, by: &str) -> Result<&'s Field, Error> {
        find(&self.sources.activity_fields, |field| field.name == name)
            .ok_or_else(|| undefined(by, "the activity field", name))
    }

    pub(super) fn function_field(&self, name: &str, by: &str) -> Result<&'s Field, Error> {
        find(&self.sources.function_fields, |field| field.name == name)
            .ok_or_else(|| undefined(by, "the function field", name))
    }
}

pub(super) fn find<T>(all: &[T], what: impl Fn(&T) -> bool) -> Option<&T> {
    all.iter().find(|one| what(one))
}

pub(super) fn undefined(by: &str, what: &'static str, name: &str) -> Error {
    Error::Undefined { by: by.to_owned(), what, name: name.to_owned() }
}

/// A condition of a rule or a playbook.
pub(super) fn condition(condition: &Condition) -> Value {
    json!({
        "evaluation_id": null,
        "field_name": condition.field,
        "method": condition.method,
        "type": null,
        "value": condition.value,
    })
}

/// What a workflow or a playbook gives to an input before its script.
pub(super) fn static_input(value: &Value) -> Value {
    json!({"input_type": "static", "static_input": value})
}

/// The options of `field` with these labels, as a value of the input.
pub(super) fn static_choice(field: &Field, labels: &[String], by: &str) -> Result<Value, Error> {
    let chosen = labels.iter().map(|label| {
        find(&field.options, |choice| &choice.label == label)
            .map(|choice| choice.uuid.as_str())
            .ok_or_else(|| undefined(by, "the choice", label))
    });
    let mut chosen = chosen.collect::<Result<Vec<_>, Error>>()?;
    let one = if matches!(field.input_type, InputType::Select) { chosen.pop() } else { None };
    let mut input = json!({"multiselect_value": chosen});
    if let Some(one) = one {
        input["select_value"] = json!(one);
    }
    Ok(input)
}

/// A line of a form.
pub(super) fn view_item(element: &str, field_type: Option<&str>, content: &str) -> Value {
    json!({
        "element": element,
        "field_type": field_type,
        "content": content,
        "show_if": null,
        "show_link_header": false,
        "step_label": null,
    })
}

//! The parts of an object that users of SOAR can see or change, in a form in which two versions can be compared:
//! without numbers, dates, versions and the last editor.

use serde_json::{Value, json};

use super::kind::Kind;
use super::part::{Form, Part, Row, plain};
use super::steps;

/// A key, what it is called, and how its value is read.
type Aspect = (&'static str, &'static str, fn(&Value) -> Value, Form);

/// The aspects of fields and columns.
const FIELD: &[Aspect] = &[
    ("text", "label", plain, Form::Value),
    ("tooltip", "tooltip", plain, Form::Value),
    ("placeholder", "placeholder", plain, Form::Value),
    ("input_type", "type", plain, Form::Value),
    ("required", "required", plain, Form::Value),
    ("blank_option", "may be blank", plain, Form::Value),
    ("rich_text", "rich text", plain, Form::Value),
    ("values", "options", options, Form::Rows(Row::Option)),
];

/// The key whose absence is a value.
const ABSENT_MEANS_NO: &str = "required";

fn aspects(kind: Kind) -> &'static [Aspect] {
    match kind {
        Kind::MessageDestination => &[
            ("name", "label", plain, Form::Value),
            ("destination_type", "type", plain, Form::Value),
            ("expect_ack", "expects ACK", plain, Form::Value),
        ],
        Kind::Function => &[
            ("display_name", "label", plain, Form::Value),
            ("description", "description", plain, Form::Value),
            ("destination_handle", "message destination", plain, Form::Value),
            ("view_items", "inputs", form, Form::Rows(Row::FormItem)),
        ],
        Kind::FunctionField | Kind::RuleField => FIELD,
        Kind::DataTable => &[("display_name", "label", plain, Form::Value)],
        Kind::Rule => &[
            ("object_type", "object type", plain, Form::Value),
            ("logic_type", "conditions that must hold", plain, Form::Value),
            ("conditions", "conditions", conditions, Form::Rows(Row::Condition)),
            ("workflows", "workflows", plain, Form::Value),
            ("automations", "scripts", automations, Form::Rows(Row::Automation)),
            ("view_items", "form", form, Form::Rows(Row::FormItem)),
        ],
        Kind::Workflow => &[
            ("name", "label", plain, Form::Value),
            ("description", "description", plain, Form::Value),
            ("object_type", "object type", plain, Form::Value),
        ],
        Kind::Playbook => &[
            ("display_name", "label", plain, Form::Value),
            ("description", "description", plain, Form::Value),
            ("object_type", "object type", plain, Form::Value),
            ("activation_type", "activation", plain, Form::Value),
            ("manual_settings", "conditions that must hold", logic_of_activation, Form::Value),
            ("manual_settings", "conditions", conditions_of_activation, Form::Rows(Row::Condition)),
            ("manual_settings", "form", form_of_activation, Form::Rows(Row::FormItem)),
            ("activation_details", "conditions that must hold", logic_of_activation, Form::Value),
            ("activation_details", "conditions", conditions_of_activation, Form::Rows(Row::Condition)),
        ],
        Kind::Script => &[
            ("description", "description", plain, Form::Value),
            ("object_type", "object type", plain, Form::Value),
            ("language", "language", plain, Form::Value),
            ("script_text", "text", plain, Form::Text),
        ],
    }
}

/// The parts of an object of this kind.
pub(super) fn parts(kind: Kind, object: &Value) -> Vec<Part> {
    // A playbook has the settings of its activation only.
    let is_automatic = object["activation_type"] == "automatic";
    let is_of_other = |key: &str| match key {
        "manual_settings" => is_automatic,
        "activation_details" => !is_automatic,
        _ => false,
    };
    let own = aspects(kind).iter().filter(|(key, ..)| !is_of_other(key));
    let mut parts: Vec<Part> = own.map(|aspect| part(object, aspect, None)).collect();
    let (what, fields) = match kind {
        Kind::DataTable => ("column", &object["fields"]),
        Kind::Playbook => ("field", &object["fields_type"]["fields"]),
        _ => ("", &Value::Null),
    };
    for (name, field) in fields.as_object().into_iter().flatten() {
        let owner = format!("{what} {name}");
        parts.extend(FIELD.iter().map(|aspect| part(field, aspect, Some(&owner))));
    }
    for script in object["local_scripts"].as_array().into_iter().flatten() {
        let name = script["name"].as_str().unwrap_or_default();
        parts.push(Part::new(format!("script {name}"), plain(&script["script_text"]), Form::Text));
    }
    if matches!(kind, Kind::Workflow | Kind::Playbook) {
        match object["content"]["xml"].as_str() {
            Some(xml) => parts.extend(steps::parts(xml)),
            None => parts.push(Part { is_given: false, ..steps::unread(Value::Null) }),
        }
    }
    parts
}

fn part(object: &Value, (key, path, read, form): &Aspect, owner: Option<&str>) -> Part {
    Part {
        path: owner.map_or_else(|| (*path).to_owned(), |owner| format!("{owner}: {path}")),
        owner: owner.map(str::to_owned),
        value: read(&object[*key]),
        form: *form,
        is_given: object.get(*key).is_some() || *key == ABSENT_MEANS_NO,
    }
}

/// Normalises these keys of each object in a list.
fn each(list: &Value, keys: &[&str]) -> Value {
    let all = list.as_array().into_iter().flatten();
    let rows: Vec<Vec<_>> = all.map(|one| keys.iter().map(|key| plain(&one[key])).collect()).collect();
    plain(&json!(rows))
}

fn form(items: &Value) -> Value {
    each(items, &["element", "content"])
}

fn options(values: &Value) -> Value {
    each(values, &["label", "default"])
}

fn conditions(conditions: &Value) -> Value {
    each(conditions, &["field_name", "method", "value"])
}

fn automations(automations: &Value) -> Value {
    each(automations, &["type", "scripts_to_run"])
}

fn logic_of_activation(settings: &Value) -> Value {
    plain(&settings["activation_conditions"]["logic_type"])
}

fn conditions_of_activation(settings: &Value) -> Value {
    conditions(&settings["activation_conditions"]["conditions"])
}

fn form_of_activation(settings: &Value) -> Value {
    form(&settings["view_items"])
}
